//! Logs: lines on standard error, which the service manager keeps.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

/// The environment variable that says what is logged, in `tracing-subscriber`'s directives
/// (`info`, `sn=debug,info`).
pub const VARIABLE: &str = "DROVER_LOG";

/// Begins to log. [`VARIABLE`] goes before `default_directive`; one that cannot be read is named
/// and left out. A second call changes nothing.
pub fn init(default_directive: &str) {
    let wanted = std::env::var(VARIABLE).ok().filter(|text| !text.trim().is_empty());
    let parsed = wanted.as_deref().map(EnvFilter::try_new);
    let (filter, complaint) = match parsed {
        Some(Ok(filter)) => (filter, None),
        Some(Err(error)) => (EnvFilter::new(default_directive), Some(error)),
        None => (EnvFilter::new(default_directive), None),
    };
    let colour = std::io::stderr().is_terminal();
    let begun = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(colour)
        .try_init();
    if let (Ok(()), Some(error)) = (begun, complaint) {
        tracing::warn!(%error, variable = VARIABLE, "could not read what to log; logging the default");
    }
}
