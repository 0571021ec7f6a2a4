//! A disk that may do whatever a real one may do, and no more: the executor of the simulator and the enumerator.
//! Decides what survives; never what is written.
//!
//! # The fault model
//!
//! * A queued operation has no effect, or by a crash any part of it: of a write any set of its 512-byte sectors, of
//!   a change of names all or nothing.
//! * A completed write survives the death of the process. It survives a power cut only if it was synchronous
//!   (`How::Durable`) or was synced afterwards; else each of its sectors survives or not, in any order.
//! * A name (created, renamed, removed) survives a power cut only if its directory was synced afterwards; else each
//!   change survives or not. A file whose name did not survive is gone, its bytes with it.
//! * A file's length follows its surviving bytes; a cut that was not synced survives or not.
//! * A commit may overtake a sync or a read of its file; whether the sync saves it as well, nobody knows.
//! * A failed sync leaves the pages clean: what it should have saved can be read until the power is cut, and no
//!   later sync saves it (Rebello et al., ATC 2020).
//! * A full disk refuses what would grow, and does nothing else.
//! * Rot flips bits of bytes at rest; a lost write is reported and not done; a misdirected write lands elsewhere in
//!   the same file. A commit that nothing followed is not lost or misdirected at the moment of a death: on one disk
//!   nothing would tell of it.
//! * Not modelled: sectors that change while they are not written; a disk that lies about every sync.
//!
//! A lone replica must survive all of these but rot, lost and misdirected writes, which it must *name* (#99, #104).

mod crash;
mod ledger;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use sawlog_core::file::{Entry, Fault, FaultKind, FileName, FileOp, How, Outcome, Piece};
use sawlog_core::ids::Ticket;

use crate::blocks::Blocks;
pub use crate::disk::ledger::{Ledger, Mark, Ring};

/// What survives or not is decided for pieces of this size.
pub const SECTOR: usize = 512;

/// Makes the choices that chance or an enumeration has: `choose(n)` gives a number below `n`.
pub trait Choose {
    /// A number below `n`; `n` is at least 1.
    fn choose(&mut self, n: u64) -> u64;

    /// A coin.
    fn coin(&mut self) -> bool {
        self.choose(2) == 1
    }
}

type NodeId = u64;

/// A file.
#[derive(Clone, Debug, Default)]
struct Inode {
    /// As a reader sees it now.
    live: Blocks,
    /// As it would be after a power cut that loses all that may be lost.
    safe: Blocks,
    /// What may or may not survive, in the order it was done, and the turn of the operation that did it.
    pending: Vec<(u64, Change)>,
    /// A sync failed: no later one saves what it should have saved.
    stained: bool,
}

impl Inode {
    /// A sync that was asked for in this turn succeeds. What overtook it may be saved with it or not.
    fn save(&mut self, turn: u64) {
        let (saved, later): (Vec<_>, Vec<_>) = std::mem::take(&mut self.pending)
            .into_iter()
            .partition(|(of, _)| *of <= turn);
        if later.is_empty() && !self.stained {
            self.safe = self.live.clone();
        } else {
            for (_, change) in saved {
                match change {
                    Change::Write { at, bytes } => self.safe.write(at, &bytes),
                    Change::Cut { len } => self.safe.resize(len),
                }
            }
        }
        self.pending = later;
    }

    /// A sync that was asked for in this turn fails: the pages are clean, and their bytes nowhere else.
    fn stain(&mut self, turn: u64) {
        self.pending.retain(|(of, _)| *of > turn);
        self.stained = true;
    }
}

#[derive(Clone, Debug)]
enum Change {
    Write { at: usize, bytes: Bytes },
    Cut { len: usize },
}

/// Names belong to the directory that holds them, not to its path: one that was renamed takes them along, and another
/// one made at its old path begins without any.
type Names = BTreeMap<(NodeId, String), Named>;

/// One change of names; a rename changes two at once. The sync of any directory in it makes it durable.
#[derive(Clone, Debug)]
struct Naming {
    changes: Vec<((NodeId, String), Option<Named>)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Named {
    File(NodeId),
    Dir(NodeId),
}

/// The log directory itself; it needs no name.
const ROOT: NodeId = 0;

/// Faults that are switched on.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// Bytes that files may hold in all; none for no limit.
    pub capacity: Option<u64>,
    /// The next so many syncs or synchronous writes fail, and their pages are clean afterwards.
    pub failing_syncs: u32,
    /// The next so many completed writes to ring, segment or sidecar files are reported and not done.
    pub lost_writes: u32,
    /// The next so many such writes land one block further on in the same file.
    pub misdirected_writes: u32,
    /// Reads of these paths fail.
    pub unreadable: BTreeSet<String>,
    /// Takes no writes at all.
    pub read_only: bool,
    /// The next queued read of a ring file finds batches rotten: which, and which bits of them, comes of this number.
    pub rot_under_read: Option<u64>,
}

/// A log directory on a simulated disk.
#[derive(Clone, Debug, Default)]
pub struct Disk {
    nodes: BTreeMap<NodeId, Inode>,
    next_node: NodeId,
    /// Names as a process sees them.
    live: Names,
    /// Names as they would be after a power cut that loses all that may be lost.
    safe: Names,
    naming: Vec<Naming>,
    queue: VecDeque<(Ticket, FileOp, u64)>,
    /// Operations asked for so far, and the turn of the one that is being done.
    asked: u64,
    turn: u64,
    /// What is wrong with it.
    pub faults: Faults,
    /// How many faults of each kind have had their way.
    pub fired: BTreeMap<&'static str, u64>,
    /// What lies where, and what of it was damaged.
    pub ledger: Ledger,
}

impl Disk {
    /// Queues an operation.
    pub fn submit(&mut self, ticket: Ticket, op: FileOp) {
        self.asked += 1;
        self.queue.push_back((ticket, op, self.asked));
    }

    /// How many operations are queued.
    pub fn queued(&self) -> usize {
        self.queue.len()
    }

    /// The queued operations that may complete next, by their place in the queue: the first on each file, and commits
    /// that wait for nothing but syncs and reads.
    pub fn ready(&self) -> Vec<usize> {
        let (mut busy, mut written) = (BTreeSet::new(), BTreeSet::new());
        let mut ready = Vec::new();
        for (index, (_, op, _)) in self.queue.iter().enumerate() {
            let names = touched(op);
            let before = if is_commit(op) { &written } else { &busy };
            if names.iter().all(|name| !before.contains(name)) {
                ready.push(index);
            }
            if !matches!(
                op,
                FileOp::Sync(_) | FileOp::Read { .. } | FileOp::Reread { .. }
            ) {
                written.extend(names.iter().cloned());
            }
            busy.extend(names);
        }
        ready
    }

    /// The queued operation at a place.
    pub fn peek(&self, index: usize) -> Option<&FileOp> {
        self.queue.get(index).map(|(_, op, _)| op)
    }

    /// Completes the queued operation at a place.
    pub fn complete(&mut self, index: usize) -> Option<(Ticket, Outcome)> {
        let (ticket, op, turn) = self.queue.remove(index)?;
        self.rot_under(&op);
        Some((ticket, self.run_in(turn, &op)))
    }

    /// Replaces part of a file at rest: stale or foreign blocks.
    pub fn overwrite(&mut self, path: &str, at: u64, bytes: &[u8]) -> bool {
        let Some(Named::File(id)) = self.find(path) else {
            return false;
        };
        let Some(node) = self.nodes.get_mut(&id) else {
            return false;
        };
        node.live.write(size(at), bytes);
        node.safe.write(size(at), bytes);
        true
    }

    /// The paths of all files with their lengths.
    pub fn files(&self) -> Vec<(String, u64)> {
        let len = |id: NodeId| self.nodes.get(&id).map_or(0, |node| node.live.len() as u64);
        let paths = self.paths().into_iter();
        paths.map(|(path, id)| (path, len(id))).collect()
    }

    /// All files by path.
    fn paths(&self) -> BTreeMap<String, NodeId> {
        let mut files = BTreeMap::new();
        let mut dirs = vec![(ROOT, String::new())];
        while let Some((dir, path)) = dirs.pop() {
            for (name, named) in names_of(&self.live, dir) {
                let path = format!("{path}{name}");
                match named {
                    Named::File(id) => {
                        files.insert(path, id);
                    }
                    Named::Dir(id) => dirs.push((id, format!("{path}/"))),
                }
            }
        }
        files
    }

    /// A file's bytes as a reader sees them.
    pub fn read_all(&self, path: &str) -> Option<Vec<u8>> {
        match self.find(path)? {
            Named::File(id) => self
                .nodes
                .get(&id)
                .map(|node| node.live.read(0, node.live.len())),
            Named::Dir(_) => None,
        }
    }

    /// Bytes that all files hold.
    pub fn used(&self) -> u64 {
        let file = |named: &Named| match named {
            Named::File(id) => self.nodes.get(id).map_or(0, |node| node.live.len() as u64),
            Named::Dir(_) => 0,
        };
        self.live.values().map(file).sum()
    }

    /// Does one operation as if it were the only one.
    pub fn run(&mut self, op: &FileOp) -> Outcome {
        self.asked += 1;
        self.run_in(self.asked, op)
    }

    fn run_in(&mut self, turn: u64, op: &FileOp) -> Outcome {
        self.turn = turn;
        let writes = !matches!(
            op,
            FileOp::Read { .. } | FileOp::Reread { .. } | FileOp::List(_)
        );
        if self.faults.read_only && writes {
            self.fire("read-only");
            return failed(FaultKind::ReadOnly, "read-only file system");
        }
        match op {
            FileOp::Alloc { file, len } => {
                if self.over(file, size(*len)) {
                    return self.full();
                }
                let Some(node) = self.made(file) else {
                    return absent(file);
                };
                node.live = Blocks::default();
                node.live.resize(size(*len));
                node.pending.push((turn, Change::Cut { len: 0 }));
                let bytes = Bytes::from(vec![0; size(*len)]);
                node.pending.push((turn, Change::Write { at: 0, bytes }));
                Outcome::Done
            }
            FileOp::Put {
                file,
                at,
                pieces,
                how,
            } => self.put(file, size(*at), flatten(pieces), *how),
            FileOp::Sync(file) => self.sync(file),
            FileOp::SyncDir(dir) => self.sync_dir(dir),
            FileOp::SyncAll => {
                if self.sync_fails() {
                    return self.broken_sync();
                }
                for node in self.nodes.values_mut() {
                    node.save(turn);
                }
                self.naming.clear();
                self.safe = self.live.clone();
                Outcome::Done
            }
            FileOp::Cut { file, len } => {
                let Some(node) = self.existing(file) else {
                    return absent(file);
                };
                let len = size(*len);
                node.live.resize(len);
                node.pending.push((turn, Change::Cut { len }));
                Outcome::Done
            }
            FileOp::Rename { from, to } => self.rename(from, to),
            FileOp::Unlink(file) => {
                if let Some(place) = self.place(&file.to_string())
                    && self.live.contains_key(&place)
                {
                    self.name(vec![(place, None)]);
                }
                Outcome::Done
            }
            FileOp::MakeDir(dir) => {
                let Some(place) = self.place(&dir.to_string()) else {
                    return absent(dir);
                };
                if !self.live.contains_key(&place) {
                    let id = self.new_id();
                    self.name(vec![(place, Some(Named::Dir(id)))]);
                }
                Outcome::Done
            }
            FileOp::RemoveDir(dir) => {
                if let Some(place) = self.place(&dir.to_string())
                    && let Some(Named::Dir(id)) = self.live.get(&place).copied()
                {
                    for name in within(&self.live, id).into_iter().rev() {
                        self.name(vec![(name, None)]);
                    }
                    self.name(vec![(place, None)]);
                }
                Outcome::Done
            }
            FileOp::Read { file, at, len } | FileOp::Reread { file, at, len } => {
                self.read(file, size(*at), *len as usize)
            }
            FileOp::List(dir) => self.list(dir),
        }
    }

    fn put(&mut self, file: &FileName, at: usize, bytes: Bytes, how: How) -> Outcome {
        if self.over(file, at + bytes.len()) {
            return self.full();
        }
        if self.place(&file.to_string()).is_none() {
            return absent(file);
        }
        let data = matches!(
            file,
            FileName::Ring { .. } | FileName::Segment { .. } | FileName::Sidecar { .. }
        );
        if data && self.ledger.on {
            self.lay(file, at, &bytes);
        }
        if data && self.faults.lost_writes > 0 {
            self.faults.lost_writes -= 1;
            self.fire("lost-write");
            self.stray(file, at, &bytes, None);
            return Outcome::Done;
        }
        let mut at = at;
        if data && self.faults.misdirected_writes > 0 {
            self.faults.misdirected_writes -= 1;
            self.fire("misdirected-write");
            self.stray(file, at, &bytes, Some(at + 4096));
            at += 4096;
        }
        if how == How::Durable && self.sync_fails() {
            if let Some(node) = self.made(file) {
                node.live.write(at, &bytes);
                node.stained = true;
            }
            return self.broken_sync();
        }
        self.write_live(file, at, bytes.clone());
        if how == How::Durable
            && let Some(node) = self.made(file)
        {
            node.pending.pop();
            // Earlier changes that were not synced may still be lost, but not this one.
            node.safe.write(at, &bytes);
            node.pending
                .iter_mut()
                .for_each(|(_, change)| clip(change, at, bytes.len()));
        }
        Outcome::Done
    }

    fn sync(&mut self, file: &FileName) -> Outcome {
        if self.existing(file).is_none() {
            return absent(file);
        }
        let (fails, turn) = (self.sync_fails(), self.turn);
        if let Some(node) = self.existing(file) {
            if fails {
                node.stain(turn);
            } else {
                node.save(turn);
            }
        }
        if fails {
            self.broken_sync()
        } else {
            Outcome::Done
        }
    }

    fn sync_dir(&mut self, dir: &FileName) -> Outcome {
        if self.sync_fails() {
            return self.broken_sync();
        }
        let Some(dir) = self.dir(&dir.to_string()) else {
            return absent(dir);
        };
        // A change that is made durable takes along what was changed before it at the same names.
        let mut taken: BTreeSet<&(NodeId, String)> = BTreeSet::new();
        let mut safe = vec![false; self.naming.len()];
        for (naming, safe) in self.naming.iter().zip(&mut safe).rev() {
            let names = || naming.changes.iter().map(|(name, _)| name);
            *safe = names().any(|name| name.0 == dir || taken.contains(name));
            if *safe {
                taken.extend(names());
            }
        }
        let naming = std::mem::take(&mut self.naming);
        for (naming, safe) in naming.into_iter().zip(safe) {
            if safe {
                apply(&mut self.safe, &naming.changes);
            } else {
                self.naming.push(naming);
            }
        }
        Outcome::Done
    }

    fn rename(&mut self, from: &FileName, to: &FileName) -> Outcome {
        let (from_place, to_place) = (self.place(&from.to_string()), self.place(&to.to_string()));
        let named = from_place.as_ref().and_then(|place| self.live.get(place));
        let (Some(named), Some(from_place), Some(to_place)) =
            (named.copied(), from_place.clone(), to_place)
        else {
            return absent(from);
        };
        self.name(vec![(from_place, None), (to_place, Some(named))]);
        Outcome::Done
    }

    fn read(&mut self, file: &FileName, at: usize, len: usize) -> Outcome {
        let path = file.to_string();
        if self.faults.unreadable.contains(&path) {
            self.fire("unreadable");
            self.ledger.unread(file);
            return failed(FaultKind::Broken, "input/output error");
        }
        match self.existing(file) {
            Some(node) => Outcome::Bytes(Bytes::from(node.live.read(at, len))),
            None => absent(file),
        }
    }

    fn list(&self, dir: &FileName) -> Outcome {
        let Some(id) = self.dir(&dir.to_string()) else {
            return absent(dir);
        };
        let entry = |(name, named): (&str, Named)| {
            let (len, dir) = match named {
                Named::File(id) => (
                    self.nodes.get(&id).map_or(0, |node| node.live.len() as u64),
                    false,
                ),
                Named::Dir(_) => (0, true),
            };
            Entry {
                name: name.to_owned(),
                len,
                dir,
            }
        };
        Outcome::Listing(names_of(&self.live, id).map(entry).collect())
    }

    fn write_live(&mut self, file: &FileName, at: usize, bytes: Bytes) {
        let turn = self.turn;
        if let Some(node) = self.made(file) {
            node.live.write(at, &bytes);
            node.pending.push((turn, Change::Write { at, bytes }));
        }
    }

    /// The file, made with its name if there is none; none if its directory is not there.
    fn made(&mut self, file: &FileName) -> Option<&mut Inode> {
        let id = self.node(file)?;
        self.nodes.get_mut(&id)
    }

    fn node(&mut self, file: &FileName) -> Option<NodeId> {
        let place = self.place(&file.to_string())?;
        match self.live.get(&place) {
            Some(Named::File(id)) => Some(*id),
            Some(Named::Dir(_)) => None,
            None => {
                let id = self.new_id();
                self.nodes.insert(id, Inode::default());
                self.name(vec![(place, Some(Named::File(id)))]);
                Some(id)
            }
        }
    }

    fn existing(&mut self, file: &FileName) -> Option<&mut Inode> {
        match self.find(&file.to_string())? {
            Named::File(id) => self.nodes.get_mut(&id),
            Named::Dir(_) => None,
        }
    }

    fn new_id(&mut self) -> NodeId {
        self.next_node += 1;
        self.next_node
    }

    /// The directory at a path.
    fn dir(&self, path: &str) -> Option<NodeId> {
        let mut dir = ROOT;
        for name in path.split('/').filter(|name| !name.is_empty()) {
            match self.live.get(&(dir, name.to_owned()))? {
                Named::Dir(id) => dir = *id,
                Named::File(_) => return None,
            }
        }
        Some(dir)
    }

    /// The directory and the name that a path means.
    fn place(&self, path: &str) -> Option<(NodeId, String)> {
        let (dir, name) = path.rsplit_once('/').unwrap_or(("", path));
        Some((self.dir(dir)?, name.to_owned()))
    }

    fn find(&self, path: &str) -> Option<Named> {
        self.live.get(&self.place(path)?).copied()
    }

    fn name(&mut self, changes: Vec<((NodeId, String), Option<Named>)>) {
        apply(&mut self.live, &changes);
        self.naming.push(Naming { changes });
    }

    fn over(&self, file: &FileName, end: usize) -> bool {
        let Some(capacity) = self.faults.capacity else {
            return false;
        };
        let now = match self.find(&file.to_string()) {
            Some(Named::File(id)) => self.nodes.get(&id).map_or(0, |node| node.live.len()),
            _ => 0,
        };
        end > now && self.used() + (end - now) as u64 > capacity
    }

    fn full(&mut self) -> Outcome {
        self.fire("full");
        failed(FaultKind::Full, "no space left on device")
    }

    fn sync_fails(&mut self) -> bool {
        let fails = self.faults.failing_syncs > 0;
        if fails {
            self.faults.failing_syncs -= 1;
        }
        fails
    }

    fn broken_sync(&mut self) -> Outcome {
        self.fire("failed-sync");
        failed(FaultKind::Broken, "input/output error")
    }

    fn fire(&mut self, fault: &'static str) {
        *self.fired.entry(fault).or_default() += 1;
    }
}

/// Takes out of an unsynced change what a later synchronous write has overwritten.
fn clip(change: &mut Change, at: usize, len: usize) {
    match change {
        Change::Write { at: from, bytes } if *from < at + len && *from + bytes.len() > at => {
            let head = at.saturating_sub(*from).min(bytes.len());
            // The rest behind the synchronous write is rare and small; it is treated as lost.
            *bytes = bytes.slice(..head);
        }
        Change::Cut { len: cut } if *cut < at + len => *cut = at + len,
        _ => {}
    }
}

fn apply(names: &mut Names, changes: &[((NodeId, String), Option<Named>)]) {
    for (name, named) in changes {
        match named {
            Some(named) => names.insert(name.clone(), *named),
            None => names.remove(name),
        };
    }
}

/// What a directory holds, in order of names.
fn names_of(names: &Names, dir: NodeId) -> impl Iterator<Item = (&str, Named)> {
    names
        .range((dir, String::new())..(dir + 1, String::new()))
        .map(|((_, name), named)| (name.as_str(), *named))
}

/// All names below a directory, its own first.
fn within(names: &Names, dir: NodeId) -> Vec<(NodeId, String)> {
    let mut all = Vec::new();
    let mut dirs = VecDeque::from([dir]);
    while let Some(dir) = dirs.pop_front() {
        for (name, named) in names_of(names, dir) {
            all.push((dir, name.to_owned()));
            if let Named::Dir(id) = named {
                dirs.push_back(id);
            }
        }
    }
    all
}

/// Pieces as they lie on disk.
pub(crate) fn flatten(pieces: &[Piece]) -> Bytes {
    let mut out = Vec::with_capacity(pieces.iter().map(Piece::len).sum());
    for piece in pieces {
        match piece {
            Piece::Bytes(bytes) => out.extend_from_slice(bytes),
            Piece::Zeros(n) => out.resize(out.len() + n, 0),
            Piece::Batch(bytes, stamp) => {
                let at = out.len();
                out.extend_from_slice(bytes);
                if let Some(base) = out.get_mut(at..at + 8) {
                    base.copy_from_slice(&stamp.base.0.to_be_bytes());
                }
                if let Some(epoch) = out.get_mut(at + 12..at + 16) {
                    epoch.copy_from_slice(&stamp.epoch.0.to_be_bytes());
                }
            }
        }
    }
    Bytes::from(out)
}

/// A commit: it may overtake syncs and reads of its file, as the promises of an executor say.
fn is_commit(op: &FileOp) -> bool {
    let FileOp::Put { file, how, .. } = op else {
        return false;
    };
    matches!(file, FileName::Ring { .. }) && *how != How::Bulk
}

/// The names whose order an operation takes part in.
fn touched(op: &FileOp) -> Vec<String> {
    match op {
        FileOp::Alloc { file, .. } | FileOp::Put { file, .. } | FileOp::Cut { file, .. } => {
            vec![file.to_string()]
        }
        FileOp::Read { file, .. }
        | FileOp::Reread { file, .. }
        | FileOp::Sync(file)
        | FileOp::Unlink(file) => {
            vec![file.to_string()]
        }
        FileOp::Rename { from, to } => vec![from.to_string(), to.to_string()],
        FileOp::SyncDir(dir)
        | FileOp::MakeDir(dir)
        | FileOp::RemoveDir(dir)
        | FileOp::List(dir) => {
            vec![dir.to_string()]
        }
        FileOp::SyncAll => Vec::new(),
    }
}

fn size(n: u64) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}

fn failed(kind: FaultKind, text: &str) -> Outcome {
    Outcome::Failed(Fault {
        kind,
        text: text.to_owned(),
    })
}

fn absent(file: &FileName) -> Outcome {
    failed(
        FaultKind::Absent,
        &format!("{file}: no such file or directory"),
    )
}
