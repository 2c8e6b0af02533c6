//! One client connection: one task that reads frames, starts requests in order and writes answers in order.
//!
//! Only Produce and Fetch overlap. Any other request is a barrier: it starts when all before it are answered, and nothing
//! after it starts before it is answered. Read-ahead is bounded in requests and in bytes.

use std::collections::VecDeque;
use std::sync::Arc;

use protocol::wire::Chunk;
use tokio::net::TcpStream;

use super::connections::{Admitted, ConnectionState};
use super::frame::{Frame, FrameError, FrameReader, RequestMemory};
use super::in_flight::{Answer, InFlight, Started};
use super::response::write_chunks;

/// Requests of one connection that may be under way at once.
const MAX_IN_FLIGHT_REQUESTS: usize = 64;
/// Bytes of requests of one connection that may be under way at once; one request more may always be.
const MAX_IN_FLIGHT_BYTES: usize = 8 * 1024 * 1024;
/// Bytes of requests read ahead while nothing new may start. Enough to notice that the client is gone.
const MAX_READ_AHEAD_BYTES: usize = 64 * 1024;

/// What a connection needs to know of the broker: how to start the request in a frame.
pub trait Service: Send + Sync + 'static {
    /// Reads the frame's header: may it overlap with others ([`Order::Overlaps`])?
    fn order(&self, frame: &Frame) -> Order;
    /// Starts the request.
    fn start(self: &Arc<Self>, connection: &Arc<ConnectionState>, frame: &Frame) -> Started;
}

/// How a request stands to those before and after it on its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Produce and Fetch.
    Overlaps,
    /// Everything else.
    Barrier,
}

/// Serves `stream` until the client closes it, breaks the protocol, or the broker wants it closed.
pub async fn serve<S: Service>(
    service: Arc<S>,
    stream: TcpStream,
    admitted: Admitted,
    max_frame_bytes: usize,
    memory: RequestMemory,
) {
    let mut connection = Connection {
        service,
        stream,
        admitted,
        reader: FrameReader::new(max_frame_bytes, memory),
        in_flight: InFlight::default(),
        held: None,
        out: VecDeque::new(),
        ending: None,
    };
    let end = connection.run().await;
    let state = &connection.admitted.state;
    match end {
        End::Frame(FrameError::Closed) | End::Asked => {}
        End::Frame(e @ FrameError::Length { .. }) => {
            log::warn!(
                "closing the connection of {} ({}): {e}",
                state.peer.ip(),
                state.software_line()
            );
        }
        End::Frame(e) => log::debug!("connection of {} ended: {e}", state.peer),
        End::Write(e) => log::debug!("connection of {} ended while answering: {e}", state.peer),
    }
    connection.in_flight.abandon(connection.admitted);
}

enum End {
    Frame(FrameError),
    Write(std::io::Error),
    /// By the broker: a request whose answer is to close, a deadline, a shutdown.
    Asked,
}

struct Connection<S> {
    service: Arc<S>,
    stream: TcpStream,
    admitted: Admitted,
    reader: FrameReader,
    in_flight: InFlight,
    /// A barrier that waits for those before it.
    held: Option<Frame>,
    out: VecDeque<Chunk>,
    /// Why nothing more is read.
    ending: Option<End>,
}

impl<S: Service> Connection<S> {
    async fn run(&mut self) -> End {
        loop {
            if let Err(e) = self.start_what_is_here() {
                return End::Frame(e);
            }
            let closing = self.collect_answers();
            if !self.out.is_empty()
                && let Err(e) = self.write_answers().await
            {
                return End::Write(e);
            }
            if closing {
                return End::Asked;
            }
            if self.has_more_to_start() {
                continue;
            }
            // What had arrived when the client closed its side is carried out all the same.
            if let Some(end) = self
                .ending
                .take_if(|_| self.held.is_none() && !self.in_flight.is_gated())
            {
                return end;
            }
            tokio::select! {
                biased;
                () = self.in_flight.progress(), if !self.in_flight.is_empty() => {}
                () = self.admitted.state.closed() => return self.finish().await,
                read = self.reader.fill(&self.stream), if self.ending.is_none() && self.may_read() => {
                    if let Err(e) = read {
                        self.ending = Some(End::Frame(e));
                    }
                }
            }
        }
    }

    /// The broker closes the connection: at once for a deadline, after what has begun when it stops.
    async fn finish(&mut self) -> End {
        while self.admitted.state.is_finishing() && self.in_flight.must_finish() {
            self.in_flight.progress().await;
            self.collect_answers();
            if !self.out.is_empty()
                && let Err(e) = self.write_answers().await
            {
                return End::Write(e);
            }
        }
        End::Asked
    }

    /// A client that does not take its answers is closed by the same deadline as an idle one.
    async fn write_answers(&mut self) -> std::io::Result<()> {
        self.admitted.touch(false);
        let result = tokio::select! {
            biased;
            written = write_chunks(&self.stream, &mut self.out) => written,
            () = self.admitted.state.closed() => Err(std::io::ErrorKind::TimedOut.into()),
        };
        // An idle connection keeps no memory for its next answer.
        self.out = VecDeque::new();
        self.admitted.touch(!self.in_flight.is_empty());
        result
    }

    fn can_start(&self) -> bool {
        self.held.is_none()
            && !self.in_flight.is_gated()
            && self.in_flight.len() < MAX_IN_FLIGHT_REQUESTS
            && self.in_flight.bytes() < MAX_IN_FLIGHT_BYTES
    }

    fn may_read(&self) -> bool {
        self.can_start() || self.reader.buffered_bytes() < MAX_READ_AHEAD_BYTES
    }

    /// Answers that were just written may have made room for what is here already.
    fn has_more_to_start(&self) -> bool {
        match self.held {
            Some(_) => self.in_flight.is_empty(),
            None => self.can_start() && self.reader.has_frame(),
        }
    }

    fn start_what_is_here(&mut self) -> Result<(), FrameError> {
        if self.in_flight.is_empty()
            && let Some(frame) = self.held.take()
        {
            self.start(frame, true);
        }
        while self.can_start() {
            let Some(frame) = self.reader.take_frame()? else { break };
            self.admitted.touch(true);
            match self.service.order(&frame) {
                Order::Overlaps => self.start(frame, false),
                Order::Barrier if self.in_flight.is_empty() => self.start(frame, true),
                Order::Barrier => self.held = Some(frame),
            }
        }
        Ok(())
    }

    fn start(&mut self, frame: Frame, barrier: bool) {
        let started = self.service.start(&self.admitted.state, &frame);
        // What is answered already holds nothing back.
        let barrier = barrier && !matches!(started, Started::Ready(_));
        self.in_flight.push(started, barrier, frame.bytes.len(), frame.permit);
    }

    /// Moves finished answers to `out`; true when the connection is to be closed after they are written.
    fn collect_answers(&mut self) -> bool {
        while let Some(answer) = self.in_flight.pop_ready() {
            match answer {
                Answer::Send(chunks) => self.out.extend(chunks),
                Answer::Nothing => self.admitted.touch(!self.in_flight.is_empty()),
                Answer::Close => return true,
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::time::Duration;

    use bytes::Bytes;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio::sync::Mutex;
    use tokio::sync::mpsc;

    use super::super::connections::{Connections, Limits};
    use super::super::in_flight::AnswerFuture;
    use super::*;

    /// A request is one letter: lower case overlaps, upper case is a barrier. It is answered with itself when the test says so.
    struct Letters {
        started: mpsc::UnboundedSender<char>,
        answers: Mutex<HashMap<char, tokio::sync::oneshot::Receiver<Answer>>>,
    }

    impl Service for Letters {
        fn order(&self, frame: &Frame) -> Order {
            if frame.bytes[0].is_ascii_lowercase() {
                Order::Overlaps
            } else {
                Order::Barrier
            }
        }

        fn start(self: &Arc<Self>, _: &Arc<ConnectionState>, frame: &Frame) -> Started {
            let letter = char::from(frame.bytes[0]);
            self.started.send(letter).expect("the test listens");
            let service = self.clone();
            let answer: AnswerFuture = Box::pin(async move {
                let receiver = service
                    .answers
                    .lock()
                    .await
                    .remove(&letter)
                    .expect("an expected letter");
                receiver.await.unwrap_or(Answer::Close)
            });
            Started::Waiting(answer)
        }
    }

    struct Harness {
        client: TcpStream,
        started: mpsc::UnboundedReceiver<char>,
        answers: HashMap<char, tokio::sync::oneshot::Sender<Answer>>,
    }

    impl Harness {
        async fn new(letters: &str) -> Self {
            let (started_in, started) = mpsc::unbounded_channel();
            let (mut senders, mut receivers) = (HashMap::new(), HashMap::new());
            for letter in letters.chars() {
                let (sender, receiver) = tokio::sync::oneshot::channel();
                senders.insert(letter, sender);
                receivers.insert(letter, receiver);
            }
            let service = Arc::new(Letters {
                started: started_in,
                answers: Mutex::new(receivers),
            });
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            let address = listener.local_addr().expect("bound");
            let connections = Connections::new(Limits {
                max_connections: 10,
                max_connections_per_ip: 10,
                max_connections_per_ip_overrides: HashMap::new(),
                max_idle: None,
            });
            let client = TcpStream::connect(address).await.expect("connects");
            let (stream, peer) = listener.accept().await.expect("accepts");
            let admitted = connections.admit(&Arc::from("TEST"), peer, address).expect("room");
            tokio::spawn(serve(
                service,
                stream,
                admitted,
                1024 * 1024,
                RequestMemory::new(1 << 20, 1 << 20),
            ));
            Self {
                client,
                started,
                answers: senders,
            }
        }

        async fn send(&mut self, letters: &str) {
            for letter in letters.bytes() {
                self.client.write_all(&[0, 0, 0, 1, letter]).await.expect("sends");
            }
        }

        fn answer(&mut self, letter: char) {
            let bytes = Bytes::from(letter.to_string());
            let sent = self
                .answers
                .remove(&letter)
                .expect("not answered yet")
                .send(Answer::Send(vec![bytes.into()]));
            sent.expect("the request waits");
        }

        async fn next_started(&mut self) -> char {
            self.started.recv().await.expect("the connection lives")
        }

        async fn nothing_starts(&mut self) {
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
            assert!(self.started.try_recv().is_err(), "something started too early");
        }

        async fn receive(&mut self, count: usize) -> String {
            let mut bytes = vec![0; count];
            self.client.read_exact(&mut bytes).await.expect("answers");
            String::from_utf8(bytes).expect("letters")
        }
    }

    #[tokio::test]
    async fn overlapping_requests_start_at_once_and_are_answered_in_order() {
        let mut harness = Harness::new("abc").await;
        harness.send("abc").await;
        for expected in ['a', 'b', 'c'] {
            assert_eq!(harness.next_started().await, expected);
        }
        harness.answer('c');
        harness.answer('b');
        harness.answer('a');
        assert_eq!(harness.receive(3).await, "abc");
    }

    #[tokio::test]
    async fn a_barrier_waits_for_those_before_it_and_holds_back_those_after_it() {
        let mut harness = Harness::new("aBc").await;
        harness.send("aBc").await;
        assert_eq!(harness.next_started().await, 'a');
        harness.nothing_starts().await;
        harness.answer('a');
        assert_eq!(harness.next_started().await, 'B');
        harness.nothing_starts().await;
        harness.answer('B');
        assert_eq!(harness.next_started().await, 'c');
        harness.answer('c');
        assert_eq!(harness.receive(3).await, "aBc");
    }

    #[tokio::test]
    async fn what_had_arrived_when_the_client_closed_is_carried_out() {
        let mut harness = Harness::new("AbC").await;
        harness.send("AbC").await;
        harness.client.shutdown().await.expect("closes its side");
        for letter in ['A', 'b', 'C'] {
            assert_eq!(harness.next_started().await, letter);
            harness.answer(letter);
        }
        assert_eq!(harness.receive(3).await, "AbC");
        assert_eq!(harness.client.read(&mut [0; 8]).await.expect("ends"), 0);
    }

    #[tokio::test]
    async fn a_frame_that_comes_in_pieces_is_one_request() {
        let mut harness = Harness::new("a").await;
        for byte in [0, 0, 0, 1] {
            harness.client.write_all(&[byte]).await.expect("sends");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        harness.nothing_starts().await;
        harness.client.write_all(b"a").await.expect("sends");
        assert_eq!(harness.next_started().await, 'a');
    }

    #[tokio::test]
    async fn an_impossible_length_closes_the_connection() {
        for length in [-1_i32, i32::MAX] {
            let mut harness = Harness::new("").await;
            harness.client.write_all(&length.to_be_bytes()).await.expect("sends");
            assert_eq!(
                harness.client.read(&mut [0; 8]).await.expect("ends"),
                0,
                "length {length}"
            );
        }
    }

    #[tokio::test]
    async fn an_idle_connection_is_small() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let stream = TcpStream::connect(address).await.expect("connects");
        let connections = Connections::new(Limits {
            max_connections: 1,
            max_connections_per_ip: 1,
            max_connections_per_ip_overrides: HashMap::new(),
            max_idle: None,
        });
        let admitted = connections.admit(&Arc::from("TEST"), address, address).expect("room");
        let (started, _) = mpsc::unbounded_channel();
        let service = Arc::new(Letters {
            started,
            answers: Mutex::default(),
        });
        let task = serve(service, stream, admitted, 1, RequestMemory::new(1, 1));
        // Two thousand idle connections shall cost megabytes, not tens of them.
        assert!(
            size_of_val(&task) <= 2048,
            "the task of a connection takes {} bytes",
            size_of_val(&task)
        );
    }
}
