//! Man pages and `--help`: what is said of a command beyond its options.
//!
//! Options come from the `clap` definitions; examples, exit statuses and related pages from
//! `pages.txt` beside this file. A command that has no block there gets a page all the same, with
//! the exit statuses that all commands have.

use std::fmt::Write as _;
use std::io;

use clap::Command;

/// The blocks of all commands.
const PAGES: &str = include_str!("pages.txt");

/// What is said of one command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Page {
    /// Exit statuses, each with what it means.
    statuses: Vec<(u8, &'static str)>,
    /// Command lines, each with what it does.
    examples: Vec<(&'static str, &'static str)>,
    /// Related pages.
    see: Vec<&'static str>,
}

impl Page {
    /// The page of a command, whose wrong usage ends with `usage_status`.
    pub(crate) fn of(name: &str, usage_status: u8) -> Self {
        let mut page = Self::read(name);
        if page.statuses.is_empty() {
            page.statuses = vec![(0, "done"), (1, "refused or failed, wholly or in part, and why was said")];
        }
        if !page.statuses.iter().any(|(status, _)| *status == usage_status) {
            page.statuses.push((usage_status, "wrong usage"));
        }
        page
    }

    fn read(name: &str) -> Self {
        let mut page = Self::default();
        let lines = PAGES.lines().skip_while(|line| line.strip_prefix("page ") != Some(name)).skip(1);
        for line in lines.take_while(|line| !line.starts_with("page ")) {
            match line.split_once(' ') {
                Some(("status", rest)) => {
                    let status = rest.split_once(' ').and_then(|(n, text)| Some((n.parse().ok()?, text)));
                    page.statuses.extend(status);
                }
                Some(("example", rest)) => page.examples.push((rest, "")),
                Some(("see", rest)) => page.see = rest.split(' ').collect(),
                Some(("", rest)) => {
                    if let Some(example) = page.examples.last_mut() {
                        example.1 = rest.trim_start();
                    }
                }
                _ => {}
            }
        }
        page
    }

    /// What stands below the options in `--help`.
    pub(crate) fn after_help(&self) -> String {
        let mut text = String::new();
        if !self.examples.is_empty() {
            text.push_str("Examples:\n");
            for (line, meaning) in &self.examples {
                let _ = writeln!(text, "  {line}\n      {meaning}");
            }
            text.push('\n');
        }
        text.push_str("Exit status:\n");
        for (status, meaning) in &self.statuses {
            let _ = writeln!(text, "  {status}  {meaning}");
        }
        if !self.see.is_empty() {
            let _ = write!(text, "\nSee also: {}", self.see.join(", "));
        }
        text
    }

    /// The whole man page of a command.
    pub(crate) fn man(&self, name: &str, command: &Command) -> io::Result<String> {
        let version = format!("drover {}", env!("CARGO_PKG_VERSION"));
        let man =
            clap_mangen::Man::new(command.clone()).manual("Drover").source(version).section("1").date("");
        let mut page = Vec::new();
        man.render_title(&mut page)?;
        man.render_name_section(&mut page)?;
        page.extend(synopsis(command).into_bytes());
        man.render_description_section(&mut page)?;
        if command.get_subcommands().next().is_some() {
            man.render_subcommands_section(&mut page)?;
        }
        man.render_options_section(&mut page)?;
        page.extend(self.sections(name).into_bytes());
        let text = String::from_utf8(page).map_err(io::Error::other)?;
        Ok(in_ascii(&text))
    }

    fn sections(&self, name: &str) -> String {
        let mut text = String::from(".SH \"EXIT STATUS\"\n");
        for (status, meaning) in &self.statuses {
            let _ = writeln!(text, ".TP\n\\fB{status}\\fR\n{}", escape(meaning));
        }
        text.push_str(".SH ENVIRONMENT\n.TP\n\\fBDROVER_DIR\\fR\nThe folder of the management node, where \\fB\\-\\-dir\\fR does not say it.\n");
        text.push_str(".TP\n\\fBNO_COLOR\\fR\nSet and not empty: no colour, on terminals either.\n");
        if !self.examples.is_empty() {
            text.push_str(".SH EXAMPLES\n");
            for (line, meaning) in &self.examples {
                let _ = writeln!(text, ".TP\n\\fB{}\\fR\n{}", escape(line), escape(meaning));
            }
        }
        text.push_str(".SH \"SEE ALSO\"\n");
        let mut pages: Vec<String> = self.see.iter().map(|page| reference(page)).collect();
        if name != "mn" {
            pages.push(reference("mn"));
        }
        text.push_str(&pages.join(",\n"));
        text.push('\n');
        text
    }
}

/// Each form of the usage on a line of its own.
fn synopsis(command: &Command) -> String {
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage:").trim();
    let mut text = String::from(".SH SYNOPSIS\n.nf\n");
    for line in usage.lines() {
        let _ = writeln!(text, "{}", escape(line.trim()));
    }
    text.push_str(".fi\n");
    text
}

/// A page's name with its section.
fn reference(page: &str) -> String {
    match page.split_once('(') {
        Some((name, section)) => format!("\\fB{}\\fR({}", escape(name), escape(section)),
        None => format!("\\fB{}\\fR(1)", escape(page)),
    }
}

/// The same page for formatters that read bytes: other signs by their names.
fn in_ascii(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut page, sign| {
        if sign.is_ascii() {
            page.push(sign);
        } else {
            let _ = write!(page, "\\[u{:04X}]", u32::from(sign));
        }
        page
    })
}

/// Text as `troff` takes it to the letter.
fn escape(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-").replace('\'', "\\(aq");
    if text.starts_with('.') { format!("\\&{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::super::APPLETS;
    use super::*;

    #[test]
    fn every_command_has_a_page_with_all_sections() {
        for applet in APPLETS {
            let page = Page::of(applet.name, applet.usage_status);
            let text = page.man(applet.name, &applet.definition()).unwrap();
            for section in ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "\"EXIT STATUS\"", "\"SEE ALSO\""] {
                assert!(text.contains(&format!(".SH {section}\n")), "{}: {section}", applet.name);
            }
            assert!(
                text.contains(".SH EXAMPLES\n"),
                "{} has a block in pages.txt with an example",
                applet.name
            );
            let help = page.after_help();
            assert!(help.contains("Examples:") && help.contains("Exit status:"), "{help}");
        }
    }

    #[test]
    fn pages_are_sorted_and_name_pages_that_there_are() {
        let names: Vec<&str> = PAGES.lines().filter_map(|line| line.strip_prefix("page ")).collect();
        assert!(names.windows(2).all(|pair| pair[0] < pair[1]), "sorted, each once");
        for &name in &names {
            let page = Page::read(name);
            for see in page.see.iter().filter(|see| !see.contains('(')) {
                let see = see.strip_prefix("mn-").unwrap_or(see);
                assert!(names.contains(&see), "{name}: {see} is no page");
            }
            for (line, meaning) in &page.examples {
                let is_called = line.starts_with(name)
                    || line.strip_prefix("mn ").is_some_and(|line| line.starts_with(name));
                assert!(!meaning.is_empty() && is_called, "{name}: {line}");
            }
        }
    }

    #[test]
    fn what_troff_would_read_as_its_own_is_escaped() {
        assert_eq!(escape(".x -a 'b\\c"), "\\&.x \\-a \\(aqb\\ec");
        assert_eq!(in_ascii("a…"), "a\\[u2026]");
    }
}
