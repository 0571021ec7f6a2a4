//! The atlas: what lay where when a fault struck it, so that a loss can be held against the damage that was really done.
//! Decides which partitions and offsets a fault may cost by the verdicts of recovery, and takes damage back; never what is
//! damaged. Holds #99 and #104 with the checker.

use std::collections::{BTreeMap, BTreeSet};

use sawlog_core::file::{FileName, FileOp, RingKind};
use sawlog_core::ids::{LogId, Offset, ShardId};
use sawlog_core::log::commit;
use sawlog_core::log::state::{BatchKind, Entry, Fact};

use crate::blocks::Blocks;
use crate::disk::{Disk, Named, NodeId, SECTOR, size};

/// One of the rings of a node.
pub type Ring = (ShardId, RingKind);
/// Offsets of a log: the first, and the one after the last.
type Range = (LogId, Offset, Offset);

/// With this many whole commits behind it a damaged one may still be taken for a torn one: the next may have been in
/// flight beside it, the one after that names it as durable.
const FOLLOWERS: u64 = 1;
/// No batch with a record is shorter.
const BATCH_LEAST: u64 = 68;
/// As many commits are remembered by their number in each ring.
const REMEMBERED: usize = 512;

/// A commit as it was put.
#[derive(Clone, Debug)]
struct Laid {
    len: usize,
    ring: Ring,
    number: u64,
    /// Where its batches begin in the file.
    batches: Vec<u32>,
    /// Whose they are, and whose facts it holds: a quiet log may lie in a commit that is old.
    logs: Vec<LogId>,
}

/// A place in a commit that is worth striking.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mark {
    /// The ring file.
    pub path: String,
    /// Where the commit begins.
    pub at: u64,
    /// How long it is.
    pub len: u64,
    /// Where its batches begin.
    pub batches: Vec<u32>,
    number: u64,
}

/// Damage that can be taken back.
#[derive(Clone, Debug)]
enum Scar {
    Rot {
        node: NodeId,
        at: usize,
        bit: u8,
        /// The bytes around it afterwards.
        after: Vec<u8>,
    },
    Stray(Stray),
}

/// A write that was reported and did not land where it should have.
#[derive(Clone, Debug)]
struct Stray {
    node: NodeId,
    at: usize,
    bytes: Vec<u8>,
    /// What lay there, up to the end of where it landed instead.
    before: Vec<u8>,
    /// Where it landed instead: further on.
    elsewhere: Option<usize>,
    /// The ring it belongs to and its number there.
    ring: Option<(Ring, u64)>,
    fault: &'static str,
}

/// See the file's head.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    /// Whether it is kept at all: worlds without damage need none.
    pub on: bool,
    /// The commits of each ring file, by place.
    laid: BTreeMap<NodeId, BTreeMap<usize, Laid>>,
    /// What the last commits of each ring hold, by number.
    held: BTreeMap<Ring, BTreeMap<u64, Vec<Range>>>,
    scars: Vec<Scar>,
    /// Damaged commits of which no death has decided yet whether they were the last.
    open: BTreeSet<(Ring, u64)>,
    /// Logs of which a commit was damaged.
    pub logs: BTreeSet<LogId>,
    /// Directories of partitions of which a segment or sidecar was damaged.
    pub dirs: BTreeSet<String>,
    /// Directories of partitions of which a read failed.
    pub unread: BTreeSet<String>,
    /// Files of the node's own state that were damaged.
    pub own: BTreeSet<String>,
    /// What lay in the last commits of a ring when the process died after they had been damaged, and when that was:
    /// recovery cannot tell them from torn ones.
    pub cut: Vec<(u64, (LogId, Offset, Offset))>,
    /// Damaged commits.
    pub commits: BTreeSet<(Ring, u64)>,
    /// Commits that were in flight when the process died, and the logs in them.
    torn: BTreeMap<(Ring, u64), Vec<LogId>>,
    /// Faults that struck bytes.
    pub strikes: u64,
}

impl Stray {
    /// Puts it where it should have landed, sector by sector, but for those that were written since.
    fn undo(&self, blocks: &mut Blocks) {
        let over = |at: usize| {
            let mut image = self.before.clone();
            let from = at - self.at;
            image.resize(image.len().max(from + self.bytes.len()), 0);
            image.splice(from..from + self.bytes.len(), self.bytes.iter().copied());
            image
        };
        let after = self.elsewhere.map_or_else(|| self.before.clone(), over);
        let right = over(self.at);
        let mut from = 0;
        while from < after.len().max(right.len()) {
            let to = from + SECTOR - (self.at + from) % SECTOR;
            let part = |image: &[u8]| {
                let to = to.min(image.len());
                image.get(from.min(to)..to).unwrap_or_default().to_vec()
            };
            let now = blocks.read(self.at + from, to - from);
            // A file that has grown since has zeros where nobody wrote.
            let mut left = part(&after);
            left.resize(left.len().max(now.len()), 0);
            if now == left {
                blocks.write(self.at + from, &part(&right));
            }
            from = to;
        }
    }
}

impl Ledger {
    /// A read of this file failed.
    pub(super) fn unread(&mut self, file: &FileName) {
        if let FileName::Segment { dir, .. } | FileName::Sidecar { dir, .. } = file {
            self.unread.insert(dir.to_string());
        }
    }

    /// The last commits of each ring, oldest first.
    pub fn recent(&self, disk: &Disk, most: usize) -> Vec<Vec<Mark>> {
        let mut rings: BTreeMap<Ring, Vec<Mark>> = BTreeMap::new();
        for (path, id) in disk.paths() {
            for (at, laid) in self.laid.get(&id).into_iter().flatten() {
                rings.entry(laid.ring).or_default().push(Mark {
                    path: path.clone(),
                    at: *at as u64,
                    len: laid.len as u64,
                    batches: laid.batches.clone(),
                    number: laid.number,
                });
            }
        }
        for marks in rings.values_mut() {
            marks.sort_by_key(|mark| mark.number);
            marks.drain(..marks.len().saturating_sub(most));
        }
        rings.into_values().collect()
    }

    fn commit_struck(&mut self, ring: Ring, number: u64) {
        self.commits.insert((ring, number));
        self.open.insert((ring, number));
        let ranges = self.held.get(&ring).and_then(|held| held.get(&number));
        self.logs
            .extend(ranges.into_iter().flatten().map(|(log, ..)| *log));
    }

    /// Logs of torn commits that stood close behind a damaged one: what a whole commit behind both says that the last four
    /// held may have stood in either, so recovery must take it for durable (#99).
    pub fn beside(&self) -> BTreeSet<LogId> {
        let struck = |(ring, number): (Ring, u64)| {
            let close = (ring, number.saturating_sub(commit::ECHO_DEPTH as u64))..(ring, number);
            self.commits.range(close).next().is_some()
        };
        let torn = self.torn.iter().filter(|(place, _)| struck(**place));
        torn.flat_map(|(_, logs)| logs).copied().collect()
    }

    /// The last whole commit of a ring.
    fn last(&self, ring: Ring) -> u64 {
        let held = self.held.get(&ring).into_iter().flatten();
        let whole = held.filter(|(number, _)| !self.commits.contains(&(ring, **number)));
        whole.map(|(number, _)| *number).max().unwrap_or(0)
    }

    /// The process died. A damaged commit with hardly anything behind it is cut like a torn one.
    fn died(&mut self, now: u64) {
        for (ring, number) in std::mem::take(&mut self.open) {
            if self.last(ring) <= number + FOLLOWERS
                && let Some(held) = self.held.get(&ring)
            {
                let gone = held.range(number..).flat_map(|(_, ranges)| ranges);
                self.cut.extend(gone.map(|range| (now, *range)));
            }
        }
    }
}

impl Disk {
    /// Bytes are put to a ring, a segment or a sidecar.
    pub(super) fn lay(&mut self, file: &FileName, at: usize, bytes: &[u8]) {
        let FileName::Ring {
            kind,
            shard,
            sequence,
        } = file
        else {
            return;
        };
        let place = u32::try_from(at).unwrap_or(u32::MAX);
        let Ok(head) = commit::decode(*sequence, place, bytes) else {
            return;
        };
        let (ring, number) = ((*shard, *kind), head.header.sequence);
        let range = |entry: &Entry| match entry {
            Entry::Batch(entry) if entry.kind != BatchKind::Moved => {
                Some((entry.log, entry.batch.base, entry.batch.next()))
            }
            Entry::Batch(entry) => Some((entry.log, entry.batch.base, entry.batch.base)),
            Entry::Fact(log, _, Fact::Start(start)) => Some((*log, *start, *start)),
            Entry::Fact(log, ..) => Some((*log, Offset::ZERO, Offset::ZERO)),
            Entry::Node(_) => None,
        };
        let ranges: Vec<Range> = head.entries.iter().filter_map(range).collect();
        let logs = ranges.iter().map(|(log, ..)| *log).collect();
        let held = self.ledger.held.entry(ring).or_default();
        held.insert(number, ranges);
        while held.len() > REMEMBERED {
            held.pop_first();
        }
        let Some(node) = self.node(file) else {
            return;
        };
        let laid = self.ledger.laid.entry(node).or_default();
        let over: Vec<usize> = laid
            .range(..at + bytes.len())
            .filter(|(from, old)| **from + old.len > at)
            .map(|(from, _)| *from)
            .collect();
        for from in over {
            laid.remove(&from);
        }
        let spot = |entry: &Entry| match entry {
            Entry::Batch(entry) => Some(entry.batch.spot.at),
            _ => None,
        };
        let batches = head.entries.iter().filter_map(spot).collect();
        let len = bytes.len();
        let commit = Laid {
            len,
            ring,
            number,
            batches,
            logs,
        };
        laid.insert(at, commit);
    }

    /// A put was in flight when the process died.
    pub(super) fn tear(&mut self, file: &FileName, at: usize, bytes: &[u8]) {
        let FileName::Ring {
            kind,
            shard,
            sequence,
        } = file
        else {
            return;
        };
        let place = u32::try_from(at).unwrap_or(u32::MAX);
        if let Ok(head) = commit::decode(*sequence, place, bytes) {
            let log = |entry: &Entry| match entry {
                Entry::Batch(entry) => Some(entry.log),
                Entry::Fact(log, ..) => Some(*log),
                Entry::Node(_) => None,
            };
            let logs = head.entries.iter().filter_map(log).collect();
            let number = ((*shard, *kind), head.header.sequence);
            self.ledger.torn.insert(number, logs);
        }
    }

    /// Notes that a write does not land where it should: lost, or `elsewhere`.
    pub(super) fn stray(
        &mut self,
        file: &FileName,
        at: usize,
        bytes: &[u8],
        elsewhere: Option<usize>,
    ) {
        let Some(node) = self.node(file) else {
            return;
        };
        let end = elsewhere.unwrap_or(at) + bytes.len();
        let live = self.nodes.get(&node).map(|node| &node.live);
        let before = live.map(|live| live.read(at, end - at)).unwrap_or_default();
        let own = self.ledger.laid.get(&node).and_then(|laid| laid.get(&at));
        let ring = own.map(|laid| (laid.ring, laid.number));
        let fault = match elsewhere {
            Some(_) => "misdirected-write",
            None => "lost-write",
        };
        self.struck(&file.to_string(), at, bytes.len());
        if let Some(elsewhere) = elsewhere {
            self.struck(&file.to_string(), elsewhere, bytes.len());
        }
        self.ledger.strikes += 1;
        self.ledger.scars.push(Scar::Stray(Stray {
            node,
            at,
            bytes: bytes.to_vec(),
            before,
            elsewhere,
            ring,
            fault,
        }));
    }

    /// Flips one bit of a file at rest; true if there was such a byte.
    pub fn rot(&mut self, path: &str, at: u64, bit: u8) -> bool {
        let Some(Named::File(node)) = self.find(path) else {
            return false;
        };
        let at = size(at);
        if !self.flip(node, at, bit) {
            return false;
        }
        self.struck(path, at, 1);
        self.ledger.strikes += 1;
        let after = self.around(node, at);
        let scar = Scar::Rot {
            node,
            at,
            bit,
            after,
        };
        self.ledger.scars.push(scar);
        *self.fired.entry("rot").or_default() += 1;
        true
    }

    /// Strikes up to three batches of a ring file just before they are read: what reads them now, no replay judged.
    pub(super) fn rot_under(&mut self, op: &FileOp) {
        let (FileOp::Read { file, at, len } | FileOp::Reread { file, at, len }) = op else {
            return;
        };
        if self.faults.rot_under_read.is_none() || !matches!(file, FileName::Ring { .. }) {
            return;
        }
        let path = file.to_string();
        let Some(Named::File(node)) = self.find(&path) else {
            return;
        };
        let range = size(*at)..size(*at) + *len as usize;
        let laid = self.ledger.laid.get(&node).into_iter().flatten();
        let batches = laid.flat_map(|(_, laid)| &laid.batches);
        let batches: Vec<u64> = batches
            .filter(|batch| range.contains(&(**batch as usize)))
            .map(|batch| u64::from(*batch))
            .collect();
        let Some(dice) = self.faults.rot_under_read.filter(|_| !batches.is_empty()) else {
            return;
        };
        self.faults.rot_under_read = None;
        for turn in [0, 21, 42] {
            let dice = dice.rotate_left(turn);
            let batch = batches.get(size(dice % batches.len() as u64));
            let within = dice.rotate_left(8) % BATCH_LEAST;
            let bit = u8::try_from(dice.rotate_left(16) % 8).unwrap_or(0);
            if let Some(batch) = batch {
                self.rot(&path, batch + within, bit);
            }
        }
    }

    fn around(&self, node: NodeId, at: usize) -> Vec<u8> {
        let node = self.nodes.get(&node);
        node.map(|node| node.live.read(at & !31, 32))
            .unwrap_or_default()
    }

    fn flip(&mut self, node: NodeId, at: usize, bit: u8) -> bool {
        let Some(node) = self.nodes.get_mut(&node) else {
            return false;
        };
        let mut hit = false;
        for (blocks, counts) in [(&mut node.live, true), (&mut node.safe, false)] {
            if let Some(byte) = blocks.read(at, 1).first() {
                blocks.write(at, &[byte ^ (1 << (bit % 8))]);
                hit |= counts;
            }
        }
        hit
    }

    /// Writes down whose bytes these were.
    fn struck(&mut self, path: &str, at: usize, len: usize) {
        let Some(Named::File(node)) = self.find(path) else {
            return;
        };
        if path.starts_with("commit/") {
            let laid = self.ledger.laid.get(&node).into_iter().flatten();
            let hit: Vec<(Ring, u64, Vec<LogId>)> = laid
                .filter(|(from, laid)| **from < at + len && **from + laid.len > at)
                .map(|(_, laid)| (laid.ring, laid.number, laid.logs.clone()))
                .collect();
            for (ring, number, logs) in hit {
                self.ledger.commit_struck(ring, number);
                self.ledger.logs.extend(logs);
            }
            return;
        }
        let data = path.ends_with(".log") || path.ends_with(".side");
        match path.rsplit_once('/') {
            Some((dir, _)) if data && dir != "__cluster_metadata-0" => {
                self.ledger.dirs.insert(dir.to_owned());
            }
            _ => {
                self.ledger.own.insert(path.to_owned());
            }
        }
    }

    /// The process dies. A write that strayed and that no later commit of its ring could tell of lands after all.
    pub fn died(&mut self, now: u64) {
        for scar in std::mem::take(&mut self.ledger.scars) {
            let Scar::Stray(stray) = &scar else {
                self.ledger.scars.push(scar);
                continue;
            };
            let last = |(ring, number): (Ring, u64)| self.ledger.last(ring) <= number + FOLLOWERS;
            if stray.ring.is_some_and(last) {
                let fault = stray.fault;
                self.mend(&scar);
                if let Some(n) = self.fired.get_mut(fault) {
                    *n = n.saturating_sub(1);
                }
            } else {
                self.ledger.scars.push(scar);
            }
        }
        self.ledger.died(now);
    }

    /// Takes back all damage whose place nobody has written to since: what refused to start for it must find everything.
    pub fn heal(&mut self) {
        // The last damage first: each is told by what lay there right after it.
        for scar in std::mem::take(&mut self.ledger.scars).into_iter().rev() {
            self.mend(&scar);
        }
    }

    fn mend(&mut self, scar: &Scar) {
        match scar {
            Scar::Rot {
                node,
                at,
                bit,
                after,
            } => {
                if self.around(*node, *at) == *after {
                    self.flip(*node, *at, *bit);
                }
            }
            Scar::Stray(stray) => {
                let Some(node) = self.nodes.get_mut(&stray.node) else {
                    return;
                };
                for blocks in [&mut node.live, &mut node.safe] {
                    stray.undo(blocks);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use sawlog_core::file::{How, Piece};

    use super::*;

    #[test]
    fn damage_close_to_other_damage_is_taken_back() {
        let mut disk = Disk::default();
        let file = FileName::named("ring");
        let pieces = vec![Piece::Bytes(vec![7; 64].into())];
        let put = FileOp::Put {
            file,
            at: 0,
            pieces,
            how: How::Durable,
        };
        disk.run(&put);
        assert!(disk.rot("ring", 3, 0) && disk.rot("ring", 9, 1) && disk.rot("ring", 9, 2));
        assert_ne!(disk.read_all("ring"), Some(vec![7; 64]));
        disk.heal();
        assert_eq!(disk.read_all("ring"), Some(vec![7; 64]));
    }

    #[test]
    fn a_write_that_strayed_over_its_own_place_is_taken_back_but_not_over_what_came_later() {
        let write = |disk: &mut Disk, at: usize, byte: u8, blocks: usize| {
            let node = disk
                .node(&FileName::named("ring"))
                .expect("the root is there");
            let node = disk.nodes.get_mut(&node).expect("it is there");
            for image in [&mut node.live, &mut node.safe] {
                image.write(at, &vec![byte; blocks * 4096]);
            }
        };
        let mut disk = Disk::default();
        let file = FileName::named("ring");
        write(&mut disk, 0, 1, 5);
        // Three blocks for the front land one block further on; then the fourth block is written.
        disk.stray(&file, 0, &[2; 3 * 4096], Some(4096));
        write(&mut disk, 4096, 2, 3);
        write(&mut disk, 3 * 4096, 3, 1);
        disk.heal();
        let blocks: Vec<u8> = disk.read_all("ring").expect("it is there");
        let first = |block: usize| blocks[block * 4096];
        assert_eq!([0, 1, 2, 3, 4].map(first), [2, 2, 2, 3, 1]);
    }
}
