//! How a person hands a token over without showing it to everyone on the machine: arguments of a
//! running program can be read by all its users.

use std::ffi::OsString;
use std::io::{self, Read};
use std::path::PathBuf;

use common::wire::join::{Token, TokenError};

/// The environment variable that holds a token; an empty one counts as not set.
pub const VARIABLE: &str = "DROVER_TOKEN";

/// The longest text that is read as a token: 16 addresses and the rest are below a kilobyte.
const LONGEST: u64 = 4096;

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum TokenWordError {
    /// Nothing says where it is.
    #[error("no token: give it on standard input with `-`, as the name of a file, or in {VARIABLE}")]
    Absent,
    /// Standard input or the file cannot be read.
    #[error("the token cannot be read from {from}")]
    Read {
        /// Where from.
        from: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// What was read is no token.
    #[error(transparent)]
    Token(#[from] TokenError),
}

/// The token that a word of the command line means: `-` is standard input, a word that begins with
/// `drover1:` is the token itself, any other a file; without a word it is in the environment.
///
/// # Errors
/// When there is none.
pub fn read(word: Option<&str>) -> Result<Token, TokenWordError> {
    let variable = std::env::var_os(VARIABLE);
    let text = text(word, variable, &mut io::stdin().lock())?;
    Ok(text.trim().parse()?)
}

fn text(
    word: Option<&str>,
    variable: Option<OsString>,
    stdin: &mut dyn Read,
) -> Result<String, TokenWordError> {
    let Some(word) = word else {
        let set = variable.filter(|value| !value.is_empty()).ok_or(TokenWordError::Absent)?;
        return Ok(set.to_string_lossy().into_owned());
    };
    if word.starts_with("drover1:") {
        return Ok(word.to_owned());
    }
    let (from, read) = match word {
        "-" => ("standard input".to_owned(), bounded(stdin)),
        file => (file.to_owned(), std::fs::File::open(PathBuf::from(file)).and_then(bounded)),
    };
    match read {
        // What is no file was meant to be a token, and is refused as one.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(word.to_owned()),
        read => read.map_err(|source| TokenWordError::Read { from, source }),
    }
}

fn bounded(from: impl Read) -> io::Result<String> {
    let mut text = String::new();
    from.take(LONGEST).read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(word: Option<&str>, variable: Option<&str>, stdin: &str) -> Result<String, TokenWordError> {
        text(word, variable.map(OsString::from), &mut stdin.as_bytes())
    }

    #[test]
    fn a_token_is_a_word_standard_input_a_file_or_the_environment() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        std::fs::write(&file, "drover1:f\n").unwrap();
        assert_eq!(read(Some("drover1:w"), None, "").unwrap(), "drover1:w");
        assert_eq!(read(Some("-"), Some("drover1:e"), "drover1:s\n").unwrap(), "drover1:s\n");
        assert_eq!(read(file.to_str(), None, "").unwrap(), "drover1:f\n");
        assert_eq!(read(None, Some("drover1:e"), "").unwrap(), "drover1:e");
    }

    #[test]
    fn an_empty_variable_counts_as_not_set() {
        let refused = read(None, Some(""), "").unwrap_err();
        assert!(matches!(refused, TokenWordError::Absent), "{refused}");
        assert!(refused.to_string().contains("standard input"));
    }

    #[test]
    fn a_word_that_names_no_file_is_refused_as_a_token_is() {
        assert_eq!(read(Some("rover1:w"), None, "").unwrap(), "rover1:w");
        assert!("rover1:w".parse::<Token>().is_err());
    }
}
