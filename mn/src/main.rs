//! The program: `argv[0]` or the first operand names what is run.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    mn::cli::main(std::env::args_os().collect())
}
