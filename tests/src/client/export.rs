//! Exported files, as a node reads them: `nfs-ls`, `nfs-cat` and `nfs-cp` of libnfs.

use std::net::Ipv4Addr;
use std::path::Path;

use crate::Result;
use crate::net::Host;
use crate::process::Run;

/// libnfs speaks NFSv4 only when it is told to.
fn url(server: Ipv4Addr, path: &str) -> String {
    format!("nfs://{server}{path}?version=4")
}

/// The names in an exported folder.
///
/// # Errors
/// When it is not exported to this host.
pub fn list(host: &Host, server: Ipv4Addr, folder: &str) -> Result<Vec<String>> {
    let text = Run::new("nfs-ls").arg(url(server, folder)).on(host)?.ok()?;
    let name = |line: &str| line.split_whitespace().last().map(str::to_owned);
    Ok(text.lines().filter_map(name).filter(|name| !matches!(name.as_str(), "." | "..")).collect())
}

/// The text of an exported file.
///
/// # Errors
/// When there is none for this host.
pub fn read(host: &Host, server: Ipv4Addr, path: &str) -> Result<String> {
    Run::new("nfs-cat").arg(url(server, path)).on(host)?.ok()
}

/// Offers a file to an export.
///
/// # Errors
/// When it is not taken.
pub fn write(host: &Host, server: Ipv4Addr, file: &Path, path: &str) -> Result<()> {
    Run::new("nfs-cp").arg(file).arg(url(server, path)).on(host)?.ok().map(drop)
}
