//! `sordini metadata export` and `import`: the metadata of a broker from its embedded store to ZooKeeper, and back.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, anyhow, bail};
use config::BrokerConfig;
use controller::metadata_copy::{self, Copied};
use controller::store_embedded::{self, EmbeddedStore};
use controller::{Store, ZookeeperStore};

use crate::metadata_store;

/// Where the metadata go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the embedded store to ZooKeeper.
    Export,
    /// From ZooKeeper to the embedded store.
    Import,
}

/// Copies the metadata between the two stores that the configuration names: the file in `metadata.log.dir` and the ensemble of
/// `zookeeper.connect`. Gives a line about it.
///
/// # Errors
/// Where a store cannot be opened, a broker runs on one of them, the one has nothing or the other has something already.
pub fn run(config: &BrokerConfig, direction: Direction) -> anyhow::Result<String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("starting")?;
    runtime.block_on(copy(config, direction))
}

async fn copy(config: &BrokerConfig, direction: Direction) -> anyhow::Result<String> {
    let ensemble = metadata_store::ensemble(config)
        .ok_or_else(|| anyhow!("zookeeper.connect names the ensemble to copy to or from: set it"))?;
    let file = config.metadata_log_dir.join(store_embedded::FILE_NAME);
    if direction == Direction::Export && !file.try_exists().with_context(|| file.display().to_string())? {
        bail!("{} is not there: nothing to copy", file.display());
    }
    let connect = ensemble.connect.clone();
    let ensemble: Arc<dyn Store> = Arc::new(ZookeeperStore::connect(ensemble).await?);
    let copied = between(config, direction, ensemble.as_ref()).await;
    // Its session has no znodes of its own, so that it fails to end changes nothing.
    drop(ensemble.close().await);
    let Copied {
        cluster_id,
        znodes,
        topics,
    } = copied?;
    let (from, to) = match direction {
        Direction::Export => (file.display().to_string(), connect),
        Direction::Import => (connect, file.display().to_string()),
    };
    Ok(format!(
        "copied the metadata of cluster {cluster_id} from {from} to {to}: {topics} topics, {znodes} znodes"
    ))
}

async fn between(config: &BrokerConfig, direction: Direction, ensemble: &dyn Store) -> anyhow::Result<Copied> {
    let shown = || {
        config
            .metadata_log_dir
            .join(store_embedded::FILE_NAME)
            .display()
            .to_string()
    };
    if direction == Direction::Import {
        require_directory(&config.metadata_log_dir)?;
    }
    let embedded = EmbeddedStore::open(&config.metadata_log_dir).with_context(shown)?;
    let copied = match direction {
        Direction::Export => metadata_copy::copy(&embedded, ensemble).await,
        Direction::Import => metadata_copy::copy(ensemble, &embedded).await,
    };
    embedded.close().await.with_context(shown)?;
    Ok(copied?)
}

fn require_directory(directory: &Path) -> anyhow::Result<()> {
    if !directory.is_dir() {
        bail!("metadata.log.dir {} is not a directory", directory.display());
    }
    Ok(())
}
