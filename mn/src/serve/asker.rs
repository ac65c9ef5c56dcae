//! Who gives a command, and from where.

use std::net::SocketAddr;

use mn_core::model::Model;
use mn_core::policy::Caller;
use nix::unistd::Uid;

use crate::host::user_name;

/// Whose folder it is.
#[derive(Clone, Debug)]
pub(super) struct Owner {
    pub(super) uid: Uid,
    pub(super) name: String,
}

/// Who gives a command.
#[derive(Clone, Debug)]
pub(crate) struct Asker {
    /// As the policy table sees him.
    pub(crate) caller: Caller,
    /// The machine, for the history.
    pub(crate) from: String,
    /// Whether he is on another machine.
    pub(crate) is_remote: bool,
}

impl Owner {
    /// Whether a user may do everything.
    pub(super) fn trusts(&self, uid: Uid) -> bool {
        uid.is_root() || uid == self.uid
    }
}

impl Asker {
    /// A user of this machine, whom the kernel names. Looks the user up, which may take its time but
    /// for root and the owner ([`Owner::trusts`]).
    pub(super) fn local(uid: Uid, owner: &Owner, server: &str) -> Self {
        let name = if uid == owner.uid { owner.name.clone() } else { user_name(uid) };
        let hosts = vec!["localhost".to_owned(), server.to_owned()];
        let caller = Caller { name: Some(name), hosts, trusted: owner.trusts(uid) };
        Self { caller, from: server.to_owned(), is_remote: false }
    }

    /// The bearer of an operator's certificate.
    pub(crate) fn remote(name: &str, address: SocketAddr, model: &Model) -> Self {
        let ip = address.ip().to_canonical();
        let mut hosts = vec![ip.to_string()];
        if let std::net::IpAddr::V4(ip) = ip {
            // What the definitions call it: a reverse look-up would believe whoever answers.
            hosts.extend(model.nodes_with_ip(ip).map(ToString::to_string));
        }
        let from = hosts.last().cloned().unwrap_or_default();
        let caller = Caller { name: Some(name.to_owned()), hosts, trusted: false };
        Self { caller, from, is_remote: true }
    }

    /// The name, for the history.
    pub(crate) fn name(&self) -> &str {
        self.caller.name.as_deref().unwrap_or_default()
    }

    /// The name, and where it is not this machine the machine. What stands behind the last `@` is
    /// always the machine: a name that has one itself is followed by this machine's.
    pub(crate) fn author(&self) -> String {
        let is_alone = !self.is_remote && !self.name().contains('@');
        if is_alone { self.name().to_owned() } else { format!("{}@{}", self.name(), self.from) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_and_the_owner_are_trusted_and_nobody_else() {
        let owner = Owner { uid: Uid::from_raw(1000), name: "ada".to_owned() };
        let asker = |uid| Asker::local(Uid::from_raw(uid), &owner, "mn1");
        assert!(asker(0).caller.trusted && asker(1000).caller.trusted);
        assert!(!asker(1001).caller.trusted);
        assert_eq!((asker(0).name(), asker(1000).name()), ("root", "ada"));
        assert_eq!(asker(0).caller.hosts, ["localhost", "mn1"]);
    }

    #[test]
    fn an_operator_elsewhere_is_trusted_with_nothing_and_named_with_his_machine() {
        let model = Model::new(mn_core::table::Tables::new(), common::id::Revision::ZERO);
        let asker = Asker::remote("root", "10.0.0.9:5000".parse().unwrap(), &model);
        assert!(!asker.caller.trusted);
        assert_eq!(asker.author(), "root@10.0.0.9");
        let caller = Caller { name: Some("bob@corp".to_owned()), ..Caller::default() };
        let bob = Asker { caller, from: "mn1".to_owned(), is_remote: false };
        assert_eq!(bob.author(), "bob@corp@mn1");
    }
}
