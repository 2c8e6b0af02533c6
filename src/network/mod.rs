//! Sockets: listeners, connections, frames in, answers out. Knows nothing of what a request means.

mod answer_memory;
mod connection;
mod connections;
mod frame;
mod in_flight;
mod listener;
mod look;
mod request_memory;
mod response;
mod socket;
#[cfg(test)]
mod stopped_clock;

pub use answer_memory::{ANSWER_MEMORY_BYTES, AnswerMemory, AnswerShare, memory_bytes};
pub use connection::{Order, Service, serve};
pub use connections::{Admitted, ClientSoftware, ConnectionState, Connections, Limits};
pub use frame::{Frame, FrameError};
pub use in_flight::{Answer, AnswerFuture, Started};
pub use listener::{BoundListener, ListenError, accept_loop, bind};
pub use request_memory::{RequestMemory, RequestPermit};
