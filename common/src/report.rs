//! The one text a person reads when something is refused.
//!
//! A [`Refusal`] is the asker's to mend. It says what did not happen, why, and what to try, and is
//! rendered here and nowhere else:
//!
//! ```
//! use common::report::Refusal;
//!
//! let refusal = Refusal::new("stays on sn1: sn2 has no address on network mgt3")
//!     .about("n17")
//!     .because("sn2's interfaces reach mgt1, mgt2")
//!     .attempt("snmove n17 -d sn3, or give sn2 an address on mgt3");
//! let text = "\
//! snmove: n17: stays on sn1: sn2 has no address on network mgt3
//!   because  sn2's interfaces reach mgt1, mgt2
//!   try      snmove n17 -d sn3, or give sn2 an address on mgt3";
//! assert_eq!(refusal.render("snmove"), text);
//! ```

use std::fmt;

use serde::{Deserialize, Serialize};

/// Something that was asked for and is not done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// What it is about: a node, a service node, a file; empty when it is about the whole command.
    pub subject: String,
    /// What did not happen, in one clause.
    pub what: String,
    /// Why, where that is not plain from `what`.
    pub because: Option<String>,
    /// What to do about it.
    pub attempt: Option<String>,
}

impl Refusal {
    /// A refusal of the whole command.
    pub fn new(what: impl Into<String>) -> Self {
        Self { subject: String::new(), what: what.into(), because: None, attempt: None }
    }

    /// The same, about one node, service node or file.
    #[must_use]
    pub fn about(mut self, subject: impl fmt::Display) -> Self {
        self.subject = subject.to_string();
        self
    }

    /// The same, with the reason.
    #[must_use]
    pub fn because(mut self, why: impl Into<String>) -> Self {
        self.because = Some(why.into());
        self
    }

    /// The same, with what to try.
    #[must_use]
    pub fn attempt(mut self, advice: impl Into<String>) -> Self {
        self.attempt = Some(advice.into());
        self
    }

    /// The text for a person, as of the command `command`; no newline at the end.
    pub fn render(&self, command: &str) -> String {
        use fmt::Write as _;
        let mut text = format!("{command}: ");
        if !self.subject.is_empty() {
            let _ = write!(text, "{}: ", self.subject);
        }
        text.push_str(&self.what);
        for (word, line) in [("because", &self.because), ("try    ", &self.attempt)] {
            if let Some(line) = line {
                let _ = write!(text, "\n  {word}  {line}");
            }
        }
        text
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.subject.is_empty() {
            write!(f, "{}: ", self.subject)?;
        }
        f.write_str(&self.what)?;
        self.because.iter().try_for_each(|why| write!(f, "; {why}"))
    }
}

impl std::error::Error for Refusal {}

/// An error with all its causes on one line, for logs: `a: b: c`.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_what_why_and_what_to_try() {
        let refusal = Refusal::new("stays on sn1: sn2 has no address on network mgt3")
            .about("n17")
            .because("sn2's interfaces reach mgt1, mgt2")
            .attempt("snmove n17 -d sn3, or give sn2 an address on mgt3");
        insta::assert_snapshot!(refusal.render("snmove"), @r"
        snmove: n17: stays on sn1: sn2 has no address on network mgt3
          because  sn2's interfaces reach mgt1, mgt2
          try      snmove n17 -d sn3, or give sn2 an address on mgt3
        ");
    }
}
