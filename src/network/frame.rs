//! Cutting a connection's byte stream into frames: a 4-byte big-endian length, then that many bytes.
//!
//! An idle connection owns no buffer: what the socket holds is first read into one scratch buffer per thread, and only a
//! frame that is larger than that, or that arrives in pieces, gets memory of its own. That memory grows with what has
//! arrived, never with what the length claims.

use std::cell::RefCell;
use std::io;
use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What one thread reads into before it knows how long a frame is. Small frames never need more.
const SCRATCH_BYTES: usize = 64 * 1024;
/// Bytes that a frame may occupy before it must hold permits of the request memory budget.
const UNBUDGETED_BYTES: usize = 64 * 1024;
/// One permit of the budget stands for this many bytes.
const BYTES_PER_PERMIT: usize = 1024;

thread_local! {
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; SCRATCH_BYTES]);
}

/// The memory that all frames above 64 KiB share; `queued.max.request.bytes`.
#[derive(Clone)]
pub struct RequestMemory(Arc<Semaphore>);

impl RequestMemory {
    /// A budget of `bytes`, at least one frame of `largest_frame_bytes` so that such a frame can ever be taken.
    pub fn new(bytes: usize, largest_frame_bytes: usize) -> Self {
        let permits = bytes.max(largest_frame_bytes).div_ceil(BYTES_PER_PERMIT) + 1;
        Self(Arc::new(Semaphore::new(permits.min(Semaphore::MAX_PERMITS))))
    }
}

/// One request as it came off the wire, without its length prefix. Holds its share of the budget until dropped.
pub struct Frame {
    /// The header and body.
    pub bytes: Bytes,
    /// Returned to the budget when the request has been answered.
    pub permit: Option<OwnedSemaphorePermit>,
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
    #[error("a request claims {length} bytes; the limit is {max} (socket.request.max.bytes)")]
    Length {
        /// The length on the wire.
        length: i32,
        /// `socket.request.max.bytes`.
        max: usize,
    },
    /// The socket failed.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// The reading half's state of one connection.
pub struct FrameReader {
    buffer: BytesMut,
    max_frame_bytes: usize,
    memory: RequestMemory,
    permit: Option<OwnedSemaphorePermit>,
}

impl FrameReader {
    /// A reader that refuses frames above `max_frame_bytes` (`socket.request.max.bytes`).
    pub fn new(max_frame_bytes: usize, memory: RequestMemory) -> Self {
        Self {
            buffer: BytesMut::new(),
            max_frame_bytes,
            memory,
            permit: None,
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
        let mut frame = self.buffer.split_to(4 + length);
        if self.buffer.is_empty() {
            // The frame keeps the allocation alive as long as it needs it; the connection shall not.
            self.buffer = BytesMut::new();
        }
        let _ = frame.split_to(4);
        Ok(Some(Frame {
            bytes: frame.freeze(),
            permit: self.permit.take(),
        }))
    }

    /// Waits for the socket and reads once. Safe to drop at any await.
    pub async fn fill(&mut self, stream: &TcpStream) -> Result<(), FrameError> {
        self.reserve_budget().await;
        stream.readable().await?;
        match self.read_once(stream) {
            Ok(0) => Err(self.closed()),
            Ok(_) => Ok(()),
            Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => Ok(()),
            Err(e) => Err(e.into()),
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
                max: self.max_frame_bytes,
            }),
        }
    }

    /// What the next read may add, and the capacity that it wants: twice what has arrived, at most the frame.
    fn missing(&self) -> Option<usize> {
        let length = self.frame_length().ok().flatten()?;
        (4 + length)
            .checked_sub(self.buffer.len())
            .filter(|missing| *missing > 0)
    }

    async fn reserve_budget(&mut self) {
        let Some(missing) = self.missing() else { return };
        let wanted = (self.buffer.len() * 2).min(self.buffer.len() + missing);
        if wanted <= UNBUDGETED_BYTES {
            return;
        }
        let held = self.permit.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let need = wanted.div_ceil(BYTES_PER_PERMIT);
        if need <= held {
            return;
        }
        let more = u32::try_from(need - held).unwrap_or(u32::MAX);
        // The semaphore is never closed, so this fails never; without a permit the read simply goes on unbudgeted.
        if let Ok(permit) = self.memory.0.clone().acquire_many_owned(more).await {
            match &mut self.permit {
                Some(held) => held.merge(permit),
                None => self.permit = Some(permit),
            }
        }
    }

    fn read_once(&mut self, stream: &TcpStream) -> io::Result<usize> {
        match self.missing() {
            Some(missing) if missing + self.buffer.len() > SCRATCH_BYTES => {
                // Straight into place; the capacity doubles with what has really arrived.
                let step = missing.min(self.buffer.len().max(SCRATCH_BYTES));
                self.buffer.reserve(step);
                stream.try_read_buf(&mut (&mut self.buffer).limit(step))
            }
            _ => SCRATCH.with_borrow_mut(|scratch| {
                let n = stream.try_read(scratch)?;
                self.buffer.extend_from_slice(&scratch[..n]);
                Ok(n)
            }),
        }
    }
}
