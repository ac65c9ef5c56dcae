//! Who is a member of the cluster: a service node, an agent or an operator with a certificate of its
//! authority. The tables `member` and `jointoken` name each by its kind and its name.

use common::id::{Digest, SnName};
use common::wire::join::Kind;

use crate::model::Model;
use crate::table::RowKey;
use crate::table::schema::MEMBER;

/// The word for a kind in the tables.
pub const fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::ServiceNode => "sn",
        Kind::Agent => "node",
        Kind::Operator => "operator",
    }
}

/// The key of somebody's rows.
pub fn row_key(kind: Kind, name: &str) -> RowKey {
    RowKey::of([word(kind), name])
}

/// The digest of a member's public key; none where there is no such member.
pub fn key(model: &Model, kind: Kind, name: &str) -> Option<Digest> {
    model.tables().row(MEMBER, row_key(kind, name).as_str())?.cell("key")?.parse().ok()
}

/// Whether a service node has been there once: it has a certificate of this authority.
pub fn has_joined(model: &Model, sn: &SnName) -> bool {
    key(model, Kind::ServiceNode, sn.as_str()).is_some()
}
