//! How many commands each caller runs at once, so that nobody can lock the administrator out.
//!
//! Root and the owner of the folder have places of their own that others never take: [`OTHERS`] is
//! half of what there is. Everyone else has [`EACH`].

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many commands may run at once, of everybody. Each is a task and a few buffers; scripts start
/// hundreds.
pub(super) const COMMANDS: usize = 512;

/// How many of them may be of others than root and the owner, all together.
const OTHERS: usize = 256;

/// How many may be of one such caller: a shell script with a few pipes, several times.
const EACH: usize = 32;

/// The count. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Places {
    taken: Arc<Mutex<Taken>>,
}

#[derive(Debug, Default)]
struct Taken {
    trusted: usize,
    others: usize,
    each: HashMap<String, usize>,
}

/// A command's place; given back when dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Places,
    /// None for who is trusted.
    caller: Option<String>,
}

/// Why there is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Full {
    /// The caller has as many as one may have.
    #[error("{EACH} commands of yours are running, which is the most for one user")]
    Caller,
    /// There is none for anybody.
    #[error("as many commands are running as may")]
    All,
}

impl Places {
    /// A place for a command of root or of the owner.
    pub(super) fn trusted(&self) -> Result<Place, Full> {
        let mut taken = self.taken();
        if taken.trusted + taken.others >= COMMANDS {
            return Err(Full::All);
        }
        taken.trusted += 1;
        Ok(Place { places: self.clone(), caller: None })
    }

    /// A place for a command of somebody else.
    pub(super) fn other(&self, caller: &str) -> Result<Place, Full> {
        let mut taken = self.taken();
        if taken.others >= OTHERS || taken.trusted + taken.others >= COMMANDS {
            return Err(Full::All);
        }
        let count = taken.each.get(caller).copied().unwrap_or_default();
        if count >= EACH {
            return Err(Full::Caller);
        }
        taken.each.insert(caller.to_owned(), count + 1);
        taken.others += 1;
        Ok(Place { places: self.clone(), caller: Some(caller.to_owned()) })
    }

    /// The counts are whole after every line that changes them, so a panic elsewhere does no harm.
    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        let Some(caller) = &self.caller else {
            taken.trusted -= 1;
            return;
        };
        taken.others -= 1;
        if let Some(count) = taken.each.get_mut(caller) {
            *count -= 1;
            if *count == 0 {
                taken.each.remove(caller);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_user_takes_no_more_than_his_places_and_gives_them_back() {
        let places = Places::default();
        let held: Vec<Place> = std::iter::from_fn(|| places.other("bob").ok()).take(10_000).collect();
        assert_eq!(held.len(), EACH);
        assert_eq!(places.other("bob").unwrap_err(), Full::Caller);
        assert!(places.other("eve").is_ok());
        drop(held);
        assert!(places.other("bob").is_ok());
        assert!(places.taken().each.is_empty());
    }

    #[test]
    fn all_others_together_leave_half_to_the_administrator() {
        let places = Places::default();
        let names = (0..10_000).map(|number| format!("u{number}"));
        let held: Vec<Place> = names.map_while(|name| places.other(&name).ok()).collect();
        assert_eq!(held.len(), OTHERS);
        let own: Vec<Place> = std::iter::from_fn(|| places.trusted().ok()).take(10_000).collect();
        assert_eq!(own.len(), COMMANDS - OTHERS);
    }
}
