//! What the broker does to its logs from time to time: retention, flushing by time, checkpoints, forgetting idle producers.

use std::sync::Arc;
use std::time::Duration;

use config::BrokerConfig;
use tokio::task::JoinHandle;

use crate::logs::Logs;
use crate::partition::Partition;
use crate::replicas::Replicas;

/// How often topics with `flush.ms` are looked at where `log.flush.scheduler.interval.ms` does not ask for more.
const FLUSH_CHECK: Duration = Duration::from_secs(1);
/// How often failures of log directories are looked for that no request has met.
const LOG_DIRS_CHECK: Duration = Duration::from_secs(1);
/// How often files that were marked as deleted are looked at.
const DELETED_FILES_CHECK: Duration = Duration::from_secs(5);

/// Starts all periodic work. The tasks end when they are aborted.
pub fn start(config: &BrokerConfig, replicas: &Arc<Replicas>, logs: &Arc<Logs>) -> Vec<JoinHandle<()>> {
    let ms = |ms: i64| Duration::from_millis(u64::try_from(ms).unwrap_or(0).max(1));
    let initial = ms(config.log_initial_task_delay_ms);
    let flush_check = FLUSH_CHECK.min(ms(config.log_flush_scheduler_interval_ms));
    let every_partition = |name, first, interval, work: fn(&Replicas, &Arc<Partition>)| {
        let replicas = replicas.clone();
        every(name, first, interval, move || {
            for partition in replicas.all() {
                work(&replicas, &partition);
            }
        })
    };
    let checkpoint = |name, interval, work: fn(&Logs, &[Arc<Partition>])| {
        let (replicas, logs) = (replicas.clone(), logs.clone());
        every(name, interval, interval, move || work(&logs, &replicas.all()))
    };
    vec![
        every_partition("retention", initial, ms(config.log_retention_check_interval_ms), retain),
        every_partition("flushing by time", flush_check, flush_check, flush_if_due),
        every_partition(
            "removing deleted files",
            DELETED_FILES_CHECK,
            DELETED_FILES_CHECK,
            remove_deleted,
        ),
        every_partition(
            "forgetting idle producers",
            ms(i64::from(config.producer_id_expiration_check_interval_ms)),
            ms(i64::from(config.producer_id_expiration_check_interval_ms)),
            |_, partition| partition.forget_idle_producers(),
        ),
        checkpoint(
            "checkpointing recovery points",
            ms(i64::from(config.log_flush_offset_checkpoint_interval_ms)),
            Logs::checkpoint_recovery_points,
        ),
        checkpoint(
            "checkpointing log start offsets",
            ms(i64::from(config.log_flush_start_offset_checkpoint_interval_ms)),
            Logs::checkpoint_log_start_offsets,
        ),
        checkpoint(
            "checkpointing high watermarks",
            ms(config.replica_high_watermark_checkpoint_interval_ms),
            Logs::checkpoint_high_watermarks,
        ),
        {
            let replicas = replicas.clone();
            every(
                "looking at log directories",
                LOG_DIRS_CHECK,
                LOG_DIRS_CHECK,
                move || replicas.look_at_log_dirs(),
            )
        },
        {
            let logs = logs.clone();
            every(
                "removing deleted logs",
                DELETED_FILES_CHECK,
                DELETED_FILES_CHECK,
                move || logs.remove_deleted(),
            )
        },
    ]
}

/// Does `work` where it delays nobody, `first` from now and then again `interval` after it has ended.
fn every(
    name: &'static str,
    first: Duration,
    interval: Duration,
    work: impl Fn() + Send + Sync + 'static,
) -> JoinHandle<()> {
    let work = Arc::new(work);
    tokio::spawn(async move {
        tokio::time::sleep(first).await;
        loop {
            let work = work.clone();
            if let Err(e) = tokio::task::spawn_blocking(move || work()).await {
                log::error!(
                    "{name} broke off and is tried again in {} ms: {e}",
                    interval.as_millis()
                );
            }
            tokio::time::sleep(interval).await;
        }
    })
}

fn retain(replicas: &Replicas, partition: &Arc<Partition>) {
    match partition.delete_old_segments() {
        Ok(0) => {}
        Ok(deleted) => log::info!("{}: retention deleted {deleted} segments", partition.topic_partition),
        Err(failure) => replicas.log_dir_failed(&failure),
    }
}

fn flush_if_due(replicas: &Replicas, partition: &Arc<Partition>) {
    if let Err(failure) = partition.flush_if_due() {
        replicas.log_dir_failed(&failure);
    }
}

fn remove_deleted(replicas: &Replicas, partition: &Arc<Partition>) {
    if let Err(failure) = partition.remove_deleted_files() {
        replicas.log_dir_failed(&failure);
    }
}
