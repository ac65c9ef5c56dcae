//! Counters that only go up.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! counter {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $type(u64);

        impl $type {
            /// Before the first.
            pub const ZERO: Self = Self(0);

            /// The counter with this value; for decoding and tests.
            pub const fn new(value: u64) -> Self {
                Self(value)
            }

            /// The value.
            pub const fn value(self) -> u64 {
                self.0
            }

            /// The one after this. 2^64 is not reached: a million a second would take 584,000 years.
            #[must_use]
            pub const fn next(self) -> Self {
                Self(self.0.saturating_add(1))
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

counter!(
    /// The number of a slice of one service node. It rises only when the slice's digest changes,
    /// and it never goes back.
    Generation
);
counter!(
    /// The number of a committed change on the management node.
    Revision
);
counter!(
    /// How often a node has changed its owner. Who has seen a higher epoch for a node obeys only
    /// that; see `ARCHITECTURE.md`, "A move".
    Epoch
);
