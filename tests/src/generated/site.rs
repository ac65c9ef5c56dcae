//! The site that inputs meet, and how each kind is read.

use std::fmt::Write as _;

use common::id::Revision;
use mn_core::change::Outcome;
use mn_core::command::{
    Apply, ApplyFormat, Clash, Command, Define, Given, How, Import, Mode, Source, Tabrestore,
};
use mn_core::csv;
use mn_core::exchange::includes;
use mn_core::model::Model;
use mn_core::noderange::{MOST_NAMES, Options, expand_known, fold};
use mn_core::plan;
use mn_core::table::schema::TableId;
use mn_core::table::{Tables, schema::TABLES};
use mn_core::talk::Context;

use super::{Kind, sheets};
use crate::Result;
use crate::chance::Chance;

/// Whether an input was taken, or what is wrong with how it was read.
type Read = std::result::Result<bool, String>;

/// The groups of the site, and one that it has not.
pub(super) const GROUPS: [&str; 8] = ["all", "compute", "rack1", "rack2", "dyn", "empty", "gpu", "nosuch"];

/// The nodes of the site: `n1` to `n400`.
const NODES: u64 = 400;

/// A name: of a node that is there, of one that is not, of a group.
pub(super) fn word(chance: &mut Chance) -> String {
    match chance.below(12) {
        0 => chance.of(&GROUPS).to_owned(),
        1 => format!("x{}", chance.below(40)),
        2 => format!("n{:03}", chance.below(40)),
        3 => chance.of(&["sn1", "debian", "lan", "n1-ib0", "n1.cluster.test", "N7", "a-b-1"]).to_owned(),
        _ => format!("n{}", 1 + chance.below(NODES)),
    }
}

/// A small site that has some of everything.
#[derive(Debug)]
pub(super) struct Site {
    model: Model,
}

impl Site {
    pub(super) fn new() -> Result<Self> {
        let mut text = "# <xCAT data object stanza file>\n\
            lan:\n objtype=network\n net=10.1.0.0\n mask=255.255.0.0\n\
            debian:\n objtype=osimage\n imagetype=linux\n\
            dyn:\n objtype=group\n grouptype=dynamic\n members=dynamic\n wherevals=mgt==ipmi\n\
            empty:\n objtype=group\n grouptype=static\n\
            compute:\n objtype=group\n netboot=xnba\n ip=|n(\\d+)|10.1.($1/200).($1%200+1)|\n\
            sn1:\n objtype=node\n groups=service\n ip=10.1.250.1\n setupdhcp=1\n"
            .to_owned();
        for number in 1..=NODES {
            let (rack, mgt) = (number % 2 + 1, if number % 3 == 0 { "ipmi" } else { "openbmc" });
            let (high, low) = (number / 200, number % 200);
            // Writing into memory does not fail.
            let _ = write!(
                text,
                "n{number}:\n objtype=node\n groups=compute,rack{rack},all\n mgt={mgt}\n \
                 mac=52:54:00:01:{high:02x}:{low:02x}\n"
            );
        }
        let mut model = Model::new(Tables::default(), Revision::ZERO);
        let made = plan(&model, &stanza(text), &Context::default());
        if let Some(change) = made.change {
            model.apply(change.edits(), Revision::new(1));
        }
        if model.node_count() as u64 != NODES + 1 {
            return Err(format!("the site is not made: {:?}", made.lines).into());
        }
        Ok(Self { model })
    }

    /// Reads an input.
    pub(super) fn read(&self, kind: Kind, files: &[String]) -> Read {
        let text = files.first().map_or("", String::as_str);
        match kind {
            Kind::Noderange => self.noderange(text),
            Kind::Stanza => Ok(self.planned(&stanza(text.to_owned())).status == 0),
            Kind::Csv => self.table(text),
            Kind::Apply => self.applied(text, ApplyFormat::Detect),
            Kind::Perceus => self.applied(text, ApplyFormat::Perceus),
            Kind::IscDhcpd => {
                let _ = includes(text);
                self.imported(Source::IscDhcpd, &["dhcpd.conf".to_owned()], files)
            }
            Kind::Hosts => self.imported(Source::Hosts, &["hosts".to_owned()], files),
            Kind::Ethers => self.imported(Source::Ethers, &["ethers".to_owned()], files),
            Kind::Warewulf => self.imported(Source::Warewulf, &["nodes.conf".to_owned()], files),
            Kind::Xcat => self.imported(Source::Xcat, &sheets::names(), files),
        }
    }

    fn noderange(&self, text: &str) -> Read {
        let files = |name: &str| match name {
            "list" => Some("# nodes\nn1\nn2:more\n-n3\nrack1@gpu\nnosuch\n".to_owned()),
            "long" => Some("n[1-40]\n".repeat(50)),
            "itself" => Some("^itself\nn5\n".to_owned()),
            _ => None,
        };
        let mut is_taken = false;
        for verify in [true, false] {
            let options = Options { verify, ..Options::default() };
            let Ok(found) = expand_known(text, &self.model, options, &files) else { continue };
            is_taken = true;
            if found.nodes.len() > MOST_NAMES + self.model.node_count() {
                return Err(format!("it means {} nodes", found.nodes.len()));
            }
            if !found.nodes.is_sorted() {
                return Err("its nodes are not sorted".to_owned());
            }
            // What is told to people in few words.
            let _ = fold(found.nodes.iter().take(5000).map(common::id::NodeName::as_str));
        }
        Ok(is_taken)
    }

    fn table(&self, text: &str) -> Read {
        let header = text.lines().next().unwrap_or_default();
        let table = TABLES.iter().find(|table| csv::header(table) == header);
        let table = table.map_or_else(|| TableId::named("nodelist").ok(), |table| Some(table.id()));
        let Some(table) = table else { return Ok(false) };
        let content = csv::read(table, text.as_bytes()).map(Some);
        let file = Given { table: table.name().to_owned(), content };
        let command = Command::Tabrestore(Tabrestore { mode: Mode::default(), file, how: How::Add });
        whole(self.planned(&command))
    }

    fn applied(&self, text: &str, format: ApplyFormat) -> Read {
        let command =
            Command::Apply(Apply { file: "f".into(), text: text.into(), format, ..Apply::default() });
        let first = self.planned(&command);
        let Some(change) = first.change.as_ref().filter(|_| first.status == 0) else { return whole(first) };
        let mut model = self.model.clone();
        model.apply(change.edits(), Revision::new(2));
        let again = plan(&model, &command, &Context::default());
        match again.status == 0 && again.change.is_none_or(|change| change.edits().is_empty()) {
            true => whole(first),
            false => Err(format!("applied again, it says: {:?}", again.lines)),
        }
    }

    fn imported(&self, source: Source, names: &[String], files: &[String]) -> Read {
        let skip = files.iter().map(String::len).sum::<usize>().is_multiple_of(2);
        let import = Import {
            mode: Mode::default(),
            source,
            files: names.iter().cloned().zip(files.iter().cloned()).collect(),
            clash: Clash::Overwrite,
            existing: false,
            groups: "all".to_owned(),
            skip,
            verbose: false,
        };
        let outcome = self.planned(&Command::Import(import));
        // With --skip-refused the rest is taken.
        if skip { Ok(outcome.change.is_some()) } else { whole(outcome) }
    }

    fn planned(&self, command: &Command) -> Outcome {
        plan(&self.model, command, &Context::default())
    }
}

/// What is refused changes nothing.
fn whole(outcome: Outcome) -> Read {
    match (outcome.status, outcome.change) {
        (0, _) => Ok(true),
        (_, None) => Ok(false),
        (_, Some(change)) if change.edits().is_empty() => Ok(false),
        (status, Some(_)) => Err(format!("it is refused with {status}, and changes something")),
    }
}

/// `chdef -z`, as it is sent.
fn stanza(text: String) -> Command {
    Command::Chdef(Define { stanza: Some(text), ..Define::default() })
}
