//! Looking at the children of a znode whenever they have changed.

use std::time::Duration;

use crate::store::{Store, StoreError, Watcher};

/// Before a look that has failed is repeated.
const PAUSE: Duration = Duration::from_millis(200);

/// A watch of a znode's children.
pub(super) struct ChildWatch {
    path: &'static str,
    state: State,
}

enum State {
    /// Nobody has looked yet.
    Due,
    /// The last look has failed, or has left something to be done.
    DueLater,
    Watched(Watcher),
}

impl ChildWatch {
    pub(super) fn new(path: &'static str) -> Self {
        ChildWatch {
            path,
            state: State::Due,
        }
    }

    /// Resolves when it is time to look.
    pub(super) async fn changed(&mut self) {
        match &mut self.state {
            State::Due => {}
            State::DueLater => tokio::time::sleep(PAUSE).await,
            State::Watched(watcher) => drop(watcher.await),
        }
        self.state = State::Due;
    }

    /// The children's names as they are now, and from then on they are watched.
    pub(super) async fn look(&mut self, store: &dyn Store) -> Result<Vec<String>, StoreError> {
        self.state = State::DueLater;
        let (names, watcher) = store.children_and_watch(self.path).await?;
        self.state = State::Watched(watcher);
        Ok(names)
    }

    /// What was found could not be dealt with: it is looked at again after a pause.
    pub(super) fn look_again(&mut self) {
        self.state = State::DueLater;
    }
}
