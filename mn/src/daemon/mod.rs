//! The daemon: `mn init` makes its folder, `mn serve` lives in it.
//!
//! ```text
//! DIR/authority     the certificate authority and the key that signs slices
//! DIR/store/        rows, journal, numbers (`store`)
//! DIR/tree/         the files that service nodes serve (`content`)
//! DIR/log/          the nodes' log lines (`logs`)
//! DIR/audit/        who gave which command (`audit`)
//! DIR/mn.sock       where operators' commands arrive (`serve`)
//! DIR/mn.toml       what an administrator has set; need not be there
//! DIR/lock          held by the one process that lives here
//! ```

mod config;
mod fresh;
mod init;
mod memory;

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::report::{Refusal, chain};
use mn_core::change::ownership;
use mn_core::model::Model;
use mn_core::table::Edit;
use runtime::disk::{DirError, DirLock};
use runtime::link::LinkError;
use runtime::link::authority::{Authority, AuthorityError};
use runtime::link::endpoint::Listener;
use runtime::supervise::{SuperviseError, Supervisor};
use tracing::{info, warn};

pub use self::config::{Config, ConfigError};
pub use self::init::{InitError, InitOptions, Made, init};
use crate::ground::Site;
use crate::operate::makehosts;
use crate::operate::snmove::{self, Mover};
use crate::push::{Doors, Hub, Reports};
use crate::serve::Desk;
use crate::store::{StoreError, book};
use crate::{audit, content, door, logs, past, serve, token};

/// What `mn serve` may be told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServeOptions {
    /// Where to listen, in the place of what the configuration says.
    pub listen: Option<SocketAddr>,
    /// The configuration, in the place of `DIR/mn.toml`.
    pub config: Option<PathBuf>,
}

/// Why the daemon does not serve, or serves no more.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// There is no management node in the folder.
    #[error("{} is no management node", .0.display())]
    NotMade(PathBuf),
    /// The folder is another's.
    #[error(transparent)]
    Dir(#[from] DirError),
    /// The configuration is refused.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The authority cannot be read.
    #[error("the authority cannot be used")]
    Authority(#[source] AuthorityError),
    /// The store cannot be opened.
    #[error("the store cannot be opened")]
    Store(#[source] StoreError),
    /// The log lines cannot be opened.
    #[error("the nodes' log lines cannot be opened")]
    Logs(#[source] io::Error),
    /// The audit log cannot be opened.
    #[error("the audit log cannot be opened")]
    Audit(#[source] io::Error),
    /// The QUIC port cannot be had.
    #[error("cannot listen on {address}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why not.
        #[source]
        source: LinkError,
    },
    /// The unix socket cannot be had.
    #[error("cannot make the socket of operators' commands")]
    Socket(#[source] io::Error),
    /// The runtime cannot be started.
    #[error("cannot start the runtime")]
    Runtime(#[source] io::Error),
    /// A part of the daemon ended.
    #[error(transparent)]
    Part(#[from] SuperviseError),
}

impl ServeError {
    /// The text for a person.
    pub fn refusal(&self) -> Refusal {
        let refusal = Refusal::new(self.to_string());
        let refusal = match std::error::Error::source(self) {
            Some(cause) => refusal.because(chain(cause)),
            None => refusal,
        };
        match self {
            Self::Store(error) if error.is_full() => {
                refusal.attempt("free some space on the disk of the folder, then start it again")
            }
            Self::NotMade(dir) => refusal.attempt(format!("mn init --dir {}", dir.display())),
            Self::Listen { .. } => {
                refusal.attempt("mn serve --listen ADDRESS:PORT, or stop who has the port")
            }
            _ => refusal,
        }
    }
}

/// Where the store is.
pub(crate) fn store_dir(dir: &Path) -> PathBuf {
    dir.join("store")
}

/// Where the files are that service nodes serve.
pub(crate) fn tree_dir(dir: &Path) -> PathBuf {
    dir.join("tree")
}

/// Checks a configuration file.
///
/// # Errors
/// With all its mistakes.
pub fn check_config(path: &Path) -> Result<Config, ConfigError> {
    Config::load(path)
}

/// Runs the daemon of `dir` until it is asked to end.
///
/// # Errors
/// When it cannot start, or a part of it failed.
pub fn serve(dir: &Path, options: &ServeOptions) -> Result<(), ServeError> {
    /// Below the pieces in which rows lie, of 64 KiB.
    const LARGE: i32 = 48 << 10;
    sys::share_arenas();
    sys::keep_large_apart(LARGE);
    let config = configure(dir, options)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("mn")
        .build()
        .map_err(ServeError::Runtime)?;
    runtime.block_on(run(dir, &config, runtime::signal::stop_signal(), |_| ()))
}

fn configure(dir: &Path, options: &ServeOptions) -> Result<Config, ServeError> {
    if !store_dir(dir).exists() {
        return Err(ServeError::NotMade(dir.to_owned()));
    }
    let mut config = match &options.config {
        Some(path) => Config::load(path)?,
        None => Config::of_dir(dir)?,
    };
    if let Some(listen) = options.listen {
        config.listen = listen;
    }
    Ok(config)
}

/// Runs the daemon until `stop`; tells `ready` the address of its QUIC port once it serves.
///
/// # Errors
/// As [`serve()`].
pub async fn run(
    dir: &Path,
    config: &Config,
    stop: impl Future<Output = ()>,
    ready: impl FnOnce(SocketAddr),
) -> Result<(), ServeError> {
    let _lock = DirLock::take(dir)?;
    let authority = Arc::new(Authority::load(dir).map_err(ServeError::Authority)?);
    let identity = authority.own_identity().map_err(ServeError::Authority)?;
    let (book, writer, numbers) = book::open(&store_dir(dir), companions).map_err(ServeError::Store)?;
    info!(revision = %book.read().revision(), nodes = book.read().node_count(), "store opened and verified");
    let (logs, log_keeper) = logs::open(&dir.join("log")).map_err(ServeError::Logs)?;
    let (audit, audit_keeper) = audit::open(&audit::dir(dir), config.audit).map_err(ServeError::Audit)?;
    let (content, scanner) = content::new(tree_dir(dir), book.clone());
    let (hub, delivery) = Hub::new(book.clone(), Arc::clone(&authority), &numbers.generations);
    let refused = |source| ServeError::Listen { address: config.listen, source };
    let listener = Listener::bind(config.listen, &identity).map_err(refused)?;
    let address = listener.local_addr().unwrap_or(config.listen);
    let socket = serve::bind(dir).map_err(ServeError::Socket)?;
    let site = Site {
        book: book.clone(),
        delivery: delivery.clone(),
        audit,
        states: crate::store::States::default(),
        content: content.clone(),
        wait: config.wait,
        fingerprint: authority.fingerprint(),
        listening: address,
        dir: dir.to_owned(),
        hosts_file: config.hosts_file.clone(),
    };
    match makehosts::finish_interrupted(dir) {
        Ok(true) => warn!("the hosts file was half written; it is whole again"),
        Ok(false) => {}
        Err(error) => warn!(%error, "the hosts file is half written; makehosts writes it again"),
    }
    let desk = Desk::new(site.clone());
    let reports = Reports::new(numbers.cursors);
    let doors =
        Doors { book: book.clone(), delivery, logs, content, reports, authority, audit: site.audit.clone() };

    let mut parts = Supervisor::new();
    let token = parts.stop_token();
    parts.spawn("writer", writer.run(token.child_token()));
    parts.spawn("hub", hub.run(token.child_token()));
    parts.spawn("logs", log_keeper.run(token.child_token()));
    parts.spawn("audit", audit_keeper.run(token.child_token()));
    parts.spawn("content", scanner.run(token.child_token()));
    parts.spawn("listener", door::listen(listener, doors, desk.clone(), token.child_token()));
    let mover = Mover { book: book.clone(), delivery: site.delivery.clone() };
    parts.spawn("moves", snmove::resume(mover, token.child_token()));
    parts.spawn("commands", serve::serve(socket, desk, token.child_token()));
    parts.spawn("history", past::keep(book.clone(), site.states.clone(), token.child_token()));
    parts.spawn("memory", memory::keep(token.child_token()));
    info!(%address, socket = %dir.join(crate::client::SOCKET).display(), revision = %book.read().revision(), "management node ready");
    ready(address);
    let ended = parts.run(stop).await;
    info!("management node stopped");
    Ok(ended?)
}

/// What changes along with any edits: the tokens of nodes that come and go, and the epochs of nodes
/// that get another owner.
fn companions(after: &Model, edits: &[Edit]) -> Vec<Edit> {
    let mut more = token::companions(after, edits);
    more.extend(ownership::new_epochs(after, edits));
    more
}
