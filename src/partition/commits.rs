//! Who waits until an append is committed (`acks=all`): Kafka's `DelayedProduce`, without its purgatory. A wait belongs to one leader
//! epoch: what was appended in it is committed when the high watermark passes it while this broker still leads, in that epoch or in a
//! later one, without having resigned in between, and in no other case. So a record that another leader has cut off is never taken for the one that stands in its place now.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use planted::Bug;
use tokio::sync::oneshot;

use super::NO_EPOCH;

/// Abandoned waits are dropped when there are this many more.
const PRUNED_AT: usize = 1024;

/// The waits of one partition. Its leader's epoch and high watermark are told under the log's lock.
#[derive(Default)]
pub(super) struct Commits(Mutex<State>);

struct State {
    /// The epoch in which this broker leads; [`NO_EPOCH`] where it does not.
    leader_epoch: i32,
    /// The first of the epochs in which it has led since it did not: nothing was cut from its log since.
    first_epoch: i32,
    high_watermark: i64,
    /// By the last offset that is waited for.
    waiting: BTreeMap<i64, Vec<oneshot::Sender<i64>>>,
    count: usize,
    pruned_at: usize,
}

impl Default for State {
    fn default() -> Self {
        Self {
            leader_epoch: NO_EPOCH,
            first_epoch: NO_EPOCH,
            high_watermark: 0,
            waiting: BTreeMap::new(),
            count: 0,
            pruned_at: PRUNED_AT,
        }
    }
}

/// Whether an append is committed.
pub enum Commit {
    /// It is.
    Committed {
        /// All below this is.
        high_watermark: i64,
    },
    /// This broker does not lead in that epoch any more: nobody knows here.
    NotLeader,
    /// Not yet.
    Awaited(PendingCommit),
}

/// A commit that is waited for.
pub struct PendingCommit(oneshot::Receiver<i64>);

impl PendingCommit {
    /// Waits for it, and gives the high watermark; `None` once this broker has resigned since the append.
    pub async fn high_watermark(self) -> Option<i64> {
        self.0.await.ok()
    }
}

impl Commits {
    /// This broker leads in `leader_epoch`, or, with [`NO_EPOCH`], does not lead: then all waits end.
    pub(super) fn set_leader(&self, leader_epoch: i32, high_watermark: i64) {
        let mut state = self.0.lock();
        if leader_epoch == NO_EPOCH && !planted::is(Bug::CommitOfAnyEpoch) {
            state.waiting.clear();
            state.count = 0;
        }
        if leader_epoch == NO_EPOCH || state.leader_epoch == NO_EPOCH {
            state.first_epoch = leader_epoch;
        }
        (state.leader_epoch, state.high_watermark) = (leader_epoch, high_watermark);
    }

    /// Records below `high_watermark` are committed in the leader's present epoch.
    pub(super) fn advance(&self, high_watermark: i64) {
        let mut state = self.0.lock();
        state.high_watermark = high_watermark;
        if state.waiting.is_empty() {
            return;
        }
        let later = state.waiting.split_off(&high_watermark);
        let committed = std::mem::replace(&mut state.waiting, later);
        state.count -= committed.values().map(Vec::len).sum::<usize>();
        drop(state);
        for waiting in committed.into_values().flatten() {
            // Whoever has stopped waiting does not need the answer.
            let _ = waiting.send(high_watermark);
        }
    }

    /// What is known of records up to `last_offset` that were appended in `leader_epoch`.
    pub(super) fn of(&self, leader_epoch: i32, last_offset: i64) -> Commit {
        let mut state = self.0.lock();
        if state.leader_epoch != NO_EPOCH && planted::is(Bug::AcknowledgeAtOnce) {
            let high_watermark = state.high_watermark;
            return Commit::Committed { high_watermark };
        }
        let is_of_any_epoch = planted::is(Bug::CommitOfAnyEpoch);
        let has_led = leader_epoch != NO_EPOCH && state.leader_epoch != NO_EPOCH;
        let has_led = has_led && (state.first_epoch..=state.leader_epoch).contains(&leader_epoch);
        if !has_led && !is_of_any_epoch {
            return Commit::NotLeader;
        }
        if state.high_watermark > last_offset {
            let high_watermark = state.high_watermark;
            return Commit::Committed { high_watermark };
        }
        if state.count >= state.pruned_at {
            state.prune();
        }
        let (sender, receiver) = oneshot::channel();
        state.waiting.entry(last_offset).or_default().push(sender);
        state.count += 1;
        Commit::Awaited(PendingCommit(receiver))
    }
}

impl State {
    fn prune(&mut self) {
        self.waiting.retain(|_, waiting| {
            waiting.retain(|waiting| !waiting.is_closed());
            !waiting.is_empty()
        });
        self.count = self.waiting.values().map(Vec::len).sum();
        self.pruned_at = (self.count * 2).max(PRUNED_AT);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn awaited(commits: &Commits, leader_epoch: i32, last_offset: i64) -> PendingCommit {
        match commits.of(leader_epoch, last_offset) {
            Commit::Awaited(pending) => pending,
            Commit::Committed { .. } | Commit::NotLeader => panic!("offset {last_offset} is to be waited for"),
        }
    }

    #[tokio::test]
    async fn a_wait_ends_when_the_high_watermark_has_passed_it() {
        let commits = Commits::default();
        commits.set_leader(4, 10);
        assert!(matches!(commits.of(4, 9), Commit::Committed { high_watermark: 10 }));
        let (first, second) = (awaited(&commits, 4, 10), awaited(&commits, 4, 12));
        commits.advance(12);
        assert_eq!(first.high_watermark().await, Some(12));
        commits.advance(13);
        assert_eq!(second.high_watermark().await, Some(13));
    }

    #[tokio::test]
    async fn what_was_appended_in_another_epoch_is_never_called_committed() {
        let commits = Commits::default();
        commits.set_leader(4, 10);
        let pending = awaited(&commits, 4, 10);
        commits.set_leader(NO_EPOCH, 10);
        // It leads again, and its high watermark is far beyond.
        commits.set_leader(7, 200);
        assert_eq!(pending.high_watermark().await, None);
        assert!(matches!(commits.of(4, 10), Commit::NotLeader));
        assert!(matches!(commits.of(NO_EPOCH, 10), Commit::NotLeader));
    }

    #[tokio::test]
    async fn who_goes_on_leading_commits_what_was_appended_before() {
        let commits = Commits::default();
        commits.set_leader(4, 10);
        let pending = awaited(&commits, 4, 10);
        // A follower is gone: another epoch, the same leader.
        commits.set_leader(5, 10);
        let later = awaited(&commits, 4, 11);
        assert!(matches!(commits.of(3, 9), Commit::NotLeader), "it was somebody else's");
        assert!(
            matches!(commits.of(6, 9), Commit::NotLeader),
            "nothing was appended in it yet"
        );
        commits.advance(12);
        assert_eq!(pending.high_watermark().await, Some(12));
        assert_eq!(later.high_watermark().await, Some(12));
    }

    #[test]
    fn abandoned_waits_are_dropped() {
        let commits = Commits::default();
        commits.set_leader(4, 0);
        for offset in 0..10 * PRUNED_AT {
            drop(awaited(&commits, 4, offset as i64));
        }
        assert!(commits.0.lock().count <= PRUNED_AT);
    }
}
