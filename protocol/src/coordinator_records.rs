//! Records of the coordinators' own topics. Keys and values are each preceded by their version as an int16; a key's version
//! is also its kind.

pub mod group;
pub mod transaction;
