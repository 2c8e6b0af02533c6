//! What brokers say to each other: Kafka's own requests, in the versions of `inter.broker.protocol.version`.

mod connection;
pub mod control;
mod dial;
pub mod isr_wire;
mod peers;
mod to_controller;
pub mod versions;
mod vigil;

pub use connection::{Connection, ConnectionError};
pub use dial::{Dial, Stream, TcpDial};
pub use peers::InterBrokerPeers;
pub use to_controller::{AskError, NotCreated, ToController};
