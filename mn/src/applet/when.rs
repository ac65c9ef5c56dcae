//! Points of the history as operators write them: a revision, a time, or how long ago.
//!
//! Times are read where the operator is, in the operator's time zone.

use jiff::civil::{DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{Span as Length, Timestamp, Zoned};
use mn_core::command::{Asked, Operation, Span, When};

use super::Usage;

/// What may be written.
pub(super) const FORMS: &str = "a revision (812), a time (2026-01-31, '2026-01-31 14:30', 14:30, \
                                2026-01-31T14:30:00Z), or how long ago ('2h ago', 90m, 3d)";

/// Reads a point of the history.
///
/// # Errors
/// When it is none of the forms.
pub(super) fn parse(text: &str) -> Result<When, Usage> {
    let now = Timestamp::from_second(i64::try_from(runtime::clock::unix_seconds()).unwrap_or_default());
    let now = now.unwrap_or(Timestamp::UNIX_EPOCH).to_zoned(TimeZone::system());
    read(text, &now).ok_or_else(|| Usage::new(format!("{text:?} is no point of the history; write {FORMS}")))
}

/// Reads `A..B`, `A..`, `..B`, or `A` alone, which is `A..`.
///
/// # Errors
/// When an end is none of the forms.
pub(super) fn span(text: &str) -> Result<Span, Usage> {
    let (from, to) = text.split_once("..").unwrap_or((text, ""));
    let end = |text: &str| {
        let text = text.trim();
        if text.is_empty() { Ok(None) } else { parse(text).map(Some) }
    };
    Ok(Span { from: end(from)?, to: end(to)? })
}

/// The name of the operator's time zone; empty where it has none, which is then the daemon's.
pub(super) fn zone() -> String {
    TimeZone::system().iana_name().unwrap_or_default().to_owned()
}

fn read(text: &str, now: &Zoned) -> Option<When> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok().map(When::Revision);
    }
    let at = time(text, now)?;
    Some(When::Time(u64::try_from(at.as_second()).unwrap_or_default()))
}

fn time(text: &str, now: &Zoned) -> Option<Timestamp> {
    let local = |time: DateTime| time.to_zoned(now.time_zone().clone()).ok().map(|zoned| zoned.timestamp());
    match text {
        "now" => return Some(now.timestamp()),
        "today" => return local(now.date().at(0, 0, 0, 0)),
        "yesterday" => return local(now.date().yesterday().ok()?.at(0, 0, 0, 0)),
        _ => {}
    }
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some(at);
    }
    if let Some(time) = text.parse::<DateTime>().ok().filter(|_| text.contains('-')) {
        return local(time);
    }
    if let Some(time) = text.parse::<Time>().ok().filter(|_| text.contains(':')) {
        return local(now.date().to_datetime(time));
    }
    let length: Length = text.trim_end_matches("ago").trim().parse().ok()?;
    // Only backwards: nobody asks for the state in two hours, and `2h` means what `2h ago` does.
    let back = if length.is_negative() { length } else { length.negate() };
    now.checked_add(back).ok().map(|zoned| zoned.timestamp())
}

/// The question as of the state that `--at` names.
///
/// # Errors
/// When it is none of the forms, or the command knows no other state than the newest.
pub(super) fn as_of(at: Option<String>, asked: Asked) -> Result<Asked, Usage> {
    let Some(at) = at else { return Ok(asked) };
    match asked {
        Asked::Query(query) => Ok(Asked::Past(parse(&at)?, query)),
        asked => Err(only_now(&asked)),
    }
}

/// Why a command knows no other state than the newest.
fn only_now(asked: &Asked) -> Usage {
    let (what, instead) = match asked {
        Asked::Operate(Operation::Makedhcp(_) | Operation::Makedns(_)) => (
            "asks the service nodes what they serve now",
            "lsdef NODERANGE -i ip,mac --at TIME, for what was defined then",
        ),
        Asked::Operate(Operation::Nodestat(_)) => (
            "asks the nodes how they are now",
            "lsdef NODERANGE -i status,appstatus --at TIME, for what was known then",
        ),
        Asked::Operate(Operation::Makehosts(_)) => (
            "works on the hosts file as it is now",
            "lsdef NODERANGE -i ip,hostnames --at TIME, for what was defined then",
        ),
        Asked::Operate(Operation::Makenetworks(_)) => (
            "looks at the interfaces as they are now",
            "tabdump networks --at TIME, for what was defined then",
        ),
        _ => ("changes something, and the past cannot be changed", "mn history, for what was changed when"),
    };
    Usage::alone(format!(
        "--at is for commands that only read what is stored; this one {what}\n  try      {instead}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn now() -> Zoned {
        "2026-03-10T12:00:00+01:00[Europe/Berlin]".parse().unwrap()
    }

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let at: Timestamp = expected.parse().unwrap();
        let want = When::Time(u64::try_from(at.as_second()).unwrap());
        assert_eq!(read(text, &now()), Some(want), "{text}");
    }

    #[test]
    fn times_are_the_operators() {
        check("2026-03-10T11:00:00Z", "2026-03-10T11:00:00Z");
        check("2026-03-10 10:00", "2026-03-10T09:00:00Z");
        check("2026-03-10T10:00:30", "2026-03-10T09:00:30Z");
        check("2026-03-01", "2026-02-28T23:00:00Z");
        check("10:30", "2026-03-10T09:30:00Z");
        check("yesterday", "2026-03-08T23:00:00Z");
        check("2h ago", "2026-03-10T09:00:00Z");
        check("90m", "2026-03-10T09:30:00Z");
        check("1 week ago", "2026-03-03T11:00:00Z");
        check("1d 2h ago", "2026-03-09T09:00:00Z");
    }

    #[test]
    fn revisions_are_numbers_and_spans_have_two_ends() {
        assert_eq!(read("812", &now()), Some(When::Revision(812)));
        let ends = |text| span(text).map(|span| (span.from, span.to)).unwrap();
        let at = |number| Some(When::Revision(number));
        assert_eq!(ends("3..5"), (at(3), at(5)));
        assert_eq!(ends("3.."), (at(3), None));
        assert_eq!(ends("3"), (at(3), None));
        assert_eq!(ends("..5"), (None, at(5)));
    }

    #[test]
    fn what_is_neither_is_refused_with_the_forms() {
        for bad in ["", "soon", "-3", "3..x", "25:00", "2026-13-01", "h ago", "99999999999999999999"] {
            assert!(bad.contains("..") || read(bad, &now()).is_none(), "{bad}");
        }
        assert!(span("3..x").unwrap_err().to_string().contains("2h ago"));
    }

    #[test]
    fn a_command_that_knows_no_past_says_what_to_look_at() {
        use mn_core::command::{Command, Lsmn, Makedns, Query, Rmdef};
        let at = |asked| as_of(Some("5".to_owned()), asked).map_err(|usage| usage.to_string());
        let past = at(Asked::Query(Query::Lsmn(Lsmn::default())));
        assert!(matches!(past, Ok(Asked::Past(When::Revision(5), Query::Lsmn(_)))));
        let asks = at(Asked::Operate(Operation::Makedns(Makedns::default()))).unwrap_err();
        assert!(asks.contains("asks the service nodes what they serve now\n  try      lsdef"), "{asks}");
        let changes = at(Asked::Change(Command::Rmdef(Rmdef::default()))).unwrap_err();
        assert!(changes.contains("the past cannot be changed\n  try      mn history"), "{changes}");
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,40}", numbers in "[0-9]{1,25}[a-z ]{0,6}( ago)?") {
            let _ = (read(&text, &now()), read(&numbers, &now()), span(&text).is_ok());
        }
    }
}
