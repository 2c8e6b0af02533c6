//! Groups as clients see them.

use super::script::{check, check_with};
use super::*;

#[test]
fn a_member_needs_an_id_to_join() {
    check(
        "> join a
         join a: MemberIdRequired a-1
         > state
         Empty generation 0 leader - members []
         > join a member=a-1
         > state
         PreparingRebalance generation 0 leader a-1 members [a-1=]
         > wait 3000
         join a: a-1 generation 1 range leader a-1 [a-1]
         > sync a-1 a-1=all
         sync a-1: all
         > heartbeat a-1
         a-1: ok
         > state
         Stable generation 1 leader a-1 members [a-1=all]",
    );
}

#[test]
fn a_member_id_that_is_not_used_in_time_is_void() {
    check(
        "> join a
         join a: MemberIdRequired a-1
         > wait 10000
         > join a member=a-1
         join a: UnknownMemberId a-1",
    );
}

#[test]
fn old_clients_join_without_an_id() {
    check(
        "> join a version=3
         > wait 2999
         > wait 1
         join a: a-1 generation 1 range leader a-1 [a-1]",
    );
}

#[test]
fn the_first_rebalance_waits_longer_while_members_come() {
    check(
        "> join a version=3
         > wait 2000
         > join b version=3
         > wait 1000
         > wait 2000
         > join c version=3
         > wait 1000
         > wait 2999
         > wait 1
         join a: a-1 generation 1 range leader a-1 [a-1 b-2 c-3]
         join b: b-2 generation 1 range leader a-1
         join c: c-3 generation 1 range leader a-1",
    );
}

#[test]
fn the_first_rebalance_waits_no_longer_than_the_rebalance_timeout() {
    check(
        "> join a version=3 rebalance=5000
         > wait 2000
         > join b version=3 rebalance=5000
         > wait 2000
         > join c version=3 rebalance=5000
         > wait 1000
         join a: a-1 generation 1 range leader a-1 [a-1 b-2 c-3]
         join b: b-2 generation 1 range leader a-1
         join c: c-3 generation 1 range leader a-1",
    );
}

#[test]
fn everybody_gets_what_the_leader_assigned() {
    check(
        "> join a version=3
         > join b version=3
         > wait 6000
         join a: a-1 generation 1 range leader a-1 [a-1 b-2]
         join b: b-2 generation 1 range leader a-1
         > sync b-2
         > sync a-1 a-1=left b-2=right
         sync a-1: left
         sync b-2: right
         > sync b-2
         sync b-2: right
         > sync b-2 generation=2
         sync b-2: IllegalGeneration
         > sync nobody
         sync nobody: UnknownMemberId",
    );
}

#[test]
fn a_second_member_makes_the_first_rejoin() {
    check(
        "> join a version=3
         > wait 3000
         join a: a-1 generation 1 range leader a-1 [a-1]
         > sync a-1 a-1=all
         sync a-1: all
         > join b version=3
         > heartbeat a-1
         a-1: RebalanceInProgress
         > sync a-1
         sync a-1: RebalanceInProgress
         > join a member=a-1
         join a: a-1 generation 2 range leader a-1 [a-1 b-2]
         join b: b-2 generation 2 range leader a-1
         > heartbeat b-2 generation=1
         b-2: IllegalGeneration
         > heartbeat b-2
         b-2: ok",
    );
}

#[test]
fn cooperative_members_rejoin_until_nothing_moves() {
    check(
        "> join a version=3 protocols=cooperative-sticky,range
         > wait 3000
         join a: a-1 generation 1 cooperative-sticky leader a-1 [a-1]
         > sync a-1 a-1=0,1
         sync a-1: 0,1
         > join b version=3 protocols=cooperative-sticky,range
         > join a member=a-1 protocols=cooperative-sticky,range
         join a: a-1 generation 2 cooperative-sticky leader a-1 [a-1 b-2]
         join b: b-2 generation 2 cooperative-sticky leader a-1
         > sync b-2
         > sync a-1 a-1=0
         sync a-1: 0
         sync b-2:
         > join a member=a-1 protocols=cooperative-sticky,range
         > heartbeat b-2
         b-2: RebalanceInProgress
         > join b member=b-2 protocols=cooperative-sticky,range
         join a: a-1 generation 3 cooperative-sticky leader a-1 [a-1 b-2]
         join b: b-2 generation 3 cooperative-sticky leader a-1
         > sync a-1 a-1=0 b-2=1
         sync a-1: 0
         > sync b-2
         sync b-2: 1",
    );
}

#[test]
fn the_protocol_is_one_that_all_support() {
    check(
        "> join a version=3 protocols=cooperative-sticky,range
         > join b version=3 protocols=range
         > join c version=3 protocols=roundrobin
         join c: InconsistentGroupProtocol
         > join d version=3 protocols=range type=connect
         join d: InconsistentGroupProtocol
         > wait 6000
         join a: a-1 generation 1 range leader a-1 [a-1 b-2]
         join b: b-2 generation 1 range leader a-1",
    );
}

#[test]
fn who_does_not_rejoin_in_time_is_out() {
    check(
        "> join a version=3 rebalance=20000 session=60000
         > join b version=3 rebalance=20000 session=60000
         > wait 6000
         join a: a-1 generation 1 range leader a-1 [a-1 b-2]
         join b: b-2 generation 1 range leader a-1
         > sync b-2
         > sync a-1 a-1=left b-2=right
         sync a-1: left
         sync b-2: right
         > join b member=b-2 protocols=range,roundrobin rebalance=20000 session=60000
         > wait 19999
         > wait 1
         join b: b-2 generation 2 range leader b-2 [b-2]
         > heartbeat a-1
         a-1: UnknownMemberId",
    );
}

#[test]
fn who_is_silent_is_out() {
    check(
        "> join a version=3
         > wait 3000
         join a: a-1 generation 1 range leader a-1 [a-1]
         > sync a-1 a-1=all
         sync a-1: all
         > wait 9999
         > heartbeat a-1
         a-1: ok
         > wait 9999
         > state
         Stable generation 1 leader a-1 members [a-1=all]
         > wait 1
         > state
         Empty generation 2 leader - members []",
    );
}

#[test]
fn who_does_not_fetch_its_assignment_is_out() {
    check(
        "> join a version=3 session=60000 rebalance=30000
         > join b version=3 session=60000 rebalance=30000
         > wait 6000
         join a: a-1 generation 1 range leader a-1 [a-1 b-2]
         join b: b-2 generation 1 range leader a-1
         > sync a-1 a-1=left b-2=right
         sync a-1: left
         > wait 29999
         > state
         Stable generation 1 leader a-1 members [a-1=left b-2=right]
         > wait 1
         > state
         PreparingRebalance generation 1 leader a-1 members [a-1=left]",
    );
}

#[test]
fn a_rebalance_ends_the_wait_for_the_assignment() {
    check(
        "> join a version=3
         > join b version=3
         > wait 6000
         join a: a-1 generation 1 range leader a-1 [a-1 b-2]
         join b: b-2 generation 1 range leader a-1
         > sync b-2
         > join c version=3
         sync b-2: RebalanceInProgress
         > leave a-1
         a-1: ok
         > join b member=b-2
         join b: b-2 generation 2 range leader b-2 [b-2 c-3]
         join c: c-3 generation 2 range leader b-2",
    );
}

#[test]
fn the_last_to_leave_empties_the_group() {
    check(
        "> join a version=3
         > join b version=3
         > wait 6000
         join a: a-1 generation 1 range leader a-1 [a-1 b-2]
         join b: b-2 generation 1 range leader a-1
         > leave a-1 b-2 a-1 nobody
         a-1: ok
         b-2: ok
         a-1: UnknownMemberId
         nobody: UnknownMemberId
         > state
         Empty generation 2 leader - members []",
    );
}

#[test]
fn a_parked_request_of_who_is_sent_away_is_answered() {
    check(
        "> join b version=3
         > join a instance=i
         > wait 6000
         join b: b-1 generation 1 range leader b-1 [b-1 i-2]
         join a: i-2 generation 1 range leader b-1
         > sync i-2
         > leave instance=i instance=i
         instance=i: ok
         instance=i: UnknownMemberId
         sync i-2: UnknownMemberId",
    );
}

#[test]
fn a_full_group_takes_nobody() {
    check_with(
        GroupConfig {
            max_size: 1,
            ..config()
        },
        "> join a version=3
         > join b version=3
         join b: GroupMaxSizeReached
         > wait 3000
         join a: a-1 generation 1 range leader a-1 [a-1]
         > sync a-1 a-1=all
         sync a-1: all
         > join b version=3
         join b: GroupMaxSizeReached
         > join a member=a-1
         join a: a-1 generation 2 range leader a-1 [a-1]",
    );
}

#[test]
fn session_timeouts_have_bounds() {
    check(
        "> join a session=5999
         join a: InvalidSessionTimeout
         > join a session=1800001
         join a: InvalidSessionTimeout",
    );
}

#[test]
fn a_member_that_missed_its_answer_asks_again() {
    check(
        "> join a version=3
         > join b version=3
         > wait 6000
         join a: a-1 generation 1 range leader a-1 [a-1 b-2]
         join b: b-2 generation 1 range leader a-1
         > join a member=a-1
         join a: a-1 generation 1 range leader a-1 [a-1 b-2]
         > join b member=b-2
         join b: b-2 generation 1 range leader a-1
         > sync a-1 a-1=left b-2=right
         sync a-1: left
         > join b member=b-2
         join b: b-2 generation 1 range leader a-1
         > join b member=b-2 protocols=range,roundrobin
         > heartbeat a-1
         a-1: RebalanceInProgress",
    );
}

#[test]
fn a_request_that_is_repeated_replaces_the_first() {
    check(
        "> join a version=3
         > join a member=a-1
         join a: RebalanceInProgress a-1
         > wait 3000
         join a: a-1 generation 1 range leader a-1 [a-1]",
    );
}

#[test]
fn an_assignment_that_cannot_be_written_makes_everybody_rejoin() {
    check(
        "> join a version=3
         > join b version=3
         > wait 6000
         join a: a-1 generation 1 range leader a-1 [a-1 b-2]
         join b: b-2 generation 1 range leader a-1
         > sync b-2
         > hold
         > sync a-1 a-1=left b-2=right
         > heartbeat a-1
         a-1: ok
         > fail
         sync a-1: NotCoordinator
         sync b-2: NotCoordinator
         > heartbeat a-1
         a-1: RebalanceInProgress",
    );
}

#[test]
fn an_assignment_that_comes_too_late_is_nobodys() {
    check(
        "> join a version=3
         > wait 3000
         join a: a-1 generation 1 range leader a-1 [a-1]
         > hold
         > sync a-1 a-1=all
         > join b version=3
         sync a-1: RebalanceInProgress
         > write
         > state
         PreparingRebalance generation 1 leader a-1 members [a-1= b-2=]",
    );
}

#[test]
fn a_restart_brings_the_members_back_with_whole_sessions() {
    check(
        "> join a version=3
         > join b version=3
         > wait 6000
         join a: a-1 generation 1 range leader a-1 [a-1 b-2]
         join b: b-2 generation 1 range leader a-1
         > sync a-1 a-1=left b-2=right
         sync a-1: left
         > wait 9000
         > restart
         > state
         Stable generation 1 leader a-1 members [a-1=left b-2=right]
         > wait 9000
         > heartbeat a-1
         a-1: ok
         > sync b-2
         sync b-2: right
         > wait 9999
         > heartbeat b-2
         b-2: ok
         > wait 1
         > state
         PreparingRebalance generation 1 leader b-2 members [b-2=right]",
    );
}

#[test]
fn a_member_is_not_kept_at_any_size() {
    let mut driver = Driver::new(config());
    let many = (0..=MAX_PROTOCOLS)
        .map(|number| protocol(&number.to_string(), &["t"]))
        .collect();
    assert_eq!(
        driver.join(Join {
            protocols: many,
            ..join_as("c")
        }),
        Err(Rejection::InvalidRequest)
    );
    let large = Protocol {
        name: Arc::from("range"),
        metadata: Bytes::from(vec![0; MAX_PROTOCOLS_BYTES]),
    };
    assert_eq!(
        driver.join(Join {
            protocols: vec![large],
            ..join_as("c")
        }),
        Err(Rejection::InvalidRequest)
    );
}
