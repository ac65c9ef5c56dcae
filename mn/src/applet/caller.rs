//! What an applet is given that does more than ask once: it writes a file, or asks several times.

use std::io;
use std::path::Path;

use clap::ArgMatches;
use common::wire::PROTOCOL;
use common::wire::operator::{Request, View};
use mn_core::command::{Asked, Sent};

use super::place::{Place, place};
use super::when::as_of;
use super::{print, recorded};

/// A command that goes on by itself.
pub(crate) struct Steps {
    /// What it does; gives the exit status.
    pub(super) run: Box<dyn FnOnce(&Caller) -> u8>,
    /// All that it may ask the daemon on the way. What it reads meanwhile stands for anything: the
    /// daemon looks whether words mean what was asked (`replay`).
    pub(super) asks: Vec<Asked>,
}

impl Steps {
    /// One that may ask these.
    pub(super) fn new(asks: Vec<Asked>, run: impl FnOnce(&Caller) -> u8 + 'static) -> Self {
        Self { run: Box::new(run), asks }
    }
}

/// Who asks, and where.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) name: &'static str,
    pub(crate) place: Place,
    /// The words as typed.
    pub(crate) words: Vec<String>,
    /// Whether the answer is to be JSON.
    pub(crate) json: bool,
    /// `--at`, for what is asked on the way.
    pub(crate) at: Option<String>,
}

impl Caller {
    /// Asks for one of `mn`'s own sub-commands; gives the exit status.
    pub(crate) fn ask_as(
        name: &'static str,
        matches: &ArgMatches,
        words: Vec<String>,
        json: bool,
        asked: Asked,
    ) -> u8 {
        match place(matches) {
            Ok(place) => Self { name, place, words, json, at: None }.ask(asked),
            Err(refusal) => {
                print::err(&refusal.render(name));
                1
            }
        }
    }

    /// Asks the daemon and prints what it answers; gives the exit status.
    pub(crate) fn ask(&self, asked: Asked) -> u8 {
        match self.request(asked, print::view(self.json)) {
            Some(request) => print::call(self.name, &self.place, request),
            None => 1,
        }
    }

    /// Asks the daemon and hands over what is meant for standard output, piece by piece; the rest is
    /// printed. Gives the exit status, which is 1 where a piece could not be taken.
    pub(crate) fn collect(
        &self,
        asked: Asked,
        json: bool,
        mut take: impl FnMut(&str) -> io::Result<()>,
    ) -> io::Result<u8> {
        // No terminal shows it, so it has no width and no colour.
        let asked = match as_of(self.at.clone(), asked) {
            Ok(asked) => asked,
            Err(usage) => {
                print::err(&format!("Error: {usage}"));
                return Ok(1);
            }
        };
        let Some(request) = self.request(asked, View { json, ..View::default() }) else { return Ok(1) };
        let mut taken = Ok(());
        let status = print::call_with(self.name, &self.place, request, &mut |text| {
            if taken.is_ok() {
                taken = take(text);
            }
        });
        taken.map(|()| status)
    }

    /// Says on standard error why something cannot be done here; gives the exit status.
    pub(crate) fn fail(&self, what: &str, path: &Path, error: &io::Error) -> u8 {
        print::err(&format!("{}: cannot {what} {}: {error}", self.name, path.display()));
        1
    }

    fn request(&self, asked: Asked, view: View) -> Option<Request> {
        match postcard::to_stdvec(&Sent::V1(asked)) {
            Ok(command) => {
                let words = recorded(self.words.clone());
                Some(Request { protocol: PROTOCOL, words, command, view, parts: 0 })
            }
            Err(error) => {
                print::err(&format!("{}: the command cannot be sent: {error}", self.name));
                None
            }
        }
    }
}
