//! The broker as a library, so that tests and the simulation can drive its parts.

pub mod api_error;
pub mod ask_controller;
pub mod authorized_operations;
pub mod auto_topic_creation;
pub mod broker;
pub mod cli;
pub mod clock;
pub mod config_resources;
pub mod dispatch;
pub mod fetch_session;
pub mod group;
pub mod handlers;
pub mod log_config;
pub mod logging;
pub mod logs;
pub mod metadata_cache;
pub mod network;
pub mod partition;
pub mod producer_ids;
pub mod random;
pub mod replicas;
pub mod start;
pub mod topics;
