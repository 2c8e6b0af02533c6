//! What tests of this crate and of others share.

pub mod store_contract;

pub mod ensemble;
