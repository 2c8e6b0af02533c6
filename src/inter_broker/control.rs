//! LeaderAndIsr, UpdateMetadata and StopReplica: from what the controller has decided to messages, and back.

use std::collections::BTreeMap;
use std::sync::Arc;

use controller::effects::{BrokerRegistration, ConfigMap, Endpoint, LiveBroker, PartitionState, TopicState};
use controller::ids::BrokerId;
use controller::{
    BrokerEpoch, Controller, ControllerEpoch, Effect, FailedReplica, LeaderEpoch, PartitionEpoch, StopReplicaPartition,
};
use protocol::ErrorCode;
use protocol::messages::leader_and_isr::{
    LeaderAndIsrLiveLeader, LeaderAndIsrPartitionError, LeaderAndIsrPartitionState, LeaderAndIsrRequest,
    LeaderAndIsrResponse, LeaderAndIsrTopicError, LeaderAndIsrTopicState,
};
use protocol::messages::stop_replica::{
    StopReplicaPartitionError, StopReplicaPartitionState, StopReplicaRequest, StopReplicaResponse,
    StopReplicaTopicState, StopReplicaTopicV1,
};
use protocol::messages::update_metadata::{
    UpdateMetadataBroker, UpdateMetadataEndpoint, UpdateMetadataPartitionState, UpdateMetadataRequest,
    UpdateMetadataTopicState,
};
use protocol::wire::{TopicId, Utf8Bytes};

use super::isr_wire::{recovery_number, recovery_state};

/// The first version of LeaderAndIsr whose answer names topics by id.
const ANSWERED_BY_ID: i16 = 5;
/// The first version of StopReplica that says for each partition whether it is deleted.
const STOPPED_EACH: i16 = 3;

/// Security protocols by their numbers (Kafka's `SecurityProtocol`).
const SECURITY_PROTOCOLS: [&str; 4] = ["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"];

/// LeaderAndIsr for a broker of this epoch. `live` are the brokers whose addresses on `listener` it may need.
pub fn leader_and_isr(
    controller: Controller,
    to: BrokerEpoch,
    topics: &[TopicState],
    live: &[LiveBroker],
    listener: &str,
) -> LeaderAndIsrRequest {
    let partition = |state: &PartitionState| LeaderAndIsrPartitionState {
        partition_index: state.partition,
        controller_epoch: state.controller_epoch.0,
        leader: state.leader,
        leader_epoch: state.leader_epoch.0,
        isr: state.isr.clone(),
        partition_epoch: state.partition_epoch.0,
        replicas: state.replicas.clone(),
        adding_replicas: state.adding_replicas.clone(),
        removing_replicas: state.removing_replicas.clone(),
        is_new: state.is_new,
        leader_recovery_state: recovery_number(state.leader_recovery_state),
        ..Default::default()
    };
    let topic_states = topics.iter().map(|topic| LeaderAndIsrTopicState {
        topic_name: Utf8Bytes::from(&*topic.topic),
        topic_id: topic.topic_id,
        partition_states: topic.partitions.iter().map(partition).collect(),
    });
    let leads = |id: BrokerId| {
        topics
            .iter()
            .flat_map(|topic| &topic.partitions)
            .any(|state| state.leader == id)
    };
    let leaders = live.iter().filter(|broker| leads(broker.registration.id));
    let live_leaders = leaders.filter_map(|broker| {
        let endpoints = &broker.registration.endpoints;
        let endpoint = endpoints.iter().find(|endpoint| endpoint.listener_name == listener)?;
        Some(LeaderAndIsrLiveLeader {
            broker_id: broker.registration.id,
            host_name: Utf8Bytes::from(endpoint.host.clone()),
            port: i32::from(endpoint.port),
        })
    });
    LeaderAndIsrRequest {
        controller_id: controller.id,
        controller_epoch: controller.epoch.0,
        broker_epoch: to.0,
        topic_states: topic_states.collect(),
        live_leaders: live_leaders.collect(),
        ..Default::default()
    }
}

/// What a LeaderAndIsr says; the topics' configurations are not in it.
pub fn leaders_and_isrs(request: &LeaderAndIsrRequest, configs_of: &dyn Fn(&str) -> Arc<ConfigMap>) -> Effect {
    let partition = |state: &LeaderAndIsrPartitionState| PartitionState {
        partition: state.partition_index,
        controller_epoch: ControllerEpoch(state.controller_epoch),
        leader: state.leader,
        leader_epoch: LeaderEpoch(state.leader_epoch),
        partition_epoch: PartitionEpoch(state.partition_epoch),
        isr: state.isr.clone(),
        replicas: state.replicas.clone(),
        adding_replicas: state.adding_replicas.clone(),
        removing_replicas: state.removing_replicas.clone(),
        offline_replicas: Vec::new(),
        leader_recovery_state: recovery_state(state.leader_recovery_state),
        is_new: state.is_new,
    };
    let topics = request.topic_states.iter().map(|topic| TopicState {
        topic: Arc::from(&*topic.topic_name),
        topic_id: topic.topic_id,
        configs: configs_of(&topic.topic_name),
        partitions: topic.partition_states.iter().map(partition).collect(),
    });
    Effect::LeaderAndIsr {
        controller_epoch: ControllerEpoch(request.controller_epoch),
        topics: topics.collect(),
    }
}

/// The answer to a LeaderAndIsr in this version: every partition with its code.
pub fn leader_and_isr_answer(
    version: i16,
    request: &LeaderAndIsrRequest,
    code_of: &dyn Fn(&str, i32) -> ErrorCode,
) -> LeaderAndIsrResponse {
    let mut response = LeaderAndIsrResponse::default();
    for topic in &request.topic_states {
        let error = |state: &LeaderAndIsrPartitionState| LeaderAndIsrPartitionError {
            topic_name: match version < ANSWERED_BY_ID {
                true => topic.topic_name.clone(),
                false => Utf8Bytes::default(),
            },
            partition_index: state.partition_index,
            error_code: code_of(&topic.topic_name, state.partition_index),
        };
        let errors = topic.partition_states.iter().map(error);
        match version < ANSWERED_BY_ID {
            true => response.partition_errors.extend(errors),
            false => response.topics.push(LeaderAndIsrTopicError {
                topic_id: topic.topic_id,
                partition_errors: errors.collect(),
            }),
        }
    }
    response
}

/// The replicas that a broker could not lead or follow in because of its log directories.
pub fn failed_to_lead(request: &LeaderAndIsrRequest, response: &LeaderAndIsrResponse) -> Vec<FailedReplica> {
    let name_of = |id: TopicId| {
        let topic = request.topic_states.iter().find(|topic| topic.topic_id == id);
        topic.map(|topic| topic.topic_name.clone())
    };
    let by_name = response
        .partition_errors
        .iter()
        .map(|error| (error.topic_name.clone(), error));
    let by_id = response.topics.iter().flat_map(|topic| {
        let name = name_of(topic.topic_id).unwrap_or_default();
        topic.partition_errors.iter().map(move |error| (name.clone(), error))
    });
    let failed = by_name
        .chain(by_id)
        .filter_map(|(topic, error)| failed(&topic, error.partition_index, error.error_code));
    failed.collect()
}

fn failed(topic: &str, partition: i32, code: ErrorCode) -> Option<FailedReplica> {
    match code {
        ErrorCode::KAFKA_STORAGE_ERROR => Some(FailedReplica {
            topic: Arc::from(topic),
            partition,
            error_code: code,
            reason: "its broker says that its log directory has failed".to_owned(),
        }),
        ErrorCode::NONE => None,
        code => {
            log::warn!(
                "{topic}-{partition}: the broker that holds a replica answered {}",
                code.name()
            );
            None
        }
    }
}

/// UpdateMetadata for a broker of this epoch.
pub fn update_metadata(
    controller: Controller,
    to: BrokerEpoch,
    brokers: &[LiveBroker],
    topics: &[TopicState],
) -> UpdateMetadataRequest {
    let partition = |state: &PartitionState| UpdateMetadataPartitionState {
        partition_index: state.partition,
        controller_epoch: state.controller_epoch.0,
        leader: state.leader,
        leader_epoch: state.leader_epoch.0,
        isr: state.isr.clone(),
        zk_version: state.partition_epoch.0,
        replicas: state.replicas.clone(),
        offline_replicas: state.offline_replicas.clone(),
        ..Default::default()
    };
    let topic_states = topics.iter().map(|topic| UpdateMetadataTopicState {
        topic_name: Utf8Bytes::from(&*topic.topic),
        topic_id: topic.topic_id,
        partition_states: topic.partitions.iter().map(partition).collect(),
    });
    let endpoint = |endpoint: &Endpoint| UpdateMetadataEndpoint {
        port: i32::from(endpoint.port),
        host: Utf8Bytes::from(endpoint.host.clone()),
        listener: Utf8Bytes::from(endpoint.listener_name.clone()),
        security_protocol: security_protocol(&endpoint.security_protocol),
    };
    let live_brokers = brokers.iter().map(|broker| UpdateMetadataBroker {
        id: broker.registration.id,
        endpoints: broker.registration.endpoints.iter().map(endpoint).collect(),
        rack: broker.registration.rack.clone().map(Utf8Bytes::from),
        ..Default::default()
    });
    UpdateMetadataRequest {
        controller_id: controller.id,
        controller_epoch: controller.epoch.0,
        broker_epoch: to.0,
        topic_states: topic_states.collect(),
        live_brokers: live_brokers.collect(),
        ..Default::default()
    }
}

fn security_protocol(name: &str) -> i16 {
    let number = SECURITY_PROTOCOLS.iter().position(|known| *known == name);
    number.and_then(|number| i16::try_from(number).ok()).unwrap_or(0)
}

/// What an UpdateMetadata says; it has neither configurations nor broker epochs.
pub fn metadata(request: &UpdateMetadataRequest, configs_of: &dyn Fn(&str) -> Arc<ConfigMap>) -> Effect {
    let partition = |state: &UpdateMetadataPartitionState| PartitionState {
        partition: state.partition_index,
        controller_epoch: ControllerEpoch(state.controller_epoch),
        leader: state.leader,
        leader_epoch: LeaderEpoch(state.leader_epoch),
        partition_epoch: PartitionEpoch(state.zk_version),
        isr: state.isr.clone(),
        replicas: state.replicas.clone(),
        adding_replicas: Vec::new(),
        removing_replicas: Vec::new(),
        offline_replicas: state.offline_replicas.clone(),
        leader_recovery_state: Default::default(),
        is_new: false,
    };
    let topics = request.topic_states.iter().map(|topic| TopicState {
        topic: Arc::from(&*topic.topic_name),
        topic_id: topic.topic_id,
        configs: configs_of(&topic.topic_name),
        partitions: topic.partition_states.iter().map(partition).collect(),
    });
    Effect::UpdateMetadata {
        controller_id: request.controller_id,
        controller_epoch: ControllerEpoch(request.controller_epoch),
        brokers: request.live_brokers.iter().map(live_broker).collect(),
        topics: topics.collect(),
    }
}

fn live_broker(broker: &UpdateMetadataBroker) -> LiveBroker {
    let endpoint = |endpoint: &UpdateMetadataEndpoint| {
        let number = usize::try_from(endpoint.security_protocol).unwrap_or(0);
        Endpoint {
            listener_name: endpoint.listener.to_string(),
            security_protocol: SECURITY_PROTOCOLS
                .get(number)
                .unwrap_or(&SECURITY_PROTOCOLS[0])
                .to_string(),
            host: endpoint.host.to_string(),
            port: u16::try_from(endpoint.port).unwrap_or(0),
        }
    };
    LiveBroker {
        registration: BrokerRegistration {
            id: broker.id,
            endpoints: broker.endpoints.iter().map(endpoint).collect(),
            rack: broker.rack.as_deref().map(str::to_owned),
            jmx_port: -1,
            features: BTreeMap::new(),
            sordini: None,
        },
        broker_epoch: BrokerEpoch(-1),
    }
}

/// StopReplica for a broker of this epoch, in this version.
pub fn stop_replica(
    controller: Controller,
    to: BrokerEpoch,
    version: i16,
    delete: bool,
    partitions: &[StopReplicaPartition],
) -> StopReplicaRequest {
    let mut by_topic: BTreeMap<&str, Vec<&StopReplicaPartition>> = BTreeMap::new();
    for partition in partitions {
        by_topic.entry(&partition.topic).or_default().push(partition);
    }
    let mut request = StopReplicaRequest {
        controller_id: controller.id,
        controller_epoch: controller.epoch.0,
        broker_epoch: to.0,
        ..Default::default()
    };
    if version < STOPPED_EACH {
        request.delete_partitions = delete;
        let topics = by_topic.into_iter().map(|(name, partitions)| StopReplicaTopicV1 {
            name: Utf8Bytes::from(name),
            partition_indexes: partitions.iter().map(|partition| partition.partition).collect(),
        });
        request.topics = topics.collect();
        return request;
    }
    let topics = by_topic.into_iter().map(|(name, partitions)| StopReplicaTopicState {
        topic_name: Utf8Bytes::from(name),
        partition_states: partitions
            .iter()
            .map(|partition| StopReplicaPartitionState {
                partition_index: partition.partition,
                leader_epoch: if delete {
                    DURING_DELETE
                } else {
                    partition.leader_epoch.0
                },
                delete_partition: delete,
            })
            .collect(),
    });
    request.topic_states = topics.collect();
    request
}

/// In place of a leader epoch: the topic is being deleted, whatever the epoch.
const DURING_DELETE: i32 = -2;

/// What a StopReplica says: what is stopped, and what is deleted as well.
pub fn stopped(version: i16, request: &StopReplicaRequest) -> Vec<Effect> {
    let mut kept = Vec::new();
    let mut deleted = Vec::new();
    let stop = |topic: &str, partition: i32, leader_epoch: i32| StopReplicaPartition {
        topic: Arc::from(topic),
        topic_id: TopicId::ZERO,
        partition,
        leader_epoch: LeaderEpoch(leader_epoch),
    };
    if version < STOPPED_EACH {
        let into = if request.delete_partitions {
            &mut deleted
        } else {
            &mut kept
        };
        for topic in &request.topics {
            into.extend(
                topic
                    .partition_indexes
                    .iter()
                    .map(|partition| stop(&topic.name, *partition, -1)),
            );
        }
    }
    for topic in &request.topic_states {
        for state in &topic.partition_states {
            let into = if state.delete_partition {
                &mut deleted
            } else {
                &mut kept
            };
            into.push(stop(&topic.topic_name, state.partition_index, state.leader_epoch));
        }
    }
    let effect = |delete: bool, partitions: Vec<StopReplicaPartition>| Effect::StopReplica {
        controller_epoch: ControllerEpoch(request.controller_epoch),
        delete,
        partitions,
    };
    let effects = [(false, kept), (true, deleted)].into_iter();
    let some = effects.filter(|(_, partitions)| !partitions.is_empty());
    some.map(|(delete, partitions)| effect(delete, partitions)).collect()
}

/// The answer to a StopReplica: every partition with its code.
pub fn stop_replica_answer(effects: &[Effect], code_of: &dyn Fn(&str, i32) -> ErrorCode) -> StopReplicaResponse {
    let stopped = effects.iter().flat_map(|effect| match effect {
        Effect::StopReplica { partitions, .. } => &partitions[..],
        Effect::LeaderAndIsr { .. } | Effect::UpdateMetadata { .. } | Effect::TopicConfigChanged { .. } => &[],
    });
    let error = |partition: &StopReplicaPartition| StopReplicaPartitionError {
        topic_name: Utf8Bytes::from(&*partition.topic),
        partition_index: partition.partition,
        error_code: code_of(&partition.topic, partition.partition),
    };
    StopReplicaResponse {
        partition_errors: stopped.map(error).collect(),
        ..Default::default()
    }
}

/// The replicas that a broker could not stop because of its log directories.
pub fn failed_to_stop(response: &StopReplicaResponse) -> Vec<FailedReplica> {
    let errors = response.partition_errors.iter();
    errors
        .filter_map(|error| failed(&error.topic_name, error.partition_index, error.error_code))
        .collect()
}

#[cfg(test)]
mod tests {
    use controller::LeaderRecoveryState;

    use super::*;

    const CONTROLLER: Controller = Controller {
        id: 1,
        epoch: ControllerEpoch(5),
    };

    fn topic(offline_replicas: Vec<i32>) -> TopicState {
        TopicState {
            topic: Arc::from("t"),
            topic_id: protocol::wire::Uuid([7; 16]),
            configs: Arc::default(),
            partitions: vec![PartitionState {
                partition: 3,
                controller_epoch: ControllerEpoch(4),
                leader: 2,
                leader_epoch: LeaderEpoch(9),
                partition_epoch: PartitionEpoch(11),
                isr: vec![2, 3],
                replicas: vec![1, 2, 3],
                adding_replicas: Vec::new(),
                removing_replicas: Vec::new(),
                offline_replicas,
                leader_recovery_state: LeaderRecoveryState::Recovered,
                is_new: false,
            }],
        }
    }

    fn broker(id: i32) -> LiveBroker {
        LiveBroker {
            registration: BrokerRegistration {
                id,
                endpoints: vec![Endpoint {
                    listener_name: "INSIDE".to_owned(),
                    security_protocol: "PLAINTEXT".to_owned(),
                    host: format!("host{id}"),
                    port: 9092,
                }],
                rack: Some("r".to_owned()),
                jmx_port: -1,
                features: BTreeMap::new(),
                sordini: None,
            },
            broker_epoch: BrokerEpoch(-1),
        }
    }

    #[test]
    fn what_is_told_over_the_wire_is_what_was_decided() {
        let topics = vec![topic(Vec::new())];
        let request = leader_and_isr(CONTROLLER, BrokerEpoch(77), &topics, &[broker(1), broker(2)], "INSIDE");
        let named: Vec<_> = request
            .live_leaders
            .iter()
            .map(|leader| (leader.broker_id, leader.port))
            .collect();
        assert_eq!((named, request.broker_epoch), (vec![(2, 9092)], 77));
        let told = leaders_and_isrs(&request, &|_| Arc::default());
        let controller_epoch = CONTROLLER.epoch;
        assert_eq!(
            told,
            Effect::LeaderAndIsr {
                controller_epoch,
                topics
            }
        );

        let (topics, brokers) = (vec![topic(vec![1])], vec![broker(2), broker(3)]);
        let request = update_metadata(CONTROLLER, BrokerEpoch(77), &brokers, &topics);
        let shown = Effect::UpdateMetadata {
            controller_id: 1,
            controller_epoch,
            brokers,
            topics,
        };
        assert_eq!(metadata(&request, &|_| Arc::default()), shown);
    }

    #[test]
    fn what_is_stopped_is_told_in_every_version() {
        let partitions = vec![StopReplicaPartition {
            topic: Arc::from("t"),
            topic_id: TopicId::ZERO,
            partition: 3,
            leader_epoch: LeaderEpoch(9),
        }];
        for (version, epoch) in [(2, -1), (4, 9)] {
            let request = stop_replica(CONTROLLER, BrokerEpoch(77), version, false, &partitions);
            let effects = stopped(version, &request);
            let [
                Effect::StopReplica {
                    delete: false,
                    partitions: told,
                    ..
                },
            ] = &effects[..]
            else {
                panic!("version {version}: {effects:?}")
            };
            assert_eq!(told[0].leader_epoch, LeaderEpoch(epoch), "version {version}");
        }
        let request = stop_replica(CONTROLLER, BrokerEpoch(77), 4, true, &partitions);
        let effects = stopped(4, &request);
        assert!(
            matches!(&effects[..], [Effect::StopReplica { delete: true, .. }]),
            "{effects:?}"
        );
    }

    #[test]
    fn only_failed_directories_make_replicas_offline() {
        let topics = vec![topic(Vec::new())];
        let request = leader_and_isr(CONTROLLER, BrokerEpoch(77), &topics, &[], "INSIDE");
        for version in [4, 7] {
            let failed = |code| {
                let response = leader_and_isr_answer(version, &request, &|_, _| code);
                failed_to_lead(&request, &response)
                    .iter()
                    .map(|it| (it.topic.to_string(), it.partition))
                    .collect::<Vec<_>>()
            };
            assert_eq!(
                failed(ErrorCode::KAFKA_STORAGE_ERROR),
                [("t".to_owned(), 3)],
                "version {version}"
            );
            assert_eq!(failed(ErrorCode::INCONSISTENT_TOPIC_ID), [], "version {version}");
            assert_eq!(failed(ErrorCode::NONE), []);
        }
    }
}
