use std::collections::BTreeMap;

use controller::ids::BrokerId;
use controller::{BrokerEpoch, ControllerEpoch, LeaderEpoch, LeaderRecoveryState, PartitionEpoch, PartitionState};

use super::*;

const LAG_MS: i64 = 10_000;

/// Brokers and their epochs.
struct Registered(BTreeMap<BrokerId, i64>);

impl Members for Registered {
    fn is_eligible(&self, broker: BrokerId, seen: Option<BrokerEpoch>) -> bool {
        let registered = self.0.get(&broker);
        registered.is_some_and(|registered| seen.is_none_or(|seen| seen.0 == *registered))
    }

    fn last_fetch_ms(&self, _broker: BrokerId) -> i64 {
        0
    }
}

fn everybody() -> Registered {
    Registered([(1, 10), (2, 20), (3, 30)].into())
}

fn state(isr: &[BrokerId], partition_epoch: i32) -> PartitionState {
    PartitionState {
        partition: 0,
        controller_epoch: ControllerEpoch(1),
        leader: 1,
        leader_epoch: LeaderEpoch(4),
        partition_epoch: PartitionEpoch(partition_epoch),
        isr: isr.to_vec(),
        replicas: vec![1, 2, 3],
        adding_replicas: Vec::new(),
        removing_replicas: Vec::new(),
        offline_replicas: Vec::new(),
        leader_recovery_state: LeaderRecoveryState::Recovered,
        is_new: false,
    }
}

/// Broker 1 leads from offset 100 on, where 80 was committed.
fn leader(isr: &[BrokerId]) -> Leader {
    Leader::new(1, &state(isr, 7), 100, 80, 1_000)
}

fn around(members: &dyn Members, log_end_offset: i64, now_ms: i64) -> Surroundings<'_> {
    Surroundings {
        members,
        log_end_offset,
        own_end: log_end_offset,
        now_ms,
        lag_time_max_ms: LAG_MS,
        min_insync_replicas: 2,
    }
}

fn fetch(leader: &mut Leader, replica: BrokerId, fetch_offset: i64, log_end_offset: i64, now_ms: i64) {
    let fetched = Fetched {
        replica,
        fetch_offset,
        log_start_offset: 0,
        broker_epoch: Some(BrokerEpoch(i64::from(replica) * 10)),
        now_ms,
    };
    leader.note_fetch(&fetched, log_end_offset).expect("a replica");
}

fn ids(proposal: Option<&Proposal>) -> Option<Vec<BrokerId>> {
    proposal.map(|proposal| proposal.isr.iter().map(|(id, _)| *id).collect())
}

#[test]
fn the_high_watermark_is_what_all_in_sync_replicas_have() {
    let (everybody, mut leader) = (everybody(), leader(&[1, 2, 3]));
    assert_eq!(leader.advance_high_watermark(&around(&everybody, 110, 1_000)), None);
    fetch(&mut leader, 2, 110, 110, 1_001);
    assert_eq!(
        leader.advance_high_watermark(&around(&everybody, 110, 1_001)),
        None,
        "3 has not fetched"
    );
    fetch(&mut leader, 3, 90, 110, 1_002);
    assert_eq!(leader.advance_high_watermark(&around(&everybody, 110, 1_002)), Some(90));
    fetch(&mut leader, 3, 60, 110, 1_003);
    assert_eq!(
        leader.advance_high_watermark(&around(&everybody, 110, 1_003)),
        None,
        "it never goes back"
    );
    assert_eq!(leader.high_watermark(), 90);
}

#[test]
fn it_stands_still_while_too_few_are_in_sync() {
    let (everybody, mut leader) = (everybody(), leader(&[1]));
    let mut two = around(&everybody, 110, 50_000);
    assert_eq!(leader.advance_high_watermark(&two), None);
    two.min_insync_replicas = 1;
    assert_eq!(leader.advance_high_watermark(&two), Some(110));
    assert!(leader.is_under_min_isr(2) && !leader.is_under_min_isr(1));
}

#[test]
fn it_waits_for_who_is_about_to_join_and_may() {
    let (everybody, mut leader) = (everybody(), leader(&[1, 2]));
    fetch(&mut leader, 2, 110, 110, 1_000);
    // 3 had all that there was a moment ago, and lacks the newest records.
    fetch(&mut leader, 3, 105, 105, 1_000);
    assert_eq!(
        leader.advance_high_watermark(&around(&everybody, 110, 1_001)),
        Some(105)
    );
    let gone = Registered([(1, 10), (2, 20)].into());
    assert_eq!(leader.advance_high_watermark(&around(&gone, 110, 1_001)), Some(110));
}

#[test]
fn a_follower_joins_that_has_all_that_was_committed_in_any_epoch() {
    let (everybody, mut leader) = (everybody(), leader(&[1, 2]));
    fetch(&mut leader, 3, 99, 100, 1_000);
    assert_eq!(
        leader.expand(3, &everybody),
        None,
        "above the high watermark, but the epoch began at 100"
    );
    fetch(&mut leader, 3, 100, 120, 1_001);
    let proposal = leader.expand(3, &everybody).expect("it has").clone();
    assert_eq!(proposal.isr, [(1, None), (2, None), (3, Some(BrokerEpoch(30)))]);
    assert_eq!(
        (proposal.leader_epoch, proposal.partition_epoch),
        (LeaderEpoch(4), PartitionEpoch(7))
    );
    assert_eq!(leader.expand(3, &everybody), None, "one proposal at a time");
    assert_eq!(leader.shrink(&around(&everybody, 120, 90_000)), None, "of any kind");
}

#[test]
fn nobody_joins_who_is_gone_or_another_than_it_was() {
    let mut leader = leader(&[1, 2]);
    fetch(&mut leader, 3, 100, 100, 1_000);
    let gone = Registered([(1, 10), (2, 20)].into());
    assert_eq!(leader.expand(3, &gone), None);
    let bounced = Registered([(1, 10), (2, 20), (3, 31)].into());
    assert_eq!(leader.expand(3, &bounced), None, "it fetched before it came back");
    let silent = Fetched {
        replica: 3,
        fetch_offset: 100,
        log_start_offset: 0,
        broker_epoch: None,
        now_ms: 1_000,
    };
    leader.note_fetch(&silent, 100).expect("a replica");
    assert_eq!(
        ids(leader.expand(3, &bounced)),
        Some(vec![1, 2, 3]),
        "who does not say it cannot be told"
    );
    assert_eq!(
        leader.note_fetch(&Fetched { replica: 9, ..silent }, 100),
        Err(NotAReplica { replica: 9 })
    );
}

#[test]
fn the_proposed_isr_counts_for_the_high_watermark_before_it_is_committed() {
    let (everybody, mut leader) = (everybody(), leader(&[1, 2]));
    fetch(&mut leader, 2, 130, 130, 1_000);
    fetch(&mut leader, 3, 100, 100, 1_000);
    let proposal = leader
        .expand(3, &everybody)
        .expect("it has all that is committed")
        .clone();
    // Long after, so that 3 has not caught up by time.
    fetch(&mut leader, 2, 130, 130, 60_000);
    assert_eq!(
        leader.advance_high_watermark(&around(&everybody, 130, 60_000)),
        Some(100)
    );
    leader.note_answer(&proposal, &Answer::Refused);
    assert_eq!(leader.isr(), [1, 2]);
    assert_eq!(
        leader.advance_high_watermark(&around(&everybody, 130, 60_000)),
        Some(130),
        "it is not about to join"
    );
}

#[test]
fn a_smaller_isr_counts_only_once_it_is_committed() {
    let (everybody, mut leader) = (everybody(), leader(&[1, 2, 3]));
    fetch(&mut leader, 2, 120, 120, 30_000);
    let later = around(&everybody, 120, 30_000);
    let proposal = leader.shrink(&later).expect("3 has not fetched").clone();
    assert_eq!(ids(Some(&proposal)), Some(vec![1, 2]));
    assert_eq!(
        leader.advance_high_watermark(&later),
        None,
        "3 counts as long as it is in the ISR"
    );
    let altered = Answer::Altered {
        leader_epoch: LeaderEpoch(4),
        partition_epoch: PartitionEpoch(8),
        isr: vec![1, 2],
    };
    assert_eq!(leader.note_answer(&proposal, &altered), None);
    assert_eq!(leader.isr(), [1, 2]);
    assert_eq!(leader.advance_high_watermark(&later), Some(120));
}

#[test]
fn the_leader_itself_never_leaves_and_who_keeps_up_stays() {
    let (everybody, mut leader) = (everybody(), leader(&[1, 2, 3]));
    assert_eq!(
        leader.shrink(&around(&everybody, 100, 1_000 + LAG_MS)),
        None,
        "they have time to begin"
    );
    // 2 is always a little behind, but never for long; 3 stands still.
    for second in 1..60 {
        let now_ms = second * 1_000;
        fetch(&mut leader, 2, 100 + second - 1, 100 + second, now_ms);
        fetch(&mut leader, 3, 100, 100 + second, now_ms);
    }
    assert_eq!(ids(leader.shrink(&around(&everybody, 160, 60_000))), Some(vec![1, 2]));
}

#[test]
fn answers_that_are_out_of_date_change_nothing() {
    let (everybody, mut leader) = (everybody(), leader(&[1, 2]));
    fetch(&mut leader, 3, 100, 100, 1_000);
    let proposal = leader.expand(3, &everybody).expect("it has").clone();
    assert_eq!(
        leader.note_answer(&proposal, &Answer::Unanswered),
        Some(&proposal),
        "it is sent again"
    );
    assert_eq!(leader.note_answer(&proposal, &Answer::Outdated), None);
    assert_eq!(
        leader.proposed(),
        Some(&proposal),
        "nothing else is proposed before the controller has spoken"
    );
    let stale = Answer::Altered {
        leader_epoch: LeaderEpoch(4),
        partition_epoch: PartitionEpoch(6),
        isr: vec![1, 2, 3],
    };
    assert_eq!(leader.note_answer(&proposal, &stale), None);
    assert_eq!(leader.isr(), [1, 2]);

    assert!(!leader.note_state(&state(&[1], 6), 2_000), "older than what is known");
    assert!(leader.note_state(&state(&[1, 2], 9), 2_000));
    assert_eq!(leader.proposed(), None);
    let altered = Answer::Altered {
        leader_epoch: LeaderEpoch(4),
        partition_epoch: PartitionEpoch(10),
        isr: vec![1, 2, 3],
    };
    assert_eq!(leader.note_answer(&proposal, &altered), None);
    assert_eq!(leader.isr(), [1, 2], "it answers what was asked before the last state");
    assert_eq!(
        leader.follower(3).map(|follower| follower.log_end_offset),
        Some(100),
        "fetches are not forgotten"
    );
}
