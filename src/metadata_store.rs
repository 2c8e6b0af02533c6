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
        // A whole file that nothing was written in: from a first start that ended early, or put in the place of another.
        if store.exists(znodes::CLUSTER_ID).await?.is_none() {
            dirs.require_no_logs(&file, true)?;
        }
        return Ok(Sessions::only(Arc::new(store)));
    };
    create_metadata_log_dir(config)?;
    let connect = ensemble.connect.clone();
    let sessions = Sessions::connect(ensemble, SessionFile::open(&config.metadata_log_dir)?).await?;
    match require_own_cluster(&file, dirs, &connect, &sessions).await {
        Ok(()) => Ok(sessions),
        Err(error) => {
            // Nothing was written in it.
            drop(sessions.close().await);
            Err(error)
        }
    }
}

/// A broker that has been in a cluster does not begin in an ensemble that knows none: its topics would be gone, and their logs strays.
async fn require_own_cluster(file: &Path, dirs: &LogDirs, connect: &str, sessions: &Sessions) -> anyhow::Result<()> {
    let is_alone = file.try_exists().with_context(|| file.display().to_string())?;
    let cluster_id = dirs.cluster_id();
    if (!is_alone && cluster_id.is_none()) || sessions.exists(znodes::CLUSTER_ID).await?.is_some() {
        return Ok(());
    }
    if is_alone {
        bail!(
            "the metadata of this broker are in {}, and there are none at zookeeper.connect {connect}: copy them with \
             sordini metadata export, or remove the file to begin without them",
            file.display()
        );
    }
    bail!(
        "the log directories belong to cluster {} (meta.properties), and there is no cluster at zookeeper.connect {connect}: is \
         that the right path?",
        cluster_id.unwrap_or_default()
    );
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
