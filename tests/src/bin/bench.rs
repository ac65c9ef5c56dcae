//! What a large site costs: prints tables for `docs/performance.md`.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "the tables are this program's output")]

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use tests::bench::{self, Size};
use tests::programs::Programs;

/// Measure the commands and the daemon on a large site, and print tables.
#[derive(Parser, Debug)]
#[command(name = "bench", version)]
struct Options {
    /// How many compute nodes.
    #[arg(long, default_value_t = 100_000)]
    nodes: u32,
    /// In how many groups.
    #[arg(long, default_value_t = 2000)]
    groups: u32,
    /// How often each question is asked of the large site; the median counts.
    #[arg(long, default_value_t = 5)]
    runs: u32,
    /// How often each command runs that is compared with xCAT's.
    #[arg(long, default_value_t = 15)]
    rounds: u32,
    /// Where to work: a folder that is not there yet, on the disk that is to be measured. It is
    /// removed afterwards.
    #[arg(long, default_value = "/var/tmp/drover-bench")]
    dir: PathBuf,
    /// Leave the folder as it is.
    #[arg(long)]
    keep: bool,
}

fn main() -> ExitCode {
    let options = Options::parse();
    match run(&options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            eprintln!("bench: a goal was missed");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> tests::Result<bool> {
    if options.dir.exists() {
        return Err(format!("{} is there already", options.dir.display()).into());
    }
    Programs::build_some(&["mn"])?;
    let size = Size { nodes: usize::try_from(options.nodes)?, groups: usize::try_from(options.groups)? };
    let (runs, rounds) = (usize::try_from(options.runs)?, usize::try_from(options.rounds)?);
    let played = bench::play(&options.dir, size, runs, rounds);
    if !options.keep {
        std::fs::remove_dir_all(&options.dir)?;
    }
    let (text, is_reached) = played?;
    println!("{text}");
    Ok(is_reached)
}
