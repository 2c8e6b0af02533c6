//! `make bench`: the same loads, in turn, on Apache Kafka and on Sordini.

mod batch;
mod broker;
mod kernel;
mod loads;
mod report;
mod rows;
mod samples;
mod session;
mod statistics;
mod targets;
mod usage;
mod wire;

use anyhow::{Context, Result, bail, ensure};
use broker::{Installation, Kind};
use clap::Parser;
use rows::{LOADED, ROWS, Row};
use samples::{Measure, Samples};
use session::Session;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

#[derive(Parser)]
#[command(
    about = "Runs the same loads on Apache Kafka and on Sordini, in turn, and compares",
    version
)]
struct Arguments {
    /// Measured rounds
    #[arg(long, default_value_t = 7)]
    rounds: u32,
    /// One round, without the warm-up round before it
    #[arg(long)]
    quick: bool,
    /// Only rows whose name contains one of these texts, separated by semicolons
    #[arg(long, value_delimiter = ';')]
    rows: Vec<String>,
    /// Only these brokers: kafka, sordini
    #[arg(long, value_delimiter = ',', default_value = "kafka,sordini")]
    brokers: Vec<String>,
    /// Go on with the samples of the last run: what they hold is not run again
    #[arg(long)]
    resume: bool,
    /// Print the table of the last run and measure nothing
    #[arg(long)]
    report: bool,
    /// Print the names of the rows and measure nothing
    #[arg(long)]
    list: bool,
    /// Write the document to this file as well
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
    /// Data directories and samples go below this directory
    #[arg(long, default_value = "target/bench")]
    directory: PathBuf,
    /// File of samples in that directory
    #[arg(long, default_value = "samples.tsv")]
    samples: PathBuf,
    /// The release binary of Sordini
    #[arg(long, default_value = "target/release/sordini")]
    sordini: PathBuf,
    /// Class path of Apache Kafka with its tools
    #[arg(long, env = "KAFKA_CLASSPATH", default_value = "")]
    kafka_classpath: String,
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    if arguments.list {
        ROWS.iter().for_each(|row| println!("{}", row.name));
        return Ok(ExitCode::SUCCESS);
    }
    std::fs::create_dir_all(&arguments.directory)?;
    let samples_file = arguments.directory.join(&arguments.samples);
    let mut samples = Samples::open(&samples_file, arguments.resume || arguments.report)?;
    let failed = if arguments.report {
        Vec::new()
    } else {
        measure(&arguments, &mut samples)?
    };
    let report = report::report(&samples);
    println!("{}", report.table);
    for line in failed.iter().chain(&report.missed) {
        println!("missed: {line}");
    }
    if let Some(file) = &arguments.write {
        std::fs::write(file, report::document(&report, &samples)?)?;
    }
    Ok(if failed.is_empty() && report.missed.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Runs all rounds; returns a line for each load that failed.
fn measure(arguments: &Arguments, samples: &mut Samples) -> Result<Vec<String>> {
    let kinds = kinds(&arguments.brokers)?;
    ensure!(
        !arguments.kafka_classpath.is_empty(),
        "no class path of Kafka and its tools: scripts/bench sets it"
    );
    let wanted = |row: &&Row| arguments.rows.is_empty() || arguments.rows.iter().any(|text| row.name.contains(text));
    let rows: Vec<_> = ROWS.iter().filter(wanted).collect();
    ensure!(
        !rows.is_empty(),
        "no row is named like {:?}; --list prints the names",
        arguments.rows
    );
    let mut session = Session::new(Installation {
        kafka_classpath: arguments.kafka_classpath.clone(),
        sordini: arguments.sordini.clone(),
        directory: arguments.directory.canonicalize()?,
    })?;
    let mut failed = Vec::new();
    let rounds = if arguments.quick {
        1..=1
    } else {
        WARM_UP_ROUND..=arguments.rounds
    };
    for round in rounds {
        let order: Vec<_> = if round % 2 == 0 {
            kinds.iter().rev().collect()
        } else {
            kinds.iter().collect()
        };
        for row in &rows {
            for &&kind in &order {
                if samples.has(round, row.name, kind) {
                    continue;
                }
                session.start(row, kind)?;
                let started = Instant::now();
                match session.run(row, kind) {
                    Ok(measures) => {
                        progress(round, row, kind, started.elapsed(), &measures);
                        if round != WARM_UP_ROUND {
                            samples.add(round, row.name, kind, &measures)?;
                        }
                    }
                    Err(error) => {
                        let line = format!("{} on {} in round {round} failed: {error:#}", row.name, kind.name());
                        eprintln!("{line}");
                        failed.push(line);
                        session.abandon(kind);
                    }
                }
            }
        }
        for &kind in &kinds {
            if let Some(peak) = session.take_peak(kind).filter(|_| round != WARM_UP_ROUND) {
                samples.add(round, LOADED, kind, &samples::of_loaded(peak))?;
            }
        }
    }
    session.stop().context("a broker did not stop")?;
    Ok(failed)
}

/// Runs everything once so that both brokers are warm; its samples are not kept.
const WARM_UP_ROUND: u32 = 0;

fn kinds(names: &[String]) -> Result<Vec<Kind>> {
    let kind = |name: &String| match Kind::BOTH.into_iter().find(|kind| kind.name() == name) {
        Some(kind) => Ok(kind),
        None => bail!("no broker is called {name}: kafka, sordini"),
    };
    names.iter().map(kind).collect()
}

fn progress(round: u32, row: &Row, kind: Kind, took: Duration, measures: &[(Measure, f64)]) {
    let figures: Vec<_> = measures
        .iter()
        .map(|(measure, value)| format!("{} {value:.3}", measure.name()))
        .collect();
    let (kind, figures) = (kind.name(), figures.join("  "));
    eprintln!(
        "round {round}  {kind:8} {:40} {:4.1} s  {figures}",
        row.name,
        took.as_secs_f64()
    );
}
