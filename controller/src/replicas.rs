//! Placement: which brokers hold a new partition's replicas (Kafka's `AdminUtils.assignReplicasToBrokers`).
//!
//! First replicas go round the brokers from a starting point; the others follow at a distance that grows by one each time
//! the round is complete. When brokers know their racks, the round alternates between racks, and a partition takes a
//! second replica in a rack (or on a broker) only when every rack (broker) has one. The numbers that Kafka draws at random
//! are arguments here.

use std::collections::{BTreeMap, BTreeSet};

use crate::ids::BrokerId;
use crate::rejection::Rejection;

/// A broker that may hold replicas, and its rack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Its id.
    pub id: BrokerId,
    /// Its rack, if it knows one.
    pub rack: Option<String>,
}

/// Where the round begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Start {
    /// Place in the list of brokers of the first replica of partition 0, taken modulo the number of brokers.
    pub index: u32,
    /// How far behind the first replica the second one is at the beginning, taken modulo the number of brokers.
    pub shift: u32,
}

/// Replicas of `count` partitions, the first of which is number `first_partition`.
///
/// Refuses counts below 1, factors below 1 or above the number of brokers, and racks that only some brokers know.
pub fn assign(
    brokers: &[Candidate],
    count: i32,
    replication_factor: i32,
    start: Start,
    first_partition: i32,
) -> Result<Vec<Vec<BrokerId>>, Rejection> {
    if count <= 0 {
        return Err(Rejection::InvalidPartitionCount { count });
    }
    let factor = usize::try_from(replication_factor).unwrap_or(0);
    if factor == 0 || factor > brokers.len() {
        return Err(Rejection::InvalidReplicationFactor {
            factor: replication_factor,
            brokers: brokers.len(),
        });
    }
    let without: Vec<BrokerId> = brokers
        .iter()
        .filter(|broker| broker.rack.is_none())
        .map(|broker| broker.id)
        .collect();
    if without.len() == brokers.len() {
        let ids: Vec<BrokerId> = brokers.iter().map(|broker| broker.id).collect();
        return Ok(round(&ids, count, start, first_partition, |first, shift| {
            rack_unaware(&ids, factor, first, shift)
        }));
    }
    if !without.is_empty() {
        return Err(Rejection::IncompleteRacks { without });
    }
    let racks: BTreeMap<BrokerId, &str> = brokers
        .iter()
        .map(|broker| (broker.id, broker.rack.as_deref().unwrap_or_default()))
        .collect();
    let ids = alternate_racks(&racks);
    Ok(round(&ids, count, start, first_partition, |first, shift| {
        rack_aware(&ids, &racks, factor, first, shift)
    }))
}

/// Walks the brokers once per partition; `place` picks one partition's replicas from its first index and the shift.
fn round(
    ids: &[BrokerId],
    count: i32,
    start: Start,
    first_partition: i32,
    place: impl Fn(usize, usize) -> Vec<BrokerId>,
) -> Vec<Vec<BrokerId>> {
    let brokers = ids.len();
    let start_index = start.index as usize % brokers;
    let mut shift = start.shift as usize % brokers;
    let first_partition = first_partition.max(0) as usize;
    let mut assignments = Vec::with_capacity(count as usize);
    for partition in first_partition..first_partition + count as usize {
        if partition > 0 && partition % brokers == 0 {
            shift += 1;
        }
        assignments.push(place((partition + start_index) % brokers, shift));
    }
    assignments
}

fn rack_unaware(ids: &[BrokerId], factor: usize, first: usize, shift: usize) -> Vec<BrokerId> {
    let others = (0..factor - 1).map(|index| ids[behind(first, shift, index, ids.len())]);
    std::iter::once(ids[first]).chain(others).collect()
}

fn rack_aware(
    ids: &[BrokerId],
    racks: &BTreeMap<BrokerId, &str>,
    factor: usize,
    first: usize,
    shift: usize,
) -> Vec<BrokerId> {
    let all_racks = racks.values().collect::<BTreeSet<_>>().len();
    let mut replicas = vec![ids[first]];
    let mut used_racks = BTreeSet::from([racks[&ids[first]]]);
    let mut step = 0;
    while replicas.len() < factor {
        let candidate = ids[behind(first, shift * all_racks, step, ids.len())];
        let rack = racks[&candidate];
        let rack_is_free = !used_racks.contains(rack) || used_racks.len() == all_racks;
        let broker_is_free = !replicas.contains(&candidate) || replicas.len() == ids.len();
        if rack_is_free && broker_is_free {
            replicas.push(candidate);
            used_racks.insert(rack);
        }
        step += 1;
    }
    replicas
}

/// Index of a further replica: never `first` itself.
fn behind(first: usize, shift: usize, index: usize, brokers: usize) -> usize {
    (first + 1 + (shift + index) % (brokers - 1)) % brokers
}

/// Brokers one rack after the other: the first of each rack, the second of each, and so on.
fn alternate_racks(racks: &BTreeMap<BrokerId, &str>) -> Vec<BrokerId> {
    let mut by_rack: BTreeMap<&str, Vec<BrokerId>> = BTreeMap::new();
    for (&id, &rack) in racks {
        by_rack.entry(rack).or_default().push(id);
    }
    let longest = by_rack.values().map(Vec::len).max().unwrap_or(0);
    (0..longest)
        .flat_map(|place| by_rack.values().filter_map(move |ids| ids.get(place).copied()))
        .collect()
}
