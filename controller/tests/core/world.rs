//! The state of a controller, and what is written of it.

use std::collections::BTreeMap;

use controller::core::{Decision, Event, handle};
use controller::replicas::Start;
use controller::state::{ControllerState, Record};
use controller::store::{CreateMode, Op};
use controller::{
    BrokerEpoch, BrokerRegistration, ConfigMap, ControllerEpoch, LiveBroker, NewPartitions, NewTopic, Rejection,
    TopicPolicy, TopicRef,
};

pub struct Policy {
    pub delete_topic_enable: bool,
}

pub const POLICY: Policy = Policy {
    delete_topic_enable: true,
};

impl TopicPolicy for Policy {
    fn validate_configs(&self, topic: &str, configs: &ConfigMap) -> Result<(), String> {
        match configs.get("bad") {
            Some(value) => Err(format!("{topic}: bad={value}")),
            None => Ok(()),
        }
    }

    fn num_partitions(&self) -> i32 {
        3
    }

    fn default_replication_factor(&self) -> i32 {
        1
    }

    fn delete_topic_enable(&self) -> bool {
        self.delete_topic_enable
    }

    fn max_partitions(&self) -> usize {
        100
    }
}

/// The state, and what is written of it.
pub struct World {
    pub state: ControllerState,
    pub written: BTreeMap<String, i32>,
    pub ids: u8,
    pub now_ms: i64,
    sequence: u64,
}

impl World {
    pub fn of(brokers: &[i32]) -> World {
        let mut state = ControllerState::new("cluster".into(), 1, ControllerEpoch(4));
        for &id in brokers {
            state.apply(Record::BrokerRegistered(live(id)));
        }
        state.apply(Record::ProducerIdBlock {
            broker: 1,
            block: None,
            version: 0,
        });
        let written = [
            "/brokers/topics",
            "/config/topics",
            "/config/changes",
            "/admin/delete_topics",
        ];
        let mut written: BTreeMap<String, i32> = written.iter().map(|path| (path.to_string(), 0)).collect();
        written.insert("/latest_producer_id_block".into(), 0);
        World {
            state,
            written,
            ids: 0,
            now_ms: 1_700_000_000_000,
            sequence: 0,
        }
    }

    pub fn decide(&mut self, event: Event) -> Result<Decision, Rejection> {
        let decision = handle(&self.state, &POLICY, event, self.now_ms)?;
        for record in decision.records.clone() {
            for op in self.state.ops(&record) {
                self.write(op);
            }
            self.state.apply(record);
        }
        Ok(decision)
    }

    pub fn write(&mut self, op: Op) {
        match op {
            Op::Create {
                path,
                mode: CreateMode::PersistentSequential,
                ..
            } => {
                // The store counts on, whatever goes.
                self.sequence += 1;
                let path = format!("{path}{:010}", self.sequence);
                self.written.insert(path.clone(), 0);
                let name = path.trim_start_matches("/config/changes/").into();
                let created_ms = self.now_ms;
                self.state.apply(Record::ConfigChangeWritten { name, created_ms });
            }
            Op::Create { path, .. } => {
                let parent = &path[..path.rfind('/').expect("a path")];
                assert!(self.written.contains_key(parent), "{path} has no parent");
                assert_eq!(self.written.insert(path.clone(), 0), None, "{path} is there already");
            }
            Op::Set { path, version, .. } => {
                let found = self
                    .written
                    .get_mut(&path)
                    .unwrap_or_else(|| panic!("{path} is not there"));
                assert_eq!(*found, version, "{path}");
                *found += 1;
            }
            Op::Delete { path, version } => {
                let found = self
                    .written
                    .remove(&path)
                    .unwrap_or_else(|| panic!("{path} is not there"));
                assert!(
                    version == -1 || version == found,
                    "{path} has version {found}, not {version}"
                );
                let below = format!("{path}/");
                assert!(
                    !self.written.keys().any(|other| other.starts_with(&below)),
                    "{path} has children"
                );
            }
            Op::Check { .. } => {}
        }
    }

    pub fn create(&mut self, topic: NewTopic) -> Result<Decision, Rejection> {
        self.ids += 1;
        let topic_id = controller::ids::random_topic_id([self.ids; 16]).expect("an id");
        self.decide(Event::CreateTopic {
            topic,
            topic_id,
            start: Start { index: 0, shift: 0 },
            validate_only: false,
        })
    }

    pub fn named(&mut self, name: &str) -> Result<Decision, Rejection> {
        self.create(NewTopic::with_defaults(name))
    }

    pub fn delete(&mut self, name: &str) -> Result<Decision, Rejection> {
        self.decide(Event::DeleteTopic {
            topic: TopicRef::Name(name.to_owned()),
        })
    }

    pub fn grow(&mut self, topic: &str, count: i32, assignments: Option<Vec<Vec<i32>>>) -> Result<Decision, Rejection> {
        let partitions = NewPartitions {
            topic: topic.to_owned(),
            count,
            assignments,
        };
        self.decide(Event::CreatePartitions {
            partitions,
            validate_only: false,
        })
    }
}

pub fn live(id: i32) -> LiveBroker {
    let registration = BrokerRegistration {
        id,
        endpoints: Vec::new(),
        rack: None,
        jmx_port: -1,
        features: BTreeMap::new(),
        sordini: None,
    };
    LiveBroker {
        registration,
        broker_epoch: BrokerEpoch(id.into()),
    }
}

pub fn assigned(name: &str, assignments: &[(i32, &[i32])]) -> NewTopic {
    let assignments = assignments
        .iter()
        .map(|(partition, replicas)| (*partition, replicas.to_vec()))
        .collect();
    NewTopic {
        assignments,
        ..NewTopic::with_defaults(name)
    }
}
