//! The faults that a node was asked for, and the requests that came. Decides which fault meets a request: the first that was
//! asked for and is not used up; how often each has is counted.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sawlog_core::now::Now;
use sawlog_wire::Reader;
use sawlog_wire::header::RequestHeader;
use sawlog_wire::messages::ApiKey;

use super::fault::Fault;
use super::trap::Trap;

/// Those of one node, shared by its threads and by clones.
#[derive(Clone, Debug)]
pub struct Faults {
    list: Arc<Mutex<List>>,
    latency: Duration,
}

#[derive(Debug, Default)]
struct List {
    faults: Vec<Live>,
    next: u64,
    came: BTreeMap<ApiKey, u64>,
}

/// One that has not met all it may.
#[derive(Clone, Debug)]
struct Live {
    id: u64,
    fault: Fault,
    left: Option<u64>,
    met: Arc<AtomicU64>,
}

/// A fault that a node was given. Dropped, the fault stays.
#[derive(Clone, Debug)]
pub struct Given {
    faults: Faults,
    id: u64,
    met: Arc<AtomicU64>,
}

impl Given {
    /// How many requests it has met.
    pub fn met(&self) -> u64 {
        self.met.load(Ordering::Relaxed)
    }

    /// It meets no more.
    pub fn lift(&self) {
        self.faults.lock().faults.retain(|live| live.id != self.id);
    }
}

/// One that may meet a request.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    id: u64,
    pub(super) fault: Fault,
}

impl Faults {
    /// None yet; every answer leaves so much later than it is ready.
    pub(crate) fn new(latency: Duration) -> Faults {
        Faults {
            list: Arc::default(),
            latency,
        }
    }

    /// How much later than it is ready an answer leaves.
    pub(crate) fn latency(&self) -> Duration {
        self.latency
    }

    pub(super) fn give(&self, fault: Fault) -> Given {
        let mut list = self.lock();
        let (id, met) = (list.next, Arc::<AtomicU64>::default());
        list.next += 1;
        if fault.times != Some(0) {
            let left = fault.times;
            list.faults.push(Live {
                id,
                fault,
                left,
                met: met.clone(),
            });
        }
        let faults = self.clone();
        Given { faults, id, met }
    }

    pub(super) fn lift_all(&self) {
        self.lock().faults.clear();
    }

    /// How many requests of a kind came.
    pub(super) fn came(&self, key: ApiKey) -> u64 {
        self.lock().came.get(&key).copied().unwrap_or(0)
    }

    /// A frame came: what waits for it, if a fault may meet it.
    pub(crate) fn trap(&self, frame: &[u8], now: Now) -> Option<Box<Trap>> {
        let header = RequestHeader::decode(&mut Reader::new(frame)).ok()?;
        let key = header.api_key()?;
        *self.lock().came.entry(key).or_default() += 1;
        let candidates = self.candidates(key, header.client_id);
        if candidates.is_empty() {
            return None;
        }
        let trap = Trap::new(self.clone(), (key, header.version), candidates, now);
        Some(Box::new(trap))
    }

    /// Those that may meet a request of this kind, of this client.
    pub(super) fn candidates(&self, key: ApiKey, client_id: Option<&str>) -> Vec<Candidate> {
        let list = self.lock();
        let suspects = list.faults.iter().filter(|live| {
            let requests = &live.fault.requests;
            let client = requests.client.as_deref();
            requests.key == key && client.is_none_or(|id| Some(id) == client_id)
        });
        suspects
            .map(|live| Candidate {
                id: live.id,
                fault: live.fault.clone(),
            })
            .collect()
    }

    /// One of them meets a request, unless it was lifted or used up meanwhile.
    pub(super) fn meet(&self, candidate: &Candidate) -> bool {
        let mut list = self.lock();
        let Some(live) = list.faults.iter_mut().find(|live| live.id == candidate.id) else {
            return false;
        };
        live.met.fetch_add(1, Ordering::Relaxed);
        if let Some(left) = &mut live.left {
            *left -= 1;
            if *left == 0 {
                list.faults.retain(|live| live.id != candidate.id);
            }
        }
        true
    }

    fn lock(&self) -> MutexGuard<'_, List> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
