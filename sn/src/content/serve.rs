//! Giving content to agents.

use std::time::Duration;

use common::slice::Slice;
use common::wire::content::{Fetch, Fetched};
use runtime::link::LinkError;
use runtime::link::stream::FrameSender;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};

use super::{Content, named, path};

/// How long an agent's question waits for content that is still on its way here.
const PATIENCE: Duration = Duration::from_secs(20);

/// How much is read at a time.
const CHUNK: usize = 256 << 10;

impl Content {
    /// Answers a fetch of an agent: only what `slice` or a run names.
    ///
    /// # Errors
    /// When the agent is gone.
    pub async fn give(&self, slice: &Slice, fetch: Fetch, mut to: FrameSender) -> Result<(), LinkError> {
        let may = self.is_run(&fetch.hash) || named(slice).contains_key(&fetch.hash);
        let file = if may && self.wait_for(&fetch).await { self.open(&fetch).await } else { None };
        let Some((mut file, rest)) = file else {
            to.send(&Fetched::Absent).await?;
            to.finish();
            return Ok(());
        };
        to.send(&Fetched::Bytes(rest)).await?;
        let mut buffer = vec![0; CHUNK];
        let mut left = rest;
        while left > 0 {
            // A disk that fails half-way: the agent sees a stream that ends early, and asks again.
            let Ok(read @ 1..) = file.read(&mut buffer).await else { break };
            let take = usize::try_from(left).unwrap_or(usize::MAX).min(read);
            to.send_bytes(buffer.get(..take).unwrap_or_default()).await?;
            left -= take as u64;
        }
        to.finish();
        Ok(())
    }

    async fn wait_for(&self, fetch: &Fetch) -> bool {
        let mut changes = self.changes();
        let here = async {
            while !self.has(&fetch.hash) {
                if changes.changed().await.is_err() {
                    return;
                }
            }
        };
        tokio::time::timeout(PATIENCE, here).await.is_ok()
    }

    async fn open(&self, fetch: &Fetch) -> Option<(tokio::fs::File, u64)> {
        let mut file = tokio::fs::File::open(path(&self.dir, &fetch.hash)).await.ok()?;
        let rest = file.metadata().await.ok()?.len().checked_sub(fetch.offset)?;
        file.seek(std::io::SeekFrom::Start(fetch.offset)).await.ok()?;
        Some((file, rest))
    }
}
