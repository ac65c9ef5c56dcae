//! The priority of a message, and the rest as it came.
//!
//! RFC 3164 and RFC 5424 agree on `<PRI>` at the front and on little else that senders keep to, so
//! that nothing else is read: no time stamp, no host name. A message without a priority is kept
//! whole.

use std::io::Write as _;
use std::net::Ipv4Addr;

/// The names of the severities (RFC 5424 §6.2.1), most urgent first.
const SEVERITIES: [&str; 8] = ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"];
/// The names of the facilities, as `logger` and rsyslog say them.
const FACILITIES: [&str; 24] = [
    "kern",
    "user",
    "mail",
    "daemon",
    "auth",
    "syslog",
    "lpr",
    "news",
    "uucp",
    "cron",
    "authpriv",
    "ftp",
    "ntp",
    "security",
    "console",
    "solaris-cron",
    "local0",
    "local1",
    "local2",
    "local3",
    "local4",
    "local5",
    "local6",
    "local7",
];

/// A message, read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// Its priority, where it has one.
    pub priority: Option<Priority>,
    /// What follows the priority, or the whole message.
    pub rest: &'a [u8],
}

/// Facility and severity. The number is below 192.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Priority(u8);

impl Priority {
    /// The priority with this number; none when it is 192 or more.
    pub fn new(number: u8) -> Option<Self> {
        (usize::from(number) < FACILITIES.len() * SEVERITIES.len()).then_some(Self(number))
    }

    /// The name of the facility, such as `daemon`.
    pub fn facility(self) -> &'static str {
        FACILITIES.get(usize::from(self.0 >> 3)).copied().unwrap_or_default()
    }

    /// The name of the severity, such as `err`.
    pub fn severity(self) -> &'static str {
        SEVERITIES.get(usize::from(self.0 & 7)).copied().unwrap_or_default()
    }
}

impl<'a> Line<'a> {
    /// Reads a message. There is none that cannot be read.
    pub fn read(message: &'a [u8]) -> Self {
        priority(message).unwrap_or(Self { priority: None, rest: message })
    }
}

fn priority(message: &[u8]) -> Option<Line<'_>> {
    let inside = message.strip_prefix(b"<")?;
    let end = inside.iter().take(4).position(|byte| *byte == b'>')?;
    let (digits, rest) = inside.split_at(end);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some(Line { priority: Some(Priority::new(number)?), rest: rest.get(1..).unwrap_or_default() })
}

/// Appends the message to `file` as one line of a log file: when it was received, from where, its
/// priority in words (`-` where it has none), and the rest. Control characters become `#` and three octal
/// digits, as in other receivers, so that one message is one line and nothing plays with a terminal.
pub fn file_line(file: &mut Vec<u8>, received: &str, sender: Ipv4Addr, message: &[u8]) {
    let line = Line::read(message);
    // Writing into memory does not fail.
    let _ = match line.priority {
        Some(priority) => {
            write!(file, "{received} {sender} {}.{} ", priority.facility(), priority.severity())
        }
        None => write!(file, "{received} {sender} - "),
    };
    for byte in line.rest {
        match byte {
            b'\t' => file.push(b'\t'),
            0..=31 | 127 => {
                let _ = write!(file, "#{byte:03o}");
            }
            _ => file.push(*byte),
        }
    }
    file.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn filed(message: &[u8]) -> String {
        let mut file = Vec::new();
        file_line(&mut file, "T", [10, 0, 0, 1].into(), message);
        String::from_utf8_lossy(&file).into_owned()
    }

    #[test]
    fn a_line_is_filed_with_its_priority_in_words() {
        assert_eq!(
            filed(b"<13>Nov 21 08:00:00 n1 me: hi"),
            "T 10.0.0.1 user.notice Nov 21 08:00:00 n1 me: hi\n"
        );
        assert_eq!(filed(b"<0>1 - - - - - -"), "T 10.0.0.1 kern.emerg 1 - - - - - -\n");
        assert_eq!(filed(b"<191>x"), "T 10.0.0.1 local7.debug x\n");
    }

    #[test]
    fn a_line_that_follows_no_rfc_is_kept_as_it_came() {
        for text in ["Use the BFG!", "<192>x", "<>x", "<-1>x", "<1234>x", "<13", "<+1>x", "< 1>x"] {
            assert_eq!(filed(text.as_bytes()), format!("T 10.0.0.1 - {text}\n"));
        }
    }

    #[test]
    fn one_message_is_one_line() {
        assert_eq!(filed(b"<13>a\nb\tc\x1b[0m"), "T 10.0.0.1 user.notice a#012b\tc#033[0m\n");
    }

    proptest! {
        #[test]
        fn no_message_breaks_the_file(message: Vec<u8>) {
            let line = filed(&message);
            prop_assert_eq!(line.matches('\n').count(), 1);
        }

        #[test]
        fn every_priority_is_read(number in 0u8..192, rest in "[a-z]{0,9}") {
            let text = format!("<{number}>{rest}");
            let line = Line::read(text.as_bytes());
            prop_assert_eq!(line, Line { priority: Priority::new(number), rest: rest.as_bytes() });
        }
    }
}
