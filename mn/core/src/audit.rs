//! The record of who gave which command, whatever became of it: what one entry holds, how it looks in
//! xCAT's `auditlog` table, and what is taken out of it first.
//!
//! Secrets are blanked before anything is stored ([`blanked`]): a value behind the name of an
//! attribute or an option that holds one, and the secret of a join token.

use serde::{Deserialize, Serialize};

use crate::model::{Model, split};
use crate::table::{Row, RowKey};

/// What stands in the place of a secret, as in xCAT.
const BLANK: &str = "xxxxxxxx";

/// The most that is kept of a command's words, in bytes.
const LONGEST: usize = 4096;

/// One command that was given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its running number; 0 until it is stored.
    #[serde(default)]
    pub id: u64,
    /// When it was given, in seconds since 1970.
    pub at: u64,
    /// Who: a user's name, or the one in a certificate.
    pub user: String,
    /// The machine it came from.
    pub host: String,
    /// `cli` for a command; `link` for somebody who did not get as far as giving one.
    pub client: String,
    /// What it is called.
    pub command: String,
    /// Its noderange.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub nodes: String,
    /// The words as typed, the program's name first, without secrets.
    pub words: Vec<String>,
    /// What became of it.
    pub outcome: Outcome,
    /// The newest revision when it ended, or was refused; 0 where that is not known. So a command
    /// that made none has its place between those that did.
    #[serde(default)]
    pub seen: u64,
    /// The revisions that it made, of many the first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub made: Vec<u64>,
    /// Why it was refused by what it was about, wholly or in part.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
    /// Whether `site.auditskipcmds` keeps it out of the `auditlog` table and the system's log.
    #[serde(default, skip_serializing_if = "is_false")]
    pub skipped: bool,
    /// Whether `site.auditnosyslog` keeps it out of the system's log.
    #[serde(default, skip_serializing_if = "is_false")]
    pub quiet: bool,
}

/// What became of a command.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was allowed, and ended with this status.
    Ended(u8),
    /// It was allowed, and its end was not seen: whoever gave it went away, or the daemon stopped.
    #[default]
    CutOff,
    /// It was refused, for this reason.
    Denied(String),
    /// So many more like the one before, of the same caller, were refused in the same minute.
    More(u64),
    /// So many commands were not recorded, as the disk did not keep up or was full.
    Lost(u64),
}

impl Outcome {
    /// Whether the command was refused.
    pub const fn is_denied(&self) -> bool {
        matches!(self, Self::Denied(_) | Self::More(_))
    }

    /// Whether it was allowed and did not do all that it was to.
    pub const fn is_failed(&self) -> bool {
        matches!(self, Self::CutOff) || matches!(self, Self::Ended(status) if *status != 0)
    }

    /// The exit status; none where it did not come to one.
    pub const fn status(&self) -> Option<u8> {
        match self {
            Self::Ended(status) => Some(*status),
            _ => None,
        }
    }

    /// What kind of outcome it is, in one word, for programs.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Ended(_) => "ended",
            Self::CutOff => "cut off",
            Self::Denied(_) | Self::More(_) => "refused",
            Self::Lost(_) => "lost",
        }
    }

    /// In words.
    pub fn text(&self) -> String {
        match self {
            Self::Ended(status) => format!("exit {status}"),
            Self::CutOff => "not ended".to_owned(),
            Self::Denied(why) => why.clone(),
            Self::More(count) => format!("{count} more"),
            Self::Lost(count) => format!("{count} commands were not recorded"),
        }
    }
}

fn is_false(value: &bool) -> bool {
    !value
}

impl Entry {
    /// Whether the system's log has it too.
    pub const fn is_for_syslog(&self) -> bool {
        !self.skipped && !self.quiet
    }

    /// The words behind the command's name, without its noderange.
    pub fn arguments(&self) -> String {
        let mut operand = Some(&self.nodes).filter(|nodes| !nodes.is_empty());
        let words = self.words.iter().skip(1).filter(|word| {
            let is_operand = operand == Some(*word);
            if is_operand {
                operand = None;
            }
            !is_operand
        });
        words.map(String::as_str).collect::<Vec<_>>().join(" ")
    }

    /// Its row in the `auditlog` table; `time` writes a moment as xCAT does.
    pub fn row(&self, time: &dyn Fn(u64) -> String) -> (RowKey, Row) {
        let id = self.id.to_string();
        let row = Row::new()
            .with("recid", &id)
            .with("audittime", &time(self.at))
            .with("userid", &self.user)
            .with("clientname", &self.host)
            .with("clienttype", &self.client)
            .with("command", &self.command)
            .with("noderange", &self.nodes)
            .with("args", &self.arguments())
            .with("status", if self.outcome.is_denied() { "Denied" } else { "Allowed" })
            .with("comments", &self.outcome.text());
        (RowKey::one(&id), row)
    }
}

/// Whether `site.auditskipcmds` names a command or the way it came: `ALL`, names, `clienttype:cli`.
pub fn is_skipped(model: &Model, command: &str, client: &str) -> bool {
    split(model.site("auditskipcmds").unwrap_or_default()).any(|item| {
        item.eq_ignore_ascii_case("all")
            || item == command
            || item.strip_prefix("clienttype:").is_some_and(|kind| kind == client)
    })
}

/// Whether `site.auditnosyslog` is set.
pub fn is_quiet(model: &Model) -> bool {
    model.site("auditnosyslog").is_some_and(|value| value.trim() == "1")
}

/// The words without secrets, and not longer than anyone reads.
pub fn blanked(words: &[String]) -> Vec<String> {
    let mut kept = Vec::new();
    let mut length = 0;
    let mut is_secret_next = false;
    for word in words {
        let word = if std::mem::take(&mut is_secret_next) { BLANK.to_owned() } else { blank(word) };
        is_secret_next = word.starts_with("--") && !word.contains('=') && is_secret(&word);
        length += word.len();
        if length > LONGEST {
            kept.push("…".to_owned());
            break;
        }
        kept.push(word);
    }
    kept
}

/// A word without what is secret in it.
fn blank(word: &str) -> String {
    if let Some(at) = word.find("drover1:") {
        // Kind and name are what a token is known by; everything behind is for its bearer.
        let rest = word.get(at..).unwrap_or_default();
        let name: Vec<&str> = rest.split(':').take(3).collect();
        return format!("{}{}:{BLANK}", word.get(..at).unwrap_or_default(), name.join(":"));
    }
    let mut from = 0;
    while let Some(equals) = word.get(from..).and_then(|rest| rest.find('=')).map(|at| from + at) {
        let before = word.get(..equals).unwrap_or_default().trim_end_matches(['+', '-', ',', '^', '!', ' ']);
        let name = before.rsplit(|c: char| !(c.is_alphanumeric() || "._*-".contains(c))).next();
        let value = word.get(equals..).unwrap_or_default();
        let value = value.trim_start_matches(['=', '~']);
        if name.is_some_and(is_secret) && !value.is_empty() {
            let kept = word.len() - value.len();
            return format!("{}{BLANK}", word.get(..kept).unwrap_or_default());
        }
        from = equals + 1;
    }
    word.to_owned()
}

/// Whether what stands behind this name is a secret: `ipmi.password`, `passwd.HMC`, `--bmcpasswd`,
/// `snmppassword`, `pdu.authkey`, `switches.sshpassword`, `community`, `tokenid` …
fn is_secret(name: &str) -> bool {
    let name = name.trim_start_matches('-').to_ascii_lowercase();
    let last = name.rsplit('.').next().unwrap_or(&name);
    let holds = |text: &str| ["password", "passwd", "secret", "token"].iter().any(|word| text.contains(word));
    // `passwd.username` and `passwd.comments` are columns of a table with that name.
    let is_open = ["username", "comments", "disable", "key", "cryptmethod", "authdomain"].contains(&last);
    let is_key = ["authkey", "privkey", "productkey", "community", "snmpc", "bmcpw"].contains(&last);
    is_key || holds(last) || (name.starts_with("passwd.") && !is_open) || name == "prodkey.key"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn secrets_are_blanked_and_nothing_else_is() {
        for (line, want) in [
            ("chdef n1 bmcpassword=cluster bmc=n1-bmc", "chdef n1 bmcpassword=xxxxxxxx bmc=n1-bmc"),
            ("chdef n1 passwd.HMC=abc", "chdef n1 passwd.HMC=xxxxxxxx"),
            (
                "chtab key=system passwd.username=root passwd.password=c",
                "chtab key=system passwd.username=root passwd.password=xxxxxxxx",
            ),
            ("nodech n1 ipmi.password,=x", "nodech n1 ipmi.password,=xxxxxxxx"),
            ("lsdef -w bmcpassword==x -i bmcpassword", "lsdef -w bmcpassword==xxxxxxxx -i bmcpassword"),
            ("lsdef -w bmcpassword=~x", "lsdef -w bmcpassword=~xxxxxxxx"),
            (
                "gettab key=system,password=x passwd.username",
                "gettab key=system,password=xxxxxxxx passwd.username",
            ),
            ("x --password geheim n1", "x --password xxxxxxxx n1"),
            ("x --password=geheim n1", "x --password=xxxxxxxx n1"),
            ("chdef s1 community=public", "chdef s1 community=xxxxxxxx"),
            ("mn login drover1:operator:bob:10.0.0.1/7700:aa:bb", "mn login drover1:operator:bob:xxxxxxxx"),
            ("chdef n1 password=", "chdef n1 password="),
            ("nodels n1 passwd.password", "nodels n1 passwd.password"),
            ("chdef n1 ip=1 groups=a,b comments=a=b", "chdef n1 ip=1 groups=a,b comments=a=b"),
        ] {
            assert_eq!(blanked(&words(line)).join(" "), want, "{line}");
        }
    }

    #[test]
    fn a_command_that_never_ends_is_cut() {
        let kept = blanked(&vec!["x".repeat(100); 1000]);
        assert!(kept.len() < 50 && kept.last().is_some_and(|word| word == "…"));
    }

    #[test]
    fn an_entry_is_a_row_as_in_xcat() {
        let entry = Entry {
            id: 7,
            user: "bob".to_owned(),
            host: "ws1".to_owned(),
            client: "cli".to_owned(),
            command: "nodels".to_owned(),
            nodes: "n1-n3".to_owned(),
            words: words("nodels n1-n3 groups"),
            outcome: Outcome::Denied("row 6 denies it".to_owned()),
            ..Entry::default()
        };
        let (key, row) = entry.row(&|at| format!("at {at}"));
        assert_eq!(key.as_str(), "7");
        let cells: Vec<String> = row.cells().map(|(name, value)| format!("{name}={value}")).collect();
        insta::assert_snapshot!(cells.join(" "), @"args=groups audittime=at 0 clientname=ws1 clienttype=cli command=nodels comments=row 6 denies it noderange=n1-n3 recid=7 status=Denied userid=bob");
    }

    #[test]
    fn the_site_says_what_is_kept_out_of_the_table() {
        let skips = |value: &str, command| {
            let model = fixture::model(&format!("site auditskipcmds value={value}"));
            is_skipped(&model, command, "cli")
        };
        assert!(skips("ALL", "nodels") && skips("tabdump,nodels", "nodels") && skips("clienttype:cli", "x"));
        assert!(!skips("tabdump,clienttype:web", "nodels") && !skips("", "nodels"));
    }

    proptest::proptest! {
        #[test]
        fn no_words_panic_and_what_follows_a_password_is_gone(before in "\\PC{0,20}", secret in "[a-z0-9]{12,20}") {
            let kept = blanked(&[before, format!("password={secret}")]);
            proptest::prop_assert!(!kept.join(" ").contains(&secret));
        }
    }
}
