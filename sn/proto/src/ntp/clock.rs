//! What a reply claims about the host's clock.

/// A moment as NTP writes it: seconds since 1900 in the upper half, their fraction in the lower.
/// It begins again every 136 years; clients know (RFC 5905 §6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timestamp(u64);

/// From 1900 to 1970, in seconds.
const UNIX_EPOCH: u64 = 2_208_988_800;

impl Timestamp {
    /// From seconds since 1970 and nanoseconds; what exceeds a second is cut off.
    pub const fn from_unix(seconds: u64, nanos: u32) -> Self {
        let nanos = if nanos > 999_999_999 { 999_999_999 } else { nanos };
        // Below 2^30 · 2^32, so the shift loses nothing.
        let fraction = ((nanos as u64) << 32) / 1_000_000_000;
        Self((seconds.wrapping_add(UNIX_EPOCH) << 32) | fraction)
    }

    /// As it is sent.
    pub const fn bytes(self) -> [u8; 8] {
        self.0.to_be_bytes()
    }

    /// The last whole multiple of 64 seconds before it.
    const fn last_poll(self) -> Self {
        Self(self.0 & !((64 << 32) - 1))
    }
}

/// What the last minute of the day will be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Leap {
    /// As long as any.
    #[default]
    None = 0,
    /// 61 seconds long.
    Insert = 1,
    /// 59 seconds long.
    Delete = 2,
}

/// What adjtimex(2) says of the host's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KernelClock {
    /// Whether somebody keeps it (`STA_UNSYNC` is clear).
    pub synchronised: bool,
    /// What is announced for the end of the day.
    pub leap: Leap,
    /// The most that it may be wrong, in microseconds (`maxerror`).
    pub max_error_us: u64,
}

/// What a reply claims about the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    pub(super) leap: Leap,
    pub(super) stratum: u8,
    pub(super) reference: [u8; 4],
    /// In units of 2⁻¹⁶ seconds.
    pub(super) dispersion: u32,
}

impl Clock {
    /// The claims that the kernel's word allows (`docs/decisions/0006-ntp-stratum.md`).
    ///
    /// The kernel does not know the stratum of whoever keeps its clock. 3 is the usual truth: a
    /// site's server takes the time from a public server of stratum 2. `maxerror` is the whole
    /// root distance (chrony puts delay/2 + dispersion there and the kernel lets it grow between
    /// updates), so it all goes into the dispersion and the delay is 0.
    ///
    /// A clock that nobody keeps is served at stratum 10, as xCAT's `setupntp` does: the nodes then
    /// agree with one another, and any better source that they know wins. Its dispersion is that of
    /// a clock that is right by definition; the kernel's 16 seconds would make every client refuse.
    pub fn from_kernel(kernel: KernelClock) -> Self {
        if kernel.synchronised {
            // 127.127.1.1 and not an address: clients take their own address here for a loop.
            let (stratum, reference) = (3, [127, 127, 1, 1]);
            Self { leap: kernel.leap, stratum, reference, dispersion: short(kernel.max_error_us) }
        } else {
            Self { leap: Leap::None, stratum: 10, reference: *b"LOCL", dispersion: short(LOCAL_ERROR_US) }
        }
    }

    /// When the clock was last set right, as far as it is known: within the last minute.
    pub(super) const fn set_at(now: Timestamp) -> Timestamp {
        now.last_poll()
    }
}

/// The error of a clock that is right by definition: how exactly it can be read.
const LOCAL_ERROR_US: u64 = 100;

/// Microseconds as NTP's short format, rounded up; at most what it can hold.
fn short(micros: u64) -> u32 {
    let units = (u128::from(micros) << 16).div_ceil(1_000_000);
    u32::try_from(units).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn unix_time_becomes_ntp_time() {
        assert_eq!(Timestamp::from_unix(0, 0).0, 2_208_988_800 << 32);
        assert_eq!(Timestamp::from_unix(0, 500_000_000).0 & 0xffff_ffff, 1 << 31);
        // 7 February 2036: the count begins again.
        assert_eq!(Timestamp::from_unix(2_085_978_496, 0).0, 0);
        let _ = Timestamp::from_unix(u64::MAX, u32::MAX);
    }

    #[test]
    fn the_kernels_error_is_claimed_and_never_less() {
        let kernel = KernelClock { synchronised: true, leap: Leap::Insert, max_error_us: 1_500_001 };
        let clock = Clock::from_kernel(kernel);
        assert_eq!((clock.stratum, clock.leap, clock.dispersion), (3, Leap::Insert, 0x1_8001));
        assert_eq!(short(u64::MAX), u32::MAX);
    }

    #[test]
    fn a_clock_that_nobody_keeps_is_local_and_says_so() {
        let kernel = KernelClock { synchronised: false, leap: Leap::Insert, max_error_us: 16_000_000 };
        let clock = Clock::from_kernel(kernel);
        assert_eq!((clock.stratum, &clock.reference, clock.leap), (10, b"LOCL", Leap::None));
        assert!(clock.dispersion < 1 << 10);
    }
}
