//! A text that is a token is written as one that is read the same.
#![no_main]

use common::wire::join::Token;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(token) = text.parse::<Token>() {
        let again = token.to_string().parse::<Token>().expect("our own text");
        assert_eq!(again.to_string(), token.to_string());
    }
});
