//! One simulation: three brokers, an ensemble, producers, faults; then everything is mended, and what was acknowledged must be there.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use controller::testing::ensemble::Ensemble;
use turmoil::Sim;

use crate::checks::{self, Checks};
use crate::determinism::{self, mixed};
use crate::faults::{self, Fault, Scheduled};
use crate::host::Host;
use crate::logger;
use crate::workload::{self, Client, Shared, seen};

/// Brokers.
const BROKERS: i32 = 3;
/// Partitions that are written to.
const PARTITIONS: i32 = 2;
/// Producers of each of them: what one of them sends again meets what the other one has sent meanwhile.
const PRODUCERS: i32 = 2;
/// Before the first fault.
const QUIET_MS: u64 = 3_000;
/// In which all that was interrupted must have come to its end, once everything is mended.
const RECOVERY_MS: u64 = 60_000;
/// In which every replica has what is committed, and knows so.
const SETTLING_MS: u64 = 12_000;
/// How long it takes until a broker is started again that could not start.
const RESTART_MS: u64 = 1_000;
/// One step.
const TICK: Duration = Duration::from_millis(1);

/// What came of a simulation.
pub struct Outcome {
    /// Acknowledged records.
    pub acknowledged: u64,
    /// What must not have happened.
    pub violations: Vec<String>,
    /// A sum over its whole log.
    pub sum: u64,
}

/// The cluster and what is known of it.
struct Run<'a> {
    sim: Sim<'a>,
    hosts: Vec<Arc<Host>>,
    ensemble: Ensemble,
    history: Shared,
    checks: Checks,
    /// How many faults hold each host down at the moment, and each link.
    down: BTreeMap<usize, usize>,
    /// When brokers are started again whose processes have ended by themselves.
    restarts: BTreeMap<usize, u64>,
}

/// Simulates `seconds` with faults, and the time that it takes to recover from them.
pub fn run(seed: u64, seconds: u64) -> Outcome {
    let sim = turmoil::Builder::new()
        .rng_seed(mixed(seed))
        .epoch(UNIX_EPOCH)
        .simulation_duration(Duration::from_secs(100_000))
        .tick_duration(TICK)
        .min_message_latency(Duration::from_millis(1))
        .max_message_latency(Duration::from_millis(4))
        .tcp_capacity(4096)
        .build();
    let ensemble = Ensemble::new(mixed(seed ^ 1));
    let hosts = (1..=BROKERS).map(|id| Host::new(id, mixed(seed ^ id as u64), &ensemble));
    let mut run = Run {
        sim,
        hosts: hosts.collect(),
        ensemble,
        history: Shared::default(),
        checks: Checks::default(),
        down: BTreeMap::new(),
        restarts: BTreeMap::new(),
    };
    run.begin();
    let violations = run.whole(seed, seconds);
    if !violations.is_empty() {
        checks::describe(&run.hosts).iter().for_each(|line| logger::say(line));
    }
    let acknowledged = seen(&run.history).numbers.values().sum();
    Outcome {
        acknowledged,
        violations,
        sum: logger::sum(),
    }
}

impl Run<'_> {
    fn begin(&mut self) {
        for host in &self.hosts {
            let host = host.clone();
            self.sim.host(host.name(), move || {
                let host = host.clone();
                async move {
                    logger::note_host(&host.name());
                    if let Err(error) = host.clone().run().await {
                        logger::say(&format!("{} ends: {error:#}", host.name()));
                        host.note_failed();
                    }
                    Ok(())
                }
            });
        }
        let ids: Vec<i32> = self.hosts.iter().map(|host| host.id).collect();
        for (partition, producer) in producers() {
            let (ids, history) = (ids.clone(), self.history.clone());
            self.sim.client(name_of(partition, producer), async move {
                logger::note_host("producer");
                let mut client = Client::new(ids);
                client.create_topic(PARTITIONS).await;
                workload::produce(client, partition, producer, history).await;
                Ok(())
            });
        }
    }

    fn whole(&mut self, seed: u64, seconds: u64) -> Vec<String> {
        let end_ms = QUIET_MS + seconds * 1000;
        let scheduled = faults::schedule(seed, self.hosts.len(), QUIET_MS, end_ms);
        let mut due: Vec<(u64, bool, Scheduled)> = Vec::new();
        for fault in scheduled {
            due.push((fault.begins_ms, true, fault));
            due.push((fault.ends_ms, false, fault));
        }
        due.sort_by_key(|(at, begins, _)| (*at, *begins));
        for (at, begins, scheduled) in due {
            if let Err(wrong) = self.until(at) {
                return wrong;
            }
            logger::say(&format!(
                "{} {:?}",
                if begins { "begin" } else { "end" },
                scheduled.fault
            ));
            self.change(scheduled.fault, begins);
        }
        self.recover(end_ms)
            .and_then(|()| self.compare())
            .err()
            .unwrap_or_default()
    }

    /// Goes on until this time; an error is what does not hold.
    fn until(&mut self, ms: u64) -> Result<(), Vec<String>> {
        while (self.sim.elapsed().as_millis() as u64) < ms {
            self.step()?;
        }
        Ok(())
    }

    fn step(&mut self) -> Result<(), Vec<String>> {
        let elapsed = self.sim.elapsed();
        determinism::tell_time(elapsed);
        self.ensemble.tell_time(elapsed.as_millis() as i64);
        for host in &self.hosts {
            host.disk.set_now_ms(1_700_000_000_000 + elapsed.as_millis() as i64);
        }
        if let Err(error) = self.sim.step() {
            return Err(vec![format!("the simulation fails: {error}")]);
        }
        self.restart_failed();
        let history = seen(&self.history);
        let mut wrong = self.checks.look(&self.hosts, &self.ensemble, &history);
        wrong.extend(history.violations.iter().cloned());
        match wrong.is_empty() {
            true => Ok(()),
            false => Err(wrong),
        }
    }

    /// Whoever runs a broker has it started again when it could not start: without an ensemble, for one.
    fn restart_failed(&mut self) {
        let now_ms = self.sim.elapsed().as_millis() as u64;
        for (index, host) in self.hosts.iter().enumerate() {
            if host.take_failed() {
                self.restarts.insert(index, now_ms + RESTART_MS);
            }
            if self.restarts.get(&index).is_none_or(|at| *at > now_ms) {
                continue;
            }
            self.restarts.remove(&index);
            if self.down.get(&index).copied().unwrap_or(0) == 0 {
                self.sim.crash(host.name());
                host.note_killed();
                self.sim.bounce(host.name());
            }
        }
    }

    fn change(&mut self, fault: Fault, begins: bool) {
        let name = |index: usize| self.hosts[index].name();
        let others = |index: usize| (0..self.hosts.len()).filter(move |other| *other != index);
        match fault {
            Fault::Kill { broker } => self.kill(broker, begins),
            Fault::Cut { one, other } => self.cut(&name(one), &name(other), begins),
            Fault::CutOneWay { from, to } => match begins {
                true => self.sim.partition_oneway(name(from), name(to)),
                false => self.sim.repair_oneway(name(from), name(to)),
            },
            Fault::Isolate { broker } => others(broker).for_each(|other| self.cut(&name(broker), &name(other), begins)),
            Fault::CutFromEnsemble { broker } => self.hosts[broker].client.set_link(!begins),
            Fault::CutFromAll { broker } => {
                others(broker).for_each(|other| self.cut(&name(broker), &name(other), begins));
                for (partition, producer) in producers() {
                    self.cut(&name(broker), &name_of(partition, producer), begins);
                }
                self.hosts[broker].client.set_link(!begins);
            }
            Fault::NoQuorum => self.ensemble.set_away(begins),
            Fault::SlowEnsemble { broker } => {
                let most_ms = if begins { 1_500 } else { 0 };
                self.hosts[broker].client.set_slow(most_ms);
            }
            Fault::Delay { one, other } => {
                let most = Duration::from_millis(if begins { 800 } else { 4 });
                self.sim.set_link_max_message_latency(name(one), name(other), most);
            }
        }
    }

    /// What is sent meanwhile arrives when the cut is mended, as TCP sends it again.
    fn cut(&self, one: &str, other: &str, begins: bool) {
        match begins {
            true => self.sim.hold(one, other),
            false => {
                self.sim.release(one, other);
                self.sim.repair(one, other);
            }
        }
    }

    /// Several faults may have killed a broker: the last one's end starts it again.
    fn kill(&mut self, broker: usize, begins: bool) {
        let down = self.down.entry(broker).or_default();
        let name = self.hosts[broker].name();
        match (begins, *down) {
            (true, before) => {
                *down += 1;
                self.restarts.remove(&broker);
                if before == 0 {
                    self.sim.crash(name);
                    self.hosts[broker].note_killed();
                }
            }
            (false, 1) => {
                *down = 0;
                self.sim.bounce(name);
            }
            (false, _) => *down -= 1,
        }
    }

    /// Everything is mended: whatever was under way comes to its end.
    fn recover(&mut self, end_ms: u64) -> Result<(), Vec<String>> {
        for (index, host) in self.hosts.iter().enumerate() {
            host.client.set_link(true);
            host.client.set_slow(0);
            for other in &self.hosts[index + 1..] {
                self.cut(&host.name(), &other.name(), false);
            }
        }
        self.ensemble.set_away(false);
        logger::say("everything is mended");
        self.until(end_ms + SETTLING_MS)?;
        seen(&self.history).is_over = true;
        while seen(&self.history).finished < producers().count() {
            if self.sim.elapsed().as_millis() as u64 > end_ms + RECOVERY_MS {
                return Err(vec![format!(
                    "{RECOVERY_MS} ms after everything was mended records still wait for their acknowledgement"
                )]);
            }
            self.step()?;
        }
        // Followers hear of the last high watermark with what they ask next.
        self.until(self.sim.elapsed().as_millis() as u64 + SETTLING_MS)
    }

    /// Every broker shows every record once, in order, where it was acknowledged.
    fn compare(&mut self) -> Result<(), Vec<String>> {
        let ids: Vec<i32> = self.hosts.iter().map(|host| host.id).collect();
        let (history, found) = (self.history.clone(), self.history.clone());
        seen(&history).finished = 0;
        self.sim.client("reader", async move {
            logger::note_host("reader");
            let mut client = Client::new(ids.clone());
            for partition in 0..PARTITIONS {
                for broker in &ids {
                    let wrong = read(&mut client, *broker, partition, &found).await;
                    seen(&found).violations.extend(wrong);
                }
            }
            seen(&found).finished = 1;
            Ok(())
        });
        while seen(&history).finished == 0 {
            self.step()?;
        }
        self.step()
    }
}

fn producers() -> impl Iterator<Item = (i32, i32)> {
    (0..PARTITIONS).flat_map(|partition| (0..PRODUCERS).map(move |producer| (partition, producer)))
}

fn name_of(partition: i32, producer: i32) -> String {
    format!("producer{partition}-{producer}")
}

/// What is wrong with what a broker shows of a partition.
async fn read(client: &mut Client, broker: i32, partition: i32, history: &Shared) -> Option<String> {
    let of = format!("partition {partition} on broker {broker}");
    let mut records: Vec<(i64, Vec<u8>)> = Vec::new();
    loop {
        let offset = records.last().map_or(0, |(offset, _)| offset + 1);
        match client.fetch(broker, partition, offset).await {
            Ok(more) if more.is_empty() => break,
            Ok(more) => records.extend(more),
            Err(error) => return Some(format!("{of} cannot be read from offset {offset}: {error}")),
        }
    }
    let mut history = seen(history);
    let mut next = [0_u64; PRODUCERS as usize];
    for (offset, value) in &records {
        let value = String::from_utf8_lossy(value).into_owned();
        let is_next = |producer: &usize| value == format!("{partition}-{producer}-{}", next[*producer]);
        let Some(producer) = (0..next.len()).find(is_next) else {
            return Some(format!(
                "{of}: {value} at offset {offset}, where the next of each producer is {next:?}"
            ));
        };
        next[producer] += 1;
        // Where no answer has said what an offset holds, the replica that was read first does.
        let held = history
            .acknowledged
            .entry((partition, *offset))
            .or_insert_with(|| value.clone());
        if *held != value {
            return Some(format!(
                "{of}: offset {offset} holds {value}, and elsewhere, or as it was acknowledged, {held}"
            ));
        }
    }
    let acknowledged = |producer: usize| history.numbers.get(&(partition, producer as i32)).copied().unwrap_or(0);
    let short = (0..next.len()).find(|producer| next[*producer] != acknowledged(*producer))?;
    Some(format!(
        "{of}: {} records of producer {short} are there, {} were acknowledged",
        next[short],
        acknowledged(short)
    ))
}
