//! Any body is a message of each conversation or refused, and a message survives the way back.
#![no_main]

use common::wire::{Opening, agent, content, frame, join, operator, peer, push, work};
use libfuzzer_sys::fuzz_target;

macro_rules! each {
    ($body:expr, $($message:ty),+ $(,)?) => {
        $(if let Ok(message) = frame::decode::<$message>($body) {
            let bytes = frame::encode(&message).expect("what was short enough still is");
            let body = bytes.get(4..).unwrap_or_default();
            // Not all bytes are the only spelling of a message, so messages are compared, as text.
            let again = frame::decode::<$message>(body).expect("our own bytes");
            assert_eq!(format!("{again:?}"), format!("{message:?}"));
        })+
    };
}

fuzz_target!(|body: &[u8]| {
    if let Some(header) = body.first_chunk() {
        let _ = frame::body_len(*header);
    }
    each!(
        body,
        Opening,
        agent::FromAgent,
        agent::ToAgent,
        content::Fetched,
        join::JoinRequest,
        join::RelayedJoin,
        join::JoinAnswer,
        operator::Reply,
        peer::PeerMessage,
        push::ToSn,
        push::FromSn,
        work::RunResult,
    );
});
