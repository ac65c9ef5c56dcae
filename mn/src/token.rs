//! Tokens and members: who may join, and who has.
//!
//! A token's secret stands in the `jointoken` table until it is used; a member's public key, as a
//! digest, in the `member` table. Every node has a token for its agent from the moment it is
//! defined, made in the same transaction ([`companions`]), since its service nodes hand it out in the
//! boot answer. A node that is removed takes its token, its membership and its agent's row with it.

use std::net::{IpAddr, SocketAddr};

use common::id::{Digest, NodeName};
use common::report::Refusal;
use common::slice::JoinSecret;
use common::wire::MN_PORT;
use common::wire::join::{Kind, Token};
use mn_core::command::TokenCreate;
use mn_core::draft::Draft;
use mn_core::member::{self, row_key};
use mn_core::model::Model;
use mn_core::table::schema::{AGENT, JOINTOKEN, MEMBER, NODELIST, SERVICENODE, SNADDRESS};
use mn_core::table::{Edit, Row, RowKey, TableId};

/// The group of the management node itself, as in xCAT; its node has no agent.
const MANAGEMENT_GROUP: &str = "__mgmtnode";

/// The secret of a token that was not used yet.
pub fn secret(model: &Model, kind: Kind, name: &str) -> Option<JoinSecret> {
    let row = model.tables().row(JOINTOKEN, row_key(kind, name).as_str())?;
    read_secret(row.cell("secret")?)
}

/// When a token was made, in seconds since 1970.
pub fn made(model: &Model, kind: Kind, name: &str) -> Option<u64> {
    model.tables().row(JOINTOKEN, row_key(kind, name).as_str())?.cell("made")?.parse().ok()
}

/// Whether somebody is a member, or may become one.
pub fn is_known(model: &Model, kind: Kind, name: &str) -> bool {
    let key = row_key(kind, name);
    [MEMBER, JOINTOKEN].into_iter().any(|table| model.tables().row(table, key.as_str()).is_some())
}

/// The operators: name, and when the certificate was given; nothing where a token waits.
pub fn operators(model: &Model) -> Vec<(String, Option<u64>)> {
    let word = member::word(Kind::Operator);
    let mut found: std::collections::BTreeMap<String, Option<u64>> = std::collections::BTreeMap::new();
    for table in [JOINTOKEN, MEMBER] {
        for (key, row) in model.tables().rows_under(table, word) {
            let name = key.parts().nth(1).unwrap_or_default().to_owned();
            let at = row.cell("certified").and_then(|at| at.parse().ok());
            let held = found.entry(name).or_default();
            *held = at.or(*held);
        }
    }
    found.into_iter().collect()
}

/// Lets a member go, with the token that may wait for it.
pub fn remove(draft: &mut Draft, kind: Kind, name: &str) {
    draft.remove_row(JOINTOKEN, &row_key(kind, name));
    draft.remove_row(MEMBER, &row_key(kind, name));
}

fn read_secret(text: &str) -> Option<JoinSecret> {
    let mut bytes = [0; 16];
    if text.len() != 32 || !text.is_ascii() {
        return None;
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(JoinSecret(bytes))
}

fn write_secret(secret: &JoinSecret) -> String {
    use std::fmt::Write as _;
    secret.0.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Puts a fresh secret in the place of a token's old one, and gives it.
pub fn put_secret(draft: &mut Draft, kind: Kind, name: &str, now: u64) {
    draft.put_row(JOINTOKEN, &row_key(kind, name), token_row(kind, name, now));
}

fn token_row(kind: Kind, name: &str, now: u64) -> Row {
    let secret = write_secret(&runtime::link::authority::random_secret());
    Row::new()
        .with("kind", member::word(kind))
        .with("name", name)
        .with("secret", &secret)
        .with("made", &now.to_string())
}

/// Takes a token away: it was used.
pub fn spend(draft: &mut Draft, kind: Kind, name: &str) {
    draft.remove_row(JOINTOKEN, &row_key(kind, name));
}

/// Makes a member of who holds this key, in place of who had the name before.
pub fn put_member(draft: &mut Draft, kind: Kind, name: &str, public_key: Digest, now: u64) {
    let row = Row::new()
        .with("kind", member::word(kind))
        .with("name", name)
        .with("key", &public_key.to_string())
        .with("certified", &now.to_string());
    draft.put_row(MEMBER, &row_key(kind, name), row);
}

/// What changes along with edits of `nodelist`: a new node gets a token for its agent, one that
/// goes takes its token, its memberships and what its agent said along.
///
/// `after` is the model with the edits applied.
pub fn companions(after: &Model, edits: &[Edit]) -> Vec<Edit> {
    let mut more = Vec::new();
    for edit in edits.iter().filter(|edit| edit.table == NODELIST) {
        let name = edit.key.as_str();
        let token = row_key(Kind::Agent, name);
        match (&edit.before, &edit.after) {
            (None, Some(row))
                if !is_management_node(row) && after.tables().row(JOINTOKEN, token.as_str()).is_none() =>
            {
                let row = token_row(Kind::Agent, name, runtime::clock::unix_seconds());
                more.push(Edit { table: JOINTOKEN, key: token, before: None, after: Some(row) });
            }
            (Some(_), None) => {
                let service = row_key(Kind::ServiceNode, name);
                let rows = [
                    (JOINTOKEN, token.clone()),
                    (MEMBER, token),
                    (JOINTOKEN, service.clone()),
                    (MEMBER, service),
                    (AGENT, RowKey::one(name)),
                ];
                more.extend(rows.into_iter().filter_map(|(table, key)| removal(after, table, key)));
                let addresses = after.tables().rows_under(SNADDRESS, name);
                more.extend(addresses.filter_map(|(key, _)| removal(after, SNADDRESS, key.clone())));
            }
            _ => {}
        }
    }
    more
}

fn removal(model: &Model, table: TableId, key: RowKey) -> Option<Edit> {
    let before = model.tables().row(table, key.as_str())?.clone();
    Some(Edit { table, key, before: Some(before), after: None })
}

fn is_management_node(row: &Row) -> bool {
    row.cell("groups").is_some_and(|groups| groups.split(',').any(|group| group.trim() == MANAGEMENT_GROUP))
}

/// Plans a token for a service node; gives the name and the addresses that the token will carry.
///
/// # Errors
/// When there is no such service node and it is not to be defined, or nothing says where the
/// management node is.
pub fn plan_create(
    draft: &mut Draft,
    args: &TokenCreate,
    own: &[SocketAddr],
    now: u64,
) -> Result<Token, Refusal> {
    let name: NodeName = args.name.parse().map_err(|error: common::id::NameError| {
        Refusal::new(error.to_string()).about(args.name.chars().take(80).collect::<String>())
    })?;
    if args.operator {
        return operator(draft, name, args, own, now);
    }
    if args.define {
        define(draft, &name);
    } else if !draft.model().is_service_node(name.as_str()) {
        let what =
            if draft.model().has_node(name.as_str()) { "is no service node" } else { "is not defined" };
        return Err(Refusal::new(format!("{what}, so it gets no token")).about(&name).attempt(format!(
            "mn token create {name} --define, or mkdef {name} groups=service setupdhcp=1 setuptftp=1 setupnameserver=1"
        )));
    }
    let addresses = addresses(&args.addresses, own)?;
    put_secret(draft, Kind::ServiceNode, name.as_str(), now);
    // Read back, so that the token says what the table says.
    let secret = secret(draft.model(), Kind::ServiceNode, name.as_str())
        .ok_or_else(|| Refusal::new("the token could not be kept, by a bug of ours").about(&name))?;
    Ok(Token { kind: Kind::ServiceNode, name, addresses, authority: [0; 32], secret })
}

/// A token for an operator. He gets nothing by it but a name: what that may do, the policy says.
fn operator(
    draft: &mut Draft,
    name: NodeName,
    args: &TokenCreate,
    own: &[SocketAddr],
    now: u64,
) -> Result<Token, Refusal> {
    if args.define {
        return Err(Refusal::new("an operator is not defined").attempt("leave out --define"));
    }
    let addresses = addresses(&args.addresses, own)?;
    put_secret(draft, Kind::Operator, name.as_str(), now);
    let secret = secret(draft.model(), Kind::Operator, name.as_str())
        .ok_or_else(|| Refusal::new("the token could not be kept, by a bug of ours").about(&name))?;
    Ok(Token { kind: Kind::Operator, name, addresses, authority: [0; 32], secret })
}

/// Defines a service node where it is missing: every service but consoles, which are not there yet.
fn define(draft: &mut Draft, name: &NodeName) {
    let key = RowKey::one(name.as_str());
    if !draft.model().has_node(name.as_str()) {
        draft.put_row(NODELIST, &key, Row::new().with("node", name.as_str()).with("groups", "service,all"));
    }
    if !draft.model().is_service_node(name.as_str()) {
        let services = ["nameserver", "dhcpserver", "tftpserver", "nfsserver", "monserver", "ntpserver"];
        for service in services {
            draft.set(SERVICENODE, &key, service, "1");
        }
    }
}

fn addresses(asked: &[String], own: &[SocketAddr]) -> Result<Vec<SocketAddr>, Refusal> {
    let found = asked
        .iter()
        .map(|text| {
            let whole = text.parse::<SocketAddr>().ok();
            whole
                .or_else(|| text.parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, port(own))))
                .ok_or_else(|| Refusal::new("is no address").about(text).attempt("--address 10.0.0.1:7700"))
        })
        .collect::<Result<Vec<_>, _>>()?;
    let found = if found.is_empty() { own.to_vec() } else { found };
    if found.is_empty() {
        return Err(Refusal::new("nothing says where the service node finds this management node")
            .because("site.master is empty, and the daemon listens on no address of its own")
            .attempt("mn token create NAME --address IP:PORT, or chdef -t site clustersite master=IP"));
    }
    Ok(found)
}

fn port(own: &[SocketAddr]) -> u16 {
    own.first().map_or(MN_PORT, SocketAddr::port)
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::id::Revision;
    use mn_core::table::Tables;

    fn model() -> Model {
        Model::new(Tables::new(), Revision::ZERO)
    }

    fn args(name: &str, define: bool) -> TokenCreate {
        TokenCreate { name: name.to_owned(), addresses: vec!["10.0.0.1".to_owned()], define, operator: false }
    }

    #[test]
    fn a_token_is_for_a_defined_service_node() {
        let mut draft = Draft::new(&model());
        let refusal = plan_create(&mut draft, &args("sn1", false), &[], 1).unwrap_err();
        assert!(refusal.attempt.as_deref().unwrap().contains("--define"), "{refusal}");
        let token = plan_create(&mut draft, &args("sn1", true), &[], 1).unwrap();
        assert_eq!(token.addresses, ["10.0.0.1:7700".parse().unwrap()]);
        assert_eq!(secret(draft.model(), Kind::ServiceNode, "sn1"), Some(token.secret));
        let refusal =
            plan_create(&mut draft, &TokenCreate { addresses: Vec::new(), ..args("sn1", false) }, &[], 1);
        assert!(refusal.unwrap_err().what.contains("where the service node finds"));
        assert!(plan_create(&mut draft, &args("a b", true), &[], 1).is_err());
    }

    #[test]
    fn a_node_comes_and_goes_with_its_token() {
        let key = RowKey::one("n1");
        let row = Row::new().with("node", "n1").with("groups", "all");
        let born = Edit { table: NODELIST, key, before: None, after: Some(row) };
        let mut model = model();
        model.apply(std::slice::from_ref(&born), Revision::new(1));
        let more = companions(&model, std::slice::from_ref(&born));
        model.apply(&more, Revision::new(1));
        assert!(secret(&model, Kind::Agent, "n1").is_some());
        let mut draft = Draft::new(&model);
        put_member(&mut draft, Kind::Agent, "n1", Digest::of(b"key"), 1);
        let mut model = draft.model().clone();
        assert_eq!(member::key(&model, Kind::Agent, "n1"), Some(Digest::of(b"key")));
        let dead = born.inverse();
        model.apply(std::slice::from_ref(&dead), Revision::new(2));
        let more = companions(&model, &[dead]);
        model.apply(&more, Revision::new(2));
        assert_eq!(member::key(&model, Kind::Agent, "n1"), None);
        assert_eq!(secret(&model, Kind::Agent, "n1"), None);
    }

    #[test]
    fn a_damaged_secret_is_none() {
        for text in ["", "zz", &"é".repeat(16), &"g".repeat(32)] {
            assert_eq!(read_secret(text), None, "{text:?}");
        }
    }
}
