//! What a follower does with the answers of its leader: Kafka's `AbstractFetcherThread` for one partition, as functions of what was
//! asked, what was answered and what the log holds. From inter-broker protocol 2.7 on every fetch says which epoch the follower's
//! last record has, and the leader answers where the two logs part (KIP-595); nothing is ever cut off by the high watermark
//! alone (KIP-101), but for a log that knows no epochs.

use controller::LeaderEpoch;
use planted::Bug;
use protocol::ErrorCode;
use storage::EpochEndOffset;

/// What a follower's log holds.
pub trait LogFacts {
    /// First offset.
    fn log_start_offset(&self) -> i64;
    /// Offset of the next record.
    fn log_end_offset(&self) -> i64;
    /// What the follower knows to be committed.
    fn high_watermark(&self) -> i64;
    /// The epoch of the last record, or of the last leader that the log was told of.
    fn latest_epoch(&self) -> Option<i32>;
    /// The last epoch that is not above this one, and where it ends.
    fn end_offset_for_epoch(&self, epoch: i32) -> Option<EpochEndOffset>;
}

/// What is asked of the leader for one partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// The epoch in which the follower follows.
    pub current_leader_epoch: LeaderEpoch,
    /// From where: the follower's log end offset.
    pub fetch_offset: i64,
    /// The epoch of the record before; `None` where the log has no epochs.
    pub last_fetched_epoch: Option<i32>,
    /// Where the follower's log begins.
    pub log_start_offset: i64,
}

impl Asked {
    /// What to ask next.
    pub fn next(current_leader_epoch: LeaderEpoch, log: &dyn LogFacts) -> Asked {
        Asked {
            current_leader_epoch,
            fetch_offset: log.log_end_offset(),
            last_fetched_epoch: log.latest_epoch(),
            log_start_offset: log.log_start_offset(),
        }
    }
}

/// What the leader answers for one partition, beside the records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answered {
    /// Its error.
    pub error_code: ErrorCode,
    /// Its high watermark.
    pub high_watermark: i64,
    /// Where its log begins.
    pub log_start_offset: i64,
    /// Where its log parts from the follower's, if it does.
    pub diverging_epoch: Option<EpochEndOffset>,
}

/// What to do about an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// The follower has moved on since it asked: forget it.
    Forget,
    /// Append the records, then take over high watermark and log start offset, each as far as the log reaches.
    Append {
        /// The leader's.
        high_watermark: i64,
        /// The leader's.
        log_start_offset: i64,
    },
    /// Cut the log to end at this offset, then ask again.
    TruncateTo(i64),
    /// The leader's log begins above or ends below what was asked for: ask it for both ends ([`resume_at`]), then go on.
    AskForEnds,
    /// Ask again, after a pause.
    Retry,
    /// Another leader is in charge: nothing is asked until the controller says which.
    AwaitController,
}

/// What to do where a follower begins to follow: a log without epochs is cut to its high watermark, as nobody can tell where it
/// parts from the leader's.
pub fn begin(log: &dyn LogFacts) -> Option<Action> {
    let is_unknown = log.latest_epoch().is_none() || planted::is(Bug::TruncateToHighWatermark);
    (is_unknown && log.log_end_offset() > log.high_watermark()).then(|| Action::TruncateTo(log.high_watermark()))
}

/// What to do about an answer to `asked`, in the epoch in which the follower follows now.
pub fn decide(asked: &Asked, current: LeaderEpoch, answered: &Answered, log: &dyn LogFacts) -> Action {
    if asked.current_leader_epoch != current || asked.fetch_offset != log.log_end_offset() {
        return Action::Forget;
    }
    match answered.error_code {
        ErrorCode::NONE => match answered.diverging_epoch {
            // Neither end is taken over before the logs agree.
            Some(leaders) => Action::TruncateTo(common_end(leaders, log)),
            None => Action::Append {
                high_watermark: answered.high_watermark,
                log_start_offset: answered.log_start_offset,
            },
        },
        ErrorCode::OFFSET_OUT_OF_RANGE => Action::AskForEnds,
        ErrorCode::FENCED_LEADER_EPOCH => Action::AwaitController,
        _ => Action::Retry,
    }
}

/// How far both logs may be the same, of which the leader's has the epoch `leaders.epoch` up to `leaders.end_offset` and none between
/// that and the follower's last (KIP-279). Where the follower lacks that epoch the next answer says more.
fn common_end(leaders: EpochEndOffset, log: &dyn LogFacts) -> i64 {
    let end = log.log_end_offset();
    match log.end_offset_for_epoch(leaders.epoch) {
        Some(own) if own.epoch == leaders.epoch => own.end_offset.min(leaders.end_offset).min(end),
        Some(own) => own.end_offset.min(end),
        // All that the follower has is of later epochs.
        None => leaders.end_offset.min(end),
    }
}

/// Where to go on after [`Action::AskForEnds`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resume {
    /// The leader's log ends below the follower's: cut to there. It was elected uncleanly, and what it lacks is lost.
    TruncateTo(i64),
    /// The leader's log begins above the end of the follower's: begin anew there.
    StartAt(i64),
    /// Both have changed meanwhile: go on.
    GoOn,
}

/// Where to go on, as the leader's log has these ends now (`AbstractFetcherThread.fetchOffsetAndTruncate`).
pub fn resume_at(leader_log_start_offset: i64, leader_log_end_offset: i64, log: &dyn LogFacts) -> Resume {
    let end = log.log_end_offset();
    if leader_log_end_offset < end {
        Resume::TruncateTo(leader_log_end_offset)
    } else if leader_log_start_offset > end {
        Resume::StartAt(leader_log_start_offset)
    } else {
        Resume::GoOn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A log of which each epoch begins at an offset.
    struct Epochs {
        starts: Vec<(i32, i64)>,
        end: i64,
        high_watermark: i64,
    }

    impl LogFacts for Epochs {
        fn log_start_offset(&self) -> i64 {
            0
        }

        fn log_end_offset(&self) -> i64 {
            self.end
        }

        fn high_watermark(&self) -> i64 {
            self.high_watermark
        }

        fn latest_epoch(&self) -> Option<i32> {
            self.starts.last().map(|(epoch, _)| *epoch)
        }

        fn end_offset_for_epoch(&self, epoch: i32) -> Option<EpochEndOffset> {
            let at = self.starts.iter().rposition(|(own, _)| *own <= epoch)?;
            Some(EpochEndOffset {
                epoch: self.starts[at].0,
                end_offset: self.starts.get(at + 1).map_or(self.end, |(_, start)| *start),
            })
        }
    }

    const EPOCH: LeaderEpoch = LeaderEpoch(5);

    fn log(starts: &[(i32, i64)], end: i64) -> Epochs {
        Epochs {
            starts: starts.to_vec(),
            end,
            high_watermark: 10,
        }
    }

    fn fine() -> Answered {
        Answered {
            error_code: ErrorCode::NONE,
            high_watermark: 30,
            log_start_offset: 3,
            diverging_epoch: None,
        }
    }

    fn diverging(epoch: i32, end_offset: i64) -> Answered {
        Answered {
            diverging_epoch: Some(EpochEndOffset { epoch, end_offset }),
            ..fine()
        }
    }

    #[test]
    fn records_are_appended_where_both_logs_agree() {
        let log = log(&[(1, 0), (3, 20)], 40);
        let asked = Asked::next(EPOCH, &log);
        assert_eq!((asked.fetch_offset, asked.last_fetched_epoch), (40, Some(3)));
        let append = Action::Append {
            high_watermark: 30,
            log_start_offset: 3,
        };
        assert_eq!(decide(&asked, EPOCH, &fine(), &log), append);
    }

    #[test]
    fn an_answer_to_what_is_no_longer_asked_is_forgotten() {
        let log = log(&[(1, 0)], 40);
        let asked = Asked::next(EPOCH, &log);
        assert_eq!(decide(&asked, LeaderEpoch(6), &diverging(1, 5), &log), Action::Forget);
        let shorter = Asked {
            fetch_offset: 39,
            ..asked
        };
        assert_eq!(decide(&shorter, EPOCH, &diverging(1, 5), &log), Action::Forget);
    }

    #[test]
    fn the_log_is_cut_to_where_both_agree_by_epoch() {
        let cut = |starts: &[(i32, i64)], end: i64, answer: Answered| {
            let log = log(starts, end);
            decide(&Asked::next(EPOCH, &log), EPOCH, &answer, &log)
        };
        // Both have epoch 3; the follower has more of it, or less.
        assert_eq!(cut(&[(1, 0), (3, 20)], 40, diverging(3, 35)), Action::TruncateTo(35));
        assert_eq!(
            cut(&[(1, 0), (3, 20), (4, 30)], 40, diverging(3, 35)),
            Action::TruncateTo(30)
        );
        // The leader has epoch 2, which the follower has not: all of epoch 3 goes, and the next answer says how much of epoch 1.
        assert_eq!(cut(&[(1, 0), (3, 20)], 40, diverging(2, 25)), Action::TruncateTo(20));
        // The follower has nothing as old as the leader's.
        assert_eq!(cut(&[(3, 20)], 40, diverging(1, 25)), Action::TruncateTo(25));
        assert_eq!(
            cut(&[(3, 20)], 22, diverging(1, 25)),
            Action::TruncateTo(22),
            "never beyond its end"
        );
    }

    #[test]
    fn a_log_without_epochs_is_cut_to_its_high_watermark() {
        assert_eq!(begin(&log(&[], 40)), Some(Action::TruncateTo(10)));
        assert_eq!(begin(&log(&[], 10)), None);
        assert_eq!(begin(&log(&[(1, 0)], 40)), None, "epochs say it better");
    }

    #[test]
    fn errors_are_retried_or_left_to_the_controller() {
        let log = log(&[(1, 0)], 40);
        let asked = Asked::next(EPOCH, &log);
        let about = |error_code| decide(&asked, EPOCH, &Answered { error_code, ..fine() }, &log);
        assert_eq!(about(ErrorCode::OFFSET_OUT_OF_RANGE), Action::AskForEnds);
        assert_eq!(about(ErrorCode::FENCED_LEADER_EPOCH), Action::AwaitController);
        for code in [
            ErrorCode::UNKNOWN_LEADER_EPOCH,
            ErrorCode::NOT_LEADER_OR_FOLLOWER,
            ErrorCode::UNKNOWN_TOPIC_ID,
            ErrorCode::KAFKA_STORAGE_ERROR,
        ] {
            assert_eq!(about(code), Action::Retry, "{code:?}");
        }
    }

    #[test]
    fn out_of_range_the_leaders_ends_decide() {
        let log = log(&[(1, 0)], 40);
        assert_eq!(resume_at(0, 35, &log), Resume::TruncateTo(35));
        assert_eq!(resume_at(41, 90, &log), Resume::StartAt(41));
        assert_eq!(resume_at(40, 90, &log), Resume::GoOn);
        assert_eq!(resume_at(0, 40, &log), Resume::GoOn);
    }
}
