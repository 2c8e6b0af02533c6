//! For tests on a paused clock with real sockets. That clock leaps to the next deadline whenever nothing is ready, but what one
//! socket has sent another may take a moment to get.

use std::future::Future;
use std::time::Duration;

/// Does `work` with the clock standing still.
pub(super) async fn with_stopped_clock<T>(work: impl Future<Output = T>) -> T {
    let (done, wait) = std::sync::mpsc::channel::<()>();
    // It does not leap while a thread is at work.
    let at_work = tokio::task::spawn_blocking(move || {
        let _: Result<_, _> = wait.recv();
    });
    let result = work.await;
    drop(done);
    at_work.await.expect("does not panic");
    result
}

/// Lets the other tasks do what they can with what is in the sockets.
pub(super) async fn settle() {
    let a_while = || std::thread::sleep(Duration::from_millis(5));
    tokio::task::spawn_blocking(a_while).await.expect("does not panic");
}
