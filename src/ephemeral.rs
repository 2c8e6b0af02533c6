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
        std::fs::create_dir(&dir).map_err(|e| io::Error::new(e.kind(), format!("{}: {e}", dir.display())))?;
        config.use_directory(&dir);
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

#[cfg(test)]
mod tests {
    use config::{Strictness, load};

    use super::*;

    #[test]
    fn it_is_the_directory_that_is_used_and_shown() {
        let mut config = load(Vec::new(), Strictness::Lenient).expect("the defaults").config;
        let ephemeral = EphemeralDir::create(&mut config).expect("the temporary directory is writable");
        let dir = ephemeral.0.clone();
        assert_eq!(
            (&config.log_dirs[..], &config.metadata_log_dir),
            (&[dir.clone()][..], &dir)
        );
        let described = config.describe();
        let shown = described.iter().find(|entry| entry.name == "log.dirs");
        assert_eq!(shown.and_then(|entry| entry.value.as_deref()), dir.to_str());
        drop(ephemeral);
        assert!(!dir.exists());
    }
}
