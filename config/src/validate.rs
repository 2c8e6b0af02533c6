//! What must hold between keys (Kafka's `KafkaConfig.validateValues`), and what is worked out from several of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crate::broker::Derived;
use crate::listener::{self, AdvertisedListener, EndPoint, Listener, SecurityProtocol};
use crate::load::Loading;
use crate::metadata_version;
use crate::value::{FromValue, Value};
use crate::zookeeper;

/// Checks everything and works out what the typed configuration holds beside plain keys; `None` where that fails, with the
/// errors recorded.
pub(crate) fn derive(loading: &mut Loading) -> Option<Derived> {
    check_modes(loading);
    check_numbers(loading);
    check_versions(loading);
    let broker_id = broker_id(loading);
    let log_dirs = log_dirs(loading);
    let overrides = connection_overrides(loading);
    let protocols = protocol_map(loading);
    let controller_names = controller_names(loading);
    let listeners = listeners(loading, &protocols, &controller_names);
    let advertised_listeners = advertised_listeners(loading, &protocols, &controller_names, &listeners);
    let inter_broker_listener_name = inter_broker_listener(loading, &protocols, &listeners, &advertised_listeners);
    let metadata_log_dir = match &loading.values["metadata.log.dir"].value {
        Value::String(directory) => PathBuf::from(directory),
        _ => log_dirs.first().cloned().unwrap_or_default(),
    };
    let zookeeper_connection_timeout_ms = loading
        .get::<Option<i32>>("zookeeper.connection.timeout.ms")
        .unwrap_or_else(|| loading.get("zookeeper.session.timeout.ms"));
    Some(Derived {
        broker_id,
        listeners,
        advertised_listeners,
        inter_broker_listener_name,
        log_dirs,
        metadata_log_dir,
        max_connections_per_ip_overrides: overrides,
        zookeeper_connection_timeout_ms,
    })
}

impl Loading {
    fn get<T: FromValue>(&self, key: &str) -> T {
        crate::typed::field(|key| &self.values[key].value, key)
    }

    /// Records an error of the first key unless the rule holds; says nothing where one of the keys could not be read.
    fn require(&mut self, keys: &[&str], holds: impl Fn(&Self) -> bool, reason: &str) {
        if !keys.iter().any(|key| self.faulty.contains(*key)) && !holds(self) {
            self.error(keys[0], reason);
        }
    }
}

/// Behind what asks for TLS or SASL.
const PLAINTEXT_ONLY: &str = ", but this version speaks PLAINTEXT only";

/// What this version is not.
fn check_modes(loading: &mut Loading) {
    let roles: Vec<String> = loading.get("process.roles");
    if !roles.is_empty() && !roles.iter().any(|role| role == "broker") {
        loading.error(
            "process.roles",
            "a controller without a broker does not exist here: the controller is part of every broker",
        );
    }
    check_zookeeper(loading, &roles);
    let authorizer: String = loading.get("authorizer.class.name");
    if !authorizer.is_empty() {
        let reason =
            "this version has no authorisation and would let everybody do everything; leave the key out to accept that";
        loading.error("authorizer.class.name", reason);
    }
}

fn check_zookeeper(loading: &mut Loading, roles: &[String]) {
    // Set to nothing it asks for none.
    let connect: Option<String> = loading.get("zookeeper.connect");
    let Some(connect) = connect.filter(|servers| !servers.is_empty()) else {
        return;
    };
    if let Err(reason) = zookeeper::check_connect(&connect) {
        loading.error("zookeeper.connect", reason);
    }
    if !roles.is_empty() {
        let reason = format!(
            "contradicts process.roles = {}, which asks for a broker without ZooKeeper: leave out one of them",
            roles.join(",")
        );
        loading.error("zookeeper.connect", reason);
    }
    if loading.get("zookeeper.ssl.client.enable") {
        loading.error(
            "zookeeper.ssl.client.enable",
            "this version speaks to ZooKeeper without TLS only",
        );
    }
    if loading.get("zookeeper.set.acl") {
        let reason = "asks for an identity towards ZooKeeper, and this version has none: nobody could read the znodes";
        loading.error("zookeeper.set.acl", reason);
    }
    for key in ["zookeeper.session.timeout.ms", "zookeeper.connection.timeout.ms"] {
        let positive = |loading: &Loading| loading.get::<Option<i32>>(key).is_none_or(|ms| ms > 0);
        loading.require(&[key], positive, "must be greater than 0");
    }
}

fn check_numbers(loading: &mut Loading) {
    loading.require(
        &["log.retention.ms", "log.retention.minutes", "log.retention.hours"],
        |loading| {
            let retention_ms: Option<i64> = loading.get("log.retention.ms");
            let minutes: Option<i32> = loading.get("log.retention.minutes");
            let hours: i32 = loading.get("log.retention.hours");
            retention_ms.or(minutes.map(i64::from)).unwrap_or(i64::from(hours)) != 0
        },
        "log.retention.ms must be unlimited (-1) or, greater than or equal to 1",
    );
    let at_least = |key: &'static str, min: i64| {
        move |loading: &Loading| loading.get::<Option<i64>>(key).is_none_or(|number| number >= min)
    };
    loading.require(
        &["log.roll.ms"],
        at_least("log.roll.ms", 1),
        "log.roll.ms must be greater than or equal to 1",
    );
    loading.require(
        &["log.roll.jitter.ms"],
        at_least("log.roll.jitter.ms", 0),
        "log.roll.jitter.ms must be greater than or equal to 0",
    );
    loading.require(
        &["log.cleaner.dedupe.buffer.size", "log.cleaner.threads"],
        |loading| match loading.get::<i32>("log.cleaner.threads") {
            0 => false,
            threads => loading.get::<i64>("log.cleaner.dedupe.buffer.size") / i64::from(threads) > 1024 * 1024,
        },
        "log.cleaner.dedupe.buffer.size must be at least 1MB per cleaner thread.",
    );
    loading.require(
        &["log.cleaner.min.compaction.lag.ms", "log.cleaner.max.compaction.lag.ms"],
        |loading| {
            let max: i64 = loading.get("log.cleaner.max.compaction.lag.ms");
            loading.get::<i64>("log.cleaner.min.compaction.lag.ms") <= max
        },
        "must not be above log.cleaner.max.compaction.lag.ms",
    );
    check_replication(loading);
    check_connections(loading);
    check_group_bounds(loading);
}

fn check_replication(loading: &mut Loading) {
    loading.require(
        &["replica.fetch.wait.max.ms", "replica.socket.timeout.ms"],
        |loading| loading.get::<i32>("replica.fetch.wait.max.ms") <= loading.get("replica.socket.timeout.ms"),
        "replica.socket.timeout.ms should always be at least replica.fetch.wait.max.ms to prevent unnecessary socket timeouts",
    );
    loading.require(
        &["replica.fetch.wait.max.ms", "replica.lag.time.max.ms"],
        |loading| {
            let lag_ms: i64 = loading.get("replica.lag.time.max.ms");
            i64::from(loading.get::<i32>("replica.fetch.wait.max.ms")) <= lag_ms
        },
        "replica.fetch.wait.max.ms should always be less than or equal to replica.lag.time.max.ms to prevent frequent changes \
         in ISR",
    );
    loading.require(
        &["offsets.commit.required.acks", "offsets.topic.replication.factor"],
        |loading| {
            let replicas: i16 = loading.get("offsets.topic.replication.factor");
            (-1..=replicas).contains(&loading.get("offsets.commit.required.acks"))
        },
        "must be -1 (all), or between 0 and offsets.topic.replication.factor",
    );
    loading.require(
        &["offsets.topic.compression.codec"],
        |loading| (0..=4).contains(&loading.get::<i32>("offsets.topic.compression.codec")),
        "must be 0 (none), 1 (gzip), 2 (snappy), 3 (lz4) or 4 (zstd)",
    );
    loading.require(
        &["group.min.session.timeout.ms", "group.max.session.timeout.ms"],
        |loading| {
            let max: i32 = loading.get("group.max.session.timeout.ms");
            loading.get::<i32>("group.min.session.timeout.ms") <= max
        },
        "must not be above group.max.session.timeout.ms",
    );
    loading.require(
        &["group.coordinator.rebalance.protocols"],
        |loading| {
            let protocols: Vec<String> = loading.get("group.coordinator.rebalance.protocols");
            protocols.iter().any(|protocol| protocol == "classic")
        },
        "Disabling the 'classic' protocol is not supported.",
    );
}

/// What a group may choose lies between a smallest and a largest value.
fn check_group_bounds(loading: &mut Loading) {
    const BOUNDED: &[[&str; 3]] = &[
        [
            "group.consumer.min.heartbeat.interval.ms",
            "group.consumer.heartbeat.interval.ms",
            "group.consumer.max.heartbeat.interval.ms",
        ],
        [
            "group.consumer.min.session.timeout.ms",
            "group.consumer.session.timeout.ms",
            "group.consumer.max.session.timeout.ms",
        ],
        [
            "group.share.min.heartbeat.interval.ms",
            "group.share.heartbeat.interval.ms",
            "group.share.max.heartbeat.interval.ms",
        ],
        [
            "group.share.min.session.timeout.ms",
            "group.share.session.timeout.ms",
            "group.share.max.session.timeout.ms",
        ],
        [
            "group.share.min.record.lock.duration.ms",
            "group.share.record.lock.duration.ms",
            "group.share.max.record.lock.duration.ms",
        ],
    ];
    for [min, chosen, max] in BOUNDED {
        for (larger, smaller) in [(max, min), (chosen, min), (max, chosen)] {
            loading.require(
                &[larger, smaller],
                |loading| loading.get::<i32>(larger) >= loading.get(smaller),
                &format!("{larger} must be greater than or equals to {smaller}"),
            );
        }
    }
}

fn check_connections(loading: &mut Loading) {
    loading.require(
        &["queued.max.request.bytes", "socket.request.max.bytes"],
        |loading| {
            let queued: i64 = loading.get("queued.max.request.bytes");
            queued <= 0 || queued >= i64::from(loading.get::<i32>("socket.request.max.bytes"))
        },
        "queued.max.request.bytes must be larger or equal to socket.request.max.bytes",
    );
    loading.require(
        &["max.connections.per.ip", "max.connections.per.ip.overrides"],
        |loading| {
            let overrides: String = loading.get("max.connections.per.ip.overrides");
            loading.get::<i32>("max.connections.per.ip") != 0 || !overrides.is_empty()
        },
        "max.connections.per.ip can be set to zero only if max.connections.per.ip.overrides property is set.",
    );
    loading.require(
        &["connection.failed.authentication.delay.ms", "connections.max.idle.ms"],
        |loading| {
            let idle_ms: i64 = loading.get("connections.max.idle.ms");
            idle_ms < 0 || i64::from(loading.get::<i32>("connection.failed.authentication.delay.ms")) < idle_ms
        },
        "should always be less than connections.max.idle.ms to prevent failed authentication responses from timing out",
    );
    for key in ["socket.send.buffer.bytes", "socket.receive.buffer.bytes"] {
        loading.require(
            &[key],
            |loading| loading.get::<i32>(key) == -1 || loading.get::<i32>(key) > 0,
            "must be -1 (the operating system decides) or above 0",
        );
    }
}

/// Peers from 2.8 on can be spoken to; from 4.0 on there is no ZooKeeper mode.
fn check_versions(loading: &mut Loading) {
    let version: String = loading.get("inter.broker.protocol.version");
    let place = |text: &str| metadata_version::find(text);
    if place(&version) < place("2.8-IV0") {
        loading.error(
            "inter.broker.protocol.version",
            "versions before 2.8 are not spoken here: raise the cluster's to 2.8 first",
        );
    }
    if place(&version) > place("3.9") {
        loading.error(
            "inter.broker.protocol.version",
            "versions after 3.9 know no brokers outside a Raft quorum",
        );
    }
}

fn broker_id(loading: &mut Loading) -> Option<i32> {
    let id: i32 = loading.get("broker.id");
    loading.require(
        &["node.id", "broker.id"],
        |loading| loading.get::<i32>("node.id") == id,
        "You must set `node.id` to the same value as `broker.id`.",
    );
    // Ids are given away where nobody asks for roles of KRaft.
    let has_roles = !loading.get::<Vec<String>>("process.roles").is_empty();
    let is_set = ["node.id", "broker.id"]
        .iter()
        .any(|key| loading.origins.contains_key(*key));
    if loading.get("broker.id.generation.enable") && !has_roles {
        loading.require(
            &["broker.id", "reserved.broker.max.id"],
            |loading| (-1..=loading.get("reserved.broker.max.id")).contains(&id),
            "broker.id must be greater than or equal to -1 and not greater than reserved.broker.max.id",
        );
    } else if has_roles && !is_set {
        loading.error("process.roles", "needs `node.id`, 0 or above, which is not set");
    } else {
        loading.require(
            &["broker.id"],
            |_| id >= 0,
            "broker.id must be greater than or equal to 0",
        );
    }
    (id >= 0).then_some(id)
}

fn log_dirs(loading: &mut Loading) -> Vec<PathBuf> {
    let (key, text) = match loading.get::<Option<String>>("log.dirs") {
        Some(text) => ("log.dirs", text),
        None => ("log.dir", loading.get("log.dir")),
    };
    let mut directories: Vec<PathBuf> = Vec::new();
    for directory in text.split(',').map(str::trim).filter(|directory| !directory.is_empty()) {
        let directory = PathBuf::from(directory);
        if directories.contains(&directory) {
            loading.error(key, format!("{} is named twice", directory.display()));
        } else {
            directories.push(directory);
        }
    }
    if directories.is_empty() {
        loading.error(
            key,
            "At least one log directory must be defined via log.dirs or log.dir.",
        );
    }
    directories
}

fn connection_overrides(loading: &mut Loading) -> BTreeMap<String, i32> {
    const KEY: &str = "max.connections.per.ip.overrides";
    let text: String = loading.get(KEY);
    let mut overrides = BTreeMap::new();
    for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
        let parsed = pair.rsplit_once(':').and_then(|(host, count)| {
            let host = host.trim().trim_start_matches('[').trim_end_matches(']');
            let valid = |byte: u8| byte.is_ascii_alphanumeric() || b"-%._:".contains(&byte);
            let count = count.trim().parse::<i32>().ok().filter(|count| *count >= 0)?;
            (!host.is_empty() && host.bytes().all(valid)).then(|| (host.to_owned(), count))
        });
        match parsed {
            Some((host, count)) => drop(overrides.insert(host, count)),
            None => loading.error(KEY, format!("{pair} is not of the form host:count")),
        }
    }
    overrides
}

/// Which protocol each listener name stands for; `None` in place of one that could not be read, so that it is not called
/// missing as well.
fn protocol_map(loading: &mut Loading) -> BTreeMap<String, Option<SecurityProtocol>> {
    const KEY: &str = "listener.security.protocol.map";
    let text: String = loading.get(KEY);
    let mut protocols = BTreeMap::new();
    for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
        let Some((name, protocol)) = pair.rsplit_once(':') else {
            loading.error(KEY, format!("{pair} is not of the form name:protocol"));
            continue;
        };
        let found = SecurityProtocol::find(protocol.trim());
        if found.is_none() {
            loading.error(
                KEY,
                format!("Invalid security protocol `{}` defined in {KEY}", protocol.trim()),
            );
        }
        protocols.insert(name.trim().to_uppercase(), found);
    }
    protocols
}

/// The listeners of Kafka's Raft controllers: brought along from there, and not opened here.
fn controller_names(loading: &Loading) -> BTreeSet<String> {
    let names: Option<String> = loading.get("controller.listener.names");
    let names = names.unwrap_or_default();
    names
        .split(',')
        .map(|name| name.trim().to_uppercase())
        .filter(|name| !name.is_empty())
        .collect()
}

fn endpoints(loading: &mut Loading, key: &str, distinct_ports: bool) -> Vec<EndPoint> {
    let text: Option<String> = loading.get(key);
    match listener::parse_list(&text.unwrap_or_default()) {
        Ok(endpoints) => {
            for error in listener::check_distinct(&endpoints, distinct_ports) {
                loading.error(key, error);
            }
            endpoints
        }
        Err(errors) => {
            for error in errors {
                loading.error(key, error);
            }
            loading.faulty.insert(key.to_owned());
            Vec::new()
        }
    }
}

fn listeners(
    loading: &mut Loading,
    protocols: &BTreeMap<String, Option<SecurityProtocol>>,
    controller_names: &BTreeSet<String>,
) -> Vec<Listener> {
    let (mut listeners, mut faulty) = (Vec::new(), false);
    for endpoint in endpoints(loading, "listeners", true) {
        if controller_names.contains(&endpoint.name) {
            continue;
        }
        let security_protocol = match protocols.get(&endpoint.name) {
            Some(Some(protocol)) => *protocol,
            Some(None) => {
                faulty = true;
                continue;
            }
            None => {
                let reason = format!(
                    "No security protocol defined for listener {}: name it in listener.security.protocol.map",
                    endpoint.name
                );
                loading.error("listeners", reason);
                faulty = true;
                continue;
            }
        };
        if security_protocol != SecurityProtocol::Plaintext {
            let name = security_protocol.name();
            loading.error("listeners", format!("{endpoint} asks for {name}{PLAINTEXT_ONLY}"));
            // Whoever follows that gives it another name: what refers to the names of now says nothing.
            faulty = true;
        }
        listeners.push(Listener {
            name: endpoint.name,
            host: endpoint.host,
            port: endpoint.port,
            security_protocol,
        });
    }
    if faulty {
        loading.faulty.insert("listeners".to_owned());
    }
    let said = loading.faulty.contains("listeners") || loading.errors.iter().any(|error| error.key == "listeners");
    if listeners.is_empty() && !said {
        loading.error(
            "listeners",
            "There must be at least one listener for brokers and clients.",
        );
    }
    listeners
}

fn advertised_listeners(
    loading: &mut Loading,
    protocols: &BTreeMap<String, Option<SecurityProtocol>>,
    controller_names: &BTreeSet<String>,
    listeners: &[Listener],
) -> Vec<AdvertisedListener> {
    const KEY: &str = "advertised.listeners";
    if loading.values[KEY].value == Value::Null {
        return Vec::new();
    }
    let mut advertised = endpoints(loading, KEY, false);
    advertised.retain(|endpoint| !controller_names.contains(&endpoint.name));
    for endpoint in &advertised {
        if endpoint.host == "0.0.0.0" || endpoint.host == "::" {
            let reason =
                "advertised.listeners cannot use the nonroutable meta-address 0.0.0.0. Use a routable IP address.";
            loading.error(KEY, reason);
        }
        let unknown = !protocols.contains_key(&endpoint.name);
        let missing =
            !loading.faulty.contains("listeners") && !listeners.iter().any(|listener| listener.name == endpoint.name);
        if missing || unknown {
            let names: Vec<&str> = listeners.iter().map(|listener| listener.name.as_str()).collect();
            loading.error(
                KEY,
                format!(
                    "advertised.listeners listener names must be equal to or a subset of the ones defined in listeners. Found \
                     {}. The valid options based on the current configuration are {}",
                    endpoint.name,
                    names.join(","),
                ),
            );
        }
    }
    if advertised.is_empty() && !loading.faulty.contains(KEY) {
        loading.error(KEY, "There must be at least one broker advertised listener.");
    }
    let convert = |endpoint: EndPoint| AdvertisedListener {
        name: endpoint.name,
        host: endpoint.host,
        port: endpoint.port,
    };
    advertised.into_iter().map(convert).collect()
}

fn inter_broker_listener(
    loading: &mut Loading,
    protocols: &BTreeMap<String, Option<SecurityProtocol>>,
    listeners: &[Listener],
    advertised: &[AdvertisedListener],
) -> String {
    const KEY: &str = "inter.broker.listener.name";
    let configured: Option<String> = loading.get(KEY);
    let (key, name) = match &configured {
        Some(name) => (KEY, name.to_uppercase()),
        None => (
            "security.inter.broker.protocol",
            loading.get("security.inter.broker.protocol"),
        ),
    };
    if configured.is_some() && loading.is_set("security.inter.broker.protocol") {
        loading.error(
            KEY,
            format!("Only one of {KEY} and security.inter.broker.protocol should be set."),
        );
    }
    let asked = SecurityProtocol::find(&name).filter(|asked| *asked != SecurityProtocol::Plaintext);
    if let Some(asked) = asked.filter(|_| configured.is_none()) {
        loading.error(key, format!("asks for {}{PLAINTEXT_ONLY}", asked.name()));
        return name;
    }
    if ["listeners", "advertised.listeners", key]
        .iter()
        .any(|key| loading.faulty.contains(*key))
    {
        return name;
    }
    if !protocols.contains_key(&name) {
        let reason = format!("Listener with name {name} defined in {KEY} not found in listener.security.protocol.map.");
        loading.error(key, reason);
        return name;
    }
    let valid: Vec<&str> = match advertised.is_empty() {
        true => listeners.iter().map(|listener| listener.name.as_str()).collect(),
        false => advertised.iter().map(|listener| listener.name.as_str()).collect(),
    };
    if !valid.is_empty() && !valid.contains(&name.as_str()) {
        let reason = format!(
            "{KEY} must be a listener name defined in advertised.listeners. The valid options based on currently configured \
             listeners are {}",
            valid.join(","),
        );
        loading.error(KEY, reason);
    }
    name
}
