//! What DescribeConfigs, AlterConfigs and IncrementalAlterConfigs share: kinds of resources, operations on keys, a broker's keys, the
//! logger. Kafka's `ConfigAdminManager` and `RuntimeLoggerManager`.
//!
//! No key of the broker changes while it runs yet. Each is refused as Kafka refuses those that only a restart changes.
//!
//! Where Kafka 3.9 stumbles, the answer is what it says in its neighbouring cases: an operation that does not exist, and a list
//! operation on a key that does not exist (there `UNKNOWN_SERVER_ERROR`), a resource that stands twice in AlterConfigs (no answer).

use config::{ValueType, keys};
use controller::ConfigMap;
use log::LevelFilter;
use protocol::ErrorCode;

use crate::api_error::ApiError;

/// The only logger: that of the whole process, as log4j calls it.
pub const ROOT_LOGGER: &str = "root";

/// A kind of resource that has a configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ResourceType {
    /// A topic.
    Topic,
    /// A broker, or with an empty name all of them.
    Broker,
    /// A broker's loggers (KIP-412).
    BrokerLogger,
    /// A subscription to metrics of clients (KIP-714); a broker without Raft has none.
    ClientMetrics,
}

impl ResourceType {
    /// By its number on the wire.
    pub fn from_wire(number: i8) -> Option<Self> {
        Some(match number {
            2 => Self::Topic,
            4 => Self::Broker,
            8 => Self::BrokerLogger,
            16 => Self::ClientMetrics,
            _ => return None,
        })
    }
}

/// What IncrementalAlterConfigs does with a key (KIP-339).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Give it a value.
    Set,
    /// Go back to the default.
    Delete,
    /// Add elements to a list.
    Append,
    /// Remove elements from a list.
    Subtract,
}

impl Operation {
    /// By its number on the wire.
    ///
    /// # Errors
    /// `INVALID_REQUEST`
    pub fn from_wire(number: i8) -> Result<Self, ApiError> {
        Ok(match number {
            0 => Self::Set,
            1 => Self::Delete,
            2 => Self::Append,
            3 => Self::Subtract,
            _ => return Err(ApiError::invalid_request(format!("Unknown operation type {number}"))),
        })
    }
}

/// One key of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConfigOp<'a> {
    /// The key.
    pub name: &'a str,
    /// The operation's number on the wire.
    pub operation: i8,
    /// The value; [`Operation::Delete`] needs none.
    pub value: Option<&'a str>,
}

/// Reads the name of a broker resource, which must be this broker's id.
///
/// # Errors
/// `INVALID_REQUEST`
pub fn check_broker_id(name: &str, own: i32) -> Result<(), ApiError> {
    match name.parse::<i32>() {
        Ok(id) if id == own => Ok(()),
        Ok(id) => Err(ApiError::invalid_request(format!(
            "Unexpected broker id, expected {own}, but received {id}"
        ))),
        Err(_) => Err(ApiError::invalid_request(format!(
            "Broker id must be an integer, but it is: {name}"
        ))),
    }
}

/// Changes keys of a broker, none of which can be: what remains is a request without keys, or one that removes what is not set.
///
/// # Errors
/// `INVALID_REQUEST`, `INVALID_CONFIG`
pub fn check_broker_change(resource_name: &str, own_id: i32, ops: &[ConfigOp]) -> Result<(), ApiError> {
    if !resource_name.is_empty() {
        check_broker_id(resource_name, own_id)?;
    }
    let mut changed = ConfigMap::new();
    apply_ops(&mut changed, ops, |name| {
        keys::find_broker(name).map(|definition| (definition.value_type, definition.default))
    })?;
    if changed.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = changed.keys().map(String::as_str).collect();
    Err(ApiError::invalid_request(format!(
        "Cannot update these configs dynamically: {}. Set them where the broker's configuration stands and restart it.",
        names.join(", ")
    )))
}

/// Applies the changes of a request to what is set for a topic.
///
/// # Errors
/// `INVALID_REQUEST`, `INVALID_CONFIG`
pub fn apply_topic_ops(configs: &mut ConfigMap, ops: &[ConfigOp]) -> Result<(), ApiError> {
    apply_ops(configs, ops, |name| {
        keys::find_topic(name).map(|definition| (definition.value_type, definition.default))
    })
}

/// `find` gives the type and the default of a key.
fn apply_ops(
    configs: &mut ConfigMap,
    ops: &[ConfigOp],
    find: impl Fn(&str) -> Option<(ValueType, Option<&'static str>)>,
) -> Result<(), ApiError> {
    for op in ops {
        let (name, value) = (op.name.to_owned(), op.value.unwrap_or_default());
        match Operation::from_wire(op.operation)? {
            Operation::Set => drop(configs.insert(name, value.to_owned())),
            Operation::Delete => drop(configs.remove(&name)),
            Operation::Append => {
                let old = old_list(configs, op.name, "append", &find)?;
                let new = append(&old, value);
                configs.insert(name, new);
            }
            Operation::Subtract => {
                let old = old_list(configs, op.name, "subtract", &find)?;
                let new = subtract(&old, value);
                configs.insert(name, new);
            }
        }
    }
    Ok(())
}

/// What a list holds now, or by the key's own default: not by the broker's setting, as in Kafka.
fn old_list(
    configs: &ConfigMap,
    name: &str,
    operation: &str,
    find: impl Fn(&str) -> Option<(ValueType, Option<&'static str>)>,
) -> Result<String, ApiError> {
    match find(name) {
        None => Err(ApiError::new(
            ErrorCode::INVALID_CONFIG,
            format!("Unknown config name: {name}"),
        )),
        Some((ValueType::List, default)) => Ok(configs
            .get(name)
            .map_or(default, |value| Some(value))
            .unwrap_or_default()
            .to_owned()),
        Some(_) => Err(ApiError::new(
            ErrorCode::INVALID_CONFIG,
            format!("Config value {operation} is not allowed for config key: {name}"),
        )),
    }
}

/// As Java's `split` parts it: empty ones count but at the end, and of nothing there is an empty one.
fn elements(list: &str) -> Vec<&str> {
    if list.is_empty() {
        return vec![list];
    }
    let parted = list.trim_end_matches(',');
    if parted.is_empty() {
        Vec::new()
    } else {
        parted.split(',').collect()
    }
}

fn append(list: &str, added: &str) -> String {
    let mut all = if list.is_empty() { Vec::new() } else { elements(list) };
    let new: Vec<&str> = elements(added)
        .into_iter()
        .filter(|element| !all.contains(element))
        .collect();
    all.extend(new);
    all.join(",")
}

/// Each element of `removed` takes one of `list` away.
fn subtract(list: &str, removed: &str) -> String {
    let mut rest = elements(list);
    for element in elements(removed) {
        if let Some(at) = rest.iter().position(|have| *have == element) {
            rest.remove(at);
        }
    }
    rest.join(",")
}

/// Levels of log4j, by the names that Kafka takes, sorted. Nothing is logged as fatal here: that level silences the logger.
const LEVELS: &[(&str, LevelFilter)] = &[
    ("DEBUG", LevelFilter::Debug),
    ("ERROR", LevelFilter::Error),
    ("FATAL", LevelFilter::Off),
    ("INFO", LevelFilter::Info),
    ("TRACE", LevelFilter::Trace),
    ("WARN", LevelFilter::Warn),
];

/// The logger's level as log4j would name it.
pub fn level_name(level: LevelFilter) -> &'static str {
    LEVELS
        .iter()
        .find(|(_, known)| *known == level)
        .map_or("INFO", |(name, _)| name)
}

/// The level that changes of loggers lead to; `None` where there is none to be made.
///
/// # Errors
/// `INVALID_REQUEST`, `INVALID_CONFIG`
pub fn logger_change(resource_name: &str, own_id: i32, ops: &[ConfigOp]) -> Result<Option<LevelFilter>, ApiError> {
    check_broker_id(resource_name, own_id)?;
    let mut level = None;
    for op in ops {
        let operation = Operation::from_wire(op.operation)?;
        if let Operation::Append | Operation::Subtract = operation {
            return Err(ApiError::invalid_request(
                "A logger's level can be set; nothing can be appended to it or subtracted from it.",
            ));
        }
        if op.name != ROOT_LOGGER {
            let message = format!(
                "Logger {} does not exist! There is one logger here, {ROOT_LOGGER}.",
                op.name
            );
            return Err(ApiError::new(ErrorCode::INVALID_CONFIG, message));
        }
        if operation == Operation::Delete {
            return Err(ApiError::invalid_request(format!(
                "Removing the log level of the {ROOT_LOGGER} logger is not allowed"
            )));
        }
        let value = op.value.unwrap_or_default();
        let Some((_, wanted)) = LEVELS.iter().find(|(name, _)| *name == value) else {
            let names: Vec<&str> = LEVELS.iter().map(|(name, _)| *name).collect();
            let message = format!(
                "Cannot set the log level of {ROOT_LOGGER} to {value} as it is not a supported log level. Valid log levels are {}",
                names.join(", ")
            );
            return Err(ApiError::new(ErrorCode::INVALID_CONFIG, message));
        };
        level = Some(*wanted);
    }
    Ok(level)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SET: i8 = 0;
    const DELETE: i8 = 1;
    const APPEND: i8 = 2;
    const SUBTRACT: i8 = 3;

    fn op<'a>(name: &'a str, operation: i8, value: &'a str) -> ConfigOp<'a> {
        ConfigOp {
            name,
            operation,
            value: Some(value),
        }
    }

    fn changed(configs: &[(&str, &str)], ops: &[ConfigOp]) -> Result<Vec<(String, String)>, ErrorCode> {
        let mut configs = configs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        apply_topic_ops(&mut configs, ops).map_err(|e| e.code)?;
        Ok(configs.into_iter().collect())
    }

    fn pair(key: &str, value: &str) -> Vec<(String, String)> {
        vec![(key.to_owned(), value.to_owned())]
    }

    #[test]
    fn lists_grow_and_shrink() {
        let policy = |configs, operation, value| changed(configs, &[op("cleanup.policy", operation, value)]);
        // Without a value of its own a list begins with the default, delete.
        assert_eq!(
            policy(&[], APPEND, "compact"),
            Ok(pair("cleanup.policy", "delete,compact"))
        );
        assert_eq!(policy(&[], APPEND, "delete"), Ok(pair("cleanup.policy", "delete")));
        let both = [("cleanup.policy", "compact,delete")];
        assert_eq!(policy(&both, SUBTRACT, "delete"), Ok(pair("cleanup.policy", "compact")));
        assert_eq!(
            policy(&both, SUBTRACT, "delete,compact"),
            Ok(pair("cleanup.policy", ""))
        );
        assert_eq!(
            policy(&both, SUBTRACT, "other"),
            Ok(pair("cleanup.policy", "compact,delete"))
        );
        // What the list then holds is refused where it is checked.
        assert_eq!(policy(&[], APPEND, ""), Ok(pair("cleanup.policy", "delete,")));
        assert_eq!(policy(&[], APPEND, ",,"), Ok(pair("cleanup.policy", "delete")));
        assert_eq!(
            policy(&[], APPEND, ",compact,"),
            Ok(pair("cleanup.policy", "delete,,compact"))
        );
        let replicas = [("leader.replication.throttled.replicas", "")];
        assert_eq!(
            changed(&replicas, &[op("leader.replication.throttled.replicas", APPEND, "0:1")]),
            Ok(pair("leader.replication.throttled.replicas", "0:1"))
        );
    }

    #[test]
    fn only_lists_are_appended_to() {
        assert_eq!(
            changed(&[], &[op("segment.ms", APPEND, "1")]),
            Err(ErrorCode::INVALID_CONFIG)
        );
        assert_eq!(
            changed(&[], &[op("no.such.key", SUBTRACT, "1")]),
            Err(ErrorCode::INVALID_CONFIG)
        );
        assert_eq!(
            changed(&[], &[op("segment.ms", 4, "1")]),
            Err(ErrorCode::INVALID_REQUEST)
        );
    }

    #[test]
    fn keys_are_set_and_removed() {
        let before = [("segment.ms", "5"), ("retention.ms", "6")];
        let ops = [
            op("segment.ms", SET, "7"),
            ConfigOp {
                name: "retention.ms",
                operation: DELETE,
                value: None,
            },
        ];
        assert_eq!(changed(&before, &ops), Ok(pair("segment.ms", "7")));
    }

    #[test]
    fn keys_of_a_broker_are_read_only() {
        let change = |name: &str, ops: &[ConfigOp]| check_broker_change(name, 1, ops).map_err(|e| e.code);
        let invalid = Err(ErrorCode::INVALID_REQUEST);
        assert_eq!(change("1", &[]), Ok(()));
        assert_eq!(change("", &[op("num.io.threads", DELETE, "")]), Ok(()));
        assert_eq!(change("1", &[op("num.io.threads", SET, "9")]), invalid);
        assert_eq!(change("", &[op("unheard.of", SET, "9")]), invalid);
        assert_eq!(
            change("1", &[op("num.io.threads", APPEND, "9")]),
            Err(ErrorCode::INVALID_CONFIG)
        );
        assert_eq!(change("2", &[]), invalid);
        assert_eq!(change("x", &[]), invalid);
    }

    #[test]
    fn the_logger_takes_the_levels_of_log4j() {
        let change = |ops: &[ConfigOp]| logger_change("1", 1, ops).map_err(|e| e.code);
        assert_eq!(change(&[op("root", SET, "DEBUG")]), Ok(Some(LevelFilter::Debug)));
        assert_eq!(change(&[op("root", SET, "FATAL")]), Ok(Some(LevelFilter::Off)));
        assert_eq!(change(&[op("root", SET, "debug")]), Err(ErrorCode::INVALID_CONFIG));
        assert_eq!(change(&[op("kafka.log", SET, "DEBUG")]), Err(ErrorCode::INVALID_CONFIG));
        assert_eq!(change(&[op("root", DELETE, "")]), Err(ErrorCode::INVALID_REQUEST));
        assert_eq!(change(&[op("root", APPEND, "INFO")]), Err(ErrorCode::INVALID_REQUEST));
        assert_eq!(
            logger_change("2", 1, &[]).map_err(|e| e.code),
            Err(ErrorCode::INVALID_REQUEST)
        );
        assert_eq!(level_name(LevelFilter::Warn), "WARN");
    }
}
