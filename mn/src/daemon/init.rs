//! `mn init`: a folder with an authority, a store with a fresh site, and an empty tree of files.
//!
//! Nothing has to be edited before the first `mn serve`: what is not said is read from the host.
//! The store comes last and appears whole, so that a folder with a store is a management node, and
//! an attempt that was cut short can be repeated.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use common::id::{NameError, NodeName, Revision};
use common::report::{Refusal, chain};
use common::slice::Net;
use mn_core::draft::Draft;
use mn_core::model::Model;
use mn_core::table::Tables;
use runtime::disk::{DirError, DirLock};
use runtime::link::authority::{Authority, AuthorityError};

use super::fresh::{self, Fresh};
use crate::content;
use crate::host::{interfaces, user_name};
use crate::store::{Commit, Store, StoreError};

/// What may be said instead of read from the host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InitOptions {
    /// The management node's name; the host's where it is not said.
    pub name: Option<String>,
    /// Where service nodes reach it; the first is the site's master. The host's where it is not said.
    pub addresses: Vec<Ipv4Addr>,
    /// The domain of the nodes; the host's, else `cluster.local`.
    pub domain: Option<String>,
    /// The command as typed, for the history.
    pub words: Vec<String>,
}

/// What was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// The folder.
    pub dir: PathBuf,
    /// The management node's name.
    pub name: String,
    /// The domain of the nodes.
    pub domain: String,
    /// Where it is reached, if anything says so.
    pub master: Option<Ipv4Addr>,
    /// The networks that were found.
    pub networks: Vec<Net>,
    /// SHA-256 of the authority's certificate, in hexadecimal.
    pub fingerprint: String,
}

/// Why no management node was made.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// There is one already.
    #[error("{} is a management node already", .0.display())]
    Exists(PathBuf),
    /// Another daemon lives in the folder.
    #[error(transparent)]
    Dir(#[from] DirError),
    /// The name is none.
    #[error("the management node cannot have this name")]
    Name(#[source] NameError),
    /// The authority was not made.
    #[error("the authority was not made")]
    Authority(#[source] AuthorityError),
    /// The store was not made.
    #[error("the store was not made")]
    Store(#[source] StoreError),
    /// The disk refused.
    #[error("cannot {doing}")]
    Disk {
        /// What was being done.
        doing: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl InitError {
    /// The text for a person.
    pub fn refusal(&self) -> Refusal {
        let refusal = Refusal::new(self.to_string());
        let refusal = match std::error::Error::source(self) {
            Some(cause) => refusal.because(chain(cause)),
            None => refusal,
        };
        match self {
            Self::Exists(dir) => refusal.attempt(format!(
                "mn serve --dir {0}; or another --dir; or remove {0} if everything in it may be lost",
                dir.display()
            )),
            Self::Name(_) => refusal.attempt("mn init --name NAME"),
            _ => refusal,
        }
    }
}

/// Makes a management node in `dir`.
///
/// # Errors
/// When there is one already, or the disk refuses.
pub fn init(dir: &Path, options: &InitOptions) -> Result<Made, InitError> {
    let disk = |doing| move |source| InitError::Disk { doing, source };
    let fresh = look_around(options)?;
    let store = super::store_dir(dir);
    // Looked at before the lock too, which the daemon of a management node holds.
    if store.exists() {
        return Err(InitError::Exists(dir.to_owned()));
    }
    // Others may pass through to the socket and to nothing else: what is in it has modes of its own.
    runtime::disk::create_dir(dir, 0o711).map_err(disk("make the folder"))?;
    let _lock = DirLock::take(dir)?;
    if store.exists() {
        return Err(InitError::Exists(dir.to_owned()));
    }
    // One that an attempt left that was cut short is as good as new: nobody has seen it.
    let authority = match Authority::create(dir, &fresh.domain) {
        Err(AuthorityError::Exists { .. }) => Authority::load(dir),
        made => made,
    };
    let authority = authority.map_err(InitError::Authority)?;
    content::create_tree(&super::tree_dir(dir)).map_err(disk("make the tree of files"))?;
    let mut draft = Draft::new(&Model::new(Tables::new(), Revision::ZERO));
    fresh::fill(&mut draft, &fresh);
    let first = Commit {
        edits: draft.finish().edits().to_vec(),
        author: user_name(nix::unistd::geteuid()),
        at: runtime::clock::unix_seconds(),
        words: options.words.clone(),
        note: "a fresh site".to_owned(),
        cursor: None,
    };
    Store::create(&store, &first).map_err(InitError::Store)?;
    Ok(Made {
        dir: dir.to_owned(),
        name: fresh.name,
        domain: fresh.domain,
        master: fresh.master,
        networks: fresh.networks.iter().map(|found| found.address.trunc()).collect(),
        fingerprint: authority.fingerprint().iter().map(|byte| format!("{byte:02x}")).collect(),
    })
}

/// What the options say, and where they say nothing, the host.
fn look_around(options: &InitOptions) -> Result<Fresh, InitError> {
    let host = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok()).unwrap_or_default();
    let (short, behind) = host.split_once('.').unwrap_or((&host, ""));
    let name = options.name.clone().unwrap_or_else(|| {
        // A host whose name is no node's name needs one here all the same.
        if short.parse::<NodeName>().is_ok() { short.to_owned() } else { "mn".to_owned() }
    });
    name.parse::<NodeName>().map_err(InitError::Name)?;
    let resolv = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let domain = options.domain.clone().filter(|domain| !domain.is_empty());
    let domain = domain.or_else(|| Some(behind.to_owned()).filter(|domain| !domain.is_empty()));
    let networks = interfaces::found(&name)
        .map_err(|source| InitError::Disk { doing: "list the interfaces", source })?;
    let master = options.addresses.first().copied();
    Ok(Fresh {
        name,
        domain: domain.unwrap_or_else(|| "cluster.local".to_owned()).trim_matches('.').to_ascii_lowercase(),
        master: master.or_else(|| networks.first().map(|found| found.address.addr())),
        forwarders: forwarders(&resolv),
        timezone: timezone(),
        networks,
    })
}

/// The resolvers in a `resolv.conf` that others can reach too.
fn forwarders(resolv: &str) -> Vec<String> {
    let servers = resolv.lines().filter_map(|line| line.trim().strip_prefix("nameserver"));
    let servers = servers.filter_map(|rest| rest.trim().parse::<IpAddr>().ok());
    servers.filter(|address| !address.is_loopback()).map(|address| address.to_string()).collect()
}

/// The name of the host's time zone, where `/etc/localtime` says it.
fn timezone() -> String {
    let link = std::fs::read_link("/etc/localtime").unwrap_or_default();
    let text = link.to_string_lossy();
    text.split_once("zoneinfo/").map(|(_, zone)| zone.to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_management_node_is_made_once() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("mn");
        let options = InitOptions { name: Some("mn1".to_owned()), ..InitOptions::default() };
        let made = init(&dir, &options).unwrap();
        assert_eq!((made.name.as_str(), made.fingerprint.len()), ("mn1", 64));
        let error = init(&dir, &options).unwrap_err();
        assert!(matches!(error, InitError::Exists(_)));
        assert!(error.refusal().attempt.unwrap().contains("mn serve --dir"));
        let (_, loaded) = Store::open(&super::super::store_dir(&dir)).unwrap();
        assert_eq!(loaded.revision, Revision::new(1));
    }

    #[test]
    fn an_attempt_that_was_cut_short_can_be_repeated() {
        let folder = tempfile::tempdir().unwrap();
        Authority::create(folder.path(), "x").unwrap();
        init(folder.path(), &InitOptions::default()).unwrap();
    }

    #[test]
    fn a_resolver_on_this_host_is_no_forwarder() {
        let text =
            "# x\nnameserver 127.0.0.53\nnameserver 10.1.1.1\nsearch x\n nameserver fd00::1\nnameserver x\n";
        assert_eq!(forwarders(text), ["10.1.1.1", "fd00::1"]);
    }
}
