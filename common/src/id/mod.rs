//! Names and numbers, parsed at the edge and trusted inside.
//!
//! Each type has a private field, `FromStr` and `Display`; the error of `FromStr` says what to
//! type instead. A value that exists is valid: `serde` goes through the same check.

mod digest;
mod mac;
mod moment;
mod name;
mod number;

pub use digest::{Digest, DigestError};
pub use mac::{MacAddr, MacError};
pub use moment::Moment;
pub use name::{ImageName, NameError, NetworkName, NodeName, SnName};
pub use number::{Epoch, Generation, Revision};
