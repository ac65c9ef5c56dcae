//! What the kernel knows about its clock: `adjtimex(2)`, read only. The numbers are those that
//! whoever keeps the clock (chrony, ntpd) told the kernel; an NTP server builds its root dispersion
//! and its leap indicator from them (RFC 5905 §7.3).

use std::io;

/// The kernel does not say.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the state of the kernel's clock")]
pub struct ClockError(#[source] io::Error);

/// A leap second that the kernel has been told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leap {
    /// None today.
    None,
    /// The last minute of today has 61 seconds.
    Insert,
    /// The last minute of today has 59 seconds.
    Delete,
}

/// The kernel's clock, as of the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockState {
    /// Whether someone keeps the clock and says that it is right.
    pub synchronised: bool,
    /// A leap second to come.
    pub leap: Leap,
    /// How far the clock still has to be slewed, in nanoseconds.
    pub offset_ns: i64,
    /// The most that the clock may be wrong by, in microseconds. The kernel lets it grow by 500 a
    /// second until the clock's keeper says otherwise, and stops at 16 seconds.
    pub max_error_us: i64,
    /// How much it is probably wrong by, in microseconds.
    pub est_error_us: i64,
    /// By how much the clock's rate is corrected, in parts per million times 65,536.
    pub frequency_scaled_ppm: i64,
    /// How finely the clock ticks, in microseconds.
    pub precision_us: i64,
    /// International atomic time minus UTC, in seconds; 0 when nobody told the kernel.
    pub tai_offset_seconds: i32,
}

/// Reads the state of the kernel's clock. Needs no privilege and changes nothing.
///
/// # Errors
/// When the system forbids the call (some sandboxes do).
pub fn clock_state() -> Result<ClockState, ClockError> {
    // SAFETY: `timex` is a plain C struct of integers, for which all-zero bytes are a value.
    let mut timex: libc::timex = unsafe { std::mem::zeroed() };
    // With no mode bit set the call only reads.
    timex.modes = 0;
    // SAFETY: the pointer is to a live, exclusively borrowed `timex`, which the call fills in.
    let state = unsafe { libc::adjtimex(&raw mut timex) };
    if state < 0 {
        return Err(ClockError(io::Error::last_os_error()));
    }
    Ok(read(state, &timex))
}

fn read(state: libc::c_int, timex: &libc::timex) -> ClockState {
    let nanoseconds = timex.status & libc::STA_NANO != 0;
    let offset: i64 = timex.offset;
    ClockState {
        synchronised: state != libc::TIME_ERROR && timex.status & libc::STA_UNSYNC == 0,
        leap: match state {
            libc::TIME_INS => Leap::Insert,
            libc::TIME_DEL => Leap::Delete,
            _ => Leap::None,
        },
        offset_ns: if nanoseconds { offset } else { offset.saturating_mul(1000) },
        max_error_us: timex.maxerror,
        est_error_us: timex.esterror,
        frequency_scaled_ppm: timex.freq,
        precision_us: timex.precision,
        tai_offset_seconds: timex.tai,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_tells_a_state_that_makes_sense() {
        let state = clock_state().unwrap();
        assert!(state.max_error_us >= 0 && state.est_error_us >= 0, "{state:?}");
        // The kernel bounds the slewing offset at half a second (MAXPHASE).
        assert!(state.offset_ns.abs() <= 500_000_000, "{state:?}");
    }

    #[test]
    fn an_unsynchronised_clock_and_a_leap_second_are_seen() {
        // SAFETY: as in `clock_state`.
        let mut timex: libc::timex = unsafe { std::mem::zeroed() };
        timex.offset = 3;
        assert_eq!(read(libc::TIME_OK, &timex).offset_ns, 3000);
        timex.status = libc::STA_NANO;
        assert_eq!(read(libc::TIME_INS, &timex).leap, Leap::Insert);
        assert_eq!(read(libc::TIME_OK, &timex).offset_ns, 3);
        assert!(read(libc::TIME_OK, &timex).synchronised);
        assert!(!read(libc::TIME_ERROR, &timex).synchronised);
        timex.status |= libc::STA_UNSYNC;
        assert!(!read(libc::TIME_OK, &timex).synchronised);
    }
}
