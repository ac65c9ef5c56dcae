//! `node-agent`: see the library.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    node_agent::cli::main()
}
