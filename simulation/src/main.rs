//! Simulates clusters: `sordini-simulation --seeds 10` takes ten seeds that nobody has chosen, `--seed N` plays one of them again.

mod checks;
mod determinism;
mod faults;
mod host;
mod logger;
mod network;
mod run;
mod workload;

use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use clap::{Arg, ArgAction, ArgMatches, Command as Program, value_parser};
use planted::Bug;

/// How long a planted bug may stay hidden.
const HUNT: Duration = Duration::from_secs(120);

/// What the command line asks for.
struct Options {
    /// The seed to be played; without one each run has another.
    seed: Option<u64>,
    /// How many seeds are played, one after the other.
    seeds: u64,
    /// How long faults happen, in simulated seconds.
    seconds: u64,
    /// Prints every line that the brokers log.
    log: bool,
    /// The bug that the brokers have.
    bug: Option<Bug>,
    /// Plants one bug after the other until each is found.
    hunts: bool,
}

fn program() -> Program {
    let number =
        |name: &'static str, help: &'static str| Arg::new(name).long(name).help(help).value_parser(value_parser!(u64));
    Program::new("sordini-simulation")
        .about("Clusters of brokers on one thread; a seed decides all that happens")
        .arg(number(
            "seed",
            "The first seed to be played; without it nobody has chosen it",
        ))
        .arg(number("seeds", "How many seeds are played, one after the other").default_value("1"))
        .arg(number("seconds", "How long faults happen, in simulated seconds").default_value("60"))
        .arg(
            Arg::new("hunt")
                .long("hunt")
                .help("Plants each bug, or the one that is named, and plays seeds until it is found")
                .action(ArgAction::SetTrue),
        )
        .arg(
            Arg::new("plant")
                .long("plant")
                .help("A bug that the brokers have")
                .value_parser(Bug::ALL.iter().map(|bug| bug.name()).collect::<Vec<_>>()),
        )
        .arg(
            Arg::new("log")
                .long("log")
                .help("Prints every line that the brokers log")
                .action(ArgAction::SetTrue),
        )
}

fn options(given: &ArgMatches) -> Options {
    let number = |name: &str| given.get_one::<u64>(name).copied();
    let bug = given.get_one::<String>("plant");
    Options {
        seed: number("seed"),
        seeds: number("seeds").unwrap_or(1),
        seconds: number("seconds").unwrap_or(60),
        log: given.get_flag("log"),
        hunts: given.get_flag("hunt"),
        bug: bug.and_then(|name| Bug::ALL.iter().copied().find(|bug| bug.name() == name)),
    }
}

fn main() -> ExitCode {
    let options = options(&program().get_matches());
    if options.hunts {
        return hunt(&options);
    }
    match options.seed {
        Some(seed) if options.seeds == 1 => one(seed, &options),
        seed => several(seed.unwrap_or_else(any_seed), &options),
    }
}

/// A seed that nobody has chosen.
fn any_seed() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    determinism::mixed(since.map_or(0, |since| since.as_nanos() as u64)) >> 16
}

/// How a simulation that had a process of its own has ended.
enum Ended {
    /// All that must hold did.
    Well,
    /// Something did not.
    Violated,
    /// It did not get so far.
    Broken,
}

/// Plays a seed in a process of its own: nothing of one seed is left when the next one is played.
fn play(seed: u64, bug: Option<Bug>, options: &Options) -> Ended {
    let program = std::env::current_exe().expect("this program has a path");
    let mut command = Command::new(program);
    command.args(["--seed", &seed.to_string(), "--seconds", &options.seconds.to_string()]);
    if let Some(bug) = bug {
        command.args(["--plant", bug.name()]);
    }
    if options.log {
        command.arg("--log");
    }
    match command.status().expect("this program runs").code() {
        Some(0) => Ended::Well,
        Some(1) => Ended::Violated,
        _ => Ended::Broken,
    }
}

fn several(first: u64, options: &Options) -> ExitCode {
    let seeds = first..first + options.seeds;
    let failed = seeds.filter(|seed| !matches!(play(*seed, options.bug, options), Ended::Well));
    summary(options.seeds, failed.count() as u64)
}

/// Each bug has to be found within [`HUNT`], by seeds that nobody has chosen.
fn hunt(options: &Options) -> ExitCode {
    let bugs: Vec<Bug> = Bug::ALL
        .iter()
        .copied()
        .filter(|bug| options.bug.is_none_or(|only| only == *bug))
        .collect();
    let mut failed = 0;
    for bug in &bugs {
        let began = Instant::now();
        let found = std::iter::from_fn(|| (began.elapsed() < HUNT).then(any_seed)).find_map(|seed| {
            match play(seed, Some(*bug), options) {
                Ended::Well => None,
                Ended::Violated => Some(true),
                Ended::Broken => Some(false),
            }
        });
        let seconds = began.elapsed().as_secs();
        match found {
            Some(true) if began.elapsed() <= HUNT => println!("{} was found in {seconds} s", bug.name()),
            _ => {
                failed += 1;
                println!("{} was not found in {seconds} s", bug.name());
            }
        }
    }
    summary(bugs.len() as u64, failed)
}

fn summary(all: u64, failed: u64) -> ExitCode {
    println!("{} passed, {failed} failed", all - failed);
    match failed {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

fn one(seed: u64, options: &Options) -> ExitCode {
    determinism::begin(seed);
    sordini::threads::be_alone();
    if let Some(bug) = options.bug {
        planted::plant(bug);
    }
    logger::begin(options.log);
    let outcome = run::run(seed, options.seconds);
    for violation in &outcome.violations {
        println!("seed {seed}, {} ms: {violation}", determinism::elapsed_ms());
    }
    println!(
        "seed {seed}: {} records acknowledged, {} violations, log {:016x}",
        outcome.acknowledged,
        outcome.violations.len(),
        outcome.sum
    );
    match outcome.violations.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}
