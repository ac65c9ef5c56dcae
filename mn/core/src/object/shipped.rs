//! The templates that come with the program: stanzas in `templates.txt`, compiled in.

use std::sync::LazyLock;

use super::stanza::{self, Stanza};

/// The templates that come with the program, sorted by name.
pub(crate) static SHIPPED: LazyLock<Vec<Stanza>> = LazyLock::new(|| {
    // A test holds that it can be read.
    let mut stanzas = stanza::parse(include_str!("templates.txt")).unwrap_or_default();
    stanzas.sort_by(|a, b| a.name.cmp(&b.name));
    stanzas
});
