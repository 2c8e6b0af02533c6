//! What clients can make groups hold in memory, over the coordinator.

use std::time::Duration;

use super::shell::{MemoryLog, join_alone, loaded, simple_commit, start, start_within, until};
use super::*;

const KIB: usize = 1024;

fn join_with(coordinator: &GroupCoordinator, client: &str, metadata_bytes: usize) -> Join {
    Join {
        new_member_id: Arc::from(format!("{client}-id")),
        protocols: vec![Protocol {
            name: Arc::from("range"),
            metadata: Bytes::from(vec![0; metadata_bytes]),
        }],
        waiter: coordinator.next_waiter(),
        ..join_as(client)
    }
}

#[tokio::test]
async fn a_group_that_nobody_got_into_vanishes() {
    let coordinator = start(&MemoryLog::new());
    loaded(&coordinator).await;
    for group in 0..100 {
        let refused = Join {
            protocols: Vec::new(),
            ..join_with(&coordinator, "c", 0)
        };
        let answer = coordinator.join(&format!("g{group}"), refused).await;
        assert_eq!(answer.error, Some(Rejection::InconsistentGroupProtocol));
    }
    assert_eq!((coordinator.counts().0, coordinator.memory_bytes()), (0, 0));
}

#[tokio::test]
async fn a_group_of_member_ids_that_nobody_uses_vanishes() {
    let coordinator = start(&MemoryLog::new());
    loaded(&coordinator).await;
    let join = Join {
        requires_known_member_id: true,
        session_timeout_ms: 20,
        ..join_with(&coordinator, "c", 0)
    };
    let answer = coordinator.join("g", join).await;
    assert_eq!(answer.error, Some(Rejection::MemberIdRequired));
    let gone = tokio::time::timeout(
        Duration::from_secs(60),
        until(|| (coordinator.counts().0 == 0).then_some(())),
    );
    gone.await.expect("it does not stay");
    assert_eq!(coordinator.memory_bytes(), 0);
}

#[tokio::test]
async fn a_group_with_commits_stays_when_its_members_are_gone() {
    let coordinator = start(&MemoryLog::new());
    loaded(&coordinator).await;
    let commit = simple_commit(0, 1, "");
    assert_eq!(coordinator.commit_offsets("g", commit).await, Ok(vec![Ok(())]));
    let member_id = join_alone(&coordinator, "g", 60_000).await;
    let leaver = Leaver {
        member_id,
        instance_id: None,
    };
    assert_eq!(coordinator.leave("g", &[leaver]), Ok(vec![Ok(())]));
    assert_eq!(coordinator.counts(), (1, 1));
}

#[tokio::test]
async fn members_beyond_the_memory_of_groups_are_refused_until_others_leave() {
    let coordinator = start_within(&MemoryLog::new(), 60_000, 256 * KIB);
    loaded(&coordinator).await;
    let mut members = Vec::new();
    let refused = loop {
        let client = format!("c{}", members.len());
        let answer = coordinator
            .join(&client, join_with(&coordinator, &client, 50 * KIB))
            .await;
        match answer.error {
            None => members.push(answer.member_id),
            Some(error) => break error,
        }
        assert!(members.len() < 10, "there is no end");
    };
    assert_eq!(refused, Rejection::CoordinatorNotAvailable);
    assert!(members.len() >= 4, "only {} members", members.len());
    assert!(coordinator.memory_bytes() <= 256 * KIB);
    // Who is in may rejoin with what it has.
    let again = Join {
        member_id: members[0].clone(),
        ..join_with(&coordinator, "c0", 50 * KIB)
    };
    assert_eq!(coordinator.join("c0", again).await.error, None);
    let leaver = Leaver {
        member_id: members[1].clone(),
        instance_id: None,
    };
    assert_eq!(coordinator.leave("c1", &[leaver]), Ok(vec![Ok(())]));
    let later = coordinator
        .join("late", join_with(&coordinator, "late", 50 * KIB))
        .await;
    assert_eq!(later.error, None);
}

#[tokio::test]
async fn assignments_beyond_the_memory_of_groups_are_refused() {
    let coordinator = start_within(&MemoryLog::new(), 60_000, 64 * KIB);
    loaded(&coordinator).await;
    let joined = coordinator.join("g", join_with(&coordinator, "c", KIB)).await;
    let sync = |bytes| Sync {
        assignments: BTreeMap::from([(joined.member_id.clone(), Bytes::from(vec![0; bytes]))]),
        waiter: coordinator.next_waiter(),
        ..sync_of(&joined.member_id, joined.generation_id)
    };
    let answer = coordinator.sync("g", sync(100 * KIB)).await;
    assert_eq!(answer.error, Some(Rejection::CoordinatorNotAvailable));
    assert_eq!(coordinator.sync("g", sync(KIB)).await.error, None);
}

#[tokio::test]
async fn what_is_counted_is_given_back_when_leadership_goes() {
    let coordinator = start(&MemoryLog::new());
    loaded(&coordinator).await;
    for group in 0..8 {
        join_alone(&coordinator, &format!("g{group}"), 60_000).await;
    }
    assert!(coordinator.memory_bytes() > 8 * KIB);
    (0..4).for_each(|partition| coordinator.on_resigned(partition, None));
    until(|| (coordinator.memory_bytes() == 0).then_some(())).await;
}
