//! Giving memory back behind whatever took it.
//!
//! What a large question took (`history`, `diff`, `export`, a change of everything, which is derived
//! behind its answer) is free once that is done, and stays with the C library. So the daemon looks at
//! its own size, and once that has risen and rests, it gives back what is free. Nothing depends on it
//! but memory.

use std::time::Duration;

use runtime::supervise::BoxError;
use tokio_util::sync::CancellationToken;

/// How often the size is looked at, and how often while it is larger than it was.
const LOOK: Duration = Duration::from_secs(1);
const SOON: Duration = Duration::from_millis(250);

/// How much larger it is to be, in pages: 6 MiB of the usual ones.
const WORTH: u64 = 1536;

/// It rests where it differs by less than this from the last look, in pages.
const REST: u64 = 256;

/// What is known of the size, in pages.
struct Size {
    /// The smallest since memory was given back last.
    floor: u64,
    /// At the last look.
    last: u64,
}

impl Size {
    const fn new(now: u64) -> Self {
        Self { floor: now, last: now }
    }

    const fn is_large(&self) -> bool {
        self.last > self.floor.saturating_add(WORTH)
    }

    /// Looks; says whether memory is to be given back now. The size after that is a new one.
    fn look(&mut self, now: u64) -> bool {
        let rests = now.abs_diff(self.last) < REST;
        *self = Self { floor: self.floor.min(now), last: now };
        rests && self.is_large()
    }
}

/// Gives free memory back whenever much was taken, until `stop`.
///
/// # Errors
/// None; a machine that does not say how large a process is has its memory left alone.
pub(super) async fn keep(stop: CancellationToken) -> Result<(), BoxError> {
    let mut size = Size::new(resident());
    loop {
        let look = if size.is_large() { SOON } else { LOOK };
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(look) => {}
        }
        if size.look(resident()) {
            tokio::task::spawn_blocking(sys::give_back_memory).await?;
            size = Size::new(resident());
        }
    }
}

/// How many pages of the process are in memory; 0 where the system does not say.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    text.split_whitespace().nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_given_back_once_the_size_has_risen_and_rests() {
        let mut size = Size::new(10_000);
        assert!(![10_000, 10_000, 10_200].map(|now| size.look(now)).contains(&true), "too little");
        assert!(![14_000, 20_000].map(|now| size.look(now)).contains(&true), "it rises still");
        assert!(size.look(20_100));
        // What nobody could give back is no reason to try again.
        let mut size = Size::new(19_000);
        assert!(![19_000, 19_000].map(|now| size.look(now)).contains(&true));
        // What has gone by itself lowers what counts as little.
        assert!(![12_000, 12_000, 15_000].map(|now| size.look(now)).contains(&true));
        assert!(size.look(15_000));
    }

    #[test]
    fn the_size_of_this_process_is_known() {
        assert!(resident() > 100);
    }
}
