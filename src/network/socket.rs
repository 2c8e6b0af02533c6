//! A client's socket, which the runtime's poller watches or, for moments, does not.

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};

use tokio::io::Interest;
use tokio::net::TcpStream;

/// A socket that does not block. While its connection looks for what arrives, without sleeping, nobody else is woken by it.
pub struct Socket(State);

enum State {
    Watched(TcpStream),
    Apart(std::net::TcpStream),
    /// It could not be given to the poller, or taken from it.
    Lost,
}

impl Socket {
    /// A socket that is watched.
    pub fn new(stream: TcpStream) -> Self {
        Self(State::Watched(stream))
    }

    /// The socket, watched from now on.
    ///
    /// # Errors
    /// Where the system cannot watch it.
    pub fn watched(&mut self) -> io::Result<&TcpStream> {
        if let State::Apart(_) = self.0
            && let State::Apart(stream) = std::mem::replace(&mut self.0, State::Lost)
        {
            self.0 = State::Watched(TcpStream::from_std(stream)?);
        }
        match &self.0 {
            State::Watched(stream) => Ok(stream),
            State::Apart(_) | State::Lost => Err(lost()),
        }
    }

    /// Reads what is here into `buffer`, without waiting and with the socket watched by nobody until [`Socket::watched`].
    ///
    /// # Errors
    /// `WouldBlock` where nothing is here; else the socket's, and the system's where it cannot be taken from the poller.
    pub fn read_apart(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let State::Watched(_) = self.0
            && let State::Watched(stream) = std::mem::replace(&mut self.0, State::Lost)
        {
            self.0 = State::Apart(stream.into_std()?);
        }
        match &self.0 {
            State::Apart(stream) => (&*stream).read(buffer),
            State::Watched(_) | State::Lost => Err(lost()),
        }
    }

    /// Whether nobody watches it.
    pub fn is_apart(&self) -> bool {
        matches!(self.0, State::Apart(_))
    }

    /// Carries out `write`, which must not block, unless the poller does not know that the socket takes something now.
    ///
    /// # Errors
    /// Those of `write`; `WouldBlock` where nothing was tried, or the socket takes nothing now.
    pub fn try_write<R>(&self, write: impl FnOnce(BorrowedFd<'_>) -> io::Result<R>) -> io::Result<R> {
        match &self.0 {
            State::Watched(stream) => stream.try_io(Interest::WRITABLE, || write(stream.as_fd())),
            State::Apart(stream) => write(stream.as_fd()),
            State::Lost => Err(lost()),
        }
    }
}

fn lost() -> io::Error {
    io::Error::new(
        io::ErrorKind::NotConnected,
        "the socket could not be given to the poller or taken from it",
    )
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;

    use super::*;

    async fn read_watched(socket: &mut Socket) -> u8 {
        let stream = socket.watched().expect("watched");
        let mut byte = [0];
        loop {
            stream.readable().await.expect("readable");
            match stream.try_read(&mut byte) {
                Ok(n) => {
                    assert_eq!(n, 1);
                    return byte[0];
                }
                Err(e) => assert_eq!(e.kind(), io::ErrorKind::WouldBlock),
            }
        }
    }

    #[tokio::test]
    async fn what_arrives_while_nobody_watches_is_there_for_who_watches_next() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let connected = TcpStream::connect(listener.local_addr().expect("bound")).await;
        let mut client = connected.expect("connects");
        let mut socket = Socket::new(listener.accept().await.expect("accepts").0);
        for nth in 0..100_u8 {
            let mut byte = [0];
            let nothing = socket.read_apart(&mut byte).expect_err("nothing is here");
            assert_eq!(nothing.kind(), io::ErrorKind::WouldBlock);
            // One byte is read apart, the other watched.
            client.write_all(&[nth, nth]).await.expect("sends");
            let here = socket.read_apart(&mut byte);
            let second = read_watched(&mut socket).await;
            let first = match here {
                Ok(n) => (n, byte[0], second),
                Err(_) => (1, second, read_watched(&mut socket).await),
            };
            assert_eq!(first, (1, nth, nth));
            let taken = socket.try_write(|stream| Ok(rustix::io::write(stream, &[nth])?));
            assert_eq!(taken.expect("takes it"), 1);
        }
    }
}
