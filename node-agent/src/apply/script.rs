//! Scripts: run from the cache, in a process group of their own, within a time limit, with their
//! output bounded.
//!
//! A script that ends well may leave a daemon behind; of one that is cut off nothing is left.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use common::id::NodeName;
use common::slice::Script;
use common::wire::agent::Desired;
use common::wire::work::{Receipt, StepOutcome};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe::Receiver;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::failed;
use crate::content::Cache;

/// The longest script, in bytes.
const MOST_BYTES: u64 = 16 << 20;

/// How much of the end of a script's output is kept.
const MOST_OUTPUT: usize = 4096;

/// How long output may still come after a script has ended: a daemon that it left may hold the pipe.
const DRAIN: Duration = Duration::from_millis(500);

/// Where and for whom scripts run.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The node.
    pub node: &'a NodeName,
    /// The node's `/`.
    pub root: &'a Path,
    /// What is known of its master, if anything.
    pub desired: Option<&'a Desired>,
}

/// Fetches and runs one script.
pub async fn run(cache: &Cache, script: &Script, context: Context<'_>, limit: Duration) -> Receipt {
    let step = format!("script {}", script.name);
    let outcome = match cache.get(script.hash, MOST_BYTES).await {
        Ok(path) => run_file(&path, &script.arguments, context, limit).await.unwrap_or_else(|error| {
            let reason = format!("cannot run it: {error}");
            StepOutcome::Failed { reason, status: None }
        }),
        Err(error) => failed(&error),
    };
    Receipt { step, outcome }
}

async fn run_file(
    path: &Path,
    arguments: &[String],
    context: Context<'_>,
    limit: Duration,
) -> io::Result<StepOutcome> {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700))?;
    let (mut child, mut output) = spawn(path, arguments, context).await?;
    let mut tail = Tail::default();
    let waited = timeout(limit, async {
        let reading = tail.read(&mut output);
        tokio::pin!(reading);
        tokio::select! {
            // The output ends before the script does, as a rule.
            () = &mut reading => child.wait().await,
            status = child.wait() => {
                let _ = timeout(DRAIN, &mut reading).await;
                status
            }
        }
    })
    .await;
    match waited {
        Ok(status) => Ok(outcome(status?, tail)),
        Err(_) => {
            kill_group(&mut child).await;
            let reason = format!("cut off after {} s{}", limit.as_secs(), tail.as_quote());
            Ok(StepOutcome::Failed { reason, status: None })
        }
    }
}

/// Starts it; both of its outputs come through one pipe, in the order in which they were written.
async fn spawn(path: &Path, arguments: &[String], context: Context<'_>) -> io::Result<(Child, Receiver)> {
    let (output, input) = io::pipe()?;
    let output = Receiver::from_owned_fd(output.into())?;
    let mut command = Command::new(path);
    command
        .args(arguments)
        .env_remove("DROVER_TOKEN")
        .env_remove("DROVER_DIR")
        .envs(environment(context))
        .current_dir(context.root)
        .stdin(Stdio::null())
        .stdout(input.try_clone()?)
        .stderr(input)
        .process_group(0)
        .kill_on_drop(true);
    // Another thread that forks while the file is still open for writing makes the kernel say "text
    // file busy" for a moment.
    for _ in 0..20 {
        match command.spawn() {
            Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy => {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            spawned => return Ok((spawned?, output)),
        }
    }
    Ok((command.spawn()?, output))
}

/// The variables that xCAT's scripts read, as far as they are known here.
fn environment(context: Context<'_>) -> Vec<(&'static str, String)> {
    let mut variables =
        vec![("NODE", context.node.to_string()), ("ROOT", context.root.display().to_string())];
    if let Some(desired) = context.desired {
        let list = |addresses: &[std::net::Ipv4Addr]| {
            addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
        };
        let pool: Vec<&str> = desired.pool.iter().map(|member| member.sn.as_str()).collect();
        let owner = desired.pool.iter().find(|member| member.sn == desired.owner);
        variables.extend([
            // By its address, which a node can use before it resolves names.
            ("MASTER", owner.map_or_else(|| desired.owner.to_string(), |owner| owner.address.to_string())),
            ("SERVICEGROUP", pool.join(",")),
            ("NTPSERVERS", list(&desired.ntp)),
            ("NAMESERVERS", list(&desired.nameservers)),
            ("DOMAIN", desired.domain.clone()),
        ]);
        variables.extend(owner.map(|owner| ("MASTER_IP", owner.address.to_string())));
        variables.extend(desired.log.map(|log| ("LOGSERVER", log.to_string())));
    }
    variables
}

fn outcome(status: ExitStatus, tail: Tail) -> StepOutcome {
    if status.success() {
        return StepOutcome::Ran { output: tail.text() };
    }
    // A signal reads "signal: 9 (SIGKILL)".
    let how = status.code().map_or_else(|| status.to_string(), |code| format!("exit status {code}"));
    let reason = format!("{how}{}", tail.as_quote());
    StepOutcome::Failed { reason, status: status.code() }
}

/// Ends a script and all that it started in its process group.
async fn kill_group(child: &mut Child) {
    let group = child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw);
    if let Some(group) = group {
        // Fails only when the group has ended already.
        let _ = killpg(group, Signal::SIGKILL);
    }
    let _ = child.wait().await;
}

/// The end of what was printed.
#[derive(Debug, Default)]
struct Tail(Vec<u8>);

impl Tail {
    /// Reads until everyone who could write has ended.
    async fn read(&mut self, output: &mut Receiver) {
        let mut buffer = [0; 2048];
        while let Ok(len @ 1..) = output.read(&mut buffer).await {
            self.0.extend_from_slice(buffer.get(..len).unwrap_or_default());
            let over = self.0.len().saturating_sub(MOST_OUTPUT);
            self.0.drain(..over);
        }
    }

    /// At most [`MOST_OUTPUT`] bytes, also after bytes that are no UTF-8 were replaced.
    fn text(&self) -> String {
        let text = String::from_utf8_lossy(&self.0);
        let over = text.len().saturating_sub(MOST_OUTPUT);
        let (_, end) = text.split_at(text.ceil_char_boundary(over));
        end.to_owned()
    }

    fn as_quote(&self) -> String {
        let text = self.text();
        // Room for the words before it.
        let over = text.len().saturating_sub(MOST_OUTPUT - 100);
        let (_, end) = text.split_at(text.ceil_char_boundary(over));
        let end = end.trim();
        match end.lines().count() {
            0 => String::new(),
            1 => format!("; it printed: {end}"),
            _ => format!("; it printed:\n{end}"),
        }
    }
}

#[cfg(test)]
mod tests;
