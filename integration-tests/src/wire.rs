//! Raw frames, written by hand: what a hostile, broken or merely old client may send.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

/// A key, the lowest and the highest version that is offered.
pub type OfferedVersions = (i16, i16, i16);

/// How long a test waits for an answer, or for the end of a connection.
pub const ANSWER_LIMIT: Duration = Duration::from_secs(30);

/// Kafka's primitive types, appended to a buffer.
#[derive(Debug, Default, Clone)]
pub struct Body(pub Vec<u8>);

impl Body {
    /// An empty body.
    pub fn new() -> Body {
        Body::default()
    }

    /// One byte.
    pub fn i8(mut self, value: i8) -> Body {
        self.0.extend(value.to_be_bytes());
        self
    }

    /// Two bytes.
    pub fn i16(mut self, value: i16) -> Body {
        self.0.extend(value.to_be_bytes());
        self
    }

    /// Four bytes.
    pub fn i32(mut self, value: i32) -> Body {
        self.0.extend(value.to_be_bytes());
        self
    }

    /// Eight bytes.
    pub fn i64(mut self, value: i64) -> Body {
        self.0.extend(value.to_be_bytes());
        self
    }

    /// A string with a two-byte length.
    pub fn string(self, value: &str) -> Body {
        self.i16(value.len().try_into().expect("a short string"))
            .raw(value.as_bytes())
    }

    /// Bytes with a four-byte length.
    pub fn bytes(self, value: &[u8]) -> Body {
        self.i32(value.len().try_into().expect("a short array")).raw(value)
    }

    /// What another body holds.
    pub fn append(self, other: Body) -> Body {
        self.raw(&other.0)
    }

    /// Bytes as they are.
    pub fn raw(mut self, value: &[u8]) -> Body {
        self.0.extend(value);
        self
    }

    /// An unsigned variable-length integer.
    pub fn uvarint(mut self, mut value: u32) -> Body {
        while value >= 0x80 {
            self.0.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
        self
    }

    /// A zigzag variable-length integer, as records use them.
    pub fn varint(mut self, value: i64) -> Body {
        let mut zigzag = ((value << 1) ^ (value >> 63)) as u64;
        while zigzag >= 0x80 {
            self.0.push((zigzag & 0x7f) as u8 | 0x80);
            zigzag >>= 7;
        }
        self.0.push(zigzag as u8);
        self
    }
}

/// Reads Kafka's primitive types from an answer; panics where the answer is too short.
#[derive(Debug)]
pub struct Answer {
    bytes: Vec<u8>,
    at: usize,
}

impl Answer {
    /// Reads from the start of `bytes`.
    pub fn new(bytes: Vec<u8>) -> Answer {
        Answer { bytes, at: 0 }
    }

    /// The next `count` bytes.
    #[track_caller]
    pub fn take(&mut self, count: usize) -> &[u8] {
        let range = self.at..self.at + count;
        self.at += count;
        self.bytes
            .get(range)
            .unwrap_or_else(|| panic!("answer of {} bytes ends early", self.bytes.len()))
    }

    /// One byte.
    pub fn i8(&mut self) -> i8 {
        self.take(1)[0] as i8
    }

    /// Two bytes.
    pub fn i16(&mut self) -> i16 {
        i16::from_be_bytes(self.take(2).try_into().expect("two bytes"))
    }

    /// Four bytes.
    pub fn i32(&mut self) -> i32 {
        i32::from_be_bytes(self.take(4).try_into().expect("four bytes"))
    }

    /// Eight bytes.
    pub fn i64(&mut self) -> i64 {
        i64::from_be_bytes(self.take(8).try_into().expect("eight bytes"))
    }

    /// A string with a two-byte length; `None` for -1.
    pub fn string(&mut self) -> Option<String> {
        let length = usize::try_from(self.i16()).ok()?;
        Some(String::from_utf8(self.take(length).to_vec()).expect("UTF-8"))
    }

    /// How many bytes are left.
    pub fn remaining(&self) -> usize {
        self.bytes.len() - self.at
    }
}

/// One plain connection to a broker.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    correlation_id: i32,
}

impl Connection {
    /// Connects.
    pub fn open(address: SocketAddr) -> io::Result<Connection> {
        let stream = TcpStream::connect_timeout(&address, ANSWER_LIMIT)?;
        stream.set_read_timeout(Some(ANSWER_LIMIT))?;
        stream.set_nodelay(true)?;
        Ok(Connection {
            stream,
            correlation_id: 0,
        })
    }

    /// Sends bytes as they are.
    pub fn send_raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Tells the broker that nothing more will come.
    pub fn finish_sending(&self) -> io::Result<()> {
        self.stream.shutdown(Shutdown::Write)
    }

    /// Sends a request with header version 1 (no tagged fields), or 2 when `flexible`; gives its correlation id.
    pub fn send(&mut self, key: i16, version: i16, flexible: bool, body: &Body) -> io::Result<i32> {
        self.correlation_id += 1;
        let mut frame = Body::new()
            .i16(key)
            .i16(version)
            .i32(self.correlation_id)
            .string("raw-socket");
        if flexible {
            frame = frame.uvarint(0);
        }
        let frame = Body::new().bytes(&frame.raw(&body.0).0);
        self.send_raw(&frame.0)?;
        Ok(self.correlation_id)
    }

    /// Reads one frame and gives what follows its correlation id; `UnexpectedEof` when the broker has closed.
    pub fn receive(&mut self) -> io::Result<(i32, Answer)> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length)?;
        let length = usize::try_from(i32::from_be_bytes(length)).expect("a frame's length is positive");
        assert!(length < 200 << 20, "an answer of {length} bytes");
        let mut bytes = vec![0; length];
        self.stream.read_exact(&mut bytes)?;
        let mut answer = Answer::new(bytes);
        Ok((answer.i32(), answer))
    }

    /// Sends a request with header version 1 and gives the body of its answer.
    pub fn ask(&mut self, key: i16, version: i16, body: &Body) -> io::Result<Answer> {
        let sent = self.send(key, version, false, body)?;
        let (received, answer) = self.receive()?;
        assert_eq!(sent, received, "correlation id");
        Ok(answer)
    }

    /// Asks for ApiVersions 0: error code, and (key, min, max) of what is offered.
    pub fn api_versions(&mut self) -> io::Result<(i16, Vec<OfferedVersions>)> {
        let mut answer = self.ask(18, 0, &Body::new())?;
        let error = answer.i16();
        let count = answer.i32();
        Ok((
            error,
            (0..count).map(|_| (answer.i16(), answer.i16(), answer.i16())).collect(),
        ))
    }

    /// Whether the broker closes this connection without another byte; anything else it sends is given as `Err`.
    pub fn await_close(&mut self) -> Result<(), String> {
        let mut rest = [0; 64];
        match self.stream.read(&mut rest) {
            Ok(0) => Ok(()),
            Ok(count) => Err(format!("{count} more bytes: {:?}", &rest[..count])),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Ok(()),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// CRC-32C of `bytes`, bit by bit: slow, short, and independent of the broker's.
pub fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 }
        })
    })
}
