//! What a test asks to go wrong: with which requests, how, and how often. Decides the words only; `faults` keeps what was asked
//! for and `trap` has it happen.

use std::time::Duration;

use sawlog_wire::Code;
use sawlog_wire::messages::ApiKey;

/// Requests of one kind, by what is said next: all of them, or those of one topic, partition or client.
#[derive(Clone, Debug)]
#[must_use = "it says which requests; what goes wrong with them is said next"]
pub struct Requests {
    pub(super) key: ApiKey,
    pub(super) topic: Option<String>,
    pub(super) partition: Option<i32>,
    pub(super) client: Option<String>,
}

/// Something that goes wrong with a request: once, unless it says how often. [`Node::fail`](super::Node::fail) has it happen.
///
/// ```
/// # use std::time::Duration;
/// use sawlog_broker::memory::{ApiKey, Code, Fault};
///
/// // Two produce requests are refused; the node never hears of them.
/// let refused = Fault::on(ApiKey::Produce).with(Code::NotLeaderOrFollower).times(2);
/// // The records are stored, and nobody is told.
/// let lost = Fault::on(ApiKey::Produce).topic("orders").lost();
/// // Every fetch from one partition is answered a second late.
/// let slow = Fault::on(ApiKey::Fetch).partition("orders", 3).late(Duration::from_secs(1)).always();
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing goes wrong until a node is given it"]
pub struct Fault {
    pub(super) requests: Requests,
    pub(super) act: Act,
    pub(super) delay: Duration,
    /// How many requests; none: all until it is lifted.
    pub(super) times: Option<u64>,
}

/// How it goes wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Act {
    /// The node does not hear of it, and the answer has this code.
    Refuse(Code),
    /// It is carried out, and the answer has this code.
    Misreport(Code),
    /// The connection ends, and the node does not hear of it.
    Close,
    /// It is carried out, and the connection ends instead of an answer.
    CloseApplied,
    /// It is carried out, and there is no answer. The connection lives.
    Lose,
    /// Nothing but the delay.
    Delay,
}

impl Fault {
    /// With requests of this kind.
    pub fn on(key: ApiKey) -> Requests {
        Requests {
            key,
            topic: None,
            partition: None,
            client: None,
        }
    }

    /// With so many requests, one after the other, whichever connection they come on. Of a fault that comes behind others
    /// of the same kind it is the next ones: faults happen in the order in which they were asked for.
    pub fn times(mut self, times: u64) -> Fault {
        self.times = Some(times);
        self
    }

    /// With all such requests, until it is lifted.
    pub fn always(mut self) -> Fault {
        self.times = None;
        self
    }

    /// And the answer, or the end of the connection, comes so much later than the request, by the node's clock. Requests
    /// behind it on its connection wait.
    pub fn late(mut self, delay: Duration) -> Fault {
        self.delay = delay;
        self
    }
}

impl Requests {
    /// Only those that are about this topic: each of its partitions that a request names, and no other of its partitions.
    /// What a request that is met asks of other topics is answered as usual, except that requests which change metadata are
    /// refused whole. Kinds of requests that name no topic are never met.
    pub fn topic(mut self, name: &str) -> Requests {
        self.topic = Some(name.to_owned());
        self
    }

    /// Only those that are about this partition, as for [`Requests::topic`].
    pub fn partition(mut self, topic: &str, partition: i32) -> Requests {
        self.partition = Some(partition);
        self.topic(topic)
    }

    /// Only those of clients that call themselves so: `client.id`.
    pub fn client(mut self, id: &str) -> Requests {
        self.client = Some(id.to_owned());
        self
    }

    /// They are refused with this code: the node does not hear of them. The code stands with each partition, topic or
    /// resource where the answer has a place for it there, else once; what the node refuses by itself, as records for a
    /// topic that is not there, keeps its own. A Produce with `acks=0` ends its connection, as any that is refused does.
    pub fn with(self, code: Code) -> Fault {
        self.act(Act::Refuse(code))
    }

    /// They are carried out, and the answer says that they failed with this code: as when a leader has a record and its
    /// followers do not.
    pub fn applied_with(self, code: Code) -> Fault {
        self.act(Act::Misreport(code))
    }

    /// The connection ends and the node does not hear of them.
    pub fn closed(self) -> Fault {
        self.act(Act::Close)
    }

    /// They are carried out, and the connection ends instead of an answer.
    pub fn applied_closed(self) -> Fault {
        self.act(Act::CloseApplied)
    }

    /// They are carried out and the answer is lost: the client waits, on a connection that works, for as long as it does.
    pub fn lost(self) -> Fault {
        self.act(Act::Lose)
    }

    /// They are answered, so much later than they came by the node's clock.
    pub fn late(self, delay: Duration) -> Fault {
        self.act(Act::Delay).late(delay)
    }

    fn act(self, act: Act) -> Fault {
        Fault {
            requests: self,
            act,
            delay: Duration::ZERO,
            times: Some(1),
        }
    }
}

impl Requests {
    /// Whether a request is only met if it is about the right thing.
    pub(super) fn is_narrow(&self) -> bool {
        self.topic.is_some()
    }

    /// Whether this partition is meant; none stands for all of a topic.
    pub(super) fn means(&self, topic: &str, partition: Option<i32>) -> bool {
        let named = self.topic.as_deref().is_none_or(|name| name == topic);
        let number = self.partition.is_none() || partition.is_none() || self.partition == partition;
        named && number
    }
}
