//! The names that clients send, as paths in the TFTP tree.
//!
//! Firmware writes `/x`, `x`, `//x`, `\x` and `/tftpboot/x` for the same file.
//!
//! **Invariant**: a path that comes out has no empty part, no `.` and no `..`.

use common::slice::FilePath;

/// The folder of the served tree that TFTP shows.
pub const ROOT: &str = "tftpboot/";

/// The path below [`ROOT`] that a client means; none when it is not one.
pub fn clean(name: &[u8]) -> Option<FilePath> {
    let name = std::str::from_utf8(name).ok()?.replace('\\', "/");
    // GRUB asks for `(http,…)` and such when it is set up wrongly; those are misses, not attacks.
    let path: FilePath = name.parse().ok()?;
    match path.as_str().strip_prefix(ROOT) {
        Some(below) => below.parse().ok(),
        None => Some(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_usual_spellings_mean_one_file() {
        for name in ["boot/x", "/boot/x", "//boot//x", "\\boot\\x", "/tftpboot/boot/x"] {
            assert_eq!(clean(name.as_bytes()).unwrap().as_str(), "boot/x", "{name}");
        }
    }

    #[test]
    fn no_name_leaves_the_tree() {
        for name in ["", "/", "../x", "/tftpboot/../x", "..\\x", "a/./b", "a\nb"] {
            assert_eq!(clean(name.as_bytes()), None, "{name:?}");
        }
        assert_eq!(clean(b"\xff\xfe"), None);
    }

    proptest! {
        #[test]
        fn every_path_is_clean(name: Vec<u8>) {
            if let Some(path) = clean(&name) {
                prop_assert!(path.as_str().split('/').all(|part| !matches!(part, "" | "." | "..")));
            }
        }
    }
}
