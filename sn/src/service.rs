//! What every rack service is given and how it is run.
//!
//! A service is `pub async fn run(host: Host<View>) -> Result<(), BoxError>` in its own module. It
//! binds its sockets, says in the log which, serves from the newest view, and returns when
//! `host.stop` is cancelled. An error that only concerns one client never ends it.
//!
//! A view is built by `sn_proto::SERVICE::view::View::build(&Slice) -> Result<View, Vec<String>>`.
//! All views of a slice are built before any service sees one of them (`sn::slice`); a service
//! whose switch is off in the slice gets a view that answers nothing.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::config::Config;

/// What a service is given. Clones see the same views.
#[derive(Debug)]
pub struct Host<V> {
    /// What the administrator set.
    pub config: Arc<Config>,
    /// The newest view. `borrow_and_update` for a packet, `changed` to act on a switch.
    pub view: watch::Receiver<Arc<V>>,
    /// Cancelled when the daemon stops.
    pub stop: CancellationToken,
}

impl<V> Host<V> {
    /// The newest view.
    pub fn view(&self) -> Arc<V> {
        Arc::clone(&self.view.borrow())
    }

    /// Waits until the newest view is as wanted; says `false` when the daemon stops first.
    pub async fn until(&mut self, wanted: impl Fn(&V) -> bool) -> bool {
        tokio::select! {
            // The stop goes first: where both hold, nobody should begin to serve again.
            biased;
            () = self.stop.cancelled() => false,
            // No more views come when the daemon is ending.
            seen = self.view.wait_for(|view| wanted(view)) => seen.is_ok(),
        }
    }

    /// A folder of this service below the daemon's.
    pub fn folder(&self, name: &str) -> PathBuf {
        self.config.dir.join(name)
    }
}

// Not derived: a view need not be one that can be cloned.
impl<V> Clone for Host<V> {
    fn clone(&self) -> Self {
        Self { config: Arc::clone(&self.config), view: self.view.clone(), stop: self.stop.clone() }
    }
}
