//! Bytes that no client would send.

/// A source of bad bytes: the same seed, the same bytes.
#[derive(Clone, Debug)]
pub struct Noise(u64);

impl Noise {
    /// Noise of a seed, which is not 0.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// xorshift64* (Vigna, "An experimental exploration of Marsaglia's xorshift generators").
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `limit`.
    pub fn below(&mut self, limit: usize) -> usize {
        let limit = limit.max(1) as u64;
        usize::try_from(self.next() % limit).unwrap_or(0)
    }

    /// So many random bytes.
    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next().to_le_bytes()[7]).collect()
    }

    /// A valid message, cut short, with bits flipped, with a part of it repeated or overwritten by
    /// the extremes that lengths may have.
    pub fn spoil(&mut self, valid: &[u8]) -> Vec<u8> {
        let mut bytes = valid.to_vec();
        for _ in 0..=self.below(3) {
            let at = self.below(bytes.len());
            match self.below(5) {
                0 => bytes.truncate(at),
                1 => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << (at % 8)),
                2 => bytes.iter_mut().skip(at).take(4).for_each(|byte| *byte = 0xff),
                3 => bytes.iter_mut().skip(at).take(4).for_each(|byte| *byte = 0),
                _ => {
                    let part: Vec<u8> = bytes.iter().skip(at).take(64).copied().collect();
                    bytes.extend_from_slice(&part);
                }
            }
        }
        bytes
    }

    /// `count` messages: half of them spoiled from `valid`, half without any sense, of all lengths up
    /// to the longest that UDP carries.
    pub fn messages(&mut self, valid: &[Vec<u8>], count: usize) -> Vec<Vec<u8>> {
        let message = |number: usize| {
            if number.is_multiple_of(2) && !valid.is_empty() {
                let chosen = self.below(valid.len());
                return self.spoil(&valid[chosen]);
            }
            let longest = [2, 16, 64, 600, 1500, 9000, 65_000][self.below(7)];
            let length = self.below(longest);
            self.bytes(length)
        };
        (0..count).map(message).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_noise() {
        let made = |seed| Noise::new(seed).messages(&[b"a valid message".to_vec()], 100);
        assert_eq!(made(7), made(7));
        assert_ne!(made(7), made(8));
        assert!(made(7).iter().any(|message| message.len() > 1500));
    }
}
