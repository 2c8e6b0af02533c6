//! What proves a broker from outside: one binary, so that it links once. `cargo test … clients::` and the like choose.

mod any_bytes;
mod bad_batches;
mod bad_bytes;
mod clients;
mod configuration;
mod console_tools;
mod crash_loop;
mod diverging;
mod dump_log;
mod fetch_sessions;
mod interrupted;
mod lifecycle;
mod log_dirs;
mod old_fetches;
mod topics;
