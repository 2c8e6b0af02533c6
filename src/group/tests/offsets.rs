//! Commits, fetches, deletion, expiration.

use super::*;

fn tp(topic: &str, partition: i32) -> TopicPartition {
    TopicPartition {
        topic: Arc::from(topic),
        partition,
    }
}

fn value(offset: i64, driver: &Driver) -> OffsetAndMetadata {
    OffsetAndMetadata {
        offset,
        leader_epoch: Some(3),
        metadata: Box::from(""),
        commit_timestamp_ms: driver.now.timestamp_ms,
        expire_timestamp_ms: None,
    }
}

/// A commit of an administrator, or of a consumer that assigns its partitions itself.
fn simple(offsets: Vec<(TopicPartition, OffsetAndMetadata)>) -> OffsetCommit {
    OffsetCommit {
        member_id: Arc::from(""),
        instance_id: None,
        generation_id: -1,
        offsets,
    }
}

fn committed(driver: &Driver, topic: &str, partition: i32) -> Option<i64> {
    driver
        .group
        .persisted()
        .offset(topic, partition)
        .map(|value| value.offset)
}

fn expire(driver: &mut Driver) {
    let decision = driver.group.handle_expiration(&driver.config, driver.now);
    driver.perform(decision);
}

#[test]
fn what_is_committed_can_be_fetched_and_the_rest_is_not_zero() {
    let mut driver = Driver::new(config());
    let commit = simple(vec![(tp("t", 0), value(7, &driver)), (tp("u", 3), value(0, &driver))]);
    assert_eq!(driver.commit(&commit), Ok(vec![Ok(()), Ok(())]));
    let asked = [tp("t", 0), tp("t", 1), tp("u", 3)];
    let fetched = driver.group.fetch_offsets(Some(&asked), true);
    let offsets: Vec<_> = fetched
        .iter()
        .map(|f| f.offset.clone().map(|value| value.map(|v| v.offset)))
        .collect();
    assert_eq!(offsets, [Ok(Some(7)), Ok(None), Ok(Some(0))]);
    let all: Vec<_> = driver
        .group
        .fetch_offsets(None, true)
        .into_iter()
        .map(|fetched| fetched.partition)
        .collect();
    assert_eq!(all, [tp("t", 0), tp("u", 3)]);
}

#[test]
fn a_commit_counts_when_it_is_committed() {
    let mut driver = Driver::new(config());
    driver
        .commit(&simple(vec![(tp("t", 0), value(1, &driver))]))
        .unwrap()
        .into_iter()
        .for_each(Result::unwrap);
    driver.hold = true;
    driver
        .commit(&simple(vec![(tp("t", 0), value(2, &driver))]))
        .unwrap()
        .into_iter()
        .for_each(Result::unwrap);
    let fetch = |driver: &Driver, require_stable| {
        driver
            .group
            .fetch_offsets(Some(&[tp("t", 0)]), require_stable)
            .remove(0)
            .offset
            .map(|v| v.map(|v| v.offset))
    };
    assert_eq!(fetch(&driver, false), Ok(Some(1)));
    assert_eq!(fetch(&driver, true), Err(Rejection::UnstableOffsetCommit));
    // In the log, above the high watermark.
    let (records, completion) = driver.unwritten.pop_front().expect("one is held");
    for record in records {
        driver.group.apply(record, 1);
    }
    assert_eq!(fetch(&driver, false), Ok(Some(1)));
    assert_eq!(fetch(&driver, true), Err(Rejection::UnstableOffsetCommit));
    driver.group.note(Note::Committed { high_watermark: 1 });
    assert_eq!(fetch(&driver, false), Ok(Some(1)));
    driver.group.note(Note::Committed { high_watermark: 2 });
    let decision = driver
        .group
        .handle_settled(&completion, Ok(()), &driver.config, driver.now);
    driver.perform(decision);
    assert_eq!(fetch(&driver, true), Ok(Some(2)));
}

#[test]
fn a_commit_that_fails_leaves_what_was_there() {
    let mut driver = Driver::new(config());
    driver
        .commit(&simple(vec![(tp("t", 0), value(1, &driver))]))
        .unwrap()
        .into_iter()
        .for_each(Result::unwrap);
    driver.hold = true;
    driver
        .commit(&simple(vec![(tp("t", 0), value(2, &driver))]))
        .unwrap()
        .into_iter()
        .for_each(Result::unwrap);
    driver.write(Err(Rejection::NotCoordinator));
    let fetched = driver.group.fetch_offsets(Some(&[tp("t", 0)]), true).remove(0).offset;
    assert_eq!(fetched.map(|value| value.map(|value| value.offset)), Ok(Some(1)));
}

#[test]
fn the_log_decides_which_commit_is_the_newest() {
    let mut group = Group::new(Arc::from("g"), Driver::new(config()).now);
    let record = |offset| Record::Offset {
        topic: Arc::from("t"),
        partition: 0,
        value: Some(value(offset, &Driver::new(config()))),
    };
    group.apply(record(20), 5);
    group.apply(record(10), 4);
    group.note(Note::Committed { high_watermark: 6 });
    assert_eq!(group.persisted().offset("t", 0).map(|value| value.offset), Some(20));
}

#[test]
fn metadata_has_a_limit_that_counts_as_java_counts() {
    let mut driver = Driver::new(config());
    let with = |metadata: &str| OffsetAndMetadata {
        metadata: Box::from(metadata),
        ..value(1, &Driver::new(config()))
    };
    let commit = simple(vec![
        (tp("t", 0), with(&"ä".repeat(16))),
        (tp("t", 1), with(&"ä".repeat(17))),
        (tp("t", 2), with(&"\u{1F600}".repeat(8))),
        (tp("t", 3), with(&"\u{1F600}".repeat(9))),
    ]);
    let too_large = Err(Rejection::OffsetMetadataTooLarge);
    assert_eq!(driver.commit(&commit), Ok(vec![Ok(()), too_large, Ok(()), too_large]));
    assert_eq!(
        (committed(&driver, "t", 0), committed(&driver, "t", 1)),
        (Some(1), None)
    );
}

#[test]
fn only_members_commit_for_a_group_with_members() {
    let mut driver = Driver::new(config());
    let member_id = driver.stable_consumer(&["t"]);
    let offsets = vec![(tp("t", 0), value(1, &driver))];
    assert_eq!(driver.commit(&simple(offsets.clone())), Err(Rejection::UnknownMemberId));
    let of_member = OffsetCommit {
        member_id,
        instance_id: None,
        generation_id: 1,
        offsets,
    };
    let old = OffsetCommit {
        generation_id: 0,
        ..of_member.clone()
    };
    assert_eq!(driver.commit(&old), Err(Rejection::IllegalGeneration));
    let stranger = OffsetCommit {
        member_id: Arc::from("x"),
        ..of_member.clone()
    };
    assert_eq!(driver.commit(&stranger), Err(Rejection::UnknownMemberId));
    let unknown_instance = OffsetCommit {
        instance_id: Some(Arc::from("i")),
        ..of_member.clone()
    };
    assert_eq!(driver.commit(&unknown_instance), Err(Rejection::UnknownMemberId));
    assert_eq!(driver.commit(&of_member), Ok(vec![Ok(())]));
}

#[test]
fn a_commit_is_a_sign_of_life() {
    let mut driver = Driver::new(config());
    let member_id = driver.stable_consumer(&["t"]);
    for _ in 0..3 {
        driver.wait(9_000);
        let offsets = vec![(tp("t", 0), value(1, &driver))];
        let commit = OffsetCommit {
            member_id: member_id.clone(),
            instance_id: None,
            generation_id: 1,
            offsets,
        };
        assert_eq!(driver.commit(&commit), Ok(vec![Ok(())]));
    }
    assert_eq!(driver.group.state(), GroupState::Stable);
}

#[test]
fn members_may_commit_until_they_have_rejoined() {
    let mut driver = Driver::new(config());
    let member_id = driver.stable_consumer(&["t"]);
    let waiter = driver.waiter();
    driver.join(Join { waiter, ..join_as("d") }).expect("there is room");
    assert_eq!(driver.group.state(), GroupState::PreparingRebalance);
    let offsets = vec![(tp("t", 0), value(1, &driver))];
    let commit = OffsetCommit {
        member_id: member_id.clone(),
        instance_id: None,
        generation_id: 1,
        offsets,
    };
    assert_eq!(driver.commit(&commit), Ok(vec![Ok(())]));
    let waiter = driver.waiter();
    driver
        .join(Join {
            member_id,
            waiter,
            ..join_as("c")
        })
        .expect("it is a member");
    assert_eq!(driver.group.state(), GroupState::CompletingRebalance);
    let commit = OffsetCommit {
        generation_id: 2,
        ..commit
    };
    assert_eq!(driver.commit(&commit), Err(Rejection::RebalanceInProgress));
}

#[test]
fn offsets_of_an_empty_group_expire_after_the_last_member_has_gone() {
    let mut driver = Driver::new(config());
    let member_id = driver.stable_consumer(&["t"]);
    let offsets = vec![(tp("t", 0), value(1, &driver))];
    driver
        .commit(&OffsetCommit {
            member_id: member_id.clone(),
            instance_id: None,
            generation_id: 1,
            offsets,
        })
        .unwrap();
    for _ in 0..200 {
        driver.wait(9_000);
        driver.heartbeat(&member_id, 1).expect("it is a member");
    }
    expire(&mut driver);
    assert_eq!(committed(&driver, "t", 0), Some(1), "a member is subscribed to it");
    driver
        .leave(&[Leaver {
            member_id,
            instance_id: None,
        }])
        .unwrap();
    driver.wait(999_999);
    expire(&mut driver);
    assert_eq!(committed(&driver, "t", 0), Some(1));
    driver.wait(1);
    expire(&mut driver);
    assert_eq!(committed(&driver, "t", 0), None);
    assert_eq!(driver.group.state(), GroupState::Dead);
    assert_eq!(
        driver.log.last(),
        Some(&Record::Group(None)),
        "the group goes with its last offset"
    );
}

#[test]
fn offsets_of_topics_that_nobody_reads_any_more_expire() {
    let mut driver = Driver::new(config());
    driver
        .commit(&simple(vec![
            (tp("t", 0), value(1, &driver)),
            (tp("u", 0), value(2, &driver)),
        ]))
        .unwrap();
    let member_id = driver.stable_consumer(&["t"]);
    for _ in 0..200 {
        driver.wait(9_000);
        driver.heartbeat(&member_id, 1).expect("it is a member");
    }
    expire(&mut driver);
    assert_eq!(
        (committed(&driver, "t", 0), committed(&driver, "u", 0)),
        (Some(1), None)
    );
}

#[test]
fn offsets_without_members_expire_by_their_own_age() {
    let mut driver = Driver::new(config());
    driver.commit(&simple(vec![(tp("t", 0), value(1, &driver))])).unwrap();
    driver.wait(600_000);
    driver.commit(&simple(vec![(tp("t", 1), value(1, &driver))])).unwrap();
    driver.wait(400_000);
    expire(&mut driver);
    assert_eq!(
        (committed(&driver, "t", 0), committed(&driver, "t", 1)),
        (None, Some(1))
    );
    driver.wait(600_000);
    expire(&mut driver);
    assert_eq!(driver.group.state(), GroupState::Dead);
    assert!(
        matches!(driver.log.last(), Some(Record::Offset { value: None, .. })),
        "generation 0 was never written"
    );
}

#[test]
fn a_client_may_say_how_long() {
    let mut driver = Driver::new(config());
    let expire_timestamp_ms = Some(driver.now.timestamp_ms + 5_000);
    let short = OffsetAndMetadata {
        leader_epoch: None,
        expire_timestamp_ms,
        ..value(1, &driver)
    };
    driver.commit(&simple(vec![(tp("t", 0), short)])).unwrap();
    driver.wait(4_999);
    expire(&mut driver);
    assert_eq!(committed(&driver, "t", 0), Some(1));
    driver.reload();
    driver.wait(1);
    expire(&mut driver);
    assert_eq!(committed(&driver, "t", 0), None);
}

#[test]
fn a_commit_under_way_does_not_expire() {
    let mut driver = Driver::new(config());
    driver.commit(&simple(vec![(tp("t", 0), value(1, &driver))])).unwrap();
    driver.wait(2_000_000);
    driver.hold = true;
    driver.commit(&simple(vec![(tp("t", 0), value(2, &driver))])).unwrap();
    expire(&mut driver);
    driver.hold = false;
    driver.write(Ok(()));
    assert_eq!(committed(&driver, "t", 0), Some(2));
}

#[test]
fn offsets_of_deleted_topics_go() {
    let mut driver = Driver::new(config());
    driver
        .commit(&simple(vec![
            (tp("t", 0), value(1, &driver)),
            (tp("u", 0), value(1, &driver)),
        ]))
        .unwrap();
    let decision = driver
        .group
        .handle_partitions_deleted(&[tp("t", 0), tp("x", 0)], driver.now);
    driver.perform(decision);
    assert_eq!(
        (committed(&driver, "t", 0), committed(&driver, "u", 0)),
        (None, Some(1))
    );
    driver.reload();
    assert_eq!(
        (committed(&driver, "t", 0), committed(&driver, "u", 0)),
        (None, Some(1))
    );
    let decision = driver.group.handle_partitions_deleted(&[tp("u", 0)], driver.now);
    driver.perform(decision);
    assert_eq!(driver.group.state(), GroupState::Dead);
}

#[test]
fn offsets_of_subscribed_topics_are_not_deleted() {
    let mut driver = Driver::new(config());
    driver
        .commit(&simple(vec![
            (tp("t", 0), value(1, &driver)),
            (tp("u", 0), value(1, &driver)),
        ]))
        .unwrap();
    driver.stable_consumer(&["t"]);
    let decision = driver
        .group
        .handle_offset_delete(&[tp("t", 0), tp("u", 0), tp("u", 1)], driver.now)
        .unwrap();
    let results = driver.perform(decision).expect("it has a response");
    assert_eq!(results, [Err(Rejection::GroupSubscribedToTopic), Ok(()), Ok(())]);
    assert_eq!(
        (committed(&driver, "t", 0), committed(&driver, "u", 0)),
        (Some(1), None)
    );
}

#[test]
fn a_group_without_members_can_be_deleted() {
    let mut driver = Driver::new(config());
    let member_id = driver.stable_consumer(&["t"]);
    assert_eq!(
        driver.group.handle_delete(driver.now).err(),
        Some(Rejection::NonEmptyGroup)
    );
    driver
        .leave(&[Leaver {
            member_id,
            instance_id: None,
        }])
        .unwrap();
    driver.commit(&simple(vec![(tp("t", 0), value(1, &driver))])).unwrap();
    driver.hold = true;
    let decision = driver.group.handle_delete(driver.now).expect("it is empty");
    driver.perform(decision);
    assert_eq!(driver.join(join_as("c")), Err(Rejection::CoordinatorNotAvailable));
    driver.write(Err(Rejection::NotCoordinator));
    assert_eq!(driver.group.state(), GroupState::Empty, "it could not be written");
    driver.hold = false;
    let decision = driver.group.handle_delete(driver.now).expect("it is empty");
    driver.perform(decision);
    assert_eq!(driver.group.state(), GroupState::Dead);
    driver.reload();
    assert!(driver.group.persisted().is_empty());
}
