//! From an open store to a controller that has loaded everything: the order of Kafka's `KafkaServer.startup` and
//! `KafkaController.onControllerFailover`.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use crate::effects::{ConfigMap, LiveBroker};
use crate::ids::{BrokerEpoch, BrokerId, ControllerEpoch, random_cluster_id};
use crate::sessions::{SessionError, Sessions};
use crate::state::{ControllerState, Record};
use crate::store::{ANY_VERSION, Op, Store, StoreError, Znode};
use crate::znodes::{self, ZnodeError};

/// Why a broker cannot start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A znode holds something else than it should.
    #[error(transparent)]
    Znode(#[from] ZnodeError),
    /// The log directories belong to another cluster.
    #[error("the log directories belong to cluster {expected} (meta.properties), but the metadata store to {found}")]
    InconsistentClusterId {
        /// The id in `meta.properties`.
        expected: String,
        /// The id in the store.
        found: String,
    },
    /// Another broker is registered with this id.
    #[error("a broker with the id {id} is registered already: give each broker its own broker.id")]
    BrokerIdInUse {
        /// The id.
        id: BrokerId,
    },
    /// Somebody has taken this broker's registration away.
    #[error("the registration of broker {id} is gone")]
    Unregistered {
        /// The id.
        id: BrokerId,
    },
    /// There is no session with ZooKeeper.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// The controller's thread could not be started, or ended early.
    #[error("the controller's thread could not be started: {reason}")]
    Thread {
        /// Why.
        reason: String,
    },
}

/// A store on which a broker is about to start. Steps, in this order: [`cluster_id`](Bootstrap::cluster_id), then a broker id
/// (configured, or [generated](Bootstrap::generate_broker_id)), listeners bound, [`crate::driver::start`].
pub struct Bootstrap {
    pub(crate) sessions: Arc<Sessions>,
    /// Top-level znodes to be created.
    missing: Vec<&'static str>,
}

impl Bootstrap {
    /// On a store whose only session ends with the broker.
    ///
    /// # Errors
    /// As [`on`](Bootstrap::on).
    pub async fn new(store: Arc<dyn Store>) -> Result<Bootstrap, StartError> {
        Bootstrap::on(Sessions::only(store)).await
    }

    /// Looks at what is there; nothing is written yet.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub async fn on(sessions: Arc<Sessions>) -> Result<Bootstrap, StartError> {
        let paths: Vec<String> = znodes::TOP_LEVEL.iter().map(|&path| path.to_owned()).collect();
        let found = sessions.get_many(paths).await?;
        let missing = znodes::TOP_LEVEL.iter().zip(found).filter(|(_, znode)| znode.is_none());
        Ok(Bootstrap {
            missing: missing.map(|(&path, _)| path).collect(),
            sessions,
        })
    }

    /// Makes sure of the top-level znodes and of the cluster's id: if there is none yet, it becomes `expected`, or a random
    /// one. `expected` is what `meta.properties` in the log directories says.
    pub async fn cluster_id(&self, expected: Option<&str>) -> Result<String, StartError> {
        let proposed = expected.map_or_else(|| random_cluster_id(random_bytes()), str::to_owned);
        let top_level = self
            .missing
            .iter()
            .map(|&path| Op::create(path, znodes::first_contents(path)));
        let id = Op::create(znodes::CLUSTER_ID, znodes::encode_cluster_id(&proposed));
        let ops: Vec<Op> = top_level.chain([id]).collect();
        let found = self
            .sessions
            .get_many(vec![znodes::CLUSTER_ID.to_owned()])
            .await?
            .pop()
            .flatten();
        // All in one write, unless other brokers are creating the same.
        if (found.is_none() || !self.missing.is_empty()) && !unless_there(self.sessions.multi(ops.clone()).await)? {
            for op in ops {
                unless_there(self.sessions.multi(vec![op]).await)?;
            }
        }
        let found = znodes::decode_cluster_id(&self.sessions.get(znodes::CLUSTER_ID).await?.0)?;
        match expected {
            Some(expected) if expected != found => Err(StartError::InconsistentClusterId {
                expected: expected.to_owned(),
                found,
            }),
            _ => Ok(found),
        }
    }

    /// A broker id that nobody had before, above `reserved.broker.max.id`.
    pub async fn generate_broker_id(&self, reserved_broker_max_id: i32) -> Result<BrokerId, StartError> {
        let stat = self
            .sessions
            .set(znodes::BROKER_SEQUENCE_ID, Bytes::new(), ANY_VERSION)
            .await?;
        Ok(reserved_broker_max_id + stat.version)
    }

    /// What is set for topics, for a broker that opens its logs before it registers.
    pub async fn topic_configs(&self) -> Result<BTreeMap<String, ConfigMap>, StartError> {
        let names = self.sessions.children(znodes::TOPIC_CONFIGS).await?;
        let paths: Vec<String> = names.iter().map(|name| znodes::topic_config(name)).collect();
        let mut configs = BTreeMap::new();
        for (name, znode) in names.into_iter().zip(self.sessions.get_many(paths).await?) {
            if let Some((data, _)) = znode {
                let parsed = znodes::decode_config(&znodes::topic_config(&name), &data)?;
                configs.insert(name, parsed);
            }
        }
        Ok(configs)
    }
}

/// 16 bytes of chance.
pub(crate) fn random_bytes() -> [u8; 16] {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the operating system has random bytes");
    bytes
}

/// Whether it was done; `false` where a znode was there already.
pub(crate) fn unless_there<T>(created: Result<T, StoreError>) -> Result<bool, StoreError> {
    match created {
        Ok(_) => Ok(true),
        Err(error) if matches!(error.cause(), StoreError::NodeExists { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Goes in front of every write of a controller, so that nobody writes who is controller no longer.
pub(crate) fn check(controller_epoch_version: i32) -> Op {
    Op::Check {
        path: znodes::CONTROLLER_EPOCH.to_owned(),
        version: match planted::is(planted::Bug::UncheckedWrites) {
            true => ANY_VERSION,
            false => controller_epoch_version,
        },
    }
}

/// Reads what a broker that is not the controller knows from the start; the controller tells it the rest.
pub(crate) async fn load_outline(store: &dyn Store, controller_id: BrokerId) -> Result<ControllerState, StartError> {
    let single = [znodes::CLUSTER_ID, znodes::FEATURE].map(str::to_owned);
    let (single, configured) = (store.get_many(single.to_vec()), store.children(znodes::BROKER_CONFIGS));
    let single = single.await?;
    let path = znodes::CLUSTER_ID.to_owned();
    let (data, _) = single[0].clone().ok_or(StoreError::NoNode { path })?;
    let epoch = ControllerEpoch::default();
    let mut state = ControllerState::new(znodes::decode_cluster_id(&data)?, controller_id, epoch);
    load_features(&mut state, single[1].as_ref())?;
    load_broker_configs(store, &mut state, configured.await?).await?;
    Ok(state)
}

/// Reads everything that a controller knows, but for [notices](load_config_changes).
pub(crate) async fn load(
    store: &dyn Store,
    controller_id: BrokerId,
    controller_epoch: ControllerEpoch,
    controller_epoch_version: i32,
) -> Result<ControllerState, StartError> {
    let single = [znodes::CLUSTER_ID, znodes::PRODUCER_ID_BLOCK, znodes::FEATURE].map(str::to_owned);
    // Asked for together, then awaited one by one.
    let single = store.get_many(single.to_vec());
    let [brokers, topics, marked, configured, broker_configured] = [
        znodes::BROKER_IDS,
        znodes::TOPICS,
        znodes::DELETE_TOPICS,
        znodes::TOPIC_CONFIGS,
        znodes::BROKER_CONFIGS,
    ]
    .map(|path| store.children(path));
    let single = single.await?;
    let (data, _) = single[0].clone().ok_or(StoreError::NoNode {
        path: znodes::CLUSTER_ID.to_owned(),
    })?;
    let mut state = ControllerState::new(znodes::decode_cluster_id(&data)?, controller_id, controller_epoch);
    load_producer_ids(&mut state, controller_id, single[1].as_ref())?;
    load_features(&mut state, single[2].as_ref())?;
    load_brokers(store, &mut state, brokers.await?).await?;
    load_topics(
        store,
        &mut state,
        topics.await?,
        configured.await?,
        controller_epoch_version,
    )
    .await?;
    for topic in marked.await? {
        if state.topic(&topic).is_some() {
            state.apply(Record::TopicMarkedForDeletion { topic: topic.into() });
        } else {
            store
                .multi(vec![
                    check(controller_epoch_version),
                    Op::delete(znodes::delete_topic(&topic), ANY_VERSION),
                ])
                .await?;
        }
    }
    load_broker_configs(store, &mut state, broker_configured.await?).await?;
    Ok(state)
}

fn load_producer_ids(state: &mut ControllerState, broker: BrokerId, znode: Option<&Znode>) -> Result<(), StartError> {
    if let Some((data, stat)) = znode {
        let block = znodes::decode_producer_id_block(data)?;
        state.apply(Record::ProducerIdBlock {
            broker,
            block,
            version: stat.version,
        });
    }
    Ok(())
}

fn load_features(state: &mut ControllerState, znode: Option<&Znode>) -> Result<(), StartError> {
    if let Some((data, stat)) = znode {
        let finalized = znodes::decode_features(data)?;
        state.apply(Record::Features {
            finalized,
            version: stat.version,
        });
    }
    Ok(())
}

/// Every registration there is.
pub(crate) async fn read_brokers(store: &dyn Store, names: Vec<String>) -> Result<Vec<LiveBroker>, StartError> {
    let mut ids = Vec::with_capacity(names.len());
    for name in names {
        let reason = format!("{name:?} is not a broker id");
        let error = ZnodeError {
            path: znodes::BROKER_IDS.to_owned(),
            reason,
        };
        ids.push(name.parse::<BrokerId>().map_err(|_| error)?);
    }
    let paths = ids.iter().map(|&id| znodes::broker(id)).collect();
    let mut brokers = Vec::with_capacity(ids.len());
    for (id, znode) in ids.into_iter().zip(store.get_many(paths).await?) {
        // It is made empty and filled in the same transaction by all but the oldest Kafkas.
        if let Some((data, stat)) = znode {
            brokers.push(LiveBroker {
                registration: znodes::decode_broker(id, &data)?,
                broker_epoch: BrokerEpoch(stat.czxid),
            });
        }
    }
    Ok(brokers)
}

async fn load_brokers(store: &dyn Store, state: &mut ControllerState, names: Vec<String>) -> Result<(), StartError> {
    for broker in read_brokers(store, names).await? {
        state.apply(Record::BrokerRegistered(broker));
    }
    Ok(())
}

async fn load_topics(
    store: &dyn Store,
    state: &mut ControllerState,
    topics: Vec<String>,
    configured: Vec<String>,
    controller_epoch_version: i32,
) -> Result<(), StartError> {
    let topic_paths = topics.iter().map(|name| znodes::topic(name)).collect();
    let config_paths = configured.iter().map(|name| znodes::topic_config(name)).collect();
    let (topic_znodes, config_znodes) = (store.get_many(topic_paths), store.get_many(config_paths));
    let (topic_znodes, config_znodes) = (topic_znodes.await?, config_znodes.await?);
    for (name, znode) in configured.into_iter().zip(config_znodes) {
        if let Some((data, stat)) = znode {
            let configs = znodes::decode_config(&znodes::topic_config(&name), &data)?;
            state.apply(Record::TopicConfigs {
                topic: name.into(),
                configs: configs.into(),
                version: stat.version,
            });
        }
    }
    let mut wanted: Vec<(Arc<str>, i32)> = Vec::new();
    for (name, znode) in topics.into_iter().zip(topic_znodes) {
        let Some((data, stat)) = znode else { continue };
        let (topic_id, assignments) = znodes::decode_topic(&name, &data)?;
        let topic: Arc<str> = name.into();
        wanted.extend(assignments.keys().map(|&number| (topic.clone(), number)));
        state.apply(Record::Topic {
            topic,
            topic_id,
            assignments,
            version: stat.version,
        });
    }
    let paths = wanted
        .iter()
        .map(|(topic, number)| znodes::partition_state(topic, *number))
        .collect();
    let mut unwritten = Vec::new();
    for ((topic, partition), znode) in wanted.into_iter().zip(store.get_many(paths).await?) {
        match znode {
            Some((data, stat)) => {
                let written = znodes::decode_partition_state(&topic, partition, &data, stat.version)?;
                state.apply(Record::Partition {
                    topic,
                    partition,
                    state: written,
                });
            }
            None => unwritten.push((topic, partition)),
        }
    }
    tidy_unwritten(store, unwritten, controller_epoch_version).await?;
    Ok(())
}

/// Kafka creates `…/partitions`, `…/partitions/P` and its `state` one after the other, so any of them can be missing. Here
/// they come in one transaction: let it find `…/partitions` and no `P`.
async fn tidy_unwritten(
    store: &dyn Store,
    unwritten: Vec<(Arc<str>, i32)>,
    controller_epoch_version: i32,
) -> Result<(), StoreError> {
    let check = || check(controller_epoch_version);
    for (topic, partition) in unwritten {
        unless_there(
            store
                .multi(vec![check(), Op::create(znodes::partitions(&topic), "")])
                .await,
        )?;
        let removed = store
            .multi(vec![
                check(),
                Op::delete(znodes::partition(&topic, partition), ANY_VERSION),
            ])
            .await;
        match removed {
            Ok(_) => {}
            Err(error) if matches!(error.cause(), StoreError::NoNode { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Names and ages of the notices of changed configurations; what they say is for others.
pub(crate) async fn load_config_changes(store: &dyn Store, state: &mut ControllerState) -> Result<(), StoreError> {
    let names = store.children(znodes::CONFIG_CHANGES).await?;
    let path = |name: &String| format!("{}/{name}", znodes::CONFIG_CHANGES);
    let found = store.get_many(names.iter().map(path).collect()).await?;
    for (name, znode) in names.into_iter().zip(found) {
        if let Some((_, stat)) = znode {
            state.apply(Record::ConfigChangeWritten {
                name: name.into(),
                created_ms: stat.ctime_ms,
            });
        }
    }
    Ok(())
}

async fn load_broker_configs(
    store: &dyn Store,
    state: &mut ControllerState,
    names: Vec<String>,
) -> Result<(), StartError> {
    let path = |name: &String| format!("{}/{name}", znodes::BROKER_CONFIGS);
    let found = store.get_many(names.iter().map(path).collect()).await?;
    for (name, znode) in names.into_iter().zip(found) {
        if let Some((data, _)) = znode {
            let configs = znodes::decode_config(&path(&name), &data)?;
            state.apply(Record::BrokerConfigs { name, configs });
        }
    }
    Ok(())
}
