//! The target of a request as a path in the served tree.
//!
//! **Invariant**: a path that comes out of here has no part `.` or `..`, whatever was encoded how
//! often: the target is decoded once (RFC 3986 §2.4), then checked, then looked up in a map.
//! No file name is ever made from it.

use common::slice::{FilePath, FilePathError};

/// The longest target that is looked at, in bytes. A served path has at most 1,024, and each of
/// its bytes takes at most three when it is encoded.
pub const MAX_TARGET: usize = 4096;

/// Why a target names no path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// A `%` without two hexadecimal digits, or bytes that are not UTF-8.
    #[error("the target's percent-encoding is damaged")]
    Encoding,
    /// Longer than [`MAX_TARGET`].
    #[error("the target is longer than {MAX_TARGET} bytes")]
    TooLong,
    /// It is the root, or leaves the tree.
    #[error(transparent)]
    Outside(#[from] FilePathError),
}

/// The path that `target` names; a query is ignored.
///
/// # Errors
/// When it names none.
pub fn served(target: &str) -> Result<FilePath, PathError> {
    if target.len() > MAX_TARGET {
        return Err(PathError::TooLong);
    }
    let path = target.split(['?', '#']).next().unwrap_or_default();
    Ok(decode(path)?.parse()?)
}

fn decode(path: &str) -> Result<String, PathError> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(if byte == b'%' {
            let high = rest.next().and_then(digit).ok_or(PathError::Encoding)?;
            let low = rest.next().and_then(digit).ok_or(PathError::Encoding)?;
            high << 4 | low
        } else {
            byte
        });
    }
    String::from_utf8(bytes).map_err(|_| PathError::Encoding)
}

const fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn path(target: &str) -> Option<String> {
        served(target).ok().map(String::from)
    }

    #[test]
    fn targets_name_paths_of_the_tree() {
        for (target, want) in [
            ("/install/a", "install/a"),
            ("//install///a/", "install/a"),
            ("/install/a%20b%2Bc", "install/a b+c"),
            ("/install%2Fa?x=/../y#z", "install/a"),
        ] {
            assert_eq!(path(target).as_deref(), Some(want), "{target}");
        }
    }

    #[test]
    fn no_spelling_leaves_the_tree() {
        for target in ["/", "", "/..", "/a/../b", "/%2e%2e/a", "/a%2f..%2fb", "/a%5cb", "/a%00b", "/./a"] {
            assert_eq!(path(target), None, "{target}");
        }
        assert_eq!(path("/%252e%252e/a").as_deref(), Some("%2e%2e/a"), "decoded once");
        assert_eq!(served("/a%2"), Err(PathError::Encoding));
        assert_eq!(served("/a%ff"), Err(PathError::Encoding));
    }

    proptest! {
        #[test]
        fn whatever_is_asked_stays_inside(target in "(/|%2[eEfF]|\\.|%|\\PC){0,40}") {
            if let Ok(path) = served(&target) {
                prop_assert!(path.as_str().split('/').all(|part| !matches!(part, "" | "." | "..")));
            }
        }

        #[test]
        fn a_fully_encoded_path_is_the_path(name in "[a-z]{1,8}/[ -.0-~&&[^\\\\]]{3,9}") {
            let encoded: String = name.bytes().map(|byte| format!("%{byte:02x}")).collect();
            prop_assert_eq!(served(&encoded).ok(), name.parse().ok());
        }
    }
}
