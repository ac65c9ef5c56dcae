//! Ranges and entity tags (RFC 9110 §13 and §14).
//!
//! A request for several ranges at once is answered with the whole file, as §14.2 allows: no boot
//! client asks for them, and answering many small ones is a known way to overload a server.

/// Which part of a file is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// All of it: no range was given, or one that is to be ignored.
    Whole,
    /// The bytes from `first` to `last`, both included and both in the file.
    Part {
        /// The first.
        first: u64,
        /// The last.
        last: u64,
    },
    /// Nothing that the file has.
    Unsatisfiable,
}

/// What the value of a `Range` field wants of a file of `size` bytes.
pub fn wanted(field: &str, size: u64) -> Wanted {
    let Some((unit, set)) = field.split_once('=') else {
        return Wanted::Whole;
    };
    if !unit.trim().eq_ignore_ascii_case("bytes") || set.contains(',') {
        return Wanted::Whole;
    }
    match set.trim().split_once('-') {
        Some(("", suffix)) => number(suffix).map_or(Wanted::Whole, |length| suffix_of(length, size)),
        Some((first, "")) => number(first).map_or(Wanted::Whole, |first| part(first, u64::MAX, size)),
        Some((first, last)) => match (number(first), number(last)) {
            (Some(first), Some(last)) if first <= last => part(first, last, size),
            _ => Wanted::Whole,
        },
        None => Wanted::Whole,
    }
}

const fn suffix_of(length: u64, size: u64) -> Wanted {
    if length == 0 {
        return Wanted::Unsatisfiable;
    }
    // The last bytes of an empty file are the empty file.
    if size == 0 {
        return Wanted::Whole;
    }
    Wanted::Part { first: size.saturating_sub(length), last: size - 1 }
}

fn part(first: u64, last: u64, size: u64) -> Wanted {
    if first >= size {
        return Wanted::Unsatisfiable;
    }
    Wanted::Part { first, last: last.min(size - 1) }
}

/// Digits as a number; one that is too large is larger than every file.
fn number(digits: &str) -> Option<u64> {
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(digits.parse().unwrap_or(u64::MAX))
}

/// Whether an `If-None-Match` field names `tag` (a strong tag with its quotes): weak comparison,
/// RFC 9110 §13.1.2.
pub fn none_match_names(field: &str, tag: &str) -> bool {
    // Our tags are hexadecimal, so that no comma stands inside one that could match.
    field.split(',').map(str::trim).any(|one| one == "*" || one.strip_prefix("W/").unwrap_or(one) == tag)
}

/// Whether an `If-Range` field lets a range of the file with `tag` be sent: strong comparison,
/// RFC 9110 §13.1.5. We send no `Last-Modified`, so that a date never matches.
pub fn if_range_holds(field: &str, tag: &str) -> bool {
    field.trim() == tag
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn single_ranges() {
        use Wanted::{Part, Unsatisfiable, Whole};
        for (field, want) in [
            ("bytes=0-0", Part { first: 0, last: 0 }),
            ("Bytes = 5-", Part { first: 5, last: 9 }),
            ("bytes=5-99999999999999999999999", Part { first: 5, last: 9 }),
            ("bytes=-3", Part { first: 7, last: 9 }),
            ("bytes=-30", Part { first: 0, last: 9 }),
            ("bytes=10-", Unsatisfiable),
            ("bytes=99999999999999999999999-", Unsatisfiable),
            ("bytes=-0", Unsatisfiable),
            ("bytes=5-4", Whole),
            ("bytes=0-1,3-4", Whole),
            ("bytes=+1-2", Whole),
            ("bytes=-", Whole),
            ("lines=1-2", Whole),
            ("", Whole),
        ] {
            assert_eq!(wanted(field, 10), want, "{field}");
        }
        assert_eq!(wanted("bytes=0-", 0), Unsatisfiable);
        assert_eq!(wanted("bytes=-1", 0), Whole);
    }

    #[test]
    fn tags_are_compared_weakly_for_none_match_and_strongly_for_ranges() {
        assert!(none_match_names("\"x\", W/\"ab\"", "\"ab\""));
        assert!(none_match_names("*", "\"ab\""));
        assert!(!none_match_names("\"abc\"", "\"ab\""));
        assert!(if_range_holds("\"ab\"", "\"ab\""));
        assert!(!if_range_holds("W/\"ab\"", "\"ab\""));
        assert!(!if_range_holds("Sat, 21 Nov 2026 08:00:00 GMT", "\"ab\""));
    }

    proptest! {
        #[test]
        fn a_part_is_in_the_file(field in "(bytes=)?[0-9,\\- ]{0,24}|\\PC{0,20}", size: u64) {
            if let Wanted::Part { first, last } = wanted(&field, size) {
                prop_assert!(first <= last && last < size);
            }
        }

        #[test]
        fn a_sound_range_is_what_was_asked(first in 0u64..500, more in 0u64..500, size in 500u64..2000) {
            let want = Wanted::Part { first, last: (first + more).min(size - 1) };
            prop_assert_eq!(wanted(&format!("bytes={first}-{}", first + more), size), want);
        }
    }
}
