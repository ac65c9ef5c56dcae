//! `mn operator`: who may give commands from other machines, and letting one go.
//!
//! What an operator may do is the policy table's to say; here it is only who is one.

use common::report::Refusal;
use common::wire::join::Kind;
use mn_core::command::Operator;
use mn_core::draft::Draft;
use mn_core::model::Model;
use mn_core::table::schema::POLICY;
use mn_core::talk::Line;
use serde_json::json;

use crate::ground::Ground;
use crate::{audit, token};

pub(super) async fn run(ground: &Ground, args: Operator) -> u8 {
    match args.remove {
        None => list(ground).await,
        Some(name) => remove(ground, name).await,
    }
}

async fn list(ground: &Ground) -> u8 {
    for (name, certified) in token::operators(&ground.model()) {
        let line = if ground.context.view.json {
            Line::Record(json!({ "name": name, "since": certified.map(audit::time) }))
        } else {
            let since =
                certified.map_or_else(|| "has a token".to_owned(), |at| format!("since {}", audit::time(at)));
            Line::Out(format!("{name}: {since}"))
        };
        if ground.say(line).await.is_err() {
            break;
        }
    }
    0
}

/// What is said of an operator who was let go. The rows of the policy table that name him stay, and
/// would be the next one's of his name.
fn farewell(model: &Model, name: &str, is_json: bool) -> Line {
    let rows = model.tables().rows(POLICY).filter(|(_, row)| row.cell("name") == Some(name));
    let rows: Vec<&str> = rows.map(|(key, _)| key.as_str()).collect();
    if is_json {
        return Line::Record(json!({ "name": name, "policy": rows }));
    }
    let left = match rows.as_slice() {
        [] => String::new(),
        rows => format!(
            "\nThe policy table still names {name}, for who is called so next: rmdef -t policy {}",
            rows.join(",")
        ),
    };
    Line::Out(format!("{name} is no operator any more; his links are cut.{left}"))
}

/// His link is cut when the change is published: the listener looks at each new revision.
async fn remove(ground: &Ground, name: String) -> u8 {
    let (let_go, model) = (name.clone(), ground.model());
    let removed = ground
        .step("operator rm", move |model| {
            if !token::is_known(model, Kind::Operator, &name) {
                let refusal = Refusal::new("is no operator").about(&name);
                return Err(vec![refusal.attempt("mn operator list, to see them all")]);
            }
            let mut draft = Draft::new(model);
            token::remove(&mut draft, Kind::Operator, &name);
            Ok((draft.finish(), ()))
        })
        .await;
    match removed {
        Err(error) => ground.fault(&error).await,
        Ok(done) => match done.value {
            Err(refusals) => ground.refuse(&refusals).await,
            Ok(()) => {
                // Done, whether or not anyone hears it.
                let _ = ground.say(farewell(&model, &let_go, ground.context.view.json)).await;
                0
            }
        },
    }
}
