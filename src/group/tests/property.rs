//! Random clients, random time, a log that sometimes fails: what must hold after every step.

use std::collections::HashSet;

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Step {
    Join {
        client: usize,
        static_member: bool,
        known: bool,
        protocols: usize,
        old: bool,
    },
    Sync {
        client: usize,
        stale: bool,
    },
    Heartbeat {
        client: usize,
    },
    Leave {
        clients: Vec<usize>,
    },
    Commit {
        client: usize,
        partition: i32,
        offset: i64,
    },
    Wait {
        ms: i64,
    },
    Expire,
    Delete,
    Hold,
    Write {
        ok: bool,
    },
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let client = 0..5usize;
    let step = prop_oneof![
        6 => (client.clone(), any::<bool>(), any::<bool>(), 0..3usize, any::<bool>()).prop_map(
            |(client, static_member, known, protocols, old)| Step::Join { client, static_member, known, protocols, old }
        ),
        6 => (client.clone(), prop::bool::weighted(0.1)).prop_map(|(client, stale)| Step::Sync { client, stale }),
        3 => client.clone().prop_map(|client| Step::Heartbeat { client }),
        1 => prop::collection::vec(client.clone(), 1..4).prop_map(|clients| Step::Leave { clients }),
        3 => (client, 0..3i32, 0..100i64)
            .prop_map(|(client, partition, offset)| Step::Commit { client, partition, offset }),
        4 => prop_oneof![0..20i64, 2_000..4_000i64, 9_000..70_000i64, Just(2_000_000i64)]
            .prop_map(|ms| Step::Wait { ms }),
        1 => Just(Step::Expire),
        1 => Just(Step::Delete),
        1 => Just(Step::Hold),
        2 => prop::bool::weighted(0.7).prop_map(|ok| Step::Write { ok }),
        1 => Just(Step::Restart),
    ];
    prop::collection::vec(step, 1..80)
}

/// What a client remembers.
#[derive(Debug, Clone, Default)]
struct Client {
    member_id: Option<Arc<str>>,
    instance_id: Option<Arc<str>>,
    generation_id: i32,
    is_leader: bool,
    parked: Option<Waiter>,
}

struct World {
    driver: Driver,
    clients: Vec<Client>,
    parked: HashSet<Waiter>,
    answered: HashSet<Waiter>,
    ids: u64,
    /// By generation, who was told to lead it.
    leaders: BTreeMap<i32, Arc<str>>,
}

const PROTOCOLS: [&[&str]; 3] = [&["range"], &["range", "sticky"], &["sticky", "range"]];

impl World {
    fn new() -> Self {
        World {
            driver: Driver::new(config()),
            clients: vec![Client::default(); 5],
            parked: HashSet::new(),
            answered: HashSet::new(),
            ids: 0,
            leaders: BTreeMap::new(),
        }
    }

    fn play(&mut self, step: &Step) {
        match step {
            Step::Join {
                client,
                static_member,
                known,
                protocols,
                old,
            } => {
                self.join(*client, *static_member, *known, PROTOCOLS[*protocols], *old);
            }
            Step::Sync { client, stale } => self.sync(*client, *stale),
            Step::Heartbeat { client } => {
                if let Client {
                    member_id: Some(member_id),
                    generation_id,
                    ..
                } = self.clients[*client].clone()
                {
                    // Whatever the answer is, it is one.
                    let _ = self.driver.heartbeat(&member_id, generation_id);
                }
            }
            Step::Leave { clients } => self.leave(clients),
            Step::Commit {
                client,
                partition,
                offset,
            } => self.commit(*client, *partition, *offset),
            Step::Wait { ms } => self.driver.wait(*ms),
            Step::Expire => {
                let decision = self
                    .driver
                    .group
                    .handle_expiration(&self.driver.config, self.driver.now);
                self.driver.perform(decision);
            }
            Step::Delete => {
                if let Ok(decision) = self.driver.group.handle_delete(self.driver.now) {
                    self.driver.perform(decision);
                }
            }
            Step::Hold => self.driver.hold = true,
            Step::Write { ok } => {
                self.driver.hold = false;
                self.driver
                    .write(if *ok { Ok(()) } else { Err(Rejection::NotCoordinator) });
                self.driver.wait(0);
            }
            Step::Restart => {
                self.parked.clear();
                self.clients.iter_mut().for_each(|client| client.parked = None);
                self.driver.reload();
                self.leaders.clear();
            }
        }
        self.take_answers();
        self.forget_the_dead();
    }

    /// The shell forgets a dead group whose records are settled, and makes a new one when it is named again.
    fn forget_the_dead(&mut self) {
        if self.driver.group.state() != GroupState::Dead || !self.driver.unwritten.is_empty() {
            return;
        }
        assert!(self.parked.is_empty(), "nobody waits in a dead group");
        let persisted = self.driver.group.persisted();
        assert!(
            persisted.metadata().is_none() && persisted.offset_count() == 0,
            "{persisted:?}"
        );
        self.driver.group = Group::new(Arc::from("g"), self.driver.now);
        self.leaders.clear();
    }

    fn join(&mut self, client: usize, static_member: bool, known: bool, protocols: &[&str], old: bool) {
        if self.clients[client].parked.is_some() {
            return;
        }
        self.ids += 1;
        let waiter = self.driver.waiter();
        let instance_id = static_member.then(|| Arc::from(format!("instance-{client}")));
        let member_id = self.clients[client].member_id.clone().filter(|_| known);
        // A client does not change from static to dynamic and keep its member id.
        let member_id = member_id.filter(|_| self.clients[client].instance_id == instance_id);
        let join = Join {
            member_id: member_id.unwrap_or_else(|| Arc::from("")),
            new_member_id: Arc::from(format!("{client}-{}", self.ids)),
            requires_known_member_id: !old && instance_id.is_none(),
            supports_skipping_assignment: !old,
            protocols: protocols.iter().map(|name| protocol(name, &["t"])).collect(),
            rebalance_timeout_ms: 30_000,
            instance_id: instance_id.clone(),
            waiter,
            ..join_as("c")
        };
        self.clients[client].instance_id = instance_id;
        match self.driver.join(join) {
            Ok(None) => {
                self.parked.insert(waiter);
                self.clients[client].parked = Some(waiter);
            }
            Ok(Some(answer)) => self.joined(client, &answer),
            Err(Rejection::UnknownMemberId | Rejection::FencedInstanceId) => self.clients[client].member_id = None,
            Err(_) => {}
        }
    }

    fn leave(&mut self, clients: &[usize]) {
        let leavers: Vec<_> = clients
            .iter()
            .filter_map(|client| self.clients[*client].member_id.clone())
            .map(|member_id| Leaver {
                member_id,
                instance_id: None,
            })
            .collect();
        if let Ok(results) = self.driver.leave(&leavers) {
            assert_eq!(results.len(), leavers.len());
        }
    }

    fn joined(&mut self, client: usize, answer: &JoinAnswer) {
        let group = &self.driver.group;
        self.clients[client].is_leader = false;
        match answer.error {
            Some(Rejection::UnknownMemberId | Rejection::FencedInstanceId) => self.clients[client].member_id = None,
            Some(_) => self.clients[client].member_id = Some(answer.member_id.clone()).filter(|id| !id.is_empty()),
            None => {
                let is_leader = answer.leader.as_ref() == Some(&answer.member_id);
                if is_leader {
                    assert!(answer.members.iter().any(|member| member.member_id == answer.member_id));
                    if answer.generation_id == group.generation_id() {
                        let first = self
                            .leaders
                            .entry(answer.generation_id)
                            .or_insert(answer.member_id.clone());
                        // A static leader may come back under another id.
                        assert!(*first == answer.member_id || self.clients[client].instance_id.is_some());
                    }
                } else {
                    assert!(answer.members.is_empty(), "only the leader learns the members");
                }
                assert!(answer.protocol_name.is_some());
                let known = &mut self.clients[client];
                (known.member_id, known.generation_id) = (Some(answer.member_id.clone()), answer.generation_id);
                known.is_leader = is_leader && !answer.skip_assignment;
            }
        }
    }

    fn sync(&mut self, client: usize, stale: bool) {
        let Client {
            member_id: Some(member_id),
            generation_id,
            is_leader,
            parked: None,
            ..
        } = self.clients[client].clone()
        else {
            return;
        };
        let waiter = self.driver.waiter();
        let mut sync = Sync {
            waiter,
            ..sync_of(&member_id, generation_id - i32::from(stale))
        };
        if is_leader {
            let members = self.driver.group.members().keys();
            sync.assignments = members
                .map(|id| (id.clone(), Bytes::copy_from_slice(id.as_bytes())))
                .collect();
        }
        match self.driver.sync(sync) {
            Ok(None) => {
                self.parked.insert(waiter);
                self.clients[client].parked = Some(waiter);
            }
            Ok(Some(answer)) => assert_eq!(answer.error, None),
            Err(Rejection::UnknownMemberId | Rejection::FencedInstanceId) => self.clients[client].member_id = None,
            Err(_) => {}
        }
    }

    fn commit(&mut self, client: usize, partition: i32, offset: i64) {
        let known = self.clients[client].clone();
        let value = OffsetAndMetadata {
            offset,
            leader_epoch: None,
            metadata: Box::from(""),
            commit_timestamp_ms: self.driver.now.timestamp_ms,
            expire_timestamp_ms: None,
        };
        let commit = OffsetCommit {
            generation_id: if known.member_id.is_some() {
                known.generation_id
            } else {
                -1
            },
            member_id: known.member_id.unwrap_or_else(|| Arc::from("")),
            instance_id: None,
            offsets: vec![(
                TopicPartition {
                    topic: Arc::from("t"),
                    partition,
                },
                value,
            )],
        };
        if let Ok(results) = self.driver.commit(&commit) {
            assert_eq!(results, [Ok(())]);
        }
    }

    fn take_answers(&mut self) {
        for (waiter, answer) in std::mem::take(&mut self.driver.answers) {
            assert!(self.answered.insert(waiter), "{waiter:?} is answered twice");
            // A request may be answered before the call that parks it returns.
            self.parked.remove(&waiter);
            let Some(client) = self.clients.iter().position(|client| client.parked == Some(waiter)) else {
                continue;
            };
            self.clients[client].parked = None;
            match answer {
                Answer::Join(answer) => self.joined(client, &answer),
                Answer::Sync(answer) => {
                    if matches!(
                        answer.error,
                        Some(Rejection::UnknownMemberId | Rejection::FencedInstanceId)
                    ) {
                        self.clients[client].member_id = None;
                    }
                }
            }
        }
    }

    fn check(&self) {
        let group = &self.driver.group;
        let members = group.members();
        match group.state() {
            GroupState::Empty => assert!(members.is_empty()),
            GroupState::CompletingRebalance | GroupState::Stable => {
                let leader = group.leader().expect("a generation has a leader");
                assert!(members.contains_key(leader), "the leader is a member");
            }
            GroupState::PreparingRebalance | GroupState::Dead => {}
        }
        // Who waits in the group is who waits outside, once each.
        let mut waiting: Vec<_> = members
            .values()
            .flat_map(|member| [member.awaiting_join, member.awaiting_sync])
            .flatten()
            .collect();
        waiting.sort();
        let mut parked: Vec<_> = self.parked.iter().copied().collect();
        parked.sort();
        assert_eq!(waiting, parked);
        for (id, member) in members {
            assert_eq!(*id, member.member_id);
            assert!(member.awaiting_sync.is_none() || group.state() == GroupState::CompletingRebalance);
            if let Some(instance_id) = &member.instance_id {
                let same = members
                    .values()
                    .filter(|other| other.instance_id.as_ref() == Some(instance_id));
                assert_eq!(same.count(), 1, "a group instance id has one member");
            }
        }
        group.check_counts();
        self.check_log();
    }

    /// The fold of the log is what the group says is persisted.
    fn check_log(&self) {
        let mut group = Group::new(Arc::from("g"), self.driver.now);
        for (offset, record) in self.driver.log.iter().enumerate() {
            group.apply(record.clone(), offset as i64);
        }
        group.note(Note::Committed {
            high_watermark: i64::MAX,
        });
        assert_eq!(group.persisted(), self.driver.group.persisted());
        if self.driver.group.state() == GroupState::Stable && self.driver.unwritten.is_empty() {
            group.restore(self.driver.now);
            assert_eq!(group.generation_id(), self.driver.group.generation_id());
        }
    }
}

impl Group {
    /// The counters are what they count.
    fn check_counts(&self) {
        let awaiting = self
            .members
            .values()
            .filter(|member| member.awaiting_join.is_some())
            .count();
        assert_eq!(self.members_awaiting_join, awaiting);
        let mut protocols = std::collections::HashMap::new();
        for protocol in self.members.values().flat_map(|member| &member.protocols) {
            *protocols.entry(protocol.name.clone()).or_insert(0) += 1;
        }
        assert_eq!(self.supported_protocols, protocols);
        let statics = self
            .members
            .values()
            .filter(|member| member.instance_id.is_some())
            .count();
        assert_eq!(self.static_members.len(), statics);
        let members = self.members.values().map(Member::memory_bytes).sum::<usize>();
        let pending = self
            .pending_members
            .keys()
            .map(|id| super::super::memory::pending_bytes(id));
        assert_eq!(self.members_bytes, members + pending.sum::<usize>());
        assert!(self.pending_sync.iter().all(|id| self.members.contains_key(id)));
        let deadlines = self
            .members
            .values()
            .filter_map(Member::expires_at_ms)
            .chain(self.pending_members.values().copied());
        let earliest = deadlines
            .chain(self.sync_deadline_ms)
            .chain(self.rebalance.map(|r| r.deadline_ms))
            .min();
        if self.state != GroupState::Dead {
            assert!(
                self.next_deadline_ms() <= earliest.unwrap_or(i64::MAX),
                "a deadline would be missed"
            );
        }
    }
}

/// 400, or what `PROPTEST_CASES` says.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES")
        .ok()
        .and_then(|cases| cases.parse().ok())
        .unwrap_or(400)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases()) })]

    #[test]
    fn groups_keep_their_promises(steps in steps()) {
        let mut world = World::new();
        for step in &steps {
            world.play(step);
            world.check();
        }
        // Nobody waits for ever: with nobody else acting, time answers every request.
        world.driver.hold = false;
        while !world.driver.unwritten.is_empty() {
            world.driver.write(Ok(()));
        }
        world.driver.wait(3_600_000);
        world.take_answers();
        prop_assert!(world.parked.is_empty(), "still waiting: {:?}", world.parked);
        world.check();
    }
}
