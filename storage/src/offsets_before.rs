//! Offsets by the time of a segment's last write: what ListOffsets version 0 asks for, from before records had timestamps.

use std::sync::Arc;

use crate::error::ReadError;
use crate::log::Log;
use crate::log_home::LogHome;
use crate::scan::Located;
use crate::segment::Segment;

/// What ListOffsets version 0 asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BeforeSpec {
    /// −1: from the end.
    Latest,
    /// −2: the log start offset alone.
    Earliest,
    /// From the last segment that was not written after this time, in milliseconds.
    Time(i64),
}

/// The segments of a log at one moment. It owns all that it needs, and reads their times from the disk.
#[derive(Debug)]
pub struct OffsetsBefore {
    home: Arc<LogHome>,
    segments: Vec<Arc<Segment>>,
    log_start_offset: i64,
    log_end_offset: i64,
}

impl Log {
    /// Takes down the segments; cheap, to be called under the partition's lock.
    pub fn offsets_before(&self) -> OffsetsBefore {
        OffsetsBefore {
            home: self.home.clone(),
            segments: self.segments.values().cloned().collect(),
            log_start_offset: self.log_start_offset,
            log_end_offset: self.log_end_offset,
        }
    }
}

impl OffsetsBefore {
    /// At most `max_offsets` offsets where segments begin, and the log end offset, falling, the first of them as `spec` says. It
    /// waits for the disk.
    pub fn run(&self, spec: BeforeSpec, max_offsets: usize, now_ms: i64) -> Result<Vec<i64>, ReadError> {
        self.home.health().check()?;
        let mut starts = Vec::with_capacity(self.segments.len() + 1);
        for segment in &self.segments {
            if segment.is_deleted() {
                continue;
            }
            let metadata = segment.unless_gone(self.home.disk().metadata(&segment.path()));
            let Some(metadata) = self.home.check("look at a segment", metadata)? else {
                continue;
            };
            let modified_ms = metadata.modified_ms;
            starts.push((segment.base_offset().max(self.log_start_offset), modified_ms));
        }
        if self.segments.last().is_some_and(|last| last.size() > 0) {
            starts.push((self.log_end_offset, now_ms));
        }
        Ok(select(&starts, spec, max_offsets))
    }
}

/// `starts` are offsets, rising, and times.
fn select(starts: &[(i64, i64)], spec: BeforeSpec, max_offsets: usize) -> Vec<i64> {
    let count = match spec {
        BeforeSpec::Latest => starts.len(),
        BeforeSpec::Earliest => 1,
        BeforeSpec::Time(time_ms) => starts.iter().rposition(|(_, at)| *at <= time_ms).map_or(0, |at| at + 1),
    };
    starts
        .iter()
        .take(count)
        .rev()
        .take(max_offsets)
        .map(|(offset, _)| *offset)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_fall_from_where_the_time_says() {
        let starts = [(5, 100), (10, 200), (20, 300), (25, 999)];
        assert_eq!(select(&starts, BeforeSpec::Latest, 1), [25]);
        assert_eq!(select(&starts, BeforeSpec::Latest, 9), [25, 20, 10, 5]);
        assert_eq!(select(&starts, BeforeSpec::Earliest, 9), [5]);
        assert_eq!(select(&starts, BeforeSpec::Time(250), 9), [10, 5]);
        assert_eq!(select(&starts, BeforeSpec::Time(250), 1), [10]);
        assert_eq!(select(&starts, BeforeSpec::Time(99), 9), [0; 0]);
        assert_eq!(select(&starts, BeforeSpec::Latest, 0), [0; 0]);
    }
}
