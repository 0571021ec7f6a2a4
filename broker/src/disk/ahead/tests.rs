//! One reader after the other over a segment of drawn batches: whatever is served from what was read ahead is what lies in
//! the file, what is held stays below its bound, and all of it comes back.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use sawlog_core::answer::FetchAnswer;
use sawlog_core::file::Served;
use sawlog_core::ids::{ConnId, LogId, Offset, ShardId, Waiter};
use sawlog_wire::Code;

use super::super::buffer::{PAGE, Pool};
use super::*;
use crate::net::gauge::Gauge;

const LOG: LogId = LogId::METADATA;
const WAITER: Waiter = Waiter {
    conn: ConnId {
        shard: ShardId(0),
        number: 1,
    },
    request: 0,
    part: 0,
};
/// As much as a Fetch of a common client asks for.
const FETCH: u64 = 1 << 20;

/// A directory with segments of one log, and what reads them.
struct Rig {
    root: PathBuf,
    files: Arc<Files>,
    gauge: Arc<Gauge>,
    ahead: Ahead,
    jobs: VecDeque<Job>,
    /// What came of reads: from memory, and from the file.
    from_memory: usize,
    from_file: usize,
}

/// A segment as the core knows it.
struct Segment {
    name: FileName,
    bytes: Vec<u8>,
    places: Vec<Place>,
}

impl Rig {
    fn new() -> Rig {
        static MADE: AtomicU64 = AtomicU64::new(0);
        let made = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("sawlog-ahead-{}-{made}", std::process::id());
        let root = std::env::temp_dir().join(name);
        std::fs::create_dir_all(root.join("t-0")).unwrap();
        let files = Arc::new(Files::open(&root, Pool::new(AHEAD_MAX)).unwrap());
        Rig {
            ahead: Ahead::new(files.ahead()),
            root,
            files,
            gauge: Gauge::new(1 << 30),
            jobs: VecDeque::new(),
            from_memory: 0,
            from_file: 0,
        }
    }

    /// Writes a segment of batches of these lengths; each byte follows from `salt`, its file and its place.
    fn segment(&self, base: i64, salt: u8, lengths: impl IntoIterator<Item = usize>) -> Segment {
        let mut bytes = Vec::new();
        let mut places = Vec::new();
        for (index, len) in lengths.into_iter().enumerate() {
            let at = bytes.len();
            bytes.extend((0..len).map(|i| (i * 31 + index * 7) as u8 ^ salt));
            let counted = i32::try_from(len - LENGTH_AT.end).unwrap();
            bytes[at + 8..at + 12].copy_from_slice(&counted.to_be_bytes());
            places.push(Place {
                file: 0,
                at: at as u64,
                len: len as u32,
                checksum: checksum::over(checksum::seed(LOG), &bytes[at..]),
            });
        }
        let name = FileName::Segment {
            dir: "t-0".into(),
            base: Offset(base),
        };
        std::fs::write(self.root.join(name.to_string()), &bytes).unwrap();
        Segment {
            name,
            bytes,
            places,
        }
    }

    fn act(&mut self, act: impl FnOnce(&mut Ahead, &mut Vec<Job>)) {
        let mut jobs = Vec::new();
        act(&mut self.ahead, &mut jobs);
        self.jobs.extend(jobs);
    }

    /// The disk is done with what it reads ahead.
    fn come(&mut self, most: usize) {
        for _ in 0..most {
            let Some(job) = self.jobs.pop_front() else {
                return;
            };
            let came = job.run(&self.files);
            self.act(|ahead, jobs| ahead.came(came, jobs));
        }
    }

    /// What a plan brings: how many batches, and their bytes; or what is wrong with it.
    fn read(
        &mut self,
        segments: &[&Segment],
        places: Vec<Place>,
    ) -> Result<(usize, Bytes), Served> {
        let plan = ReadPlan {
            log: LOG,
            pin: 0,
            files: segments.iter().map(|s| s.name.clone()).collect(),
            places,
        };
        let answer = FetchAnswer {
            code: Code::None,
            hw: Offset(0),
            stable: Offset(0),
            start: Offset(0),
            diverging: None,
            records: Vec::new(),
        };
        let mut reading = Reading::new(WAITER, plan, answer, &self.gauge);
        loop {
            let mut at_hand = AtHand::Nothing;
            self.act(|ahead, jobs| at_hand = ahead.take(&mut reading, jobs));
            match at_hand {
                AtHand::All => {
                    self.from_memory += 1;
                    break;
                }
                AtHand::Soon => {
                    assert!(!self.jobs.is_empty(), "it waits for what nobody reads");
                    self.come(1);
                }
                AtHand::Nothing => {
                    self.from_file += 1;
                    let served = loop {
                        if let Some(served) = reading.go_on(&self.files) {
                            break served;
                        }
                    };
                    if served != Served::Whole {
                        return Err(served);
                    }
                    self.act(|ahead, jobs| ahead.noticed(&reading.plan, jobs));
                    break;
                }
            }
        }
        assert!(self.held() <= AHEAD_MAX, "#131: {}", self.held());
        let bytes = reading.answer.records.concat();
        Ok((reading.plan.places.len(), bytes.into()))
    }

    /// Reads one segment from batch `from` on, as a client does that asks again and again; gives where it ended.
    fn follow(&mut self, segment: &Segment, from: usize, fetches: usize) -> usize {
        let mut next = from;
        for fetch in 0..fetches {
            let places = planned(segment, next, FETCH);
            let Some(first) = places.first().copied() else {
                break;
            };
            // The disk is sometimes quicker than the client, and sometimes not.
            self.come(fetch % 3);
            let (count, bytes) = self.read(&[segment], places).unwrap();
            let end = first.at as usize + bytes.len();
            assert!(bytes == segment.bytes[first.at as usize..end], "#7");
            next += count;
        }
        next
    }

    fn held(&self) -> usize {
        self.files.ahead().used()
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.root);
    }
}

/// The places of as many batches as fit, and the first.
fn planned(segment: &Segment, from: usize, most: u64) -> Vec<Place> {
    let mut left = most;
    let rest = segment.places.iter().skip(from);
    let fits = rest.enumerate().take_while(|(index, place)| {
        let fits = *index == 0 || u64::from(place.len) <= left;
        left = left.saturating_sub(u64::from(place.len));
        fits
    });
    fits.map(|(_, place)| *place).collect()
}

/// Lengths of batches, of all sizes up to nearly a chunk.
fn drawn(count: usize) -> impl Iterator<Item = usize> {
    let mut state = 7_u64;
    (0..count).map(move |index| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let most = if index % 9 == 0 {
            CHUNK - 2 * PAGE
        } else {
            200_000
        };
        LENGTH_AT.end + LENGTH_LEAST + (state >> 33) as usize % most
    })
}

#[test]
fn whoever_reads_on_is_served_from_what_was_read_ahead_and_it_is_what_lies_in_the_file_7() {
    let mut rig = Rig::new();
    let segment = rig.segment(0, 0, drawn(150));
    let end = rig.follow(&segment, 0, 1000);
    assert_eq!(end, segment.places.len());
    let (memory, file) = (rig.from_memory, rig.from_file);
    assert!(
        memory > 5 * file,
        "{memory} from memory, {file} from the file"
    );
    // In the middle, and from two places in turn.
    let (mut one, mut two) = (20, 70);
    for _ in 0..20 {
        one = rig.follow(&segment, one, 1);
        two = rig.follow(&segment, two, 2);
    }
    assert!(one > 20 && two == segment.places.len());
}

#[test]
fn a_plan_that_goes_on_in_the_next_segment_gets_what_is_here_and_the_next_is_read_ahead_from_its_start()
 {
    let mut rig = Rig::new();
    let one = rig.segment(0, 0, vec![100_000; 30]);
    let two = rig.segment(30, 1, vec![100_000; 30]);
    assert_eq!(rig.follow(&one, 0, 2), 20);
    let mut places = planned(&one, 25, FETCH);
    assert_eq!(rig.follow(&one, 20, 0) + places.len(), 25);
    places.extend(planned(&two, 0, FETCH / 2).into_iter().map(|mut place| {
        place.file = 1;
        place
    }));
    rig.come(9);
    let (count, bytes) = rig.read(&[&one, &two], places).unwrap();
    assert_eq!(count, 5, "a reader gets on with less than it asked for");
    assert!(bytes == one.bytes[2_500_000..]);
    let before = rig.from_file;
    assert_eq!(rig.follow(&two, 0, 10), 30);
    assert_eq!(rig.from_file - before, 1, "the first run of the next one");
}

#[test]
fn nothing_is_read_ahead_for_who_jumps_about_or_reads_little() {
    let mut rig = Rig::new();
    let segment = rig.segment(0, 0, vec![50_000; 100]);
    for from in [50, 10, 80, 35] {
        rig.follow(&segment, from, 1);
    }
    for from in 60..80 {
        rig.read(&[&segment], segment.places[from..from + 1].to_vec())
            .unwrap();
    }
    assert_eq!((rig.from_memory, rig.held(), rig.jobs.len()), (0, 0, 0));
}

/// Reads a segment of which one byte is damaged behind what is read at first; what the reader of that batch gets.
fn damaged() -> Result<(usize, Bytes), Served> {
    let mut rig = Rig::new();
    let segment = rig.segment(0, 0, vec![100_000; 40]);
    let mut lies = segment.bytes.clone();
    lies[1_550_000] ^= 1;
    std::fs::write(rig.root.join(segment.name.to_string()), lies).unwrap();
    assert_eq!(rig.follow(&segment, 0, 1), 10);
    rig.come(9);
    // It was read, and nobody was told: nobody has asked.
    let (count, bytes) = rig.read(&[&segment], planned(&segment, 10, 500_000))?;
    assert_eq!(
        (count, &bytes[..]),
        (5, &segment.bytes[1_000_000..1_500_000])
    );
    rig.read(&[&segment], planned(&segment, 15, FETCH))
}

#[test]
fn damage_that_was_read_ahead_is_told_when_it_is_wanted_and_never_sent_7() {
    assert_eq!(damaged(), Err(Served::Rotten(0)));
}

#[cfg(feature = "mutants")]
#[test]
fn damage_that_is_sent_because_nobody_compared_it_is_caught_7() {
    proof::choose(Some("ahead-unchecked"));
    let sent = damaged();
    let fired = proof::fired();
    proof::choose(None);
    assert!(fired > 0 && sent.is_ok(), "a test that cannot fail");
}

#[test]
fn a_file_of_the_same_name_is_read_anew_and_what_was_read_of_the_old_one_is_given_back_7() {
    let mut rig = Rig::new();
    let old = rig.segment(0, 0, vec![100_000; 40]);
    rig.follow(&old, 0, 1);
    rig.come(9);
    assert!(rig.held() > 0);
    // Nobody tells: the bytes themselves do.
    let new = rig.segment(0, 0x55, vec![100_000; 40]);
    rig.follow(&new, 10, 1);
    assert_eq!(rig.from_memory, 0);
    rig.follow(&new, 20, 1);
    rig.come(9);
    let dir = FileName::named("t-0");
    for (op, stays) in [
        (FileOp::Unlink(new.name.clone()), false),
        (FileOp::RemoveDir(dir.clone()), false),
        (
            FileOp::Rename {
                from: dir,
                to: FileName::named("t-0.x-delete"),
            },
            false,
        ),
        (
            FileOp::Cut {
                file: new.name.clone(),
                len: 3_500_000,
            },
            false,
        ),
        (
            FileOp::Cut {
                file: new.name.clone(),
                len: 4_000_000,
            },
            true,
        ),
        (FileOp::Sync(new.name.clone()), true),
    ] {
        rig.ahead = Ahead::new(rig.files.ahead());
        rig.jobs.clear();
        assert_eq!(rig.held(), 0);
        rig.follow(&new, 0, 1);
        rig.come(9);
        rig.ahead.forget(&op);
        assert_eq!(rig.held() > 0, stays, "{op:?}");
    }
    // One that is on its way when its file goes is not kept either.
    rig.ahead = Ahead::new(rig.files.ahead());
    rig.follow(&new, 0, 1);
    rig.ahead.forget(&FileOp::Unlink(new.name.clone()));
    assert!(rig.held() > 0);
    rig.come(9);
    assert_eq!(rig.held(), 0);
}

#[test]
fn many_readers_together_stay_below_the_bound_and_what_nobody_comes_for_is_given_back_131() {
    let mut rig = Rig::new();
    let segments: Vec<Segment> = (0..20)
        .map(|base| rig.segment(base * 100, base as u8, vec![100_000; 60]))
        .collect();
    let mut most = 0;
    for round in 0..6 {
        for segment in &segments {
            // Each asserts the bound.
            rig.follow(segment, round * 10, 1);
            most = most.max(rig.held());
        }
    }
    assert!(most > AHEAD_MAX - 2 * CHUNK, "{most}");
    assert!(rig.from_memory > 10, "{} from memory", rig.from_memory);
    rig.come(99);
    // What is still being sent counts, though its stream is gone.
    rig.ahead.tidy();
    rig.ahead.tidy();
    assert_eq!(rig.held(), 0);
    assert!(rig.ahead.streams.is_empty());
}

#[test]
fn what_is_being_sent_counts_until_it_is_gone_131() {
    let mut rig = Rig::new();
    let segment = rig.segment(0, 0, vec![100_000; 60]);
    rig.follow(&segment, 0, 1);
    let plan = ReadPlan {
        log: LOG,
        pin: 0,
        files: vec![segment.name.clone()],
        places: planned(&segment, 10, FETCH),
    };
    rig.come(9);
    let Some(stream) = rig.ahead.streams.first() else {
        panic!("somebody reads on");
    };
    let (count, runs) = stream.gather(&plan);
    assert_eq!((count, runs.len()), (10, 1));
    rig.ahead.tidy();
    rig.ahead.tidy();
    assert_eq!(rig.held(), taken(CHUNK));
    drop(runs);
    assert_eq!(rig.held(), 0);
}

#[test]
fn who_goes_on_in_memory_and_who_never_comes_again_keep_nothing_from_others_132() {
    let mut rig = Rig::new();
    let left = rig.segment(0, 0, vec![100_000; 60]);
    rig.follow(&left, 0, 1);
    rig.come(9);
    let plan = |places| ReadPlan {
        log: LOG,
        pin: 0,
        files: vec![left.name.clone()],
        places,
    };
    rig.ahead.passed(&plan(planned(&left, 0, FETCH)));
    assert!(
        rig.held() > 0,
        "what was written last is not where it reads"
    );
    rig.ahead.passed(&plan(planned(&left, 10, FETCH)));
    assert_eq!(rig.held(), 0);
    // So many are left that nothing is there for one more.
    let segments: Vec<Segment> = (1..20)
        .map(|base| rig.segment(base * 100, base as u8, vec![100_000; 60]))
        .collect();
    for segment in &segments {
        rig.follow(segment, 0, 1);
        rig.come(9);
    }
    let mut late = 0;
    for _ in 0..STALE {
        rig.from_memory = 0;
        rig.follow(&left, 0, 3);
        late += 1;
        if rig.from_memory == 2 {
            break;
        }
    }
    assert!(late > 1 && late < STALE, "{late}");
}
