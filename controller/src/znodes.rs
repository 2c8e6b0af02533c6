//! Paths and contents of Kafka's znodes (Kafka's `ZkData`), in the versions that Kafka 3.9 writes. What is read may come
//! from any release: unknown keys are skipped, and what cannot be understood is refused with the znode's path.

mod object;

use std::collections::BTreeMap;
use std::fmt::Write;

use bytes::Bytes;
use serde_json::{Map, Value, json};

use object::{Object, excerpt};

use crate::effects::{BrokerRegistration, ConfigMap, Endpoint, FeatureRange, LeaderRecoveryState};
use crate::ids::{BrokerId, ControllerEpoch, LeaderEpoch, PartitionEpoch, TopicId};
use crate::partitions::{LeaderAndIsr, ReplicaAssignment};
use crate::requests::ProducerIdBlock;

/// `/cluster/id`
pub const CLUSTER_ID: &str = "/cluster/id";
/// `/brokers/ids`
pub const BROKER_IDS: &str = "/brokers/ids";
/// `/brokers/seqid`
pub const BROKER_SEQUENCE_ID: &str = "/brokers/seqid";
/// `/brokers/topics`
pub const TOPICS: &str = "/brokers/topics";
/// `/controller`
pub const CONTROLLER: &str = "/controller";
/// `/controller_epoch`
pub const CONTROLLER_EPOCH: &str = "/controller_epoch";
/// `/admin/delete_topics`
pub const DELETE_TOPICS: &str = "/admin/delete_topics";
/// `/config/topics`
pub const TOPIC_CONFIGS: &str = "/config/topics";
/// `/config/brokers`
pub const BROKER_CONFIGS: &str = "/config/brokers";
/// `/config/changes`
pub const CONFIG_CHANGES: &str = "/config/changes";
/// Start of the sequential znodes below `/config/changes`.
pub const CONFIG_CHANGE: &str = "/config/changes/config_change_";
/// `/log_dir_event_notification`
pub const LOG_DIR_EVENTS: &str = "/log_dir_event_notification";
/// Start of the sequential znodes below it.
pub const LOG_DIR_EVENT: &str = "/log_dir_event_notification/log_dir_event_";
/// `/latest_producer_id_block`
pub const PRODUCER_ID_BLOCK: &str = "/latest_producer_id_block";
/// `/feature`
pub const FEATURE: &str = "/feature";

/// Persistent znodes that every broker makes sure of when it starts, parents first. Kafka makes `/latest_producer_id_block` as well, of
/// null data, which we do not write: it comes with the first block, as Kafka cannot read it empty.
pub const TOP_LEVEL: [&str; 18] = [
    "/consumers",
    "/brokers",
    BROKER_IDS,
    TOPICS,
    "/config",
    "/config/changes",
    "/admin",
    DELETE_TOPICS,
    BROKER_SEQUENCE_ID,
    "/isr_change_notification",
    LOG_DIR_EVENTS,
    TOPIC_CONFIGS,
    "/config/clients",
    "/config/users",
    BROKER_CONFIGS,
    "/config/ips",
    "/cluster",
    CONTROLLER_EPOCH,
];

/// What a top-level znode holds at first: nothing, or epoch 0 before the first controller.
pub fn first_contents(path: &str) -> &'static str {
    if path == CONTROLLER_EPOCH { "0" } else { "" }
}

/// A znode that holds something else than it should.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("znode {path} cannot be understood: {reason}")]
pub struct ZnodeError {
    /// Its path.
    pub path: String,
    /// What is wrong with it.
    pub reason: String,
}

/// `/brokers/ids/N`
pub fn broker(id: BrokerId) -> String {
    format!("{BROKER_IDS}/{id}")
}

/// `/brokers/topics/T`
pub fn topic(topic: &str) -> String {
    format!("{TOPICS}/{topic}")
}

/// `/brokers/topics/T/partitions`
pub fn partitions(topic: &str) -> String {
    format!("{TOPICS}/{topic}/partitions")
}

/// `/brokers/topics/T/partitions/P`
pub fn partition(topic: &str, partition: i32) -> String {
    format!("{TOPICS}/{topic}/partitions/{partition}")
}

/// `/brokers/topics/T/partitions/P/state`
pub fn partition_state(topic: &str, partition: i32) -> String {
    format!("{TOPICS}/{topic}/partitions/{partition}/state")
}

/// `/admin/delete_topics/T`
pub fn delete_topic(topic: &str) -> String {
    format!("{DELETE_TOPICS}/{topic}")
}

/// `/config/topics/T`
pub fn topic_config(topic: &str) -> String {
    format!("{TOPIC_CONFIGS}/{topic}")
}

fn bytes(value: Value) -> Bytes {
    Bytes::from(value.to_string())
}

/// Contents of `/cluster/id`.
pub fn encode_cluster_id(id: &str) -> Bytes {
    bytes(json!({"version": "1", "id": id}))
}

/// The id in `/cluster/id`.
pub fn decode_cluster_id(data: &[u8]) -> Result<String, ZnodeError> {
    let object = Object::parse(CLUSTER_ID, data)?;
    Ok(object.text("id")?.to_owned())
}

/// Contents of `/brokers/ids/N`, version 5, with our own mark.
pub fn encode_broker(registration: &BrokerRegistration, timestamp_ms: i64) -> Bytes {
    // Clients from before Kafka 0.9 know host and port only; they get the first listener without encryption.
    let plaintext = registration
        .endpoints
        .iter()
        .find(|endpoint| endpoint.security_protocol == "PLAINTEXT");
    let endpoints: Vec<String> = registration.endpoints.iter().map(connection_string).collect();
    let protocols: Map<String, Value> = registration
        .endpoints
        .iter()
        .map(|endpoint| {
            (
                endpoint.listener_name.clone(),
                Value::from(endpoint.security_protocol.as_str()),
            )
        })
        .collect();
    let features: Map<String, Value> = registration
        .features
        .iter()
        .map(|(name, range)| {
            (
                name.clone(),
                json!({"min_version": range.min_version, "max_version": range.max_version}),
            )
        })
        .collect();
    let mut object = json!({
        "version": 5,
        "host": plaintext.map(|endpoint| endpoint.host.as_str()),
        "port": plaintext.map_or(-1, |endpoint| i32::from(endpoint.port)),
        "endpoints": endpoints,
        "listener_security_protocol_map": protocols,
        "features": features,
        "jmx_port": registration.jmx_port,
        "timestamp": timestamp_ms.to_string(),
    });
    if let Some(rack) = &registration.rack {
        object["rack"] = Value::from(rack.as_str());
    }
    if let Some(version) = &registration.sordini {
        object["sordini"] = Value::from(version.as_str());
    }
    bytes(object)
}

fn connection_string(endpoint: &Endpoint) -> String {
    let Endpoint {
        listener_name,
        host,
        port,
        ..
    } = endpoint;
    if host.contains(':') {
        format!("{listener_name}://[{host}]:{port}")
    } else {
        format!("{listener_name}://{host}:{port}")
    }
}

/// A registration of any version from 2.
pub fn decode_broker(id: BrokerId, data: &[u8]) -> Result<BrokerRegistration, ZnodeError> {
    let path = broker(id);
    let object = Object::parse(&path, data)?;
    let protocols = object.object("listener_security_protocol_map")?;
    let mut endpoints = Vec::new();
    for text in object.array("endpoints")? {
        let text = text
            .as_str()
            .ok_or_else(|| object.error("an endpoint is not a string"))?;
        endpoints.push(parse_endpoint(text, protocols.as_ref()).ok_or_else(|| {
            object.error(&format!(
                "the endpoint {text:?} is not LISTENER://host:port of a known security protocol"
            ))
        })?);
    }
    let mut features = BTreeMap::new();
    for (name, range) in object
        .object("features")?
        .map(|features| features.map)
        .into_iter()
        .flatten()
    {
        let version = |key: &str| {
            range
                .get(key)
                .and_then(Value::as_i64)
                .and_then(|version| i16::try_from(version).ok())
        };
        let (Some(min_version), Some(max_version)) = (version("min_version"), version("max_version")) else {
            return Err(object.error(&format!("feature {name} has no min_version and max_version")));
        };
        features.insert(
            name.clone(),
            FeatureRange {
                min_version,
                max_version,
            },
        );
    }
    Ok(BrokerRegistration {
        id,
        endpoints,
        rack: object.optional_text("rack").map(str::to_owned),
        jmx_port: object.int("jmx_port").unwrap_or(-1),
        features,
        sordini: object.optional_text("sordini").map(str::to_owned),
    })
}

fn parse_endpoint(text: &str, protocols: Option<&Object<'_>>) -> Option<Endpoint> {
    let (listener_name, address) = text.split_once("://")?;
    let (host, port) = address.rsplit_once(':')?;
    let host = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host);
    let listener_name = listener_name.to_uppercase();
    let security_protocol = match protocols {
        Some(protocols) => protocols.optional_text(&listener_name)?,
        // Versions below 4 name the listener after its protocol.
        None => listener_name.as_str(),
    };
    Some(Endpoint {
        security_protocol: security_protocol.to_owned(),
        host: host.to_owned(),
        port: port.parse().ok()?,
        listener_name,
    })
}

/// Contents of `/controller`, version 2.
pub fn encode_controller(id: BrokerId, timestamp_ms: i64) -> Bytes {
    bytes(json!({"version": 2, "brokerid": id, "timestamp": timestamp_ms.to_string(), "kraftControllerEpoch": -1}))
}

/// The controller's id in `/controller`.
pub fn decode_controller(data: &[u8]) -> Result<BrokerId, ZnodeError> {
    Object::parse(CONTROLLER, data)?.int("brokerid")
}

/// Contents of `/controller_epoch`: decimal digits.
pub fn encode_controller_epoch(epoch: ControllerEpoch) -> Bytes {
    Bytes::from(epoch.to_string())
}

/// The number in `/controller_epoch`.
pub fn decode_controller_epoch(data: &[u8]) -> Result<ControllerEpoch, ZnodeError> {
    let number = std::str::from_utf8(data).ok().and_then(|text| text.trim().parse().ok());
    let error = || ZnodeError {
        path: CONTROLLER_EPOCH.to_owned(),
        reason: format!("not a number: {}", excerpt(data)),
    };
    number.map(ControllerEpoch).ok_or_else(error)
}

/// Contents of `/brokers/topics/T`, version 3. A topic without id keeps none.
pub fn encode_topic<'a>(
    topic_id: TopicId,
    assignments: impl Iterator<Item = (i32, &'a ReplicaAssignment)> + Clone,
) -> Bytes {
    let mut text = String::from("{\"version\":3,\"partitions\":");
    write_assignments(
        &mut text,
        assignments
            .clone()
            .map(|(number, assignment)| (number, &assignment.replicas)),
    );
    let changing = assignments.filter(|(_, assignment)| assignment.is_being_reassigned());
    let adding = changing
        .clone()
        .map(|(number, assignment)| (number, &assignment.adding_replicas));
    text.push_str(",\"adding_replicas\":");
    write_assignments(&mut text, adding.filter(|(_, replicas)| !replicas.is_empty()));
    let removing = changing.map(|(number, assignment)| (number, &assignment.removing_replicas));
    text.push_str(",\"removing_replicas\":");
    write_assignments(&mut text, removing.filter(|(_, replicas)| !replicas.is_empty()));
    if !topic_id.is_zero() {
        write!(text, ",\"topic_id\":\"{topic_id}\"").expect("a string takes what is written");
    }
    text.push('}');
    Bytes::from(text)
}

fn write_assignments<'a>(text: &mut String, assignments: impl Iterator<Item = (i32, &'a Vec<BrokerId>)>) {
    text.push('{');
    for (index, (number, replicas)) in assignments.enumerate() {
        let comma = if index == 0 { "" } else { "," };
        write!(text, "{comma}\"{number}\":").expect("a string takes what is written");
        write_ids(text, replicas);
    }
    text.push('}');
}

fn write_ids(text: &mut String, ids: &[BrokerId]) {
    text.push('[');
    for (index, id) in ids.iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        write!(text, "{comma}{id}").expect("a string takes what is written");
    }
    text.push(']');
}

/// Id and assignments of a topic, from any version of its znode.
pub fn decode_topic(name: &str, data: &[u8]) -> Result<(TopicId, BTreeMap<i32, ReplicaAssignment>), ZnodeError> {
    let path = topic(name);
    let object = Object::parse(&path, data)?;
    let topic_id = match object.optional_text("topic_id") {
        Some(text) => text
            .parse()
            .map_err(|_| object.error("topic_id is not a base64 UUID"))?,
        None => TopicId::ZERO,
    };
    let mut assignments: BTreeMap<i32, ReplicaAssignment> = BTreeMap::new();
    for (number, replicas) in object.assignments("partitions")? {
        assignments.insert(number, ReplicaAssignment::settled(replicas));
    }
    for (number, replicas) in object.assignments("adding_replicas")? {
        assignments.entry(number).or_default().adding_replicas = replicas;
    }
    for (number, replicas) in object.assignments("removing_replicas")? {
        assignments.entry(number).or_default().removing_replicas = replicas;
    }
    Ok((topic_id, assignments))
}

/// Contents of `…/partitions/P/state`, version 1.
pub fn encode_partition_state(state: &LeaderAndIsr) -> Bytes {
    let LeaderAndIsr {
        leader,
        leader_epoch,
        isr,
        leader_recovery_state,
        controller_epoch,
        ..
    } = state;
    let mut text = format!(
        "{{\"controller_epoch\":{controller_epoch},\"leader\":{leader},\"version\":1,\"leader_epoch\":{leader_epoch},\"isr\":"
    );
    write_ids(&mut text, isr);
    if *leader_recovery_state == LeaderRecoveryState::Recovering {
        text.push_str(",\"leader_recovery_state\":1");
    }
    text.push('}');
    Bytes::from(text)
}

/// A partition's state from its znode and the znode's version.
pub fn decode_partition_state(
    topic: &str,
    partition: i32,
    data: &[u8],
    version: i32,
) -> Result<LeaderAndIsr, ZnodeError> {
    let path = partition_state(topic, partition);
    let object = Object::parse(&path, data)?;
    let recovery = match object.map.get("leader_recovery_state") {
        None => LeaderRecoveryState::Recovered,
        Some(_) => match object.int("leader_recovery_state")? {
            0 => LeaderRecoveryState::Recovered,
            1 => LeaderRecoveryState::Recovering,
            other => return Err(object.error(&format!("leader_recovery_state is {other}"))),
        },
    };
    Ok(LeaderAndIsr {
        leader: object.int("leader")?,
        leader_epoch: LeaderEpoch(object.int("leader_epoch")?),
        isr: object.ids("isr", object.array("isr")?)?,
        leader_recovery_state: recovery,
        partition_epoch: PartitionEpoch(version),
        controller_epoch: ControllerEpoch(object.int("controller_epoch")?),
    })
}

/// Contents of `/config/<type>/<name>`, version 1.
pub fn encode_config(configs: &ConfigMap) -> Bytes {
    bytes(json!({"version": 1, "config": configs}))
}

/// The configuration in the znode at `path`; empty where the znode has no data, as Kafka takes it.
pub fn decode_config(path: &str, data: &[u8]) -> Result<ConfigMap, ZnodeError> {
    if data.is_empty() {
        return Ok(ConfigMap::new());
    }
    let object = Object::parse(path, data)?;
    let mut configs = ConfigMap::new();
    for (key, value) in object.object("config")?.map(|config| config.map).into_iter().flatten() {
        let value = value
            .as_str()
            .ok_or_else(|| object.error(&format!("the value of {key} is not a string")))?;
        configs.insert(key.clone(), value.to_owned());
    }
    Ok(configs)
}

/// Contents of `/config/changes/config_change_…`, version 2: which configuration has changed.
pub fn encode_config_change(entity_path: &str) -> Bytes {
    bytes(json!({"version": 2, "entity_path": entity_path}))
}

/// Which configuration a notice of version 1 or 2 says to have changed, as a path such as `topics/T`.
pub fn decode_config_change(name: &str, data: &[u8]) -> Result<String, ZnodeError> {
    let path = format!("{CONFIG_CHANGES}/{name}");
    let object = Object::parse(&path, data)?;
    match object.optional_text("entity_path") {
        Some(path) => Ok(path.to_owned()),
        None => Ok(format!(
            "{}/{}",
            object.text("entity_type")?,
            object.text("entity_name")?
        )),
    }
}

/// Contents of `/log_dir_event_notification/log_dir_event_…`: a log directory of this broker has failed.
pub fn encode_log_dir_event(broker: BrokerId) -> Bytes {
    bytes(json!({"version": 1, "broker": broker, "event": 1}))
}

/// Whose log directory has failed.
pub fn decode_log_dir_event(name: &str, data: &[u8]) -> Result<BrokerId, ZnodeError> {
    Object::parse(&format!("{LOG_DIR_EVENTS}/{name}"), data)?.int("broker")
}

/// Contents of `/latest_producer_id_block`, version 1.
pub fn encode_producer_id_block(broker: BrokerId, block: ProducerIdBlock) -> Bytes {
    let ProducerIdBlock { first, last } = block;
    bytes(json!({"version": 1, "broker": broker, "block_start": first.to_string(), "block_end": last.to_string()}))
}

/// The last block that was given out; `None` where there was none yet.
pub fn decode_producer_id_block(data: &[u8]) -> Result<Option<ProducerIdBlock>, ZnodeError> {
    if data.is_empty() {
        return Ok(None);
    }
    let object = Object::parse(PRODUCER_ID_BLOCK, data)?;
    let number = |key: &str| {
        object
            .text(key)?
            .parse::<i64>()
            .map_err(|_| object.error(&format!("{key} is not a number in a string")))
    };
    Ok(Some(ProducerIdBlock {
        first: number("block_start")?,
        last: number("block_end")?,
    }))
}

/// Contents of `/feature`, version 2, status «enabled».
pub fn encode_features(finalized: &BTreeMap<String, i16>) -> Bytes {
    let features: Map<String, Value> = finalized
        .iter()
        .map(|(name, level)| (name.clone(), json!({"max_version_level": level})))
        .collect();
    bytes(json!({"features": features, "version": 2, "status": 1}))
}

/// The finalized features in `/feature`; none while its status is «disabled».
pub fn decode_features(data: &[u8]) -> Result<BTreeMap<String, i16>, ZnodeError> {
    let object = Object::parse(FEATURE, data)?;
    let version = object.int("version")?;
    if !(1..=2).contains(&version) {
        return Err(object.error(&format!("version {version} is not known")));
    }
    let mut finalized = BTreeMap::new();
    if object.int("status")? == 0 {
        return Ok(finalized);
    }
    for (name, levels) in object
        .object("features")?
        .map(|features| features.map)
        .into_iter()
        .flatten()
    {
        let level = levels
            .get("max_version_level")
            .and_then(Value::as_i64)
            .and_then(|level| i16::try_from(level).ok());
        let level = level.ok_or_else(|| object.error(&format!("feature {name} has no max_version_level")))?;
        finalized.insert(name.clone(), level);
    }
    Ok(finalized)
}

#[cfg(test)]
#[path = "znodes_tests.rs"]
mod tests;
