//! The broker as a library, so that tests and the simulation can drive its parts.

pub mod group;
pub mod logging;
pub mod start;
