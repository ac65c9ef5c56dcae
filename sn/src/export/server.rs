//! The NFS server of the host: which it is, and how it is told.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use runtime::disk;
use sn_proto::export::render::{KernelExport, Versions};
use tokio::process::Command;

use crate::config::NfsBackend;

/// Where NFS-Ganesha's process number usually stands, besides `DIR/nfs/ganesha.pid`.
const GANESHA_PIDS: [&str; 3] = ["/run/ganesha.pid", "/run/ganesha/ganesha.pid", "/run/ganesha.nfsd.pid"];
/// There while the kernel's server is loaded.
const KERNEL_SERVER: &str = "/proc/fs/nfsd/exports";
/// Where `exportfs` stands.
const EXPORTFS: [&str; 2] = ["/usr/sbin/exportfs", "/sbin/exportfs"];
/// How long one `exportfs` may take. It waits for name servers when a client is a name; ours are
/// addresses.
const EXPORTFS_TIMEOUT: Duration = Duration::from_secs(10);

/// Why a server could not be told.
#[derive(Debug, thiserror::Error)]
pub(super) enum ServerError {
    /// The file with the process number is not readable, or names no Ganesha.
    #[error("NFS-Ganesha does not run by {}; start it with `ganesha.nfsd -f {}/ganesha.conf -p {}`",
        pid_file.display(), nfs.display(), pid_file.display())]
    NoGanesha {
        /// The file.
        pid_file: PathBuf,
        /// The folder with its configuration.
        nfs: PathBuf,
    },
    /// It could not be signalled.
    #[error("cannot signal NFS-Ganesha, process {pid}; run both as the same user, or sn as root")]
    Signal {
        /// Its number.
        pid: i32,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// There is no kernel server, though the configuration wants it.
    #[error(
        "the kernel's NFS server is not here; load it (`systemctl start nfs-server`) and install nfs-kernel-server"
    )]
    NoKernelServer,
    /// `exportfs` could not be run.
    #[error("cannot run exportfs")]
    Run(#[source] io::Error),
    /// `exportfs` took too long.
    #[error("exportfs did not end within {} s", EXPORTFS_TIMEOUT.as_secs())]
    Slow,
    /// `exportfs` refused.
    #[error("exportfs refused {what}: {said}")]
    Refused {
        /// The export.
        what: String,
        /// What it printed.
        said: String,
    },
    /// The list of what the kernel was told cannot be kept.
    #[error("cannot keep the list of kernel exports in {}", path.display())]
    List {
        /// The list.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// The server that is to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Server {
    /// NFS-Ganesha, with its process number.
    Ganesha(i32),
    /// The kernel's, with the path of `exportfs`.
    Kernel(PathBuf),
    /// None.
    None,
}

impl Server {
    /// The server that the configuration means; `nfs` is the folder with Ganesha's files.
    pub(super) fn find(backend: &NfsBackend, nfs: &Path) -> Result<Self, ServerError> {
        match backend {
            NfsBackend::None => Ok(Self::None),
            NfsBackend::Ganesha { pid_file } => {
                let pid = ganesha(pid_file).map(Self::Ganesha);
                pid.ok_or_else(|| ServerError::NoGanesha { pid_file: pid_file.clone(), nfs: nfs.to_owned() })
            }
            NfsBackend::Kernel => kernel().map(Self::Kernel).ok_or(ServerError::NoKernelServer),
            NfsBackend::Detect => {
                let own = nfs.join("ganesha.pid");
                let mut pid_files = std::iter::once(own.as_path()).chain(GANESHA_PIDS.iter().map(Path::new));
                Ok(match (pid_files.find_map(ganesha), kernel()) {
                    (Some(pid), _) => Self::Ganesha(pid),
                    (None, Some(exportfs)) => Self::Kernel(exportfs),
                    (None, None) => Self::None,
                })
            }
        }
    }

    /// For the log.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Ganesha(pid) => format!("NFS-Ganesha, process {pid}"),
            Self::Kernel(_) => "the kernel's".to_owned(),
            Self::None => "none runs; the files are written".to_owned(),
        }
    }
}

/// The process number in the file, where that process is Ganesha: a stale number may be anyone's.
fn ganesha(pid_file: &Path) -> Option<i32> {
    let pid: i32 = fs::read_to_string(pid_file).ok()?.trim().parse().ok().filter(|pid| *pid > 1)?;
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    name.starts_with("ganesha").then_some(pid)
}

fn kernel() -> Option<PathBuf> {
    let exportfs = EXPORTFS.iter().map(Path::new).find(|path| path.exists())?;
    Path::new(KERNEL_SERVER).exists().then(|| exportfs.to_owned())
}

/// What Ganesha can serve here: with NFSv3 in its configuration and no rpcbind on the machine (in
/// the same network namespace) it does not start at all.
pub(super) fn versions() -> Versions {
    let rpcbind = SocketAddr::from((Ipv4Addr::LOCALHOST, 111));
    match TcpStream::connect_timeout(&rpcbind, Duration::from_millis(200)) {
        Ok(_) => Versions::ThreeAndFour,
        Err(_) => Versions::Four,
    }
}

/// Has Ganesha read its exports again.
pub(super) fn reload_ganesha(pid: i32) -> Result<(), ServerError> {
    kill(Pid::from_raw(pid), Signal::SIGHUP)
        .map_err(|errno| ServerError::Signal { pid, source: errno.into() })
}

/// Has the kernel's server export exactly `wanted` of what is ours; `list` remembers what is.
pub(super) async fn tell_kernel(
    exportfs: &Path,
    list: &Path,
    wanted: &[KernelExport],
) -> Result<(), ServerError> {
    let before: BTreeSet<String> = match fs::read_to_string(list) {
        Ok(text) => text.lines().map(str::to_owned).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeSet::new(),
        Err(source) => return Err(ServerError::List { path: list.to_owned(), source }),
    };
    let after: BTreeSet<String> = wanted.iter().map(|export| export.what.clone()).collect();
    // Written down before anything is exported, so that a crash leaves nothing that is forgotten.
    let keep = |exports: &BTreeSet<String>| {
        let text: String = exports.iter().map(|what| format!("{what}\n")).collect();
        disk::write_durably(list, text.as_bytes(), 0o600)
            .map_err(|source| ServerError::List { path: list.to_owned(), source })
    };
    keep(&before.union(&after).cloned().collect())?;
    for KernelExport { what, options } in wanted {
        exportfs_with(exportfs, &["-o", options, what]).await?;
    }
    for what in before.difference(&after) {
        match exportfs_with(exportfs, &["-u", what]).await {
            // It may be gone already: after a restart of the machine, nothing is exported.
            Ok(()) | Err(ServerError::Refused { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    keep(&after)
}

async fn exportfs_with(exportfs: &Path, arguments: &[&str]) -> Result<(), ServerError> {
    let run = Command::new(exportfs).args(arguments).kill_on_drop(true).output();
    let ended = tokio::time::timeout(EXPORTFS_TIMEOUT, run).await.map_err(|_| ServerError::Slow)?;
    let ended = ended.map_err(ServerError::Run)?;
    if ended.status.success() {
        return Ok(());
    }
    let what = arguments.last().copied().unwrap_or_default().to_owned();
    let said: String = String::from_utf8_lossy(&ended.stderr).trim().chars().take(400).collect();
    Err(ServerError::Refused { what, said })
}
