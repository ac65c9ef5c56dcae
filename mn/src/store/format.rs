//! How things are written in the store: versions, checksums, parts.
//!
//! Every value of more than a few bytes is cut into parts of at most [`key::MAX_VALUE`], and what
//! the parts hold together is `length, BLAKE3, body`; the body is a `postcard` of an enum of
//! versions, to which variants are only appended. The golden bytes in the tests are kept for ever.

use std::fmt;

use common::id::{Digest, Generation, Revision};
use mn_core::table::schema::NoTable;
use mn_core::table::{Edit, Row, RowKey, TableId};
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Commit, key};

/// The version of the layout as a whole. A store of a higher one is refused.
pub(super) const FORMAT: u32 = 1;

/// The longest row or record, in bytes, that is believed when it is read.
const MAX_BODY: usize = 1 << 30;

/// Length (8 bytes) and BLAKE3 (32) before a body.
const HEADER: usize = 40;

/// What stands at the front of the whole store and is written with every commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    /// The last committed revision.
    pub(super) revision: Revision,
    /// The last revision whose edits are all in the rows. Lower than `revision` only while a large
    /// commit is being carried out; opening the store finishes it.
    pub(super) applied: Revision,
    /// The digest of the last journal record, which holds that of the one before it, and so on.
    pub(super) chain: Digest,
    /// The digest of the set of all rows as they are at `revision`.
    pub(super) rows: Digest,
}

/// A transaction in the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its number. A refused command has one too, and no edits.
    pub revision: Revision,
    /// When, in seconds since 1970.
    pub at: u64,
    /// Who.
    pub author: String,
    /// The command as typed.
    pub words: Vec<String>,
    /// What became of it, where that is not plain: the reason of a refusal, the name of a step.
    pub note: String,
    /// Every row it touched, before and after.
    pub edits: Vec<Edit>,
    /// For each edit, the revision that touched the same row before it; zero where none did. So the
    /// history of one row is a chain that is walked without looking at anything else.
    pub priors: Vec<Revision>,
    /// The digest of the record before it.
    pub previous: Digest,
}

/// The cells of a row as they are written: a sequence of names and values, the store's own form, so
/// that the one in memory may change.
#[derive(Clone, Copy, Debug)]
struct Cells<'a>(&'a Row);

impl Serialize for Cells<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Counted first, as the number stands in front.
        let cells: Vec<(&str, &str)> = self.0.cells().collect();
        serializer.collect_seq(cells)
    }
}

/// The same, read.
#[derive(Clone, Debug)]
struct ReadCells(Row);

impl<'de> Deserialize<'de> for ReadCells {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Lent out of the bytes: a large store has millions of cells.
        let cells = Vec::<(&str, &str)>::deserialize(deserializer)?;
        Ok(Self(cells.into_iter().collect()))
    }
}

/// A row as it is written.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct WrittenRow<'a> {
    /// The revision that left it so. It stands first, where [`touched_by`] finds it.
    by: Revision,
    cells: Cells<'a>,
}

impl<'a> WrittenRow<'a> {
    pub(super) const fn new(row: &'a Row, by: Revision) -> Self {
        Self { by, cells: Cells(row) }
    }
}

/// The same, read.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct ReadRow {
    #[serde(rename = "by")]
    _by: Revision,
    cells: ReadCells,
}

impl ReadRow {
    pub(super) fn into_row(self) -> Row {
        self.cells.0
    }
}

/// The revision that last touched a row, as the first part of it says; none where it cannot be read.
pub(super) fn touched_by(first: &[u8]) -> Option<Revision> {
    let (Versioned::V1(revision), _) = postcard::take_from_bytes(first.get(HEADER..)?).ok()?;
    Some(revision)
}

/// What is left of a row that was removed: the revision that did it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Grave(pub(super) Revision);

/// Where the journal begins: what was before is forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Base {
    /// The last revision whose record is gone.
    pub(super) revision: Revision,
    /// The digest of that record, which the next one holds.
    pub(super) chain: Digest,
}

impl Base {
    /// Nothing is forgotten.
    pub(super) const WHOLE: Self = Self { revision: Revision::ZERO, chain: Digest::from_bytes([0; 32]) };
}

/// An [`Edit`] as it is written.
#[derive(Clone, Debug, Serialize)]
struct WrittenEdit<'a> {
    table: &'a str,
    key: &'a str,
    before: Option<Cells<'a>>,
    after: Option<Cells<'a>>,
    prior: Revision,
}

impl<'a> WrittenEdit<'a> {
    fn new(edit: &'a Edit, prior: Revision) -> Self {
        Self {
            table: edit.table.name(),
            key: edit.key.as_str(),
            before: edit.before.as_ref().map(Cells),
            after: edit.after.as_ref().map(Cells),
            prior,
        }
    }
}

/// The same, read.
#[derive(Clone, Debug, Deserialize)]
struct ReadEdit {
    table: String,
    key: String,
    before: Option<ReadCells>,
    after: Option<ReadCells>,
    prior: Revision,
}

impl TryFrom<ReadEdit> for Edit {
    type Error = NoTable;
    fn try_from(read: ReadEdit) -> Result<Self, NoTable> {
        Ok(Self {
            table: TableId::named(&read.table)?,
            key: RowKey::one(&read.key),
            before: read.before.map(|cells| cells.0),
            after: read.after.map(|cells| cells.0),
        })
    }
}

/// A [`Record`] as it is written.
#[derive(Clone, Debug, Serialize)]
pub(super) struct WrittenRecord<'a> {
    /// It stands first, where [`link`] finds it.
    revision: Revision,
    at: u64,
    author: &'a str,
    words: &'a [String],
    note: &'a str,
    edits: Vec<WrittenEdit<'a>>,
    /// It stands last, where [`link`] finds it.
    previous: Digest,
}

impl<'a> WrittenRecord<'a> {
    /// The record of a commit; `priors` are as in [`Record`].
    pub(super) fn new(commit: &'a Commit, revision: Revision, priors: &[Revision], previous: Digest) -> Self {
        let priors = priors.iter().copied().chain(std::iter::repeat(Revision::ZERO));
        Self {
            revision,
            at: commit.at,
            author: &commit.author,
            words: &commit.words,
            note: &commit.note,
            edits: commit
                .edits
                .iter()
                .zip(priors)
                .map(|(edit, prior)| WrittenEdit::new(edit, prior))
                .collect(),
            previous,
        }
    }
}

/// A [`Record`] without its edits, of which there may be hundreds of thousands.
#[derive(Clone, Debug, Deserialize)]
pub struct Brief {
    /// Its number.
    pub revision: Revision,
    /// When, in seconds since 1970.
    pub at: u64,
    /// Who.
    pub author: String,
    /// The command as typed.
    pub words: Vec<String>,
    /// What became of it, where that is not plain.
    pub note: String,
    /// How many rows it touched: the number that stands before them.
    pub rows: usize,
}

/// What stands before the edits of a record, and where they begin in its sealed bytes.
pub(super) fn brief(sealed: &[u8]) -> Result<(Brief, usize), Damage> {
    let (body, _) = opened(sealed)?;
    let (Versioned::V1(brief), rest) = postcard::take_from_bytes(body).map_err(|_| Damage::Unreadable)?;
    Ok((brief, sealed.len() - rest.len()))
}

/// One edit of a record, passed over.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct Passed<'a> {
    pub(super) table: &'a str,
    pub(super) key: &'a str,
    #[serde(rename = "before")]
    _before: Option<PassedCells>,
    #[serde(rename = "after")]
    _after: Option<PassedCells>,
    #[serde(rename = "prior")]
    _prior: Revision,
}

/// The cells of a row, of which nothing is kept.
#[derive(Clone, Copy, Debug)]
struct PassedCells;

impl<'de> Deserialize<'de> for PassedCells {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Over;
        impl<'de> Visitor<'de> for Over {
            type Value = PassedCells;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("cells")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut cells: A) -> Result<PassedCells, A::Error> {
                while cells.next_element::<(&str, &str)>()?.is_some() {}
                Ok(PassedCells)
            }
        }
        deserializer.deserialize_seq(Over)
    }
}

/// The edit at the start of these bytes, and the bytes behind it.
pub(super) fn pass(bytes: &[u8]) -> Result<(Passed<'_>, &[u8]), Damage> {
    postcard::take_from_bytes(bytes).map_err(|_| Damage::Unreadable)
}

/// The same, read: the edit, and the revision that touched its row before.
pub(super) fn read_edit(bytes: &[u8]) -> Result<(Edit, Revision), Damage> {
    let (read, _) = postcard::take_from_bytes::<ReadEdit>(bytes).map_err(|_| Damage::Unreadable)?;
    let prior = read.prior;
    Ok((Edit::try_from(read).map_err(|_| Damage::Unreadable)?, prior))
}

/// The same, read.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct ReadRecord {
    revision: Revision,
    at: u64,
    author: String,
    words: Vec<String>,
    note: String,
    edits: Vec<ReadEdit>,
    previous: Digest,
}

impl TryFrom<ReadRecord> for Record {
    type Error = NoTable;
    fn try_from(read: ReadRecord) -> Result<Self, NoTable> {
        let ReadRecord { revision, at, author, words, note, edits, previous } = read;
        let priors = edits.iter().map(|edit| edit.prior).collect();
        let edits = edits.into_iter().map(Edit::try_from).collect::<Result<_, _>>()?;
        Ok(Self { revision, at, author, words, note, edits, priors, previous })
    }
}

/// What holds the journal together, of the sealed bytes of one record: its revision, the digest of
/// the record before it and its own. The edits are not looked at, of which there may be millions.
pub(super) fn link(sealed: &[u8]) -> Result<(Revision, Digest, Digest), Damage> {
    let (body, digest) = opened(sealed)?;
    let (Versioned::V1(revision), _) = postcard::take_from_bytes(body).map_err(|_| Damage::Unreadable)?;
    let previous = body.last_chunk::<32>().ok_or(Damage::Unreadable)?;
    Ok((revision, Digest::from_bytes(*previous), digest))
}

/// The generation of a service node's slice, as it was last pushed or is about to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Issued {
    /// The number.
    pub generation: Generation,
    /// Of the slice that has it.
    pub digest: Digest,
}

/// How far the reports and log lines of a service node are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// The series in which the service node numbers them.
    pub series: u64,
    /// The last report.
    pub reports: u64,
}

/// The versions of a body. Variants are only appended.
#[derive(Serialize, Deserialize)]
enum Versioned<T> {
    V1(T),
}

/// A kind of thing that is written; named, so that nothing is written by mistake.
pub(super) trait Written: Serialize {}
/// The same, as it is read.
pub(super) trait Body: for<'de> Deserialize<'de> {}
impl Written for Head {}
impl Body for Head {}
impl Written for WrittenRecord<'_> {}
impl Body for ReadRecord {}
impl Written for WrittenRow<'_> {}
impl Body for ReadRow {}
impl Written for Issued {}
impl Body for Issued {}
impl Written for Cursor {}
impl Body for Cursor {}
impl Written for Grave {}
impl Body for Grave {}
impl Written for Base {}
impl Body for Base {}

/// Why bytes are not what they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// A part is absent or too short.
    #[error("it is not whole")]
    NotWhole,
    /// The checksum does not hold.
    #[error("its checksum does not hold")]
    Checksum,
    /// It is whole and stands in another's place.
    #[error("it stands in another's place")]
    Misplaced,
    /// The checksum holds and the bytes do not decode: a newer program wrote them.
    #[error("it is written in a way that this version does not know")]
    Unreadable,
}

/// `length, BLAKE3, body`.
pub(super) fn seal<T: Written>(value: &T) -> Vec<u8> {
    /// What most rows fit into.
    const MOST: usize = 256;
    let mut header = Vec::with_capacity(MOST);
    header.resize(HEADER, 0);
    // Plain data always encodes: no sequence of unknown length, no foreign serializer.
    let mut bytes = postcard::to_extend(&Versioned::V1(value), header).unwrap_or_default();
    if let Some((header, body)) = bytes.split_at_mut_checked(HEADER) {
        let (length, digest) = header.split_at_mut(8);
        length.copy_from_slice(&(body.len() as u64).to_be_bytes());
        digest.copy_from_slice(Digest::of(body).as_bytes());
    }
    bytes
}

/// The value, and the digest of its body.
pub(super) fn unseal<T: Body>(bytes: &[u8]) -> Result<(T, Digest), Damage> {
    let (body, digest) = opened(bytes)?;
    let Versioned::V1(value) = postcard::from_bytes(body).map_err(|_| Damage::Unreadable)?;
    Ok((value, digest))
}

/// The body, whose checksum holds, and its digest.
fn opened(sealed: &[u8]) -> Result<(&[u8], Digest), Damage> {
    let (length, rest) = sealed.split_first_chunk::<8>().ok_or(Damage::NotWhole)?;
    let (digest, body) = rest.split_first_chunk::<32>().ok_or(Damage::NotWhole)?;
    let length = usize::try_from(u64::from_be_bytes(*length)).unwrap_or(usize::MAX);
    if length != body.len() || length > MAX_BODY {
        return Err(Damage::NotWhole);
    }
    let digest = Digest::from_bytes(*digest);
    if Digest::of(body) == digest { Ok((body, digest)) } else { Err(Damage::Checksum) }
}

/// The digest of the body of sealed bytes; all zeros where they are too short to have one.
pub(super) fn digest(sealed: &[u8]) -> Digest {
    let found = sealed.get(8..HEADER).and_then(|bytes| bytes.try_into().ok());
    Digest::from_bytes(found.unwrap_or_default())
}

/// How many parts sealed bytes have, as their first part tells.
pub(super) fn parts_of(first: &[u8]) -> u32 {
    let length = first.first_chunk::<8>().map_or(0, |bytes| u64::from_be_bytes(*bytes));
    let parts = length.saturating_add(HEADER as u64).div_ceil(key::MAX_VALUE as u64);
    u32::try_from(parts).unwrap_or(u32::MAX).max(1)
}

/// The member of the set of rows that this row is: its key with the digest of its content.
pub(super) fn member(base: &[u8], content: &Digest) -> Digest {
    let mut hasher = blake3::Hasher::new();
    hasher.update(base).update(content.as_bytes());
    Digest::from_bytes(*hasher.finalize().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn version_1_bytes_are_kept_for_ever() {
        let row = Row::new().with("node", "n1").with("ip", "10.0.0.1");
        let sealed = seal(&WrittenRow::new(&row, Revision::new(9)));
        assert_eq!(&sealed[HEADER..], b"\0\x09\x02\x02ip\x0810.0.0.1\x04node\x02n1");
        assert_eq!(touched_by(&sealed), Some(Revision::new(9)));
        let cursor = Cursor { series: 3, reports: 300 };
        assert_eq!(&seal(&cursor)[HEADER..], [0, 3, 0xac, 2]);
        let commit =
            Commit { author: "root".to_owned(), at: 1, words: vec!["chdef".to_owned()], ..Commit::default() };
        let previous = Digest::from_bytes([0; 32]);
        let sealed = seal(&WrittenRecord::new(&commit, Revision::new(7), &[], previous));
        let mut want = b"\0\x07\x01\x04root\x01\x05chdef\0\0".to_vec();
        want.extend_from_slice(&[0; 32]);
        assert_eq!(&sealed[HEADER..], want);
        assert_eq!(link(&sealed), Ok((Revision::new(7), previous, digest(&sealed))));
    }

    #[test]
    fn a_flipped_bit_is_noticed() {
        let mut bytes = seal(&Cursor { series: 1, reports: 2 });
        bytes[HEADER + 1] ^= 1;
        assert_eq!(unseal::<Cursor>(&bytes), Err(Damage::Checksum));
        assert_eq!(unseal::<Cursor>(&bytes[..HEADER]), Err(Damage::NotWhole));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let _ = (unseal::<ReadRecord>(&bytes), link(&bytes), brief(&bytes).is_ok());
            let _ = (pass(&bytes).is_ok(), read_edit(&bytes).is_ok());
            let _ = unseal::<Head>(&bytes);
            let _ = (digest(&bytes), touched_by(&bytes));
            prop_assert!(parts_of(&bytes) >= 1);
        }
    }
}
