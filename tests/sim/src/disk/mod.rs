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
    /// What may or may not survive, in the order it was done.
    pending: Vec<Change>,
}

#[derive(Clone, Debug)]
enum Change {
    Write { at: usize, bytes: Bytes },
    Cut { len: usize },
}

/// One change of names; a rename changes two at once.
#[derive(Clone, Debug)]
struct Naming {
    /// Directories whose sync makes it durable: any of them does.
    dirs: Vec<String>,
    changes: Vec<(String, Option<Named>)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Named {
    File(NodeId),
    Dir,
}

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
}

/// A log directory on a simulated disk.
#[derive(Clone, Debug, Default)]
pub struct Disk {
    nodes: BTreeMap<NodeId, Inode>,
    next_node: NodeId,
    /// Paths as a process sees them; the root is not listed.
    live: BTreeMap<String, Named>,
    /// Paths as they would be after a power cut that loses all that may be lost.
    safe: BTreeMap<String, Named>,
    naming: Vec<Naming>,
    queue: VecDeque<(Ticket, FileOp)>,
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
        self.queue.push_back((ticket, op));
    }

    /// How many operations are queued.
    pub fn queued(&self) -> usize {
        self.queue.len()
    }

    /// The queued operations that may complete next, by their place in the queue: the first on each file.
    pub fn ready(&self) -> Vec<usize> {
        let mut busy: BTreeSet<String> = BTreeSet::new();
        let mut ready = Vec::new();
        for (index, (_, op)) in self.queue.iter().enumerate() {
            let names = touched(op);
            if names.iter().all(|name| !busy.contains(name)) {
                ready.push(index);
            }
            busy.extend(names);
        }
        ready
    }

    /// The queued operation at a place.
    pub fn peek(&self, index: usize) -> Option<&FileOp> {
        self.queue.get(index).map(|(_, op)| op)
    }

    /// Completes the queued operation at a place.
    pub fn complete(&mut self, index: usize) -> Option<(Ticket, Outcome)> {
        let (ticket, op) = self.queue.remove(index)?;
        Some((ticket, self.run(&op)))
    }

    /// Replaces part of a file at rest: stale or foreign blocks.
    pub fn overwrite(&mut self, path: &str, at: u64, bytes: &[u8]) -> bool {
        let Some(Named::File(id)) = self.live.get(path).copied() else {
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
        let file = |(path, named): (&String, &Named)| match named {
            Named::File(id) => Some((path.clone(), self.nodes.get(id)?.live.len() as u64)),
            Named::Dir => None,
        };
        self.live.iter().filter_map(file).collect()
    }

    /// A file's bytes as a reader sees them.
    pub fn read_all(&self, path: &str) -> Option<Vec<u8>> {
        match self.live.get(path)? {
            Named::File(id) => self
                .nodes
                .get(id)
                .map(|node| node.live.read(0, node.live.len())),
            Named::Dir => None,
        }
    }

    /// Bytes that all files hold.
    pub fn used(&self) -> u64 {
        let file = |named: &Named| match named {
            Named::File(id) => self.nodes.get(id).map_or(0, |node| node.live.len() as u64),
            Named::Dir => 0,
        };
        self.live.values().map(file).sum()
    }

    /// Does one operation as if it were the only one.
    pub fn run(&mut self, op: &FileOp) -> Outcome {
        let writes = !matches!(op, FileOp::Read { .. } | FileOp::List(_));
        if self.faults.read_only && writes {
            self.fire("read-only");
            return failed(FaultKind::ReadOnly, "read-only file system");
        }
        match op {
            FileOp::Alloc { file, len } => {
                if self.over(file, size(*len)) {
                    return self.full();
                }
                let id = self.node(file);
                let Some(node) = self.nodes.get_mut(&id) else {
                    return Outcome::Done;
                };
                node.live = Blocks::default();
                node.live.resize(size(*len));
                node.pending.push(Change::Cut { len: 0 });
                node.pending.push(Change::Write {
                    at: 0,
                    bytes: Bytes::from(vec![0; size(*len)]),
                });
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
                    node.pending.clear();
                    node.safe = node.live.clone();
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
                node.pending.push(Change::Cut { len });
                Outcome::Done
            }
            FileOp::Rename { from, to } => self.rename(&from.to_string(), &to.to_string()),
            FileOp::Unlink(file) => {
                let path = file.to_string();
                if self.live.contains_key(&path) {
                    self.name(vec![parent(&path).to_owned()], vec![(path, None)]);
                }
                Outcome::Done
            }
            FileOp::MakeDir(dir) => {
                let path = dir.to_string();
                if !self.live.contains_key(&path) {
                    self.name(
                        vec![parent(&path).to_owned()],
                        vec![(path, Some(Named::Dir))],
                    );
                }
                Outcome::Done
            }
            FileOp::RemoveDir(dir) => {
                let (path, below) = (dir.to_string(), format!("{dir}/"));
                let gone: Vec<String> = self
                    .live
                    .keys()
                    .filter(|name| **name == path || name.starts_with(&below))
                    .cloned()
                    .collect();
                for name in gone.into_iter().rev() {
                    self.name(vec![parent(&name).to_owned()], vec![(name, None)]);
                }
                Outcome::Done
            }
            FileOp::Read { file, at, len } => self.read(file, size(*at), *len as usize),
            FileOp::List(dir) => self.list(dir),
        }
    }

    fn put(&mut self, file: &FileName, at: usize, bytes: Bytes, how: How) -> Outcome {
        if self.over(file, at + bytes.len()) {
            return self.full();
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
            let id = self.node(file);
            if let Some(node) = self.nodes.get_mut(&id) {
                node.live.write(at, &bytes);
            }
            return self.broken_sync();
        }
        self.write_live(file, at, bytes.clone());
        if how == How::Durable {
            let id = self.node(file);
            if let Some(node) = self.nodes.get_mut(&id) {
                node.pending.pop();
                // Earlier changes that were not synced may still be lost, but not this one.
                node.safe.write(at, &bytes);
                node.pending
                    .iter_mut()
                    .for_each(|change| clip(change, at, bytes.len()));
            }
        }
        Outcome::Done
    }

    fn sync(&mut self, file: &FileName) -> Outcome {
        if self.existing(file).is_none() {
            return absent(file);
        }
        let fails = self.sync_fails();
        if let Some(node) = self.existing(file) {
            node.pending.clear();
            if !fails {
                node.safe = node.live.clone();
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
        let path = dir.to_string();
        for naming in std::mem::take(&mut self.naming) {
            if naming.dirs.contains(&path) {
                apply(&mut self.safe, &naming.changes);
            } else {
                self.naming.push(naming);
            }
        }
        Outcome::Done
    }

    fn rename(&mut self, from: &str, to: &str) -> Outcome {
        let Some(named) = self.live.get(from).copied() else {
            return absent(&FileName::named(from));
        };
        let dirs = vec![parent(from).to_owned(), parent(to).to_owned()];
        let mut changes = vec![(from.to_owned(), None), (to.to_owned(), Some(named))];
        if named == Named::Dir {
            let below = format!("{from}/");
            for (path, named) in &self.live {
                if let Some(rest) = path.strip_prefix(&below) {
                    changes.push((path.clone(), None));
                    changes.push((format!("{to}/{rest}"), Some(*named)));
                }
            }
        }
        self.name(dirs, changes);
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
        let path = dir.to_string();
        if !path.is_empty() && self.live.get(&path) != Some(&Named::Dir) {
            return absent(dir);
        }
        let entry = |(name, named): (&String, &Named)| {
            let within = name
                .rsplit_once('/')
                .map_or(("", name.as_str()), |(dir, name)| (dir, name));
            let (len, dir) = match named {
                Named::File(id) => (
                    self.nodes.get(id).map_or(0, |node| node.live.len() as u64),
                    false,
                ),
                Named::Dir => (0, true),
            };
            (within.0 == path).then(|| Entry {
                name: within.1.to_owned(),
                len,
                dir,
            })
        };
        let mut entries: Vec<Entry> = self.live.iter().filter_map(entry).collect();
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Outcome::Listing(entries)
    }

    fn write_live(&mut self, file: &FileName, at: usize, bytes: Bytes) {
        let id = self.node(file);
        if let Some(node) = self.nodes.get_mut(&id) {
            node.live.write(at, &bytes);
            node.pending.push(Change::Write { at, bytes });
        }
    }

    /// The file's node, made with its name if there is none.
    fn node(&mut self, file: &FileName) -> NodeId {
        let path = file.to_string();
        if let Some(Named::File(id)) = self.live.get(&path) {
            return *id;
        }
        let id = self.next_node;
        self.next_node += 1;
        self.nodes.insert(id, Inode::default());
        self.name(
            vec![parent(&path).to_owned()],
            vec![(path, Some(Named::File(id)))],
        );
        id
    }

    fn existing(&mut self, file: &FileName) -> Option<&mut Inode> {
        match self.live.get(&file.to_string())? {
            Named::File(id) => self.nodes.get_mut(id),
            Named::Dir => None,
        }
    }

    fn name(&mut self, dirs: Vec<String>, changes: Vec<(String, Option<Named>)>) {
        apply(&mut self.live, &changes);
        self.naming.push(Naming { dirs, changes });
    }

    fn over(&self, file: &FileName, end: usize) -> bool {
        let Some(capacity) = self.faults.capacity else {
            return false;
        };
        let now = match self.live.get(&file.to_string()) {
            Some(Named::File(id)) => self.nodes.get(id).map_or(0, |node| node.live.len()),
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

fn apply(names: &mut BTreeMap<String, Named>, changes: &[(String, Option<Named>)]) {
    for (path, named) in changes {
        match named {
            Some(named) => names.insert(path.clone(), *named),
            None => names.remove(path),
        };
    }
}

fn flatten(pieces: &[Piece]) -> Bytes {
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

/// The names whose order an operation takes part in.
fn touched(op: &FileOp) -> Vec<String> {
    match op {
        FileOp::Alloc { file, .. } | FileOp::Put { file, .. } | FileOp::Cut { file, .. } => {
            vec![file.to_string()]
        }
        FileOp::Read { file, .. } | FileOp::Sync(file) | FileOp::Unlink(file) => {
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

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(dir, _)| dir)
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
