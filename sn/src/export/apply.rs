//! One plan, applied as a whole.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use runtime::disk;
use sn_proto::export::render::{self, Folder, FolderError};
use sn_proto::export::{Plan, View};

use super::server::{self, Server, ServerError};
use super::tree::{Tree, TreeError};
use crate::config::Config;

/// Why a plan could not be applied.
#[derive(Debug, thiserror::Error)]
pub(super) enum ApplyError {
    /// The daemon's folder cannot stand in a server's configuration.
    #[error("NFS exports need another folder for the daemon's state (--dir)")]
    Folder(#[from] FolderError),
    /// The tree could not be made.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// The server could not be told.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// A file for the server could not be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The work on the files panicked.
    #[error("the work on the exported files broke off; this is a bug")]
    Panicked(#[source] tokio::task::JoinError),
}

/// What was done.
#[derive(Debug)]
pub(super) struct Applied {
    /// Files that are not in the tree yet, because their content is still being fetched.
    pub(super) missing: usize,
    /// Which server was told.
    pub(super) server: Server,
}

/// Brings tree and server to the plan.
pub(super) async fn apply(config: &Config, plan: Arc<View>) -> Result<Applied, ApplyError> {
    let (dir, bind) = (config.dir.clone(), config.bind);
    let wanted = Arc::clone(&plan);
    let (mut tree, folders, missing) = blocking(move || {
        let folders = Folders::new(&dir)?;
        disk::create_dir(&folders.nfs, 0o755)
            .map_err(|source| ApplyError::Write { path: folders.nfs.clone(), source })?;
        let mut tree = Tree::open(&dir)?;
        let missing = tree.place(&wanted)?;
        write_exports(&folders, &render::ganesha_exports(&wanted, &folders.tree_name))?;
        let main = render::ganesha_main(bind, server::versions(), &folders.nfs_name);
        write_main(&folders.nfs.join("ganesha.conf"), &main)?;
        Ok((tree, folders, missing))
    })
    .await?;
    let server = Server::find(&config.nfs, &folders.nfs)?;
    tell(&server, &folders, &plan).await?;
    blocking(move || Ok(tree.remove_gone(&plan)?)).await?;
    Ok(Applied { missing, server })
}

async fn tell(server: &Server, folders: &Folders, plan: &Plan) -> Result<(), ApplyError> {
    let untold = folders.nfs.join(UNTOLD);
    match server {
        // One that starts later reads the files by itself.
        Server::None => {}
        Server::Ganesha(pid) if untold.exists() => {
            server::reload_ganesha(*pid)?;
            fs::remove_file(&untold).map_err(|source| ApplyError::Write { path: untold, source })?;
        }
        Server::Ganesha(_) => {}
        Server::Kernel(exportfs) => {
            let wanted = render::kernel_exports(plan, &folders.tree_name);
            server::tell_kernel(exportfs, &folders.nfs.join("kernel"), &wanted).await?;
        }
    }
    Ok(())
}

/// There while Ganesha was not told of what stands in its file, whatever breaks off in between.
const UNTOLD: &str = "untold";

/// The folders, as paths and as names that may stand in a configuration.
struct Folders {
    nfs: PathBuf,
    nfs_name: Folder,
    tree_name: Folder,
}

impl Folders {
    fn new(dir: &Path) -> Result<Self, FolderError> {
        // A server is started somewhere else: it needs the whole path.
        let dir = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
        let name = |folder: &Path| Folder::new(&folder.to_string_lossy());
        let (nfs, tree) = (dir.join("nfs"), dir.join("tree"));
        Ok(Self { nfs_name: name(&nfs)?, tree_name: name(&tree)?, nfs })
    }
}

fn write_exports(folders: &Folders, text: &str) -> Result<(), ApplyError> {
    let path = folders.nfs.join("exports.conf");
    if !holds(&path, text) {
        let untold = folders.nfs.join(UNTOLD);
        fs::write(&untold, "").map_err(|source| ApplyError::Write { path: untold, source })?;
        write(&path, text)?;
    }
    Ok(())
}

/// Writes the main configuration, unless an administrator has made it their own.
fn write_main(path: &Path, text: &str) -> Result<(), ApplyError> {
    let is_ours = fs::read_to_string(path).map_or(true, |found| found.starts_with(render::MARK));
    if is_ours && !holds(path, text) {
        write(path, text)?;
    }
    Ok(())
}

fn holds(path: &Path, text: &str) -> bool {
    fs::read_to_string(path).is_ok_and(|found| found == text)
}

fn write(path: &Path, text: &str) -> Result<(), ApplyError> {
    disk::write_durably(path, text.as_bytes(), 0o644)
        .map_err(|source| ApplyError::Write { path: path.to_owned(), source })
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ApplyError> + Send + 'static,
) -> Result<T, ApplyError> {
    tokio::task::spawn_blocking(work).await.map_err(ApplyError::Panicked)?
}
