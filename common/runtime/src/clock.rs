//! The one place that reads clocks; everything else is given a [`Moment`] or a number of seconds.
//!
//! Deliberately without sleeping: `tokio::time` does that.

use std::sync::OnceLock;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use common::id::Moment;

/// Since this program started; never goes back, and is never moved by who sets the time.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
pub fn now() -> Moment {
    static START: OnceLock<Instant> = OnceLock::new();
    let start = *START.get_or_init(Instant::now);
    Moment::after_start(start.elapsed())
}

/// The time of day. It jumps when someone sets it.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
pub fn unix_time() -> SystemTime {
    SystemTime::now()
}

/// The time of day in seconds since 1970; zero when the clock stands before that.
pub fn unix_seconds() -> u64 {
    unix_time().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_never_go_back() {
        let (first, second) = (now(), now());
        assert!(second >= first);
        assert!(unix_seconds() > 1_700_000_000);
    }
}
