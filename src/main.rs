//! The `sordini` command.

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;
use std::time::Instant;

use config::{BrokerConfig, ConfigError, Refused};
use sordini::cli::{self, Args, Command};
use sordini::{logging, metadata_command, start};

fn main() -> ExitCode {
    let started = Instant::now();
    match cli::parse() {
        Command::Run(args) => run(&args, |config| start::run(config, args.start_options(started))),
        Command::Metadata(direction, args) => run(&args, |config| {
            metadata_command::run(&config, direction).and_then(|line| Ok(writeln!(io::stdout(), "{line}")?))
        }),
        Command::Keys(format) => match cli::print_keys(format, &mut io::stdout().lock()) {
            Ok(()) => ExitCode::SUCCESS,
            // Whoever reads may stop when they have seen enough.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => ExitCode::SUCCESS,
            Err(error) => failure(error),
        },
    }
}

/// Does `what` with the configuration that the arguments name.
fn run(args: &Args, what: impl FnOnce(BrokerConfig) -> anyhow::Result<()>) -> ExitCode {
    // Held to the end, so that the last lines are written.
    let _guard = match logging::start(args.log) {
        Ok(guard) => guard,
        Err(error) => return failure(error),
    };
    let loaded = match cli::load_config(args) {
        Ok(loaded) => loaded,
        Err(Refused { errors, warnings }) => {
            warn(&warnings);
            errors.iter().for_each(say);
            let errors = if errors.len() == 1 {
                "one error".to_owned()
            } else {
                format!("{} errors", errors.len())
            };
            return failure(format!("not started: {errors} in the configuration"));
        }
    };
    warn(&loaded.warnings);
    match what(loaded.config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failure(format!("{error:#}")),
    }
}

fn warn(warnings: &[ConfigError]) {
    for warning in warnings {
        log::warn!("{warning}");
    }
}

fn failure(reason: impl Display) -> ExitCode {
    say(reason);
    ExitCode::FAILURE
}

/// Why the process ends is said even where no log lines are wanted.
fn say(reason: impl Display) {
    match log::log_enabled!(log::Level::Error) {
        true => log::error!("{reason}"),
        // Where stderr is closed, too, there is nobody to tell.
        false => drop(writeln!(io::stderr(), "sordini: {reason}")),
    }
}
