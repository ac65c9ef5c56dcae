//! Namespaces of our own, entered before anything else happens.
//!
//! The program becomes `unshare(1)`, which runs it again as the first process of a new pid
//! namespace, root in a new user namespace, with mounts and a network of its own. Killing either
//! of the two, even with SIGKILL, ends every process inside, and with them go all links, addresses,
//! mounts and files (the work folder is a tmpfs that only the sandbox sees). No right is needed
//! beyond making unprivileged user namespaces.

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::mount::{MsFlags, mount};

use crate::Result;

/// Set inside, to the name of the sandbox.
const MARK: &str = "DROVER_SANDBOX";

/// Where everything of a sandbox lives: a tmpfs.
pub fn work() -> PathBuf {
    PathBuf::from("/run/drover")
}

/// Whether this process is inside.
pub fn inside() -> bool {
    std::env::var_os(MARK).is_some()
}

/// Whose root the inside is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Root {
    /// Of a user namespace of its own: nothing outside is its.
    Sandbox,
    /// Of the machine, kept from it by the other namespaces alone.
    Machine,
}

fn unshare(name: &str, program: &Path, root: Root) -> Command {
    let mut command = Command::new("unshare");
    if root == Root::Sandbox {
        command.args(["--user", "--map-root-user"]);
    }
    command.args(["--mount", "--pid", "--net", "--uts", "--ipc"]);
    command.args(["--fork", "--kill-child", "--mount-proc", "--propagation", "private", "--"]);
    command.arg(program).env(MARK, name);
    command
}

/// Goes on inside a sandbox: returns there, and nowhere else.
///
/// # Errors
/// When namespaces cannot be made here; the text says what to try.
pub fn enter(name: &str) -> Result<()> {
    if inside() {
        return furnish();
    }
    let program = std::env::current_exe()?;
    let error = unshare(name, &program, Root::Sandbox).args(std::env::args_os().skip(1)).exec();
    Err(format!("cannot run unshare(1), of the package util-linux: {error}").into())
}

/// Runs the body of the test `name` in a sandbox of its own.
///
/// Outside, the test program is run again for this one test; inside, `body` runs.
///
/// # Panics
/// When the test fails: this is for tests alone.
pub fn test(name: &str, body: impl FnOnce() -> Result<()>) {
    run(name, Root::Sandbox, body);
}

/// The same, for what the root of a user namespace may not do: NFS-Ganesha opens files by their
/// handles (`open_by_handle_at(2)`), which takes the machine's root.
///
/// Elsewhere the test says that it was not run, and passes: CI is root.
///
/// # Panics
/// As [`test()`].
pub fn test_as_root(name: &str, body: impl FnOnce() -> Result<()>) {
    if inside() || is_root_of_machine() {
        run(name, Root::Machine, body);
    } else {
        eprintln!("{name} was not run: it needs root, and not only in a user namespace");
    }
}

#[expect(clippy::panic, reason = "a test fails by panicking")]
fn run(name: &str, root: Root, body: impl FnOnce() -> Result<()>) {
    let outcome = if inside() { furnish().and_then(|()| body()) } else { again(name, root) };
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

fn again(name: &str, root: Root) -> Result<()> {
    let program = std::env::current_exe()?;
    let status = unshare(name, &program, root).args(["--exact", name, "--nocapture"]).status()?;
    if status.success() { Ok(()) } else { Err(format!("in its sandbox, {name} ended with {status}").into()) }
}

/// Whether this is root with its rights, and not in a user namespace.
fn is_root_of_machine() -> bool {
    // CAP_DAC_READ_SEARCH and CAP_SYS_ADMIN (capabilities(7)): root of a container lacks them.
    const NEEDED: u64 = 1 << 2 | 1 << 21;
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let rights = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let rights = rights.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok()).unwrap_or(0);
    let users = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    rights & NEEDED == NEEDED && users.split_whitespace().eq(["0", "0", "4294967295"])
}

/// The mounts that a sandbox starts with.
fn furnish() -> Result<()> {
    let none: Option<&str> = None;
    let tmpfs = |at: &str| mount(Some("tmpfs"), at, Some("tmpfs"), MsFlags::empty(), Some("mode=755"));
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)?;
    tmpfs("/run")?;
    std::fs::create_dir_all("/run/netns")?;
    std::fs::create_dir_all("/run/lock")?;
    std::fs::create_dir_all(work())?;
    let up = Command::new("ip").args(["link", "set", "lo", "up"]).status()?;
    if up.success() { Ok(()) } else { Err("ip(8) cannot bring up the sandbox's loopback".into()) }
}
