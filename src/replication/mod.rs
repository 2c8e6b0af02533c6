//! Replication: what a leader knows of its followers, and what a follower does. Pure cores; who drives them is elsewhere.

pub mod follower;
pub mod leader;
