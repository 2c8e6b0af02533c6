//! What must hold, looked at after every step. It looks at the brokers' own state and at what the ensemble holds, and decides nothing
//! for them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use controller::partitions::LeaderAndIsr;
use controller::testing::ensemble::Ensemble;
use controller::znodes;
use sordini::partition::Partition;

use crate::host::{Host, MIN_INSYNC_REPLICAS};
use crate::workload::{History, TOPIC};

/// What has been seen so far.
#[derive(Default)]
pub struct Checks {
    /// Who led each partition in each epoch.
    leaders: BTreeMap<(i32, i32), i32>,
    /// What was seen of each leader last, by partition, process and epoch: one that comes back goes on from its checkpoint.
    led: BTreeMap<(i32, u64, i32), Led>,
    /// What the ensemble held last.
    written: BTreeMap<i32, Written>,
    /// Who was taken out of the ISR of a partition as its registration was gone, and has not registered again.
    taken_out: BTreeSet<(i32, i32)>,
}

struct Led {
    high_watermark: i64,
    isr: usize,
}

struct Written {
    data: Bytes,
    state: LeaderAndIsr,
}

/// A partition on a broker that runs.
struct Seen {
    broker: i32,
    process: u64,
    partition: Arc<Partition>,
}

/// What does not hold, in words.
type Wrong = Vec<String>;

impl Checks {
    /// Looks at all brokers that run; gives what does not hold.
    pub fn look(&mut self, hosts: &[Arc<Host>], ensemble: &Ensemble, history: &History) -> Wrong {
        let mut wrong = Wrong::new();
        let mut by_number: BTreeMap<i32, Vec<Seen>> = BTreeMap::new();
        for host in hosts {
            let Some(broker) = host.running() else { continue };
            for partition in broker.replicas.of_topic(TOPIC) {
                let number = partition.topic_partition.partition;
                by_number.entry(number).or_default().push(Seen {
                    broker: host.id,
                    process: host.process(),
                    partition,
                });
            }
        }
        for (number, seen) in by_number {
            self.look_at_written(number, ensemble, &mut wrong);
            for it in &seen {
                self.look_at(number, it, &mut wrong);
            }
            if let Some(written) = self.written.get(&number) {
                holds_what_is_committed(number, &written.state, &seen, history, &mut wrong);
            }
        }
        wrong
    }

    /// Epochs in the ensemble never go back, and nobody comes back into an ISR who was taken out of it and has not registered since.
    fn look_at_written(&mut self, number: i32, ensemble: &Ensemble, wrong: &mut Wrong) {
        let Some(data) = ensemble.peek(&znodes::partition_state(TOPIC, number)) else {
            return;
        };
        let is_registered = |id: i32| ensemble.peek(&znodes::broker(id)).is_some();
        self.taken_out.retain(|(_, id)| !is_registered(*id));
        let before = self.written.get(&number);
        if before.is_some_and(|before| before.data == data) {
            return;
        }
        let state = match znodes::decode_partition_state(TOPIC, number, &data, 0) {
            Ok(state) => state,
            Err(error) => return wrong.push(error.to_string()),
        };
        if let Some(Written { state: before, .. }) = before {
            if state.controller_epoch < before.controller_epoch || state.leader_epoch < before.leader_epoch {
                wrong.push(format!(
                    "partition {number}: controller epoch {} and leader epoch {} are followed by {} and {}",
                    before.controller_epoch, before.leader_epoch, state.controller_epoch, state.leader_epoch
                ));
            }
            let joins = |id: &&i32| !before.isr.contains(id) && self.taken_out.contains(&(number, **id));
            for id in state.isr.iter().filter(joins) {
                wrong.push(format!(
                    "partition {number}: broker {id} is back in the ISR, and is not registered"
                ));
            }
            let goes = |id: &&i32| !state.isr.contains(id) && !is_registered(**id);
            let gone = before.isr.iter().filter(goes).map(|id| (number, *id));
            self.taken_out.extend(gone.collect::<Vec<_>>());
        }
        self.written.insert(number, Written { data, state });
    }

    /// The high watermark is within the log; one broker leads in an epoch, and its high watermark never goes back, and stands still
    /// while too few replicas are in sync.
    fn look_at(&mut self, number: i32, it: &Seen, wrong: &mut Wrong) {
        let (start, end, high_watermark) = ends(&it.partition);
        let of = format!("partition {number} on broker {}", it.broker);
        if high_watermark > end || high_watermark < start {
            wrong.push(format!(
                "{of}: the high watermark {high_watermark} is not within its log, {start} to {end}"
            ));
        }
        let Ok(state) = it.partition.leader_state() else { return };
        let epoch = state.leader_epoch.0;
        let leader = *self.leaders.entry((number, epoch)).or_insert(it.broker);
        if leader != it.broker {
            wrong.push(format!("{of}: it leads in epoch {epoch}, and so does broker {leader}"));
        }
        let now = Led {
            high_watermark,
            isr: state.isr.len(),
        };
        let Some(before) = self.led.insert((number, it.process, epoch), now) else {
            return;
        };
        if before.high_watermark > high_watermark {
            wrong.push(format!(
                "{of}: the high watermark goes from {} back to {high_watermark} in epoch {epoch}",
                before.high_watermark
            ));
        }
        if before.high_watermark < high_watermark && before.isr.max(state.isr.len()) < MIN_INSYNC_REPLICAS {
            wrong.push(format!(
                "{of}: the high watermark goes on to {high_watermark}, with {} replicas in sync",
                state.isr.len()
            ));
        }
    }
}

/// What each broker that runs knows, a line for each partition of it: for whoever looks for the cause.
pub fn describe(hosts: &[Arc<Host>]) -> Vec<String> {
    let mut lines = Vec::new();
    for host in hosts {
        let Some(broker) = host.running() else { continue };
        let known = broker.metadata.brokers();
        let known = known.iter().map(|it| (it.registration.id, it.broker_epoch.0));
        lines.push(format!(
            "broker {}, epoch {}, controller {:?}: knows {:?}",
            host.id,
            broker.controller.broker_epoch(),
            broker.controller.controller(),
            known.collect::<Vec<_>>()
        ));
        for partition in broker.replicas.of_topic(TOPIC) {
            let state = partition.state();
            lines.push(format!(
                "broker {}, {}: leader {} in epoch {}, ISR {:?} in epoch {}, start, end and high watermark {:?}, proposes {:?}",
                host.id,
                partition.topic_partition,
                state.leader,
                state.leader_epoch,
                state.isr,
                state.partition_epoch,
                ends(&partition),
                partition.proposal()
            ));
        }
    }
    lines
}

fn ends(partition: &Partition) -> (i64, i64, i64) {
    let log = partition.log();
    (log.log_start_offset(), log.log_end_offset(), partition.high_watermark())
}

/// The leader in the ensemble's epoch has every acknowledged record, and so has every replica of that ISR that runs, and all that is
/// committed besides.
fn holds_what_is_committed(number: i32, written: &LeaderAndIsr, seen: &[Seen], history: &History, wrong: &mut Wrong) {
    let leads = |it: &&Seen| {
        let state = it.partition.leader_state();
        state.is_ok_and(|state| state.leader_epoch == written.leader_epoch)
    };
    let Some(leader) = seen.iter().find(leads) else { return };
    let acknowledged = history.acknowledged.range((number, 0)..=(number, i64::MAX));
    let acknowledged = acknowledged.last().map_or(0, |((_, offset), _)| offset + 1);
    let committed = acknowledged.max(leader.partition.high_watermark());
    for it in seen.iter().filter(|it| written.isr.contains(&it.broker)) {
        let (_, end, _) = ends(&it.partition);
        if end < committed {
            wrong.push(format!(
                "partition {number}: broker {} is in the ISR of leader {} (epoch {}) with a log that ends at {end}, and what lies below \
                 {committed} is committed",
                it.broker, leader.broker, written.leader_epoch
            ));
        }
    }
}
