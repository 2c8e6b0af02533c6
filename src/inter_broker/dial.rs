//! How other brokers are reached: by TCP, or over the network of a simulation.

use std::fmt::Debug;
use std::io;
use std::net::SocketAddr;

use controller::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// Opens connections to other brokers.
pub trait Dial: Send + Sync {
    /// A connection to this host and port.
    ///
    /// # Errors
    /// As of [`TcpStream::connect`].
    fn dial(&self, host: String, port: u16) -> BoxFuture<'static, io::Result<Box<dyn Stream>>>;
}

/// A connection.
pub trait Stream: AsyncRead + AsyncWrite + Debug + Send + Sync + Unpin {
    /// Resolves when the other side has ended the connection, or has sent something.
    fn ended(&mut self) -> BoxFuture<'_, ()>;

    /// Where the other side is.
    ///
    /// # Errors
    /// Where the connection is broken.
    fn peer_address(&self) -> io::Result<SocketAddr>;
}

/// By TCP.
#[derive(Debug, Clone, Copy, Default)]
pub struct TcpDial;

impl Dial for TcpDial {
    fn dial(&self, host: String, port: u16) -> BoxFuture<'static, io::Result<Box<dyn Stream>>> {
        Box::pin(async move {
            let stream = TcpStream::connect((host, port)).await?;
            stream.set_nodelay(true)?;
            let stream: Box<dyn Stream> = Box::new(stream);
            Ok(stream)
        })
    }
}

impl Stream for TcpStream {
    fn ended(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            // Whatever it is, the next request tells.
            let _ = self.peek(&mut [0]).await;
        })
    }

    fn peer_address(&self) -> io::Result<SocketAddr> {
        self.peer_addr()
    }
}
