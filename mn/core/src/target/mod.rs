//! What a command means by the words that name its objects: types, names, noderanges.

mod chosen;
mod named;
pub(crate) mod range;

pub use self::chosen::Chosen;
pub(crate) use self::named::{dotted, invalid, is_misnamed, kinds, missing, named, names, no_type};
