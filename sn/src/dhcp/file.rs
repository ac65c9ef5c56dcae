//! The file with the strangers' leases: `DIR/dhcp/leases`, lines that are only appended.
//!
//! **Invariant**: what [`LeaseFile::append`] returned from without an error is on the disk.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use runtime::disk;
use sn_proto::dhcp::lease::Table;

/// How many lines more than leases the file may have before it is written anew.
const SLACK: usize = 10_000;
/// The largest file that is read: [`sn_proto::dhcp::lease::MOST`] leases of some 60 bytes, and the
/// slack. A larger one is not ours.
const LARGEST: u64 = 64 << 20;

/// The open file.
#[derive(Debug)]
pub(super) struct LeaseFile {
    path: PathBuf,
    file: Arc<File>,
    lines: usize,
    /// Whether the last line may be cut: the next one must not be glued to it.
    torn: bool,
}

impl LeaseFile {
    /// Opens or makes the file in `folder`, and reads it.
    pub(super) fn open(folder: &Path) -> io::Result<(Self, Table)> {
        let about = |error: io::Error| {
            io::Error::new(error.kind(), format!("lease file in {}: {error}", folder.display()))
        };
        disk::create_dir(folder, 0o700).map_err(about)?;
        let path = folder.join("leases");
        let bytes = match std::fs::metadata(&path) {
            Ok(found) if found.len() > LARGEST => {
                return Err(about(io::Error::other("it is too large to be one")));
            }
            Ok(_) => std::fs::read(&path).map_err(about)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(about(error)),
        };
        let text = String::from_utf8_lossy(&bytes);
        let (table, damaged) = Table::read(&text);
        if damaged > 0 {
            // One is what a power cut leaves; its client was not told yet.
            tracing::warn!(path = %path.display(), damaged, "lines of the lease file were left out");
        }
        // Written anew at each start: damaged lines go, and the file exists and is synced.
        disk::write_durably(&path, table.text().as_bytes(), 0o600).map_err(about)?;
        let file = Arc::new(OpenOptions::new().append(true).open(&path).map_err(about)?);
        Ok((Self { path, file, lines: table.len(), torn: false }, table))
    }

    /// Appends lines, and returns when they are on the disk.
    pub(super) async fn append(&mut self, lines: String, table: &Table) -> io::Result<()> {
        self.lines += lines.lines().count();
        if self.lines > table.len() + SLACK {
            return self.write_anew(table).await;
        }
        let file = Arc::clone(&self.file);
        let start = if self.torn { "\n" } else { "" };
        self.torn = true;
        blocking(move || {
            (&*file).write_all(format!("{start}{lines}").as_bytes())?;
            file.sync_data()
        })
        .await?;
        self.torn = false;
        Ok(())
    }

    /// The table holds the new leases already.
    async fn write_anew(&mut self, table: &Table) -> io::Result<()> {
        let (path, text) = (self.path.clone(), table.text());
        self.file = blocking(move || {
            disk::write_durably(&path, text.as_bytes(), 0o600)?;
            Ok(Arc::new(OpenOptions::new().append(true).open(&path)?))
        })
        .await?;
        self.lines = table.len();
        self.torn = false;
        Ok(())
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> String {
        // A line is checked, so it is made by the table itself.
        let (table, damaged) = Table::read(text);
        assert_eq!(damaged, 0);
        table.text()
    }

    #[tokio::test]
    async fn what_was_appended_is_there_after_a_restart_and_a_torn_line_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let lease = "lease 02:00:00:00:00:01 10.0.0.9 99";
        let line = format!("{lease} {}\n", common::id::Digest::of(lease.as_bytes()).short());
        let (mut file, table) = LeaseFile::open(folder.path()).unwrap();
        assert!(table.is_empty());
        file.append(lines(&line), &table).await.unwrap();
        drop(file);
        let path = folder.path().join("leases");
        let torn = format!("{line}lease 02:00:00:00:00:02 10.0.0.1");
        std::fs::write(&path, torn).unwrap();
        let (_file, table) = LeaseFile::open(folder.path()).unwrap();
        assert_eq!(table.text(), line);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), line);
    }

    #[tokio::test]
    async fn a_file_that_has_grown_far_beyond_its_leases_is_written_anew() {
        let folder = tempfile::tempdir().unwrap();
        let (mut file, _) = LeaseFile::open(folder.path()).unwrap();
        let lease = "lease 02:00:00:00:00:01 10.0.0.9 99";
        let line = format!("{lease} {}\n", common::id::Digest::of(lease.as_bytes()).short());
        let (table, _) = Table::read(&line);
        let size = |folder: &Path| std::fs::metadata(folder.join("leases")).unwrap().len();
        file.append(line.repeat(SLACK), &table).await.unwrap();
        assert!(size(folder.path()) > 100_000);
        for _ in 0..2 {
            file.append(line.clone(), &table).await.unwrap();
        }
        assert_eq!(size(folder.path()), line.len() as u64);
        file.append(line.clone(), &table).await.unwrap();
        assert_eq!(size(folder.path()), 2 * line.len() as u64);
    }
}
