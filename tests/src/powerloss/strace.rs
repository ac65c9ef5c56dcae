//! What `strace -ttt -T -y -xx` prints, one system call a line. No judgement of what it means.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

use super::Micros;
use crate::Result;

/// A system call that succeeded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) start: Micros,
    pub(super) end: Micros,
    pub(super) name: String,
    /// As printed.
    arguments: Vec<String>,
    /// What it returned.
    pub(super) result: u64,
}

/// The calls of a thread that succeeded.
pub(super) fn read(file: &Path) -> Result<Vec<Call>> {
    let text = fs::read_to_string(file)?;
    let calls: Vec<Call> = text.lines().filter_map(parse).collect();
    if calls.iter().any(Call::is_cut) {
        return Err(format!("{}: strace left bytes of a long write out", file.display()).into());
    }
    Ok(calls)
}

/// One line; none where it is no call, or one that failed or never ended.
fn parse(line: &str) -> Option<Call> {
    let (time, rest) = line.split_once(' ')?;
    let (name, rest) = rest.split_once('(')?;
    let (rest, took) = rest.strip_suffix('>')?.rsplit_once(" <")?;
    let (arguments, result) = rest.rsplit_once(" = ")?;
    let digits = result.find(|c: char| !c.is_ascii_digit()).unwrap_or(result.len());
    let start = micros(time)?;
    Some(Call {
        start,
        end: start + micros(took)?,
        name: name.to_owned(),
        arguments: fields(arguments.trim_end().strip_suffix(')')?),
        result: result.get(..digits)?.parse().ok()?,
    })
}

fn micros(text: &str) -> Option<Micros> {
    let (seconds, fraction) = text.split_once('.')?;
    Some(seconds.parse::<u64>().ok()? * 1_000_000 + fraction.parse::<u64>().ok()?)
}

/// Parts arguments at commas outside of brackets. Strings are in hexadecimal, so hold none.
fn fields(text: &str) -> Vec<String> {
    let mut depth = 0_usize;
    let split = text.split(|c| {
        match c {
            '[' | '{' => depth += 1,
            ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ',' && depth == 0
    });
    split.map(|field| field.trim().to_owned()).collect()
}

impl Call {
    /// Where it stands among the calls of all threads. What a call has done is done when it ends,
    /// and another thread learns of it later; but the number of a descriptor is free, and may be
    /// another file's, before `close` has ended.
    pub(super) fn moment(&self) -> Micros {
        if self.name == "close" { self.start } else { self.end }
    }

    fn argument(&self, index: usize) -> &str {
        self.arguments.get(index).map_or("", String::as_str)
    }

    fn is_cut(&self) -> bool {
        self.arguments.iter().any(|argument| argument.contains("\"..."))
    }

    /// An argument that is a file descriptor: its number and what it is open on.
    pub(super) fn descriptor(&self, index: usize) -> Option<(u64, PathBuf)> {
        let (number, rest) = self.argument(index).split_once('<')?;
        Some((number.parse().ok()?, path(unescape(rest.split_once('>')?.0))))
    }

    /// The path that an argument names, below the folder that the argument before it may be.
    pub(super) fn path(&self, index: usize) -> Option<PathBuf> {
        let name = path(self.bytes(index));
        let folder = index.checked_sub(1).and_then(|before| self.argument(before).split_once('<'));
        let folder = folder.and_then(|(_, rest)| rest.split_once('>')).map(|(text, _)| path(unescape(text)));
        let named = (!name.as_os_str().is_empty()).then_some(name)?;
        let whole = match folder {
            Some(folder) => folder.join(named),
            None => std::env::current_dir().ok()?.join(named),
        };
        // Lexically: no program of ours goes through links or "..".
        Some(whole.components().collect())
    }

    /// The bytes of all strings in an argument.
    pub(super) fn bytes(&self, index: usize) -> Vec<u8> {
        let strings = self.argument(index).split('"').skip(1).step_by(2);
        strings.flat_map(unescape).collect()
    }

    /// An argument that is a number.
    pub(super) fn number(&self, index: usize) -> Option<u64> {
        self.argument(index).parse().ok()
    }

    /// Whether any argument names this flag.
    pub(super) fn has_flag(&self, flag: &str) -> bool {
        self.arguments.iter().any(|argument| argument.split('|').any(|word| word == flag))
    }
}

fn path(bytes: Vec<u8>) -> PathBuf {
    PathBuf::from(OsString::from_vec(bytes))
}

/// `\x41b` is `Ab`.
fn unescape(text: &str) -> Vec<u8> {
    let mut parts = text.split("\\x");
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at(part.len().min(2));
        bytes.extend(u8::from_str_radix(digits, 16));
        bytes.extend_from_slice(rest.as_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_is_read() {
        let call = parse(r#"17.000004 pwrite64(4<\x2f\x61>, "\x00\x41", 2, 96) = 2 <0.000344>"#).unwrap();
        assert_eq!(
            (call.start, call.end, call.name.as_str(), call.result),
            (17_000_004, 17_000_348, "pwrite64", 2)
        );
        assert_eq!(call.descriptor(0), Some((4, "/a".into())));
        assert_eq!((call.bytes(1), call.number(3)), (b"\0A".to_vec(), Some(96)));
    }

    #[test]
    fn a_path_is_below_its_folder() {
        let call =
            parse(r#"1.0 openat(AT_FDCWD<\x2f\x74>, "\x62", O_RDWR|O_CREAT, 0600) = 3<\x2f> <0.1>"#).unwrap();
        assert_eq!(call.path(1), Some("/t/b".into()));
        assert!(call.has_flag("O_CREAT") && !call.has_flag("O_TRUNC"));
    }

    #[test]
    fn a_descriptor_is_free_before_its_close_has_ended() {
        let lines = [
            r#"1.000900 openat(AT_FDCWD<\x2f>, "\x62", O_WRONLY|O_APPEND) = 3<\x2f\x62> <0.000050>"#,
            r#"1.000000 close(3<\x2f\x61>) = 0 <0.001000>"#,
        ];
        let mut calls = lines.map(|line| parse(line).unwrap());
        calls.sort_by_key(Call::moment);
        assert_eq!(calls.map(|call| call.name), ["close", "openat"]);
    }

    #[test]
    fn all_parts_of_a_gathered_write_are_read() {
        let line = r#"1.0 writev(3<\x2f\x61>, [{iov_base="\x61", iov_len=1}, {iov_base="\x62", iov_len=1}], 2) = 2 <0.1>"#;
        assert_eq!(parse(line).unwrap().bytes(1), b"ab");
    }

    #[test]
    fn what_failed_or_never_ended_is_no_call() {
        for line in [
            r#"1.0 unlink("\x62") = -1 ENOENT (No such file or directory) <0.000060>"#,
            r#"1.0 write(3<\x2f\x61>, "\x62", 1 <unfinished ...>"#,
            "1.0 +++ killed by SIGKILL +++",
        ] {
            assert_eq!(parse(line), None, "{line}");
        }
    }
}
