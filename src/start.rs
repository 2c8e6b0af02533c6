//! Starting the broker and running it until it is asked to stop.

use std::path::PathBuf;
use std::time::Instant;

use config::BrokerConfig;

/// What the command line asks for beside the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartOptions {
    /// Use a temporary directory for everything and remove it at the end (`--ephemeral`).
    pub ephemeral: bool,
    /// A file that receives the address once the broker serves (`--ready-file`).
    pub ready_file: Option<PathBuf>,
    /// When the process began, for the line that says how long starting took.
    pub started: Instant,
}

/// Runs the broker until SIGINT or SIGTERM.
pub fn run(config: BrokerConfig, options: StartOptions) -> anyhow::Result<()> {
    log::debug!("{options:?}");
    anyhow::bail!(
        "no broker is part of this build; its listeners would be {:?}",
        config.listeners
    )
}
