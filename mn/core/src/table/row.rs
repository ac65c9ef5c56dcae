//! A row: the columns that are set, packed into one piece of text.
//!
//! A cluster of 100,000 nodes has some 700,000 rows of a few short cells, so the shape of a row is
//! most of the management node's memory. A cell is the length of its name, its name, the length of
//! its value in two digits, its value; lengths are written as characters, so that the whole is one
//! `str` that needs no allocation but its own and can be lent out in parts. Cells are in the order
//! of their names, so that equal rows are equal text.
//!
//! A row that was just made has its text to itself. Once many are, [`lay_together`] puts their texts
//! one behind the other into large pieces: that saves what an allocation takes beside its text, and
//! the rows that stay do not hold pages of which all else is free.

use std::fmt;

use arcstr::{ArcStr, Substr};
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Lengths are written in digits of this base: the characters below it are all valid.
const BASE: usize = 0x8000;

/// The longest value, in bytes: two digits. Longer ones are cut at a character boundary; commands
/// refuse far shorter values (a frame of the wire is 16 MiB), so only a damaged store would be cut.
const LONGEST: usize = BASE * BASE - 1;

/// A row: its set columns, key columns included. An empty value is "not set" and is not kept.
/// Cloning costs nothing.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Row(Substr);

impl Row {
    /// The row with nothing set.
    pub const fn new() -> Self {
        Self(Substr::new())
    }

    /// The value of a column; none where it is not set.
    pub fn cell(&self, column: &str) -> Option<&str> {
        // They are in the order of their names: behind its place it is not.
        let first = column.as_bytes().first();
        let mut cells = self.cells().take_while(|(name, _)| name.as_bytes().first() <= first);
        cells.find(|(name, _)| *name == column).map(|(_, value)| value)
    }

    /// The same row with a column set, or unset by an empty value.
    #[must_use]
    pub fn with(mut self, column: &str, value: &str) -> Self {
        self.put(column, value);
        self
    }

    /// Sets a column, or unsets it by an empty value.
    pub fn put(&mut self, column: &str, value: &str) {
        if self.cell(column).unwrap_or_default() == value {
            return;
        }
        let mut text = String::with_capacity(self.0.len() + column.len() + value.len() + 4);
        let mut before = self.cells().take_while(|(name, _)| *name < column);
        before.by_ref().for_each(|(name, value)| pack(&mut text, name, value));
        pack(&mut text, column, value);
        for (name, value) in self.cells().filter(|(name, _)| *name > column) {
            pack(&mut text, name, value);
        }
        self.0 = ArcStr::from(text).into();
    }

    /// The set columns, in the order of their names.
    pub fn cells(&self) -> Cells<'_> {
        Cells { rest: &self.0 }
    }

    /// How long its text is, in bytes.
    pub(super) fn size(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing is set.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the row counts (`disable` is not set, or says no).
    pub fn is_live(&self) -> bool {
        self.cell("disable").is_none_or(|value| value == "0" || value.eq_ignore_ascii_case("no"))
    }
}

/// How much text one piece has, in bytes; more only where one row has more.
pub(super) const PIECE: usize = 1 << 16;

/// Puts the texts of rows into pieces of memory that they share. A piece is free once the last of its
/// rows is gone.
pub(super) fn lay_together<'a>(rows: impl Iterator<Item = &'a mut Row>) {
    let (mut piece, mut ends, mut of_piece) = (String::with_capacity(PIECE), Vec::new(), Vec::new());
    let finish = |piece: &mut String, ends: &mut Vec<usize>, rows: &mut Vec<&mut Row>| {
        let text = ArcStr::from(piece.as_str());
        let mut start = 0;
        for (row, end) in rows.drain(..).zip(ends.drain(..)) {
            row.0 = text.substr(std::mem::replace(&mut start, end)..end);
        }
        piece.clear();
    };
    for row in rows {
        if !piece.is_empty() && piece.len() + row.size() > PIECE {
            finish(&mut piece, &mut ends, &mut of_piece);
        }
        piece.push_str(&row.0);
        ends.push(piece.len());
        of_piece.push(row);
    }
    finish(&mut piece, &mut ends, &mut of_piece);
}

/// Writes a cell; nothing where the value is empty.
fn pack(text: &mut String, name: &str, value: &str) {
    let (name, value) = (cut(name, BASE - 1), cut(value, LONGEST));
    if value.is_empty() {
        return;
    }
    text.push(digit(name.len()));
    text.push_str(name);
    text.push(digit(value.len() / BASE));
    text.push(digit(value.len() % BASE));
    text.push_str(value);
}

fn cut(text: &str, longest: usize) -> &str {
    text.get(..text.floor_char_boundary(longest)).unwrap_or(text)
}

/// A number below [`BASE`] as a character; those are all below the surrogates.
fn digit(value: usize) -> char {
    u32::try_from(value).ok().and_then(char::from_u32).unwrap_or('\0')
}

/// The set columns of a row; see [`Row::cells`].
#[derive(Clone, Debug)]
pub struct Cells<'a> {
    rest: &'a str,
}

impl<'a> Cells<'a> {
    fn number(&mut self) -> Option<usize> {
        let mut rest = self.rest.chars();
        let number = usize::try_from(u32::from(rest.next()?)).ok()?;
        self.rest = rest.as_str();
        Some(number)
    }

    fn text(&mut self, length: usize) -> Option<&'a str> {
        let (text, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(text)
    }
}

impl<'a> Iterator for Cells<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let length = self.number()?;
        let name = self.text(length)?;
        let length = self.number()? * BASE + self.number()?;
        Some((name, self.text(length)?))
    }
}

impl Default for Row {
    fn default() -> Self {
        Self::new()
    }
}

impl<'a> FromIterator<(&'a str, &'a str)> for Row {
    /// Of two values of one column, the later counts.
    fn from_iter<T: IntoIterator<Item = (&'a str, &'a str)>>(cells: T) -> Self {
        let mut cells: Vec<_> = cells.into_iter().collect();
        cells.sort_by_key(|(name, _)| *name);
        // Lengths take a byte or two each, mostly.
        let length = cells.iter().map(|(name, value)| name.len() + value.len() + 4).sum();
        let mut text = String::with_capacity(length);
        for (at, (name, value)) in cells.iter().enumerate() {
            if cells.get(at + 1).is_none_or(|(next, _)| next != name) {
                pack(&mut text, name, value);
            }
        }
        Self(ArcStr::from(text).into())
    }
}

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.cells()).finish()
    }
}

impl Serialize for Row {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // A format of bytes writes the number of entries first, so it must be known.
        let cells: Vec<_> = self.cells().collect();
        serializer.collect_map(cells)
    }
}

impl<'de> Deserialize<'de> for Row {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Packed;

        impl<'de> Visitor<'de> for Packed {
            type Value = Row;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map of columns to values")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Row, A::Error> {
                let mut cells: Vec<(String, String)> = Vec::new();
                while let Some(cell) = map.next_entry()? {
                    cells.push(cell);
                }
                Ok(cells.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect())
            }
        }

        deserializer.deserialize_map(Packed)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_value_longer_than_one_digit_comes_back_whole() {
        let long = "\u{e4}x".repeat(40_000);
        let row = Row::new().with("b", "2").with("a", &long).with("c", "3");
        assert_eq!(
            (row.cell("a"), row.cell("b"), row.cell("c")),
            (Some(long.as_str()), Some("2"), Some("3"))
        );
    }

    impl Row {
        /// Whether the text of both is in one piece of memory.
        pub(crate) fn lies_with(&self, other: &Self) -> bool {
            ArcStr::ptr_eq(self.0.parent(), other.0.parent())
        }
    }

    #[test]
    fn rows_laid_together_share_pieces_of_a_bounded_size() {
        let long = "x".repeat(PIECE);
        let mut rows = [Row::new(), Row::new().with("a", "1"), Row::new().with("b", &long), Row::new()];
        lay_together(rows.iter_mut());
        assert!(rows[0].lies_with(&rows[1]) && !rows[1].lies_with(&rows[2]) && !rows[2].lies_with(&rows[3]));
        assert_eq!((rows[1].cell("a"), rows[2].cell("b")), (Some("1"), Some(long.as_str())));
        lay_together([].into_iter());
    }

    #[test]
    fn a_row_is_hidden_by_any_word_but_no() {
        let row = |value| Row::new().with("disable", value);
        assert!(["", "0", "no", "NO", "No"].into_iter().all(|value| row(value).is_live()));
        assert!(["1", "yes", "x", "00"].into_iter().all(|value| !row(value).is_live()));
    }

    #[test]
    fn a_row_reads_as_a_map() {
        let row: Row = serde_json::from_str(r#"{"mac":"a","node":"n1","comments":""}"#).unwrap();
        assert_eq!(serde_json::to_string(&row).unwrap(), r#"{"mac":"a","node":"n1"}"#);
        assert_eq!(format!("{row:?}"), r#"{"mac": "a", "node": "n1"}"#);
    }

    proptest! {
        #[test]
        fn rows_laid_together_are_what_they_were(
            texts in prop::collection::vec(prop::collection::vec(("\\PC{0,3}", "\\PC{0,9}"), 0..4), 0..20)
        ) {
            let row = |cells: &Vec<(String, String)>| -> Row {
                cells.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
            };
            let before: Vec<Row> = texts.iter().map(row).collect();
            let mut after = before.clone();
            lay_together(after.iter_mut());
            prop_assert_eq!(&after, &before);
        }

        #[test]
        fn a_row_is_a_sorted_map_without_empty_values(
            puts in prop::collection::vec(("\\PC{0,3}", "\\PC{0,9}"), 0..20)
        ) {
            let mut row = Row::new();
            let mut map: BTreeMap<&str, &str> = BTreeMap::new();
            for (name, value) in &puts {
                row.put(name, value);
                map.insert(name, value);
                if value.is_empty() {
                    map.remove(name.as_str());
                }
            }
            prop_assert!(row.cells().eq(map.iter().map(|(name, value)| (*name, *value))));
            let collected: Row = puts.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            prop_assert_eq!(&collected, &row);
            let bytes = postcard::to_stdvec(&row).unwrap();
            prop_assert_eq!(postcard::from_bytes::<Row>(&bytes).unwrap(), row);
        }
    }
}
