//! Waiting for another process: poll a condition, with a limit far beyond what it should take.

use std::fmt::Display;
use std::time::{Duration, Instant};

use crate::Result;

/// How long a condition may take on a busy machine before the test gives up. What comes sooner is
/// seen sooner; this is for a machine that does ten other things.
pub const LONG: Duration = Duration::from_secs(90);

/// Polls `probe` until it gives a value.
///
/// # Errors
/// When it has given none within `limit`; the text says what was awaited.
pub fn until<T>(what: impl Display, limit: Duration, mut probe: impl FnMut() -> Option<T>) -> Result<T> {
    let start = Instant::now();
    let mut pause = Duration::from_millis(2);
    loop {
        if let Some(value) = probe() {
            return Ok(value);
        }
        if start.elapsed() > limit {
            return Err(format!("waited {} s in vain for {what}", limit.as_secs()).into());
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}
