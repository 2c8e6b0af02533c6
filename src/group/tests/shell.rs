//! The coordinator over a log in memory.
