//! Answers as they go over the wire: lines gathered into replies of a bounded size, as text or as
//! one JSON array.

use common::wire::operator::{Reply, View};
use mn_core::talk::Line;

/// How much text one reply holds, in bytes; an answer is sent when it has grown past this. Small
/// enough that the first lines of a long answer are seen at once, large enough that 100,000 lines
/// are some dozens of messages.
const CHUNK: usize = 64 << 10;

/// Turns the lines of one answer into replies.
///
/// Call [`Renderer::line`] for each line, then [`Renderer::finish`] once.
#[derive(Debug)]
pub struct Renderer {
    is_json: bool,
    /// What stands before each line of text on standard output.
    prefix: String,
    out: String,
    err: String,
    /// How many records were written, for the commas between them.
    records: u64,
}

impl Renderer {
    /// Nothing said yet. With a server, each line of text says that it is from there, in xCAT's frame.
    pub fn new(view: View, server: Option<String>) -> Self {
        let prefix = server.map_or_else(String::new, |server| format!("[{server}]: "));
        Self { is_json: view.json, prefix, out: String::new(), err: String::new(), records: 0 }
    }

    /// Takes a line; gives what is to be sent now, in order.
    pub fn line(&mut self, line: &Line) -> Vec<Reply> {
        // The two streams stay in the order in which they were written, as far as a terminal shows
        // both.
        let mut replies = Vec::new();
        match line {
            Line::Out(text) if !self.is_json => {
                replies.extend(self.take_err());
                self.put(text);
            }
            Line::Record(value) if self.is_json => {
                replies.extend(self.take_err());
                self.out.push_str(if self.records == 0 { "[\n" } else { ",\n" });
                self.out.push_str(&value.to_string());
                self.records += 1;
            }
            Line::Err(text) => {
                replies.extend(self.take_out());
                self.err.push_str(text);
                self.err.push('\n');
            }
            Line::Out(_) | Line::Record(_) => {}
        }
        if self.out.len() >= CHUNK {
            replies.extend(self.take_out());
        }
        if self.err.len() >= CHUNK {
            replies.extend(self.take_err());
        }
        replies
    }

    /// Adds text to what is said; an empty line names no server.
    fn put(&mut self, text: &str) {
        if self.prefix.is_empty() {
            self.out.push_str(text);
            self.out.push('\n');
            return;
        }
        for line in text.split('\n') {
            if !line.is_empty() {
                self.out.push_str(&self.prefix);
            }
            self.out.push_str(line);
            self.out.push('\n');
        }
    }

    /// What was not sent yet, for a command that works on in silence.
    pub fn flush(&mut self) -> Vec<Reply> {
        // Only one of them holds something: each line empties the other stream.
        self.take_err().into_iter().chain(self.take_out()).collect()
    }

    /// The rest, and the exit status.
    pub fn finish(mut self, status: u8) -> Vec<Reply> {
        if self.is_json {
            self.out.push_str(if self.records == 0 { "[]\n" } else { "\n]\n" });
        }
        let mut replies = self.flush();
        replies.push(Reply::Done { status });
        replies
    }

    fn take_out(&mut self) -> Vec<Reply> {
        parts(std::mem::take(&mut self.out)).map(Reply::Out).collect()
    }

    fn take_err(&mut self) -> Vec<Reply> {
        parts(std::mem::take(&mut self.err)).map(Reply::Err).collect()
    }
}

/// Cuts a text into pieces that fit into a message; one value of a table may be long.
fn parts(mut text: String) -> impl Iterator<Item = String> {
    const MOST: usize = common::wire::frame::MAX_FRAME / 4;
    std::iter::from_fn(move || {
        if text.len() <= MOST {
            return Some(std::mem::take(&mut text)).filter(|rest| !rest.is_empty());
        }
        // A character has at most four bytes, so a boundary is at most three bytes back.
        let at = (MOST - 3..=MOST).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(MOST);
        let rest = text.split_off(at);
        Some(std::mem::replace(&mut text, rest))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn render(json: bool, lines: &[Line], status: u8) -> (String, String) {
        let mut renderer = Renderer::new(View { json, ..View::default() }, None);
        let mut replies: Vec<Reply> = lines.iter().flat_map(|line| renderer.line(line)).collect();
        replies.extend(renderer.finish(status));
        assert_eq!(replies.pop(), Some(Reply::Done { status }));
        let mut shown = (String::new(), String::new());
        for reply in replies {
            match reply {
                Reply::Out(text) => shown.0.push_str(&text),
                Reply::Err(text) => shown.1.push_str(&text),
                other => panic!("{other:?}"),
            }
        }
        shown
    }

    #[test]
    fn text_and_errors_go_their_own_ways() {
        let lines = [Line::Out("n1".into()), Line::Err("bad".into()), Line::Out("n2".into())];
        assert_eq!(render(false, &lines, 1), ("n1\nn2\n".into(), "bad\n".into()));
    }

    #[test]
    fn each_line_may_say_where_it_is_from() {
        let mut renderer = Renderer::new(View::default(), Some("mn".to_owned()));
        let lines = [Line::Out("Object name: n1\n    groups=all".into()), Line::Out(String::new())];
        let replies: Vec<Reply> = lines.iter().flat_map(|line| renderer.line(line)).collect();
        assert_eq!(replies, []);
        let said = "[mn]: Object name: n1\n[mn]:     groups=all\n\n".to_owned();
        assert_eq!(renderer.finish(0), [Reply::Out(said), Reply::Done { status: 0 }]);
    }

    #[test]
    fn json_is_one_array_whatever_is_in_it() {
        assert_eq!(render(true, &[], 0).0, "[]\n");
        let lines = [Line::Record(json!({"a": 1})), Line::Out("text".into()), Line::Record(json!({"a": 2}))];
        let (out, _) = render(true, &lines, 0);
        assert_eq!(serde_json::from_str::<serde_json::Value>(&out).unwrap(), json!([{"a": 1}, {"a": 2}]));
    }

    #[test]
    fn a_long_line_is_cut_between_characters_and_nothing_is_lost() {
        let long = "é".repeat(common::wire::frame::MAX_FRAME);
        let mut renderer = Renderer::new(View::default(), None);
        let replies = renderer.line(&Line::Out(long.clone()));
        assert!(replies.len() > 4);
        let text = |reply: &Reply| match reply {
            Reply::Out(text) => text.clone(),
            other => panic!("{other:?}"),
        };
        let joined: String = replies.iter().map(text).collect();
        assert_eq!(joined.trim_end(), long);
    }
}
