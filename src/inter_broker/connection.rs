//! A connection to another broker's inter-broker listener: one request in flight.

use std::io;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use protocol::header::{RequestHeader, ResponseHeader};
use protocol::wire::{Message, Reader, Utf8Bytes, Writer};
use protocol::{ApiKey, DecodeError, EncodeError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{error::Elapsed, timeout};

use super::dial::{Dial, Stream};

/// The longest answer that is read.
const MAX_ANSWER_BYTES: usize = 256 * 1024 * 1024;
/// Room that most requests fit into.
const REQUEST_BYTES: usize = 512;
/// What is read at a time.
const READ_BYTES: usize = 64 * 1024;

/// A connection. One that has failed, or of which an answer was not awaited, is of no use any more.
#[derive(Debug)]
pub struct Connection {
    stream: Box<dyn Stream>,
    client_id: Utf8Bytes,
    correlation_id: i32,
    read: BytesMut,
}

/// Why another broker has not answered.
#[derive(Debug, thiserror::Error)]
pub enum ConnectionError {
    /// It has no address for other brokers, or is not known to live.
    #[error("broker {broker} is not known to have a listener {listener}")]
    NoEndpoint {
        /// Its id.
        broker: i32,
        /// `inter.broker.listener.name`
        listener: String,
    },
    /// No connection, or a broken one.
    #[error("{address}: {error}")]
    Io {
        /// Where it is.
        address: String,
        /// What befell the connection.
        error: io::Error,
    },
    /// No answer in time.
    #[error("{address} has not answered within {ms} ms")]
    TimedOut {
        /// Where it is.
        address: String,
        /// How long it was waited for.
        ms: u128,
    },
    /// The request cannot be written in this version.
    #[error("{0}")]
    Encode(#[from] EncodeError),
    /// The answer cannot be read.
    #[error("the answer cannot be read: {0}")]
    Decode(#[from] DecodeError),
    /// It answers something else.
    #[error("the answer is to request {found}, not to {expected}, or has {length} bytes")]
    Unexpected {
        /// The correlation id of the request.
        expected: i32,
        /// That of the answer.
        found: i32,
        /// Its length as it claims.
        length: usize,
    },
}

impl Connection {
    /// Connects as broker `id`.
    ///
    /// # Errors
    /// [`ConnectionError::Io`], [`ConnectionError::TimedOut`]
    pub async fn connect(
        dial: &dyn Dial,
        (host, port): (&str, u16),
        id: i32,
        within: Duration,
    ) -> Result<Connection, ConnectionError> {
        let address = || format!("{host}:{port}");
        let io = |error| ConnectionError::Io {
            address: address(),
            error,
        };
        let connecting = timeout(within, dial.dial(host.to_owned(), port)).await;
        let stream = connecting
            .map_err(|_: Elapsed| ConnectionError::TimedOut {
                address: address(),
                ms: within.as_millis(),
            })?
            .map_err(io)?;
        Ok(Connection {
            stream,
            client_id: Utf8Bytes::from(id.to_string()),
            correlation_id: 0,
            read: BytesMut::new(),
        })
    }

    /// Sends a request and waits for its answer. Whoever stops waiting must drop the connection.
    ///
    /// # Errors
    /// [`ConnectionError`]; the connection is of no use then.
    pub async fn ask<Q: Message, A: Message>(
        &mut self,
        key: ApiKey,
        version: i16,
        request: &Q,
        within: Duration,
    ) -> Result<A, ConnectionError> {
        self.correlation_id = self.correlation_id.wrapping_add(1);
        let frame = self.frame(key, version, request)?;
        let answered = timeout(within, self.exchange(&frame)).await;
        let answer = match answered {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => {
                let address = self.address();
                return Err(ConnectionError::Io { address, error });
            }
            Err(_) => {
                return Err(ConnectionError::TimedOut {
                    address: self.address(),
                    ms: within.as_millis(),
                });
            }
        };
        let length = answer.len();
        let mut reader = Reader::new(answer);
        let header = ResponseHeader::decode(&mut reader, key.response_header_version(version))?;
        if header.correlation_id != self.correlation_id {
            return Err(ConnectionError::Unexpected {
                expected: self.correlation_id,
                found: header.correlation_id,
                length,
            });
        }
        Ok(A::decode(&mut reader, version)?)
    }

    /// Resolves when the other side has ended the connection, or says something that it was not asked.
    pub async fn ended(&mut self) {
        self.stream.ended().await;
    }

    fn address(&self) -> String {
        self.stream
            .peer_address()
            .map_or_else(|_| "a broken connection".to_owned(), |address| address.to_string())
    }

    fn frame<Q: Message>(&self, key: ApiKey, version: i16, request: &Q) -> Result<Vec<u8>, ConnectionError> {
        let mut writer = Writer::frame(REQUEST_BYTES);
        let header = RequestHeader {
            request_api_key: key as i16,
            request_api_version: version,
            correlation_id: self.correlation_id,
            client_id: Some(self.client_id.clone()),
        };
        header.encode(&mut writer, key.request_header_version(version))?;
        request.encode(&mut writer, version)?;
        let chunks = writer.into_frame()?;
        let mut frame = Vec::with_capacity(chunks.iter().map(protocol::wire::Chunk::len).sum());
        for chunk in &chunks {
            // Requests hold nothing of files.
            frame.extend_from_slice(chunk.as_memory().map_or(&[][..], |bytes| bytes));
        }
        Ok(frame)
    }

    async fn exchange(&mut self, frame: &[u8]) -> io::Result<Bytes> {
        self.stream.write_all(frame).await?;
        let length = loop {
            if let Some(length) = self.read.first_chunk::<4>() {
                break usize::try_from(i32::from_be_bytes(*length)).unwrap_or(usize::MAX);
            }
            self.fill().await?;
        };
        if length > MAX_ANSWER_BYTES {
            let message = format!("the answer claims to have {length} bytes");
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        while self.read.len() < 4 + length {
            self.fill().await?;
        }
        let mut answer = self.read.split_to(4 + length);
        Ok(answer.split_off(4).freeze())
    }

    async fn fill(&mut self) -> io::Result<()> {
        self.read.reserve(READ_BYTES);
        match self.stream.read_buf(&mut self.read).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}
