//! The program `sn`. It only dispatches; see [`sn::cli`].
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    sn::cli::run(sn::cli::Cli::parse())
}
