//! The command line of `sordini`: what it takes, and how a configuration is read by it.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Instant;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Arg, ArgAction, ArgMatches};
use config::sources::Parsed;
use config::{ConfigError, Definition, Loaded, Refused, Strictness, keys, sources};
use log::LevelFilter;

use crate::logging::{Format, LogOptions};
use crate::metadata_command::Direction;
use crate::start::StartOptions;

/// What the command line asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Run a broker.
    Run(Args),
    /// Print every key of the configuration.
    Keys(KeysFormat),
    /// Copy the metadata of a broker that does not run.
    Metadata(Direction, Args),
}

/// The arguments of a broker.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Args {
    /// `--config`
    pub config: Option<PathBuf>,
    /// `--override`, in their order.
    pub overrides: Vec<String>,
    /// `--strict`
    pub strict: bool,
    /// `--ephemeral`
    pub ephemeral: bool,
    /// `--ready-file`
    pub ready_file: Option<PathBuf>,
    /// `--log-level` and `--log-format`
    pub log: LogOptions,
}

/// How `sordini config` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeysFormat {
    /// For people.
    Text,
    /// One array of objects.
    Json,
}

/// Reads the process's own command line; help, version and mistakes end the process.
pub fn parse() -> Command {
    parse_from(std::env::args_os()).unwrap_or_else(|error| error.exit())
}

/// Reads a command line, the program's name first. Help and version come as errors, too, as in clap.
pub fn parse_from<I: IntoIterator<Item = OsString>>(arguments: I) -> Result<Command, clap::Error> {
    let matches = command().try_get_matches_from(arguments)?;
    if let Some(("config", matches)) = matches.subcommand() {
        let json = matches
            .get_one::<String>("format")
            .is_some_and(|format| format == "json");
        return Ok(Command::Keys(if json { KeysFormat::Json } else { KeysFormat::Text }));
    }
    if let Some(("metadata", matches)) = matches.subcommand() {
        let (direction, matches) = match matches.subcommand() {
            Some(("export", matches)) => (Direction::Export, matches),
            Some(("import", matches)) => (Direction::Import, matches),
            other => unreachable!("clap asks for one of the two, and gave {other:?}"),
        };
        return Ok(Command::Metadata(direction, Args::from(matches)));
    }
    Ok(Command::Run(Args::from(&matches)))
}

fn command() -> clap::Command {
    let keys = clap::Command::new("config")
        .about("Print every configuration key: type, default, whether it changes while running, what it does")
        .arg(
            Arg::new("format")
                .long("format")
                .value_name("FORMAT")
                .help("How to print them")
                .value_parser(PossibleValuesParser::new(["text", "json"]))
                .default_value("text"),
        );
    clap::Command::new("sordini")
        .version(env!("CARGO_PKG_VERSION"))
        .about("A Kafka-wire-compatible partitioned log broker. Without arguments it serves on port 9092 by Kafka's defaults.")
        .subcommand(keys)
        .subcommand(metadata())
        .args_conflicts_with_subcommands(true)
        .args(configuration_args())
        .args(running_args())
        .args(logging_args())
}

fn metadata() -> clap::Command {
    let direction = |name: &'static str, about: &'static str| {
        clap::Command::new(name)
            .about(about)
            .args(configuration_args())
            .args(logging_args())
    };
    clap::Command::new("metadata")
        .about("Copy the metadata of a broker that does not run between its embedded store and ZooKeeper")
        .subcommand_required(true)
        .subcommand(direction(
            "export",
            "From the embedded store in metadata.log.dir to the ensemble of zookeeper.connect",
        ))
        .subcommand(direction(
            "import",
            "From the ensemble of zookeeper.connect to the embedded store in metadata.log.dir",
        ))
}

fn configuration_args() -> [Arg; 3] {
    [
        Arg::new("config")
            .long("config")
            .value_name("FILE")
            .help("Read the configuration from FILE: YAML (.yaml, .yml) or Kafka's server.properties (any other name)")
            .value_parser(clap::value_parser!(PathBuf)),
        Arg::new("override")
            .long("override")
            .value_name("KEY=VALUE")
            .help("Set one key, over what FILE says; may be repeated")
            .action(ArgAction::Append),
        Arg::new("strict")
            .long("strict")
            .help("Treat warnings about the configuration as errors")
            .action(ArgAction::SetTrue),
    ]
}

fn running_args() -> [Arg; 2] {
    [
        Arg::new("ephemeral")
            .long("ephemeral")
            .help("Keep everything in a temporary directory and remove it at the end")
            .action(ArgAction::SetTrue),
        Arg::new("ready-file")
            .long("ready-file")
            .value_name("PATH")
            .help("Write the address to PATH as soon as the broker serves")
            .value_parser(clap::value_parser!(PathBuf)),
    ]
}

fn logging_args() -> [Arg; 2] {
    let levels = PossibleValuesParser::new(["off", "error", "warn", "info", "debug", "trace"]);
    [
        Arg::new("log-level")
            .long("log-level")
            .value_name("LEVEL")
            .help("Write log lines of this importance and above")
            .value_parser(levels.try_map(|level| level.parse::<LevelFilter>()))
            .default_value("info"),
        Arg::new("log-format")
            .long("log-format")
            .value_name("FORMAT")
            .help("Write log lines for people or, one object a line, for machines")
            .value_parser(PossibleValuesParser::new(["text", "json"]).try_map(|format| format.parse::<Format>()))
            .default_value("text"),
    ]
}

impl From<&ArgMatches> for Args {
    fn from(matches: &ArgMatches) -> Self {
        let defaults = LogOptions::default();
        Self {
            config: matches.get_one::<PathBuf>("config").cloned(),
            overrides: matches
                .get_many::<String>("override")
                .unwrap_or_default()
                .cloned()
                .collect(),
            strict: matches.get_flag("strict"),
            ephemeral: matches
                .try_get_one("ephemeral")
                .ok()
                .flatten()
                .copied()
                .unwrap_or_default(),
            ready_file: matches.try_get_one("ready-file").ok().flatten().cloned(),
            log: LogOptions {
                level: matches
                    .get_one::<LevelFilter>("log-level")
                    .copied()
                    .unwrap_or(defaults.level),
                format: matches
                    .get_one::<Format>("log-format")
                    .copied()
                    .unwrap_or(defaults.format),
            },
        }
    }
}

impl Args {
    /// What starting the broker needs beside the configuration.
    pub fn start_options(&self, started: Instant) -> StartOptions {
        StartOptions {
            ephemeral: self.ephemeral,
            ready_file: self.ready_file.clone(),
            started,
        }
    }
}

/// What `--ephemeral` overrules.
const DIRECTORIES: [&str; 3] = ["log.dirs", "log.dir", "metadata.log.dir"];

/// Reads the file and the overrides that the arguments name into a configuration. Every error is reported, of the file and of
/// the overrides alike.
pub fn load_config(args: &Args) -> Result<Loaded, Refused> {
    let mut parsed = args.config.as_ref().map(|path| read_file(path)).unwrap_or_default();
    for argument in &args.overrides {
        match sources::parse_override(argument) {
            Ok(entry) => parsed.entries.push(entry),
            Err(error) => parsed.errors.push(error),
        }
    }
    if args.ephemeral {
        let reason = "is not used: --ephemeral keeps everything in a temporary directory";
        parsed.overruled = DIRECTORIES.map(|key| (key, reason)).to_vec();
    }
    let strictness = if args.strict {
        Strictness::Strict
    } else {
        Strictness::Lenient
    };
    config::load_parsed(parsed, strictness)
}

fn read_file(path: &std::path::Path) -> Parsed {
    let name = path.display().to_string();
    match std::fs::read(path) {
        Ok(bytes) => sources::parse_file(&name, &bytes),
        Err(error) => Parsed {
            errors: vec![ConfigError::of_file(&name, format!("cannot be read: {error}"))],
            ..Parsed::default()
        },
    }
}

/// Prints every key of the broker and of topics.
pub fn print_keys(format: KeysFormat, output: &mut impl Write) -> io::Result<()> {
    match format {
        KeysFormat::Text => {
            writeln!(output, "# Keys of the broker\n")?;
            keys::broker()
                .try_for_each(|definition| print_key(definition, Some(definition.update_mode.name()), output))?;
            writeln!(output, "# Keys of a topic\n")?;
            keys::topic().try_for_each(|definition| print_key(definition, None, output))
        }
        KeysFormat::Json => {
            let object = |scope: &str, definition: &Definition| {
                serde_json::json!({
                    "scope": scope,
                    "name": definition.name,
                    "type": definition.value_type.name().to_lowercase(),
                    "default": definition.default,
                    "valid": definition.valid.describe(),
                    "changes_while_running": scope == "topic",
                    "kafka_update_mode": definition.update_mode.name(),
                    "importance": definition.importance.name().to_lowercase(),
                    "doc": definition.doc,
                    "note": note(definition),
                })
            };
            let broker = keys::broker().map(|definition| object("broker", definition));
            let topic = keys::topic().map(|definition| object("topic", definition));
            let all: Vec<_> = broker.chain(topic).collect();
            serde_json::to_writer_pretty(&mut *output, &all)?;
            writeln!(output)
        }
    }
}

fn print_key(definition: &Definition, update_mode: Option<&str>, output: &mut impl Write) -> io::Result<()> {
    let value_type = definition.value_type.name().to_lowercase();
    write!(output, "{}  {value_type}, ", definition.name)?;
    match definition.default {
        None => write!(output, "no default")?,
        Some("") => write!(output, "default empty")?,
        Some(default) => write!(output, "default {default}")?,
    }
    match definition.valid.describe() {
        valid if valid.is_empty() || valid.len() > 120 => {}
        valid => write!(output, ", valid {valid}")?,
    }
    match update_mode {
        None => writeln!(output, ", changes while running")?,
        Some("read-only") => writeln!(output, ", changes by a restart")?,
        Some(mode) => writeln!(output, ", changes by a restart (in Kafka while running, too: {mode})")?,
    }
    writeln!(output, "    {}", definition.doc)?;
    match note(definition) {
        Some(note) => writeln!(output, "    {note}\n"),
        None => writeln!(output),
    }
}

/// What is to be said of a key that has no effect.
fn note(definition: &Definition) -> Option<String> {
    match definition.applies {
        config::Applies::Yes => None,
        config::Applies::Not(instead) => Some(format!("Has no effect here: {instead}")),
        config::Applies::NotYet(what) => Some(format!("Has no effect yet: {what}")),
    }
}

#[cfg(test)]
mod tests;
