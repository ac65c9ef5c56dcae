use insta::assert_snapshot;
use proptest::prelude::*;

use super::*;
use crate::table::schema::{MAC, NETWORKS, SITE};

/// Reads a file; gives its rows or what is wrong with it, a line each.
fn tried(table: TableId, text: &str) -> String {
    match read(table, text.as_bytes()) {
        Ok(sheet) => {
            sheet.records.iter().map(|record| format!("{} {:?}\n", record.line, record.row)).collect()
        }
        Err(errors) => errors.iter().map(|error| format!("{} {error}\n", error.status())).collect(),
    }
}

#[test]
fn rows_are_read_as_xcat_reads_them() {
    let text = "#\"node\",interface,mac,comments,disable\r\n\
        \"n1\",,\"52:54:00:00:00:01\",\"a \"\"note\"\"\nover, lines  \n\",\r\n\
        n2,eth0\n\
        \n\
        ,,,,\n\
        n3,,x,,, \n\
        \"n4\",\"\",\"\",\"\",\"\"";
    assert_snapshot!(tried(MAC, text), @r#"
    0 {"comments": "a \"note\"\nover, lines  \n", "mac": "52:54:00:00:00:01", "node": "n1"}
    3 {"interface": "eth0", "node": "n2"}
    6 {"mac": "x", "node": "n3"}
    7 {"node": "n4"}
    "#);
}

#[test]
fn columns_may_be_fewer_and_in_any_order() {
    let sheet = read(NETWORKS, b"#mask,net\n255.0.0.0,10.0.0.0\n").unwrap();
    assert_eq!(sheet.columns, ["mask", "net"]);
    assert_eq!(sheet.records[0].row, Row::new().with("net", "10.0.0.0").with("mask", "255.0.0.0"));
}

#[test]
fn what_is_wrong_is_said_in_xcats_words() {
    assert_snapshot!(tried(NETWORKS, ""), @"1 Data missing header line starting with #");
    assert_snapshot!(tried(NETWORKS, "netname\n"), @"1 Data missing header line starting with #");
    assert_snapshot!(
        tried(NETWORKS, "#netname,x\n"),
        @"1 The header line indicates that column 'x' should exist, which is not defined in the schema for 'networks'"
    );
    let text = "#key,value\na\"b,c\n\"a\"b,c\n\"ok\",\"a\nb\"c,\nk,v,\n\"k\",\"open\n\nmore\n";
    assert_snapshot!(tried(SITE, text), @r#"
    4 CSV missing opening " for record with " characters on line 0, character 0: a"b,c
    4 CSV unescaped " in record on line 1, character 0: "a"b,c
    4 CSV unescaped " in record on line 2, character 5: "ok","a
    4 CSV unmatched " in record on line 8, character 4: "k","open
    "#);
    assert_snapshot!(tried(SITE, "#key,value\nk,v,w,u\nk,v,\n"), @"4 Too many fields on line 0: k,v,w,u | w,u");
    assert_snapshot!(
        read(SITE, b"#key\nfine\nb\xff").unwrap_err()[0].to_string(),
        @"line 1 is not UTF-8 text: write the file anew in it, for example with iconv"
    );
}

#[test]
fn errors_are_bounded() {
    let text = format!("#key\n{}", "a\"\n".repeat(100_000));
    assert_eq!(read(SITE, text.as_bytes()).unwrap_err().len(), ERRORS);
}

#[test]
fn a_long_file_takes_one_pass() {
    // A reader that looked at the rest of the file for each line would never come back.
    let quoted = format!("#key,value\n{}", "\"a\",\"b\n\"\"c\"\n".repeat(300_000));
    assert_eq!(read(SITE, quoted.as_bytes()).unwrap().records.len(), 300_000);
    let open = format!("#key,value\n\"a\",\"{}", "\n".repeat(3_000_000));
    assert!(read(SITE, open.as_bytes()).is_err());
}

/// Text with what matters here in it.
fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\PC{0,8}",
        proptest::collection::vec(
            prop_oneof![
                Just('"'),
                Just(','),
                Just('\n'),
                Just('\r'),
                Just(' '),
                Just('\t'),
                Just('#'),
                any::<char>()
            ],
            0..12
        )
        .prop_map(String::from_iter),
    ]
}

proptest! {
    #[test]
    fn reading_is_the_inverse_of_writing(rows in proptest::collection::vec((value(), value(), value()), 0..8)) {
        let table = SITE.table();
        let rows: Vec<Row> = rows
            .iter()
            .map(|(key, value, note)| Row::new().with("key", key).with("value", value).with("comments", note))
            .filter(|row| !row.is_empty())
            .collect();
        let mut text = header(table) + "\n";
        for row in &rows {
            text.push_str(&write_plain(table, row));
            text.push('\n');
        }
        let sheet = read(SITE, text.as_bytes()).unwrap();
        let back: Vec<Row> = sheet.records.into_iter().map(|record| record.row).collect();
        prop_assert_eq!(back, rows);
    }

    #[test]
    fn any_bytes_are_rows_or_errors(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(MAC, &bytes);
    }

    #[test]
    fn any_text_behind_a_header_is_rows_or_errors(text in "[\",\n\r #a\\x{e9}]{0,60}") {
        let text = format!("#node,interface,mac\n{text}");
        match read(MAC, text.as_bytes()) {
            Ok(sheet) => prop_assert!(sheet.records.iter().all(|record| !record.row.is_empty())),
            Err(errors) => prop_assert!(!errors.is_empty()),
        }
    }
}
