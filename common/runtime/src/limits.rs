//! What the system lets this process have.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Lets this process open as many files as the administrator allows it at most: the soft limit of
/// most systems is 1,024, which a rack of agents and their transfers is more than. Programs that
/// are started from here inherit it; they run a script or a command each and do not use `select`.
pub fn raise_open_files() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE).and_then(|(soft, hard)| {
        if soft < hard {
            setrlimit(Resource::RLIMIT_NOFILE, hard, hard).map(|()| Some(hard))
        } else {
            Ok(None)
        }
    });
    match raised {
        Ok(Some(files)) => tracing::debug!(files, "raised the limit of open files"),
        Ok(None) => {}
        Err(error) => tracing::warn!(%error, "could not raise the limit of open files"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn afterwards_there_is_nothing_left_to_raise() {
        raise_open_files();
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        assert_eq!(soft, hard);
    }
}
