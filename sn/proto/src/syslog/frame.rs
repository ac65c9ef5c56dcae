//! Messages out of a TCP stream (RFC 6587): octet counting (`12 <13>message`) and lines, mixed
//! freely, as real senders do.
//!
//! A frame is counted when it begins with a number, a space and `<`; after one counted frame, a
//! number and a space are enough, until something else comes. Everything else is a line, which
//! ends with a newline or a NUL. A line that begins with digits is therefore a line.
//!
//! **Invariants**: how the stream is cut into reads never changes the messages; memory is bounded
//! by one message; every byte of a message that is not too long comes out.

use super::{MAX_LINE, cut};

/// The longest counted message whose length is believed, in bytes: what is over [`MAX_LINE`] is
/// skipped, and a number above this is no length.
const MAX_COUNT: usize = 1024 * 1024;
/// As many digits as [`MAX_COUNT`] has.
const MAX_DIGITS: usize = 7;

/// Cuts one connection's stream into messages.
///
/// Call [`Framer::push`] with every read, then [`Framer::finish`] once at the end.
#[derive(Clone, Debug, Default)]
pub struct Framer {
    state: State,
    /// The message so far; at most one byte longer than [`MAX_LINE`], which says that it is cut.
    message: Vec<u8>,
    /// Whether the last frame was counted.
    counted: bool,
}

#[derive(Clone, Copy, Debug, Default)]
enum State {
    /// Between frames, or in the number that may begin one; its digits are in `message`.
    #[default]
    Start,
    /// After the number and the space, which are in `message`.
    Counted { length: usize },
    /// In a counted message, of which this much is still to come.
    Body { left: usize },
    /// In a line.
    Line,
}

impl Framer {
    /// Takes the next bytes and appends the messages that they complete.
    pub fn push(&mut self, mut bytes: &[u8], messages: &mut Vec<Vec<u8>>) {
        while let Some((&byte, rest)) = bytes.split_first() {
            match self.state {
                State::Start => {
                    bytes = rest;
                    self.start(byte, messages);
                }
                State::Counted { length } if byte == b'<' => {
                    self.message.clear();
                    self.state = State::Body { left: length };
                }
                State::Counted { .. } => self.state = State::Line,
                State::Body { left } => {
                    let (body, after) = bytes.split_at(left.min(bytes.len()));
                    bytes = after;
                    self.keep(body);
                    self.state = State::Body { left: left - body.len() };
                    if left == body.len() {
                        self.counted = true;
                        self.complete(messages);
                    }
                }
                State::Line => {
                    let end = bytes.iter().position(|byte| matches!(byte, b'\n' | 0));
                    let (line, after) = bytes.split_at(end.unwrap_or(bytes.len()));
                    self.keep(line);
                    bytes = after.get(1..).unwrap_or_default();
                    if end.is_some() {
                        self.counted = false;
                        self.complete(messages);
                    }
                }
            }
        }
    }

    /// The stream is over: what was begun is a message too.
    pub fn finish(mut self, messages: &mut Vec<Vec<u8>>) {
        self.complete(messages);
    }

    fn start(&mut self, byte: u8, messages: &mut Vec<Vec<u8>>) {
        match byte {
            // Between frames: the end of an empty line, or a newline after a counted frame.
            b'\n' | 0 if self.message.is_empty() => {}
            b'\n' | 0 => self.complete(messages),
            b'1'..=b'9' if self.message.len() < MAX_DIGITS => self.message.push(byte),
            b'0' if !self.message.is_empty() && self.message.len() < MAX_DIGITS => self.message.push(byte),
            b' ' if !self.message.is_empty() => {
                let length = self.count();
                self.message.push(byte);
                self.state = match length {
                    None => State::Line,
                    Some(length) if self.counted => {
                        self.message.clear();
                        State::Body { left: length }
                    }
                    Some(length) => State::Counted { length },
                };
            }
            _ => {
                self.message.push(byte);
                self.state = State::Line;
            }
        }
    }

    /// The digits so far as a length; none when it is too large for one.
    fn count(&self) -> Option<usize> {
        let digits = std::str::from_utf8(&self.message).ok()?;
        digits.parse().ok().filter(|length| *length <= MAX_COUNT)
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = (MAX_LINE + 1).saturating_sub(self.message.len());
        self.message.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
    }

    fn complete(&mut self, messages: &mut Vec<Vec<u8>>) {
        self.state = State::Start;
        let mut message = std::mem::take(&mut self.message);
        // A message that is too long has lost its end, so that what looks like one is not.
        if message.len() <= MAX_LINE {
            trim(&mut message);
        }
        cut(&mut message);
        if !message.is_empty() {
            messages.push(message);
        }
    }
}

/// Takes the line end off a message: of a datagram, of a counted frame, the `\r` of a line.
pub fn trim(message: &mut Vec<u8>) {
    while message.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r' | 0)) {
        message.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(pieces: &[&[u8]]) -> Vec<String> {
        let (mut framer, mut messages) = (Framer::default(), Vec::new());
        pieces.iter().for_each(|piece| framer.push(piece, &mut messages));
        framer.finish(&mut messages);
        messages.iter().map(|message| String::from_utf8_lossy(message).into_owned()).collect()
    }

    #[test]
    fn lines_and_counted_frames_may_be_mixed() {
        assert_eq!(read(&[b"<13>a\n<13>b\r\n\n<13>c"]), ["<13>a", "<13>b", "<13>c"]);
        assert_eq!(read(&[b"5 <13>a6 <13>\nb7 <13>b c<13>d\n"]), ["<13>a", "<13>\nb", "<13>b c", "<13>d"]);
        assert_eq!(read(&[b"5 <13>a\n5 <13>b\n"]), ["<13>a", "<13>b"]);
        assert_eq!(read(&[b"<13>a\0<13>b\0"]), ["<13>a", "<13>b"]);
    }

    #[test]
    fn a_line_that_begins_with_a_number_is_a_line() {
        assert_eq!(read(&[b"3 blind mice\n2026\n0 <13>\n"]), ["3 blind mice", "2026", "0 <13>"]);
        assert_eq!(read(&[b"99999999 <13>a\n"]), ["99999999 <13>a"]);
        assert_eq!(read(&[b"7 "]), ["7 "]);
    }

    #[test]
    fn after_a_counted_frame_a_message_needs_no_priority() {
        assert_eq!(read(&[b"5 <13>a5 plain<13>b\n5 plain\n"]), ["<13>a", "plain", "<13>b", "5 plain"]);
    }

    #[test]
    fn what_was_begun_when_the_connection_broke_is_kept() {
        assert_eq!(read(&[b"50 <13>half"]), ["<13>half"]);
    }

    #[test]
    fn a_long_message_is_cut_with_a_mark_and_the_next_is_whole() {
        let long = "x".repeat(3 * MAX_LINE);
        for text in [format!("<13>{long}\n<13>b\n"), format!("{} <13>{long}5 <13>b", long.len() + 4)] {
            let got = read(&[text.as_bytes()]);
            assert_eq!(got.len(), 2);
            assert_eq!(got[0].len(), MAX_LINE);
            assert!(got[0].starts_with("<13>xx") && got[0].ends_with(" [cut by drover]"));
            assert_eq!(got[1], "<13>b");
        }
    }

    fn stream() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            "[0-9]{1,8} ?<?[a-z]{0,9}".prop_map(String::into_bytes),
            "<13>[a-z ]{0,12}\r?\n".prop_map(String::into_bytes),
            "[a-z]{1,12}".prop_map(|text| format!("{} <{text}", text.len() + 1).into_bytes()),
            prop::collection::vec(any::<u8>(), 0..20),
        ];
        prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn any_split_of_the_stream_gives_the_same_messages(
            bytes in stream(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        ) {
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
            prop_assert_eq!(read(&pieces), read(&[&bytes]));
        }

        #[test]
        fn counted_frames_come_out_as_they_went_in(
            messages in prop::collection::vec("<[0-9]{1,3}>\\PC{0,30}[a-z]", 0..9),
        ) {
            let stream: String = messages.iter().map(|text| format!("{} {text}", text.len())).collect();
            prop_assert_eq!(read(&[stream.as_bytes()]), messages);
        }

        #[test]
        fn lines_come_out_as_they_went_in(messages in prop::collection::vec("<[0-9]{1,3}>\\PC{0,30}[a-z]", 0..9)) {
            let stream: String = messages.iter().map(|text| format!("{text}\n")).collect();
            prop_assert_eq!(read(&[stream.as_bytes()]), messages);
        }
    }
}
