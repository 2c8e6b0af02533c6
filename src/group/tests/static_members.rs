//! Members with an instance id (KIP-345) as clients see them.

use super::script::check;

#[test]
fn a_static_member_that_comes_back_keeps_its_assignment() {
    check(
        "> join a instance=i
         > join b instance=j
         > wait 6000
         join a: i-1 generation 1 range leader i-1 [i-1 j-2]
         join b: j-2 generation 1 range leader i-1
         > sync i-1 i-1=left j-2=right
         sync i-1: left
         > sync j-2
         sync j-2: right
         > join b instance=j
         join b: j-3 generation 1 range leader i-1
         > sync j-3 instance=j
         sync j-3: right
         > heartbeat j-2 instance=j
         j-2: FencedInstanceId
         > heartbeat j-3 instance=j
         j-3: ok
         > heartbeat i-1
         i-1: ok
         > restart
         > heartbeat j-3 instance=j
         j-3: ok
         > state
         Stable generation 1 leader i-1 members [i-1=left j-3=right]",
    );
}

#[test]
fn a_static_leader_that_comes_back_is_told_to_skip_the_assignment() {
    check(
        "> join a instance=i
         > wait 3000
         join a: i-1 generation 1 range leader i-1 [i-1]
         > sync i-1 i-1=all
         sync i-1: all
         > join a instance=i
         join a: i-2 generation 1 range leader i-2 [i-2] skip
         > join a instance=i version=8
         join a: i-3 generation 1 range leader i-2
         > sync i-3
         sync i-3: all",
    );
}

#[test]
fn a_static_member_that_changes_the_protocol_makes_all_rejoin() {
    check(
        "> join a instance=i protocols=range,roundrobin
         > join b instance=j protocols=range,roundrobin
         > wait 6000
         join a: i-1 generation 1 range leader i-1 [i-1 j-2]
         join b: j-2 generation 1 range leader i-1
         > sync i-1 i-1=left j-2=right
         sync i-1: left
         > join b instance=j protocols=roundrobin
         > heartbeat i-1
         i-1: RebalanceInProgress
         > join a member=i-1 instance=i protocols=range,roundrobin
         join a: i-1 generation 2 roundrobin leader i-1 [i-1 j-3]
         join b: j-3 generation 2 roundrobin leader i-1",
    );
}

#[test]
fn a_static_member_that_comes_back_before_the_assignment_makes_all_rejoin() {
    check(
        "> join a instance=i
         > join b instance=j
         > wait 6000
         join a: i-1 generation 1 range leader i-1 [i-1 j-2]
         join b: j-2 generation 1 range leader i-1
         > sync j-2
         > join b instance=j
         sync j-2: FencedInstanceId
         > state
         PreparingRebalance generation 1 leader i-1 members [i-1= j-3=]",
    );
}

#[test]
fn a_static_member_fences_its_double() {
    check(
        "> join a instance=i
         > join a instance=i
         join a: FencedInstanceId i-1
         > wait 3000
         join a: i-2 generation 1 range leader i-2 [i-2]
         > join a member=i-1 instance=i
         join a: FencedInstanceId i-1
         > sync i-1 instance=i
         sync i-1: FencedInstanceId
         > join a member=i-2 instance=unknown
         join a: UnknownMemberId i-2",
    );
}

#[test]
fn a_static_member_that_does_not_rejoin_stays_until_its_session_ends() {
    check(
        "> join b version=3 session=100000 rebalance=20000
         > join a instance=i session=100000 rebalance=20000
         > wait 6000
         join b: b-1 generation 1 range leader b-1 [b-1 i-2]
         join a: i-2 generation 1 range leader b-1
         > sync b-1 b-1=left i-2=right
         sync b-1: left
         > sync i-2
         sync i-2: right
         > join b member=b-1 session=100000 rebalance=20000
         > wait 19999
         > wait 1
         join b: b-1 generation 2 range leader b-1 [b-1 i-2]
         > sync b-1 b-1=left i-2=right
         sync b-1: left
         > leave b-1
         b-1: ok
         > state
         PreparingRebalance generation 2 leader i-2 members [i-2=right]
         > wait 200000
         > state
         Empty generation 3 leader - members []",
    );
}

#[test]
fn a_static_member_whose_return_cannot_be_written_has_its_old_id() {
    check(
        "> join a instance=i
         > wait 3000
         join a: i-1 generation 1 range leader i-1 [i-1]
         > sync i-1 i-1=all
         sync i-1: all
         > hold
         > join a instance=i
         > fail
         join a: NotCoordinator
         > heartbeat i-1 instance=i
         i-1: ok
         > state
         Stable generation 1 leader i-1 members [i-1=all]",
    );
}
