//! The shell around the groups: which partition of `__consumer_offsets` a group belongs to, the groups' locks, parked
//! requests, timers. A request takes its own group's lock and no other that anybody holds for long.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::RwLock;
use tokio::runtime::Handle;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::Instant;

use super::cell::{OffsetsPartition, Outcome, Parked, Performed};
use super::coordinator_config::CoordinatorConfig;
use super::decision::{JoinAnswer, Now, Rejection, SyncAnswer, TopicPartition, Waiter};
use super::describe::{GroupDescription, GroupListing};
use super::join::Join;
use super::leave::Leaver;
use super::memory::{GroupMemory, GroupShare};
use super::names::{partition_for, uuid_v4};
use super::offsets::{FetchedOffset, OffsetCommit};
use super::offsets_log::{LedPartition, OffsetsLog, OffsetsLogError};
use super::state::{Group, GroupState};
use super::sync::Sync;
use super::timers::{self, Timers};
use super::{loading, writer};

/// How many groups one coordinator holds. A client creates a group by naming it, so there has to be an end.
pub const MAX_GROUPS: usize = 1_000_000;

/// The group coordinator of a broker.
pub struct GroupCoordinator {
    shared: Arc<Shared>,
    data: Handle,
}

pub(super) struct Shared {
    pub config: CoordinatorConfig,
    pub log: Arc<dyn OffsetsLog>,
    pub timers: Timers,
    started: Instant,
    random: fn() -> [u8; 16],
    is_active: AtomicBool,
    stop: Notify,
    /// The number of partitions decides where a group belongs, so it must not change while groups live.
    partition_count: OnceLock<i32>,
    partitions: RwLock<HashMap<i32, Arc<OffsetsPartition>>>,
    next_waiter: AtomicU64,
    group_count: AtomicUsize,
    pub memory: Arc<GroupMemory>,
}

impl Shared {
    pub fn now(&self) -> Now {
        let elapsed = self.started.elapsed().as_millis();
        Now {
            monotonic_ms: i64::try_from(elapsed).unwrap_or(i64::MAX),
            timestamp_ms: crate::clock::now_ms(),
        }
    }

    /// Whether this is still the partition that is led here: a later election makes a new one.
    pub fn leads(&self, partition: &Arc<OffsetsPartition>) -> bool {
        self.partitions
            .read()
            .get(&partition.partition)
            .is_some_and(|current| Arc::ptr_eq(current, partition))
    }

    pub fn count_group(&self, group_id: &str) -> Result<(), Rejection> {
        if self.group_count.fetch_add(1, Ordering::Relaxed) >= MAX_GROUPS {
            self.uncount_groups(1);
            log::warn!("group {group_id:?} is refused: this broker has {MAX_GROUPS} groups already");
            return Err(Rejection::CoordinatorNotAvailable);
        }
        Ok(())
    }

    pub fn count_loaded(&self, groups: usize) {
        self.group_count.fetch_add(groups, Ordering::Relaxed);
    }

    pub fn uncount_groups(&self, groups: usize) {
        self.group_count.fetch_sub(groups, Ordering::Relaxed);
    }

    pub async fn stopped(&self) {
        let stopped = self.stop.notified();
        if self.is_active.load(Ordering::Acquire) {
            stopped.await;
        }
    }

    fn loaded_partitions(&self) -> Vec<Arc<OffsetsPartition>> {
        self.partitions
            .read()
            .values()
            .filter(|partition| partition.check_loaded().is_ok())
            .cloned()
            .collect()
    }

    pub fn expire_offsets(&self) {
        for partition in self.loaded_partitions() {
            for cell in partition.cells() {
                let decided = self.decide(&partition, &cell, |group, now| {
                    Ok(group.handle_expiration(&self.config.group, now))
                });
                // Whether the tombstones are committed matters to nobody: the next round tries again.
                drop(decided);
            }
        }
    }
}

impl GroupCoordinator {
    /// Starts the coordinator. Records are written and read on `data`, timers run on `control`, which must never block
    /// on a disk. `random` gives the bytes of a new member id.
    pub fn start(
        config: CoordinatorConfig,
        log: Arc<dyn OffsetsLog>,
        random: fn() -> [u8; 16],
        data: Handle,
        control: &Handle,
    ) -> Self {
        let shared = Arc::new(Shared {
            memory: GroupMemory::new(config.memory_bytes),
            config,
            log,
            timers: Timers::default(),
            started: Instant::now(),
            random,
            is_active: AtomicBool::new(true),
            stop: Notify::new(),
            partition_count: OnceLock::new(),
            partitions: RwLock::new(HashMap::new()),
            next_waiter: AtomicU64::new(0),
            group_count: AtomicUsize::new(0),
        });
        control.spawn(timers::run(Arc::downgrade(&shared)));
        control.spawn(timers::run_expiration(Arc::downgrade(&shared)));
        GroupCoordinator { shared, data }
    }

    /// Stops serving: whoever waits or comes is told that the coordinator is not available, or not here.
    pub fn stop(&self) {
        self.shared.is_active.store(false, Ordering::Release);
        self.shared.stop.notify_waiters();
        let partitions = std::mem::take(&mut *self.shared.partitions.write());
        partitions
            .into_values()
            .for_each(|partition| partition.unload(&self.shared));
    }

    /// This broker leads a partition of `__consumer_offsets` now: its groups are loaded. A repeated call for the same
    /// epoch does nothing.
    pub fn on_elected(&self, partition: i32, leader_epoch: i32) {
        let (writes, queue) = mpsc::unbounded_channel();
        let loading = Arc::new(OffsetsPartition::new(partition, leader_epoch, writes));
        let before = {
            let mut partitions = self.shared.partitions.write();
            if partitions
                .get(&partition)
                .is_some_and(|current| current.leader_epoch >= leader_epoch)
            {
                return;
            }
            partitions.insert(partition, loading.clone())
        };
        if let Some(before) = before {
            before.unload(&self.shared);
        }
        let led = LedPartition {
            partition,
            leader_epoch,
        };
        self.data.spawn(writer::run(self.shared.clone(), led, queue));
        self.data.spawn(loading::run(self.shared.clone(), loading));
    }

    /// This broker does not lead the partition any more. `leader_epoch` is the epoch in which another one does, if
    /// that is known; an older one than ours is a late message.
    pub fn on_resigned(&self, partition: i32, leader_epoch: Option<i32>) {
        let resigned = {
            let mut partitions = self.shared.partitions.write();
            let is_late = |current: &Arc<OffsetsPartition>| {
                leader_epoch.is_some_and(|leader_epoch| leader_epoch < current.leader_epoch)
            };
            if partitions.get(&partition).is_some_and(is_late) {
                None
            } else {
                partitions.remove(&partition)
            }
        };
        if let Some(resigned) = resigned {
            resigned.unload(&self.shared);
        }
    }

    /// The partition of `__consumer_offsets` that a group belongs to.
    pub fn partition_for(&self, group_id: &str) -> i32 {
        partition_for(group_id, self.partition_count())
    }

    fn partition_count(&self) -> i32 {
        if let Some(count) = self.shared.partition_count.get() {
            return *count;
        }
        match self.shared.log.partition_count() {
            Some(count) => *self.shared.partition_count.get_or_init(|| count),
            None => self.shared.config.offsets_topic_partitions,
        }
    }

    /// Finds the partition that serves a group.
    fn route(&self, group_id: &str) -> Result<Arc<OffsetsPartition>, Rejection> {
        if !self.shared.is_active.load(Ordering::Acquire) {
            return Err(Rejection::CoordinatorNotAvailable);
        }
        let number = self.partition_for(group_id);
        let partition = self
            .shared
            .partitions
            .read()
            .get(&number)
            .cloned()
            .ok_or(Rejection::NotCoordinator)?;
        partition.check_loaded()?;
        Ok(partition)
    }

    /// As `route`, for the requests of members: their groups have names.
    fn route_named(&self, group_id: &str) -> Result<Arc<OffsetsPartition>, Rejection> {
        if group_id.is_empty() {
            Err(Rejection::InvalidGroupId)
        } else {
            self.route(group_id)
        }
    }

    /// A name for a request that will be parked.
    pub fn next_waiter(&self) -> Waiter {
        Waiter(self.shared.next_waiter.fetch_add(1, Ordering::Relaxed))
    }

    /// A member id that nobody has: `prefix`, a dash, and a random UUID, as Kafka makes them.
    pub fn new_member_id(&self, prefix: &str) -> Arc<str> {
        Arc::from(format!("{prefix}-{}", uuid_v4((self.shared.random)())))
    }

    /// Serves a JoinGroup; ends when the group's members have rejoined.
    pub async fn join(&self, group_id: &str, join: Join) -> JoinAnswer {
        let member_id = join.member_id.clone();
        let joining = self.join_or_park(group_id, &join);
        // From here on the group alone holds what the member has brought.
        drop(join);
        match joining {
            Ok(Parked::Answered(answer)) => answer,
            Ok(Parked::Waiting(parked)) => parked
                .await
                .unwrap_or_else(|_| JoinAnswer::rejected(member_id, Rejection::NotCoordinator)),
            Err(rejection) => JoinAnswer::rejected(member_id, rejection),
        }
    }

    fn join_or_park(&self, group_id: &str, join: &Join) -> Result<Parked<JoinAnswer>, Rejection> {
        let partition = self.route_named(group_id)?;
        let group = &self.shared.config.group;
        // Kafka looks at the timeout before it looks for the group.
        group.check_session_timeout(join.session_timeout_ms)?;
        let cell = if join.member_id.is_empty() {
            partition.get_or_create(&self.shared, group_id)?
        } else {
            partition.get(group_id).ok_or(Rejection::UnknownMemberId)?
        };
        let mut inner = cell.lock();
        // Until the decision is carried out, which counts the member.
        let room = self.shared.memory.room_for(inner.group.grows_by_join(join));
        let now = self.shared.now();
        let decided = room.and_then(|room| Ok((room, inner.group.handle_join(join, group, now)?)));
        let (_room, decision) = match decided {
            Ok(decided) => decided,
            Err(rejection) => return Err(self.shared.reject(&partition, &cell, &mut inner, rejection, now)),
        };
        if decision.response.is_some() {
            let performed = self.shared.perform(&partition, &cell, &mut inner, decision, now);
            return Ok(performed.response.map_or_else(Parked::lost, Parked::Answered));
        }
        let (answer, parked) = oneshot::channel();
        inner.joins.insert(join.waiter, answer);
        self.shared.perform(&partition, &cell, &mut inner, decision, now);
        Ok(Parked::Waiting(parked))
    }

    /// Serves a SyncGroup; ends when the leader's assignment is committed.
    pub async fn sync(&self, group_id: &str, sync: Sync) -> SyncAnswer {
        let syncing = self.sync_or_park(group_id, &sync);
        drop(sync);
        // The room is held until the assignments are the members'.
        match syncing {
            Ok((Parked::Answered(answer), _)) => answer,
            Ok((Parked::Waiting(parked), _room)) => parked
                .await
                .unwrap_or_else(|_| SyncAnswer::rejected(Rejection::NotCoordinator)),
            // The rebalance that the member took part in is lost, and members before Kafka 2.0 do not expect to be
            // told of loading here.
            Err(Rejection::CoordinatorLoadInProgress) => SyncAnswer::rejected(Rejection::RebalanceInProgress),
            Err(rejection) => SyncAnswer::rejected(rejection),
        }
    }

    fn sync_or_park(&self, group_id: &str, sync: &Sync) -> Result<(Parked<SyncAnswer>, GroupShare), Rejection> {
        let partition = self.route_named(group_id)?;
        let cell = partition.get(group_id).ok_or(Rejection::UnknownMemberId)?;
        let mut inner = cell.lock();
        let now = self.shared.now();
        let decision = inner.group.handle_sync(sync, now)?;
        let grows_by = inner.group.grows_by_assignments(&sync.assignments);
        let room = self.shared.memory.room_for(grows_by)?;
        if decision.response.is_some() {
            let performed = self.shared.perform(&partition, &cell, &mut inner, decision, now);
            return Ok((performed.response.map_or_else(Parked::lost, Parked::Answered), room));
        }
        let (answer, parked) = oneshot::channel();
        inner.syncs.insert(sync.waiter, answer);
        self.shared.perform(&partition, &cell, &mut inner, decision, now);
        Ok((Parked::Waiting(parked), room))
    }

    /// Serves a Heartbeat.
    pub fn heartbeat(
        &self,
        group_id: &str,
        member_id: &str,
        instance_id: Option<&str>,
        generation_id: i32,
    ) -> Result<(), Rejection> {
        let partition = match self.route_named(group_id) {
            // The member's session begins when the group is loaded.
            Err(Rejection::CoordinatorLoadInProgress) => return Ok(()),
            routed => routed?,
        };
        let cell = partition.get(group_id).ok_or(Rejection::UnknownMemberId)?;
        let performed = self.shared.decide(&partition, &cell, |group, now| {
            group.handle_heartbeat(member_id, instance_id, generation_id, now)
        })?;
        performed.response.unwrap_or(Err(Rejection::UnknownServerError))
    }

    /// Serves a LeaveGroup; one result for each of `leavers`.
    pub fn leave(&self, group_id: &str, leavers: &[Leaver]) -> Result<Vec<Result<(), Rejection>>, Rejection> {
        let partition = self.route_named(group_id)?;
        let Some(cell) = partition.get(group_id) else {
            return Ok(leavers.iter().map(|_| Err(Rejection::UnknownMemberId)).collect());
        };
        let performed = self.shared.decide(&partition, &cell, |group, now| {
            group.handle_leave(leavers, &self.shared.config.group, now)
        })?;
        performed.response.ok_or(Rejection::UnknownServerError)
    }

    /// Serves an OffsetCommit; one result for each offset. Ends when the records are committed.
    pub async fn commit_offsets(
        &self,
        group_id: &str,
        commit: OffsetCommit,
    ) -> Result<Vec<Result<(), Rejection>>, Rejection> {
        let performed = {
            let partition = self.route(group_id)?;
            let cell = match partition.get(group_id) {
                Some(cell) => cell,
                // Without a generation it is no member's commit, and any name will do.
                None if commit.generation_id < 0 => partition.get_or_create(&self.shared, group_id)?,
                None => return Err(Rejection::IllegalGeneration),
            };
            self.shared.decide(&partition, &cell, |group, now| {
                group.handle_offset_commit(&commit, &self.shared.config.group, now)
            })?
        };
        let written = written(performed.written).await;
        let mut results = performed.response.ok_or(Rejection::UnknownServerError)?;
        if let Err(rejection) = written {
            // What was refused for itself is not to be tried again.
            results
                .iter_mut()
                .filter(|r| r.is_ok())
                .for_each(|r| *r = Err(rejection));
        }
        Ok(results)
    }

    /// Serves an OffsetFetch of one group.
    pub fn fetch_offsets(
        &self,
        group_id: &str,
        partitions: Option<&[TopicPartition]>,
        require_stable: bool,
    ) -> Result<Vec<FetchedOffset>, Rejection> {
        let partition = self.route(group_id)?;
        match partition.get(group_id) {
            Some(cell) => Ok(cell.lock().group.fetch_offsets(partitions, require_stable)),
            None => {
                let nothing = |partition: &TopicPartition| FetchedOffset {
                    partition: partition.clone(),
                    offset: Ok(None),
                };
                Ok(partitions.unwrap_or_default().iter().map(nothing).collect())
            }
        }
    }

    /// Serves an OffsetDelete; one result for each partition. Ends when the tombstones are committed.
    pub async fn delete_offsets(
        &self,
        group_id: &str,
        partitions: &[TopicPartition],
    ) -> Result<Vec<Result<(), Rejection>>, Rejection> {
        let performed = {
            let partition = self.route_named(group_id)?;
            let cell = partition.get(group_id).ok_or(Rejection::GroupIdNotFound)?;
            self.shared.decide(&partition, &cell, |group, now| {
                group.handle_offset_delete(partitions, now)
            })?
        };
        when_written(performed).await
    }

    /// Deletes a group: decided when the call returns, done when the future ends, which is when the tombstones are
    /// committed.
    pub fn delete_group(&self, group_id: &str) -> impl Future<Output = Result<(), Rejection>> + Send + use<> {
        let decided = self.route(group_id).and_then(|partition| {
            let cell = partition.get(group_id).ok_or(Rejection::GroupIdNotFound)?;
            self.shared.decide(&partition, &cell, Group::handle_delete)
        });
        async move { when_written(decided?).await }
    }

    /// Describes a group; one that does not exist is dead.
    pub fn describe(&self, group_id: &str) -> Result<GroupDescription, Rejection> {
        let partition = self.route(group_id)?;
        Ok(partition
            .get(group_id)
            .map_or_else(GroupDescription::dead, |cell| cell.lock().group.describe()))
    }

    /// Lists the groups that are coordinated here, and says whether more are being loaded.
    pub fn list(&self) -> Result<(Vec<GroupListing>, bool), Rejection> {
        if !self.shared.is_active.load(Ordering::Acquire) {
            return Err(Rejection::CoordinatorNotAvailable);
        }
        let partitions: Vec<_> = self.shared.partitions.read().values().cloned().collect();
        let is_loading =
            |partition: &Arc<OffsetsPartition>| partition.check_loaded() == Err(Rejection::CoordinatorLoadInProgress);
        let loading = partitions.iter().any(is_loading);
        let mut groups = Vec::new();
        for partition in &partitions {
            let listed = partition.cells().into_iter().map(|cell| cell.lock().group.list());
            // A group that is just being deleted is listed no more.
            groups.extend(listed.filter(|group| group.state != GroupState::Dead));
        }
        Ok((groups, loading))
    }

    /// Removes what groups have committed for partitions that are deleted.
    pub fn on_partitions_deleted(&self, deleted: &[TopicPartition]) {
        for partition in self.shared.loaded_partitions() {
            for cell in partition.cells() {
                let decided = self.shared.decide(&partition, &cell, |group, now| {
                    Ok(group.handle_partitions_deleted(deleted, now))
                });
                // Should the tombstones not be written, the offsets expire.
                drop(decided);
            }
        }
    }

    /// What the groups hold in memory for their members, in bytes.
    pub fn memory_bytes(&self) -> usize {
        self.shared.memory.held_bytes()
    }

    /// How many groups and how many committed offsets there are.
    pub fn counts(&self) -> (usize, usize) {
        let partitions = self.shared.loaded_partitions();
        let cells: Vec<_> = partitions.iter().flat_map(|partition| partition.cells()).collect();
        (
            cells.len(),
            cells
                .iter()
                .map(|cell| cell.lock().group.persisted().offset_count())
                .sum(),
        )
    }
}

impl Drop for GroupCoordinator {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Waits until records are committed, where there are any.
async fn written(records: Option<oneshot::Receiver<Outcome>>) -> Result<(), Rejection> {
    let Some(records) = records else { return Ok(()) };
    let outcome = records.await.unwrap_or(Err(OffsetsLogError::NotLeader));
    outcome.map(drop).map_err(OffsetsLogError::for_offsets)
}

async fn when_written<R>(performed: Performed<R>) -> Result<R, Rejection> {
    written(performed.written).await?;
    performed.response.ok_or(Rejection::UnknownServerError)
}
