//! A whole cluster on this machine, without hardware and without root: one management node, two
//! service nodes, compute nodes; a real takeover, seen from the clients' side.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "the JSON object is this program's output")]

use std::process::ExitCode;

use clap::Parser;
use tests::{packages, programs::Programs, rehearsal, sandbox};

/// Run a whole cluster on this machine and move it from one service node to the other.
#[derive(Parser, Debug)]
#[command(name = "rehearsal", version)]
struct Options {
    /// How many compute nodes.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=2000))]
    nodes: u16,
    /// Afterwards, open a shell on the management node, with the commands on PATH.
    #[arg(long, conflicts_with = "json")]
    keep: bool,
    /// Print one JSON object instead of a story.
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let options = Options::parse();
    match run(&options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("rehearsal: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> tests::Result<bool> {
    if !sandbox::inside() {
        packages::ensure(packages::REHEARSAL)?;
        Programs::build()?;
    }
    sandbox::enter("rehearsal")?;
    let story = rehearsal::play(options.nodes, options.json, options.keep)?;
    if options.json {
        println!("{}", story.json(usize::from(options.nodes), 2)?);
    }
    Ok(story.failed() == 0)
}
