//! The daemon: everything put together, started in order, and stopped.
//!
//! Start: lock the folder, load the identity, open the store, build the views of the slice on disk.
//! Then all parts run at once. The services bind and answer what a backup may; for the nodes that
//! this service node owns they wait until the pool or the management node has said what was lost
//! meanwhile, at most [`Config::pool_wait`].

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use common::id::{NodeName, SnName};
use common::report::Refusal;
use runtime::backoff::Backoff;
use runtime::disk::{DirError, DirLock};
use runtime::link::LinkError;
use runtime::link::authority::random_u64;
use runtime::link::identity::{Identity, IdentityError, Role};
use runtime::supervise::{BoxError, SuperviseError, Supervisor};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::agents::{self, Agents};
use crate::config::Config;
use crate::content::{Content, Fetcher};
use crate::link::{Parts, Uplink};
use crate::peers::Peers;
use crate::service::Host;
use crate::slice::keeper::{Handle, Keeper};
use crate::slice::reports::{self, Reports};
use crate::slice::store::{Loaded, Owner, Store, StoreError};
use crate::slice::views::Views;
use crate::status::Status;
use crate::syslog::{Spool, SpoolError};
use crate::{dhcp, dns, export, http, ntp, syslog, tftp};

/// Why the daemon does not run, or does not run any more.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// There is no identity yet.
    #[error("{} is not the folder of a service node that has joined", .0.display())]
    NotJoined(PathBuf),
    /// The identity is not a service node's.
    #[error("the identity in {} is the one of {role}, not of a service node", .dir.display())]
    WrongRole {
        /// The folder.
        dir: PathBuf,
        /// Whose it is.
        role: Role,
    },
    /// Another daemon lives in the folder, or it cannot be locked.
    #[error(transparent)]
    Dir(#[from] DirError),
    /// The identity cannot be read.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The log spool cannot be used.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// The port for agents cannot be opened.
    #[error("cannot listen for agents")]
    Listen(#[source] LinkError),
    /// Links cannot be set up.
    #[error(transparent)]
    Link(LinkError),
    /// A part of it ended.
    #[error(transparent)]
    Supervise(#[from] SuperviseError),
}

impl DaemonError {
    /// The text for the person who started it.
    pub fn refusal(&self) -> Refusal {
        let refusal = Refusal::new(common::report::chain(self));
        match self {
            Self::NotJoined(dir) => refusal.attempt(format!(
                "run `mn token create NAME` on the management node, then `sn join TOKEN --dir {}` here",
                dir.display()
            )),
            Self::WrongRole { .. } => refusal.attempt("name the service node's own folder with --dir"),
            Self::Listen(_) => refusal.attempt("stop what has the port, or choose another with --agent-port"),
            _ => refusal,
        }
    }
}

/// The identity in the folder, and the name in it.
///
/// # Errors
/// When there is none, or it is not a service node's.
pub fn identity(config: &Config) -> Result<(Identity, SnName), DaemonError> {
    let dir = &config.dir;
    if !Identity::exists(dir) {
        return Err(DaemonError::NotJoined(dir.clone()));
    }
    let identity = Identity::load(dir)?;
    match identity.role().clone() {
        Role::ServiceNode(sn) => Ok((identity, sn)),
        role => Err(DaemonError::WrongRole { dir: dir.clone(), role }),
    }
}

/// Serves until `stop` returns.
///
/// # Errors
/// When it cannot start, or a part of it ends that should not.
pub async fn serve(config: Config, stop: impl Future<Output = ()>) -> Result<(), DaemonError> {
    let began = runtime::clock::now();
    let dir = config.dir.clone();
    let (identity, sn) = identity(&config)?;
    let _lock = DirLock::take(&dir)?;
    let Disk { store, loaded, reports, report_writer, logs } = Disk::open(&dir, &identity, &sn)?;
    let generation = loaded.held.as_ref().map(|held| held.stamp.generation.value());

    let mut supervisor = Supervisor::new();
    let stopped = supervisor.stop_token();
    let (keeper, handle, views) =
        Keeper::new(&identity, sn.clone(), store, loaded, !config.pool_wait.is_zero());
    let config = Arc::new(config);
    let door = (config.bind, config.ports.agent).into();
    let listener = agents::listen(door, &identity).map_err(DaemonError::Listen)?;
    let content = Content::new(&dir);
    let (upstream, uplink) = Uplink::new();
    let peers =
        Peers::new(&identity, config.bind, handle.clone(), stopped.clone()).map_err(DaemonError::Link)?;
    let agents = Agents::new(
        agents::Parts {
            serving: handle.serving(),
            reports: reports.clone(),
            upstream: upstream.clone(),
            content: content.clone(),
        },
        stopped.clone(),
    );
    let status = Status {
        file: dir.join("status.json"),
        sn: sn.clone(),
        serving: handle.serving(),
        link: upstream.link(),
        agents: agents.clone(),
    };
    let fetcher = Fetcher::new(content.clone(), handle.serving(), upstream.link());
    let parts = Parts {
        config: Arc::clone(&config),
        identity,
        keeper: handle.clone(),
        reports,
        logs: Arc::clone(&logs),
        content,
        agents: agents.clone(),
        peers: peers.clone(),
    };
    supervisor.spawn("keeper", keeper.run(stopped.clone()));
    supervisor.spawn("reports", report_writer.run(stopped.clone()));
    services(&mut supervisor, &config, &views, logs);
    supervisor.spawn("agents", agents.run(listener, peers.clone(), stopped.clone()));
    supervisor.spawn("peers", peers.clone().run(stopped.clone()));
    supervisor.spawn("content", fetcher.run(stopped.clone()));
    supervisor.spawn("status", status.run(stopped.clone()));
    supervisor.spawn("link", uplink.run(parts, stopped.clone()));
    supervisor.spawn("start", begin(handle, peers, config.pool_wait, stopped));
    let elapsed_ms = runtime::clock::now().since(began).as_millis();
    tracing::info!(%sn, generation, dir = %dir.display(), elapsed_ms, "service node ready");
    supervisor.run(stop).await?;
    tracing::info!(%sn, "stopped");
    Ok(())
}

/// What is on disk.
struct Disk {
    store: Arc<Store>,
    loaded: Loaded,
    reports: Reports,
    report_writer: reports::Writer,
    logs: Arc<Spool>,
}

impl Disk {
    fn open(dir: &Path, identity: &Identity, sn: &SnName) -> Result<Self, DaemonError> {
        let verify = |stamp: &_, signature: &[u8]| identity.verify_stamp(stamp, signature);
        let (store, loaded) = Store::open(&dir.join("store"), &Owner { sn, verify: &verify })?;
        let store = Arc::new(store);
        let (reports, report_writer) = Reports::open(Arc::clone(&store), random_u64())?;
        let spool = dir.join(syslog::FOLDER).join(syslog::SPOOL_FOLDER);
        let logs = Arc::new(Spool::open(&spool, NodeName::from(sn))?);
        Ok(Self { store, loaded, reports, report_writer, logs })
    }
}

/// Starts every service on its view.
fn services(supervisor: &mut Supervisor, config: &Arc<Config>, views: &Views, logs: Arc<Spool>) {
    let stop = supervisor.stop_token();
    let mut start = Starter { supervisor, config, stop };
    start.service("dhcp", &views.dhcp, dhcp::run);
    start.service("tftp", &views.tftp, tftp::run);
    start.service("http", &views.http, http::run);
    start.service("dns", &views.dns, dns::run);
    start.service("ntp", &views.ntp, ntp::run);
    start.service("syslog", &views.syslog, move |host| syslog::run(host, Arc::clone(&logs)));
    start.service("nfs", &views.nfs, export::run);
}

struct Starter<'a> {
    supervisor: &'a mut Supervisor,
    config: &'a Arc<Config>,
    stop: CancellationToken,
}

impl Starter<'_> {
    /// Runs a service for as long as the daemon. One that fails, such as on a port that is taken, is
    /// tried again and takes no other with it.
    fn service<V, F, R>(&mut self, name: &'static str, view: &watch::Sender<Arc<V>>, run: F)
    where
        V: Send + Sync + 'static,
        F: Fn(Host<V>) -> R + Send + 'static,
        R: Future<Output = Result<(), BoxError>> + Send,
    {
        let (config, view, stop) = (Arc::clone(self.config), view.subscribe(), self.stop.clone());
        self.supervisor.spawn(name, async move {
            let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(30), random_u64());
            loop {
                let host = Host { config: Arc::clone(&config), view: view.clone(), stop: stop.clone() };
                let ended = run(host).await;
                if stop.is_cancelled() {
                    return Ok(());
                }
                let error = ended.err().map(|error| common::report::chain(error.as_ref()));
                let wait = backoff.next();
                tracing::error!(service = name, error, retry_ms = wait.as_millis(), "a service ended");
                if stop.run_until_cancelled(tokio::time::sleep(wait)).await.is_none() {
                    return Ok(());
                }
            }
        });
    }
}

/// Ends the hush of the start once the pool has spoken, or nobody does. The management node's word is
/// a push, which ends it in the keeper.
async fn begin(
    keeper: Handle,
    peers: Peers,
    wait: Duration,
    stop: CancellationToken,
) -> Result<(), BoxError> {
    let heard = async { tokio::time::timeout(wait, peers.all_heard()).await.is_ok() };
    if let Some(heard) = stop.run_until_cancelled(heard).await {
        keeper.speak(if heard { "the pool" } else { "nobody could say what was lost meanwhile" }).await;
        stop.cancelled().await;
    }
    Ok(())
}
