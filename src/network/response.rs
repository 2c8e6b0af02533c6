//! Sending an answer: memory by `writev`, file ranges by `sendfile`.

use std::collections::VecDeque;
use std::io::{self, IoSlice};

use bytes::Buf;
use protocol::wire::{Chunk, FileRange};
use rustix::net::{SendAncillaryBuffer, SendFlags};

use super::socket::Socket;

/// How many pieces of memory one system call takes. `IOV_MAX` is 1024; beyond 64 nothing is gained.
const MAX_IO_SLICES: usize = 64;
/// The most that one `sendfile` is asked for, so that one connection does not hold its thread for long.
const MAX_SENDFILE_BYTES: usize = 1024 * 1024;

/// Sends of `chunks`, in order, what the socket takes now; true when that is all. `taken` is told of every piece, in bytes.
///
/// # Errors
/// The socket's error, or `UnexpectedEof` when a file is shorter than the range that was promised to the client: the frame's
/// length is out already, so the connection must be closed.
pub fn write_now(socket: &Socket, chunks: &mut VecDeque<Chunk>, taken: &mut impl FnMut(usize)) -> io::Result<bool> {
    while !chunks.is_empty() {
        match write_once(socket, chunks) {
            Ok(sent) => taken(sent),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(true)
}

fn write_once(socket: &Socket, chunks: &mut VecDeque<Chunk>) -> io::Result<usize> {
    match chunks.front_mut() {
        None => Ok(0),
        Some(Chunk::File(range)) => {
            let sent = send_range(socket, range)?;
            if range.length == 0 {
                chunks.pop_front();
            }
            Ok(sent)
        }
        Some(Chunk::Memory(_)) => {
            let sent = send_memory(socket, chunks)?;
            advance(chunks, sent);
            Ok(sent)
        }
    }
}

fn send_range(socket: &Socket, range: &mut FileRange) -> io::Result<usize> {
    if range.length == 0 {
        return Ok(0);
    }
    let count = range.length.min(MAX_SENDFILE_BYTES);
    let sent = socket.try_write(|stream| {
        let mut offset = range.position;
        Ok(rustix::fs::sendfile(stream, &*range.file, Some(&mut offset), count)?)
    })?;
    if sent == 0 {
        return Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            format!(
                "a log file ends {} bytes before the range that was to be sent",
                range.length
            ),
        ));
    }
    range.position += sent as u64;
    range.length -= sent;
    Ok(sent)
}

fn send_memory(socket: &Socket, chunks: &VecDeque<Chunk>) -> io::Result<usize> {
    let mut slices: [IoSlice<'_>; MAX_IO_SLICES] = [IoSlice::new(&[]); MAX_IO_SLICES];
    let mut count = 0;
    let mut file_follows = false;
    for chunk in chunks {
        match chunk {
            Chunk::Memory(bytes) if count < MAX_IO_SLICES => {
                slices[count] = IoSlice::new(bytes);
                count += 1;
            }
            Chunk::Memory(_) => break,
            Chunk::File(_) => {
                file_follows = true;
                break;
            }
        }
    }
    // With a file range right behind, the kernel may put the header and the first records into one packet.
    let flags = if file_follows {
        SendFlags::NOSIGNAL | SendFlags::MORE
    } else {
        SendFlags::NOSIGNAL
    };
    socket.try_write(|stream| {
        Ok(rustix::net::sendmsg(
            stream,
            &slices[..count],
            &mut SendAncillaryBuffer::default(),
            flags,
        )?)
    })
}

fn advance(chunks: &mut VecDeque<Chunk>, mut sent: usize) {
    while let Some(Chunk::Memory(bytes)) = chunks.front_mut() {
        if sent < bytes.len() {
            bytes.advance(sent);
            return;
        }
        sent -= bytes.len();
        chunks.pop_front();
    }
}
