//! Any stream, in any pieces, gives the same messages; each becomes exactly one line.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sn_proto::syslog::frame::Framer;
use sn_proto::syslog::parse::file_line;

fuzz_target!(|input: (u8, &[u8])| {
    let (piece, stream) = input;
    let messages = |pieces: &mut dyn Iterator<Item = &[u8]>| {
        let (mut framer, mut messages) = (Framer::default(), Vec::new());
        pieces.for_each(|piece| framer.push(piece, &mut messages));
        framer.finish(&mut messages);
        messages
    };
    let whole = messages(&mut std::iter::once(stream));
    assert_eq!(messages(&mut stream.chunks(usize::from(piece).max(1))), whole);
    for message in whole {
        let mut file = Vec::new();
        file_line(&mut file, "2026-11-21T09:00:00Z", fuzz::NODE, &message);
        assert_eq!(file.iter().filter(|byte| **byte == b'\n').count(), 1);
    }
});
