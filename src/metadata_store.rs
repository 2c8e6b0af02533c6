//! Where the metadata lie: in a ZooKeeper ensemble, or in a file where the broker stands alone.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use config::BrokerConfig;
use controller::store_embedded::{self, EmbeddedStore};
use controller::{Ensemble, SessionFile, Sessions, Store, znodes};

use crate::log_dirs::LogDirs;

/// The ensemble of `zookeeper.connect`, if it is set.
pub fn ensemble(config: &BrokerConfig) -> Option<Ensemble> {
    let connect = config.zookeeper_connect.clone().filter(|connect| !connect.is_empty())?;
    let ms = |ms: i32| Duration::from_millis(ms.max(1).unsigned_abs().into());
    Some(Ensemble {
        connect,
        session_timeout: ms(config.zookeeper_session_timeout_ms),
        connection_timeout: ms(config.zookeeper_connection_timeout_ms),
        set_acl: config.zookeeper_set_acl,
        max_in_flight_requests: usize::try_from(config.zookeeper_max_in_flight_requests).unwrap_or(1),
    })
}

/// Opens the store that the configuration asks for.
///
/// # Errors
/// Where it cannot be opened, or is not the one that the logs belong to.
pub async fn open(config: &BrokerConfig, dirs: &LogDirs) -> anyhow::Result<Arc<Sessions>> {
    let file = config.metadata_log_dir.join(store_embedded::FILE_NAME);
    let Some(ensemble) = ensemble(config) else {
        dirs.require_metadata_store(&file)?;
        create_metadata_log_dir(config)?;
        let store = EmbeddedStore::open(&config.metadata_log_dir).context("the metadata store")?;
        return Ok(Sessions::only(Arc::new(store)));
    };
    create_metadata_log_dir(config)?;
    let connect = ensemble.connect.clone();
    let sessions = Sessions::connect(ensemble, SessionFile::open(&config.metadata_log_dir)?).await?;
    match require_what_the_file_had(&file, &connect, &sessions).await {
        Ok(()) => Ok(sessions),
        Err(error) => {
            // Nothing was written in it.
            drop(sessions.close().await);
            Err(error)
        }
    }
}

/// Who has stood alone takes the metadata along: without them the ensemble would know no topic of those whose logs are here.
async fn require_what_the_file_had(file: &Path, connect: &str, sessions: &Sessions) -> anyhow::Result<()> {
    let is_there = file.try_exists().with_context(|| file.display().to_string())?;
    if is_there && sessions.exists(znodes::CLUSTER_ID).await?.is_none() {
        bail!(
            "the metadata of this broker are in {}, and there are none at zookeeper.connect {connect}: copy them with \
             sordini metadata export, or remove the file to begin without them",
            file.display()
        );
    }
    Ok(())
}

/// As a directory of `log.dirs` is created.
fn create_metadata_log_dir(config: &BrokerConfig) -> anyhow::Result<()> {
    let dir = &config.metadata_log_dir;
    match dir.exists() {
        true => Ok(()),
        false => storage::create_dir_durably(&storage::RealDisk, dir)
            .with_context(|| format!("metadata.log.dir {}", dir.display())),
    }
}
