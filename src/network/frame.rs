//! Cutting a connection's byte stream into frames: a 4-byte big-endian length, then that many bytes.
//!
//! An idle connection owns no buffer: what the socket holds is first read into one scratch buffer per thread, and only a
//! frame that arrives in pieces, or that is larger than that, gets memory of its own. That memory grows with what has
//! arrived, never with what the length claims.
//!
//! A frame above 64 KiB takes room of the request memory before more of it is read, in steps, as much as has arrived at a
//! time; so a length that nothing follows reserves nothing. What is held has to be used: a frame that does not keep arriving,
//! or cannot be started, ends its connection, and sooner where others wait for the memory.

use std::cell::RefCell;
use std::io;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::look::Looking;
use super::request_memory::{ArrivingShare, RequestMemory, RequestPermit, Watch};
use super::socket::Socket;

/// What one thread reads into before it knows how long a frame is. Small frames never need more.
const SCRATCH_BYTES: usize = 64 * 1024;
/// Bytes that a frame may occupy before it must hold a share of the request memory.
const UNBUDGETED_BYTES: usize = 64 * 1024;
/// A frame that holds a share has to bring [`ARRIVAL_BYTES`] in each span of this length.
const ARRIVAL_WINDOW: Duration = Duration::from_secs(10);
/// 16 KiB a second: an eighth of what a line of 1 Mbit/s carries, so that several clients may share such a line, and a
/// retransmission may cost seconds. Whoever wants to keep others from the memory has to send at that rate for as long.
const ARRIVAL_BYTES: usize = 160 * 1024;
/// How long a complete frame may hold its share until it is started. What is before it on its connection may wait for new
/// records, which clients limit to seconds; a client that asks for more shall not keep the memory meanwhile.
const START_WITHIN: Duration = Duration::from_secs(60);

thread_local! {
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; SCRATCH_BYTES]);
}

/// One request as it came off the wire, without its length prefix. Holds its share of the budget until dropped.
pub struct Frame {
    /// The header and body.
    pub bytes: Bytes,
    /// Returned to the budget when the request has been answered, or earlier.
    pub permit: RequestPermit,
    /// Until when the request has to be started, if it holds a share of the budget.
    pub start_by: Option<Instant>,
}

/// Why no further frame can be read.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The client closed its side between two frames.
    #[error("closed by the client")]
    Closed,
    /// The client closed its side within a frame.
    #[error("closed by the client after {have} of {length} bytes of a request")]
    Torn {
        /// Bytes of the frame that had arrived.
        have: usize,
        /// The frame's length.
        length: usize,
    },
    /// A negative length, or one above `socket.request.max.bytes`.
    #[error("a request claims {length} bytes; the limit is {max} (socket.request.max.bytes){}", foreign(*length, *is_first))]
    Length {
        /// The length on the wire.
        length: i32,
        /// Whether nothing came before it on its connection.
        is_first: bool,
        /// `socket.request.max.bytes`.
        max: usize,
    },
    /// A frame that holds its share of the request memory does not keep arriving (16 KiB a second), or could not be started
    /// for a minute because of what is before it.
    #[error("a large request keeps memory from others and does not come on (queued.max.request.bytes)")]
    Stalled,
    /// A frame would take too long to arrive, or could not be started for long, and others wait for the memory that it holds.
    #[error("a large request comes or goes on too slowly while others wait for the memory (queued.max.request.bytes)")]
    GivenUp,
    /// The socket failed.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// Which other protocol begins with what stands for the length of a first frame, for a log line.
fn foreign(length: i32, is_first: bool) -> &'static str {
    const HTTP: [&[u8; 4]; 10] = [
        b"GET ", b"HEAD", b"POST", b"PUT ", b"DELE", b"CONN", b"OPTI", b"TRAC", b"PATC", b"PRI ",
    ];
    match length.to_be_bytes() {
        _ if !is_first => "",
        // A handshake record of TLS 1.x, or of SSL 3.
        [0x16, 0x03, ..] => "; it looks like TLS, sent to a PLAINTEXT listener",
        start if HTTP.contains(&&start) || start == *b"HTTP" => {
            "; it looks like HTTP, sent to a listener of Kafka's protocol"
        }
        _ => "",
    }
}

/// What a frame that holds a share owes.
struct Due {
    at: Instant,
    /// How much is to be buffered by then.
    buffered_bytes: usize,
}

/// The reading half's state of one connection.
pub struct FrameReader {
    buffer: BytesMut,
    max_frame_bytes: usize,
    /// Whether no frame was taken yet.
    is_first: bool,
    memory: RequestMemory,
    /// Of the frame that arrives. Kept between reads, so that an interruption does not cost the place in the line.
    share: Option<ArrivingShare>,
    /// Of the frame that is here and has not been taken.
    permit: RequestPermit,
    due: Option<Due>,
    looking: Looking,
}

impl FrameReader {
    /// A reader that refuses frames above `max_frame_bytes` (`socket.request.max.bytes`).
    pub fn new(max_frame_bytes: usize, memory: RequestMemory) -> Self {
        Self {
            buffer: BytesMut::new(),
            max_frame_bytes,
            is_first: true,
            memory,
            share: None,
            permit: RequestPermit::default(),
            due: None,
            looking: Looking::default(),
        }
    }

    /// How long the frame that is being read may go on holding a share of the budget.
    pub fn patience(&self) -> Patience {
        let arriving = self.share.as_ref().map(ArrivingShare::watch);
        Patience {
            due_at: self.due.as_ref().map(|due| due.at),
            watches: [arriving.or_else(|| self.permit.watch()), None],
        }
    }

    /// True while the frame that is being read holds a share of the budget or waits for one: reading has to go on then,
    /// whatever else the connection does.
    pub fn is_budgeted(&self) -> bool {
        self.share.is_some()
    }

    /// Gives up a place in the line for memory; the next [`FrameReader::fill`] asks anew. For a connection that will not read
    /// for a while: what it is granted would be kept from others.
    pub fn leave_the_line(&mut self) {
        let Some(share) = self.share.as_mut().filter(|share| share.waits()) else {
            return;
        };
        match share.stop_asking() {
            true => self.expect_more(),
            false => self.share = None,
        }
    }

    /// Bytes read from the socket and not yet handed out.
    pub fn buffered_bytes(&self) -> usize {
        self.buffer.len()
    }

    /// True when [`FrameReader::take_frame`] has something to say: a frame, or what is wrong with it.
    pub fn has_frame(&self) -> bool {
        self.frame_length().map_or(true, |length| {
            length.is_some_and(|length| self.buffer.len() >= 4 + length)
        })
    }

    /// The next complete frame among the bytes that were read already, if there is one.
    pub fn take_frame(&mut self) -> Result<Option<Frame>, FrameError> {
        let Some(length) = self.frame_length()? else {
            return Ok(None);
        };
        if self.buffer.len() < 4 + length {
            return Ok(None);
        }
        self.is_first = false;
        let mut frame = self.buffer.split_to(4 + length);
        if self.buffer.is_empty() {
            // The frame keeps the allocation alive as long as it needs it; the connection shall not.
            self.buffer = BytesMut::new();
        }
        let _ = frame.split_to(4);
        Ok(Some(Frame {
            bytes: frame.freeze(),
            permit: std::mem::take(&mut self.permit),
            start_by: self.due.take().map(|due| due.at),
        }))
    }

    /// Takes one step: more of the budget where the frame needs it, else one read of the socket. Safe to drop at any await.
    /// To be called only while [`FrameReader::patience`] is watched.
    ///
    /// `alone` says that no request of this connection is being served: the next one may follow an answer at once.
    pub async fn fill(&mut self, socket: &mut Socket, alone: bool) -> Result<(), FrameError> {
        if let Some(length) = self.in_need_of_room() {
            let received = self.buffer.len();
            let share = self.share.get_or_insert_with(|| self.memory.enter(length));
            share.note_received(received);
            if share.held_bytes() <= received && !share.ask() {
                // It is for us that the client waits now.
                self.due = None;
                share.granted().await;
            }
            if self.due.is_none() {
                self.expect_more();
                return Ok(());
            }
        }
        let begins = self.buffer.is_empty();
        let found = match begins && alone {
            true => self.look(socket).await,
            false => None,
        };
        let read = match found {
            Some(read) => read,
            None => {
                self.looking.note_sleep(socket.is_apart());
                let stream = socket.watched()?;
                stream.readable().await?;
                self.read_once(stream)
            }
        };
        match read {
            Ok(0) => Err(self.closed()),
            Ok(_) => {
                if begins {
                    self.looking.note_request(std::time::Instant::now(), alone);
                }
                self.note_arrival();
                Ok(())
            }
            Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => Ok(()),
            Err(e) => Err(e.into()),
        }
    }

    /// Reads what comes at once after an answer without sleeping; none where that is not likely, or was in vain.
    async fn look(&mut self, socket: &mut Socket) -> Option<io::Result<usize>> {
        let _right = self.looking.may_look()?;
        for _ in 0..self.looking.yields_due(std::time::Instant::now()) {
            tokio::task::yield_now().await;
        }
        let until = self.looking.begin(std::time::Instant::now());
        loop {
            let read: io::Result<usize> = SCRATCH.with_borrow_mut(|scratch| {
                let n = socket.read_apart(scratch)?;
                self.buffer.extend_from_slice(&scratch[..n]);
                Ok(n)
            });
            match read {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => match std::time::Instant::now() < until {
                    true => std::thread::yield_now(),
                    false => return None,
                },
                read => return Some(read),
            }
        }
    }

    fn closed(&self) -> FrameError {
        match self.frame_length() {
            Ok(Some(length)) => FrameError::Torn {
                have: self.buffer.len() - 4,
                length,
            },
            _ if self.buffer.is_empty() => FrameError::Closed,
            _ => FrameError::Torn { have: 0, length: 4 },
        }
    }

    fn frame_length(&self) -> Result<Option<usize>, FrameError> {
        let Some(prefix) = self.buffer.first_chunk::<4>() else {
            return Ok(None);
        };
        let length = i32::from_be_bytes(*prefix);
        match usize::try_from(length) {
            Ok(bytes) if bytes <= self.max_frame_bytes => Ok(Some(bytes)),
            _ => Err(FrameError::Length {
                length,
                is_first: self.is_first,
                max: self.max_frame_bytes,
            }),
        }
    }

    /// What is missing of the frame that is being read.
    fn missing(&self) -> Option<usize> {
        let length = self.frame_length().ok().flatten()?;
        (4 + length)
            .checked_sub(self.buffer.len())
            .filter(|missing| *missing > 0)
    }

    /// The size of a frame of which no more may be read without a share of the memory.
    fn in_need_of_room(&self) -> Option<usize> {
        let frame_bytes = self.missing()? + self.buffer.len();
        (self.buffer.len() >= UNBUDGETED_BYTES && frame_bytes > UNBUDGETED_BYTES).then_some(frame_bytes)
    }

    fn expect_more(&mut self) {
        let window = if self.missing().is_some() {
            ARRIVAL_WINDOW
        } else {
            START_WITHIN
        };
        self.due = Some(Due {
            at: Instant::now() + window,
            buffered_bytes: self.buffer.len() + ARRIVAL_BYTES.min(self.missing().unwrap_or(usize::MAX / 2)),
        });
    }

    fn note_arrival(&mut self) {
        if let Some(share) = &self.share {
            share.note_received(self.buffer.len());
        }
        let has_arrived = |due: &Due| self.buffer.len() >= due.buffered_bytes;
        if self.due.as_ref().is_some_and(has_arrived) {
            self.expect_more();
        }
        if self.missing().is_none()
            && let Some(share) = self.share.take()
        {
            self.permit = share.complete();
        }
    }

    fn read_once(&mut self, stream: &TcpStream) -> io::Result<usize> {
        let room = self.share.as_ref().map_or(0, ArrivingShare::held_bytes);
        match room.checked_sub(self.buffer.len()) {
            Some(step) if step > 0 => {
                // Straight into place; the capacity doubles with what has really arrived.
                self.buffer.reserve(step);
                stream.try_read_buf(&mut (&mut self.buffer).limit(step))
            }
            _ => {
                let missing = self.missing();
                // A large frame comes this far without a share, and then asks for one.
                let is_large = missing.is_some_and(|missing| missing + self.buffer.len() > UNBUDGETED_BYTES);
                let limit = match is_large {
                    true => UNBUDGETED_BYTES - self.buffer.len(),
                    false => SCRATCH_BYTES,
                };
                SCRATCH.with_borrow_mut(|scratch| {
                    let n = stream.try_read(&mut scratch[..limit])?;
                    self.buffer.extend_from_slice(&scratch[..n]);
                    Ok(n)
                })
            }
        }
    }
}

/// How long large frames of a connection may go on holding their share of the request memory.
pub struct Patience {
    due_at: Option<Instant>,
    /// Of the frame that is read, and of one that is held back.
    watches: [Option<Watch>; 2],
}

impl Patience {
    /// The same, and no longer than `frame` may be held back, which was taken and could not be started.
    pub fn and_of(mut self, frame: &Frame) -> Self {
        self.due_at = [self.due_at, frame.start_by].into_iter().flatten().min();
        self.watches[1] = frame.permit.watch();
        self
    }

    /// Whether it can end at all.
    pub fn is_limited(&self) -> bool {
        self.due_at.is_some() || self.watches.iter().any(Option::is_some)
    }

    /// Resolves when it has ended, with what is wrong; never if nothing limits it.
    pub async fn ended(&self) -> FrameError {
        let [of_reader, of_held] = &self.watches;
        tokio::select! {
            () = overdue(self.due_at) => FrameError::Stalled,
            () = given_up(of_reader.as_ref()) => FrameError::GivenUp,
            () = given_up(of_held.as_ref()) => FrameError::GivenUp,
        }
    }
}

/// Resolves when what is watched is given up; never where nothing is.
async fn given_up(watch: Option<&Watch>) {
    match watch {
        Some(watch) => watch.given_up().await,
        None => std::future::pending().await,
    }
}

/// Resolves when `due_at` has come; never without one.
async fn overdue(due_at: Option<Instant>) {
    match due_at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
