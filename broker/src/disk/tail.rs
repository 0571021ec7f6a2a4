//! The commits written last, still in memory: tail reads and spilling take their bytes from here.
//! Decides which memory is given up: the oldest, beyond what readers reach back and the spill has still to take, each
//! twice, and beyond the budget (`sawlog.cache.bytes`). First touch of memory is dear, so it goes round while it is warm.
//!
//! Small commits share a window, in which they lie as they lie in the file: one stretch of memory for many of them, so
//! that a spill reads hundreds of batches at once, and a commit of one record costs its own bytes and no page more.

use std::cell::Cell;
use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use sawlog_core::file::{FileName, Piece, RingKind};
use sawlog_core::proof;

use super::buffer::{Aligned, PAGE, Pool, Shared};
use super::gone::Gone;

/// Bytes of a window.
const WINDOW: usize = 256 << 10;

/// What is kept though nobody reads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Least {
    /// The last so many bytes of all that is written: it goes round in as much memory, and what does not fit the processor's
    /// caches is dear.
    pub all: u64,
    /// The last so many that were written to rings: twice what the spill lags behind (`Sizes::spill_lag`), so that it finds
    /// its bytes here.
    pub rings: u64,
}

impl Least {
    /// A broker's.
    pub const BROKER: Least = Least {
        all: 4 << 20,
        rings: 8 << 20,
    };
}

/// See the file's head.
#[derive(Debug)]
pub struct Tail {
    pool: Pool,
    budget: u64,
    least: Least,
    held: u64,
    /// Bytes taken in so far: what the age of a stretch is counted in.
    taken: u64,
    reach: Reach,
    gone: Gone,
    files: BTreeMap<FileName, BTreeMap<u64, Stretch>>,
    rings: Row,
    others: Row,
    /// The window of each ring that still fills: the durable one's, the fast one's.
    open: [Option<Window>; 2],
}

/// Bytes as they lie in a file, and the memory that they keep.
#[derive(Debug)]
struct Stretch {
    bytes: Bytes,
    cost: u64,
    /// What had been taken in before it.
    born: u64,
}

/// Stretches in the order they were written: those of the rings, or all others. Some may be gone, or written again.
#[derive(Debug, Default)]
struct Row {
    ages: VecDeque<Age>,
    /// Bytes that this row took in so far.
    taken: u64,
    /// What is younger than this, counted in bytes of this row, stays whatever its age is among all.
    stays: u64,
}

/// Where a stretch begins, and what had been taken in before it: by all, and by its row.
#[derive(Debug)]
struct Age {
    file: FileName,
    at: u64,
    born: u64,
    within: u64,
}

impl Row {
    /// Takes the first out if it is so.
    fn next_if(&mut self, so: impl Fn(&Age) -> bool) -> Option<Age> {
        self.ages.pop_front_if(|age| so(age))
    }

    /// Whether what was written first stays for the sake of this row.
    fn holds_on(&self) -> bool {
        let first = self.ages.front();
        first.is_some_and(|age| self.taken - age.within <= self.stays)
    }
}

/// How far readers reach back: the greatest age asked for in this round and in the one before, a round being as many bytes
/// as the budget.
#[derive(Debug, Default)]
struct Reach {
    now: Cell<u64>,
    before: u64,
    round: u64,
}

impl Reach {
    fn note(&self, age: u64) {
        self.now.set(self.now.get().max(age));
    }

    /// How old what is kept may be.
    fn room(&self, least: u64, budget: u64) -> u64 {
        let reach = self.before.max(self.now.get());
        reach.saturating_mul(2).clamp(least.min(budget), budget)
    }

    fn took(&mut self, cost: u64, budget: u64) {
        self.round += cost;
        if self.round >= budget {
            self.before = self.now.replace(0);
            self.round = 0;
        }
    }
}

#[derive(Debug)]
struct Window {
    file: FileName,
    at: u64,
    buffer: Aligned,
}

impl Window {
    fn end(&self) -> u64 {
        self.at + self.buffer.len() as u64
    }

    /// Whether `len` bytes at `at` fit behind what is in it, at most a block later.
    fn takes(&self, file: &FileName, at: u64, len: usize) -> bool {
        let gap = at.checked_sub(self.end());
        let gap = gap.and_then(|gap| usize::try_from(gap).ok());
        self.file == *file
            && gap.is_some_and(|gap| {
                gap < PAGE && self.buffer.len() + gap + len <= self.buffer.capacity()
            })
    }
}

impl Tail {
    /// An empty cache that holds at most `budget` bytes, `least` though nobody reads, and a window of each ring; its
    /// memory comes from `pool`.
    pub fn new(budget: u64, least: Least, pool: Pool) -> Tail {
        Tail {
            pool,
            budget,
            least,
            held: 0,
            taken: 0,
            reach: Reach::default(),
            gone: Gone::new(budget),
            files: BTreeMap::new(),
            rings: Row {
                stays: least.rings.min(budget),
                ..Row::default()
            },
            others: Row::default(),
            open: [None, None],
        }
    }

    /// Takes in what is about to be written into a ring file, and gives it as it lies in aligned memory.
    pub fn add(&mut self, kind: RingKind, file: &FileName, at: u64, pieces: &[Piece]) -> &[u8] {
        let len = pieces.iter().map(Piece::len).sum();
        let full = !self.window(kind).is_some_and(|w| w.takes(file, at, len));
        if full {
            self.seal(kind);
        }
        let window = slot(&mut self.open, kind).get_or_insert_with(|| Window {
            file: file.clone(),
            at,
            buffer: self.pool.take(len.max(WINDOW)),
        });
        // Between two synced stretches of the fast ring lies the rest of a block that nobody reads.
        let gap = usize::try_from(at - window.end()).unwrap_or(0);
        window.buffer.push_zeros(gap);
        let from = window.buffer.len();
        for piece in pieces {
            window.buffer.push_piece(piece);
        }
        window.buffer.as_ref().get(from..).unwrap_or_default()
    }

    /// Keeps what was just written at `at` from memory of its own. A window of that file ends here: were it filled any
    /// further, it would have zeros where this lies.
    pub fn keep(&mut self, file: &FileName, at: u64, bytes: Shared) {
        for kind in [RingKind::Durable, RingKind::Fast] {
            if self.window(kind).is_some_and(|window| window.file == *file)
                && !proof::mutant("window-over-a-gap")
            {
                self.seal(kind);
            }
        }
        self.insert(file, at, bytes);
    }

    /// The commit at `at` failed: nobody knows what lies there now, so it is not remembered, and no window goes on over it.
    pub fn lost(&mut self, file: &FileName, at: u64) {
        for kind in [RingKind::Durable, RingKind::Fast] {
            let open = slot(&mut self.open, kind);
            let Some(mut window) = open.take_if(|window| window.file == *file) else {
                continue;
            };
            let before = at.saturating_sub(window.at);
            if !proof::mutant("failed-commit-remembered") {
                window.buffer.truncate(usize::try_from(before).unwrap_or(0));
            }
            if !window.buffer.is_empty() {
                self.insert(file, window.at, window.buffer.share());
            }
        }
    }

    fn insert(&mut self, file: &FileName, at: u64, shared: Shared) {
        let Shared { bytes, cost } = shared;
        if cost > self.budget {
            return;
        }
        let born = self.taken;
        let old = self
            .files
            .entry(file.clone())
            .or_default()
            .insert(at, Stretch { bytes, cost, born });
        self.held -= old.map_or(0, |old| old.cost);
        self.held += cost;
        self.taken += cost;
        self.reach.took(cost, self.budget);
        let row = self.row(file);
        row.ages.push_back(Age {
            file: file.clone(),
            at,
            born,
            within: row.taken,
        });
        row.taken += cost;
        while let Some(age) = self.next_to_go(born) {
            self.forget_one(&age);
        }
    }

    fn row(&mut self, file: &FileName) -> &mut Row {
        match file {
            FileName::Ring { .. } => &mut self.rings,
            _ => &mut self.others,
        }
    }

    /// What is to be given up next, if anything is; never what was taken in last, whatever its length.
    fn next_to_go(&mut self, last: u64) -> Option<Age> {
        let (taken, room) = (self.taken, self.room());
        let old = |age: &Age| age.born < last && taken - age.born > room;
        if let Some(age) = self.others.next_if(old) {
            return Some(age);
        }
        let ring_holds_on = self.rings.holds_on();
        if !ring_holds_on && let Some(age) = self.rings.next_if(old) {
            return Some(age);
        }
        if self.held <= self.budget {
            return None;
        }
        // Readers may have all but what the spill has still to take, and the spill all but the least.
        let least = self.least.all;
        let beyond = |age: &Age| taken - age.born > least;
        if ring_holds_on && let Some(age) = self.others.next_if(beyond) {
            return Some(age);
        }
        let born = |row: &Row| row.ages.front().map_or(u64::MAX, |age| age.born);
        let first = if born(&self.rings) < born(&self.others) {
            &mut self.rings
        } else {
            &mut self.others
        };
        first.ages.pop_front()
    }

    /// The bytes at a position for a reader, if all of them are here: a slice where they lie in one stretch, else a copy.
    pub fn get(&self, file: &FileName, at: u64, len: u64) -> Option<Bytes> {
        let found = self.find(file, at, len);
        let age = match &found {
            Some(_) => self.age(file, at),
            None => self.gone.asked(file, at, self.taken),
        };
        if let Some(age) = age {
            self.reach.note(age);
        }
        found
    }

    /// How old the stretch is that has the byte at `at`. One that stays for the spill alone is no reader's reach.
    fn age(&self, file: &FileName, at: u64) -> Option<u64> {
        let (_, stretch) = self.sealed(file, at)?;
        let age = self.taken - stretch.born;
        (age <= self.room()).then_some(age)
    }

    /// The same for the spill, which is no reader: what it has still to take is told by [`Tail::owe`].
    pub fn find(&self, file: &FileName, at: u64, len: u64) -> Option<Bytes> {
        if let Some((start, stretch)) = self.sealed(file, at) {
            let bytes = &stretch.bytes;
            let from = usize::try_from(at - start).ok()?;
            let to = from.checked_add(usize::try_from(len).ok()?)?;
            if to <= bytes.len() {
                return Some(bytes.slice(from..to));
            }
        }
        let end = at.checked_add(len)?;
        self.part(file, at)?;
        let mut copy = self.pool.take(usize::try_from(len).ok()?);
        let mut at = at;
        while at < end {
            let part = self.part(file, at)?;
            let part = part
                .get(..part.len().min(usize::try_from(end - at).ok()?))
                .filter(|part| !part.is_empty())?;
            copy.push(part);
            at += part.len() as u64;
        }
        Some(copy.freeze())
    }

    /// The spill is so many bytes of the log behind: these stay, or it would read them back from the disk (decision 0009).
    pub fn owe(&mut self, bytes: u64) {
        // A buffer may be as long again as what lies in it.
        let stays = bytes.saturating_mul(2).max(self.least.rings);
        self.rings.stays = stays.min(self.budget);
    }

    /// Forgets what lies past the new end of a file.
    pub fn cut(&mut self, file: &FileName, len: u64) {
        self.gone.cut(file, len);
        let Some(stretches) = self.files.get_mut(file) else {
            return;
        };
        let held = &mut self.held;
        stretches.retain(|at, stretch| {
            let stays = at + stretch.bytes.len() as u64 <= len;
            if !stays {
                *held -= stretch.cost;
            }
            stays
        });
    }

    /// Forgets a file that gets a new life, and all files of a directory that does.
    pub fn forget(&mut self, file: &FileName) {
        if let FileName::Named(path) = file {
            let below =
                |name: &FileName| matches!(name, FileName::Segment { dir, .. } if dir == path);
            let known = self.files.keys().chain(self.gone.files());
            let names: Vec<FileName> = known.filter(|name| below(name)).cloned().collect();
            names.iter().for_each(|name| self.forget(name));
        }
        self.gone.forget(file);
        if let Some(gone) = self.files.remove(file) {
            self.held -= gone.values().map(|stretch| stretch.cost).sum::<u64>();
        }
        for open in &mut self.open {
            if open.as_ref().is_some_and(|window| window.file == *file) {
                *open = None;
            }
        }
    }

    /// How old what is kept may be now; of the rings more may stay.
    pub fn room(&self) -> u64 {
        self.reach.room(self.least.all, self.budget)
    }

    /// Bytes of memory in use, the windows that fill left out.
    pub fn held(&self) -> u64 {
        self.held
    }

    fn sealed(&self, file: &FileName, at: u64) -> Option<(u64, &Stretch)> {
        let (start, stretch) = self.files.get(file)?.range(..=at).next_back()?;
        Some((*start, stretch))
    }

    /// What one stretch has from `at` on.
    fn part(&self, file: &FileName, at: u64) -> Option<&[u8]> {
        let within = |start: u64, bytes: &'_ [u8]| {
            let from = usize::try_from(at.checked_sub(start)?).ok()?;
            (from < bytes.len()).then_some(from)
        };
        if let Some((start, stretch)) = self.sealed(file, at)
            && let Some(from) = within(start, &stretch.bytes)
        {
            return stretch.bytes.get(from..);
        }
        let windows = self.open.iter().flatten();
        let window = windows.into_iter().find(|window| window.file == *file)?;
        let bytes = window.buffer.as_ref();
        bytes.get(within(window.at, bytes)?..)
    }

    fn window(&self, kind: RingKind) -> Option<&Window> {
        let [durable, fast] = &self.open;
        match kind {
            RingKind::Durable => durable.as_ref(),
            RingKind::Fast => fast.as_ref(),
        }
    }

    /// A window that takes no more becomes a stretch like any other.
    fn seal(&mut self, kind: RingKind) {
        let Some(mut window) = slot(&mut self.open, kind).take() else {
            return;
        };
        if window.buffer.len() < window.buffer.capacity() / 2 {
            let mut short = self.pool.take(window.buffer.len());
            short.push(window.buffer.as_ref());
            window.buffer = short;
        }
        self.insert(&window.file, window.at, window.buffer.share());
    }

    /// Forgets what was kept then; what lies there since stays.
    fn forget_one(&mut self, age: &Age) {
        let Some(stretches) = self.files.get_mut(&age.file) else {
            return;
        };
        let then = |stretch: &Stretch| stretch.born == age.born;
        if stretches.get(&age.at).is_some_and(then)
            && let Some(stretch) = stretches.remove(&age.at)
        {
            self.held -= stretch.cost;
            let len = stretch.bytes.len() as u64;
            if self.taken - age.born <= self.budget {
                self.gone
                    .add(age.file.clone(), age.at, len, age.born, self.taken);
            }
        }
        if stretches.is_empty() {
            self.files.remove(&age.file);
        }
    }
}

fn slot(open: &mut [Option<Window>; 2], kind: RingKind) -> &mut Option<Window> {
    let [durable, fast] = open;
    match kind {
        RingKind::Durable => durable,
        RingKind::Fast => fast,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DURABLE: RingKind = RingKind::Durable;

    fn page_of(pool: &Pool, with: u8) -> Aligned {
        let mut buffer = pool.take(PAGE);
        buffer.push(&[with; PAGE]);
        buffer
    }

    #[test]
    fn what_is_kept_without_readers_is_twice_what_the_spill_lags_behind() {
        use sawlog_core::{file::Free, log::EngineConf, log::Sizes};
        for total in [1 << 30, 1 << 40] {
            let space = Free { total, free: total };
            let sizes = Sizes::of(&EngineConf::default(), space, 1);
            assert!(Least::BROKER.rings >= 2 * sizes.spill_lag);
        }
    }

    #[test]
    fn the_oldest_goes_first_and_a_read_over_two_stretches_is_a_copy() {
        let pool = Pool::new(0);
        let mut tail = Tail::new(3 * PAGE as u64, Least::BROKER, pool.clone());
        let file = FileName::named("ring");
        for i in 0..4_u8 {
            tail.keep(&file, u64::from(i) * 4096, page_of(&pool, i).share());
        }
        assert_eq!(tail.get(&file, 0, 10), None);
        assert_eq!(tail.get(&file, 4100, 10).unwrap()[..], [1; 10]);
        assert_eq!(tail.get(&file, 8190, 4).unwrap()[..], [1, 1, 2, 2]);
        assert_eq!(tail.get(&file, 16380, 10), None, "behind the end");
        assert_eq!(tail.held(), 3 * PAGE as u64);
        tail.forget(&file);
        assert_eq!(tail.held(), 0);
    }

    #[test]
    fn what_was_written_last_stays_however_long_it_is() {
        let pool = Pool::new(0);
        let page = PAGE as u64;
        let least = Least {
            all: 2 * page,
            rings: 0,
        };
        let mut tail = Tail::new(64 * page, least, pool.clone());
        let file = FileName::named("segment");
        let mut long = pool.take(5 * PAGE);
        long.push_zeros(5 * PAGE);
        tail.keep(&file, 0, long.share());
        assert!(tail.find(&file, 0, 5 * page).is_some());
        tail.keep(&file, 5 * page, page_of(&pool, 1).share());
        assert_eq!(tail.held(), page);
    }

    #[test]
    fn what_was_written_again_is_as_old_as_its_last_write() {
        let pool = Pool::new(0);
        let mut tail = Tail::new(3 * PAGE as u64, Least::BROKER, pool.clone());
        let file = FileName::named("segment");
        for (at, with) in [(0, 1), (4096, 2), (0, 3), (8192, 4)] {
            tail.keep(&file, at, page_of(&pool, with).share());
        }
        assert_eq!(tail.get(&file, 0, 1).unwrap()[..], [3]);
        tail.keep(&file, 12288, page_of(&pool, 5).share());
        assert_eq!(tail.get(&file, 4096, 1), None, "the oldest");
        assert_eq!(tail.get(&file, 0, 1).unwrap()[..], [3]);
    }

    #[test]
    fn as_much_is_kept_as_readers_reach_back_twice_and_one_who_stays_too_late_gets_all_of_the_budget()
     {
        const MEBI: u64 = 1 << 20;
        let pool = Pool::new(0);
        let least = Least {
            all: 16 * MEBI,
            rings: 0,
        };
        let mut tail = Tail::new(64 * MEBI, least, pool.clone());
        let file = FileName::Ring {
            shard: sawlog_core::ids::ShardId(0),
            kind: DURABLE,
            sequence: 1,
        };
        let mut at = 0;
        let mut write = |tail: &mut Tail, n: u64| {
            for _ in 0..n {
                let mut buffer = pool.take(MEBI as usize);
                buffer.filled(MEBI as usize);
                tail.keep(&file, at, buffer.share());
                at += MEBI;
            }
            at
        };
        let near = |held: u64, mebi: u64| held <= mebi * MEBI && held > (mebi - 3) * MEBI;
        let end = write(&mut tail, 100);
        assert!(near(tail.held(), 16), "{}", tail.held());
        assert!(tail.get(&file, end - 15 * MEBI, 0).is_some());
        write(&mut tail, 50);
        assert!(near(tail.held(), 31), "{}", tail.held());
        // One who reads what no budget would have kept changes nothing, one who stays a little too late does.
        assert!(tail.get(&file, 0, 1).is_none());
        let mut end = write(&mut tail, 1);
        assert!(near(tail.held(), 31), "{}", tail.held());
        for _ in 0..7 {
            assert!(tail.get(&file, end - 60 * MEBI, 1).is_none());
            end = write(&mut tail, 10);
        }
        assert!(tail.get(&file, end - 60 * MEBI, 1).is_none());
        write(&mut tail, 70);
        assert!(near(tail.held(), 64), "{}", tail.held());
        // What the spill has still to take stays, too.
        tail.owe(20 * MEBI);
        write(&mut tail, 130);
        assert!(near(tail.held(), 40), "{}", tail.held());
        // Nobody came back in two rounds.
        tail.owe(0);
        write(&mut tail, 130);
        assert!(near(tail.held(), 16), "{}", tail.held());
    }

    #[test]
    fn what_the_spill_has_still_to_take_stays_however_much_goes_straight_to_segments() {
        const KIBI: u64 = 1 << 10;
        let pool = Pool::new(0);
        let least = Least {
            all: 256 * KIBI,
            rings: 512 * KIBI,
        };
        let mut tail = Tail::new(8192 * KIBI, least, pool.clone());
        let ring = FileName::Ring {
            shard: sawlog_core::ids::ShardId(0),
            kind: DURABLE,
            sequence: 1,
        };
        let segment = FileName::named("segment");
        let (mut ours, mut theirs) = (0, 0);
        let mut write = |tail: &mut Tail, n: u64| {
            for i in 0..n {
                let (file, at) = match i % 8 {
                    0 => (&ring, &mut ours),
                    _ => (&segment, &mut theirs),
                };
                let mut buffer = pool.take(64 << 10);
                buffer.filled(64 << 10);
                tail.keep(file, *at, buffer.share());
                *at += 64 * KIBI;
                // The spill comes behind, and a reader passes: neither of them is one who stays.
                if let Some(at) = ours.checked_sub(6 * 64 * KIBI) {
                    assert!(tail.find(&ring, at, 1).is_some());
                    assert!(tail.get(&ring, at, 1).is_some());
                }
            }
            (ours, theirs)
        };
        let here = |tail: &Tail, file: &FileName, end: u64| {
            let back = 1..=end / (64 * KIBI);
            let found = back.take_while(|n| tail.part(file, end - n * 64 * KIBI).is_some());
            found.count()
        };
        let (ours, theirs) = write(&mut tail, 400);
        assert_eq!(
            (here(&tail, &ring, ours), here(&tail, &segment, theirs)),
            (8, 4)
        );
        assert_eq!(tail.held(), 12 * 64 * KIBI);
        for (owed, kept) in [(640 * KIBI, 20), (0, 8)] {
            tail.owe(owed);
            let (ours, theirs) = write(&mut tail, 400);
            assert_eq!(
                (here(&tail, &ring, ours), here(&tail, &segment, theirs)),
                (kept, 4)
            );
        }
        // Never more than the budget: what the spill owes before what a reader far behind reaches back to.
        tail.owe(64 << 20);
        let (_, theirs) = write(&mut tail, 4000);
        assert_eq!(tail.held(), 8192 * KIBI);
        assert!(tail.get(&segment, theirs - 1, 1).is_some());
        tail.reach.note(4096 * KIBI);
        let (ours, theirs) = write(&mut tail, 400);
        assert_eq!(tail.held(), 8192 * KIBI);
        assert_eq!(
            (here(&tail, &ring, ours), here(&tail, &segment, theirs)),
            (124, 4)
        );
    }

    #[test]
    fn small_commits_lie_in_one_window_as_in_the_file_and_can_be_read_at_once() {
        let pool = Pool::new(0);
        let mut tail = Tail::new(1 << 20, Least::BROKER, pool.clone());
        let file = FileName::named("ring");
        let commit = |with: u8| [Piece::Bytes(Bytes::from(vec![with; 100])), Piece::Zeros(28)];
        let add = |tail: &mut Tail, file: &FileName, at, with| {
            tail.add(DURABLE, file, at, &commit(with)).to_vec()
        };
        assert_eq!(add(&mut tail, &file, 4096, 1)[..100], [1; 100]);
        assert_eq!(add(&mut tail, &file, 4224, 2)[..100], [2; 100]);
        assert_eq!(add(&mut tail, &file, 8192, 3)[..100], [3; 100]);
        let whole = tail.get(&file, 4096, 4096 + 128).unwrap();
        assert_eq!(whole[..100], [1; 100]);
        assert_eq!(whole[128..228], [2; 100]);
        assert_eq!(whole[4096..4196], [3; 100]);
        // Another file begins a window of its own; the first can be read as before, and is given up with its file.
        let next = FileName::named("next");
        add(&mut tail, &next, 0, 4);
        assert_eq!(tail.get(&file, 4224, 100).unwrap()[..], [2; 100]);
        assert_eq!(tail.get(&next, 0, 100).unwrap()[..], [4; 100]);
        tail.forget(&file);
        tail.forget(&next);
        assert_eq!(tail.get(&file, 4224, 100), None);
        assert_eq!(tail.get(&next, 0, 100), None);
        assert_eq!(tail.held(), 0);
    }

    #[test]
    fn a_commit_that_was_written_another_way_ends_the_window_7() {
        let pool = Pool::new(0);
        let mut tail = Tail::new(1 << 20, Least::BROKER, pool.clone());
        let file = FileName::named("ring");
        let pieces = |with: u8| [Piece::Bytes(Bytes::from(vec![with; 128]))];
        tail.add(RingKind::Fast, &file, 0, &pieces(1));
        // A disk that is slow just now: this one went through a thread.
        let mut other = pool.take(128);
        other.push(&[2; 128]);
        tail.keep(&file, 128, other.share());
        tail.add(RingKind::Fast, &file, 256, &pieces(3));
        let whole = [[1; 128], [2; 128], [3; 128]].concat();
        assert_eq!(tail.get(&file, 0, 384).unwrap()[..], whole);
        // And after the next window has begun.
        tail.add(RingKind::Fast, &file, 1 << 20, &pieces(4));
        assert_eq!(tail.get(&file, 0, 384).unwrap()[..], whole);
    }

    #[test]
    fn what_is_written_out_of_a_window_is_aligned() {
        let pool = Pool::new(0);
        let mut tail = Tail::new(1 << 20, Least::BROKER, pool.clone());
        let file = FileName::named("ring");
        for at in [4096_u64, 8192, 12288, 1 << 20] {
            let pieces = [Piece::Zeros(PAGE)];
            let bytes = tail.add(DURABLE, &file, at, &pieces);
            assert_eq!(bytes.as_ptr().align_offset(PAGE), 0);
            assert_eq!(bytes.len(), PAGE);
        }
    }

    impl Tail {
        /// Whether what is counted is what is there, all of it in order to be given up (#132).
        fn check(&self) {
            let stretches = self.files.iter().flat_map(|(file, all)| {
                let named = move |(at, stretch)| (file, at, stretch);
                all.iter().map(named)
            });
            let mut held = 0;
            for (file, at, stretch) in stretches {
                held += stretch.cost;
                let row = match file {
                    FileName::Ring { .. } => &self.rings,
                    _ => &self.others,
                };
                let mine = |age: &&Age| age.born == stretch.born;
                let age = row.ages.iter().find(mine).expect("its age");
                assert_eq!((&age.file, &age.at), (file, at));
            }
            assert_eq!(self.held, held);
            assert!(held <= self.budget);
            // A buffer is a page at least; the last is not given up.
            let most = (self.budget / PAGE as u64 + 1) as usize;
            assert!(self.rings.ages.len() <= most && self.others.ages.len() <= most);
        }
    }

    #[test]
    fn whatever_comes_and_goes_the_budget_holds_and_nothing_is_forgotten_by_halves_132() {
        for seed in 1..200_u64 {
            let mut state = seed;
            let mut draw = |below: u64| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                (state >> 33) % below
            };
            let pool = Pool::new([0, 1 << 20][draw(2) as usize]);
            let page = PAGE as u64;
            let budget = [0, page, 40 * page, 400 * page][draw(4) as usize];
            let (all, rings) = (draw(60) * page, draw(60) * page);
            let mut tail = Tail::new(budget, Least { all, rings }, pool.clone());
            let ring = |sequence| FileName::Ring {
                shard: sawlog_core::ids::ShardId(0),
                kind: DURABLE,
                sequence,
            };
            let segment = |dir: &str, base| FileName::Segment {
                dir: dir.into(),
                base: sawlog_core::ids::Offset(base),
            };
            let files = [ring(1), ring(2), segment("t-0", 0), segment("t-0", 9)];
            for _ in 0..400 {
                let file = &files[draw(4) as usize];
                let at = draw(100) * page;
                match draw(12) {
                    0 => tail.cut(file, at),
                    1 => tail.forget(&[&FileName::named("t-0"), file][draw(2) as usize].clone()),
                    2 => tail.owe(draw(100) * page),
                    3..6 => drop(tail.get(file, at, draw(3) * page)),
                    6 => drop(tail.find(file, at, 1)),
                    7..9 => {
                        let pieces = [Piece::Zeros(draw(9) as usize * 1000 + 1)];
                        tail.add(DURABLE, &files[draw(2) as usize], at, &pieces);
                    }
                    _ => {
                        let mut buffer = pool.take(draw(9) as usize * PAGE + 1);
                        buffer.push(&[7]);
                        tail.keep(file, at, buffer.share());
                    }
                }
                tail.check();
            }
        }
    }
}
