//! Where commands are heard, whichever way they came: read within bounds, judged by the policy table,
//! carried out, and written into the audit log with what became of them.

use std::sync::Arc;
use std::time::Duration;

use common::report::Refusal;
use common::wire::PROTOCOL;
use common::wire::operator::{MAX_COMMAND, Request};
use mn_core::audit::{self, Entry, Outcome};
use mn_core::command::{Asked, Sent};
use mn_core::policy::{self, Denial, Facts};
use mn_core::talk::Context;
use runtime::link::stream::FrameReader;
use runtime::supervise::BoxError;
use tokio::io::AsyncRead;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tracing::debug;

use super::asker::Asker;
use super::execute;
use super::places::Places;
use crate::applet;
use crate::audit::{Left, Pending};
use crate::ground::{Ground, Replies, Site, Way};
use crate::store::book::{By, Made};

/// How long a client may take to send each part of its request, and all of them.
const PART_LIMIT: Duration = Duration::from_secs(10);
const REQUEST_LIMIT: Duration = Duration::from_secs(120);

/// The longest command of others than root and the owner, in bytes: the stanzas of 50,000 nodes.
const OTHERS_COMMAND: usize = 32 << 20;

/// How much of such commands may be in memory at once, of all of them together, in KiB.
const OTHERS_KIB: usize = 128 << 10;

/// How long who is refused waits for the word: guessing what one may do is not made faster.
const REFUSED_PAUSE: Duration = Duration::from_millis(100);

/// What a command comes by, in xCAT's words.
const CLIENT: &str = "cli";

/// How much of a noderange the audit log keeps, in characters.
const LONGEST_NODES: usize = 1024;

/// Where commands are heard. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Desk {
    pub(super) site: Site,
    room: Arc<Semaphore>,
    /// Commands that run.
    pub(super) places: Places,
    /// Operators' links.
    pub(super) links: Places,
}

impl Desk {
    /// A desk for this site.
    pub fn new(site: Site) -> Self {
        let room = Arc::new(Semaphore::new(OTHERS_KIB));
        Self { site, room, places: Places::default(), links: Places::default() }
    }

    /// The name of this management node, as it stands in its group.
    pub(crate) fn server_name(&self) -> String {
        let members = self.site.book.read().members("__mgmtnode");
        members.first().map_or_else(|| "mn".to_owned(), ToString::to_string)
    }

    /// Hears the rest of a command and answers it.
    pub(crate) async fn hear<R: AsyncRead + Unpin>(
        &self,
        asker: Asker,
        mut request: Request,
        reader: &mut FrameReader<R>,
        way: Way,
    ) {
        let room = match timeout(REQUEST_LIMIT, self.gather(&asker, reader, &mut request)).await {
            Ok(Ok(room)) => room,
            Ok(Err(error)) => {
                let why = format!("the command could not be read: {error}");
                return self.refused(asker.name(), &asker.from, &why);
            }
            Err(_) => return self.refused(asker.name(), &asker.from, "the command was not sent in time"),
        };
        let server = names_server(&request.words).then(|| self.server_name());
        let replies = Replies::new(way, request.view, server);
        let status = self.answer(&asker, request, &replies).await;
        drop(room);
        // Who has gone needs no status.
        let _ = replies.done(status).await;
    }

    /// Reads the rest of a long command; gives what keeps the memory of it counted.
    async fn gather<R: AsyncRead + Unpin>(
        &self,
        asker: &Asker,
        reader: &mut FrameReader<R>,
        request: &mut Request,
    ) -> Result<Vec<OwnedSemaphorePermit>, BoxError> {
        let most = if asker.caller.trusted { MAX_COMMAND } else { OTHERS_COMMAND };
        let mut room = Vec::new();
        for _ in 0..request.parts {
            let part = timeout(PART_LIMIT, reader.expect::<Vec<u8>>()).await??;
            if request.command.len() + part.len() > most {
                return Err("it is longer than any command".into());
            }
            if !asker.caller.trusted {
                let kib = u32::try_from(part.len() / 1024 + 1)?;
                let permit = Arc::clone(&self.room).try_acquire_many_owned(kib);
                room.push(permit.map_err(|_| "too many long commands at once")?);
            }
            request.command.extend_from_slice(&part);
        }
        Ok(room)
    }

    async fn answer(&self, asker: &Asker, request: Request, replies: &Replies) -> u8 {
        let Request { protocol, words, command, view, .. } = request;
        let name = words.first().map_or("mn", |word| applet::program(word)).to_owned();
        let asked = match postcard::from_bytes::<Sent>(&command) {
            Ok(sent) if protocol <= PROTOCOL => sent.into_asked(),
            _ => {
                self.refused(
                    asker.name(),
                    &asker.from,
                    "the command and the daemon are of different versions",
                );
                let refusal = Refusal::new("the command and the daemon are of different versions")
                    .attempt("restart the daemon after an update, or run the command that came with it");
                let _ = replies.err(refusal.render(&name)).await;
                return 1;
            }
        };
        drop(command);
        let facts = Facts::of(&asked);
        let entry = self.entry(asker, facts.known_as(&name), facts.operand().unwrap_or_default(), &words);
        let made = Made::default();
        let pending = Pending::new(&self.site.audit, entry, {
            let (book, made) = (self.site.book.clone(), made.clone());
            move || Left { seen: book.read().revision(), made: made.revisions(), why: made.why() }
        });
        let (asked, words) = match self.judge(asker, asked, words).await {
            Ok(allowed) => allowed,
            Err(denial) => {
                debug!(who = %asker.author(), command = name, why = denial.why, "command was refused");
                pending.end(Outcome::Denied(denial.why.clone()));
                if !asker.caller.trusted {
                    tokio::time::sleep(REFUSED_PAUSE).await;
                }
                let _ = replies.err(denial.render()).await;
                return 1;
            }
        };
        let context = Context { server: self.server_name(), view };
        let by = By { author: asker.author(), words: audit::blanked(&words), made };
        let ground = Ground { site: self.site.clone(), by, context, replies: replies.clone() };
        let status = execute::execute(&ground, asked).await;
        pending.end(Outcome::Ended(status));
        status
    }

    /// What the audit log says of a command, but for its outcome.
    fn entry(&self, asker: &Asker, command: &str, nodes: &str, words: &[String]) -> Entry {
        let model = self.site.book.read();
        Entry {
            at: runtime::clock::unix_seconds(),
            user: asker.name().to_owned(),
            host: asker.from.clone(),
            client: CLIENT.to_owned(),
            command: command.to_owned(),
            nodes: nodes.chars().take(LONGEST_NODES).collect(),
            words: audit::blanked(words),
            // A tab is no command, and there are many.
            skipped: command == "complete" || audit::is_skipped(&model, command, CLIENT),
            quiet: audit::is_quiet(&model),
            ..Entry::default()
        }
    }

    /// Records somebody who was refused before he could give a command.
    pub(crate) fn refused(&self, user: &str, from: &str, why: &str) {
        self.site.audit.refused(&self.site.book.read(), user, from, why);
    }

    /// Records that somebody has become an operator.
    pub(crate) fn joined(&self, user: &str, from: &str) {
        self.site.audit.joined(&self.site.book.read(), user, from);
    }

    /// Asks the policy table, on a thread that may compute for long.
    async fn judge(
        &self,
        asker: &Asker,
        asked: Asked,
        words: Vec<String>,
    ) -> Result<(Asked, Vec<String>), Denial> {
        let (model, caller) = (self.site.book.read(), asker.caller.clone());
        let judging = tokio::task::spawn_blocking(move || {
            let mut arguments = || {
                let is_proven = applet::means(&words, &asked);
                is_proven.then(|| arguments(&words, &Facts::of(&asked)))
            };
            let verdict = policy::judge(&model, &caller, &asked, &mut arguments);
            verdict.map(|_| (asked, words))
        });
        let bug = || Denial { row: None, why: "judging it failed by a bug of ours".to_owned(), remedy: None };
        judging.await.unwrap_or_else(|_| Err(bug()))
    }
}

/// The words behind the command's name, without its noderange and without where the daemon is.
fn arguments(words: &[String], facts: &Facts<'_>) -> String {
    let mut operand = facts.operand();
    let mut is_own = words.first().is_some_and(|word| applet::find(applet::program(word)).is_none());
    let mut kept: Vec<&str> = Vec::new();
    let mut words = words.iter().skip(1).map(String::as_str);
    while let Some(word) = words.next() {
        match word {
            "--dir" | "--mn" => {
                words.next();
            }
            _ if word.starts_with("--dir=") || word.starts_with("--mn=") => {}
            // A sub-command of `mn` is the command's name, and no argument of it.
            _ if is_own && word == facts.command => is_own = false,
            _ if operand == Some(word) => operand = None,
            _ => kept.push(word),
        }
    }
    kept.join(" ")
}

/// Whether each line of an answer says which server it is from: xCAT's client shows that where `-V`
/// stands behind the first word that is no option. Here the definition commands do.
fn names_server(words: &[String]) -> bool {
    let is_of_definitions = words
        .first()
        .is_some_and(|word| matches!(applet::program(word), "chdef" | "lsdef" | "mkdef" | "rmdef"));
    let mut behind = words.iter().skip(1).skip_while(|word| word.starts_with('-')).skip(1);
    is_of_definitions && behind.any(|word| matches!(word.as_str(), "-V" | "--verbose"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use mn_core::command::{Command, Define, Nodels, Operation, Operator, Query, Range};

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn arguments_are_the_words_without_the_noderange() {
        let nodes = Some(Range::new("n1"));
        let asked = Asked::Query(Query::Nodels(Nodels { nodes, ..Nodels::default() }));
        let cut = |line| arguments(&words(line), &Facts::of(&asked));
        assert_eq!(cut("nodels n1 groups"), "groups");
        assert_eq!(cut("nodels -b n1 n1"), "-b n1");
        assert_eq!(cut("nodels --dir /x n1 --mn=h:1 groups"), "groups");
        let define = Define { objects: Some(Range::new("n1")), ..Define::default() };
        let asked = Asked::Change(Command::Chdef(define));
        assert_eq!(arguments(&words("chdef n1 ip=1"), &Facts::of(&asked)), "n1 ip=1");
        let asked = Asked::Operate(Operation::Operator(Operator { remove: Some("operator".to_owned()) }));
        let line = "/usr/sbin/mn --dir /x operator rm operator";
        assert_eq!(arguments(&words(line), &Facts::of(&asked)), "rm operator");
    }

    #[test]
    fn the_server_is_named_where_xcats_client_names_it() {
        for line in ["lsdef n1 -V", "lsdef -t node n1 --verbose", "/usr/bin/chdef -V n1 -V"] {
            assert!(names_server(&words(line)), "{line}");
        }
        for line in ["lsdef -V n1", "lsdef -V", "lsdef n1 -lV", "lsdef", "nodels n1 -V"] {
            assert!(!names_server(&words(line)), "{line}");
        }
    }
}
