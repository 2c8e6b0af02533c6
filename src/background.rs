//! What the broker does from time to time: retention, flushing by time, checkpoints, forgetting idle producers, giving memory back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use config::BrokerConfig;
use parking_lot::RwLock;
use tokio::task::JoinHandle;

use crate::allocator::{self, Trimmer};
use crate::logs::{Here, Logs};
use crate::partition::Partition;
use crate::replicas::Replicas;
use crate::threads;

/// How often topics with `flush.ms` are looked at where `log.flush.scheduler.interval.ms` does not ask for more.
const FLUSH_CHECK: Duration = Duration::from_secs(1);
/// How often failures of log directories are looked for that no request has met.
const LOG_DIRS_CHECK: Duration = Duration::from_secs(1);
/// How often files that were marked as deleted are looked at.
const DELETED_FILES_CHECK: Duration = Duration::from_secs(1);

/// The periodic work.
pub struct Background {
    tasks: Vec<JoinHandle<()>>,
    gate: Arc<Gate>,
}

/// Work holds it shared while it touches a log; whoever stops takes it alone, and nothing passes after that.
#[derive(Default)]
struct Gate {
    is_stopped: AtomicBool,
    at_work: RwLock<()>,
}

impl Background {
    /// Returns when no work is under way and none will be.
    pub async fn stop(self) {
        for task in &self.tasks {
            task.abort();
        }
        let gate = self.gate;
        let stopped = threads::spawn_blocking(move || {
            gate.is_stopped.store(true, Ordering::SeqCst);
            drop(gate.at_work.write());
        });
        if let Err(e) = stopped.await {
            log::error!("the periodic work did not stop: {e}");
        }
    }
}

/// Starts all periodic work.
pub fn start(config: &BrokerConfig, replicas: &Arc<Replicas>, logs: &Arc<Logs>) -> Background {
    let gate = Arc::new(Gate::default());
    let mut tasks = of_partitions(config, replicas, logs, &gate);
    tasks.extend(of_directories(replicas, logs, &gate));
    tasks.extend(trimming(&gate));
    Background { tasks, gate }
}

/// Looks for what has become of directories and what lies in them.
fn of_directories(replicas: &Arc<Replicas>, logs: &Arc<Logs>, gate: &Arc<Gate>) -> [JoinHandle<()>; 2] {
    let (replicas, logs) = (replicas.clone(), logs.clone());
    let look = Box::new(move || replicas.look_at_log_dirs());
    let remove = Box::new(move || logs.remove_deleted());
    [
        every(gate, "looking at log directories", LOG_DIRS_CHECK, LOG_DIRS_CHECK, look),
        every(
            gate,
            "removing deleted logs",
            DELETED_FILES_CHECK,
            DELETED_FILES_CHECK,
            remove,
        ),
    ]
}

fn of_partitions(
    config: &BrokerConfig,
    replicas: &Arc<Replicas>,
    logs: &Arc<Logs>,
    gate: &Arc<Gate>,
) -> Vec<JoinHandle<()>> {
    let every = |name, first, interval, work: Box<dyn Fn() + Send + Sync>| every(gate, name, first, interval, work);
    let ms = |ms: i64| Duration::from_millis(u64::try_from(ms).unwrap_or(0).max(1));
    let initial = ms(config.log_initial_task_delay_ms);
    let flush_check = FLUSH_CHECK.min(ms(config.log_flush_scheduler_interval_ms));
    let every_partition = |name, first, interval, work: fn(&Replicas, &Arc<Partition>)| {
        let replicas = replicas.clone();
        every(
            name,
            first,
            interval,
            Box::new(move || {
                for partition in replicas.all() {
                    work(&replicas, &partition);
                }
            }),
        )
    };
    let checkpoint = |name, interval, work: fn(&Logs, Here<'_>)| {
        let (replicas, logs) = (replicas.clone(), logs.clone());
        every(
            name,
            interval,
            interval,
            Box::new(move || work(&logs, &|| replicas.all())),
        )
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
        // Kafka's `isr-expiration`.
        every_partition(
            "looking for replicas that lag",
            ms(config.replica_lag_time_max_ms / 2),
            ms(config.replica_lag_time_max_ms / 2),
            |_, partition| partition.shrink_isr(),
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
    ]
}

/// Only glibc keeps what others would have to ask back for.
fn trimming(gate: &Arc<Gate>) -> Option<JoinHandle<()>> {
    let trimmer = Trimmer::default();
    let look = Box::new(move || trimmer.look());
    cfg!(target_env = "gnu").then(|| every(gate, "giving memory back", allocator::LOOK, allocator::LOOK, look))
}

/// Does `work` where it delays nobody, `first` from now and then again `interval` after it has ended.
fn every(
    gate: &Arc<Gate>,
    name: &'static str,
    first: Duration,
    interval: Duration,
    work: Box<dyn Fn() + Send + Sync>,
) -> JoinHandle<()> {
    let gate = gate.clone();
    let work = Arc::new(move || {
        let _at_work = gate.at_work.read();
        if !gate.is_stopped.load(Ordering::SeqCst) {
            work();
        }
    });
    tokio::spawn(async move {
        tokio::time::sleep(first).await;
        loop {
            let work = work.clone();
            if let Err(e) = threads::spawn_blocking(move || work()).await {
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
