//! Large content by its hash: kernels, initial RAM disks, images, scripts.
//!
//! **Invariant**: a file under its final name is whole, verified and on disk.

use std::path::{Path, PathBuf};

use common::id::Digest;

/// Where the content with this hash stands, below the daemon's folder.
pub fn path(dir: &Path, hash: &Digest) -> PathBuf {
    let hex = hash.to_string();
    // 256 folders keep each of them short; 64 digits are always there.
    let first = hex.get(..2).unwrap_or("00");
    dir.join("content").join(first).join(&hex)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_stands_under_the_first_two_digits_of_its_hash() {
        let hash = Digest::from_bytes([0xab; 32]);
        let hex = "ab".repeat(32);
        assert_eq!(path(Path::new("/d"), &hash), PathBuf::from(format!("/d/content/ab/{hex}")));
    }
}
