//! What was measured: one number per round, row, broker and measure; kept in a file so that a run can go on later.

use crate::broker::Kind;
use crate::loads::Outcome;
use crate::statistics::{Summary, percentile};
use crate::usage::Resident;
use anyhow::{Context, Result};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    MegabytesPerSecond,
    RecordsPerSecond,
    CpuSecondsPerGigabyte,
    P50Ms,
    P99Ms,
    P999Ms,
    BrokerCores,
    GeneratorCores,
    ApiVersionsAnsweredMs,
    MetadataAnsweredMs,
    IdleAnonymousMib,
    IdleMappedMib,
    LoadedAnonymousMib,
    LoadedMappedMib,
    KibPerConnection,
}

impl Measure {
    pub const ALL: [Measure; 15] = [
        Measure::MegabytesPerSecond,
        Measure::RecordsPerSecond,
        Measure::CpuSecondsPerGigabyte,
        Measure::P50Ms,
        Measure::P99Ms,
        Measure::P999Ms,
        Measure::BrokerCores,
        Measure::GeneratorCores,
        Measure::ApiVersionsAnsweredMs,
        Measure::MetadataAnsweredMs,
        Measure::IdleAnonymousMib,
        Measure::IdleMappedMib,
        Measure::LoadedAnonymousMib,
        Measure::LoadedMappedMib,
        Measure::KibPerConnection,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Measure::MegabytesPerSecond => "MB/s",
            Measure::RecordsPerSecond => "records/s",
            Measure::CpuSecondsPerGigabyte => "broker CPU-s/GB",
            Measure::P50Ms => "p50 ms",
            Measure::P99Ms => "p99 ms",
            Measure::P999Ms => "p99.9 ms",
            Measure::BrokerCores => "broker cores",
            Measure::GeneratorCores => "generator cores",
            Measure::ApiVersionsAnsweredMs => "ApiVersions answered after ms",
            Measure::MetadataAnsweredMs => "Metadata answered after ms",
            Measure::IdleAnonymousMib => "idle anonymous MiB",
            Measure::IdleMappedMib => "idle mapped files MiB",
            Measure::LoadedAnonymousMib => "loaded anonymous MiB",
            Measure::LoadedMappedMib => "loaded mapped files MiB",
            Measure::KibPerConnection => "KiB per idle connection",
        }
    }

    pub fn more_is_better(self) -> bool {
        matches!(self, Measure::MegabytesPerSecond | Measure::RecordsPerSecond)
    }
}

/// The measures of a load that moved records.
pub fn of_outcome(outcome: Outcome) -> Vec<(Measure, f64)> {
    let wall = outcome.usage.wall.as_secs_f64();
    let gigabytes = outcome.value_bytes as f64 / 1e9;
    let mut measures = vec![
        (Measure::MegabytesPerSecond, gigabytes * 1e3 / wall),
        (Measure::RecordsPerSecond, outcome.records as f64 / wall),
        (
            Measure::CpuSecondsPerGigabyte,
            outcome.usage.broker.as_secs_f64() / gigabytes,
        ),
        (Measure::BrokerCores, outcome.usage.broker.as_secs_f64() / wall),
        (Measure::GeneratorCores, outcome.usage.generator.as_secs_f64() / wall),
    ];
    let mut latencies_ns = outcome.latencies_ns;
    if !latencies_ns.is_empty() {
        latencies_ns.sort_unstable();
        for (measure, fraction) in [(Measure::P50Ms, 0.5), (Measure::P99Ms, 0.99), (Measure::P999Ms, 0.999)] {
            measures.push((measure, percentile(&latencies_ns, fraction) as f64 / 1e6));
        }
    }
    measures
}

pub fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

pub fn of_loaded(peak: Resident) -> Vec<(Measure, f64)> {
    vec![
        (Measure::LoadedAnonymousMib, mib(peak.anonymous)),
        (Measure::LoadedMappedMib, mib(peak.file)),
    ]
}

#[derive(Clone, Debug)]
struct Sample {
    round: u32,
    row: String,
    kind: Kind,
    measure: Measure,
    value: f64,
}

/// All samples of a run, in memory and in a file of tab-separated lines.
pub struct Samples {
    samples: Vec<Sample>,
    file: File,
}

impl Samples {
    /// Starts over, or with `resume` goes on with what the file holds.
    pub fn open(path: &Path, resume: bool) -> Result<Self> {
        let mut samples = Vec::new();
        if resume && path.exists() {
            for line in std::fs::read_to_string(path)?.lines() {
                samples.push(parse(line).with_context(|| format!("{}: not a sample: {line}", path.display()))?);
            }
        }
        let file = OpenOptions::new()
            .create(true)
            .write(true)
            .append(resume)
            .truncate(!resume)
            .open(path)?;
        Ok(Samples { samples, file })
    }

    pub fn add(&mut self, round: u32, row: &str, kind: Kind, measures: &[(Measure, f64)]) -> Result<()> {
        let mut lines = String::new();
        for &(measure, value) in measures {
            lines += &format!("{round}\t{row}\t{}\t{}\t{value}\n", kind.name(), measure.name());
            self.samples.push(Sample {
                round,
                row: row.to_owned(),
                kind,
                measure,
                value,
            });
        }
        Ok(self.file.write_all(lines.as_bytes())?)
    }

    pub fn has(&self, round: u32, row: &str, kind: Kind) -> bool {
        self.samples
            .iter()
            .any(|s| s.round == round && s.row == row && s.kind == kind)
    }

    pub fn any(&self, kind: Kind) -> bool {
        self.samples.iter().any(|s| s.kind == kind)
    }

    /// How many rounds have samples.
    pub fn rounds(&self) -> u32 {
        self.samples.iter().map(|s| s.round).max().unwrap_or(0)
    }

    pub fn summary(&self, row: &str, measure: Measure, kind: Kind) -> Option<Summary> {
        let of_kind = |s: &&Sample| s.row == row && s.measure == measure && s.kind == kind;
        Summary::of(&self.samples.iter().filter(of_kind).map(|s| s.value).collect::<Vec<_>>())
    }

    /// Sordini's figure over Kafka's, round by round: what disturbs one round disturbs both sides of its ratio.
    pub fn ratio(&self, row: &str, measure: Measure) -> Option<Summary> {
        let of = |kind| {
            self.samples
                .iter()
                .filter(move |s| s.row == row && s.measure == measure && s.kind == kind)
        };
        let ratios = of(Kind::Sordini).filter_map(|ours| {
            let theirs = of(Kind::Kafka).find(|s| s.round == ours.round && s.value > 0.0)?;
            Some(ours.value / theirs.value)
        });
        Summary::of(&ratios.collect::<Vec<_>>())
    }
}

fn parse(line: &str) -> Option<Sample> {
    let mut fields = line.split('\t');
    let (round, row, kind) = (fields.next()?.parse().ok()?, fields.next()?.to_owned(), fields.next()?);
    let (measure, value) = (fields.next()?, fields.next()?.parse().ok()?);
    let kind = Kind::BOTH.into_iter().find(|k| k.name() == kind)?;
    let measure = Measure::ALL.into_iter().find(|m| m.name() == measure)?;
    Some(Sample {
        round,
        row,
        kind,
        measure,
        value,
    })
}
