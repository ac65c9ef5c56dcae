//! What other systems write, read into [`super::incoming`] and [`super::definitions`].
//!
//! Each reader is a pure function of text: it never panics, takes time linear in the text, bounds how
//! deep it goes, and says of whatever it does not take why.

pub(crate) mod ethers;
pub(crate) mod hosts;
pub(crate) mod isc;
pub(crate) mod perceus;
pub(crate) mod warewulf;
pub(crate) mod xcat;

/// What a reader took and what it did not, a line each: for tests.
#[cfg(test)]
pub(super) fn shown(reading: &super::incoming::Reading) -> String {
    let told = reading.incoming.iter().map(|one| {
        let attributes: Vec<String> =
            one.attributes.iter().map(|(name, value)| format!("{name}={value}")).collect();
        format!("{} {} {}: {}", one.place, one.subject.kind(), one.subject, attributes.join(" "))
    });
    let notes = reading.notes.iter().map(|note| format!("not {}: {}: {}", note.place, note.what, note.why));
    told.chain(notes).collect::<Vec<_>>().join("\n")
}
