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

/// The longest that is waited for another try, in looks.
const LONGEST: u32 = 64;

/// What is known of the size, in pages.
///
/// A size that rests need not be free: a command may compute for seconds on what it took. So giving
/// back is tried again after one look, then two, four and so on, however little the first try gave.
#[derive(Default)]
struct Size {
    /// The smallest since memory was given back last.
    floor: u64,
    /// At the last look.
    last: u64,
    /// In how many looks to try again; 0 for not at all.
    wait: u32,
    /// How long to wait after the next try.
    next: u32,
}

impl Size {
    const fn is_large(&self) -> bool {
        self.last > self.floor.saturating_add(WORTH)
    }

    /// Looks; says whether memory is to be given back now.
    fn look(&mut self, now: u64) -> bool {
        let rests = now.abs_diff(self.last) < REST;
        self.floor = self.floor.min(now);
        self.last = now;
        if rests && self.is_large() {
            self.next = 1;
            return true;
        }
        let is_due = self.wait == 1;
        self.wait = self.wait.saturating_sub(1);
        is_due
    }

    /// Memory was given back, and this is what is left.
    const fn given_back(&mut self, now: u64) {
        *self = Self {
            floor: now,
            last: now,
            wait: self.next,
            next: if self.next < LONGEST { self.next * 2 } else { 0 },
        };
    }
}

/// Gives free memory back whenever much was taken, until `stop`.
///
/// # Errors
/// None; a machine that does not say how large a process is has its memory left alone.
pub(super) async fn keep(stop: CancellationToken) -> Result<(), BoxError> {
    // Small at first, so that what the start took is given back as well.
    let mut size = Size::default();
    loop {
        let look = if size.is_large() { SOON } else { LOOK };
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(look) => {}
        }
        if size.look(resident()) {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// At which of these looks memory is given back, where that leaves `left`.
    fn tries(size: &mut Size, sizes: impl IntoIterator<Item = u64>, left: u64) -> Vec<usize> {
        let mut tries = Vec::new();
        for (at, now) in sizes.into_iter().enumerate() {
            if size.look(now) {
                size.given_back(left);
                tries.push(at);
            }
        }
        tries
    }

    fn of(pages: u64) -> Size {
        Size { floor: pages, last: pages, ..Size::default() }
    }

    #[test]
    fn memory_is_given_back_once_the_size_has_risen_and_rests() {
        let mut size = of(10_000);
        assert_eq!(tries(&mut size, [10_000, 10_000, 10_200], 0), [0; 0], "too little");
        assert_eq!(tries(&mut size, [14_000, 20_000, 20_100], 10_000), [2], "it rose until then");
        // What has gone by itself lowers what counts as little.
        assert_eq!(tries(&mut of(19_000), [12_000, 12_000, 15_000, 15_000], 12_000), [3]);
    }

    #[test]
    fn what_gave_nothing_is_tried_again_ever_later_and_not_for_ever() {
        let looks = std::iter::repeat_n(20_000, 1_000);
        assert_eq!(tries(&mut of(10_000), looks, 20_000), [1, 2, 4, 8, 16, 32, 64, 128]);
    }

    #[test]
    fn the_size_of_this_process_is_known() {
        assert!(resident() > 100);
    }
}
