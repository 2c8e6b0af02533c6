//! The simulated network as brokers use it, and a listener that hands their frames to the broker: what real sockets need besides, and
//! nothing of what a request means.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes, BytesMut};
use controller::BoxFuture;
use sordini::broker::Broker;
use sordini::inter_broker::{Dial, Stream};
use sordini::network::{Answer, ConnectionState, Frame, RequestPermit, Service, Started};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use turmoil::net::{TcpListener, TcpStream};

/// Where every broker listens.
pub const PORT: u16 = 9092;
/// The name of that listener.
pub const LISTENER: &str = "PLAINTEXT";

/// Reaches hosts of the simulation.
pub struct SimulatedDial;

#[derive(Debug)]
struct Simulated(TcpStream);

// Only one thread has it: a simulation has no other.
impl Stream for Simulated {
    fn ended(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(poll_fn(|context| {
            let mut byte = [0];
            let mut buffer = ReadBuf::new(&mut byte);
            self.0.poll_peek(context, &mut buffer).map(drop)
        }))
    }

    fn peer_address(&self) -> io::Result<SocketAddr> {
        self.0.peer_addr()
    }
}

impl AsyncRead for Simulated {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for Simulated {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

impl Dial for SimulatedDial {
    fn dial(&self, host: String, port: u16) -> BoxFuture<'static, io::Result<Box<dyn Stream>>> {
        Box::pin(async move {
            let stream: Box<dyn Stream> = Box::new(Simulated(TcpStream::connect((host, port)).await?));
            Ok(stream)
        })
    }
}

/// Serves everybody who connects to this host, as long as it runs.
///
/// # Errors
/// Those of the listener.
pub async fn serve(broker: Arc<Broker>) -> io::Result<()> {
    let listener = TcpListener::bind(("0.0.0.0", PORT)).await?;
    let name: Arc<str> = Arc::from(LISTENER);
    loop {
        let (stream, peer) = listener.accept().await?;
        let local = stream.local_addr()?;
        let Ok(admitted) = broker.connections.admit(&name, peer, local) else {
            continue;
        };
        let broker = broker.clone();
        tokio::spawn(async move {
            // A connection that breaks is its client's business.
            drop(serve_one(&broker, &admitted.state, stream).await);
            drop(admitted);
        });
    }
}

async fn serve_one(broker: &Arc<Broker>, state: &Arc<ConnectionState>, mut stream: TcpStream) -> io::Result<()> {
    let mut read = BytesMut::new();
    loop {
        let bytes = next_frame(&mut stream, &mut read).await?;
        let frame = Frame {
            bytes,
            permit: RequestPermit::default(),
            start_by: None,
        };
        let mut started = broker.start(state, &frame);
        let answer = loop {
            match started {
                Started::Ready(answer) => break answer,
                Started::Running(answer) => break answer.await,
                Started::Gated(next) => started = next.await,
                Started::Waiting(answer) | Started::Settling(answer) => tokio::select! {
                    answer = answer => break answer,
                    ended = more(&mut stream, &mut read) => return ended,
                },
            }
        };
        match answer {
            Answer::Send(chunks, _share) => {
                for chunk in &chunks {
                    let memory = chunk.as_memory().ok_or(io::ErrorKind::Unsupported)?;
                    stream.write_all(memory).await?;
                }
            }
            Answer::Nothing => {}
            Answer::Close => return Ok(()),
        }
    }
}

/// Reads on while an answer is awaited; returns when nothing more comes.
async fn more(stream: &mut TcpStream, read: &mut BytesMut) -> io::Result<()> {
    while stream.read_buf(read).await? > 0 {}
    Ok(())
}

async fn next_frame(stream: &mut TcpStream, read: &mut BytesMut) -> io::Result<Bytes> {
    loop {
        if let Some(length) = read.first_chunk::<4>() {
            let length = usize::try_from(i32::from_be_bytes(*length)).map_err(|_| io::ErrorKind::InvalidData)?;
            if read.len() >= 4 + length {
                read.advance(4);
                return Ok(read.split_to(length).freeze());
            }
        }
        if stream.read_buf(read).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}
