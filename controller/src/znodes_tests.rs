//! What we write against what a live Kafka 3.9.1 wrote (keys and values; the order of keys means nothing), and what we read
//! from all that older and newer releases may have left.

use super::*;

fn same(ours: &Bytes, kafka: &str) {
    let ours: Value = serde_json::from_slice(ours).expect("JSON");
    let kafka: Value = serde_json::from_str(kafka).expect("JSON");
    assert_eq!(ours, kafka);
}

fn registration() -> BrokerRegistration {
    BrokerRegistration {
        id: 1,
        endpoints: vec![Endpoint {
            listener_name: "PLAINTEXT".into(),
            security_protocol: "PLAINTEXT".into(),
            host: "127.0.0.1".into(),
            port: 39092,
        }],
        rack: Some("az1".into()),
        jmx_port: 39999,
        features: BTreeMap::new(),
        sordini: None,
    }
}

#[test]
fn contents_are_those_of_a_live_kafka() {
    same(
        &encode_broker(&registration(), 1795341038401),
        r#"{"features":{},"listener_security_protocol_map":{"PLAINTEXT":"PLAINTEXT"},"endpoints":["PLAINTEXT://127.0.0.1:39092"],"rack":"az1","jmx_port":39999,"port":39092,"host":"127.0.0.1","version":5,"timestamp":"1795341038401"}"#,
    );
    same(
        &encode_controller(1, 1795341038489),
        r#"{"version":2,"brokerid":1,"timestamp":"1795341038489","kraftControllerEpoch":-1}"#,
    );
    assert_eq!(encode_controller_epoch(ControllerEpoch(2)), "2");
    let assignments = [
        (0, ReplicaAssignment::settled(vec![1])),
        (1, ReplicaAssignment::settled(vec![1])),
    ];
    same(
        &encode_topic(
            "L3TZeETjRd6Fk16_nstkiQ".parse().expect("an id"),
            assignments.iter().map(|(number, assignment)| (*number, assignment)),
        ),
        r#"{"partitions":{"0":[1],"1":[1]},"topic_id":"L3TZeETjRd6Fk16_nstkiQ","adding_replicas":{},"removing_replicas":{},"version":3}"#,
    );
    same(
        &encode_partition_state(&LeaderAndIsr::first(1, vec![1], ControllerEpoch(1))),
        r#"{"controller_epoch":1,"leader":1,"version":1,"leader_epoch":0,"isr":[1]}"#,
    );
    same(
        &encode_cluster_id("hr4YV5i9R0urM2G-sHxESQ"),
        r#"{"version":"1","id":"hr4YV5i9R0urM2G-sHxESQ"}"#,
    );
    let configs = ConfigMap::from([("retention.ms".to_owned(), "3600000".to_owned())]);
    same(
        &encode_config(&configs),
        r#"{"version":1,"config":{"retention.ms":"3600000"}}"#,
    );
    same(
        &encode_config_change("topics/t1"),
        r#"{"version":2,"entity_path":"topics/t1"}"#,
    );
    same(
        &encode_producer_id_block(1, ProducerIdBlock { first: 0, last: 999 }),
        r#"{"version":1,"broker":1,"block_start":"0","block_end":"999"}"#,
    );
    same(
        &encode_features(&BTreeMap::new()),
        r#"{"features":{},"version":2,"status":1}"#,
    );
}

#[test]
fn an_unusual_registration_survives() {
    let mut unusual = registration();
    unusual.endpoints.push(Endpoint {
        listener_name: "INTERNAL".into(),
        security_protocol: "SASL_SSL".into(),
        host: "::1".into(),
        port: 9093,
    });
    unusual.features.insert(
        "group.version".into(),
        FeatureRange {
            min_version: 0,
            max_version: 1,
        },
    );
    unusual.rack = None;
    unusual.sordini = Some("0.1.0".into());
    assert_eq!(decode_broker(1, &encode_broker(&unusual, 5)), Ok(unusual.clone()));
    unusual.endpoints.remove(0);
    let text = String::from_utf8(encode_broker(&unusual, 5).to_vec()).expect("text");
    assert!(
        text.contains(r#""host":null"#) && text.contains(r#""port":-1"#),
        "{text}"
    );
    let old = br#"{"version":2,"host":"h","port":9092,"jmx_port":-1,"timestamp":"1","endpoints":["SSL://h:9093"]}"#;
    assert_eq!(
        decode_broker(7, old).expect("version 2").endpoints[0].security_protocol,
        "SSL"
    );
}

#[test]
fn topics_and_states_of_every_version_are_read() {
    let (id, assignments) =
        decode_topic("t", br#"{"version":1,"partitions":{"0":[2,1],"10":[1]}}"#).expect("version 1");
    assert!(id.is_zero());
    assert_eq!(assignments.keys().copied().collect::<Vec<_>>(), [0, 10]);
    let mut moving = ReplicaAssignment::settled(vec![3, 1, 2]);
    (moving.adding_replicas, moving.removing_replicas) = (vec![3], vec![1]);
    let topic_id = "13Nxwl61RTqlEtBCXSLqlw".parse().expect("an id");
    let written = encode_topic(topic_id, [(0, &moving)].into_iter());
    assert_eq!(
        decode_topic("t", &written),
        Ok((topic_id, BTreeMap::from([(0, moving)])))
    );

    let recovering =
        br#"{"controller_epoch":9,"leader":-1,"version":1,"leader_epoch":4,"isr":[1,2],"leader_recovery_state":1,"new":{}}"#;
    let state = decode_partition_state("t", 0, recovering, 17).expect("a state");
    assert_eq!((state.leader, state.partition_epoch), (-1, PartitionEpoch(17)));
    assert_eq!(
        decode_partition_state("t", 0, &encode_partition_state(&state), 17),
        Ok(state)
    );
    let features = br#"{"features":{"f":{"min_version_level":1,"max_version_level":3}},"version":1,"status":1}"#;
    assert_eq!(decode_features(features), Ok(BTreeMap::from([("f".to_owned(), 3)])));
    assert_eq!(decode_producer_id_block(b""), Ok(None));
    assert_eq!(decode_config("/config/topics/t", b""), Ok(ConfigMap::new()));
}

#[test]
fn garbage_is_refused_with_the_znodes_path() {
    let path_of = |error: Option<ZnodeError>| error.expect("refused").path;
    for garbage in [
        &b""[..],
        b"\xff\xfe",
        b"[]",
        b"{}",
        b"{\"leader\":\"x\"}",
        b"{\"isr\":[99999999999]}",
    ] {
        assert_eq!(
            path_of(decode_partition_state("t", 3, garbage, 0).err()),
            "/brokers/topics/t/partitions/3/state"
        );
        assert_eq!(path_of(decode_broker(1, garbage).err()), "/brokers/ids/1");
        assert_eq!(path_of(decode_controller(garbage).err()), "/controller");
        assert_eq!(path_of(decode_cluster_id(garbage).err()), "/cluster/id");
        assert_eq!(path_of(decode_controller_epoch(garbage).err()), "/controller_epoch");
        assert_eq!(path_of(decode_features(garbage).err()), "/feature");
    }
    for garbage in [
        &b"x"[..],
        br#"{"partitions":{"-1":[1]}}"#,
        br#"{"partitions":{"0":1}}"#,
        br#"{"topic_id":"?"}"#,
    ] {
        assert_eq!(path_of(decode_topic("t", garbage).err()), "/brokers/topics/t");
    }
    assert_eq!(
        path_of(decode_config("/config/topics/t", br#"{"config":{"a":1}}"#).err()),
        "/config/topics/t"
    );
    assert_eq!(
        path_of(decode_producer_id_block(br#"{"block_start":1}"#).err()),
        "/latest_producer_id_block"
    );
}
