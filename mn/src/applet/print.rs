//! Shows an answer on a terminal, in a pipe or in a file.

use std::ffi::OsStr;
use std::io::{self, IsTerminal, Write};
use std::path::Path;

use common::report::{Refusal, chain};
use common::wire::operator::{Reply, Request, View};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::place::Place;
use crate::client::{self, ClientError};

/// How an answer is to be shown here.
pub(crate) fn view(json: bool) -> View {
    let terminal = io::stdout().is_terminal();
    View { json, columns: columns(), color: is_colored(terminal, std::env::var_os("NO_COLOR").as_deref()) }
}

/// How wide the terminal is; none where there is none.
pub(crate) fn columns() -> Option<u16> {
    let width = || terminal_size::terminal_size().map(|(terminal_size::Width(width), _)| width);
    io::stdout().is_terminal().then(width).flatten()
}

/// Colour is for terminals, and `NO_COLOR` forbids it (<https://no-color.org>: set and not empty).
fn is_colored(terminal: bool, forbidden: Option<&OsStr>) -> bool {
    terminal && forbidden.is_none_or(OsStr::is_empty)
}

/// Text for standard output, as it is.
pub(crate) fn out(text: &str) {
    // Whoever reads us may go away (`| head`); there is nobody left to tell.
    let _ = io::stdout().lock().write_all(text.as_bytes());
}

/// A line for standard error.
pub(crate) fn err(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// Asks the daemon, prints what it says, and gives the exit status.
pub(crate) fn call(name: &str, place: &Place, request: Request) -> u8 {
    converse(name, place, request, Printer::show)
}

/// The same, with what is meant for standard output handed to `take`.
pub(crate) fn call_with(name: &str, place: &Place, request: Request, take: &mut dyn FnMut(&str)) -> u8 {
    converse(name, place, request, |printer, reply| match reply {
        Reply::Out(text) => take(&text),
        reply => printer.show(reply),
    })
}

fn converse(name: &str, place: &Place, request: Request, mut show: impl FnMut(&mut Printer, Reply)) -> u8 {
    let mut printer = Printer::new();
    let mut show = |reply| show(&mut printer, reply);
    let status = match place {
        Place::Here(dir) => client::call(dir, request, &mut show).map_err(|error| unreachable(&error, dir)),
        Place::Far(far) => client::remote::call(far, request, &mut show),
    };
    printer.finish();
    status.unwrap_or_else(|refusal| {
        err(&refusal.render(name));
        1
    })
}

/// Why the daemon of a folder does not answer.
fn unreachable(error: &ClientError, dir: &Path) -> Refusal {
    let refusal = Refusal::new(error.to_string());
    let refusal = refusal.because(std::error::Error::source(error).map_or_else(
        || "the management node's daemon does not run, or keeps its folder elsewhere".to_owned(),
        chain,
    ));
    refusal.attempt(format!(
        "mn serve --dir {}, or --dir (DROVER_DIR) if it runs elsewhere, or mn login if on another \
         machine",
        dir.display()
    ))
}

/// Prints replies as they come, the bar below them.
#[derive(Debug)]
struct Printer {
    /// There when something was in progress; draws on terminals only.
    bar: Option<ProgressBar>,
    /// Whether nobody reads standard output any more.
    is_broken: bool,
}

impl Printer {
    const fn new() -> Self {
        Self { bar: None, is_broken: false }
    }

    fn show(&mut self, reply: Reply) {
        match reply {
            Reply::Out(text) if !self.is_broken => {
                let written = self.beside_bar(|| io::stdout().lock().write_all(text.as_bytes()));
                self.is_broken = written.is_err();
            }
            Reply::Out(_) | Reply::Done { .. } => {}
            Reply::Err(text) => {
                let _ = self.beside_bar(|| io::stderr().lock().write_all(text.as_bytes()));
            }
            Reply::Progress { label, done, total } => self.progress(label, done, total),
        }
    }

    fn beside_bar<R>(&self, print: impl FnOnce() -> R) -> R {
        match &self.bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }

    fn progress(&mut self, label: String, done: u64, total: u64) {
        let bar =
            self.bar.get_or_insert_with(|| ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()));
        // Nobody knows yet of how much this is a part: the seconds are told.
        let template = if total > 0 { "{msg} [{wide_bar}] {pos}/{len}" } else { "{spinner} {msg}: {pos} s" };
        // The templates are constants; were one wrong, the default style would be shown.
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> "));
        }
        if total > 0 {
            bar.set_length(total);
        }
        bar.set_message(label);
        bar.set_position(done);
    }

    fn finish(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
        let _ = io::stdout().flush();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_is_for_terminals_and_can_be_forbidden() {
        let forbid = |word: &'static str| Some(OsStr::new(word));
        assert!(is_colored(true, None) && is_colored(true, forbid("")));
        assert!(!is_colored(true, forbid("1")) && !is_colored(true, forbid("0")));
        assert!(!is_colored(false, None));
    }
}
