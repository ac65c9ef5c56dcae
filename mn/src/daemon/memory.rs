//! Giving memory back behind whatever took it.
//!
//! What a large question took (`history`, `diff`, `export`, a change of everything, which is derived
//! behind its answer) is free once that is done, and stays with the C library. So the daemon looks at
//! itself, and once it has grown and rests, it gives back what is free. Nothing depends on it but
//! memory.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use runtime::supervise::BoxError;
use tokio_util::sync::CancellationToken;

/// How often is looked, and how often while it is larger than it was.
const LOOK: Duration = Duration::from_secs(1);
const SOON: Duration = Duration::from_millis(250);

/// How much larger it is to be, in pages: 6 MiB of the usual ones.
const WORTH: u64 = 1536;

/// It rests where it differs by less than this from the last look, in pages.
const REST: u64 = 256;

/// And where it has computed for less than this since then: what computes still needs what it took,
/// although it may take no more for seconds.
const IDLE: Duration = Duration::from_millis(25);

/// What is known of the size, in pages.
#[derive(Default)]
struct Size {
    /// The smallest since memory was given back last.
    floor: u64,
    /// At the last look.
    last: u64,
}

impl Size {
    const fn is_large(&self) -> bool {
        self.last > self.floor.saturating_add(WORTH)
    }

    /// Looks, after it has computed for `busy`; says whether memory is to be given back now.
    fn look(&mut self, now: u64, busy: Duration) -> bool {
        let rests = now.abs_diff(self.last) < REST && busy < IDLE;
        self.floor = self.floor.min(now);
        self.last = now;
        rests && self.is_large()
    }

    /// Memory was given back, and this is what is left.
    const fn given_back(&mut self, now: u64) {
        *self = Self { floor: now, last: now };
    }
}

/// Gives free memory back whenever much was taken, until `stop`.
///
/// # Errors
/// None; a machine that does not say how large a process is has its memory left alone.
pub(super) async fn keep(stop: CancellationToken) -> Result<(), BoxError> {
    // Small at first, so that what the start took is given back as well.
    let (mut size, mut before) = (Size::default(), computed());
    loop {
        let look = if size.is_large() { SOON } else { LOOK };
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(look) => {}
        }
        let now = computed();
        if size.look(resident(), now.saturating_sub(std::mem::replace(&mut before, now))) {
            tokio::task::spawn_blocking(sys::give_back_memory).await?;
            size.given_back(resident());
        }
    }
}

/// How many pages of the process are in memory; 0 where the system does not say.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    text.split_whitespace().nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0)
}

/// For how long the process has computed, on all processors together.
fn computed() -> Duration {
    clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// At which of these looks memory is given back, where that leaves `left`.
    fn tries(size: &mut Size, looks: impl IntoIterator<Item = (u64, Duration)>, left: u64) -> Vec<usize> {
        let mut tries = Vec::new();
        for (at, (now, busy)) in looks.into_iter().enumerate() {
            if size.look(now, busy) {
                size.given_back(left);
                tries.push(at);
            }
        }
        tries
    }

    fn idle(sizes: impl IntoIterator<Item = u64>) -> impl Iterator<Item = (u64, Duration)> {
        sizes.into_iter().map(|size| (size, Duration::ZERO))
    }

    const fn of(pages: u64) -> Size {
        Size { floor: pages, last: pages }
    }

    #[test]
    fn memory_is_given_back_once_the_size_has_risen_and_rests() {
        let mut size = of(10_000);
        assert_eq!(tries(&mut size, idle([10_000, 10_000, 10_200]), 0), [0; 0], "too little");
        assert_eq!(
            tries(&mut size, idle([14_000, 20_000, 20_100, 10_000]), 10_000),
            [2],
            "it rose until then"
        );
        // What has gone by itself lowers what counts as little.
        assert_eq!(tries(&mut of(19_000), idle([12_000, 12_000, 15_000, 15_000]), 12_000), [3]);
    }

    #[test]
    fn what_gave_nothing_is_not_tried_again() {
        assert_eq!(tries(&mut of(10_000), idle([20_000; 100]), 20_000), [1]);
    }

    #[test]
    fn what_computes_on_what_it_took_keeps_it_until_it_is_done() {
        let looks = [SOON, SOON, IDLE, Duration::ZERO, SOON, Duration::ZERO].map(|busy| (20_000, busy));
        assert_eq!(tries(&mut of(10_000), looks, 10_000), [3, 5]);
    }

    #[test]
    fn the_size_and_the_work_of_this_process_are_known() {
        assert!(resident() > 100);
        let before = computed();
        assert!((0..).any(|_| computed() > before));
    }
}
