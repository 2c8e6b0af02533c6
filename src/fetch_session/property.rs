//! A session that reads what changed against one that reads everything, as Kafka's does: whatever happens to the partitions, the
//! client hears the same, at the same step.

use std::sync::Arc;

use bytes::Bytes;
use proptest::prelude::*;
use protocol::ErrorCode;
use protocol::messages::fetch::PartitionData;
use protocol::wire::{Chunk, Utf8Bytes};

use super::model::{Event, Found, Model, World, failed};
use super::*;
use crate::partition::{NO_EPOCH, Wake};

const PARTITIONS: usize = 5;

#[derive(Debug, Clone)]
struct Request {
    /// Partitions to add or to name without need.
    named: Vec<usize>,
    forgotten: Vec<usize>,
    /// Whether the client moves on behind what it got.
    moves_on: bool,
    names_epoch: bool,
    max_bytes: usize,
    partition_max_bytes: i32,
    min_bytes: usize,
    read_committed: bool,
    /// What happens while the request is read: one after each partition that is read, the rest before it is settled.
    during: Vec<Event>,
    /// What happens while it is parked.
    parked: Vec<Event>,
}

#[derive(Debug, Clone)]
enum Step {
    Event(Event),
    Fetch(Request),
}

/// What the client hears of one partition: its number, error, high watermark, log start offset, bytes, and where they begin.
type Told = (i32, i16, i64, i64, usize, Option<u8>);

fn told(data: &PartitionData) -> Told {
    let records = match &data.records {
        Some(Chunk::Memory(bytes)) => bytes.clone(),
        _ => Bytes::new(),
    };
    (
        data.partition_index,
        data.error_code.0,
        data.high_watermark,
        data.log_start_offset,
        records.len(),
        records.first().copied(),
    )
}

/// Kafka's way: every partition is read for every request.
#[derive(Default)]
struct Naive {
    partitions: Vec<(FetchPartition, i64, i64)>,
    /// Of the parked fetch: partitions as they were when they were read.
    parked: Vec<(FetchPartition, Model)>,
}

impl Naive {
    fn update(&mut self, named: &[FetchPartition], forgotten: &[usize]) {
        for wanted in named {
            match self.partitions.iter_mut().find(|p| p.0.partition == wanted.partition) {
                Some(cached) => cached.0 = wanted.clone(),
                None => self.partitions.push((wanted.clone(), -1, -1)),
            }
        }
        self.partitions
            .retain(|p| !forgotten.contains(&(p.0.partition as usize)));
    }

    fn read(&self, world: &World, max_bytes: usize) -> Vec<(Found, FetchPartition)> {
        read_all(
            world,
            self.partitions.iter().map(|p| p.0.clone()),
            max_bytes,
            &mut |_| {},
        )
    }

    fn answer(&mut self, world: &World, max_bytes: usize) -> Vec<Told> {
        let mut answer = Vec::new();
        for (found, wanted) in self.read(world, max_bytes) {
            let told = told(&found.data);
            let at = self
                .partitions
                .iter()
                .position(|p| p.0.partition == wanted.partition)
                .expect("cached");
            let cached = &mut self.partitions[at];
            if told.4 > 0 || told.1 != 0 || (cached.1, cached.2) != (told.2, told.3) {
                answer.push(told);
            }
            (cached.1, cached.2) = (told.2, told.3);
            if told.4 > 0 {
                let moved = self.partitions.remove(at);
                self.partitions.push(moved);
            }
        }
        answer
    }

    fn park(&mut self, world: &World) {
        self.parked.clear();
        for (wanted, ..) in self.partitions.clone() {
            self.park_one(world, &wanted);
        }
    }

    /// Remembers a partition as it is when it is read; one that is not there is not waited for.
    fn park_one(&mut self, world: &World, wanted: &FetchPartition) {
        self.parked.retain(|(parked, _)| parked.partition != wanted.partition);
        if let Some(model) = &world.partitions[wanted.partition as usize] {
            self.parked.push((wanted.clone(), model.clone()));
        }
    }

    /// Kafka's `DelayedFetch.tryComplete`.
    fn is_complete(&self, world: &World, min_bytes: usize) -> bool {
        let mut bytes = 0;
        for (wanted, then) in &self.parked {
            let now = match &world.partitions[wanted.partition as usize] {
                Some(now) if Arc::ptr_eq(&now.waiters, &then.waiters) => now,
                _ => return true,
            };
            let fenced = wanted.current_leader_epoch != NO_EPOCH && wanted.current_leader_epoch != now.leader_epoch;
            let offset = wanted.fetch_offset as usize;
            let rolled = now.rolled_at.len() > then.rolled_at.len();
            if !now.is_leader || fenced || rolled {
                return true;
            }
            let readable: usize = now.sizes[offset..].iter().sum();
            bytes += readable.min(wanted.max_bytes as usize);
        }
        bytes >= min_bytes
    }
}

/// What the handler does to read, with `between` called after each partition.
fn read_all(
    world: &World,
    wanted: impl Iterator<Item = FetchPartition>,
    max_bytes: usize,
    between: &mut dyn FnMut(&FetchPartition),
) -> Vec<(Found, FetchPartition)> {
    let (mut left, mut bytes, mut all) = (max_bytes, 0, Vec::new());
    for wanted in wanted {
        let found = match &world.partitions[wanted.partition as usize] {
            Some(model) => model.read(&wanted, model.waiters.mark(), left, bytes == 0),
            None => failed(&wanted, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, false),
        };
        let len = told(&found.data).4;
        left = left.saturating_sub(len);
        bytes += len;
        between(&wanted);
        all.push((found, wanted));
    }
    all
}

fn is_enough(found: &[(Found, FetchPartition)], has_others: bool, min_bytes: usize) -> bool {
    let bytes: usize = found.iter().map(|(found, _)| told(&found.data).4).sum();
    let watched = || found.iter().filter_map(|(found, _)| found.watched.as_ref());
    let readable: i64 = watched().map(|watched| watched.seen.counted()).sum();
    bytes >= min_bytes
        || readable >= min_bytes as i64
        || found.iter().any(|(found, _)| found.ends_wait)
        || !(has_others || watched().next().is_some())
}

fn answers(found: Vec<(Found, FetchPartition)>) -> Vec<PartitionAnswer> {
    let answer = |(found, wanted): (Found, FetchPartition)| PartitionAnswer {
        topic: wanted.topic,
        slot: wanted.slot,
        data: found.data,
        watched: found.watched,
    };
    found.into_iter().map(answer).collect()
}

struct Client {
    cache: FetchSessionCache,
    id: i32,
    epoch: i32,
    /// What it fetches, by partition.
    offsets: Vec<Option<i64>>,
    /// Offsets that the broker does not know yet.
    changed: Vec<usize>,
    naive: Naive,
}

impl Client {
    fn new() -> Self {
        Self {
            cache: FetchSessionCache::new(1),
            id: INVALID_SESSION_ID,
            epoch: INITIAL_EPOCH,
            offsets: vec![None; PARTITIONS],
            changed: Vec::new(),
            naive: Naive::default(),
        }
    }

    fn wanted(&mut self, world: &World, request: &Request) -> Vec<FetchPartition> {
        for partition in &request.named {
            self.offsets[*partition].get_or_insert(0);
        }
        let mut named = request.named.clone();
        if request.moves_on {
            named.append(&mut self.changed);
        }
        named.sort_unstable();
        named.dedup();
        named.retain(|partition| !request.forgotten.contains(partition));
        for partition in &request.forgotten {
            self.offsets[*partition] = None;
        }
        let wanted = |(slot, partition): (usize, usize)| {
            let model = world.partitions[partition].as_ref();
            Some(FetchPartition {
                slot: slot as Slot,
                topic: TopicKey::Name(Utf8Bytes::from_static("t")),
                partition: partition as i32,
                fetch_offset: self.offsets[partition]?,
                max_bytes: request.partition_max_bytes,
                current_leader_epoch: match request.names_epoch {
                    true => model.map_or(0, |m| m.leader_epoch),
                    false => NO_EPOCH,
                },
                last_fetched_epoch: -1,
                log_start_offset: -1,
            })
        };
        named
            .into_iter()
            .filter(|p| self.offsets[*p].is_some())
            .enumerate()
            .filter_map(wanted)
            .collect()
    }

    /// Makes one request to its end and checks it against the naive session where nothing happens `during` it.
    fn fetch(&mut self, world: &mut World, request: &Request) {
        let wanted = self.wanted(world, request);
        let forgotten = request
            .forgotten
            .iter()
            .map(|p| (TopicKey::Name(Utf8Bytes::from_static("t")), *p as i32));
        self.naive.update(&wanted, &request.forgotten);
        let context = self.cache.context(
            SessionRequest {
                version: 12,
                id: self.id,
                epoch: self.epoch,
                reader: FetchReader {
                    replica_id: -1,
                    read_committed: request.read_committed,
                },
                partitions: wanted,
                forgotten: forgotten.collect(),
            },
            0,
        );
        let mut during = request.during.iter();
        let mut found = match &context {
            FetchContext::Incremental { session, epoch } => {
                let (session, epoch) = (session.clone(), *epoch);
                self.read_and_wait(world, request, &session, epoch, &mut during)
            }
            FetchContext::Full { partitions, .. } => {
                read_all(world, partitions.clone().into_iter(), request.max_bytes, &mut |_| {})
            }
            FetchContext::Sessionless(_) => Vec::new(),
            FetchContext::Error(error) => panic!("{error:?}"),
        };
        during.for_each(|event| world.apply(event));
        let is_full = matches!(context, FetchContext::Full { .. });
        if matches!(context, FetchContext::Sessionless(_)) {
            // The client has forgotten everything, and opens another session.
            (self.id, self.epoch) = (INVALID_SESSION_ID, INITIAL_EPOCH);
            return;
        }
        let mut answers = answers(std::mem::take(&mut found));
        let mut next = 0;
        let (error, id) = self.cache.finish(context, &mut answers, 0, &mut || {
            next += 1;
            next
        });
        assert_eq!(error, ErrorCode::NONE);
        (self.id, self.epoch) = (id, next_epoch(self.epoch));
        let got: Vec<Told> = answers.iter().map(|answer| told(&answer.data)).collect();
        if request.during.is_empty() && !is_full {
            assert_eq!(got, self.naive.answer(world, request.max_bytes));
        } else {
            self.naive.adopt(&answers, is_full);
        }
        self.hear(world, &got);
    }

    fn read_and_wait(
        &self,
        world: &mut World,
        request: &Request,
        session: &FetchSession,
        epoch: i32,
        during: &mut std::slice::Iter<'_, Event>,
    ) -> Vec<(Found, FetchPartition)> {
        let mut naive = Naive {
            partitions: self.naive.partitions.clone(),
            parked: Vec::new(),
        };
        let mut parked = request.parked.iter();
        loop {
            naive.park(world);
            let collected = session.collect(epoch).expect("no other request");
            let has_others = collected.has_others;
            let mut found = Vec::new();
            let (mut left, mut bytes) = (request.max_bytes, 0);
            for wanted in collected.partitions {
                let one = match &world.partitions[wanted.partition as usize] {
                    Some(model) => {
                        // An event may come between any two of these.
                        let (model, mark) = (model.clone(), model.waiters.mark());
                        model.read(&wanted, mark, left, bytes == 0)
                    }
                    None => failed(&wanted, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, false),
                };
                let len = told(&one.data).4;
                (left, bytes) = (left.saturating_sub(len), bytes + len);
                naive.park_one(world, &wanted);
                found.push((one, wanted));
                during.by_ref().take(1).for_each(|event| world.apply(event));
            }
            if is_enough(&found, has_others, request.min_bytes) {
                return found;
            }
            during.by_ref().for_each(|event| world.apply(event));
            let settled = answers(found);
            let waiter = session
                .park(epoch, &settled, request.min_bytes as i64)
                .expect("no other request");
            loop {
                let complete = naive.is_complete(world, request.min_bytes);
                match waiter.due(epoch) {
                    Some(Wake::Complete) => {
                        // What happens to a partition between two reads may wake although the second saw it.
                        assert!(complete || !request.during.is_empty(), "woken early");
                        let collected = session.collect(epoch).expect("no other request");
                        return read_all(world, collected.partitions.into_iter(), request.max_bytes, &mut |_| {});
                    }
                    Some(Wake::Look) => break,
                    Some(Wake::Superseded) => panic!("no other request"),
                    None => assert!(!complete, "a wake-up was lost"),
                }
                match parked.next() {
                    Some(event) => world.apply(event),
                    None => {
                        // `max_wait_ms` is over.
                        let collected = session.collect(epoch).expect("no other request");
                        return read_all(world, collected.partitions.into_iter(), request.max_bytes, &mut |_| {});
                    }
                }
            }
        }
    }

    fn hear(&mut self, world: &World, got: &[Told]) {
        for (partition, error, _, _, bytes, _) in got {
            let at = *partition as usize;
            let (Some(offset), Some(model)) = (self.offsets[at], world.partitions[at].as_ref()) else {
                continue;
            };
            let mut next = offset;
            if *error == ErrorCode::OFFSET_OUT_OF_RANGE.0 {
                next = model.start as i64;
            } else if *error == 0 {
                let mut left = *bytes;
                while let Some(size) = model.sizes.get(next as usize).filter(|size| **size <= left) {
                    left -= size;
                    next += 1;
                }
            }
            // After an error the client learns the epoch, and names the partition again.
            if next != offset || *error != 0 {
                self.offsets[at] = Some(next);
                self.changed.push(at);
            }
        }
    }
}

impl Naive {
    /// Takes over what the client was told while things went on, and in which order partitions are served now.
    fn adopt(&mut self, answers: &[PartitionAnswer], is_full: bool) {
        for answer in answers {
            let told = told(&answer.data);
            let at = self
                .partitions
                .iter()
                .position(|p| p.0.partition == told.0)
                .expect("cached");
            (self.partitions[at].1, self.partitions[at].2) = (told.2, told.3);
            if told.4 > 0 && !is_full {
                let moved = self.partitions.remove(at);
                self.partitions.push(moved);
            }
        }
    }
}

fn event() -> impl Strategy<Value = Event> {
    let partition = 0..PARTITIONS;
    prop_oneof![
        8 => (partition.clone(), 1..40usize, prop::bool::weighted(0.1))
            .prop_map(|(partition, size, roll)| Event::Append { partition, size, roll }),
        1 => partition.clone().prop_map(|partition| Event::Trim { partition }),
        2 => (partition.clone(), prop::bool::weighted(0.7))
            .prop_map(|(partition, is_leader)| Event::Elect { partition, is_leader }),
        1 => partition.clone().prop_map(|partition| Event::Delete { partition }),
        2 => partition.prop_map(|partition| Event::Create { partition }),
    ]
}

fn request(happens_during: usize) -> impl Strategy<Value = Request> {
    let some = |odds| prop::collection::vec(0..PARTITIONS, 0..odds);
    let sizes = (
        prop_oneof![1..60usize, Just(10_000usize)],
        prop_oneof![1..60i32, Just(10_000i32)],
        1..80usize,
    );
    let flags = (
        prop::bool::weighted(0.8),
        prop::bool::weighted(0.4),
        prop::bool::weighted(0.1),
    );
    let events = |max| prop::collection::vec(event(), 0..=max);
    (some(4), some(2), sizes, flags, events(happens_during), events(6)).prop_map(
        |(
            named,
            forgotten,
            (max_bytes, partition_max_bytes, min_bytes),
            (moves_on, names_epoch, read_committed),
            during,
            parked,
        )| Request {
            named,
            forgotten,
            moves_on,
            names_epoch,
            max_bytes,
            partition_max_bytes,
            min_bytes,
            read_committed,
            during,
            parked,
        },
    )
}

fn steps(happens_during: usize) -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        2 => event().prop_map(Step::Event),
        3 => request(happens_during).prop_map(Step::Fetch),
    ];
    prop::collection::vec(step, 1..40)
}

fn run(steps: &[Step]) -> (World, Client) {
    let mut world = World {
        partitions: vec![None; PARTITIONS],
    };
    let mut client = Client::new();
    for partition in 0..PARTITIONS {
        world.apply(&Event::Create { partition });
    }
    for step in steps {
        match step {
            Step::Event(event) => world.apply(event),
            Step::Fetch(request) => client.fetch(&mut world, request),
        }
    }
    (world, client)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Compared with each answer, in [`Client::fetch`]; with each wake-up, in [`Client::read_and_wait`].
    #[test]
    fn a_session_says_what_one_says_that_reads_everything(steps in steps(0)) {
        run(&steps);
    }

    #[test]
    fn what_happens_while_a_request_is_read_is_heard_by_the_next(steps in steps(4)) {
        let (mut world, mut client) = run(&steps);
        // Nothing happens any more. What is told must now be what a session says that reads everything.
        let quiet = Request {
            named: Vec::new(),
            forgotten: Vec::new(),
            moves_on: true,
            names_epoch: false,
            max_bytes: 10_000,
            partition_max_bytes: 10_000,
            min_bytes: 0,
            read_committed: false,
            during: Vec::new(),
            parked: Vec::new(),
        };
        for _ in 0..3 {
            client.fetch(&mut world, &quiet);
        }
    }
}
