//! The program's words: an applet by its name, `mn` itself, or a shell that completes a line.
//!
//! | file | what |
//! |---|---|
//! | [`manage`] | `mn`'s own sub-commands |
//! | [`operator`] | operators on other machines: `mn login` |
//! | [`mod@install`] | names, pages and completions into folders |
//! | [`complete`] | what may come next on a command line |

mod complete;
mod install;
mod manage;
mod operator;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use crate::applet::{Applet, diff, find};

/// Runs what the words name: the applet that is the program's name, or `mn`'s first operand, or
/// one of `mn`'s own sub-commands.
pub fn main(words: Vec<OsString>) -> ExitCode {
    let program = words.first().map(Path::new).and_then(Path::file_name).and_then(|name| name.to_str());
    if let Some(applet) = program.and_then(find) {
        if applet.name == "diff" {
            diff::hand_over(&words);
        }
        return applet.run(words).into();
    }
    if words.get(1).is_some_and(|word| word == "complete") {
        return complete::run(&words).into();
    }
    match split(words) {
        Split::Applet(applet, words) => applet.run(words).into(),
        Split::Manage(words) => manage::run(words).into(),
    }
}

/// What words after `mn` name.
enum Split {
    /// An applet, with its words (its name first).
    Applet(&'static Applet, Vec<OsString>),
    /// One of our own.
    Manage(Vec<OsString>),
}

/// Looks whether `mn NAME …` or `mn --dir DIR NAME …` names an applet.
fn split(words: Vec<OsString>) -> Split {
    let is_dir = |word: &OsString| word == "--dir" || word == "--mn";
    let is_dir_glued = |word: &OsString| {
        word.to_str().is_some_and(|word| word.starts_with("--dir=") || word.starts_with("--mn="))
    };
    let place = match words.get(1) {
        Some(word) if is_dir(word) => 3,
        Some(word) if is_dir_glued(word) => 2,
        _ => 1,
    };
    if let [_, help, name] = words.as_slice()
        && help == "help"
        && let Some(applet) = name.to_str().and_then(find)
    {
        return Split::Applet(applet, vec![name.clone(), "--help".into()]);
    }
    let Some(applet) = words.get(place).and_then(|word| word.to_str()).and_then(find) else {
        return Split::Manage(words);
    };
    let mut moved: Vec<OsString> = words.iter().skip(place).cloned().collect();
    // What stood before the name goes behind it.
    moved.splice(1..1, words.into_iter().take(place).skip(1));
    Split::Applet(applet, moved)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_of_mn_is_sound() {
        manage::command().debug_assert();
    }

    #[test]
    fn mn_with_a_name_is_the_applet_and_options_before_it_count() {
        let words = |line: &str| line.split(' ').map(OsString::from).collect::<Vec<_>>();
        for line in ["mn lsdef n1", "mn --dir /x lsdef n1", "mn --dir=/x lsdef n1"] {
            let Split::Applet(applet, moved) = split(words(line)) else { panic!("{line}") };
            assert_eq!(
                (applet.name, &moved[0], moved.last().unwrap()),
                ("lsdef", &"lsdef".into(), &"n1".into())
            );
            assert_eq!(moved.iter().any(|word| word.to_str().unwrap().contains("/x")), line.contains("/x"));
        }
        assert!(matches!(split(words("mn serve")), Split::Manage(_)));
    }
}
