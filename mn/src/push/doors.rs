//! What a link may reach, and who may have one.

use std::sync::Arc;

use common::wire::join::Kind;
use mn_core::member;
use runtime::link::authority::Authority;
use runtime::link::connection::Link;
use runtime::link::identity::Role;

use super::Delivery;
use super::reports::Reports;
use crate::audit::Audit;
use crate::content::Content;
use crate::logs::Logs;
use crate::store::book::Book;

/// What is behind the doors: everything that a service node's link may reach.
#[derive(Clone, Debug)]
pub struct Doors {
    /// The model and its writer.
    pub book: Book,
    /// Who holds what.
    pub delivery: Delivery,
    /// The log lines of nodes.
    pub logs: Logs,
    /// The files that service nodes fetch.
    pub content: Content,
    /// The reports of nodes.
    pub reports: Reports,
    /// Who signs.
    pub authority: Arc<Authority>,
    /// Who was refused, and why.
    pub audit: Audit,
}

impl Doors {
    /// Whether a link's other end is a member still: its row is there, with its key.
    pub(crate) fn admits(&self, link: &Link) -> Result<(), &'static str> {
        let (kind, name) = match link.peer() {
            Role::ServiceNode(sn) => (Kind::ServiceNode, sn.as_str()),
            Role::Operator(name) => (Kind::Operator, name.as_str()),
            Role::Agent(_) => return Err("agents speak to their service node"),
            Role::ManagementNode => return Err("there is one management node here"),
        };
        let model = self.book.read();
        match member::key(&model, kind, name) {
            Some(key) if key == link.peer_key() => Ok(()),
            Some(_) => Err("another machine has joined under this name since; join again with a new token"),
            None => Err("this name is no member any more; join again with a new token"),
        }
    }
}
