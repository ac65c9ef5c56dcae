//! Giving memory back behind whatever took it.
//!
//! What a large question took (`history`, `diff`, `export`, a change that changes nothing) is free
//! once it is answered, and stays with the C library. So the daemon looks at its own size, and once
//! that has risen and rests, it gives back what is free. Nothing depends on it but memory.

use std::time::Duration;

use runtime::supervise::BoxError;
use tokio_util::sync::CancellationToken;

/// How often the size is looked at, and how often while it is larger than it was.
const LOOK: Duration = Duration::from_secs(1);
const SOON: Duration = Duration::from_millis(250);

/// How much larger it is to be, in pages: 6 MiB of the usual ones.
const WORTH: u64 = 1536;

/// It rests where it differs by less than this from the last look, in pages.
const REST: u64 = 256;

/// Gives free memory back whenever much was taken, until `stop`.
///
/// # Errors
/// None; a machine that does not say how large a process is has its memory left alone.
pub(super) async fn keep(stop: CancellationToken) -> Result<(), BoxError> {
    let (mut floor, mut last) = (resident(), resident());
    loop {
        let look = if last > floor.saturating_add(WORTH) { SOON } else { LOOK };
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(look) => {}
        }
        let now = resident();
        if now > floor.saturating_add(WORTH) && now.abs_diff(last) < REST {
            tokio::task::spawn_blocking(sys::give_back_memory).await?;
            floor = resident();
            last = floor;
        } else {
            floor = floor.min(now);
            last = now;
        }
    }
}

/// How many pages of the process are in memory; 0 where the system does not say.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    text.split_whitespace().nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_of_this_process_is_known() {
        assert!(resident() > 100);
    }
}
