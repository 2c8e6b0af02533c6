//! Real work by real clients; `clients/README.md` says what each scenario does.

use integration_tests::client::Client;
use integration_tests::cluster::broker_for_clients;
use integration_tests::stored::batches;

const CODECS: [&str; 5] = ["none", "gzip", "snappy", "lz4", "zstd"];
const ACKS: [&str; 3] = ["0", "1", "all"];

/// One module per client, one test per scenario; `but` takes away the checks that this client's library cannot make.
macro_rules! client_tests {
    ($($module:ident: $client:expr, [$($scenario:ident),* $(,)?], but $but:expr;)*) => {
        $(mod $module {
            use super::*;
            $(#[test]
            fn $scenario() {
                super::$scenario($client, &$but);
            })*
        })*
    };
}

client_tests! {
    java_3_9: Client::Java("3.9.1"), [codecs, idempotent, edges, group, group_cooperative, group_static, commit_resume, by_time,
        admin, offsets, groups_admin], but [];
    java_4_3: Client::Java("4.3.1"), [codecs, idempotent, edges, group, group_cooperative, group_static, commit_resume, by_time,
        admin, offsets, groups_admin], but [];
    confluent: Client::Confluent, [codecs, idempotent, transactional, edges, group, group_cooperative, group_static, commit_resume, by_time,
        admin, offsets, groups_admin], but [];
    confluent_2_8: Client::OldConfluent, [codecs, group], but [];
    franz_go: Client::FranzGo, [codecs, idempotent, edges, group, group_cooperative, group_static, commit_resume, by_time,
        admin, offsets, groups_admin], but [];
    kafka_python: Client::KafkaPython, [codecs, idempotent, edges, group, group_cooperative, group_static, commit_resume,
        by_time, admin, offsets, groups_admin], but [];
    // Knows neither cooperative rebalances nor static members nor the special timestamp.
    kafkajs: Client::KafkaJs, [codecs, idempotent, edges, group, commit_resume, by_time, admin, offsets, groups_admin],
        but ["offsets/max-timestamp"];
}

/// An older librdkafka drops compression without a word when it dislikes what ApiVersions lists for Produce (KAFKA-18659),
/// so the stored batches are asked as well.
fn codecs(client: Client, _but: &[&str]) {
    let broker = broker_for_clients();
    let combinations = CODECS
        .iter()
        .flat_map(|codec| ACKS.iter().map(move |acks| (*codec, *acks)));
    let names: Vec<String> = combinations
        .clone()
        .map(|(codec, acks)| format!("codec/{codec}/acks={acks}"))
        .collect();
    let checks: Vec<&str> = names.iter().map(String::as_str).collect();
    let prefix = client.expect(&broker, "codecs", &checks);
    for (codec, acks) in combinations {
        for partition in 0..2 {
            let topic = format!("{prefix}-{codec}-{acks}");
            let stored = batches(&broker.log_dir(), &topic, partition);
            assert_eq!(
                stored.iter().map(|batch| batch.record_count).sum::<i32>(),
                30,
                "records in {topic}-{partition}"
            );
            for batch in stored {
                assert_eq!(
                    (batch.magic, batch.codec),
                    (2, codec),
                    "{topic}-{partition} at {}",
                    batch.base_offset
                );
            }
        }
    }
}

fn idempotent(client: Client, _but: &[&str]) {
    let broker = broker_for_clients();
    let prefix = client.expect(&broker, "idempotent", &["idempotent"]);
    for partition in 0..3 {
        let stored = batches(&broker.log_dir(), &format!("{prefix}-idempotent"), partition);
        assert!(!stored.is_empty(), "partition {partition} is empty");
        for batch in stored {
            assert!(
                batch.producer_id >= 0 && batch.base_sequence >= 0,
                "stored without idempotence: {batch:?}"
            );
        }
    }
}

/// Without a transaction coordinator a client must not be left to look for one until its timeout.
fn transactional(client: Client, _but: &[&str]) {
    client.expect(&broker_for_clients(), "transactional", &["transactional"]);
}

/// Defines a scenario that is only its list of checks.
macro_rules! scenario {
    ($function:ident, $name:literal, [$($check:literal),* $(,)?]) => {
        fn $function(client: Client, but: &[&str]) {
            let checks: Vec<&str> = [$(concat!($name, "/", $check)),*].into_iter().filter(|check| !but.contains(check)).collect();
            client.expect(&broker_for_clients(), $name, &checks);
        }
    };
}

scenario!(edges, "edges", ["absent-and-empty", "too-large"]);
scenario!(group, "group", ["alone", "shared", "all-records", "takeover"]);
scenario!(
    group_cooperative,
    "group-cooperative",
    ["alone", "shared", "all-records", "only-what-moves", "takeover"]
);
scenario!(group_static, "group-static", ["returns", "fenced"]);
scenario!(commit_resume, "commit-resume", ["commit", "resume"]);
scenario!(by_time, "by-time", ["between", "before-first", "after-last"]);
scenario!(
    admin,
    "admin",
    ["create", "refused", "configs", "partitions", "delete", "cluster"]
);
scenario!(
    offsets,
    "offsets",
    ["latest", "max-timestamp", "delete-records", "reset-to-earliest"]
);
scenario!(
    groups_admin,
    "groups-admin",
    ["stable", "not-empty", "offsets", "delete"]
);
