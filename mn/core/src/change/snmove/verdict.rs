//! Whether an old owner is known to be silent, so that the target may answer.
//!
//! It is asked for only once the target has acknowledged the release. Before, the target's word
//! would be about the old epoch; and an old owner that is off asks its pool when it starts again,
//! which the target could not tell what was lost.

use common::wire::push::PeerWord;

/// What is known of an old owner that has not acknowledged its release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// What came of the target's question; none where it did not answer.
    pub word: Option<PeerWord>,
    /// Whether the old owner's link with the management node is up now.
    pub is_connected: bool,
    /// Whether an operator vouches that the old owner is off (`--force-fence`).
    pub is_vouched: bool,
}

/// What follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It has fallen silent at its peer's word.
    Silent,
    /// It is reached by nobody: taken as off.
    Off,
    /// It is taken as off because an operator vouches for it.
    Fenced,
    /// It may still answer; the move is to be taken back.
    MayAnswer,
}

/// What follows from what is known.
pub const fn verdict(asked: &Asked) -> Verdict {
    match &asked.word {
        Some(PeerWord::Heard) => Verdict::Silent,
        Some(PeerWord::Unreachable(_)) if !asked.is_connected => Verdict::Off,
        _ if asked.is_vouched => Verdict::Fenced,
        _ => Verdict::MayAnswer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_answers_only_where_the_old_owner_cannot() {
        use Verdict::{Fenced, MayAnswer, Off, Silent};
        let gone = || Some(PeerWord::Unreachable("no route".to_owned()));
        for (word, is_connected, is_vouched, want) in [
            (Some(PeerWord::Heard), false, false, Silent),
            (Some(PeerWord::Heard), true, false, Silent),
            (gone(), false, false, Off),
            (gone(), true, false, MayAnswer),
            (gone(), true, true, Fenced),
            (None, false, false, MayAnswer),
            (None, false, true, Fenced),
        ] {
            let asked = Asked { word, is_connected, is_vouched };
            assert_eq!(verdict(&asked), want, "{asked:?}");
        }
    }
}
