//! Files that an operator brings to nodes (`updatenode -F`).

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

use common::id::Digest;
use common::wire::work::{Receipt, StepOutcome, SyncFile};

use super::root::Found;
use super::{Change, Host, StepError, failed, receipt};
use crate::content::Cache;

/// The permission bits that a file may get.
const MODE_BITS: u32 = 0o7777;

/// Makes the node have this file, with this content and these permission bits.
pub async fn bring(host: &Arc<Host>, cache: &Cache, file: &SyncFile) -> Receipt {
    let step = format!("sync {}", file.path);
    let outcome = match try_bring(host, cache, file).await {
        Ok(outcome) => outcome,
        Err(outcome) => outcome,
    };
    Receipt { step, outcome }
}

async fn try_bring(host: &Arc<Host>, cache: &Cache, file: &SyncFile) -> Result<StepOutcome, StepOutcome> {
    if is_there(host, file).await? {
        return Ok(StepOutcome::Kept);
    }
    let source = cache.get(file.hash, file.size).await.map_err(|error| failed(&error))?;
    let put = {
        let (host, file, source) = (Arc::clone(host), file.clone(), source.clone());
        blocking(move || put(&host, &file, &source)).await?
    };
    // It is on the node now; the copy in the cache is room on its disk, or in its memory.
    let _ = std::fs::remove_file(source);
    Ok(receipt("", put).outcome)
}

async fn is_there(host: &Arc<Host>, file: &SyncFile) -> Result<bool, StepOutcome> {
    let (host, file) = (Arc::clone(host), file.clone());
    let looked = blocking(move || looks_right(&host, &file)).await?;
    looked.map_err(|error| failed(&error))
}

/// Runs what reads or writes much on a thread where it may take its time.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, StepOutcome> {
    tokio::task::spawn_blocking(work).await.map_err(|error| failed(&error))
}

pub(super) fn looks_right(host: &Host, file: &SyncFile) -> Result<bool, StepError> {
    let place = host.root.file_or_link(Path::new(&file.path))?;
    let Found::File { file: mut found, mode } = place.look()? else { return Ok(false) };
    Ok(mode == file.mode & MODE_BITS && digest(&mut found).is_ok_and(|digest| digest == file.hash))
}

pub(super) fn put(host: &Host, file: &SyncFile, source: &Path) -> Result<Change, StepError> {
    let place = host.root.file_or_link(Path::new(&file.path))?;
    place.replace(file.mode & MODE_BITS, |into| io::copy(&mut File::open(source)?, into).map(drop))?;
    if looks_right(host, file)? {
        Ok(Change::Changed)
    } else {
        Err(StepError::NotAsWritten(file.path.clone().into()))
    }
}

fn digest(file: &mut File) -> io::Result<Digest> {
    let mut hasher = blake3::Hasher::new();
    io::copy(file, &mut hasher)?;
    Ok(Digest::from_bytes(*hasher.finalize().as_bytes()))
}
