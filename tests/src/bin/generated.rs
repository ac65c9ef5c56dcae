//! Makes a million inputs by grammars, has them read as the daemon reads them, and prints the slowest
//! of each kind and how much memory it took.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "the table is this program's output")]

use std::num::NonZero;
use std::process::ExitCode;

use clap::Parser;
use tests::generated::{Kind, Plan, run};

/// Have generated noderanges, stanza files, tables and files of other systems read; fail where one
/// panics, hangs, or takes memory without bound.
#[derive(Parser, Debug)]
#[command(name = "generated", version)]
struct Options {
    /// How many inputs, of all kinds together.
    #[arg(long, default_value_t = 1_000_000)]
    count: u64,
    /// One kind alone.
    #[arg(long, value_parser = |name: &str| Kind::named(name).ok_or_else(kinds))]
    kind: Option<Kind>,
    /// The number of the first input of each kind.
    #[arg(long, default_value_t = 0)]
    number: u64,
    /// Where all chance comes from.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// How many are read at once; as many as there are processors where nothing is said.
    #[arg(long)]
    threads: Option<NonZero<usize>>,
    /// Print the inputs in the place of reading them.
    #[arg(long, requires = "kind")]
    show: bool,
}

fn kinds() -> String {
    format!("it is one of {}", Kind::ALL.map(Kind::name).join(", "))
}

fn main() -> ExitCode {
    let Options { count, kind, number, seed, threads, show } = Options::parse();
    if let Some(kind) = kind.filter(|_| show) {
        for number in number..number + count {
            kind.input(seed, number).iter().for_each(|text| println!("{text}"));
        }
        return ExitCode::SUCCESS;
    }
    let threads =
        threads.or_else(|| std::thread::available_parallelism().ok()).unwrap_or(NonZero::<usize>::MIN);
    let plan = Plan { kind, first: number, count, seed, threads };
    let report = match run(plan, |tally| eprintln!("{tally}")) {
        Ok(report) => report,
        Err(error) => {
            eprintln!("generated: {error}");
            return ExitCode::FAILURE;
        }
    };
    println!("{report}");
    let wrong = report.wrong();
    wrong.iter().for_each(|line| eprintln!("generated: {line}"));
    if wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
