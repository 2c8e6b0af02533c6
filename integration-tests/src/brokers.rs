//! A cluster of Sordini brokers on one ZooKeeper server.

use std::net::SocketAddr;
use std::time::Duration;

use rustix::process::Signal;

use crate::child::await_some;
use crate::cluster::Broker;
use crate::wire::{Body, Connection};
use crate::zookeeper::ZooKeeper;

/// How long anything may take that a cluster does by itself.
pub const LIMIT: Duration = Duration::from_secs(60);
const CREATE_TOPICS: i16 = 19;
const METADATA: i16 = 3;

/// Who leads a partition, where its replicas are, and which of them are in sync.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionView {
    /// 0 or Kafka's error code.
    pub error: i16,
    /// Its number.
    pub partition: i32,
    /// -1 for nobody.
    pub leader: i32,
    /// The preferred leader first.
    pub replicas: Vec<i32>,
    /// In-sync replicas, by id.
    pub isr: Vec<i32>,
}

/// What one broker's Metadata says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterView {
    /// Ids of all live brokers, in their order.
    pub brokers: Vec<i32>,
    /// -1 for nobody.
    pub controller: i32,
    /// The partitions of the topic that was asked for.
    pub partitions: Vec<PartitionView>,
}

/// Brokers 1, 2 and so on.
#[derive(Debug)]
pub struct Brokers {
    /// Theirs.
    pub zookeeper: ZooKeeper,
    brokers: Vec<Broker>,
}

impl Brokers {
    /// So many, with these keys on top; they all know each other when this returns.
    pub fn start(count: i32, overrides: &[(&str, &str)]) -> Brokers {
        Brokers::start_each(count, |_| overrides.to_vec())
    }

    /// The same, each with keys of its own.
    pub fn start_each<'a>(count: i32, overrides: impl Fn(i32) -> Vec<(&'a str, &'a str)>) -> Brokers {
        let zookeeper = ZooKeeper::start();
        let connect = zookeeper.connect();
        let start = |id: i32| {
            let own = overrides(id);
            let id = id.to_string();
            let mut all = vec![
                ("broker.id", id.as_str()),
                ("zookeeper.connect", connect.as_str()),
                ("zookeeper.session.timeout.ms", "6000"),
                ("offsets.topic.num.partitions", "3"),
            ];
            all.extend_from_slice(&own);
            Broker::start_with(&all)
        };
        let brokers = Brokers {
            brokers: (1..=count).map(start).collect(),
            zookeeper,
        };
        let all: Vec<i32> = (1..=count).collect();
        for &id in &all {
            brokers.await_view(id, "", "all brokers", |view| view.brokers == all && view.controller > 0);
        }
        brokers
    }

    /// One of them.
    pub fn get(&self, id: i32) -> &Broker {
        &self.brokers[id as usize - 1]
    }

    /// One of them, to stop it or start it again.
    pub fn get_mut(&mut self, id: i32) -> &mut Broker {
        &mut self.brokers[id as usize - 1]
    }

    /// `host:port` of all of them, for clients.
    pub fn bootstrap(&self) -> String {
        let all: Vec<String> = self.brokers.iter().map(Broker::bootstrap).collect();
        all.join(",")
    }

    /// A connection to one of them.
    #[track_caller]
    pub fn client(&self, id: i32) -> Connection {
        Connection::open(self.get(id).address()).expect("connect")
    }

    /// Stops one from doing anything.
    pub fn pause(&mut self, id: i32) {
        self.get_mut(id).signal(Signal::STOP);
    }

    /// Lets it go on.
    pub fn resume(&mut self, id: i32) {
        self.get_mut(id).signal(Signal::CONT);
    }

    /// What one broker knows, now; a topic of this name, unless it is empty.
    pub fn view(&self, id: i32, topic: &str) -> std::io::Result<ClusterView> {
        Self::view_at(self.get(id).address(), topic)
    }

    /// The same of the broker at an address, for threads that do not hold the others.
    pub fn view_at(address: SocketAddr, topic: &str) -> std::io::Result<ClusterView> {
        let mut connection = Connection::open(address)?;
        let body = match topic {
            "" => Body::new().i32(0),
            topic => Body::new().i32(1).string(topic),
        };
        // Version 4 does not create what is asked for.
        let mut answer = connection.ask(METADATA, 4, &body.i8(0))?;
        answer.i32();
        let mut brokers = Vec::new();
        for _ in 0..answer.i32() {
            brokers.push(answer.i32());
            answer.string();
            answer.i32();
            answer.string();
        }
        answer.string();
        let controller = answer.i32();
        let mut partitions = Vec::new();
        for _ in 0..answer.i32() {
            answer.i16();
            answer.string();
            answer.i8();
            for _ in 0..answer.i32() {
                let (error, partition, leader) = (answer.i16(), answer.i32(), answer.i32());
                let mut ids = || (0..answer.i32()).map(|_| answer.i32()).collect::<Vec<i32>>();
                let (replicas, mut isr) = (ids(), ids());
                isr.sort_unstable();
                partitions.push(PartitionView {
                    error,
                    partition,
                    leader,
                    replicas,
                    isr,
                });
            }
        }
        brokers.sort_unstable();
        partitions.sort_by_key(|view| view.partition);
        Ok(ClusterView {
            brokers,
            controller,
            partitions,
        })
    }

    /// Waits until one broker knows what is wanted; says what it knew last where it never does.
    #[track_caller]
    pub fn await_view(&self, id: i32, topic: &str, what: &str, wanted: impl Fn(&ClusterView) -> bool) -> ClusterView {
        let deadline = std::time::Instant::now() + LIMIT;
        loop {
            let view = self.view(id, topic);
            match view {
                Ok(view) if wanted(&view) => return view,
                view if std::time::Instant::now() > deadline => panic!("{what}: broker {id} knows {view:?}"),
                _ => std::thread::sleep(Duration::from_millis(20)),
            }
        }
    }

    /// Waits until this broker names a leader for each of the topic's partitions, and these replicas as in sync.
    #[track_caller]
    pub fn await_isr(&self, id: i32, topic: &str, isr: &[i32]) -> ClusterView {
        self.await_view(id, topic, &format!("{topic} in sync on {isr:?}"), |view| {
            !view.partitions.is_empty() && view.partitions.iter().all(|it| it.leader > 0 && it.isr == isr)
        })
    }

    /// Creates a topic by whoever is the controller, and waits until all replicas are in sync and every live broker knows it.
    #[track_caller]
    pub fn create_topic(&self, name: &str, partitions: i32, replication_factor: i16, configs: &[(&str, &str)]) {
        await_some("the topic is created", LIMIT, || {
            let controller = (1..=self.brokers.len() as i32).find_map(|id| {
                let view = self.view(id, "").ok()?;
                (view.controller > 0).then_some(view.controller)
            })?;
            let (code, message) = self.try_create_topic(controller, name, partitions, replication_factor, configs);
            assert!(matches!(code, 0 | 41), "create {name}: {code} {message:?}");
            (code == 0).then_some(())
        });
        for id in 1..=self.brokers.len() as i32 {
            if self.view(id, "").is_ok() {
                self.await_view(id, name, "the new topic", |view| {
                    view.partitions.len() == partitions as usize
                        && view
                            .partitions
                            .iter()
                            .all(|it| it.isr.len() == replication_factor as usize)
                });
            }
        }
    }

    /// Error code and message that CreateTopics gives on one broker.
    pub fn try_create_topic(
        &self,
        id: i32,
        name: &str,
        partitions: i32,
        replication_factor: i16,
        configs: &[(&str, &str)],
    ) -> (i16, Option<String>) {
        let mut body = Body::new()
            .i32(1)
            .string(name)
            .i32(partitions)
            .i16(replication_factor)
            .i32(0);
        body = body.i32(configs.len() as i32);
        for (key, value) in configs {
            body = body.string(key).string(value);
        }
        let asked = Connection::open(self.get(id).address())
            .and_then(|mut client| client.ask(CREATE_TOPICS, 2, &body.i32(30_000).i8(0)));
        match asked {
            Ok(mut answer) => {
                answer.take(8);
                answer.string();
                (answer.i16(), answer.string())
            }
            // As good as NOT_CONTROLLER: somebody else has to be asked.
            Err(error) => (41, Some(error.to_string())),
        }
    }
}
