//! Who watches which znode of the embedded store, and what they are told.

use std::collections::HashMap;

use tokio::sync::oneshot;

use crate::store::{WatchEvent, WatchKind, Watcher};

/// The watches of one session.
#[derive(Default)]
pub(crate) struct Watches {
    data: HashMap<String, Vec<oneshot::Sender<WatchEvent>>>,
    children: HashMap<String, Vec<oneshot::Sender<WatchEvent>>>,
}

impl Watches {
    pub fn data(&mut self, path: String) -> Watcher {
        watcher(self.data.entry(path.clone()).or_default(), path)
    }

    pub fn children(&mut self, path: String) -> Watcher {
        watcher(self.children.entry(path.clone()).or_default(), path)
    }

    pub fn fire(&mut self, event: &WatchEvent) {
        let fired = match event.kind {
            WatchKind::ChildrenChanged => [self.children.remove(&event.path), None],
            WatchKind::Deleted => [self.data.remove(&event.path), self.children.remove(&event.path)],
            _ => [self.data.remove(&event.path), None],
        };
        for sender in fired.into_iter().flatten().flatten() {
            send(sender, event.clone());
        }
    }

    pub fn end(&mut self) {
        for (path, senders) in self.data.drain().chain(self.children.drain()) {
            for sender in senders {
                send(
                    sender,
                    WatchEvent {
                        kind: WatchKind::SessionEnded,
                        path: path.clone(),
                    },
                );
            }
        }
    }
}

fn watcher(senders: &mut Vec<oneshot::Sender<WatchEvent>>, path: String) -> Watcher {
    let (sender, receiver) = oneshot::channel();
    senders.retain(|sender| !sender.is_closed());
    senders.push(sender);
    let ended = WatchEvent {
        kind: WatchKind::SessionEnded,
        path,
    };
    Watcher(Box::pin(async move { receiver.await.unwrap_or(ended) }))
}

/// Whoever no longer waits does not need the event.
fn send(sender: oneshot::Sender<WatchEvent>, event: WatchEvent) {
    drop(sender.send(event));
}
