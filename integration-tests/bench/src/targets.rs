//! What Sordini must reach, and whether it did.

use crate::broker::Kind;
use crate::rows::{Class, LOADED, Row};
use crate::samples::{Measure, Samples};
use crate::statistics::Summary;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    /// Better than Kafka by the median of the rounds' ratios.
    Ahead,
    /// Not worse than Kafka by more than the spread of the rounds' ratios.
    NotBehind,
    /// Ratio to Kafka at most this, within the spread: what another Rust broker reached beside Kafka 3.9.1.
    Ratio(f64),
    /// Sordini's own figure at most this, within its spread: what the other Rust broker reached.
    Reached(f64),
    /// Sordini's own figure below this, by the median.
    Below(f64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Met,
    MetWithinSpread,
    Missed,
}

use Measure::*;

/// Targets of single rows; every row has those of its class besides.
const ROW_TARGETS: [(&str, Measure, Bound); 22] = [
    (
        "produce 1 MB batches, acks=1",
        CpuSecondsPerGigabyte,
        Bound::Ratio(0.86),
    ),
    (
        "produce 1 MB batches, acks=all",
        CpuSecondsPerGigabyte,
        Bound::Ratio(0.86),
    ),
    (
        "produce 64 KB batches, acks=1",
        CpuSecondsPerGigabyte,
        Bound::Ratio(0.63),
    ),
    (
        "produce 64 KB batches, acks=all",
        CpuSecondsPerGigabyte,
        Bound::Ratio(0.63),
    ),
    (
        "produce 16 KB batches, acks=1",
        CpuSecondsPerGigabyte,
        Bound::Ratio(0.72),
    ),
    (
        "produce 16 KB batches, acks=all",
        CpuSecondsPerGigabyte,
        Bound::Ratio(0.72),
    ),
    (
        "produce one 100 B record a request",
        CpuSecondsPerGigabyte,
        Bound::Ratio(0.56),
    ),
    (
        "produce across 1,000 partitions",
        CpuSecondsPerGigabyte,
        Bound::Ratio(0.03),
    ),
    ("librdkafka producer 1 KiB", CpuSecondsPerGigabyte, Bound::Ratio(0.68)),
    (
        "librdkafka producer 1 KiB, 6 partitions",
        CpuSecondsPerGigabyte,
        Bound::Ratio(0.68),
    ),
    ("fetch 64 KiB", CpuSecondsPerGigabyte, Bound::Ratio(0.7)),
    ("fetch 64 KiB, session", CpuSecondsPerGigabyte, Bound::Ratio(0.7)),
    ("fetch 1 MiB", CpuSecondsPerGigabyte, Bound::Ratio(0.7)),
    ("fetch 1 MiB, session", CpuSecondsPerGigabyte, Bound::Ratio(0.7)),
    ("acknowledgement, one in flight", P50Ms, Bound::Ratio(0.55)),
    ("acknowledgement, one in flight", P999Ms, Bound::Ratio(0.07)),
    ("fresh broker", ApiVersionsAnsweredMs, Bound::Below(50.0)),
    ("fresh broker", MetadataAnsweredMs, Bound::Below(50.0)),
    ("fresh broker", IdleAnonymousMib, Bound::Below(25.0)),
    ("fresh broker", IdleAnonymousMib, Bound::Reached(20.0)), // 21 MB
    ("fresh broker", KibPerConnection, Bound::Below(4.0)),
    (LOADED, LoadedAnonymousMib, Bound::Below(61.0)), // 64 MB
];

/// Everything that `measure` of the row must satisfy; `class` is `None` for memory under load.
pub fn bounds(samples: &Samples, row: &str, class: Option<Class>, measure: Measure) -> Vec<Bound> {
    let own = ROW_TARGETS
        .iter()
        .filter(|(of, what, _)| *of == row && *what == measure)
        .map(|(_, _, bound)| *bound);
    let of_class = match (class, measure) {
        // A client that is itself the limit sends no faster to a better broker.
        (Some(Class::Produce), MegabytesPerSecond) if limit(samples, row, Kind::Sordini) == Limit::Generator => {
            Some(Bound::NotBehind)
        }
        (Some(Class::Produce), MegabytesPerSecond | CpuSecondsPerGigabyte) => Some(Bound::Ahead),
        (Some(Class::Latency), P50Ms | P99Ms | P999Ms) => Some(Bound::Ahead),
        (Some(Class::Process), ApiVersionsAnsweredMs | MetadataAnsweredMs | IdleAnonymousMib | KibPerConnection) => {
            Some(Bound::Ahead)
        }
        (Some(Class::Fetch), MegabytesPerSecond | CpuSecondsPerGigabyte) => Some(Bound::NotBehind),
        (None, LoadedAnonymousMib) => Some(Bound::Ahead),
        _ => None,
    };
    of_class.into_iter().chain(own).collect()
}

/// The measures of a row that the report shows.
pub fn shown(row: &Row) -> &'static [Measure] {
    match row.class() {
        Class::Process => &[
            ApiVersionsAnsweredMs,
            MetadataAnsweredMs,
            IdleAnonymousMib,
            IdleMappedMib,
            KibPerConnection,
        ],
        Class::Produce | Class::Fetch => &[MegabytesPerSecond, RecordsPerSecond, CpuSecondsPerGigabyte],
        Class::Latency => &[P50Ms, P99Ms, P999Ms, CpuSecondsPerGigabyte],
        Class::Floor => &[P50Ms, P99Ms, P999Ms],
    }
}

pub fn judge(bound: Bound, measure: Measure, ours: Summary, ratio: Summary) -> Verdict {
    let at_most = |summary: Summary, most: f64| match () {
        () if summary.median <= most => Verdict::Met,
        () if summary.low <= most => Verdict::MetWithinSpread,
        () => Verdict::Missed,
    };
    let strictly = |met: bool| if met { Verdict::Met } else { Verdict::Missed };
    match bound {
        Bound::Ahead if measure.more_is_better() => strictly(ratio.median > 1.0),
        Bound::Ahead => strictly(ratio.median < 1.0),
        Bound::NotBehind if measure.more_is_better() => at_most(
            Summary {
                median: -ratio.median,
                low: -ratio.high,
                high: -ratio.low,
            },
            -1.0,
        ),
        Bound::NotBehind => at_most(ratio, 1.0),
        Bound::Ratio(most) => at_most(ratio, most),
        Bound::Reached(most) => at_most(ours, most),
        Bound::Below(most) => strictly(ours.median < most),
    }
}

/// What kept a load from going faster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// The generator used a core or more, and more than the broker.
    Generator,
    /// The broker used a core or more, and more than the generator.
    Broker,
    /// Neither: waiting for each other, or for the disk.
    Neither,
}

pub fn limit(samples: &Samples, row: &str, kind: Kind) -> Limit {
    let cores = |measure| {
        samples
            .summary(row, measure, kind)
            .map_or(0.0, |summary| summary.median)
    };
    let (broker, generator) = (cores(BrokerCores), cores(GeneratorCores));
    match () {
        () if generator >= 0.9 && generator >= broker => Limit::Generator,
        () if broker >= 0.9 => Limit::Broker,
        () => Limit::Neither,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::ROWS;

    fn summary(low: f64, median: f64, high: f64) -> Summary {
        Summary { median, low, high }
    }

    #[test]
    fn every_target_names_a_row() {
        for (name, _, _) in ROW_TARGETS {
            assert!(name == LOADED || ROWS.iter().any(|row| row.name == name), "{name}");
        }
    }

    #[test]
    fn a_ratio_may_miss_by_its_spread_only() {
        let ours = summary(1.0, 1.0, 1.0);
        let verdict = |ratio| judge(Bound::Ratio(0.7), CpuSecondsPerGigabyte, ours, ratio);
        assert_eq!(verdict(summary(0.6, 0.7, 0.9)), Verdict::Met);
        assert_eq!(verdict(summary(0.7, 0.75, 0.8)), Verdict::MetWithinSpread);
        assert_eq!(verdict(summary(0.72, 0.75, 0.8)), Verdict::Missed);
    }

    #[test]
    fn more_megabytes_are_ahead_and_more_seconds_are_behind() {
        let (ours, ratio) = (summary(1.0, 1.0, 1.0), summary(1.05, 1.1, 1.2));
        assert_eq!(judge(Bound::Ahead, MegabytesPerSecond, ours, ratio), Verdict::Met);
        assert_eq!(judge(Bound::Ahead, P99Ms, ours, ratio), Verdict::Missed);
        assert_eq!(
            judge(Bound::NotBehind, CpuSecondsPerGigabyte, ours, ratio),
            Verdict::Missed
        );
        let behind = summary(0.9, 0.97, 1.01);
        assert_eq!(
            judge(Bound::NotBehind, MegabytesPerSecond, ours, behind),
            Verdict::MetWithinSpread
        );
    }
}
