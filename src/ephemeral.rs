//! `--ephemeral`: a temporary directory that goes with the broker.

use std::io;
use std::path::PathBuf;

use config::BrokerConfig;

/// Removed, with all that is in it, when dropped.
pub struct EphemeralDir(PathBuf);

impl EphemeralDir {
    /// Creates it and points the configuration's directories there.
    ///
    /// # Errors
    /// When the directory cannot be created.
    pub fn create(config: &mut BrokerConfig) -> io::Result<Self> {
        let name = format!("sordini-{}-{:08x}", std::process::id(), crate::random::u32());
        let dir = std::env::temp_dir().join(name);
        std::fs::create_dir(&dir)?;
        config.log_dirs = vec![dir.clone()];
        config.metadata_log_dir = dir.clone();
        Ok(Self(dir))
    }
}

impl Drop for EphemeralDir {
    fn drop(&mut self) {
        if let Err(e) = std::fs::remove_dir_all(&self.0) {
            log::warn!("{} could not be removed: {e}", self.0.display());
        }
    }
}
