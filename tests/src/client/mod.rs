//! Real clients: one question, one answer.

pub mod dhcp;
pub mod export;
pub mod lookup;
pub mod transfer;
