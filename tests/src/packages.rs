//! The clients that nobody here wrote: which Debian package brings which, and fetching them.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::Result;

/// A program and the package that brings it.
pub type Need = (&'static str, &'static str);

/// What the rehearsal needs.
pub const REHEARSAL: &[Need] = &[
    ("ip", "iproute2"),
    ("unshare", "util-linux"),
    ("logger", "bsdutils"),
    ("dhclient", "isc-dhcp-client"),
    ("busybox", "busybox-static"),
    ("dig", "bind9-dnsutils"),
    ("curl", "curl"),
    ("tftp", "tftp-hpa"),
    ("chronyd", "chrony"),
];

fn is_there(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).collect::<Vec<_>>();
    let usual = ["/usr/sbin", "/sbin", "/usr/bin", "/bin"].map(Path::new);
    folders.iter().map(AsRef::as_ref).chain(usual).any(|folder: &Path| folder.join(program).is_file())
}

/// Sees to it that the programs are there: with `apt-get` where this is root on Debian.
///
/// # Errors
/// When some are missing and cannot be fetched; the text says what to install.
pub fn ensure(needs: &[Need]) -> Result<()> {
    let missing = || needs.iter().filter(|(program, _)| !is_there(program)).collect::<Vec<_>>();
    let first = missing();
    if first.is_empty() {
        return Ok(());
    }
    let packages: Vec<&str> = first.iter().map(|(_, package)| *package).collect();
    let advice = format!("try, as root: apt-get install --no-install-recommends {}", packages.join(" "));
    if !nix::unistd::geteuid().is_root() || !is_there("apt-get") {
        let names: Vec<&str> = first.iter().map(|(program, _)| *program).collect();
        return Err(format!("these programs are missing: {}\n  {advice}", names.join(", ")).into());
    }
    eprintln!("fetching {} with apt-get …", packages.join(", "));
    apt(&["update", "-q"])?;
    let mut words = vec!["install", "-q", "-y", "--no-install-recommends"];
    words.extend(&packages);
    apt(&words)?;
    if missing().is_empty() {
        Ok(())
    } else {
        Err(format!("apt-get brought not all that is needed; {advice}").into())
    }
}

fn apt(words: &[&str]) -> Result<()> {
    let mut command = Command::new("apt-get");
    command.args(words).env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null());
    let output = command.output()?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("apt-get {} failed: {}", words.join(" "), said.trim()).into())
}
