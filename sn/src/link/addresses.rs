//! Where the management node is: `DIR/mn.addresses`, one `ADDRESS:PORT` a line, best first.
//!
//! Written by `sn join` from the token; an administrator may edit it when the management node has
//! moved. It is read at each attempt, so no restart is needed.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// The most addresses that are tried.
const MOST: usize = 16;

/// Why it is not known where the management node is.
#[derive(Debug, thiserror::Error)]
pub enum AddressError {
    /// The file cannot be read.
    #[error("{} cannot be read; join again, or write the management node's ADDRESS:PORT into it", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A line is no address.
    #[error("{}: {line:?} is not ADDRESS:PORT, such as 10.0.0.1:7700", .path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// What stands there.
        line: String,
    },
    /// There is none in it.
    #[error("{} names no address", .path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
}

fn file(dir: &Path) -> PathBuf {
    dir.join("mn.addresses")
}

/// Where the management node is.
///
/// # Errors
/// When the file cannot be read, or a line of it is no address.
pub fn read(dir: &Path) -> Result<Vec<SocketAddr>, AddressError> {
    let path = file(dir);
    let text =
        std::fs::read_to_string(&path).map_err(|source| AddressError::Read { path: path.clone(), source })?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let parsed: Result<Vec<SocketAddr>, _> = lines
        .take(MOST)
        .map(|line| {
            let shown = line.chars().take(80).collect();
            line.parse().map_err(|_| AddressError::Line { path: path.clone(), line: shown })
        })
        .collect();
    let addresses = parsed?;
    if addresses.is_empty() { Err(AddressError::Empty { path }) } else { Ok(addresses) }
}

/// Keeps where the management node is.
///
/// # Errors
/// When the file cannot be written.
pub fn write(dir: &Path, addresses: &[SocketAddr]) -> io::Result<()> {
    let mut text = String::from("# Where the management node is, best first.\n");
    for address in addresses {
        text.push_str(&format!("{address}\n"));
    }
    runtime::disk::write_durably(&file(dir), text.as_bytes(), 0o644)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_they_were_written_and_a_bad_line_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let want: Vec<SocketAddr> = vec!["10.0.0.1:7700".parse().unwrap(), "[::1]:7700".parse().unwrap()];
        write(dir.path(), &want).unwrap();
        assert_eq!(read(dir.path()).unwrap(), want);
        std::fs::write(file(dir.path()), "10.0.0.1\n").unwrap();
        assert!(read(dir.path()).unwrap_err().to_string().contains("10.0.0.1:7700"));
        std::fs::write(file(dir.path()), "# none\n").unwrap();
        assert!(matches!(read(dir.path()), Err(AddressError::Empty { .. })));
    }
}
