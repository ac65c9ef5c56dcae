//! Real clients: one question, one answer.

pub mod dhcp;
pub mod lookup;
pub mod transfer;
