//! How many files the process may open, and whose they are: one use that takes more than its part takes it from others, and a
//! log directory whose files cannot be opened goes offline.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// With fewer the broker says so at its start.
const FEW: u64 = 4096;
/// However many files may be open.
const MAX_PARTITIONS: usize = 200_000;

/// The limit of the process, in files. An eighth is left for the rest.
#[derive(Debug, Clone, Copy)]
pub struct OpenFileLimit(u64);

impl OpenFileLimit {
    /// Lets the process open as many files as the system allows it at most, as the Java virtual machine does.
    pub fn raise() -> Self {
        let limit = getrlimit(Resource::Nofile);
        let raised = Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        };
        let limit = match setrlimit(Resource::Nofile, raised) {
            Ok(()) => limit.maximum.unwrap_or(u64::MAX),
            Err(e) => {
                let current = limit.current.unwrap_or(1024);
                log::warn!("the limit of open files stays at {current}: {e}");
                current
            }
        };
        let limit = Self(limit);
        if limit.0 < FEW {
            log::warn!(
                "only {} files may be open (ulimit -H -n): there can be {} partitions and {} connections at most",
                limit.0,
                limit.partitions(),
                limit.connections()
            );
        }
        limit
    }

    /// How many connections may be open at once.
    pub fn connections(self) -> usize {
        self.part(2)
    }

    /// How many partitions there may be: each keeps the file of the segment that it writes open.
    pub fn partitions(self) -> usize {
        self.part(4).min(MAX_PARTITIONS)
    }

    /// How many files of sealed segments and of indexes all logs together keep open between two uses ([`storage::OpenFiles`]).
    pub fn between_uses(self) -> usize {
        self.part(8)
    }

    fn part(self, divisor: u64) -> usize {
        usize::try_from(self.0 / divisor).unwrap_or(usize::MAX).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_leave_something_over() {
        for limit in [64, 1024, 1 << 20, u64::MAX] {
            let limit = OpenFileLimit(limit);
            let together = limit.connections() + limit.partitions() + limit.between_uses();
            assert!((together as u64) <= limit.0 - limit.0 / 8, "{limit:?}");
        }
        assert_eq!(OpenFileLimit(1024).partitions(), 256);
        assert_eq!(OpenFileLimit(u64::MAX).partitions(), MAX_PARTITIONS);
    }
}
