//! `DIR/sn.toml`: what may stand in it, and every mistake in it at once.
//!
//! [`File`] mirrors the file as it is written, with text and numbers that may be wrong;
//! [`Settings`] is what is right. `sn serve` and `sn check-config` run the same code.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use common::report::Refusal;
use serde::Deserialize;

use super::{Config, NfsBackend};

/// The file as it is written.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct File {
    bind: Option<String>,
    pool_wait_ms: Option<i64>,
    ports: PortsFile,
    nfs: NfsFile,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct PortsFile {
    dhcp: Option<i64>,
    dhcp_client: Option<i64>,
    tftp: Option<i64>,
    http: Option<i64>,
    dns: Option<i64>,
    ntp: Option<i64>,
    syslog: Option<i64>,
    agent: Option<i64>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct NfsFile {
    backend: Option<String>,
    pid_file: Option<String>,
}

/// What is set, and right; from a file, or from the command line and the environment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// [`Config::bind`].
    pub bind: Option<Ipv4Addr>,
    /// [`Config::pool_wait`].
    pub pool_wait: Option<Duration>,
    /// [`Config::ports`].
    pub ports: PortSettings,
    /// [`Config::nfs`].
    pub nfs: Option<NfsBackend>,
}

/// The ports that are set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PortSettings {
    /// DHCP server.
    pub dhcp: Option<u16>,
    /// DHCP clients.
    pub dhcp_client: Option<u16>,
    /// TFTP.
    pub tftp: Option<u16>,
    /// Boot HTTP.
    pub http: Option<u16>,
    /// DNS.
    pub dns: Option<u16>,
    /// NTP.
    pub ntp: Option<u16>,
    /// Syslog.
    pub syslog: Option<u16>,
    /// Agents and peers.
    pub agent: Option<u16>,
}

impl Settings {
    /// Lays what is set here over `config`.
    pub fn apply(self, config: &mut Config) {
        fn lay<T>(set: Option<T>, place: &mut T) {
            if let Some(value) = set {
                *place = value;
            }
        }
        lay(self.bind, &mut config.bind);
        lay(self.pool_wait, &mut config.pool_wait);
        lay(self.nfs, &mut config.nfs);
        let ports = &mut config.ports;
        lay(self.ports.dhcp, &mut ports.dhcp);
        lay(self.ports.dhcp_client, &mut ports.dhcp_client);
        lay(self.ports.tftp, &mut ports.tftp);
        lay(self.ports.http, &mut ports.http);
        lay(self.ports.dns, &mut ports.dns);
        lay(self.ports.ntp, &mut ports.ntp);
        lay(self.ports.syslog, &mut ports.syslog);
        lay(self.ports.agent, &mut ports.agent);
    }
}

impl TryFrom<File> for Settings {
    /// Every mistake, not only the first.
    type Error = Vec<Refusal>;

    fn try_from(file: File) -> Result<Self, Vec<Refusal>> {
        let mut wrong = Vec::new();
        let mut port = |name: &str, value: Option<i64>| {
            let value = value?;
            let port = u16::try_from(value).ok();
            if port.is_none() {
                wrong.push(
                    Refusal::new(format!("{value} is not a port"))
                        .about(format!("ports.{name}"))
                        .attempt("write a number from 0 to 65535; 0 is any free port"),
                );
            }
            port
        };
        let ports = PortSettings {
            dhcp: port("dhcp", file.ports.dhcp),
            dhcp_client: port("dhcp_client", file.ports.dhcp_client),
            tftp: port("tftp", file.ports.tftp),
            http: port("http", file.ports.http),
            dns: port("dns", file.ports.dns),
            ntp: port("ntp", file.ports.ntp),
            syslog: port("syslog", file.ports.syslog),
            agent: port("agent", file.ports.agent),
        };
        let bind = file.bind.and_then(|text| {
            let bind = text.parse().ok();
            if bind.is_none() {
                wrong.push(
                    Refusal::new(format!("{text:?} is not an IPv4 address"))
                        .about("bind")
                        .attempt("write one like 10.0.0.2, or 0.0.0.0 for all"),
                );
            }
            bind
        });
        let pool_wait = file.pool_wait_ms.and_then(|ms| {
            let wait = u64::try_from(ms).ok().filter(|ms| *ms <= 60_000).map(Duration::from_millis);
            if wait.is_none() {
                wrong.push(
                    Refusal::new(format!("{ms} is not a time to wait"))
                        .about("pool_wait_ms")
                        .attempt("write milliseconds from 0 to 60000"),
                );
            }
            wait
        });
        let nfs = file.nfs.check(&mut wrong);
        if wrong.is_empty() { Ok(Self { bind, pool_wait, ports, nfs }) } else { Err(wrong) }
    }
}

impl NfsFile {
    fn check(self, wrong: &mut Vec<Refusal>) -> Option<NfsBackend> {
        let refusal = |what: String, advice: &str| Refusal::new(what).about("nfs").attempt(advice);
        match (self.backend.as_deref(), self.pid_file) {
            (None, None) => None,
            (Some("detect"), None) => Some(NfsBackend::Detect),
            (Some("kernel"), None) => Some(NfsBackend::Kernel),
            (Some("none"), None) => Some(NfsBackend::None),
            (Some("ganesha"), Some(pid_file)) => Some(NfsBackend::Ganesha { pid_file: pid_file.into() }),
            (Some("ganesha"), None) => {
                let advice = "add pid_file = \"/run/ganesha.pid\", the file of its -p option";
                wrong.push(refusal("ganesha is named without its pid_file".to_owned(), advice));
                None
            }
            (Some("detect" | "kernel" | "none") | None, Some(_)) => {
                wrong.push(refusal(
                    "pid_file is set for a backend that has none".to_owned(),
                    "remove it, or write backend = \"ganesha\"",
                ));
                None
            }
            (Some(other), _) => {
                let advice = "write detect, ganesha, kernel or none";
                wrong.push(refusal(format!("{other:?} is not a backend"), advice));
                None
            }
        }
    }
}

/// Why a configuration file is refused.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be read.
    #[error("{path} cannot be read")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It is not TOML, or has a key that does not exist.
    #[error("{path} is not a configuration of a service node: {message}")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Where and what, with the keys that exist.
        message: String,
    },
    /// Values in it are wrong.
    #[error("{path} has {} wrong values", .mistakes.len())]
    Values {
        /// The file.
        path: PathBuf,
        /// Each of them.
        mistakes: Vec<Refusal>,
    },
}

impl FileError {
    /// What a person is shown: each mistake.
    pub fn refusals(self) -> Vec<Refusal> {
        match self {
            Self::Read { path, source } => {
                vec![Refusal::new("cannot be read").about(path.display()).because(source.to_string())]
            }
            Self::Syntax { path, message } => {
                vec![Refusal::new("is not a configuration").about(path.display()).because(message)]
            }
            Self::Values { path, mistakes } => mistakes
                .into_iter()
                .map(|one| Refusal { subject: format!("{}: {}", path.display(), one.subject), ..one })
                .collect(),
        }
    }
}

/// What the file at `path` sets.
///
/// # Errors
/// With every mistake in it, as far as it could be read.
pub fn read(path: &Path) -> Result<Settings, FileError> {
    let text =
        std::fs::read_to_string(path).map_err(|source| FileError::Read { path: path.to_owned(), source })?;
    parse(path, &text)
}

fn parse(path: &Path, text: &str) -> Result<Settings, FileError> {
    let file: File = toml::from_str(text).map_err(|error| {
        // The parser's text has the line and the caret; one line is enough beside the file's name.
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or("");
        let line = before.matches('\n').count() + 1;
        FileError::Syntax {
            path: path.to_owned(),
            message: format!("line {line}: {}", error.message().replace('\n', "; ")),
        }
    })?;
    Settings::try_from(file).map_err(|mistakes| FileError::Values { path: path.to_owned(), mistakes })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        let refusals = parse(Path::new("sn.toml"), text).unwrap_err().refusals();
        refusals.iter().map(|one| one.render("sn")).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_file_sets_what_it_names_and_nothing_else() {
        let text =
            "bind = \"127.0.0.2\"\npool_wait_ms = 0\n[ports]\ndhcp = 6700\n[nfs]\nbackend = \"none\"\n";
        let mut config = Config::new("/d".into());
        parse(Path::new("sn.toml"), text).unwrap().apply(&mut config);
        let mut want = Config::new("/d".into());
        want.bind = Ipv4Addr::new(127, 0, 0, 2);
        want.pool_wait = Duration::ZERO;
        want.ports.dhcp = 6700;
        want.nfs = NfsBackend::None;
        assert_eq!(config, want);
        assert_eq!(parse(Path::new("sn.toml"), "").unwrap(), Settings::default());
    }

    #[test]
    fn an_unknown_key_is_refused_with_the_keys_that_exist() {
        let text = refused("[ports]\ndhpc = 67\n");
        assert!(text.contains("line 2") && text.contains("dhpc") && text.contains("dhcp_client"), "{text}");
    }

    #[test]
    fn every_wrong_value_is_named_at_once() {
        let text = refused(
            "bind = \"x\"\npool_wait_ms = -1\n[ports]\ntftp = 70000\ndns = -1\n[nfs]\nbackend = \"samba\"\n",
        );
        for word in ["bind", "pool_wait_ms", "ports.tftp", "ports.dns", "samba"] {
            assert!(text.contains(word), "{word} is missing in {text}");
        }
    }
}
