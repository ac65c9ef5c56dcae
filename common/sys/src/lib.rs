//! System calls that have no safe wrapper in the crates we use: one safe function each.
//! The only crate of the workspace that may say `unsafe`.
