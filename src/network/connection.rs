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
    };
    let end = connection.run().await;
    let state = &connection.admitted.state;
    match end {
        End::Frame(FrameError::Closed) | End::Asked => {}
        End::Frame(e @ FrameError::Length { .. }) => {
            log::warn!(
                "closing the connection of {} ({}): {e}",
                state.peer,
                state.software_line()
            );
        }
        End::Frame(e) => log::debug!("connection of {} ended: {e}", state.peer),
        End::Write(e) => log::debug!("connection of {} ended while answering: {e}", state.peer),
    }
    connection.in_flight.abandon();
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
}

impl<S: Service> Connection<S> {
    async fn run(&mut self) -> End {
        loop {
            if let Err(e) = self.start_what_is_here() {
                return End::Frame(e);
            }
            let closing = self.collect_answers();
            if !self.out.is_empty() {
                if let Err(e) = self.write_answers().await {
                    return End::Write(e);
                }
            }
            if closing {
                return End::Asked;
            }
            if self.can_start() && self.reader_has_frame() {
                continue;
            }
            tokio::select! {
                biased;
                () = self.in_flight.progress(), if !self.in_flight.is_empty() => {}
                () = self.admitted.state.closed() => return End::Asked,
                read = self.reader.fill(&self.stream), if self.may_read() => {
                    if let Err(e) = read {
                        return End::Frame(e);
                    }
                }
            }
        }
    }

    /// A client that does not take its answers is closed by the same deadline as an idle one.
    async fn write_answers(&mut self) -> std::io::Result<()> {
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

    fn reader_has_frame(&self) -> bool {
        self.reader.has_frame()
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
