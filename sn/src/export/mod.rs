//! NFS exports that follow the slice: the tree that they show, and the server that shows it.
//!
//! A change of the slice is applied in an order in which clients always find what they are told
//! of: files in, the server told, files out. What cannot be done now (content that is still being
//! fetched, a server that does not run yet) is tried again, and each try looks at the whole.
//!
//! Drover does not start an NFS server and is none. Which server is told is in the configuration;
//! by default whichever the host has.
//!
//! | file below the daemon's folder | what |
//! |---|---|
//! | `tree/` | the exported files; nobody else's are ever removed ([`tree`]) |
//! | `nfs/exports.conf` | NFS-Ganesha's exports |
//! | `nfs/ganesha.conf` | a complete main configuration, to start Ganesha with |
//! | `nfs/placed`, `nfs/kernel`, `nfs/untold` | what was done last, and what is still to be done |

mod apply;
mod server;
mod tree;

use std::sync::Arc;
use std::time::Duration;

use common::report::chain;
use runtime::backoff::Backoff;
use runtime::supervise::BoxError;
use sn_proto::export::View;
use tracing::{error, info};

use self::apply::{Applied, ApplyError};
use self::server::Server;
use crate::config::Config;
use crate::service::Host;

/// How often is looked whether another server runs than the one that was told.
const LOOK: Duration = Duration::from_secs(10);

/// Applies the newest view until the daemon stops.
///
/// # Errors
/// None today: what cannot be done is reported and tried again.
pub async fn run(mut host: Host<View>) -> Result<(), BoxError> {
    let mut backoff = Backoff::new(Duration::from_millis(250), Duration::from_secs(5), 2049);
    let mut said = String::new();
    loop {
        let view = Arc::clone(&host.view.borrow_and_update());
        let applied = apply::apply(&host.config, Arc::clone(&view)).await;
        say(&view, &applied, &mut said);
        let told = match applied {
            Ok(Applied { missing: 0, server }) => {
                backoff.reset();
                Some(server)
            }
            Ok(Applied { .. }) | Err(_) => None,
        };
        let again = async {
            match &told {
                Some(server) => another_server(&host.config, server).await,
                None => tokio::time::sleep(backoff.next()).await,
            }
        };
        tokio::select! {
            () = host.stop.cancelled() => return Ok(()),
            // No more views come when the daemon is ending.
            changed = host.view.changed() => match changed {
                Ok(()) => said.clear(),
                Err(_) => return Ok(()),
            },
            () = again => {}
        }
    }
}

/// Returns when another server runs than the one that was told: it may have to be told.
async fn another_server(config: &Config, told: &Server) {
    loop {
        tokio::time::sleep(LOOK).await;
        // Some small files of the proc file system: not worth a thread.
        if Server::find(&config.nfs, &config.dir.join("nfs")).ok().as_ref() != Some(told) {
            return;
        }
    }
}

/// Says in the log what became of a try, unless the one before was the same.
fn say(view: &View, applied: &Result<Applied, ApplyError>, said: &mut String) {
    let exports = view.exports.len();
    let text = match applied {
        Ok(Applied { missing, server }) => format!("{missing} {}", server.name()),
        Err(error) => chain(error),
    };
    if *said == text {
        return;
    }
    match applied {
        Ok(Applied { missing: 0, server }) => info!(exports, server = server.name(), "nfs exports applied"),
        Ok(Applied { missing, server }) => {
            let server = server.name();
            info!(
                exports,
                missing, server, "nfs exports applied in part: some files are still being fetched"
            );
        }
        Err(_) => error!(exports, error = text, "nfs exports could not be applied; trying again"),
    }
    *said = text;
}

#[cfg(test)]
mod tests;
