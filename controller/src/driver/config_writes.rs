//! Any broker of a cluster changes a topic's configuration, as in Kafka; here only if it still is what the change was made of. So what
//! holds is read anew each time, whatever the broker that writes has heard of before.

use super::config_notices::TopicConfigs;
use crate::effects::ConfigMap;
use crate::rejection::Rejection;
use crate::requests::{TopicConfigChange, TopicPolicy};
use crate::store::{CreateMode, Op, OpResult, Store, StoreError};
use crate::znodes;

/// Writes a topic's configuration and the notice of it; gives what holds now, or `None` with `validate_only`.
pub(super) async fn write(
    store: &dyn Store,
    policy: &dyn TopicPolicy,
    change: TopicConfigChange,
    validate_only: bool,
) -> Result<Result<Option<TopicConfigs>, Rejection>, StoreError> {
    let TopicConfigChange {
        topic,
        configs,
        expected,
    } = change;
    if store.exists(&znodes::topic(&topic)).await?.is_none() {
        return Ok(Err(Rejection::UnknownTopic { topic }));
    }
    let path = znodes::topic_config(&topic);
    let current = store.get_many(vec![path.clone()]).await?.pop().flatten();
    let version = current.as_ref().map(|(_, stat)| stat.version);
    let set = current.map_or_else(|| Ok(ConfigMap::new()), |(data, _)| znodes::decode_config(&path, &data));
    // What cannot be understood is replaced.
    if let (Ok(set), Some(expected)) = (&set, &expected)
        && set != expected
    {
        return Ok(Err(Rejection::ConfigsChanged { topic }));
    }
    if let Err(message) = policy.validate_configs(&topic, &configs) {
        return Ok(Err(Rejection::InvalidConfig { message }));
    }
    if validate_only {
        return Ok(Ok(None));
    }
    let results = match store.multi(ops(&topic, path, &configs, version)).await {
        Ok(results) => results,
        Err(error) if is_overtaken(&error) => return Ok(Err(Rejection::ConfigsChanged { topic })),
        Err(error) => return Err(error),
    };
    log::info!("topic {topic} has the configuration {configs:?}");
    let version = match results.first() {
        Some(OpResult::Set(stat)) => stat.version,
        _ => 0,
    };
    Ok(Ok(Some(TopicConfigs {
        topic,
        configs,
        version: Some(version),
    })))
}

fn ops(topic: &str, path: String, configs: &ConfigMap, version: Option<i32>) -> Vec<Op> {
    let data = znodes::encode_config(configs);
    vec![
        match version {
            Some(version) => Op::set(path, data, version),
            None => Op::create(path, data),
        },
        Op::Create {
            path: znodes::CONFIG_CHANGE.to_owned(),
            data: znodes::encode_config_change(&format!("topics/{topic}")),
            mode: CreateMode::PersistentSequential,
        },
    ]
}

/// Whether another broker was faster.
fn is_overtaken(error: &StoreError) -> bool {
    matches!(
        error.cause(),
        StoreError::BadVersion { .. } | StoreError::NodeExists { .. } | StoreError::NoNode { .. }
    )
}

#[cfg(test)]
#[path = "config_writes_tests.rs"]
mod tests;
