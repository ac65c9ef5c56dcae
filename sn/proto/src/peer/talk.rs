//! One conversation with a peer, over one stream.

use common::id::{Epoch, NodeName};
use common::wire::peer::PeerMessage;
use common::wire::{MAX_LIST, PROTOCOL};

use super::MAX_HEARD;

/// Why a conversation is ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TalkError {
    /// The first message was another one.
    #[error("the peer did not begin with Hello")]
    NoHello,
    /// One message holds too many claims, or all together do.
    #[error("the peer claims more nodes than a cluster has")]
    TooMany,
}

/// What a message of the peer asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reaction {
    /// Nothing yet.
    None,
    /// Obey these claims; then send [`PeerMessage::Heard`] with the number.
    Obey {
        /// Nodes and epochs.
        claims: Vec<(NodeName, Epoch)>,
        /// The number.
        number: u64,
    },
    /// The peer obeys what was told up to this number.
    Heard(u64),
}

/// One side of a conversation. [`Talk::hello`] first, then [`Talk::tell`] whenever the claims
/// change, and [`Talk::take`] for each message of the peer.
#[derive(Debug, Default)]
pub struct Talk {
    greeted: bool,
    told: Option<Vec<(NodeName, Epoch)>>,
    number: u64,
    heard: u64,
    coming: Vec<(NodeName, Epoch)>,
}

impl Talk {
    /// The first message.
    pub const fn hello() -> PeerMessage {
        PeerMessage::Hello { protocol: PROTOCOL }
    }

    /// The messages that tell `claims`; none when they are told already.
    pub fn tell(&mut self, claims: Vec<(NodeName, Epoch)>) -> Vec<PeerMessage> {
        if self.told.as_ref() == Some(&claims) {
            return Vec::new();
        }
        self.number = self.number.saturating_add(1);
        // The first time even nothing is told, so that a peer that starts knows it has heard all.
        let mut messages: Vec<_> =
            claims.chunks(MAX_LIST).map(|part| PeerMessage::Own(part.to_vec())).collect();
        messages.push(PeerMessage::End(self.number));
        self.told = Some(claims);
        messages
    }

    /// What was told last, once the peer obeys it.
    pub fn confirmed(&self) -> Option<&[(NodeName, Epoch)]> {
        self.told.as_deref().filter(|_| self.is_heard())
    }

    /// Whether the peer obeys all that was told.
    pub const fn is_heard(&self) -> bool {
        self.number > 0 && self.heard >= self.number
    }

    /// Takes a message of the peer in.
    ///
    /// # Errors
    /// When it does not belong here; the conversation is over then.
    pub fn take(&mut self, message: PeerMessage) -> Result<Reaction, TalkError> {
        match message {
            // Both speak the lower version; there is only one so far.
            PeerMessage::Hello { .. } => {
                self.greeted = true;
                Ok(Reaction::None)
            }
            _ if !self.greeted => Err(TalkError::NoHello),
            PeerMessage::Own(part) => {
                if part.len() > MAX_LIST || self.coming.len() + part.len() > MAX_HEARD {
                    return Err(TalkError::TooMany);
                }
                self.coming.extend(part);
                Ok(Reaction::None)
            }
            PeerMessage::End(number) => {
                Ok(Reaction::Obey { claims: std::mem::take(&mut self.coming), number })
            }
            PeerMessage::Heard(number) => {
                // A number that was never told is nothing to rely on.
                self.heard = self.heard.max(number.min(self.number));
                Ok(Reaction::Heard(number))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(count: usize) -> Vec<(NodeName, Epoch)> {
        (0..count).map(|n| (format!("n{n}").parse().unwrap(), Epoch::new(1))).collect()
    }

    #[test]
    fn claims_arrive_whole_and_are_confirmed() {
        let (mut left, mut right) = (Talk::default(), Talk::default());
        right.take(Talk::hello()).unwrap();
        left.take(Talk::hello()).unwrap();
        let mut obeyed = None;
        for message in left.tell(claims(MAX_LIST + 1)) {
            if let Reaction::Obey { claims, number } = right.take(message).unwrap() {
                obeyed = Some((claims.len(), number));
            }
        }
        assert_eq!(obeyed, Some((MAX_LIST + 1, 1)));
        assert!(!left.is_heard());
        left.take(PeerMessage::Heard(1)).unwrap();
        assert!(left.is_heard());
        assert_eq!(left.tell(claims(MAX_LIST + 1)), [], "nothing new is not told again");
        assert_eq!(left.tell(vec![]), [PeerMessage::End(2)]);
        left.take(PeerMessage::Heard(99)).unwrap();
        assert!(left.is_heard());
        left.tell(claims(1));
        assert!(!left.is_heard(), "a number from the future confirms nothing");
    }

    #[test]
    fn a_peer_that_does_not_begin_with_hello_or_claims_too_much_is_left() {
        assert_eq!(Talk::default().take(PeerMessage::End(1)), Err(TalkError::NoHello));
        let mut talk = Talk::default();
        talk.take(Talk::hello()).unwrap();
        assert_eq!(talk.take(PeerMessage::Own(claims(MAX_LIST + 1))), Err(TalkError::TooMany));
    }
}
