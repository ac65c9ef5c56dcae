//! How things are written in the store: versions, checksums, parts.
//!
//! Every value of more than a few bytes is cut into parts of at most [`key::MAX_VALUE`], and what
//! the parts hold together is `length, BLAKE3, body`; the body is a `postcard` of an enum of
//! versions, to which variants are only appended. The golden bytes in the tests are kept for ever.

use common::id::{Digest, Generation, Revision};
use mn_core::table::schema::NoTable;
use mn_core::table::{Edit, Row, RowKey, TableId};
use serde::{Deserialize, Serialize};

use super::key;

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

/// The cells of a row as they are written: the store's own form, so that the one in memory may
/// change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Cells(Vec<(String, String)>);

impl From<&Row> for Cells {
    fn from(row: &Row) -> Self {
        Self(row.cells().map(|(column, value)| (column.to_owned(), value.to_owned())).collect())
    }
}

impl From<Cells> for Row {
    fn from(written: Cells) -> Self {
        written.0.iter().map(|(column, value)| (column.as_str(), value.as_str())).collect()
    }
}

/// A row as it is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct WrittenRow {
    /// The revision that left it so. It stands first, where [`touched_by`] finds it.
    by: Revision,
    cells: Cells,
}

impl WrittenRow {
    pub(super) fn new(row: &Row, by: Revision) -> Self {
        Self { by, cells: Cells::from(row) }
    }

    pub(super) fn into_row(self) -> Row {
        Row::from(self.cells)
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct WrittenEdit {
    table: String,
    key: String,
    before: Option<Cells>,
    after: Option<Cells>,
    prior: Revision,
}

impl WrittenEdit {
    fn new(edit: &Edit, prior: Revision) -> Self {
        Self {
            table: edit.table.table().name.to_owned(),
            key: edit.key.as_str().to_owned(),
            before: edit.before.as_ref().map(Cells::from),
            after: edit.after.as_ref().map(Cells::from),
            prior,
        }
    }
}

impl TryFrom<WrittenEdit> for Edit {
    type Error = NoTable;
    fn try_from(written: WrittenEdit) -> Result<Self, NoTable> {
        Ok(Self {
            table: TableId::named(&written.table)?,
            key: RowKey::one(&written.key),
            before: written.before.map(Row::from),
            after: written.after.map(Row::from),
        })
    }
}

/// A [`Record`] as it is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct WrittenRecord {
    revision: Revision,
    at: u64,
    author: String,
    words: Vec<String>,
    note: String,
    edits: Vec<WrittenEdit>,
    previous: Digest,
}

impl From<&Record> for WrittenRecord {
    fn from(record: &Record) -> Self {
        Self {
            revision: record.revision,
            at: record.at,
            author: record.author.clone(),
            words: record.words.clone(),
            note: record.note.clone(),
            edits: record
                .edits
                .iter()
                .zip(record.priors.iter().copied().chain(std::iter::repeat(Revision::ZERO)))
                .map(|(edit, prior)| WrittenEdit::new(edit, prior))
                .collect(),
            previous: record.previous,
        }
    }
}

impl TryFrom<WrittenRecord> for Record {
    type Error = NoTable;
    fn try_from(written: WrittenRecord) -> Result<Self, NoTable> {
        let WrittenRecord { revision, at, author, words, note, edits, previous } = written;
        let priors = edits.iter().map(|edit| edit.prior).collect();
        let edits = edits.into_iter().map(Edit::try_from).collect::<Result<_, _>>()?;
        Ok(Self { revision, at, author, words, note, edits, priors, previous })
    }
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

/// A kind of thing that is written, told apart so that no value is read as another kind.
pub(super) trait Body: Serialize + for<'de> Deserialize<'de> {}
impl Body for Head {}
impl Body for WrittenRecord {}
impl Body for WrittenRow {}
impl Body for Issued {}
impl Body for Cursor {}
impl Body for Grave {}
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
pub(super) fn seal<T: Body>(value: &T) -> Vec<u8> {
    // Plain data always encodes: no sequence of unknown length, no foreign serializer.
    let body = postcard::to_stdvec(&Versioned::V1(value)).unwrap_or_default();
    let mut bytes = Vec::with_capacity(HEADER + body.len());
    bytes.extend_from_slice(&(body.len() as u64).to_be_bytes());
    bytes.extend_from_slice(Digest::of(&body).as_bytes());
    bytes.extend_from_slice(&body);
    bytes
}

/// The value, and the digest of its body.
pub(super) fn unseal<T: Body>(bytes: &[u8]) -> Result<(T, Digest), Damage> {
    let (length, rest) = bytes.split_first_chunk::<8>().ok_or(Damage::NotWhole)?;
    let (digest, body) = rest.split_first_chunk::<32>().ok_or(Damage::NotWhole)?;
    let length = usize::try_from(u64::from_be_bytes(*length)).unwrap_or(usize::MAX);
    if length != body.len() || length > MAX_BODY {
        return Err(Damage::NotWhole);
    }
    let digest = Digest::from_bytes(*digest);
    if Digest::of(body) != digest {
        return Err(Damage::Checksum);
    }
    let Versioned::V1(value) = postcard::from_bytes(body).map_err(|_| Damage::Unreadable)?;
    Ok((value, digest))
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
        let record = Record {
            revision: Revision::new(7),
            at: 1,
            author: "root".to_owned(),
            words: vec!["chdef".to_owned()],
            note: String::new(),
            edits: Vec::new(),
            priors: Vec::new(),
            previous: Digest::from_bytes([0; 32]),
        };
        let mut want = b"\0\x07\x01\x04root\x01\x05chdef\0\0".to_vec();
        want.extend_from_slice(&[0; 32]);
        assert_eq!(&seal(&WrittenRecord::from(&record))[HEADER..], want);
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
            let _ = unseal::<WrittenRecord>(&bytes);
            let _ = unseal::<Head>(&bytes);
            let _ = (digest(&bytes), touched_by(&bytes));
            prop_assert!(parts_of(&bytes) >= 1);
        }
    }
}
