//! The command line: `sn join`, `sn serve`, `sn check-config`.
//!
//! Exit status: 0 done, 1 refused, 2 wrong usage.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use common::report::Refusal;
use common::wire::join::Kind;
use runtime::disk::{self, DirLock};
use runtime::link::identity::Identity;
use runtime::link::token;

use crate::config::file::{self, PortSettings, Settings};
use crate::config::{Config, DEFAULT_DIR, NfsBackend};
use crate::{daemon, link};

/// A service node of Drover.
#[derive(Debug, Parser)]
#[command(name = "sn", version, about, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make this machine the service node that a token names
    Join(Join),
    /// Serve the nodes of this service node, until stopped
    Serve(Box<Serve>),
    /// Check a configuration file and name every mistake in it
    CheckConfig {
        /// The file, such as DIR/sn.toml
        file: PathBuf,
    },
}

#[derive(Debug, Args)]
struct Folder {
    /// The folder with all state
    #[arg(long, env = "DROVER_DIR", default_value = DEFAULT_DIR, value_name = "DIR")]
    dir: PathBuf,
}

#[derive(Debug, Args)]
struct Join {
    /// Where the word is that `mn token create NAME` printed: - for standard input, or a file. The
    /// word itself is taken too, and every user of this machine can read it while this runs
    /// [default: the environment variable DROVER_TOKEN]
    token: Option<String>,
    #[command(flatten)]
    folder: Folder,
    /// Give up the identity that this folder has now
    #[arg(long)]
    replace: bool,
}

#[derive(Debug, Args)]
struct Serve {
    #[command(flatten)]
    folder: Folder,
    /// The address that all services bind [default: all addresses]
    #[arg(long, env = "DROVER_SN_BIND", value_name = "ADDRESS")]
    bind: Option<Ipv4Addr>,
    #[command(flatten)]
    ports: PortArgs,
    /// How long a start waits for the pool's word before it answers for its nodes, in milliseconds
    #[arg(long, env = "DROVER_SN_POOL_WAIT_MS", value_name = "MS", value_parser = clap::value_parser!(u64).range(..=60_000))]
    pool_wait_ms: Option<u64>,
    /// How NFS exports reach a server: detect, kernel, none, or ganesha:PID-FILE
    #[arg(long, env = "DROVER_SN_NFS", value_name = "HOW", value_parser = nfs)]
    nfs: Option<NfsBackend>,
}

/// Each port; 0 is any free one.
#[derive(Debug, Args)]
struct PortArgs {
    /// DHCP server [default: 67]
    #[arg(long, env = "DROVER_SN_DHCP_PORT", value_name = "PORT")]
    dhcp_port: Option<u16>,
    /// Where DHCP clients listen [default: 68]
    #[arg(long, env = "DROVER_SN_DHCP_CLIENT_PORT", value_name = "PORT")]
    dhcp_client_port: Option<u16>,
    /// TFTP [default: 69]
    #[arg(long, env = "DROVER_SN_TFTP_PORT", value_name = "PORT")]
    tftp_port: Option<u16>,
    /// Boot HTTP [default: 80]
    #[arg(long, env = "DROVER_SN_HTTP_PORT", value_name = "PORT")]
    http_port: Option<u16>,
    /// DNS, UDP and TCP [default: 53]
    #[arg(long, env = "DROVER_SN_DNS_PORT", value_name = "PORT")]
    dns_port: Option<u16>,
    /// NTP [default: 123]
    #[arg(long, env = "DROVER_SN_NTP_PORT", value_name = "PORT")]
    ntp_port: Option<u16>,
    /// Syslog, UDP and TCP [default: 514]
    #[arg(long, env = "DROVER_SN_SYSLOG_PORT", value_name = "PORT")]
    syslog_port: Option<u16>,
    /// Node agents and other service nodes, QUIC [default: 7701]
    #[arg(long, env = "DROVER_SN_AGENT_PORT", value_name = "PORT")]
    agent_port: Option<u16>,
}

fn nfs(text: &str) -> Result<NfsBackend, String> {
    match text.split_once(':') {
        None if text == "detect" => Ok(NfsBackend::Detect),
        None if text == "kernel" => Ok(NfsBackend::Kernel),
        None if text == "none" => Ok(NfsBackend::None),
        Some(("ganesha", file)) if !file.is_empty() => Ok(NfsBackend::Ganesha { pid_file: file.into() }),
        _ => Err("write detect, kernel, none or ganesha:PID-FILE".to_owned()),
    }
}

impl Serve {
    /// Command line and environment over the file over the defaults.
    fn config(&self) -> Result<Config, Vec<Refusal>> {
        let dir = disk::absolute(&self.folder.dir);
        let path = dir.join("sn.toml");
        let mut config = Config::new(dir);
        if path.exists() {
            file::read(&path).map_err(file::FileError::refusals)?.apply(&mut config);
        }
        let ports = &self.ports;
        let settings = Settings {
            bind: self.bind,
            pool_wait: self.pool_wait_ms.map(Duration::from_millis),
            nfs: self.nfs.clone(),
            ports: PortSettings {
                dhcp: ports.dhcp_port,
                dhcp_client: ports.dhcp_client_port,
                tftp: ports.tftp_port,
                http: ports.http_port,
                dns: ports.dns_port,
                ntp: ports.ntp_port,
                syslog: ports.syslog_port,
                agent: ports.agent_port,
            },
        };
        settings.apply(&mut config);
        Ok(config)
    }
}

/// Does what the command line says.
pub fn run(cli: Cli) -> ExitCode {
    let (name, done) = match cli.command {
        Command::Join(join) => ("sn join", in_runtime(run_join(join))),
        Command::Serve(serve) => ("sn serve", run_serve(&serve)),
        Command::CheckConfig { file } => ("sn check-config", check(&file)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(refusals) => {
            show(name, &refusals);
            ExitCode::from(1)
        }
    }
}

#[expect(clippy::print_stderr, reason = "this is where a command line is answered")]
fn show(command: &str, refusals: &[Refusal]) {
    refusals.iter().for_each(|refusal| eprintln!("{}", refusal.render(command)));
}

#[expect(clippy::print_stdout, reason = "this is where a command line is answered")]
fn say(text: &str) {
    println!("{text}");
}

/// Runs to the end and gives what is still under way in a blocking call a moment.
fn in_runtime<T>(work: impl Future<Output = Result<T, Vec<Refusal>>>) -> Result<T, Vec<Refusal>> {
    let runtime = tokio::runtime::Runtime::new()
        .map_err(|error| vec![Refusal::new("cannot start").because(error.to_string())])?;
    let done = runtime.block_on(work);
    runtime.shutdown_timeout(Duration::from_secs(1));
    done
}

fn check(path: &Path) -> Result<(), Vec<Refusal>> {
    file::read(path).map_err(file::FileError::refusals)?;
    say(&format!("{}: ok", path.display()));
    Ok(())
}

fn run_serve(serve: &Serve) -> Result<(), Vec<Refusal>> {
    let config = serve.config()?;
    runtime::log::init("info");
    runtime::limits::raise_open_files();
    let serving = daemon::serve(config, runtime::signal::stop_signal());
    in_runtime(async { serving.await.map_err(|error| vec![error.refusal()]) })
}

async fn run_join(join: Join) -> Result<(), Vec<Refusal>> {
    let dir = disk::absolute(&join.folder.dir);
    let one = |refusal: Refusal| vec![refusal];
    let token = token::read(join.token.as_deref());
    let token = token.map_err(|error| one(Refusal::new(common::report::chain(&error))))?;
    if token.kind != Kind::ServiceNode {
        let refusal = Refusal::new(format!("the token of {} is not for a service node", token.name));
        return Err(one(refusal.attempt("make one with `mn token create NAME` on the management node")));
    }
    let folder = |error: std::io::Error| {
        one(Refusal::new("cannot be written").about(dir.display()).because(error.to_string()))
    };
    disk::create_dir(&dir, 0o700).map_err(folder)?;
    let _lock = DirLock::take(&dir).map_err(|error| one(Refusal::new(common::report::chain(&error))))?;
    if Identity::exists(&dir) && !join.replace {
        let who = Identity::load(&dir)
            .map_or_else(|_| "somebody".to_owned(), |identity| identity.role().to_string());
        let refusal = Refusal::new(format!("this folder is already that of {who}")).about(dir.display());
        return Err(one(refusal.attempt("start it with `sn serve`, or give that up with --replace")));
    }
    let identity = runtime::link::join::join(&token).await.map_err(|error| one(error.refusal(&token)))?;
    // The identity last: a folder with an identity is a folder that can serve.
    link::addresses::write(&dir, &token.addresses).map_err(folder)?;
    identity.save(&dir).map_err(|error| one(Refusal::new(common::report::chain(&error))))?;
    say(&format!("{} has joined; start it with `sn serve --dir {}`", token.name, dir.display()));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    fn serve(words: &[&str]) -> Serve {
        let words = ["sn", "serve"].iter().chain(words);
        match Cli::try_parse_from(words).unwrap().command {
            Command::Serve(serve) => *serve,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_flag_goes_before_the_file_and_the_file_before_the_default() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("sn.toml"), "[ports]\ndns = 5300\nhttp = 8000\n").unwrap();
        let words =
            ["--dir", dir.path().to_str().unwrap(), "--http-port", "8080", "--nfs", "ganesha:/run/g.pid"];
        let config = serve(&words).config().unwrap();
        assert_eq!((config.ports.http, config.ports.dns, config.ports.tftp), (8080, 5300, 69));
        assert_eq!(config.nfs, NfsBackend::Ganesha { pid_file: "/run/g.pid".into() });
    }

    #[test]
    fn wrong_usage_is_told_from_a_refusal() {
        let error = Cli::try_parse_from(["sn", "serve", "--nfs", "samba"]).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains("ganesha:PID-FILE"), "{error}");
    }
}
