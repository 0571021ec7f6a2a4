//! The hand of a node's clock, for whoever tests with it. Decides nothing: it moves the clock that the node reads, and says
//! when the node has done what had come due.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::clock;
use crate::shard_loop::{Mail, Post};

/// A node's clock: long polls, timeouts, retention, the age of connections and the times that the node stamps go by it, and
/// nothing in the node goes by any other but the bounds on how long a frame may take to arrive.
///
/// Paused, it stands: a Fetch that waits for records waits for as long, or until they come. What is worked on goes on, so
/// that a produce is acknowledged all the same. What clients do by their own clocks is theirs.
///
/// Time jumps: what would have happened again and again in between happens once, at the end.
///
/// ```
/// # use std::time::Duration;
/// # use sawlog_broker::memory::Node;
/// # async fn example() -> Result<(), sawlog_core::complaint::Complaint> {
/// let node = Node::builder().paused().set("log.retention.check.interval.ms", "60000").start().await?;
/// node.clock().advance(Duration::from_secs(3600)).await; // an hour; what came due in it is done
/// # Ok(()) }
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(example()).unwrap();
/// ```
#[derive(Debug)]
pub struct Clock {
    clock: clock::Clock,
    /// Of the node as it runs now.
    posts: Mutex<Arc<[Post]>>,
}

impl Clock {
    pub(super) fn of(clock: clock::Clock, posts: Arc<[Post]>) -> Clock {
        let posts = Mutex::new(posts);
        Clock { clock, posts }
    }

    /// The node was started again.
    pub(super) fn moves(&self, posts: Arc<[Post]>) {
        *self.posts.lock().unwrap_or_else(PoisonError::into_inner) = posts;
    }

    /// Stops it where it is.
    pub fn pause(&self) {
        self.clock.set_running(false);
    }

    /// Lets it run on from where it is, as fast as the machine's.
    pub fn resume(&self) {
        self.clock.set_running(true);
    }

    /// Whether it stands.
    pub fn is_paused(&self) -> bool {
        !self.clock.is_running()
    }

    /// What its wall shows: since 1970, what the machine's showed when the node was first started and what has passed since.
    pub fn wall(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.clock.now().wall.0).unwrap_or(0))
    }

    /// Moves it on, whether it stands or runs, and returns when the node has done what came due: polls are answered, files
    /// that grew too old are gone, and so are connections that were idle for too long. Not cancel safe: the time may have
    /// passed.
    pub async fn advance(&self, by: Duration) {
        // What came until now came before the time that passes.
        self.settled().await;
        self.clock.advance(by);
        self.settled().await;
    }

    /// Returns when the node has done what is due, and what was asked of it before this call.
    pub async fn settled(&self) {
        let posts = self.posts.lock();
        let posts = posts.unwrap_or_else(PoisonError::into_inner).clone();
        // What one shard passes to another on the first round is done on the second.
        for _ in 0..2 {
            for post in &*posts {
                let (told, settled) = oneshot::channel();
                // A node that is down has nothing to do.
                if post.send(Mail::Settled(told)).is_ok() {
                    let _ = settled.await;
                }
            }
        }
    }
}
