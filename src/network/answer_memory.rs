//! The memory of answers that are made and not yet taken: counted for each connection and for all.
//!
//! Nothing takes memory in advance, as nobody knows an answer's size before it is made. Instead nothing more is made while
//! too much is there: a little more than the limit may be held, by one answer for each thread that was making one. Who holds
//! memory waits for nothing but its own client, and is closed when that takes nothing while others wait; so room always
//! comes back.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use protocol::wire::Chunk;
use tokio::sync::Notify;

use super::connection::Order;
use super::connections::ConnectionState;

/// What answers may hold in all. Ranges of files hold nothing, so that few loads come near it.
pub const ANSWER_MEMORY_BYTES: usize = 128 * 1024 * 1024;
/// What the answers of one connection may hold, and one answer more.
pub const MAX_CONNECTION_ANSWER_BYTES: usize = 8 * 1024 * 1024;

/// The memory that the answers of all connections share. What can do without gives way first: copies of records beyond half
/// of it, other requests than Produce and Fetch beyond three quarters.
pub struct AnswerMemory {
    held_bytes: AtomicUsize,
    limit_bytes: usize,
    released: Notify,
}

impl AnswerMemory {
    /// A budget of `limit_bytes`.
    pub fn new(limit_bytes: usize) -> Arc<Self> {
        Arc::new(Self {
            held_bytes: AtomicUsize::new(0),
            limit_bytes,
            released: Notify::new(),
        })
    }

    /// What is held now.
    pub fn held_bytes(&self) -> usize {
        self.held_bytes.load(Ordering::SeqCst)
    }

    /// Whether records may be copied; else they are to be sent from their file.
    fn has_room_for_copies(&self) -> bool {
        self.held_bytes() < self.limit_bytes / 2
    }

    /// Whether a request of this kind may make its answer now.
    pub fn has_room_for(&self, order: Order) -> bool {
        self.held_bytes() < self.limit_for(order)
    }

    fn limit_for(&self, order: Order) -> usize {
        match order {
            Order::Barrier => self.limit_bytes / 4 * 3,
            Order::Overlaps => self.limit_bytes,
        }
    }

    /// Whether requests wait for those who do not take their answers.
    pub fn is_short(&self) -> bool {
        !self.has_room_for(Order::Barrier)
    }

    /// Resolves at the next release after this call that makes room; look for room between calling and awaiting it.
    pub fn released(&self) -> impl Future<Output = ()> {
        self.released.notified()
    }

    /// Resolves when there is room.
    pub async fn wait_for_room(&self, order: Order) {
        loop {
            let released = self.released();
            if self.has_room_for(order) {
                return;
            }
            released.await;
        }
    }

    fn hold(&self, bytes: usize) {
        self.held_bytes.fetch_add(bytes, Ordering::SeqCst);
    }

    fn release(&self, bytes: usize) {
        let before = self.held_bytes.fetch_sub(bytes, Ordering::SeqCst);
        let makes_room = |limit: usize| before >= limit && before - bytes < limit;
        if makes_room(self.limit_for(Order::Barrier)) || makes_room(self.limit_for(Order::Overlaps)) {
            self.released.notify_waiters();
        }
    }
}

/// The memory of one or more answers of a connection, counted until this is dropped.
pub struct AnswerShare {
    connection: Arc<ConnectionState>,
    bytes: usize,
}

impl AnswerShare {
    /// Counts `bytes` more.
    pub fn add(&mut self, bytes: usize) {
        if bytes > 0 {
            self.bytes += bytes;
            self.connection.answers.hold(bytes);
            self.connection.note_held(bytes);
        }
    }

    /// Takes over what another share of the same connection counts.
    pub fn merge(&mut self, mut other: Self) {
        self.bytes += std::mem::take(&mut other.bytes);
    }

    /// Counts nothing any more: the memory is free.
    pub fn release(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        if bytes > 0 {
            self.connection.note_released(bytes);
            self.connection.answers.release(bytes);
        }
    }
}

impl Drop for AnswerShare {
    fn drop(&mut self) {
        self.release();
    }
}

impl fmt::Debug for AnswerShare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AnswerShare({} bytes)", self.bytes)
    }
}

impl ConnectionState {
    /// Counts `bytes` for an answer of this connection until the share is dropped.
    pub fn hold_answer(self: &Arc<Self>, bytes: usize) -> AnswerShare {
        let mut share = AnswerShare {
            connection: self.clone(),
            bytes: 0,
        };
        share.add(bytes);
        share
    }

    /// Whether the answers of this connection hold as much as they may.
    pub fn holds_enough(&self) -> bool {
        self.answer_bytes() >= MAX_CONNECTION_ANSWER_BYTES
    }

    /// Whether records for this connection may be copied into memory; else they are to be sent from their file, which holds
    /// none.
    pub fn may_copy_records(&self) -> bool {
        !self.holds_enough() && self.answers.has_room_for_copies()
    }
}

/// What an answer holds in memory: its pieces and their list.
pub fn memory_bytes(chunks: &[Chunk]) -> usize {
    let pieces: usize = chunks.iter().filter_map(Chunk::as_memory).map(bytes::Bytes::len).sum();
    pieces + size_of_val(chunks)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::net::SocketAddr;

    use super::super::connections::{Connections, Limits};
    use super::*;

    fn connection(connections: &Arc<Connections>) -> Arc<ConnectionState> {
        let address = SocketAddr::from(([127, 0, 0, 1], 9092));
        let admitted = connections.admit(&Arc::from("TEST"), address, address);
        admitted.expect("room").state.clone()
    }

    fn connections(answer_memory_bytes: usize) -> Arc<Connections> {
        Connections::new(Limits {
            protected_listener: None,
            max_connections: 10,
            max_connections_per_ip: 10,
            max_connections_per_ip_overrides: HashMap::new(),
            max_idle: None,
            answer_memory_bytes,
        })
    }

    #[test]
    fn copies_give_way_first_and_produce_and_fetch_last() {
        let connections = connections(1000);
        let (one, other) = (connection(&connections), connection(&connections));
        let answers = connections.answers();
        let room = || {
            (
                other.may_copy_records(),
                answers.has_room_for(Order::Barrier),
                answers.has_room_for(Order::Overlaps),
            )
        };
        let mut share = one.hold_answer(499);
        assert_eq!(room(), (true, true, true));
        share.add(1);
        assert_eq!(room(), (false, true, true));
        share.add(250);
        assert_eq!(room(), (false, false, true));
        let mut more = one.hold_answer(250);
        assert_eq!(room(), (false, false, false));
        more.merge(share);
        assert_eq!(answers.held_bytes(), 1000);
        drop(more);
        assert_eq!((answers.held_bytes(), one.answer_bytes()), (0, 0));
        assert_eq!(room(), (true, true, true));
    }

    #[test]
    fn one_connection_does_not_take_all_copies() {
        let connections = connections(4 * MAX_CONNECTION_ANSWER_BYTES);
        let (one, other) = (connection(&connections), connection(&connections));
        let _share = one.hold_answer(MAX_CONNECTION_ANSWER_BYTES);
        assert!(!one.may_copy_records());
        assert!(other.may_copy_records());
    }
}
