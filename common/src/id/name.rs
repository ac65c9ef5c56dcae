//! Names of nodes, service nodes, networks and images.
//!
//! One rule for all: 1 to 200 characters out of `A-Z a-z 0-9 _ . -`, not starting with
//! `-` or `.`. That is what xCAT accepts in practice, and it
//! keeps every name safe as a file name and as a DNS label sequence.

use std::fmt;
use std::str::FromStr;

use arcstr::ArcStr;
use serde::{Deserialize, Serialize};

/// The longest name, in bytes (RFC 1035 §2.3.4 bounds a host name at 255 with its dots).
pub(super) const MAX_LEN: usize = 200;

/// Why a text is not a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is not a {kind} name: {why}; use letters, digits, '-', '_' and '.', starting with a letter or digit"
)]
pub struct NameError {
    kind: &'static str,
    text: String,
    why: &'static str,
}

fn check(kind: &'static str, text: &str) -> Result<(), NameError> {
    let refuse = |why| {
        let shown: String = text.chars().take(80).collect();
        Err(NameError { kind, text: shown, why })
    };
    if text.is_empty() {
        return refuse("it is empty");
    }
    if text.len() > MAX_LEN {
        return refuse("it is longer than 200 characters");
    }
    if text.starts_with(['-', '.']) {
        return refuse("it starts with '-' or '.'");
    }
    if !text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-')) {
        return refuse("it holds a character that no name may hold");
    }
    Ok(())
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(ArcStr);

        impl $type {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $type {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                check($kind, text)?;
                Ok(Self(text.into()))
            }
        }

        /// Takes the text as it is, in the memory that it is in already.
        impl TryFrom<ArcStr> for $type {
            type Error = NameError;
            fn try_from(text: ArcStr) -> Result<Self, NameError> {
                check($kind, &text)?;
                Ok(Self(text))
            }
        }

        impl TryFrom<String> for $type {
            type Error = NameError;
            fn try_from(text: String) -> Result<Self, NameError> {
                text.parse()
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> Self {
                name.0.as_str().to_owned()
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        /// Lets ordered maps be searched by text.
        impl std::borrow::Borrow<str> for $type {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

name!(
    /// A compute node, as the management node knows it.
    NodeName,
    "node"
);
name!(
    /// A service node, as the management node knows it (xCAT: the *MN-facing* name).
    SnName,
    "service node"
);
name!(
    /// A row of the `networks` table (`netname`).
    NetworkName,
    "network"
);
name!(
    /// A row of the `osimage` table (`imagename`).
    ImageName,
    "image"
);

impl From<&SnName> for NodeName {
    /// Every service node is a node of the management node.
    fn from(sn: &SnName) -> Self {
        Self(sn.0.clone())
    }
}

impl From<&NodeName> for SnName {
    /// Says only that the name is used in the place of a service node; whether there is one is
    /// the model's to check.
    fn from(node: &NodeName) -> Self {
        Self(node.0.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_refused_with_what_to_type_instead() {
        let error = "-n1".parse::<NodeName>().unwrap_err().to_string();
        assert!(error.contains("starts with '-'") && error.contains("use letters"), "{error}");
        for bad in ["", "a b", "a/b", "n\u{e9}", ".x", &"x".repeat(201)] {
            assert!(bad.parse::<NodeName>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn names_survive_the_wire_and_bad_bytes_do_not_become_names() {
        let name: NodeName = "w1.dom-a_b".parse().unwrap();
        let bytes = postcard::to_stdvec(&name).unwrap();
        assert_eq!(postcard::from_bytes::<NodeName>(&bytes).unwrap(), name);
        let bytes = postcard::to_stdvec("../etc").unwrap();
        assert!(postcard::from_bytes::<NodeName>(&bytes).is_err());
    }
}
