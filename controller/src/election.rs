//! Who becomes leader. Pure: what is known about replicas comes in, the next state of the partition goes out.

use crate::effects::LeaderRecoveryState;
use crate::ids::{BrokerId, ControllerEpoch};
use crate::partitions::LeaderAndIsr;

/// The first state of a new partition: the first online replica leads, all online replicas are in sync. `None` while no
/// replica is online.
pub fn first_leader(
    replicas: &[BrokerId],
    is_online: &dyn Fn(BrokerId) -> bool,
    controller_epoch: ControllerEpoch,
) -> Option<LeaderAndIsr> {
    let isr: Vec<BrokerId> = replicas.iter().copied().filter(|&replica| is_online(replica)).collect();
    isr.first()
        .map(|&leader| LeaderAndIsr::first(leader, isr.clone(), controller_epoch))
}

/// The next state of a partition whose leader is gone: the first online replica that is in sync leads; failing that, with
/// `allow_unclean`, the first online one at all, which then has to recover. `None` while nobody can lead.
pub fn offline_leader(
    replicas: &[BrokerId],
    current: &LeaderAndIsr,
    is_online: &dyn Fn(BrokerId) -> bool,
    allow_unclean: bool,
    controller_epoch: ControllerEpoch,
) -> Option<LeaderAndIsr> {
    let online = || replicas.iter().copied().filter(|&replica| is_online(replica));
    if let Some(leader) = online().find(|replica| current.isr.contains(replica)) {
        let isr = current
            .isr
            .iter()
            .copied()
            .filter(|&replica| is_online(replica))
            .collect();
        return Some(current.next(leader, isr, controller_epoch));
    }
    let allow_unclean = allow_unclean || planted::is(planted::Bug::UncleanElection);
    let leader = online().next().filter(|_| allow_unclean)?;
    let mut next = current.next(leader, vec![leader], controller_epoch);
    next.leader_recovery_state = LeaderRecoveryState::Recovering;
    Some(next)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{LeaderEpoch, NO_LEADER, PartitionEpoch};

    const EPOCH: ControllerEpoch = ControllerEpoch(5);

    fn current(leader: BrokerId, isr: &[BrokerId]) -> LeaderAndIsr {
        LeaderAndIsr {
            leader_epoch: LeaderEpoch(7),
            ..LeaderAndIsr::first(leader, isr.to_vec(), ControllerEpoch(4))
        }
    }

    #[test]
    fn a_new_partition_is_led_by_its_first_online_replica() {
        let first = first_leader(&[1, 2, 3], &|replica| replica != 1, EPOCH).expect("two are online");
        assert_eq!(
            (first.leader, first.isr, first.leader_epoch),
            (2, vec![2, 3], LeaderEpoch(0))
        );
        assert_eq!(first_leader(&[1, 2], &|_| false, EPOCH), None);
    }

    #[test]
    fn an_offline_partition_is_led_by_a_replica_in_sync() {
        let next = offline_leader(
            &[1, 2, 3],
            &current(1, &[3, 1, 2]),
            &|replica| replica != 1,
            false,
            EPOCH,
        );
        let next = next.expect("2 and 3 are in sync");
        assert_eq!(
            (next.leader, next.isr),
            (2, vec![3, 2]),
            "first of the assignment, ISR in its own order"
        );
        assert_eq!(
            (next.leader_epoch, next.partition_epoch),
            (LeaderEpoch(8), PartitionEpoch(1))
        );
        assert_eq!(next.controller_epoch, EPOCH);
        let back = offline_leader(&[1], &current(NO_LEADER, &[1]), &|_| true, false, EPOCH).expect("it is back");
        assert_eq!(
            (back.leader, back.leader_recovery_state),
            (1, LeaderRecoveryState::Recovered)
        );
    }

    #[test]
    fn a_replica_out_of_sync_leads_only_where_that_is_allowed() {
        let current = current(1, &[1]);
        assert_eq!(
            offline_leader(&[1, 2], &current, &|replica| replica == 2, false, EPOCH),
            None
        );
        let unclean = offline_leader(&[1, 2], &current, &|replica| replica == 2, true, EPOCH).expect("allowed");
        assert_eq!((unclean.leader, unclean.isr), (2, vec![2]));
        assert_eq!(unclean.leader_recovery_state, LeaderRecoveryState::Recovering);
        assert_eq!(offline_leader(&[1, 2], &current, &|_| false, true, EPOCH), None);
    }
}
