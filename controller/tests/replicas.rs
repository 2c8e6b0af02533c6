//! Placement against Kafka's own `AdminUtils`: `vectors/assign_replicas.txt` is what `vectors/AssignReplicas.java` printed when
//! run on the 3.9.1 jars, with the numbers that Kafka drew at random. Beyond that, what must hold for any brokers.

use std::collections::BTreeSet;

use controller::Rejection;
use controller::replicas::{Candidate, Start, assign};
use proptest::prelude::*;

const VECTORS: &str = include_str!("vectors/assign_replicas.txt");

fn candidates(text: &str) -> Vec<Candidate> {
    let candidate = |text: &str| {
        let (id, rack) = text.split_once(':').expect("id:rack");
        Candidate {
            id: id.parse().expect("a number"),
            rack: (rack != "-").then(|| rack.to_owned()),
        }
    };
    text.split(',').map(candidate).collect()
}

#[test]
fn replicas_go_where_kafka_puts_them() {
    for (line, text) in VECTORS.lines().enumerate() {
        let fields: Vec<&str> = text.split(' ').collect();
        let number = |index: usize| fields[index].parse::<i32>().expect("a number");
        let start = Start {
            index: number(3) as u32,
            shift: number(4) as u32,
        };
        let assigned = assign(&candidates(fields[0]), number(1), number(2), start, number(5)).expect("as Kafka did");
        let ids = |text: &str| {
            text.split(',')
                .map(|id| id.parse().expect("a number"))
                .collect::<Vec<i32>>()
        };
        let expected: Vec<Vec<i32>> = fields[6].split(';').map(ids).collect();
        assert_eq!(assigned, expected, "line {}: {text}", line + 1);
    }
}

#[test]
fn what_cannot_be_placed_is_refused() {
    let start = Start { index: 0, shift: 0 };
    let two = candidates("1:-,2:-");
    assert_eq!(
        assign(&two, 0, 1, start, 0),
        Err(Rejection::InvalidPartitionCount { count: 0 })
    );
    for factor in [0, -1, 3] {
        assert_eq!(
            assign(&two, 1, factor, start, 0),
            Err(Rejection::InvalidReplicationFactor { factor, brokers: 2 })
        );
    }
    let half = candidates("1:a,2:-");
    assert_eq!(
        assign(&half, 1, 1, start, 0),
        Err(Rejection::IncompleteRacks { without: vec![2] })
    );
    assert_eq!(
        assign(&[], 1, 1, start, 0),
        Err(Rejection::InvalidReplicationFactor { factor: 1, brokers: 0 })
    );
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn racks_and_brokers_are_not_used_twice_without_need(
        racks in prop::collection::vec(0u8..5, 1..12),
        know_racks: bool,
        count in 1i32..40,
        factor in 1i32..12,
        index: u32,
        shift: u32,
        first in -1i32..50,
    ) {
        let brokers: Vec<Candidate> = racks.iter().enumerate().map(|(id, rack)| {
            Candidate { id: id as i32, rack: know_racks.then(|| rack.to_string()) }
        }).collect();
        let factor = factor.min(brokers.len() as i32);
        let assigned = assign(&brokers, count, factor, Start { index, shift }, first).expect("possible");
        prop_assert_eq!(assigned.len(), count as usize);
        let all_racks = racks.iter().collect::<BTreeSet<_>>().len();
        for replicas in &assigned {
            prop_assert_eq!(replicas.iter().collect::<BTreeSet<_>>().len(), factor as usize);
            if know_racks {
                let used = replicas.iter().map(|&id| racks[id as usize]).collect::<BTreeSet<_>>().len();
                prop_assert_eq!(used, all_racks.min(factor as usize));
            }
        }
        let led = |id: i32| assigned.iter().filter(|replicas| replicas[0] == id).count();
        let most = (0..brokers.len() as i32).map(led).max().unwrap_or(0);
        let least = (0..brokers.len() as i32).map(led).min().unwrap_or(0);
        prop_assert!(most - least <= 1, "leaders are spread evenly");
    }
}
