//! A group in its lock, with the requests that are parked in it; and the groups of one partition of `__consumer_offsets`.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::{Mutex, MutexGuard, RwLock};
use tokio::sync::{mpsc, oneshot};

use super::coordinator::Shared;
use super::decision::{Completion, Decision, Effect, JoinAnswer, Note, Now, Rejection, SyncAnswer, Waiter};
use super::memory::{GroupMemory, GroupShare};
use super::offsets_log::OffsetsLogError;
use super::rebalance::Ripe;
use super::record::Record;
use super::state::{Group, GroupState};

/// How the records of a decision fared.
pub(super) type Outcome = Result<(), OffsetsLogError>;

/// The records of one decision on their way to the log.
pub(super) struct Write {
    /// Whoever leads the partition keeps it; a write that is on its way does not.
    pub partition: Weak<OffsetsPartition>,
    pub cell: Arc<Cell>,
    pub group_id: Arc<str>,
    /// Not encoded yet: each key repeats the group's name, and only the writer knows how much a batch may hold.
    pub records: Vec<Record>,
    pub completion: Completion,
    pub done: oneshot::Sender<Outcome>,
}

/// What a decision came to: the response, to be sent when `written` says so.
pub(super) struct Performed<R> {
    pub response: Option<R>,
    pub written: Option<oneshot::Receiver<Outcome>>,
}

/// A request that has its answer, or waits for it.
pub(super) enum Parked<T> {
    Answered(T),
    Waiting(oneshot::Receiver<T>),
}

impl<T> Parked<T> {
    /// A request that nobody will answer; its client looks for the coordinator again.
    pub fn lost() -> Self {
        Parked::Waiting(oneshot::channel().1)
    }
}

/// A group, its parked requests, its place among the timers.
pub(super) struct Cell {
    inner: Mutex<Inner>,
}

pub(super) struct Inner {
    pub group: Group,
    pub joins: HashMap<Waiter, oneshot::Sender<JoinAnswer>>,
    pub syncs: HashMap<Waiter, oneshot::Sender<SyncAnswer>>,
    /// When the timers will look at the group; never later than its next deadline.
    pub wake_at_ms: i64,
    /// Decisions whose records are on their way.
    pub writes_in_flight: usize,
    /// What the group takes in memory.
    share: GroupShare,
}

impl Cell {
    pub fn new(group: Group, memory: &Arc<GroupMemory>) -> Arc<Self> {
        let mut share = memory.share();
        share.set(group.memory_bytes());
        let inner = Inner {
            share,
            group,
            joins: HashMap::new(),
            syncs: HashMap::new(),
            wake_at_ms: i64::MAX,
            writes_in_flight: 0,
        };
        Arc::new(Cell {
            inner: Mutex::new(inner),
        })
    }

    pub fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock()
    }
}

/// The groups of one partition that this broker leads.
pub(super) struct OffsetsPartition {
    pub partition: i32,
    pub leader_epoch: i32,
    status: AtomicU8,
    groups: RwLock<HashMap<Arc<str>, Arc<Cell>>>,
    writes: mpsc::UnboundedSender<Write>,
}

const LOADING: u8 = 0;
const LOADED: u8 = 1;
const FAILED: u8 = 2;
/// The log says so; whoever elected this broker has not taken it back yet.
const NOT_LEADER: u8 = 3;
/// For good.
const UNLOADED: u8 = 4;

impl OffsetsPartition {
    pub fn new(partition: i32, leader_epoch: i32, writes: mpsc::UnboundedSender<Write>) -> Self {
        let groups = RwLock::new(HashMap::new());
        OffsetsPartition {
            partition,
            leader_epoch,
            status: AtomicU8::new(LOADING),
            groups,
            writes,
        }
    }

    /// Whether requests may be served from it.
    pub fn check_loaded(&self) -> Result<(), Rejection> {
        match self.status.load(Ordering::Acquire) {
            LOADED => Ok(()),
            FAILED => Err(Rejection::CoordinatorNotAvailable),
            NOT_LEADER | UNLOADED => Err(Rejection::NotCoordinator),
            _ => Err(Rejection::CoordinatorLoadInProgress),
        }
    }

    /// Opens it with what the log held; false if it was unloaded meanwhile.
    pub fn loaded(&self, shared: &Shared, loaded: HashMap<Arc<str>, Arc<Cell>>) -> bool {
        let mut groups = self.groups.write();
        if self.is_unloaded() {
            return false;
        }
        shared.count_loaded(loaded.len());
        *groups = loaded;
        self.status.store(LOADED, Ordering::Release);
        true
    }

    /// Keeps it closed: what the log holds cannot be understood, and half of it would be worse than nothing.
    pub fn load_failed(&self) {
        self.close(FAILED);
    }

    /// Keeps it closed for as long as the log says that another broker leads: clients are to look for that one.
    pub fn not_leader(&self) {
        self.close(NOT_LEADER);
    }

    fn close(&self, status: u8) {
        // The lock keeps an unloading out.
        let _groups = self.groups.write();
        if !self.is_unloaded() {
            self.status.store(status, Ordering::Release);
        }
    }

    fn is_unloaded(&self) -> bool {
        self.status.load(Ordering::Acquire) == UNLOADED
    }

    pub fn get(&self, group_id: &str) -> Option<Arc<Cell>> {
        self.groups.read().get(group_id).cloned()
    }

    pub fn get_or_create(&self, shared: &Shared, group_id: &str) -> Result<Arc<Cell>, Rejection> {
        if let Some(cell) = self.get(group_id) {
            return Ok(cell);
        }
        let mut groups = self.groups.write();
        if let Some(cell) = groups.get(group_id) {
            return Ok(cell.clone());
        }
        if self.is_unloaded() {
            return Err(Rejection::NotCoordinator);
        }
        shared.count_group(group_id)?;
        let group_id: Arc<str> = Arc::from(group_id);
        let cell = Cell::new(Group::new(group_id.clone(), shared.now()), &shared.memory);
        groups.insert(group_id, cell.clone());
        Ok(cell)
    }

    /// Forgets a group that is dead, unless another one has its name already.
    pub fn remove(&self, shared: &Shared, group_id: &str, cell: &Arc<Cell>) {
        let mut groups = self.groups.write();
        if groups.get(group_id).is_some_and(|current| Arc::ptr_eq(current, cell)) {
            groups.remove(group_id);
            shared.uncount_groups(1);
        }
    }

    pub fn cells(&self) -> Vec<Arc<Cell>> {
        self.groups.read().values().cloned().collect()
    }

    /// Leadership has gone: so has everything that is kept here. Whoever waits is sent to look for the coordinator.
    pub fn unload(&self, shared: &Shared) {
        let groups = {
            let mut groups = self.groups.write();
            self.status.store(UNLOADED, Ordering::Release);
            std::mem::take(&mut *groups)
        };
        shared.uncount_groups(groups.len());
        let now = shared.now();
        for cell in groups.into_values() {
            let mut inner = cell.lock();
            inner.group.note(Note::Dead { now });
            // Dropped senders are answered with NOT_COORDINATOR.
            inner.joins.clear();
            inner.syncs.clear();
        }
    }
}

impl Shared {
    /// Asks the group for a decision and carries it out, with everything that is due after it.
    pub(super) fn decide<R>(
        &self,
        partition: &Arc<OffsetsPartition>,
        cell: &Arc<Cell>,
        handle: impl FnOnce(&Group, Now) -> Result<Decision<R>, Rejection>,
    ) -> Result<Performed<R>, Rejection> {
        let mut inner = cell.lock();
        let now = self.now();
        match handle(&inner.group, now) {
            Ok(decision) => Ok(self.perform(partition, cell, &mut inner, decision, now)),
            Err(rejection) => Err(self.reject(partition, cell, &mut inner, rejection, now)),
        }
    }

    /// After a refusal: a group that came into being for it alone does not stay.
    pub(super) fn reject(
        &self,
        partition: &Arc<OffsetsPartition>,
        cell: &Arc<Cell>,
        inner: &mut Inner,
        rejection: Rejection,
        now: Now,
    ) -> Rejection {
        self.perform(partition, cell, inner, Decision::<()>::default(), now);
        rejection
    }

    /// Carries out a decision, and everything that is due after it.
    pub(super) fn perform<R>(
        &self,
        partition: &Arc<OffsetsPartition>,
        cell: &Arc<Cell>,
        inner: &mut Inner,
        decision: Decision<R>,
        now: Now,
    ) -> Performed<R> {
        let performed = self.carry_out(partition, cell, inner, decision, now);
        while let Some(ripe) = inner.group.ripe(now) {
            if let Ripe::MembersExpired(member_ids) = &ripe {
                log::info!(
                    "group {:?}: not heard of in time: {member_ids:?}",
                    inner.group.group_id()
                );
            }
            let decision = inner.group.handle_ripe(&ripe, &self.config.group, now);
            self.carry_out(partition, cell, inner, decision, now);
        }
        if inner.group.is_vacant() && inner.writes_in_flight == 0 {
            inner.group.note(Note::Dead { now });
        }
        inner.share.set(inner.group.memory_bytes());
        if inner.group.state() == GroupState::Dead && inner.writes_in_flight == 0 {
            partition.remove(self, inner.group.group_id(), cell);
        }
        self.timers.watch(partition, cell, inner);
        performed
    }

    fn carry_out<R>(
        &self,
        partition: &Arc<OffsetsPartition>,
        cell: &Arc<Cell>,
        inner: &mut Inner,
        decision: Decision<R>,
        now: Now,
    ) -> Performed<R> {
        let before = (inner.group.state(), inner.group.generation_id());
        for note in decision.notes {
            inner.group.note(note);
        }
        tell(&inner.group, before);
        for effect in decision.effects {
            // A client that is gone has dropped its end; it asks again when it is back.
            match effect {
                Effect::AnswerJoin(waiter, answer) => {
                    inner.joins.remove(&waiter).map(|parked| parked.send(answer).is_ok());
                }
                Effect::AnswerSync(waiter, answer) => {
                    inner.syncs.remove(&waiter).map(|parked| parked.send(answer).is_ok());
                }
            }
        }
        let written = decision
            .completion
            .map(|completion| self.write(partition, cell, inner, decision.records, completion, now));
        Performed {
            response: decision.response,
            written,
        }
    }

    /// Hands records to the partition's writer, in the order of the decisions of this group.
    fn write(
        &self,
        partition: &Arc<OffsetsPartition>,
        cell: &Arc<Cell>,
        inner: &mut Inner,
        records: Vec<Record>,
        completion: Completion,
        now: Now,
    ) -> oneshot::Receiver<Outcome> {
        let (done, written) = oneshot::channel();
        let write = Write {
            partition: Arc::downgrade(partition),
            cell: cell.clone(),
            group_id: inner.group.group_id().clone(),
            records,
            completion,
            done,
        };
        let Err(mpsc::error::SendError(Write { completion, done, .. })) = partition.writes.send(write) else {
            inner.writes_in_flight += 1;
            return written;
        };
        let error = OffsetsLogError::NotLeader;
        let outcome = Err(completion.rejection(error));
        let decision = inner
            .group
            .handle_settled(&completion, outcome, &self.config.group, now);
        self.carry_out(partition, cell, inner, decision, now);
        // The receiver is in this function's hand.
        let _ = done.send(Err(error));
        written
    }

    /// The records of a decision are committed or have failed.
    pub(super) fn settle(
        &self,
        partition: &Weak<OffsetsPartition>,
        cell: &Arc<Cell>,
        completion: &Completion,
        high_watermark: Option<i64>,
        outcome: Outcome,
    ) {
        let mut inner = cell.lock();
        inner.writes_in_flight -= 1;
        let now = self.now();
        if let Some(high_watermark) = high_watermark {
            inner.group.note(Note::Committed { high_watermark });
        }
        let outcome = outcome.map_err(|error| completion.rejection(error));
        let decision = inner.group.handle_settled(completion, outcome, &self.config.group, now);
        // Of a partition that is not led here any more the group is dead already.
        if let Some(partition) = partition.upgrade() {
            self.perform(&partition, cell, &mut inner, decision, now);
        }
    }
}

/// Says where a group has got to.
fn tell(group: &Group, before: (GroupState, i32)) {
    let (state, generation_id) = (group.state(), group.generation_id());
    if (state, generation_id) == before {
        return;
    }
    let (group_id, members) = (group.group_id(), group.members().len());
    match state {
        GroupState::Stable | GroupState::Empty => {
            log::info!(
                "group {group_id:?} is {}: generation {generation_id}, {members} members",
                state.name()
            );
        }
        GroupState::PreparingRebalance | GroupState::CompletingRebalance | GroupState::Dead => {
            log::debug!(
                "group {group_id:?} is {}: generation {generation_id}, {members} members",
                state.name()
            );
        }
    }
}

impl Completion {
    /// What the clients concerned are told of an error of the log.
    pub(super) fn rejection(&self, error: OffsetsLogError) -> Rejection {
        match self {
            Completion::Assignment { .. } | Completion::StaticReplacement(_) | Completion::EmptyGeneration => {
                error.for_group()
            }
            Completion::Offsets(_) | Completion::OffsetsRemoved | Completion::Deletion => error.for_offsets(),
        }
    }
}
