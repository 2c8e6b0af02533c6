//! Bugs that are planted on purpose, one at a time, so that the simulation shows that it would find them. Each breaks one invariant of
//! replication. A broker that is built for anything else has none of this: [`is`] is `false` there at compile time.

#[cfg(feature = "on")]
use std::sync::atomic::{AtomicUsize, Ordering};

macro_rules! bugs {
    ($($(#[$doc:meta])* $bug:ident = $name:literal),* $(,)?) => {
        /// One of the bugs.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Bug {
            $($(#[$doc])* $bug),*
        }

        impl Bug {
            /// All of them.
            pub const ALL: &[Bug] = &[$(Bug::$bug),*];

            /// Its name on the command line.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Bug::$bug => $name),*
                }
            }
        }
    };
}

bugs! {
    /// A leader acknowledges with `acks=all` what it alone has.
    AcknowledgeAtOnce = "acknowledge-at-once",
    /// The high watermark does not wait for followers in sync.
    HighWatermarkAlone = "high-watermark-alone",
    /// The high watermark waits for the committed ISR only, not for those that the controller may have let in already.
    HighWatermarkOnCommittedIsr = "high-watermark-on-committed-isr",
    /// The high watermark moves, and records are taken, while too few replicas are in sync.
    MinIsrIgnored = "min-isr-ignored",
    /// A follower takes over a high watermark beyond the end of its log.
    HighWatermarkBeyondTheEnd = "high-watermark-beyond-the-end",
    /// A follower cuts its log to its own high watermark whenever another broker leads.
    TruncateToHighWatermark = "truncate-to-high-watermark",
    /// A leader does not tell a follower that their logs have parted.
    NoDivergence = "no-divergence",
    /// A follower joins the ISR that has not reached the beginning of the leader's epoch.
    JoinBelowEpochStart = "join-below-epoch-start",
    /// Somebody leads who was not in sync.
    UncleanElection = "unclean-election",
    /// A new leader leads in the epoch of the one before.
    SameLeaderEpoch = "same-leader-epoch",
    /// A controller writes without looking whether there is a later one.
    UncheckedWrites = "unchecked-writes",
    /// What a producer sends again is appended again.
    NoDeduplication = "no-deduplication",
    /// What was appended in another epoch counts as committed once the high watermark is above it.
    CommitOfAnyEpoch = "commit-of-any-epoch",
}

#[cfg(feature = "on")]
static PLANTED: AtomicUsize = AtomicUsize::new(usize::MAX);

/// From now on the process has this bug.
#[cfg(feature = "on")]
pub fn plant(bug: Bug) {
    PLANTED.store(bug as usize, Ordering::Relaxed);
}

/// Whether the process has this bug.
#[cfg(feature = "on")]
pub fn is(bug: Bug) -> bool {
    PLANTED.load(Ordering::Relaxed) == bug as usize
}

/// Whether the process has this bug: never.
#[cfg(not(feature = "on"))]
#[inline(always)]
pub const fn is(_: Bug) -> bool {
    false
}
