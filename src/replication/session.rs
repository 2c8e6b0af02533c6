//! A follower's fetch session (KIP-227; Kafka's `FetchSessionHandler`): after a first request that names every partition, each names only
//! what has changed. Pure: what was sent and answered comes in, what to send next goes out.

use std::collections::HashMap;

use protocol::ErrorCode;
use protocol::wire::TopicId;
use storage::TopicPartition;

/// No session yet.
const NONE: i32 = 0;
/// The request that names everything.
const INITIAL: i32 = 0;

/// What a request says of its session.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SessionFields {
    /// 0 where there is none.
    pub session_id: i32,
    /// 0 for a request that names everything and begins a session anew.
    pub session_epoch: i32,
    /// Partitions that the leader is not asked for any more.
    pub forgotten: Vec<(TopicPartition, TopicId)>,
}

/// The session with one leader.
#[derive(Debug, Default)]
pub struct Session {
    id: i32,
    epoch: i32,
    /// What the leader's end holds, by the ids that were told.
    held: HashMap<TopicPartition, TopicId>,
    /// Partitions to be taken out with the next request.
    forgotten: Vec<(TopicPartition, TopicId)>,
}

impl Session {
    /// Whether the next request must name every partition.
    pub fn is_full(&self) -> bool {
        self.epoch == INITIAL
    }

    /// A partition is not to be asked for any more.
    pub fn forget(&mut self, partition: &TopicPartition) {
        if let Some(id) = self.held.remove(partition) {
            self.forgotten.push((partition.clone(), id));
        }
    }

    /// The next request names these partitions: every one where it [is full](Session::is_full), else those that have changed.
    pub fn next<'a>(&mut self, named: impl Iterator<Item = (&'a TopicPartition, TopicId)>) -> SessionFields {
        if self.is_full() {
            self.held.clear();
            self.forgotten.clear();
        }
        let mut forgotten = std::mem::take(&mut self.forgotten);
        for (partition, id) in named {
            let before = self.held.insert(partition.clone(), id);
            // Another topic of this name.
            forgotten.extend(
                before
                    .filter(|before| *before != id)
                    .map(|before| (partition.clone(), before)),
            );
            // It has come back before the leader heard that it went.
            forgotten.retain(|(other, other_id)| other != partition || *other_id != id);
        }
        SessionFields {
            session_id: self.id,
            session_epoch: self.epoch,
            forgotten,
        }
    }

    /// The leader has answered; `false` where it does not know the session, and nothing else is in the answer.
    pub fn note_answer(&mut self, error_code: ErrorCode, session_id: i32) -> bool {
        if error_code != ErrorCode::NONE {
            self.begin_anew();
            return false;
        }
        if self.epoch == INITIAL {
            self.id = session_id;
            // Without room for a session the leader is told everything each time.
            self.epoch = if session_id == NONE { INITIAL } else { 1 };
        } else {
            self.epoch = if self.epoch == i32::MAX { 1 } else { self.epoch + 1 };
        }
        true
    }

    /// What was sent last may not have been heard: everything is named again, and the session that there is ends.
    pub fn begin_anew(&mut self) {
        self.epoch = INITIAL;
        self.forgotten.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: TopicId = protocol::wire::Uuid([7; 16]);
    const OTHER: TopicId = protocol::wire::Uuid([8; 16]);

    fn partition(number: i32) -> TopicPartition {
        TopicPartition::new("t", number)
    }

    fn next(session: &mut Session, numbers: &[i32]) -> SessionFields {
        let named: Vec<_> = numbers.iter().map(|number| partition(*number)).collect();
        session.next(named.iter().map(|name| (name, ID)))
    }

    fn fields(session_id: i32, session_epoch: i32, forgotten: &[i32]) -> SessionFields {
        SessionFields {
            session_id,
            session_epoch,
            forgotten: forgotten.iter().map(|number| (partition(*number), ID)).collect(),
        }
    }

    #[test]
    fn epochs_rise_and_what_goes_is_forgotten_once() {
        let mut session = Session::default();
        assert_eq!(next(&mut session, &[0, 1, 2]), fields(0, 0, &[]));
        assert!(session.note_answer(ErrorCode::NONE, 9));
        assert!(!session.is_full());
        session.forget(&partition(1));
        session.forget(&partition(5));
        assert_eq!(next(&mut session, &[0]), fields(9, 1, &[1]));
        assert!(session.note_answer(ErrorCode::NONE, 9));
        session.forget(&partition(2));
        assert_eq!(next(&mut session, &[2]), fields(9, 2, &[]), "it came back");
    }

    #[test]
    fn a_session_that_is_not_known_begins_anew() {
        let mut session = Session::default();
        next(&mut session, &[0]);
        session.note_answer(ErrorCode::NONE, 9);
        next(&mut session, &[0]);
        assert!(!session.note_answer(ErrorCode::FETCH_SESSION_ID_NOT_FOUND, 0));
        assert!(session.is_full());
        assert_eq!(next(&mut session, &[0]), fields(9, 0, &[]), "the old one ends");
    }

    #[test]
    fn without_room_for_a_session_everything_is_named_each_time() {
        let mut session = Session::default();
        next(&mut session, &[0]);
        assert!(session.note_answer(ErrorCode::NONE, 0));
        assert!(session.is_full());
    }

    #[test]
    fn another_topic_of_the_same_name_takes_the_place_of_the_first() {
        let mut session = Session::default();
        next(&mut session, &[0]);
        session.note_answer(ErrorCode::NONE, 9);
        let name = partition(0);
        let fields = session.next([(&name, OTHER)].into_iter());
        assert_eq!(fields.forgotten, [(partition(0), ID)]);
    }
}
