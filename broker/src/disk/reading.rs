//! One plan on its way: read in runs of neighbouring batches, each batch checked against its checksum (#7).
//! Decides how much is read at once, never what; its bytes count against the node's budget until it is dropped (#131).

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use sawlog_core::answer::FetchAnswer;
use sawlog_core::file::{Fault, FileName, Place, ReadPlan, Served};
use sawlog_core::ids::Waiter;
use sawlog_core::log::checksum;
use sawlog_core::proof;

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
        let unreadable = |error: io::Error| {
            let text = format!("read {file}: {error}");
            let kind = kind(&error);
            Served::Unreadable(self.next, Fault { kind, text })
        };
        let seed = checksum::seed(self.plan.log);
        let mut read = files.serve(file, first.at, len);
        let bytes = read.as_ref().ok();
        let whole = bytes.is_some_and(|bytes| wrong(run, seed, bytes).is_none());
        // What could not be brought into the page cache may be more than was asked for.
        if !whole && !proof::mutant("cached-is-believed") {
            read = files.serve_again(file, first.at, len);
        }
        let bytes = read.map_err(unreadable)?;
        if let Some(index) = wrong(run, seed, &bytes) {
            return Err(Served::Rotten(self.next + index));
        }
        self.next += run.len();
        self.answer.records.push(bytes);
        Ok(())
    }
}

/// The first of these batches that is not what it should be.
fn wrong(run: &[Place], seed: u32, bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    run.iter().position(|place| {
        let end = at + place.len as usize;
        let batch = bytes.get(at..end);
        at = end;
        batch.is_none_or(|batch| checksum::over(seed, batch) != place.checksum)
    })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::buffer::Pool;
    use crate::disk::files::Way;
    use sawlog_core::ids::{ConnId, LogId, Offset, ShardId};
    use sawlog_wire::Code;

    const LOG: LogId = LogId::METADATA;

    #[derive(Clone, Copy, Debug)]
    enum Cached {
        Stale,
        Unreadable,
    }

    /// Serves three batches out of a file of which the page cache holds something else, or gives nothing; what lies in the
    /// file itself may be damaged, too. None: this directory has no way around the page cache.
    fn served(damaged: bool, cached: Cached) -> Option<(Served, bool)> {
        let name = format!("sawlog-stale-{}-{damaged}-{cached:?}", std::process::id());
        let root = std::env::temp_dir().join(name);
        std::fs::create_dir_all(root.join("t-0")).unwrap();
        let files = Files::open(&root, Pool::new(1 << 20)).unwrap();
        let [file, old] = [0, 9].map(|base| FileName::Segment {
            dir: "t-0".into(),
            base: Offset(base),
        });
        let bytes: Vec<u8> = (0..30_000_u32).map(|at| (at % 251) as u8).collect();
        let places = bytes
            .chunks(10_000)
            .enumerate()
            .map(|(index, batch)| Place {
                file: 0,
                at: index as u64 * 10_000,
                len: 10_000,
                checksum: checksum::over(checksum::seed(LOG), batch),
            });
        let plan = ReadPlan {
            log: LOG,
            pin: 0,
            files: vec![file.clone()],
            places: places.collect(),
        };
        let mut lies = bytes.clone();
        lies[15_000] ^= u8::from(damaged);
        std::fs::write(root.join(file.to_string()), &lies).unwrap();
        // The end was not there yet.
        lies[25_000..].fill(0);
        std::fs::write(root.join(old.to_string()), &lies).unwrap();
        match cached {
            Cached::Stale => files.make_stale(&file, &old),
            Cached::Unreadable => files.make_unreadable(&file),
        }
        let shard = ShardId(0);
        let waiter = Waiter {
            conn: ConnId { shard, number: 1 },
            request: 0,
            part: 0,
        };
        let answer = FetchAnswer {
            code: Code::None,
            hw: Offset(0),
            stable: Offset(0),
            start: Offset(0),
            diverging: None,
            records: Vec::new(),
        };
        let mut reading = Reading::new(waiter, plan, answer, &Gauge::new(1 << 20));
        let served = reading.go_on(&files);
        let whole = reading.answer.records.concat() == bytes;
        std::fs::remove_dir_all(&root).unwrap();
        if files.way() != Way::Direct {
            eprintln!("nothing to show: this file system takes no O_DIRECT");
            return None;
        }
        served.map(|served| (served, whole))
    }

    #[test]
    fn what_the_page_cache_holds_wrongly_is_neither_served_nor_called_rotten_7() {
        for cached in [Cached::Stale, Cached::Unreadable] {
            if let Some(served) = served(false, cached) {
                assert_eq!(served, (Served::Whole, true), "{cached:?}");
            }
        }
    }

    #[test]
    fn what_is_damaged_on_the_medium_is_rotten_whatever_the_page_cache_holds_7() {
        for cached in [Cached::Stale, Cached::Unreadable] {
            if let Some(served) = served(true, cached) {
                assert_eq!(served, (Served::Rotten(1), false), "{cached:?}");
            }
        }
    }

    #[cfg(feature = "mutants")]
    #[test]
    fn a_verdict_on_what_only_the_page_cache_holds_is_caught_7() {
        for cached in [Cached::Stale, Cached::Unreadable] {
            proof::choose(Some("cached-is-believed"));
            let served = served(false, cached);
            let fired = proof::fired();
            proof::choose(None);
            if let Some((served, _)) = served {
                let fails = match cached {
                    Cached::Stale => served == Served::Rotten(2),
                    Cached::Unreadable => matches!(served, Served::Unreadable(0, _)),
                };
                assert!(fired > 0 && fails, "a test that cannot fail: {served:?}");
            }
        }
    }
}
