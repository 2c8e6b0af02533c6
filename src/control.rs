//! The control thread: timers of groups run here, and nothing that touches a log, so that a stalled disk does not make members look
//! dead.

use std::io;
use std::thread::JoinHandle;

use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::threads;

/// A thread with a runtime of its own; ends when dropped.
pub struct ControlThread {
    handle: Handle,
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl ControlThread {
    /// Starts it.
    ///
    /// # Errors
    /// When the operating system gives no thread.
    ///
    /// # Panics
    /// Outside of a tokio runtime, where this process is [alone](threads::is_alone).
    pub fn start() -> io::Result<Self> {
        if threads::is_alone() {
            return Ok(Self {
                handle: Handle::current(),
                end: None,
                thread: None,
            });
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        let handle = runtime.handle().clone();
        let (end, ended) = oneshot::channel::<()>();
        let thread = std::thread::Builder::new()
            .name("sordini-control".to_string())
            .spawn(move || {
                // An error means that the sender was dropped, which ends the thread as well.
                let _ = runtime.block_on(ended);
            })?;
        Ok(Self {
            handle,
            end: Some(end),
            thread: Some(thread),
        })
    }

    /// To spawn on it.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }
}

impl Drop for ControlThread {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            log::error!("the control thread panicked");
        }
    }
}
