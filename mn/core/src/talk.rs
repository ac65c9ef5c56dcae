//! How answers are put: in the frames in which xCAT's client shows them, or as records for JSON.
//!
//! Nothing is printed here: whoever renders prints [`Line`]s, and ends with the exit status.

use common::report::Refusal;
use common::wire::operator::View;
use serde_json::Value;

/// What a command knows of whoever asked and whoever answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context {
    /// The name of the server that answers, as it stands in `Error: [xcatmn]: …`.
    pub server: String,
    /// How the answer will be shown.
    pub view: View,
}

/// A piece of an answer. A producer looks at [`View::json`] and makes either text or records for
/// standard output; what goes to standard error is text in both.
#[derive(Clone, Debug, PartialEq)]
pub enum Line {
    /// For standard output; one line or several, without the last newline.
    Out(String),
    /// For standard error, likewise.
    Err(String),
    /// For standard output when JSON is asked for: one element of the answer's array.
    Record(Value),
}

/// Writes lines in the frame in which xCAT's client shows them and
/// keeps the exit status.
#[derive(Debug)]
pub struct Talk<'a> {
    context: &'a Context,
    lines: Vec<Line>,
    status: u8,
}

impl<'a> Talk<'a> {
    /// Nothing said yet.
    pub fn new(context: &'a Context) -> Self {
        Self { context, lines: Vec::new(), status: 0 }
    }

    /// An information, on standard output (not with JSON, where records say the same).
    pub fn info(&mut self, text: impl Into<String>) {
        if !self.context.view.json {
            self.lines.push(Line::Out(text.into()));
        }
    }

    /// A warning; the exit status stays.
    pub fn warn(&mut self, text: &str) {
        self.lines.push(Line::Err(warning(self.context, text)));
    }

    /// An error: the exit status becomes 1.
    pub fn error(&mut self, text: &str) {
        self.lines.push(Line::Err(error(self.context, text)));
        self.status = 1;
    }

    /// A whole command refused, in the shape of `common::report` within xCAT's frame: the exit
    /// status becomes 1.
    pub fn refuse(&mut self, refusal: &Refusal) {
        self.lines.push(Line::Err(refusal.render("Error")));
        self.status = 1;
    }

    /// An error of one node, in the frame that xCAT's client puts around those.
    pub fn error_of(&mut self, node: impl std::fmt::Display, text: &str) {
        self.lines.push(Line::Err(format!("{node}: [{}]: Error: {text}", self.context.server)));
        self.status = 1;
    }

    /// An error with another exit status; several are joined by bits, as xCAT's client does.
    pub fn error_as(&mut self, text: &str, status: u8) {
        self.lines.push(Line::Err(error(self.context, text)));
        self.status |= status;
    }

    /// An error that xCAT prints as data, so on standard output and without a frame (with JSON, on
    /// standard error).
    pub fn complain(&mut self, text: &str, status: u8) {
        self.lines.push(match self.context.view.json {
            true => Line::Err(text.to_owned()),
            false => Line::Out(text.to_owned()),
        });
        self.status |= status;
    }

    /// An advice that follows an error: text alone, on standard error.
    pub fn hint(&mut self, text: impl Into<String>) {
        self.lines.push(Line::Err(text.into()));
    }

    /// A record, where JSON is asked for.
    pub fn record(&mut self, make: impl FnOnce() -> Value) {
        if self.context.view.json {
            self.lines.push(Line::Record(make()));
        }
    }

    /// The exit status so far.
    pub const fn status(&self) -> u8 {
        self.status
    }

    /// What was said, and the exit status.
    pub fn into_parts(self) -> (Vec<Line>, u8) {
        (self.lines, self.status)
    }
}

/// xCAT's frame around an error.
pub fn error(context: &Context, text: &str) -> String {
    format!("Error: [{}]: {text}", context.server)
}

/// xCAT's frame around a warning.
pub fn warning(context: &Context, text: &str) -> String {
    format!("Warning: [{}]: {text}", context.server)
}
