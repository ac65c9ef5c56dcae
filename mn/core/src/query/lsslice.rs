//! `lsslice`: what service nodes hold, as a table.

use serde_json::json;

use super::SliceState;
use crate::talk::{Context, Line};

const HEADER: [&str; 7] = ["SERVICENODE", "LINK", "GENERATION", "ACKNOWLEDGED", "OWNED", "HELD", "STATE"];

/// Shows what service nodes hold, one line each; status 1 where one of them is behind or faulty.
pub(super) fn show(states: &[SliceState], context: &Context, out: &mut dyn FnMut(Line)) -> u8 {
    if context.view.json {
        states.iter().for_each(|state| out(Line::Record(json!(state))));
    } else {
        let rows: Vec<[String; 7]> = states.iter().map(row).collect();
        let width = |index: usize| {
            let cells = rows.iter().filter_map(|row| row.get(index)).map(String::len);
            cells.chain(HEADER.get(index).map(|head| head.len())).max().unwrap_or_default()
        };
        let widths: Vec<usize> = (0..HEADER.len()).map(width).collect();
        let line = |cells: &[&str]| {
            let padded: Vec<String> =
                cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
            padded.join("  ").trim_end().to_owned()
        };
        out(Line::Out(line(&HEADER)));
        for (state, row) in states.iter().zip(&rows) {
            out(Line::Out(line(&row.each_ref().map(String::as_str))));
            for (service, reason) in &state.faults {
                out(Line::Out(format!("  {service}: {reason}")));
            }
        }
    }
    u8::from(states.iter().any(|state| !state.is_settled()))
}

impl SliceState {
    /// Whether it holds what it should, and every service took it.
    pub fn is_settled(&self) -> bool {
        self.acknowledged == Some(self.desired) && self.faults.is_empty()
    }

    fn word(&self) -> &'static str {
        match (self.acknowledged, self.faults.is_empty()) {
            (Some(held), true) if held == self.desired => "current",
            (Some(held), false) if held == self.desired => "faulty",
            (Some(_), _) => "behind",
            (None, _) => "empty",
        }
    }
}

fn row(state: &SliceState) -> [String; 7] {
    let acknowledged = match (&state.acknowledged, &state.digest) {
        (Some(generation), Some(digest)) => {
            format!("{generation} ({})", digest.chars().take(12).collect::<String>())
        }
        (Some(generation), None) => generation.to_string(),
        (None, _) => "-".to_owned(),
    };
    [
        state.service_node.to_string(),
        if state.connected { "up" } else { "down" }.to_owned(),
        state.desired.to_string(),
        acknowledged,
        state.owned.to_string(),
        state.held.to_string(),
        state.word().to_owned(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::id::{Generation, Revision};

    #[test]
    fn a_service_node_that_is_behind_is_seen_at_once() {
        let state = |name: &str, acknowledged: Option<u64>, faults| SliceState {
            service_node: name.parse().unwrap(),
            connected: acknowledged == Some(42),
            desired: Generation::new(42),
            acknowledged: acknowledged.map(Generation::new),
            digest: acknowledged.map(|_| "0123456789abcdef".to_owned()),
            owned: 16,
            held: 4,
            faults,
            revision: Revision::new(7),
        };
        let states = [
            state("sn1", Some(42), vec![]),
            state("sn2", Some(42), vec![("tftp".to_owned(), "port 69 is taken".to_owned())]),
            state("sn3", None, vec![]),
        ];
        let mut text = String::new();
        let status = show(&states, &Context::default(), &mut |line| match line {
            Line::Out(line) => text.push_str(&format!("{line}\n")),
            other => panic!("{other:?}"),
        });
        assert_eq!(status, 1);
        insta::assert_snapshot!(text, @r"
        SERVICENODE  LINK  GENERATION  ACKNOWLEDGED       OWNED  HELD  STATE
        sn1          up    42          42 (0123456789ab)  16     4     current
        sn2          up    42          42 (0123456789ab)  16     4     faulty
          tftp: port 69 is taken
        sn3          down  42          -                  16     4     empty
        ");
    }
}
