//! Requests of one connection that are being served: started in order, answered in order.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use protocol::wire::Chunk;

use super::answer_memory::AnswerShare;
use super::connection::Order;
use super::connections::ConnectionState;
use super::look::noted;
use super::request_memory::RequestPermit;

/// What a request comes to.
#[derive(Debug)]
pub enum Answer {
    /// A complete response frame, length prefix included, and what counts its memory.
    Send(Vec<Chunk>, AnswerShare),
    /// Nothing is sent: a Produce with acks=0.
    Nothing,
    /// The connection is closed, as Kafka does where it has no other way to say that something is wrong. The reason has been
    /// logged by whoever decided so.
    Close,
}

/// A request that will be answered later.
pub type AnswerFuture = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// How far a request came when it was started.
pub enum Started {
    /// Already answered.
    Ready(Answer),
    /// It waits for something that may never come (new records, other members): dropped when the client goes.
    Waiting(AnswerFuture),
    /// What it was to change is under way without it: dropped when the client goes, and answered when the broker stops.
    Settling(AnswerFuture),
    /// It changes something and must run to its end even if the client goes.
    Running(AnswerFuture),
    /// Its append is still under way elsewhere. Nothing that this connection sent after it may start before this future has
    /// yielded how the request goes on.
    Gated(Pin<Box<dyn Future<Output = Started> + Send>>),
}

enum Slot {
    Ready(Answer),
    Waiting(AnswerFuture),
    Settling(AnswerFuture),
    Running(AnswerFuture),
    Gated(Pin<Box<dyn Future<Output = Started> + Send>>),
}

impl From<Started> for Slot {
    fn from(started: Started) -> Self {
        match started {
            Started::Ready(answer) => Slot::Ready(answer),
            Started::Waiting(future) => Slot::Waiting(future),
            Started::Settling(future) => Slot::Settling(future),
            Started::Running(future) => Slot::Running(future),
            Started::Gated(future) => Slot::Gated(future),
        }
    }
}

impl Slot {
    fn poll(&mut self, cx: &mut Context<'_>) {
        loop {
            match self {
                Slot::Ready(_) => return,
                Slot::Waiting(future) | Slot::Settling(future) | Slot::Running(future) => {
                    if let Poll::Ready(answer) = future.as_mut().poll(cx) {
                        *self = Slot::Ready(answer);
                    }
                    return;
                }
                Slot::Gated(future) => match future.as_mut().poll(cx) {
                    Poll::Ready(started) => *self = started.into(),
                    Poll::Pending => return,
                },
            }
        }
    }
}

/// How far [`InFlight::progress`] came.
enum Step {
    Progressed,
    Waits,
    /// Something may not go on until answers of other requests are written.
    NoRoom,
}

struct Entry {
    slot: Slot,
    /// A request that nothing may overtake and that overtakes nothing: every key but Produce and Fetch.
    barrier: bool,
    bytes: usize,
    /// Given back with the answer: the request's bytes are of no use then, however long the answer waits for its turn.
    permit: RequestPermit,
}

impl Entry {
    fn order(&self) -> Order {
        match self.barrier {
            true => Order::Barrier,
            false => Order::Overlaps,
        }
    }

    fn is_answered(&self) -> bool {
        matches!(self.slot, Slot::Ready(_))
    }

    fn poll(&mut self, cx: &mut Context<'_>) {
        self.slot.poll(cx);
        if self.is_answered() {
            self.permit = RequestPermit::default();
        }
    }
}

/// The queue. Bounded by its owner, which starts nothing new while [`InFlight::is_gated`].
#[derive(Default)]
pub struct InFlight {
    entries: VecDeque<Entry>,
    bytes: usize,
}

impl InFlight {
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// The size of all requests that wait for their answer.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// True while a request is under way that everything behind it must wait for.
    pub fn is_gated(&self) -> bool {
        self.entries
            .back()
            .is_some_and(|e| e.barrier || matches!(e.slot, Slot::Gated(_)))
    }

    pub fn push(&mut self, started: Started, barrier: bool, bytes: usize, permit: RequestPermit) {
        self.bytes += bytes;
        self.entries.push_back(Entry {
            slot: started.into(),
            barrier,
            bytes,
            permit,
        });
    }

    /// Takes the answer of the oldest request if it is there.
    pub fn pop_ready(&mut self) -> Option<Answer> {
        if !self.entries.front()?.is_answered() {
            return None;
        }
        let entry = self.entries.pop_front()?;
        self.bytes -= entry.bytes;
        match entry.slot {
            Slot::Ready(answer) => Some(answer),
            _ => None,
        }
    }

    /// Lets every request go on; returns when the oldest has its answer or a gate has opened. Never returns when empty.
    ///
    /// While the connection's answers hold as much as they may, only the oldest goes on; while those of all do, none.
    pub async fn progress(&mut self, state: &ConnectionState) {
        let gated = self.is_gated();
        loop {
            // Before looking for room: what is released meanwhile must not be missed.
            let mut released = pin!(state.answers.released());
            let progressed = poll_fn(|cx| {
                let waker = noted(cx.waker());
                let cx = &mut Context::from_waker(&waker);
                match self.poll_all(cx, state, gated) {
                    Step::Progressed => Poll::Ready(true),
                    Step::Waits => Poll::Pending,
                    Step::NoRoom => released.as_mut().poll(cx).map(|()| false),
                }
            });
            if progressed.await {
                return;
            }
        }
    }

    fn poll_all(&mut self, cx: &mut Context<'_>, state: &ConnectionState, gated: bool) -> Step {
        let mut no_room = false;
        for (place, entry) in self.entries.iter_mut().enumerate() {
            if place > 0 && state.holds_enough() {
                break;
            }
            if state.answers.has_room_for(entry.order()) {
                entry.poll(cx);
            } else {
                no_room |= !entry.is_answered();
            }
        }
        let answered = self.entries.front().is_some_and(Entry::is_answered);
        if answered || (gated && !self.is_gated()) {
            Step::Progressed
        } else if no_room {
            Step::NoRoom
        } else {
            Step::Waits
        }
    }

    /// Whether anything is under way that a broker which stops still answers.
    pub fn must_finish(&self) -> bool {
        let settles = |entry: &Entry| matches!(entry.slot, Slot::Settling(_));
        self.changes_something() || self.entries.iter().any(settles)
    }

    fn changes_something(&self) -> bool {
        self.entries
            .iter()
            .any(|e| matches!(e.slot, Slot::Running(_) | Slot::Gated(_)))
    }

    /// The client is gone: what only waits is dropped, what changes something runs on by itself. `keep` lives as long as that.
    pub fn abandon<K: Send + 'static>(mut self, keep: K) {
        if !self.changes_something() {
            return;
        }
        // Answers that nobody will read are not kept until others are made.
        self.entries.retain(|entry| !entry.is_answered());
        tokio::spawn(async move {
            for entry in self.entries {
                match entry.slot {
                    Slot::Running(future) => {
                        let _: Answer = future.await;
                    }
                    Slot::Gated(future) => {
                        let _: Started = future.await;
                    }
                    Slot::Ready(_) | Slot::Waiting(_) | Slot::Settling(_) => {}
                }
            }
            drop(keep);
        });
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::net::SocketAddr;
    use std::sync::Arc;

    use super::super::connections::{Connections, Limits};
    use super::*;
    use tokio::sync::oneshot;

    fn state() -> Arc<ConnectionState> {
        let limits = Limits {
            protected_listener: None,
            max_connections: 1,
            max_connections_per_ip: 1,
            max_connections_per_ip_overrides: HashMap::new(),
            max_idle: None,
            answer_memory_bytes: 1024,
        };
        let address = SocketAddr::from(([127, 0, 0, 1], 9092));
        let admitted = Connections::new(limits).admit(&Arc::from("TEST"), address, address);
        admitted.expect("room").state.clone()
    }

    fn waiting(receiver: oneshot::Receiver<Answer>) -> Started {
        Started::Waiting(Box::pin(async move { receiver.await.unwrap_or(Answer::Close) }))
    }

    #[tokio::test]
    async fn answers_leave_in_the_order_of_the_requests() {
        let mut in_flight = InFlight::default();
        let (first, receiver) = oneshot::channel();
        in_flight.push(waiting(receiver), false, 10, RequestPermit::default());
        in_flight.push(Started::Ready(Answer::Nothing), false, 5, RequestPermit::default());
        assert!(in_flight.pop_ready().is_none(), "the second may not overtake the first");
        assert_eq!(in_flight.bytes(), 15);
        first.send(Answer::Close).expect("receiver lives");
        in_flight.progress(&state()).await;
        assert!(matches!(in_flight.pop_ready(), Some(Answer::Close)));
        assert!(matches!(in_flight.pop_ready(), Some(Answer::Nothing)));
        assert!(in_flight.is_empty());
        assert_eq!(in_flight.bytes(), 0);
    }

    #[tokio::test]
    async fn a_gate_opens_when_its_append_is_done_even_if_the_answer_is_not_there() {
        let mut in_flight = InFlight::default();
        let (open, gate) = oneshot::channel::<()>();
        let (answer, receiver) = oneshot::channel();
        in_flight.push(
            Started::Gated(Box::pin(async move {
                let _ = gate.await;
                waiting(receiver)
            })),
            false,
            1,
            RequestPermit::default(),
        );
        assert!(in_flight.is_gated());
        open.send(()).expect("gate lives");
        in_flight.progress(&state()).await;
        assert!(!in_flight.is_gated());
        assert!(in_flight.pop_ready().is_none());
        answer.send(Answer::Nothing).expect("receiver lives");
        in_flight.progress(&state()).await;
        assert!(matches!(in_flight.pop_ready(), Some(Answer::Nothing)));
    }

    #[tokio::test]
    async fn a_broker_that_stops_answers_what_it_has_appended_and_waits_for_no_records() {
        let mut in_flight = InFlight::default();
        let (_records, none_come) = oneshot::channel();
        in_flight.push(waiting(none_come), false, 1, RequestPermit::default());
        assert!(!in_flight.must_finish());
        let (flushed, receiver) = oneshot::channel();
        let appended = Started::Settling(Box::pin(async move { receiver.await.unwrap_or(Answer::Close) }));
        in_flight.push(appended, false, 1, RequestPermit::default());
        assert!(in_flight.must_finish());
        flushed.send(Answer::Nothing).expect("receiver lives");
        let state = state();
        // The first of them still waits: this ends nothing, but all have gone on.
        tokio::select! {
            biased;
            () = in_flight.progress(&state) => panic!("the oldest has no answer"),
            () = std::future::ready(()) => {}
        }
        assert!(!in_flight.must_finish());
    }

    #[tokio::test]
    async fn what_changes_something_runs_to_its_end_when_the_client_goes() {
        let mut in_flight = InFlight::default();
        let (done, finished) = oneshot::channel();
        in_flight.push(
            Started::Running(Box::pin(async move {
                tokio::task::yield_now().await;
                done.send(()).expect("the test waits");
                Answer::Nothing
            })),
            true,
            1,
            RequestPermit::default(),
        );
        in_flight.abandon(());
        finished.await.expect("ran to its end");
    }
}
