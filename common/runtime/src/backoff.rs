//! How long to wait between attempts: doubling, bounded, and spread at random so that a rack that
//! lost its service node does not come back in one instant.
//!
//! Deliberately without a random source of its own: the seed is handed in, so tests replay.

use std::time::Duration;

/// The waits between attempts at one thing.
#[derive(Clone, Debug)]
pub struct Backoff {
    first: Duration,
    most: Duration,
    next: Duration,
    random: u64,
}

impl Backoff {
    /// Waits of about `first`, then doubling up to `most`. Members of a cluster pass different
    /// seeds, such as `runtime::link::authority::random_u64()`.
    pub fn new(first: Duration, most: Duration, seed: u64) -> Self {
        Self { first, most, next: first, random: seed }
    }

    /// How long to wait now: between half and the whole of this round's wait. Never over the bound.
    #[expect(
        clippy::should_implement_trait,
        reason = "an iterator's `next` returns an Option; this never ends"
    )]
    pub fn next(&mut self) -> Duration {
        let whole = self.next.min(self.most);
        self.next = whole.saturating_mul(2).min(self.most);
        let half = whole / 2;
        half + half.mul_f64(self.fraction())
    }

    /// The last attempt succeeded: the next wait is a first one again.
    pub fn reset(&mut self) {
        self.next = self.first;
    }

    /// Between 0 and 1; SplitMix64, which needs no state but a counter.
    fn fraction(&mut self) -> f64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.random;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^= bits >> 31;
        // 32 bits are plenty, and convert without loss.
        f64::from(u32::try_from(bits >> 32).unwrap_or(u32::MAX)) / f64::from(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_bound_and_begin_again_after_success() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1), 7);
        for whole in [100, 200, 400, 800, 1000, 1000] {
            let wait = backoff.next();
            assert!(
                wait >= Duration::from_millis(whole / 2) && wait <= Duration::from_millis(whole),
                "{wait:?}"
            );
        }
        backoff.reset();
        assert!(backoff.next() <= Duration::from_millis(100));
    }

    #[test]
    fn two_seeds_wait_differently() {
        let mut one = Backoff::new(Duration::from_secs(1), Duration::from_secs(1), 1);
        let mut two = Backoff::new(Duration::from_secs(1), Duration::from_secs(1), 2);
        assert_ne!(one.next(), two.next());
    }
}
