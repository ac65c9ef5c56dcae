//! A block of our own in a file that is someone else's.

/// The first line of the block.
pub(super) const BEGIN: &str = "# drover begin";
/// The last line of the block.
pub(super) const END: &str = "# drover end";

/// `text` with the block holding exactly `lines`: in its place where there is one, else at the end.
/// With no lines the block goes away. What is outside is kept to the letter.
pub(super) fn with_block(text: &str, lines: &[String]) -> String {
    let (before, after) = around(text);
    let mut new = before.to_owned();
    if !lines.is_empty() {
        if !new.is_empty() && !new.ends_with('\n') {
            new.push('\n');
        }
        for line in [BEGIN].into_iter().chain(lines.iter().map(String::as_str)).chain([END]) {
            new.push_str(line);
            new.push('\n');
        }
    }
    new.push_str(after);
    new
}

/// What stands before and after the block. A block whose end is missing ends with its first line:
/// what follows may be someone's.
fn around(text: &str) -> (&str, &str) {
    let Some(begin) = line_start(text, BEGIN) else { return (text, "") };
    let (before, rest) = text.split_at(begin);
    let last = line_start(rest, END).unwrap_or(0);
    let (_, from_last) = rest.split_at(last);
    let after = from_last.split_once('\n').map_or("", |(_, after)| after);
    (before, after)
}

/// Where the line that is exactly `wanted` begins.
fn line_start(text: &str, wanted: &str) -> Option<usize> {
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        if line.trim_end() == wanted {
            return Some(at);
        }
        at += line.len();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lines(lines: &[&str]) -> Vec<String> {
        lines.iter().map(|line| (*line).to_owned()).collect()
    }

    #[test]
    fn the_block_is_replaced_where_it_stands() {
        let text = "a\n# drover begin\nold\n# drover end\nb\n";
        assert_eq!(with_block(text, &lines(&["new"])), "a\n# drover begin\nnew\n# drover end\nb\n");
        assert_eq!(with_block(text, &[]), "a\nb\n");
    }

    #[test]
    fn a_file_without_a_last_newline_keeps_its_last_line() {
        assert_eq!(with_block("a", &lines(&["x"])), "a\n# drover begin\nx\n# drover end\n");
    }

    #[test]
    fn a_block_without_an_end_swallows_nothing() {
        let text = "a\n# drover begin\nmine\n";
        assert_eq!(with_block(text, &lines(&["x"])), "a\n# drover begin\nx\n# drover end\nmine\n");
    }

    proptest! {
        #[test]
        fn a_second_time_changes_nothing(text in "([a-c#]|# drover begin\n|# drover end\n|\n){0,12}") {
            let once = with_block(&text, &lines(&["x"]));
            prop_assert_eq!(with_block(&once, &lines(&["x"])), once);
        }
    }
}
