//! Who proves a token becomes a member: certificate, `member` row and spent token in one change.
//!
//! An unknown name, a spent token and a wrong secret get the same words, so that nobody learns names
//! here. A service node's token is gone after its use. An agent's is replaced by a fresh one, so that
//! the node's next boot can join again; its service nodes get it with their next slice.

use common::id::{Digest, NodeName, SnName};
use common::wire::PROTOCOL;
use common::wire::join::{JoinAnswer, Kind, RelayedJoin, proves};
use mn_core::draft::Draft;
use mn_core::model::Model;
use mn_core::{member, node};
use runtime::link::connection::Link;
use runtime::link::identity::Role;
use tracing::{debug, info};

use super::doors::Doors;
use crate::store::book::{By, Planned};
use crate::token;

/// How long a certificate lasts, in days. Membership ends with the `member` row, at once and
/// everywhere; the certificate's end is the second line. It is not renewed, which is a limit
/// (`docs/threat-model.md`): a service node joins again with a new token (`sn join --replace`) within
/// that time, and a node's agent does at each boot that has no disk to keep its identity on.
const DAYS: u32 = 3650;

/// The same for operators, whose program renews it when half of it is over.
const OPERATOR_DAYS: u32 = 14;

/// How long a token for an operator is good, in seconds: until the end of the next day's work.
const OPERATOR_TOKEN: u64 = 86_400;

/// What a stranger reads whose proof does not hold, whatever the reason.
const NO: &str = "this token is not known here, or was used already; \
                  ask for a new one (`mn token create NAME` for a service node, `mn token create --operator NAME` \
                  for an operator; an agent gets one at each boot)";

/// The longest public key that is looked at, in bytes; ours have 91.
const MAX_KEY: usize = 512;

/// Answers a stranger, who came here or through service node `via`.
pub(crate) async fn answer(doors: &Doors, join: &RelayedJoin, via: Option<&SnName>) -> JoinAnswer {
    match certify(doors, join, via).await {
        Ok(chain) => {
            info!(node = %join.request.name, kind = ?join.request.kind, via = ?via, "member joined");
            JoinAnswer::Welcome { chain, slice_key: doors.authority.slice_key() }
        }
        Err(No::Refused(why)) => {
            debug!(node = %join.request.name, kind = ?join.request.kind, via = ?via, why, "join was refused");
            JoinAnswer::Refused(why.to_owned())
        }
        Err(No::Later) => JoinAnswer::Later("the management node is stopping".to_owned()),
    }
}

enum No {
    Refused(&'static str),
    Later,
}

async fn certify(doors: &Doors, join: &RelayedJoin, via: Option<&SnName>) -> Result<Vec<Vec<u8>>, No> {
    let request = &join.request;
    if request.protocol == 0 || request.protocol > PROTOCOL {
        return Err(No::Refused(
            "it speaks a newer version of the protocol; update the management node first",
        ));
    }
    let role = match request.kind {
        Kind::ServiceNode if via.is_none() => Role::ServiceNode(SnName::from(&request.name)),
        Kind::Agent => Role::Agent(request.name.clone()),
        Kind::Operator if via.is_none() => Role::Operator(request.name.clone()),
        Kind::ServiceNode | Kind::Operator => return Err(No::Refused(NO)),
    };
    if request.public_key.len() > MAX_KEY || !holds(&doors.book.read(), join, via) {
        return Err(No::Refused(NO));
    }
    // Signed before anything is changed, so that a key that cannot be signed changes nothing.
    let chain = doors
        .authority
        .certify(&role, &request.public_key, days(request.kind))
        .map_err(|_| No::Refused("its public key is none that can be signed"))?;
    let (join, via) = (join.clone(), via.cloned());
    let words = vec!["join".to_owned(), member::word(request.kind).to_owned(), request.name.to_string()];
    let by = By { author: "mn".to_owned(), words, ..By::default() };
    let admitted = doors
        .book
        .change(by, move |model| {
            // Again, on the newest model: of two who show one token, one gets in.
            if !holds(model, &join, via.as_ref()) {
                return Planned::new(None, false);
            }
            let mut draft = Draft::new(model);
            admit(&mut draft, join.request.kind, &join.request.name, &join.request.public_key);
            Planned::new(Some(draft.finish()), true)
        })
        .await
        .map_err(|_| No::Later)?;
    if admitted.value { Ok(chain) } else { Err(No::Refused(NO)) }
}

/// Answers a member's wish for a certificate that lasts longer. It gets one for its own key and role
/// alone, as long as it is a member.
pub(crate) fn renew(doors: &Doors, link: &Link, public_key: &[u8]) -> JoinAnswer {
    let (kind, name) = match link.peer() {
        Role::Operator(name) => (Kind::Operator, name),
        _ => return JoinAnswer::Refused("this role's certificates are not renewed".to_owned()),
    };
    if public_key.len() > MAX_KEY || Digest::of(public_key) != link.peer_key() {
        return JoinAnswer::Refused("this is not the key of this link".to_owned());
    }
    if let Err(why) = doors.admits(link) {
        return JoinAnswer::Refused(why.to_owned());
    }
    match doors.authority.certify(link.peer(), public_key, days(kind)) {
        Ok(chain) => {
            info!(operator = %name, "certificate was renewed");
            JoinAnswer::Welcome { chain, slice_key: doors.authority.slice_key() }
        }
        Err(error) => JoinAnswer::Later(error.to_string()),
    }
}

const fn days(kind: Kind) -> u32 {
    match kind {
        Kind::Operator => OPERATOR_DAYS,
        Kind::ServiceNode | Kind::Agent => DAYS,
    }
}

/// Whether the proof holds against the stored secret.
fn holds(model: &Model, join: &RelayedJoin, via: Option<&SnName>) -> bool {
    let RelayedJoin { request, exported } = join;
    let Some(secret) = token::secret(model, request.kind, request.name.as_str()) else { return false };
    let made = token::made(model, request.kind, request.name.as_str()).unwrap_or_default();
    let age = runtime::clock::unix_seconds().saturating_sub(made);
    if request.kind == Kind::Operator && age > OPERATOR_TOKEN {
        return false;
    }
    let may_relay = via.is_none_or(|sn| serves(model, sn, &request.name));
    proves(&secret, exported, &request.public_key, &request.proof) && may_relay
}

/// Whether a service node is in a node's pool.
fn serves(model: &Model, sn: &SnName, node: &NodeName) -> bool {
    node::pool_of(model, node).contains(sn)
}

fn admit(draft: &mut Draft, kind: Kind, name: &NodeName, public_key: &[u8]) {
    token::put_member(draft, kind, name.as_str(), Digest::of(public_key), runtime::clock::unix_seconds());
    match kind {
        Kind::Agent => token::put_secret(draft, kind, name.as_str(), runtime::clock::unix_seconds()),
        Kind::ServiceNode | Kind::Operator => token::spend(draft, kind, name.as_str()),
    }
}
