//! `mn token create`: prints the token and nothing else, so that it can be piped.

use std::net::SocketAddr;

use common::wire::join::Token;
use mn_core::command::TokenCreate;
use mn_core::draft::Draft;
use mn_core::talk::Line;

use crate::ground::{Ground, Site};
use crate::token;

pub(super) async fn run(ground: &Ground, args: TokenCreate) -> u8 {
    let own = own_addresses(&ground.site);
    let planned = ground
        .step("token", move |model| {
            let mut draft = Draft::new(model);
            let token = token::plan_create(&mut draft, &args, &own, runtime::clock::unix_seconds())
                .map_err(|refusal| vec![refusal])?;
            Ok((draft.finish(), token))
        })
        .await;
    match planned {
        Err(error) => ground.fault(&error).await,
        Ok(done) => match done.value {
            Err(refusals) => ground.refuse(&refusals).await,
            Ok(token) => {
                let token = Token { authority: ground.site.fingerprint, ..token };
                let line = if ground.context.view.json {
                    Line::Record(
                        serde_json::json!({ "name": token.name.as_str(), "token": token.to_string() }),
                    )
                } else {
                    Line::Out(token.to_string())
                };
                // Who does not listen any more asks again and gets another.
                let _ = ground.say(line).await;
                0
            }
        },
    }
}

/// Where a service node finds us: where we listen, if that is one address, else the site's master.
fn own_addresses(site: &Site) -> Vec<SocketAddr> {
    if !site.listening.ip().is_unspecified() {
        return vec![site.listening];
    }
    let model = site.book.read();
    let master = model.site("master").map(|master| model.resolve(master)).unwrap_or_default();
    master.into_iter().map(|ip| SocketAddr::new(ip.into(), site.listening.port())).collect()
}
