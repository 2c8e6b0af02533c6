//! One client connection: one task that reads frames, starts requests in order and writes answers in order.
//!
//! Only Produce and Fetch overlap. Any other request is a barrier: it starts when all before it are answered, and nothing
//! after it starts before it is answered. Read-ahead is bounded in requests and in bytes.

use std::collections::VecDeque;
use std::sync::Arc;

use protocol::wire::Chunk;
use tokio::net::TcpStream;

use super::answer_memory::AnswerShare;
use super::connections::{Admitted, ConnectionState, TAKEN_BYTES};
use super::frame::{Frame, FrameError, FrameReader, Patience};
use super::in_flight::{Answer, InFlight, Started};
use super::request_memory::RequestMemory;
use super::response::write_now;
use super::socket::Socket;

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
        socket: Socket::new(stream),
        admitted,
        reader: FrameReader::new(max_frame_bytes, memory),
        in_flight: InFlight::default(),
        held: None,
        out: VecDeque::new(),
        out_share: None,
        ending: None,
    };
    let end = connection.run().await;
    let state = &connection.admitted.state;
    match end {
        End::Frame(FrameError::Closed) | End::Asked => {}
        End::Frame(e @ (FrameError::Length { .. } | FrameError::Stalled | FrameError::GivenUp)) => {
            log::warn!(
                client:% = state.peer.ip();
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
    socket: Socket,
    admitted: Admitted,
    reader: FrameReader,
    in_flight: InFlight,
    /// A barrier that waits for those before it.
    held: Option<Frame>,
    out: VecDeque<Chunk>,
    /// The memory of `out`.
    out_share: Option<AnswerShare>,
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
                && let Err(end) = self.write_answers().await
            {
                return end;
            }
            if closing {
                return End::Asked;
            }
            if self.has_more_to_start() {
                continue;
            }
            let waits_for_room = self.waits_for_room();
            // What had arrived when the client closed its side is carried out all the same.
            if let Some(end) = self
                .ending
                .take_if(|_| self.held.is_none() && !self.in_flight.is_gated() && !waits_for_room)
            {
                return end;
            }
            let patience = self.patience();
            let alone = self.in_flight.is_empty();
            let answers = &self.admitted.state.answers;
            tokio::select! {
                biased;
                () = self.in_flight.progress(&self.admitted.state), if !alone => {}
                // What few connections need, and seldom, gets its memory when it is needed: an idle one has it not.
                () = self.admitted.state.closed() => return Box::pin(self.finish()).await,
                e = async { Box::pin(patience.ended()).await }, if patience.is_limited() => return End::Frame(e),
                () = async { Box::pin(answers.wait_for_room(Order::Overlaps)).await }, if waits_for_room => {}
                read = self.reader.fill(&mut self.socket, alone), if self.ending.is_none() && self.may_read() => {
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
            self.in_flight.progress(&self.admitted.state).await;
            self.collect_answers();
            if !self.out.is_empty()
                && let Err(end) = self.write_answers().await
            {
                return end;
            }
        }
        End::Asked
    }

    async fn write_answers(&mut self) -> Result<(), End> {
        let written = self.write_all().await;
        self.admitted.state.note_taken();
        // An idle connection keeps no memory for its next answer.
        self.out = VecDeque::new();
        self.out_share = None;
        self.admitted.touch(!self.in_flight.is_empty());
        written
    }

    /// A client that takes nothing of its answers is closed by the same deadline as an idle one; every piece that it takes
    /// is a sign of life.
    async fn write_all(&mut self) -> Result<(), End> {
        self.admitted.touch(false);
        let mut taken_bytes = 0;
        if self.write_some(&mut taken_bytes)? {
            return Ok(());
        }
        self.reader.leave_the_line();
        Box::pin(self.write_the_rest(taken_bytes)).await
    }

    /// What the socket takes now; whether that was all.
    fn write_some(&mut self, taken_bytes: &mut usize) -> Result<bool, End> {
        let mut taken = |bytes| {
            self.admitted.touch(false);
            *taken_bytes += bytes;
            if *taken_bytes >= TAKEN_BYTES {
                *taken_bytes = 0;
                self.admitted.state.note_taken();
            }
        };
        write_now(&self.socket, &mut self.out, &mut taken).map_err(End::Write)
    }

    async fn write_the_rest(&mut self, mut taken_bytes: usize) -> Result<(), End> {
        loop {
            // Ranges of files are left: they hold no memory, however long the client takes them.
            if self.out.iter().all(|chunk| chunk.as_memory().is_none()) {
                self.out_share = None;
            }
            let patience = self.reader.patience();
            let stream = self.socket.watched().map_err(End::Write)?;
            tokio::select! {
                biased;
                () = self.admitted.state.closed() => return Err(End::Write(std::io::ErrorKind::TimedOut.into())),
                e = patience.ended(), if patience.is_limited() => return Err(End::Frame(e)),
                writable = stream.writable() => writable.map_err(End::Write)?,
            }
            if self.write_some(&mut taken_bytes)? {
                return Ok(());
            }
        }
    }

    fn can_start(&self) -> bool {
        self.held.is_none()
            && !self.in_flight.is_gated()
            && self.in_flight.len() < MAX_IN_FLIGHT_REQUESTS
            && self.in_flight.bytes() < MAX_IN_FLIGHT_BYTES
            && !self.admitted.state.holds_enough()
    }

    /// Whether the memory of all answers leaves room for what Produce and Fetch make as they start.
    fn has_room(&self) -> bool {
        self.admitted.state.answers.has_room_for(Order::Overlaps)
    }

    /// What is here may start as soon as others have taken their answers.
    fn waits_for_room(&self) -> bool {
        !self.has_room() && self.can_start() && self.reader.has_frame()
    }

    fn may_read(&self) -> bool {
        // What is here and waits for the memory of answers must not gather more behind it.
        let may_start_more = self.can_start() && (self.has_room() || !self.reader.has_frame());
        may_start_more || self.reader.is_budgeted() || self.reader.buffered_bytes() < MAX_READ_AHEAD_BYTES
    }

    /// How long a large frame may hold memory, be it on its way or held back.
    fn patience(&self) -> Patience {
        let patience = self.reader.patience();
        match &self.held {
            Some(frame) => patience.and_of(frame),
            None => patience,
        }
    }

    /// Answers that were just written may have made room for what is here already.
    fn has_more_to_start(&self) -> bool {
        match self.held {
            Some(_) => self.in_flight.is_empty(),
            None => self.can_start() && self.has_room() && self.reader.has_frame(),
        }
    }

    fn start_what_is_here(&mut self) -> Result<(), FrameError> {
        if self.in_flight.is_empty()
            && let Some(frame) = self.held.take()
        {
            self.start(frame, true);
        }
        while self.can_start() && self.has_room() {
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
        frame.permit.note_started();
        let started = self.service.start(&self.admitted.state, &frame);
        // What is answered already holds nothing back.
        let barrier = barrier && !matches!(started, Started::Ready(_));
        self.in_flight.push(started, barrier, frame.bytes.len(), frame.permit);
    }

    /// Moves finished answers to `out`; true when the connection is to be closed after they are written.
    fn collect_answers(&mut self) -> bool {
        while let Some(answer) = self.in_flight.pop_ready() {
            match answer {
                Answer::Send(chunks, share) => {
                    self.out.extend(chunks);
                    match &mut self.out_share {
                        Some(out_share) => out_share.merge(share),
                        None => self.out_share = Some(share),
                    }
                }
                Answer::Nothing => self.admitted.touch(!self.in_flight.is_empty()),
                Answer::Close => return true,
            }
        }
        false
    }
}

#[cfg(test)]
mod asks_again;
#[cfg(test)]
mod tests;
