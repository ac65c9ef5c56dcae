//! The digest of a set, kept while the set changes.

use crate::id::Digest;

/// The sum of the hashes of the members, as a 256-bit number (AdHash, Bellare and Micciancio 1997).
///
/// Adding and removing a member cost one addition, whatever the set's size. A sum can be forged by
/// who may choose many members freely; here only the management node chooses them, over an
/// authenticated link and under a signature, and the sum has to reveal loss and disorder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    members: u64,
    words: [u64; 4],
}

impl Sum {
    /// Puts a member in.
    pub fn add(&mut self, member: &Digest) {
        self.plus(1, words(member));
    }

    /// Puts all members of another set in, which has none in common with this one.
    pub fn join(&mut self, other: &Self) {
        self.plus(other.members, other.words);
    }

    fn plus(&mut self, members: u64, words: impl IntoIterator<Item = u64>) {
        self.members = self.members.wrapping_add(members);
        let mut carry = false;
        for (word, other) in self.words.iter_mut().zip(words) {
            let (sum, over) = word.overflowing_add(other);
            let (sum, again) = sum.overflowing_add(u64::from(carry));
            (*word, carry) = (sum, over || again);
        }
    }

    /// Takes a member out that was put in before.
    pub fn remove(&mut self, member: &Digest) {
        self.members = self.members.wrapping_sub(1);
        let mut borrow = false;
        for (word, other) in self.words.iter_mut().zip(words(member)) {
            let (rest, under) = word.overflowing_sub(other);
            let (rest, again) = rest.overflowing_sub(u64::from(borrow));
            (*word, borrow) = (rest, under || again);
        }
    }

    /// The digest of the set.
    pub fn digest(&self) -> Digest {
        let mut bytes = b"drover set 1\0".to_vec();
        bytes.extend_from_slice(&self.members.to_be_bytes());
        self.words.iter().for_each(|word| bytes.extend_from_slice(&word.to_be_bytes()));
        Digest::of(&bytes)
    }
}

/// The digest as a number, least significant word first.
fn words(digest: &Digest) -> impl Iterator<Item = u64> {
    digest.as_bytes().chunks_exact(8).map(|chunk| {
        let mut word = [0; 8];
        word.copy_from_slice(chunk);
        u64::from_be_bytes(word)
    })
}
