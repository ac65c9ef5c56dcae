//! What an administrator may set on the management node. Everything has a default; no file is
//! needed, and a flag goes before the file.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use common::wire::MN_PORT;
use serde::Deserialize;

use crate::audit::Limits;

/// How long a command waits for the service nodes when nobody says otherwise.
const WAIT: Duration = Duration::from_secs(5);

/// The longest that it may be told to wait.
const MOST_WAIT: u64 = 3600;

/// The hosts file of every unix.
const HOSTS_FILE: &str = "/etc/hosts";

/// The checked configuration that the program uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Where service nodes and operators are listened for.
    pub listen: SocketAddr,
    /// How long a command waits until every affected service node has applied it.
    pub wait: Duration,
    /// The hosts file that `makehosts` keeps. Several clusters on one machine have one each.
    pub hosts_file: PathBuf,
    /// How much the audit log holds.
    pub audit: Limits,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::UNSPECIFIED, MN_PORT)),
            wait: WAIT,
            hosts_file: PathBuf::from(HOSTS_FILE),
            audit: Limits::default(),
        }
    }
}

/// The file, key by key.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileConfig {
    listen: Option<String>,
    wait_seconds: Option<u64>,
    hosts_file: Option<PathBuf>,
    audit_entries: Option<u64>,
    audit_days: Option<u64>,
}

/// Why a configuration is refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {path}")]
    Unreadable {
        /// Which.
        path: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// It is no TOML, or has a key that there is not.
    #[error("{path} is not understood")]
    Syntax {
        /// Which.
        path: String,
        /// Where, and which keys there are.
        #[source]
        source: Box<toml::de::Error>,
    },
    /// Values that make no sense: all of them.
    #[error("{path}: {}", .mistakes.join("; "))]
    Mistakes {
        /// Which.
        path: String,
        /// One text for each.
        mistakes: Vec<String>,
    },
}

impl Config {
    /// The configuration in a file.
    ///
    /// # Errors
    /// With all its mistakes.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let shown = path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Unreadable { path: shown.clone(), source })?;
        Self::parse(&shown, &text)
    }

    /// The configuration in `DIR/mn.toml`, or the default where there is no such file.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn of_dir(dir: &Path) -> Result<Self, ConfigError> {
        let path = dir.join("mn.toml");
        if path.exists() { Self::load(&path) } else { Ok(Self::default()) }
    }

    fn parse(path: &str, text: &str) -> Result<Self, ConfigError> {
        let file: FileConfig = toml::from_str(text)
            .map_err(|source| ConfigError::Syntax { path: path.to_owned(), source: Box::new(source) })?;
        Self::try_from(file).map_err(|mistakes| ConfigError::Mistakes { path: path.to_owned(), mistakes })
    }
}

impl TryFrom<FileConfig> for Config {
    type Error = Vec<String>;
    fn try_from(file: FileConfig) -> Result<Self, Vec<String>> {
        let mut config = Self::default();
        let mut mistakes = Vec::new();
        if let Some(text) = file.listen {
            match text.parse() {
                Ok(listen) => config.listen = listen,
                Err(_) => mistakes
                    .push(format!("listen: {text:?} is no address; write it as \"0.0.0.0:{MN_PORT}\"")),
            }
        }
        match file.wait_seconds {
            Some(seconds) if seconds > MOST_WAIT => {
                mistakes.push(format!("wait_seconds: {seconds} is more than {MOST_WAIT}"));
            }
            Some(seconds) => config.wait = Duration::from_secs(seconds),
            None => {}
        }
        match file.hosts_file {
            Some(path) if path.is_relative() => {
                mistakes
                    .push(format!("hosts_file: {:?} is relative; write it from the root", path.display()));
            }
            Some(path) => config.hosts_file = path,
            None => {}
        }
        config.audit.entries = file.audit_entries.unwrap_or(config.audit.entries);
        config.audit.days = file.audit_days.unwrap_or(config.audit.days);
        if config.audit.entries == 0 || config.audit.days == 0 {
            mistakes.push("audit_entries, audit_days: an audit log that holds nothing is none".to_owned());
        }
        if mistakes.is_empty() { Ok(config) } else { Err(mistakes) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_mistakes_are_named_at_once() {
        let error =
            Config::parse("mn.toml", "listen = \"here\"\nwait_seconds = 9999\nhosts_file = \"hosts\"")
                .unwrap_err()
                .to_string();
        assert!(error.contains("listen: \"here\"") && error.contains("wait_seconds: 9999"), "{error}");
        assert!(error.contains("hosts_file: \"hosts\" is relative"), "{error}");
    }

    #[test]
    fn an_unknown_key_is_refused_with_the_keys_there_are() {
        let error = Config::parse("mn.toml", "listne = 1").unwrap_err();
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.contains("listne") && cause.contains("wait_seconds"), "{cause}");
    }

    #[test]
    fn an_empty_file_is_the_default() {
        assert_eq!(Config::parse("mn.toml", "").unwrap(), Config::default());
        let config = Config::parse("mn.toml", "listen = \"127.0.0.1:0\"\nwait_seconds = 0").unwrap();
        assert_eq!((config.listen.port(), config.wait), (0, Duration::ZERO));
    }
}
