//! What must hold, looked at while a simulation runs and when it is over. It looks at the brokers' own state, and decides nothing for
//! them.

use std::collections::BTreeMap;
use std::sync::Arc;

use sordini::partition::Partition;

use crate::host::Host;
use crate::workload::{History, TOPIC};

/// What has been seen so far.
#[derive(Default)]
pub struct Checks {
    /// Who led each partition in each epoch.
    leaders: BTreeMap<(i32, i32), i32>,
    /// The highest watermark of each leader, by partition, process and epoch: one that comes back goes on from its checkpoint.
    watermarks: BTreeMap<(i32, u64, i32), i64>,
}

/// A partition on a broker that runs.
struct Seen {
    broker: i32,
    process: u64,
    partition: Arc<Partition>,
}

impl Checks {
    /// Looks at all brokers that run; gives what does not hold.
    pub fn look(&mut self, hosts: &[Arc<Host>], history: &History) -> Vec<String> {
        let mut wrong = Vec::new();
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
            self.look_at(number, &seen, history, &mut wrong);
        }
        wrong
    }

    fn look_at(&mut self, number: i32, seen: &[Seen], history: &History, wrong: &mut Vec<String>) {
        let mut latest: Option<(i32, &Seen)> = None;
        for it in seen {
            let (start, end, high_watermark) = ends(&it.partition);
            if high_watermark > end || high_watermark < start {
                wrong.push(format!(
                    "partition {number} on broker {}: the high watermark {high_watermark} is not within its log, {start} to {end}",
                    it.broker
                ));
            }
            let Ok(state) = it.partition.leader_state() else {
                continue;
            };
            let epoch = state.leader_epoch.0;
            let leader = *self.leaders.entry((number, epoch)).or_insert(it.broker);
            if leader != it.broker {
                wrong.push(format!(
                    "partition {number}: brokers {leader} and {} lead in epoch {epoch}",
                    it.broker
                ));
            }
            let highest = self
                .watermarks
                .entry((number, it.process, epoch))
                .or_insert(high_watermark);
            if *highest > high_watermark {
                wrong.push(format!(
                    "partition {number}: the high watermark of leader {} goes from {highest} back to {high_watermark} in epoch {epoch}",
                    it.broker
                ));
            }
            *highest = high_watermark;
            if latest.is_none_or(|(known, _)| epoch > known) {
                latest = Some((epoch, it));
            }
        }
        if let Some((epoch, leader)) = latest {
            holds_what_is_committed(number, epoch, leader, seen, history, wrong);
        }
    }
}

fn ends(partition: &Partition) -> (i64, i64, i64) {
    let log = partition.log();
    (log.log_start_offset(), log.log_end_offset(), partition.high_watermark())
}

/// The leader of the latest epoch has every acknowledged record, and so has every replica of its ISR that runs.
fn holds_what_is_committed(
    number: i32,
    epoch: i32,
    leader: &Seen,
    seen: &[Seen],
    history: &History,
    wrong: &mut Vec<String>,
) {
    let acknowledged = history.acknowledged.range((number, 0)..=(number, i64::MAX)).next_back();
    let needed = acknowledged.map_or(0, |((_, offset), _)| offset + 1);
    let (_, end, high_watermark) = ends(&leader.partition);
    if end < needed {
        wrong.push(format!(
            "partition {number}: broker {} leads in epoch {epoch} with a log that ends at {end}, and {needed} records are acknowledged",
            leader.broker
        ));
    }
    let isr = leader.partition.state().isr.clone();
    for it in seen.iter().filter(|it| isr.contains(&it.broker)) {
        let (_, end, _) = ends(&it.partition);
        if end < high_watermark {
            wrong.push(format!(
                "partition {number}: broker {} is in the ISR of leader {} (epoch {epoch}) with a log that ends at {end}, below the high \
                 watermark {high_watermark}",
                it.broker, leader.broker
            ));
        }
    }
}
