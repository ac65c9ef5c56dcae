//! The command line: `node-agent join TOKEN`, `node-agent serve`.
//!
//! Exit status: 0 done, 1 refused or failed, 2 wrong usage.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use common::report::{Refusal, chain};
use common::wire::join::{Kind, Token};
use runtime::disk::{DirLock, absolute};
use runtime::link::identity::{Identity, Role};
use runtime::link::join::join;
use runtime::link::token::{self, VARIABLE};
use runtime::signal::stop_signal;
use tokio_util::sync::CancellationToken;

use crate::apply::Host;
use crate::apply::root::Root;
use crate::shell::{self, Agent, join_patiently};
use crate::state::State;

/// The kernel argument in which a boot script hands over the token.
const KERNEL_ARGUMENT: &str = "drover.token=";

/// Keeps this node as its service node wants it.
#[derive(Debug, Parser)]
#[command(name = "node-agent", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Join the cluster with a one-time token.
    Join {
        /// Where the token is: `-` for standard input, or a file. The token itself (one word that
        /// begins with `drover1:node:`) is taken too, and every user of this machine can read it
        /// while this runs [default: the environment variable DROVER_TOKEN].
        token: Option<String>,
        #[command(flatten)]
        home: Home,
    },
    /// Serve until stopped. Joins first when there is no identity yet and a token is given.
    Serve {
        #[command(flatten)]
        home: Home,
        /// The folder that is the node's `/`.
        #[arg(long, value_name = "DIR", default_value = "/")]
        root: PathBuf,
        /// To join with; by default the kernel argument `drover.token=`.
        #[arg(long, env = VARIABLE, hide_env_values = true)]
        token: Option<String>,
    },
}

#[derive(Debug, Args)]
struct Home {
    /// Where the agent keeps its identity and state.
    #[arg(long, env = "DROVER_DIR", value_name = "DIR", default_value = "/var/lib/drover/node-agent")]
    dir: PathBuf,
}

/// The token that a word means.
fn agent_token(word: Option<&str>) -> Result<Token, Refusal> {
    let token = token::read(word).map_err(|error| Refusal::new(chain(&error)))?;
    if token.kind == Kind::Agent {
        return Ok(token);
    }
    Err(Refusal::new("this token is not for a node").attempt("a service node joins with `sn join`"))
}

/// Runs the program.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    runtime::log::init("info");
    let done = match cli.command {
        Verb::Join { token, home } => agent_token(token.as_deref())
            .and_then(|token| with_runtime(join_once(token, &absolute(&home.dir)))),
        Verb::Serve { home, root, token } => {
            // An empty variable counts as not set.
            let token = token.filter(|word| !word.is_empty());
            let token = token.map(|word| agent_token(Some(&word))).transpose();
            token.and_then(|token| {
                let token = token.or_else(|| kernel_token(Path::new("/proc/cmdline")));
                with_runtime(serve(&absolute(&home.dir), &absolute(&root), token))
            })
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(refusal) => {
            eprintln!("{}", refusal.render("node-agent"));
            ExitCode::from(1)
        }
    }
}

/// One thread is enough for one node, and leaves the others to those the node is for.
fn with_runtime(work: impl Future<Output = Result<(), Refusal>>) -> Result<(), Refusal> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime {
        Ok(runtime) => {
            let done = runtime.block_on(work);
            // A step that waits for a daemon must not hold the end up.
            runtime.shutdown_background();
            done
        }
        Err(error) => Err(Refusal::new("cannot start").because(error.to_string())),
    }
}

async fn join_once(token: Token, dir: &Path) -> Result<(), Refusal> {
    let (state, _lock) = open(dir)?;
    let identity = join(&token).await.map_err(|error| error.refusal(&token))?;
    keep(&identity, &token, &state)?;
    say(&format!("{} has joined", token.name));
    Ok(())
}

#[expect(clippy::print_stdout, reason = "what the command was asked to do is done")]
fn say(line: &str) {
    println!("{line}");
}

async fn serve(dir: &Path, root: &Path, token: Option<Token>) -> Result<(), Refusal> {
    let (state, _lock) = open(dir)?;
    let root = Root::open(root).map_err(|error| {
        Refusal::new("cannot serve").because(chain(&error)).attempt("name the node's root with --root DIR")
    })?;
    let stop = CancellationToken::new();
    let identity = tokio::select! {
        identity = identity(&state, token.as_ref()) => identity?,
        () = stop_signal() => return Ok(()),
    };
    let host = Host::new(root, state.clone());
    let serving = shell::serve(Agent { identity, token, state, host }, stop.clone());
    tokio::pin!(serving);
    let served = tokio::select! {
        served = &mut serving => served,
        () = stop_signal() => {
            stop.cancel();
            serving.await
        }
    };
    served.map_err(|error| {
        Refusal::new("cannot serve").because(chain(&error)).attempt("node-agent join TOKEN, with a new token")
    })
}

/// The identity that is there, unless it is another node's; else a new one, for the token.
async fn identity(state: &State, token: Option<&Token>) -> Result<Identity, Refusal> {
    let refuse = |why: String| {
        let refusal = Refusal::new("cannot serve").about(state.dir().display()).because(why);
        refusal.attempt("node-agent join TOKEN, or node-agent serve --token TOKEN")
    };
    let found = Identity::exists(state.dir()).then(|| Identity::load(state.dir()));
    match (found, token) {
        (Some(Ok(identity)), None) => Ok(identity),
        (Some(Ok(identity)), Some(token)) if fits(&identity, token) => Ok(identity),
        (Some(Err(error)), None) => Err(refuse(chain(&error))),
        (None, None) => Err(refuse("it holds no identity, and no token was given".to_owned())),
        (_, Some(token)) => {
            let identity = join_patiently(token).await.map_err(|error| error.refusal(token))?;
            keep(&identity, token, state)?;
            tracing::info!(node = %token.name, "joined");
            Ok(identity)
        }
    }
}

/// Whether the identity is for the node and the cluster of the token.
fn fits(identity: &Identity, token: &Token) -> bool {
    identity.role() == &Role::Agent(token.name.clone()) && identity.authority_fingerprint() == token.authority
}

fn keep(identity: &Identity, token: &Token, state: &State) -> Result<(), Refusal> {
    let refuse = |why| Refusal::new("has joined, but cannot keep its identity").because(why);
    // The addresses first: an identity without them would not know where to turn.
    state.keep_seeds(&token.addresses).map_err(|error| refuse(chain(&error)))?;
    identity.save(state.dir()).map_err(|error| refuse(chain(&error)))
}

fn open(dir: &Path) -> Result<(State, DirLock), Refusal> {
    let refuse = |why| {
        let refusal = Refusal::new("cannot use its folder").about(dir.display()).because(why);
        refusal.attempt("name another with --dir or DROVER_DIR, or run as its owner")
    };
    let state = State::open(dir).map_err(|error| refuse(chain(&error)))?;
    let lock = DirLock::take(dir).map_err(|error| refuse(chain(&error)))?;
    Ok((state, lock))
}

/// The token that the boot script put on the kernel's command line.
fn kernel_token(cmdline: &Path) -> Option<Token> {
    let text = std::fs::read_to_string(cmdline).ok()?;
    let word = text.split_whitespace().find_map(|word| word.strip_prefix(KERNEL_ARGUMENT))?;
    // The word itself, and never the name of a file.
    match word.parse::<Token>() {
        Ok(token) if token.kind == Kind::Agent => Some(token),
        Ok(_) => {
            tracing::warn!("the token on the kernel's command line is not for a node");
            None
        }
        Err(error) => {
            tracing::warn!(%error, "could not read the token on the kernel's command line");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory as _;
        Cli::command().debug_assert();
    }

    #[test]
    fn a_service_nodes_token_is_refused_with_what_to_do() {
        let token = format!("drover1:sn:sn1:10.0.0.1/7700:{}:{}", "ab".repeat(32), "01".repeat(16));
        let refusal = agent_token(Some(&token)).unwrap_err();
        assert!(refusal.attempt.is_some_and(|text| text.contains("sn join")));
    }

    #[test]
    fn the_token_of_the_kernel_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("cmdline");
        let token = format!("drover1:node:n1:10.0.0.1/7701:{}:{}", "ab".repeat(32), "01".repeat(16));
        std::fs::write(&path, format!("quiet {KERNEL_ARGUMENT}{token} BOOTIF=x\n")).unwrap();
        assert_eq!(kernel_token(&path).unwrap().to_string(), token);
        std::fs::write(&path, "quiet drover.token=x\n").unwrap();
        assert!(kernel_token(&path).is_none());
    }
}
