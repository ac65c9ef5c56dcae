//! What this machine says of itself: its networks, its users.

pub(crate) mod interfaces;

use nix::unistd::{Uid, User};

/// The name of a user, or its number where it has none.
pub(crate) fn user_name(uid: Uid) -> String {
    if uid.is_root() {
        return "root".to_owned();
    }
    User::from_uid(uid).ok().flatten().map_or_else(|| uid.to_string(), |user| user.name)
}
