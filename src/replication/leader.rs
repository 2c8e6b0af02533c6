//! What the leader of a partition knows of its followers, and what it decides from that: who is in sync, and how far the high
//! watermark may go. Kafka's `Partition` and `Replica` as plain data: log, clock, network and controller come in as arguments.
//!
//! The ISR that counts for the high watermark is the *maximal* one (KIP-497): the committed ISR and, while the controller is asked for
//! a larger one, that as well; a smaller one counts only when the controller has written it.

use planted::Bug;
use std::collections::BTreeMap;

use controller::ids::BrokerId;
use controller::{BrokerEpoch, LeaderEpoch, PartitionEpoch, PartitionState};

/// An offset that no fetch has told yet.
const UNKNOWN_OFFSET: i64 = -1;

/// What the fetches of one follower say about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Follower {
    /// The offset that it fetched last from, which is its log end offset; -1 before its first fetch in this epoch.
    pub log_end_offset: i64,
    /// Where its log begins; -1 before its first fetch.
    pub log_start_offset: i64,
    /// When it last had all that the leader had, ms on the leader's own clock; 0 for never in this epoch.
    pub last_caught_up_ms: i64,
    /// Its broker's epoch as its fetches say it, where they do (KIP-903).
    pub broker_epoch: Option<BrokerEpoch>,
    last_fetch_ms: i64,
    leader_end_at_last_fetch: i64,
}

impl Follower {
    /// A follower at the beginning of an epoch.
    fn unknown(is_in_sync: bool, now_ms: i64) -> Follower {
        Follower {
            log_end_offset: UNKNOWN_OFFSET,
            log_start_offset: UNKNOWN_OFFSET,
            // Who is in sync has the whole time of `replica.lag.time.max.ms` to make its first fetch.
            last_caught_up_ms: if is_in_sync { now_ms } else { 0 },
            broker_epoch: None,
            last_fetch_ms: 0,
            leader_end_at_last_fetch: UNKNOWN_OFFSET,
        }
    }

    /// Whether it has all that the leader has, or had it not too long ago.
    fn is_caught_up(&self, leader_end: i64, now_ms: i64, lag_time_max_ms: i64) -> bool {
        self.log_end_offset >= leader_end || now_ms - self.last_caught_up_ms <= lag_time_max_ms
    }

    fn note(&mut self, fetched: &Fetched, leader_end: i64) {
        if fetched.fetch_offset >= leader_end {
            self.last_caught_up_ms = self.last_caught_up_ms.max(fetched.now_ms);
        } else if fetched.fetch_offset >= self.leader_end_at_last_fetch {
            // It has now what the leader had when it asked the last time.
            self.last_caught_up_ms = self.last_caught_up_ms.max(self.last_fetch_ms);
        }
        self.leader_end_at_last_fetch = self.leader_end_at_last_fetch.max(leader_end);
        self.last_fetch_ms = fetched.now_ms;
        self.log_end_offset = fetched.fetch_offset;
        self.log_start_offset = fetched.log_start_offset;
        self.broker_epoch = fetched.broker_epoch;
    }
}

/// A follower's fetch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fetched {
    /// Who fetches.
    pub replica: BrokerId,
    /// From where: it has everything below.
    pub fetch_offset: i64,
    /// Where its log begins.
    pub log_start_offset: i64,
    /// Its broker's epoch, where the request says it.
    pub broker_epoch: Option<BrokerEpoch>,
    /// When the request came, ms on the leader's own clock.
    pub now_ms: i64,
}

/// What the leader knows of the cluster beside the fetches of its partition.
pub trait Members: Send + Sync {
    /// Whether a broker may be in an ISR: it is registered and not shutting down, as far as this broker knows (KIP-841), and where
    /// its epoch is known it is the one that its fetches have said (KIP-903). The controller has the last word.
    fn is_eligible(&self, broker: BrokerId, seen: Option<BrokerEpoch>) -> bool;

    /// When this broker last asked for anything at all, ms on the leader's own clock; 0 for never. A follower whose session says only
    /// what changes does not name partitions that it has all of.
    fn last_fetch_ms(&self, broker: BrokerId) -> i64;
}

/// What stands around the leader at the moment of a decision.
pub struct Surroundings<'a> {
    /// Brokers.
    pub members: &'a dyn Members,
    /// The leader's own log end offset.
    pub log_end_offset: i64,
    /// Up to where the leader's own records count: below its log end offset while they wait for the disk.
    pub own_end: i64,
    /// ms on the leader's own clock, never going back.
    pub now_ms: i64,
    /// `replica.lag.time.max.ms`
    pub lag_time_max_ms: i64,
    /// `min.insync.replicas`
    pub min_insync_replicas: usize,
}

/// A change of the ISR that the controller is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// The leader's epoch.
    pub leader_epoch: LeaderEpoch,
    /// The state that it changes.
    pub partition_epoch: PartitionEpoch,
    /// The new ISR, each with the broker epoch that the leader has seen (KIP-903).
    pub isr: Vec<(BrokerId, Option<BrokerEpoch>)>,
}

/// How the controller has answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// This is the state now.
    Altered {
        /// The leader's epoch.
        leader_epoch: LeaderEpoch,
        /// The znode's version.
        partition_epoch: PartitionEpoch,
        /// The ISR.
        isr: Vec<BrokerId>,
    },
    /// It was not applied, and never will be: `INELIGIBLE_REPLICA`, `OPERATION_NOT_ATTEMPTED`.
    Refused,
    /// The controller knows something that this leader does not, and will say it: `FENCED_LEADER_EPOCH`,
    /// `INVALID_UPDATE_VERSION` and the like. Until then nothing is proposed.
    Outdated,
    /// Nobody knows, or not yet (`UNKNOWN_TOPIC_ID` of a controller that was elected just now); ask again.
    Unanswered,
}

/// A fetch by a broker that this partition has no replica on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("broker {replica} is not a replica")]
pub struct NotAReplica {
    /// Who fetched.
    pub replica: BrokerId,
}

/// The leader of a partition in one epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leader {
    broker: BrokerId,
    leader_epoch: LeaderEpoch,
    /// The leader's log end offset when the epoch began: a replica below it may lack records of earlier epochs.
    epoch_start_offset: i64,
    partition_epoch: PartitionEpoch,
    isr: Vec<BrokerId>,
    replicas: usize,
    followers: BTreeMap<BrokerId, Follower>,
    proposed: Option<Proposal>,
    high_watermark: i64,
}

impl Leader {
    /// Broker `broker` begins to lead. `high_watermark` is what it knew as a follower, or from its checkpoint.
    pub fn new(
        broker: BrokerId,
        state: &PartitionState,
        log_end_offset: i64,
        high_watermark: i64,
        now_ms: i64,
    ) -> Leader {
        let mut leader = Leader {
            broker,
            leader_epoch: state.leader_epoch,
            epoch_start_offset: log_end_offset,
            partition_epoch: state.partition_epoch,
            isr: Vec::new(),
            replicas: 0,
            followers: BTreeMap::new(),
            proposed: None,
            high_watermark,
        };
        leader.take_over(state, now_ms);
        leader
    }

    /// A state of this very epoch from the controller: another ISR, another assignment. One that is older than what is known says
    /// nothing; whether it was taken.
    pub fn note_state(&mut self, state: &PartitionState, now_ms: i64) -> bool {
        if state.leader_epoch != self.leader_epoch || state.partition_epoch < self.partition_epoch {
            return false;
        }
        self.take_over(state, now_ms);
        true
    }

    fn take_over(&mut self, state: &PartitionState, now_ms: i64) {
        // What is told twice ends no proposal: the controller may be about to apply it, and until it has answered the high watermark
        // must wait for the replicas in it.
        if state.partition_epoch > self.partition_epoch {
            self.proposed = None;
        }
        self.partition_epoch = state.partition_epoch;
        self.isr = state.isr.clone();
        self.replicas = state.replicas.len();
        let others = || state.replicas.iter().copied().filter(|&replica| replica != self.broker);
        let before = std::mem::take(&mut self.followers);
        self.followers = others()
            .map(|replica| {
                let unknown = Follower::unknown(state.isr.contains(&replica), now_ms);
                (replica, before.get(&replica).copied().unwrap_or(unknown))
            })
            .collect();
    }

    /// A follower has fetched.
    ///
    /// # Errors
    /// [`NotAReplica`]
    pub fn note_fetch(&mut self, fetched: &Fetched, log_end_offset: i64) -> Result<(), NotAReplica> {
        let replica = fetched.replica;
        let follower = self.followers.get_mut(&replica).ok_or(NotAReplica { replica })?;
        follower.note(fetched, log_end_offset);
        Ok(())
    }

    /// Records are about to follow `log_end_offset`: who had all up to now had it when its broker asked last.
    pub fn note_append(&mut self, log_end_offset: i64, members: &dyn Members) {
        for (&replica, follower) in &mut self.followers {
            if follower.log_end_offset >= log_end_offset {
                follower.last_caught_up_ms = follower.last_caught_up_ms.max(members.last_fetch_ms(replica));
            }
        }
    }

    /// What is known of a follower.
    pub fn follower(&self, replica: BrokerId) -> Option<&Follower> {
        self.followers.get(&replica)
    }

    /// The lowest log start offset of all replicas whose brokers live: what lies before it is deleted everywhere.
    pub fn low_watermark(&self, own_log_start_offset: i64, members: &dyn Members) -> i64 {
        let live = self
            .followers
            .iter()
            .filter(|&(&id, follower)| self.is_eligible(id, follower, members));
        let lowest = live.map(|(_, follower)| follower.log_start_offset).min();
        lowest.map_or(own_log_start_offset, |lowest| lowest.min(own_log_start_offset))
    }

    /// The followers in sync that hold what lies at `offset`, and how far each has the log: consumers may read from them (KIP-392).
    pub fn readable_followers(&self, offset: i64) -> impl Iterator<Item = (BrokerId, i64)> + '_ {
        let holds = move |follower: &Follower| follower.log_start_offset <= offset && follower.log_end_offset >= offset;
        let in_sync = self.followers.iter().filter(|(id, _)| self.isr.contains(id));
        in_sync
            .filter(move |(_, follower)| holds(follower))
            .map(|(id, follower)| (*id, follower.log_end_offset))
    }

    /// The version of the state that it knows.
    pub fn partition_epoch(&self) -> PartitionEpoch {
        self.partition_epoch
    }

    /// The epoch that it leads in.
    pub fn leader_epoch(&self) -> LeaderEpoch {
        self.leader_epoch
    }

    /// The committed ISR.
    pub fn isr(&self) -> &[BrokerId] {
        &self.isr
    }

    /// Records below it are committed.
    pub fn high_watermark(&self) -> i64 {
        self.high_watermark
    }

    /// Where the leader's epoch begins. Until the high watermark has passed it, what is committed is not known for sure (KIP-207).
    pub fn epoch_start_offset(&self) -> i64 {
        self.epoch_start_offset
    }

    /// What the controller is being asked for.
    pub fn proposed(&self) -> Option<&Proposal> {
        self.proposed.as_ref()
    }

    /// The committed ISR, and those that the leader counts with already.
    fn is_in_maximal_isr(&self, replica: BrokerId) -> bool {
        let counts_proposed = !planted::is(Bug::HighWatermarkOnCommittedIsr);
        let proposed = || {
            self.proposed
                .iter()
                .filter(|_| counts_proposed)
                .flat_map(|proposal| &proposal.isr)
        };
        self.isr.contains(&replica) || proposed().any(|(id, _)| *id == replica)
    }

    /// Whether fewer replicas are in sync than `min.insync.replicas` asks for, at most all of them.
    pub fn is_under_min_isr(&self, min_insync_replicas: usize) -> bool {
        self.isr.len() < min_insync_replicas.min(self.replicas) && !planted::is(Bug::MinIsrIgnored)
    }

    /// Moves the high watermark as far as all replicas have the log that count; gives the new one where it moved. While too few are
    /// in sync it stands still (KIP-966).
    pub fn advance_high_watermark(&mut self, around: &Surroundings<'_>) -> Option<i64> {
        if self.is_under_min_isr(around.min_insync_replicas) {
            return None;
        }
        let waited_for = self.followers.iter().filter(|&(&replica, follower)| {
            // Who has caught up is about to join: the high watermark does not run away from it.
            let is_about_to_join = follower.is_caught_up(around.log_end_offset, around.now_ms, around.lag_time_max_ms)
                && self.is_eligible(replica, follower, around.members);
            let is_about_to_join = is_about_to_join && !planted::is(Bug::HighWatermarkOnCommittedIsr);
            (self.is_in_maximal_isr(replica) || is_about_to_join) && !planted::is(Bug::HighWatermarkAlone)
        });
        let slowest = waited_for.map(|(_, follower)| follower.log_end_offset).min();
        let committed = slowest.map_or(around.own_end, |slowest| slowest.min(around.own_end));
        if committed <= self.high_watermark {
            return None;
        }
        self.high_watermark = committed;
        Some(committed)
    }

    /// Asks for a larger ISR where a follower that fetched has all that is committed, also of earlier epochs, and its broker is what
    /// it was when it fetched. One proposal at a time.
    pub fn expand(&mut self, replica: BrokerId, members: &dyn Members) -> Option<&Proposal> {
        let follower = self.followers.get(&replica)?;
        let committed = match planted::is(Bug::JoinBelowEpochStart) {
            true => 0,
            false => self.high_watermark.max(self.epoch_start_offset),
        };
        let reaches = follower.log_end_offset >= committed;
        if self.proposed.is_some()
            || self.isr.contains(&replica)
            || !reaches
            || !self.is_eligible(replica, follower, members)
        {
            return None;
        }
        let isr = self.isr.iter().copied().chain([replica]).collect();
        Some(self.propose(isr))
    }

    /// Asks for a smaller ISR, without those that have not had the whole log for too long.
    pub fn shrink(&mut self, around: &Surroundings<'_>) -> Option<&Proposal> {
        if self.proposed.is_some() {
            return None;
        }
        let stays = |replica: &BrokerId| {
            *replica == self.broker
                || self.followers.get(replica).is_some_and(|follower| {
                    follower.is_caught_up(around.log_end_offset, around.now_ms, around.lag_time_max_ms)
                })
        };
        let isr: Vec<BrokerId> = self.isr.iter().copied().filter(stays).collect();
        (isr.len() < self.isr.len()).then(|| self.propose(isr))
    }

    /// The controller has answered a proposal. Gives it back where it has to be sent again.
    pub fn note_answer(&mut self, to: &Proposal, answer: &Answer) -> Option<&Proposal> {
        // Meanwhile the controller has said something else: what it answered before is out of date.
        if self.proposed.as_ref() != Some(to) {
            return None;
        }
        match answer {
            Answer::Altered {
                leader_epoch,
                partition_epoch,
                isr,
            } if *leader_epoch == self.leader_epoch && *partition_epoch >= self.partition_epoch => {
                self.partition_epoch = *partition_epoch;
                self.isr.clone_from(isr);
                self.proposed = None;
            }
            Answer::Altered { .. } | Answer::Outdated => {}
            Answer::Refused => self.proposed = None,
            Answer::Unanswered => return self.proposed.as_ref(),
        }
        None
    }

    fn propose(&mut self, isr: Vec<BrokerId>) -> &Proposal {
        let with_epoch = |replica: BrokerId| {
            let seen = self.followers.get(&replica).and_then(|follower| follower.broker_epoch);
            (replica, seen)
        };
        let proposal = Proposal {
            leader_epoch: self.leader_epoch,
            partition_epoch: self.partition_epoch,
            isr: isr.into_iter().map(with_epoch).collect(),
        };
        self.proposed.insert(proposal)
    }

    /// A broker that came back with an empty disk must not be taken for the one that fetched before (KIP-903).
    fn is_eligible(&self, replica: BrokerId, follower: &Follower, members: &dyn Members) -> bool {
        members.is_eligible(replica, follower.broker_epoch)
    }
}

#[cfg(test)]
mod tests;
