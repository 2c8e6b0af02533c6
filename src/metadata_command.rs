//! `sordini metadata export` and `import`: the metadata of a broker from its embedded store to ZooKeeper, and back.
//!
//! Afterwards only one of the two is used: what was exported is put aside under another name, as a broker that went on with it would
//! give out producer ids and leader epochs a second time. What is imported gets its name when it is complete.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use config::BrokerConfig;
use controller::metadata_copy::{self, Copied};
use controller::store_embedded::{self, EmbeddedStore};
use controller::{SessionFile, Store, ZookeeperStore};

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
    let is_there = file.try_exists().with_context(|| file.display().to_string())?;
    match (direction, is_there) {
        (Direction::Export, false) => bail!("{} is not there: nothing to copy", file.display()),
        (Direction::Import, true) => bail!("{} is there already: it is not replaced", file.display()),
        (Direction::Export, true) | (Direction::Import, false) => {}
    }
    if !config.metadata_log_dir.is_dir() {
        bail!(
            "metadata.log.dir {} is not a directory",
            config.metadata_log_dir.display()
        );
    }
    // A broker that runs on ZooKeeper holds it, also while it has no session.
    let _alone = SessionFile::open(&config.metadata_log_dir)?;
    let connect = ensemble.connect.clone();
    let ensemble = ZookeeperStore::connect(ensemble).await?;
    let copied = match direction {
        Direction::Export => export(&file, &ensemble).await,
        Direction::Import => import(&ensemble, &file).await,
    };
    // Its session has no znodes of its own, so that it fails to end changes nothing.
    drop(ensemble.close().await);
    let Copied {
        cluster_id,
        znodes,
        topics,
    } = copied?;
    let shown = file.display();
    let about = format!("the metadata of cluster {cluster_id}, {topics} topics in {znodes} znodes,");
    Ok(match direction {
        Direction::Export => format!(
            "copied {about} from {shown} to {connect}; the file is called {} now",
            exported(&file).display()
        ),
        Direction::Import => format!("copied {about} from {connect} to {shown}; start no broker on {connect} any more"),
    })
}

async fn export(file: &Path, ensemble: &ZookeeperStore) -> anyhow::Result<Copied> {
    let copied = with(file, async |embedded| metadata_copy::copy(embedded, ensemble).await).await?;
    rename(file, &exported(file))?;
    Ok(copied)
}

async fn import(ensemble: &ZookeeperStore, file: &Path) -> anyhow::Result<Copied> {
    let unfinished = named(file, "importing");
    let copied = with(&unfinished, async |embedded| {
        metadata_copy::copy(ensemble, embedded).await
    })
    .await?;
    rename(&unfinished, file)?;
    Ok(copied)
}

/// Does something with the store in a file, which is closed afterwards.
async fn with(
    file: &Path,
    what: impl AsyncFnOnce(&EmbeddedStore) -> Result<Copied, metadata_copy::CopyError>,
) -> anyhow::Result<Copied> {
    let shown = || file.display().to_string();
    let embedded = EmbeddedStore::open_file(file.to_owned()).with_context(shown)?;
    let copied = what(&embedded).await;
    let closed = embedded.close().await.with_context(shown);
    let copied = copied?;
    closed.map(|()| copied)
}

fn exported(file: &Path) -> PathBuf {
    named(file, "exported")
}

fn named(file: &Path, ending: &str) -> PathBuf {
    file.with_extension(format!("metadata.{ending}"))
}

fn rename(from: &Path, to: &Path) -> anyhow::Result<()> {
    let renamed = std::fs::rename(from, to).and_then(|()| match to.parent() {
        Some(directory) => File::open(directory)?.sync_all(),
        None => Ok(()),
    });
    renamed.with_context(|| format!("calling {} {}", from.display(), to.display()))
}
