//! The core under a hand-driven clock and log.

mod load;
mod memory;
mod offsets;
mod property;
mod reload;
mod scenarios;
mod script;
mod shell;
mod sizes;
mod static_members;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;

use super::*;

/// A group, its log, its requests; nothing happens by itself but what is due.
pub struct Driver {
    pub config: GroupConfig,
    pub group: Group,
    pub now: Now,
    /// All records, at their offsets.
    pub log: Vec<Record>,
    /// Decisions whose records are not in the log yet.
    pub unwritten: VecDeque<(Vec<Record>, Completion)>,
    /// While set, records stay unwritten.
    pub hold: bool,
    /// Parked requests that have been answered, in that order.
    pub answers: Vec<(Waiter, Answer)>,
    pub next_waiter: u64,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    Join(JoinAnswer),
    Sync(SyncAnswer),
}

pub fn config() -> GroupConfig {
    GroupConfig {
        min_session_timeout_ms: 6_000,
        max_session_timeout_ms: 1_800_000,
        initial_rebalance_delay_ms: 3_000,
        max_size: 100,
        offset_metadata_max_bytes: 16,
        offsets_retention_ms: 1_000_000,
    }
}

impl Driver {
    pub fn new(config: GroupConfig) -> Self {
        let now = Now {
            monotonic_ms: 1_000,
            timestamp_ms: 1_700_000_000_000,
        };
        Driver {
            config,
            group: Group::new(Arc::from("g"), now),
            now,
            log: Vec::new(),
            unwritten: VecDeque::new(),
            hold: false,
            answers: Vec::new(),
            next_waiter: 0,
        }
    }

    pub fn waiter(&mut self) -> Waiter {
        self.next_waiter += 1;
        Waiter(self.next_waiter)
    }

    /// Carries out a decision and everything that is due after it, as the shell does.
    pub fn perform<R>(&mut self, decision: Decision<R>) -> Option<R> {
        let response = self.carry_out(decision);
        self.run_due();
        response
    }

    fn carry_out<R>(&mut self, decision: Decision<R>) -> Option<R> {
        decision.notes.into_iter().for_each(|note| self.group.note(note));
        for effect in decision.effects {
            let answer = match effect {
                Effect::AnswerJoin(waiter, answer) => (waiter, Answer::Join(answer)),
                Effect::AnswerSync(waiter, answer) => (waiter, Answer::Sync(answer)),
            };
            self.answers.push(answer);
        }
        assert_eq!(decision.records.is_empty(), decision.completion.is_none());
        if let Some(completion) = decision.completion {
            self.unwritten.push_back((decision.records, completion));
        }
        decision.response
    }

    fn run_due(&mut self) {
        for _ in 0..10_000 {
            if let Some(ripe) = self.group.ripe(self.now) {
                let decision = self.group.handle_ripe(&ripe, &self.config, self.now);
                self.carry_out(decision);
            } else if !self.hold && !self.unwritten.is_empty() {
                self.write(Ok(()));
            } else {
                return;
            }
        }
        panic!("something is due for ever");
    }

    /// The oldest unwritten decision is committed, or fails.
    pub fn write(&mut self, outcome: Result<(), Rejection>) {
        let Some((records, completion)) = self.unwritten.pop_front() else {
            return;
        };
        if outcome.is_ok() {
            for record in records {
                self.group.apply(record.clone(), self.log.len() as i64);
                self.log.push(record);
            }
            self.group.note(Note::Committed {
                high_watermark: self.log.len() as i64,
            });
        }
        let decision = self.group.handle_settled(&completion, outcome, &self.config, self.now);
        self.perform(decision);
    }

    /// Lets time pass, stopping at every deadline.
    pub fn wait(&mut self, ms: i64) {
        let until = self.now.monotonic_ms + ms;
        while self.group.next_deadline_ms() <= until {
            let step = (self.group.next_deadline_ms() - self.now.monotonic_ms).max(0);
            self.advance(step);
            self.run_due();
            if step == 0 && self.group.next_deadline_ms() <= self.now.monotonic_ms {
                panic!("a deadline that is never met");
            }
        }
        self.advance(until - self.now.monotonic_ms);
        self.run_due();
    }

    fn advance(&mut self, ms: i64) {
        self.now.monotonic_ms += ms;
        self.now.timestamp_ms += ms;
    }

    /// A new broker reads the log.
    pub fn reload(&mut self) {
        let mut group = Group::new(Arc::from("g"), self.now);
        for (offset, record) in self.log.iter().enumerate() {
            // By way of the bytes.
            let encoded = encode("g", record).expect("the record was written once");
            match decode(&encoded.key, encoded.value.as_ref()).expect("what we wrote can be read") {
                DecodedRecord::Known {
                    group_id,
                    record: decoded,
                } => {
                    assert_eq!((&*group_id, &decoded), ("g", record));
                    group.apply(decoded, offset as i64);
                }
                other => panic!("{other:?}"),
            }
        }
        group.note(Note::Committed {
            high_watermark: i64::MAX,
        });
        group.restore(self.now);
        self.group = group;
        self.unwritten.clear();
        let decision = self.group.handle_restored(&self.config, self.now);
        self.perform(decision);
    }

    pub fn join(&mut self, join: Join) -> Result<Option<JoinAnswer>, Rejection> {
        let decision = self.group.handle_join(&join, &self.config, self.now)?;
        Ok(self.perform(decision))
    }

    pub fn sync(&mut self, sync: Sync) -> Result<Option<SyncAnswer>, Rejection> {
        let decision = self.group.handle_sync(&sync, self.now)?;
        Ok(self.perform(decision))
    }

    pub fn heartbeat(&mut self, member_id: &str, generation_id: i32) -> Result<(), Rejection> {
        let decision = self.group.handle_heartbeat(member_id, None, generation_id, self.now)?;
        self.perform(decision).expect("heartbeats are not parked")
    }

    pub fn leave(&mut self, leavers: &[Leaver]) -> Result<Vec<Result<(), Rejection>>, Rejection> {
        let decision = self.group.handle_leave(leavers, &self.config, self.now)?;
        Ok(self.perform(decision).expect("leaving is not parked"))
    }

    pub fn commit(&mut self, commit: &OffsetCommit) -> Result<Vec<Result<(), Rejection>>, Rejection> {
        let decision = self.group.handle_offset_commit(commit, &self.config, self.now)?;
        Ok(self.perform(decision).expect("commits have a response"))
    }

    /// Brings one consumer into a stable group; returns its member id.
    pub fn stable_consumer(&mut self, topics: &[&str]) -> Arc<str> {
        let waiter = self.waiter();
        let join = Join {
            protocols: vec![protocol("range", topics)],
            waiter,
            ..join_as("c")
        };
        let member_id = join.new_member_id.clone();
        assert_eq!(self.join(join), Ok(None));
        self.wait(3_000);
        let waiter = self.waiter();
        let generation_id = self.group.generation_id();
        let assignments = BTreeMap::from([(member_id.clone(), Bytes::from_static(b"all"))]);
        let sync = Sync {
            assignments,
            waiter,
            ..sync_of(&member_id, generation_id)
        };
        assert_eq!(self.sync(sync), Ok(None));
        assert_eq!(self.group.state(), GroupState::Stable);
        member_id
    }
}

pub fn join_as(client: &str) -> Join {
    Join {
        member_id: Arc::from(""),
        instance_id: None,
        client_id: Arc::from(client),
        client_host: Arc::from("/127.0.0.1"),
        rebalance_timeout_ms: 60_000,
        session_timeout_ms: 10_000,
        protocol_type: Arc::from("consumer"),
        protocols: vec![protocol("range", &["t"])],
        requires_known_member_id: false,
        supports_skipping_assignment: true,
        new_member_id: Arc::from(format!("{client}-id")),
        waiter: Waiter(0),
    }
}

pub fn sync_of(member_id: &Arc<str>, generation_id: i32) -> Sync {
    Sync {
        member_id: member_id.clone(),
        instance_id: None,
        generation_id,
        protocol_type: None,
        protocol_name: None,
        assignments: BTreeMap::new(),
        waiter: Waiter(0),
    }
}

/// A consumer's protocol whose metadata says these topics.
pub fn protocol(name: &str, topics: &[&str]) -> Protocol {
    let mut metadata = vec![0, 1];
    metadata.extend((topics.len() as i32).to_be_bytes());
    for topic in topics {
        metadata.extend((topic.len() as i16).to_be_bytes());
        metadata.extend(topic.as_bytes());
    }
    metadata.extend((-1i32).to_be_bytes());
    Protocol {
        name: Arc::from(name),
        metadata: Bytes::from(metadata),
    }
}
