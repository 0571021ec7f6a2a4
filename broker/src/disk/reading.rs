//! One plan on its way: read in runs of neighbouring batches, each batch checked against its checksum (#7).
//! Decides how much is read at once, never what; its bytes count against the node's budget until it is dropped (#131).

use std::sync::Arc;

use bytes::Bytes;
use sawlog_core::answer::FetchAnswer;
use sawlog_core::file::{Fault, FileName, Place, ReadPlan, Served};
use sawlog_core::ids::Waiter;
use sawlog_core::log::checksum;

use super::files::{Files, kind};
use super::tail::Tail;
use crate::net::gauge::{Gauge, Holding};

/// Bytes that are read at once, but for a single longer batch.
const RUN_MAX: u64 = 4 << 20;

/// A plan, and what of it was read.
#[derive(Debug)]
pub struct Reading {
    /// Who waits.
    pub waiter: Waiter,
    /// Where the bytes lie.
    pub plan: ReadPlan,
    /// What goes around them.
    pub answer: FetchAnswer,
    /// The first place that is not read yet.
    next: usize,
    _holding: Holding,
}

impl Reading {
    /// Nothing is read yet, but what it may bring is counted at once: others plan meanwhile.
    pub fn new(
        waiter: Waiter,
        plan: ReadPlan,
        answer: FetchAnswer,
        answers: &Arc<Gauge>,
    ) -> Reading {
        let bytes = plan.places.iter().map(|place| place.len as usize).sum();
        Reading {
            waiter,
            plan,
            answer,
            next: 0,
            _holding: Holding::new(answers, bytes),
        }
    }

    /// Takes all bytes from memory, if all of them are there.
    pub fn remembered(&mut self, tail: &Tail) -> bool {
        self.taken(|file, at, len| tail.get(file, at, len))
    }

    /// Takes all bytes from whoever has them at hand, if all of them are there.
    pub fn taken(&mut self, get: impl Fn(&FileName, u64, u64) -> Option<Bytes>) -> bool {
        let mut records = Vec::with_capacity(self.plan.places.len());
        for place in &self.plan.places {
            let file = self.plan.files.get(usize::from(place.file));
            match file.and_then(|file| get(file, place.at, u64::from(place.len))) {
                Some(bytes) => records.push(bytes),
                None => return false,
            }
        }
        self.answer.records = records;
        true
    }

    /// Reads the next run. None: there is more to read.
    pub fn go_on(&mut self, files: &Files) -> Option<Served> {
        match self.read_run(files) {
            Err(served) => Some(served),
            Ok(()) if self.next < self.plan.places.len() => None,
            Ok(()) => Some(Served::Whole),
        }
    }

    fn read_run(&mut self, files: &Files) -> Result<(), Served> {
        let rest = self.plan.places.get(self.next..).unwrap_or_default();
        let run = rest.get(..run_length(rest)).unwrap_or_default();
        let Some(first) = run.first() else {
            return Ok(());
        };
        let rotten = || Served::Rotten(self.next);
        let file: &FileName = self
            .plan
            .files
            .get(usize::from(first.file))
            .ok_or_else(rotten)?;
        let len: u64 = run.iter().map(|place| u64::from(place.len)).sum();
        let len = u32::try_from(len).map_err(|_| rotten())?;
        let bytes = files.serve(file, first.at, len).map_err(|error| {
            let text = format!("read {file}: {error}");
            let kind = kind(&error);
            Served::Unreadable(self.next, Fault { kind, text })
        })?;
        let seed = checksum::seed(self.plan.log);
        let mut at = 0;
        for (index, place) in (self.next..).zip(run) {
            let end = at + place.len as usize;
            let right = |batch: &[u8]| checksum::over(seed, batch) == place.checksum;
            if !bytes.get(at..end).is_some_and(right) {
                return Err(Served::Rotten(index));
            }
            at = end;
        }
        self.next += run.len();
        self.answer.records.push(bytes);
        Ok(())
    }
}

/// How many places from the first on lie behind each other in one file, up to [`RUN_MAX`].
fn run_length(places: &[Place]) -> usize {
    let Some(first) = places.first() else {
        return 0;
    };
    let mut end = first.at;
    places
        .iter()
        .take_while(|place| {
            let next = place.file == first.file && place.at == end;
            let fits = place.at == first.at || end - first.at + u64::from(place.len) <= RUN_MAX;
            end += u64::from(place.len);
            next && fits
        })
        .count()
}
