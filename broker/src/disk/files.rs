//! File operations on a real directory: the only code that calls the file system for the log, and the only one that
//! syncs or writes synchronously. Decides how (direct or through the page cache), never what or when.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, IoSlice};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use rustix::fs::{Advice, AtFlags, CWD, Mode, OFlags, fadvise};
use sawlog_core::file::{Entry, Fault, FaultKind, FileName, FileOp, Free, How, Outcome, Piece};

use super::ahead::AHEAD_MAX;
use super::buffer::{Aligned, PAGE, Pool};
use crate::net::allowance::{Allowance, Held};

mod serve;

/// Open files kept at most; beyond that all but the ring's are closed, since opening again is cheap.
const OPEN_MAX: usize = 512;
/// Descriptors of them: each may be open in three ways.
pub const DESCRIPTORS_MAX: u64 = 3 * OPEN_MAX as u64;
static ZERO: [u8; PAGE] = [0; PAGE];
/// Zeros are pre-written in blocks of this size.
const ZEROS: usize = 1 << 20;

/// One log directory. Shared by the threads that work on it.
#[derive(Debug)]
pub struct Files {
    root: OwnedFd,
    path: PathBuf,
    direct: bool,
    pool: Pool,
    /// What all shards may hold of what they read ahead (#131).
    ahead: Allowance,
    begun: Instant,
    /// When the last commit began, in milliseconds since then.
    committed: AtomicU64,
    open: Mutex<BTreeMap<FileName, Arc<Open>>>,
}

/// The descriptors of one file, each opened when it is first wanted.
#[derive(Debug, Default)]
struct Open {
    buffered: Mutex<Option<Arc<OwnedFd>>>,
    direct: Mutex<Option<Arc<OwnedFd>>>,
    durable: Mutex<Option<Arc<OwnedFd>>>,
}

/// How a descriptor was opened.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Buffered,
    Direct,
    Durable,
}

/// How durable writes reach the medium: shown at start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    /// O_DIRECT with O_DSYNC.
    Direct,
    /// Through the page cache, with fdatasync after each write: the file system refuses O_DIRECT.
    Synced,
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Way::Direct => "O_DIRECT|O_DSYNC",
            Way::Synced => "buffered + fdatasync",
        })
    }
}

impl Files {
    /// Opens a log directory that exists, and finds out whether it takes O_DIRECT.
    pub fn open(path: &Path, pool: Pool) -> io::Result<Files> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::openat(CWD, path, flags, Mode::empty())?;
        let direct = takes_direct(&root);
        let path = path.to_owned();
        Ok(Files {
            root,
            path,
            direct,
            pool,
            ahead: Allowance::new(AHEAD_MAX),
            begun: Instant::now(),
            committed: AtomicU64::new(0),
            open: Mutex::default(),
        })
    }

    /// How durable writes reach the medium here.
    pub fn way(&self) -> Way {
        if self.direct {
            Way::Direct
        } else {
            Way::Synced
        }
    }

    /// Space of the file system.
    pub fn space(&self) -> io::Result<Free> {
        let stat = rustix::fs::fstatvfs(&self.root)?;
        Ok(Free {
            total: stat.f_blocks * stat.f_frsize,
            free: stat.f_bavail * stat.f_frsize,
        })
    }

    /// Does one operation. For a write also gives the buffer that was written, which now is the tail.
    pub fn run(&self, op: &FileOp) -> (Outcome, Option<Aligned>) {
        if let FileOp::Put {
            file,
            at,
            pieces,
            how,
        } = op
        {
            let buffer = self.gather(pieces);
            let outcome = self.write(file, *at, buffer.as_ref(), *how);
            // What may not lie there is not the tail.
            let written = (outcome == Outcome::Done).then_some(buffer);
            return (outcome, written);
        }
        let outcome = self.other(op).unwrap_or_else(|error| {
            let (verb, file) = words(op);
            failed(verb, &file, &error)
        });
        (outcome, None)
    }

    /// Where memory as O_DIRECT wants it comes from.
    pub fn pool(&self) -> Pool {
        self.pool.clone()
    }

    /// What may be held of what is read ahead.
    pub fn ahead(&self) -> Allowance {
        self.ahead.clone()
    }

    fn other(&self, op: &FileOp) -> io::Result<Outcome> {
        match op {
            FileOp::Put { .. } => unreachable!("a put has its own way, for it leaves a buffer"),
            FileOp::Alloc { file, len } => self.alloc(file, *len)?,
            // The length is synced with the bytes; without the times there is often no journal to wait for.
            FileOp::Sync(file) => {
                rustix::fs::fdatasync(&*self.descriptor(file, Kind::Buffered, false)?)?
            }
            FileOp::SyncDir(dir) => rustix::fs::fsync(&self.directory(dir)?)?,
            FileOp::SyncAll => rustix::fs::syncfs(&self.root)?,
            FileOp::Cut { file, len } => {
                rustix::fs::ftruncate(&*self.descriptor(file, Kind::Buffered, false)?, *len)?;
            }
            FileOp::Rename { from, to } => {
                // Closed afterwards: a reader could open the old name between the two, and the next file of that name
                // would be written into this one.
                let renamed = rustix::fs::renameat(&self.root, name(from), &self.root, name(to));
                self.close_below(from);
                self.close_below(to);
                renamed?;
            }
            FileOp::Unlink(file) => {
                let gone = rustix::fs::unlinkat(&self.root, name(file), AtFlags::empty());
                self.close_below(file);
                absent_is_fine(gone)?;
            }
            FileOp::MakeDir(dir) => {
                match rustix::fs::mkdirat(&self.root, name(dir), Mode::from_raw_mode(0o755)) {
                    Err(rustix::io::Errno::EXIST) => {}
                    other => other?,
                }
            }
            FileOp::RemoveDir(dir) => self.remove_dir(dir)?,
            FileOp::Read { file, at, len } => {
                return self.read(file, *at, *len).map(Outcome::Bytes);
            }
            FileOp::Reread { file, at, len } => {
                return self.serve_again(file, *at, *len).map(Outcome::Bytes);
            }
            FileOp::List(dir) => return self.list(dir).map(Outcome::Listing),
        }
        Ok(Outcome::Done)
    }

    /// Puts pieces together in an aligned buffer.
    fn gather(&self, pieces: &[Piece]) -> Aligned {
        let mut buffer = self.pool.take(pieces.iter().map(Piece::len).sum());
        for piece in pieces {
            buffer.push_piece(piece);
        }
        buffer
    }

    /// Writes slices of aligned memory one behind the other, all of them durably.
    pub fn write_slices(&self, file: &FileName, at: u64, slices: &[Bytes]) -> Outcome {
        match self.try_write_slices(file, at, slices) {
            Ok(()) => Outcome::Done,
            Err(error) => failed("write", file, &error),
        }
    }

    fn try_write_slices(&self, file: &FileName, at: u64, slices: &[Bytes]) -> io::Result<()> {
        self.note_commit();
        let len: usize = slices.iter().map(Bytes::len).sum();
        let whole = at.is_multiple_of(PAGE as u64) && len.is_multiple_of(PAGE);
        if self.direct && whole {
            let descriptor = self.descriptor(file, Kind::Durable, true)?;
            let vector: Vec<IoSlice<'_>> = slices.iter().map(|s| IoSlice::new(s)).collect();
            let written = loop {
                match rustix::io::pwritev(&*descriptor, &vector, at) {
                    Err(rustix::io::Errno::INTR) => {}
                    other => break other?,
                }
            };
            return write_rest(&descriptor, slices, at, written);
        }
        let descriptor = self.descriptor(file, Kind::Buffered, true)?;
        write_rest(&descriptor, slices, at, 0)?;
        Ok(rustix::fs::fdatasync(&*descriptor)?)
    }

    /// Writes bytes that lie in aligned memory.
    pub fn write(&self, file: &FileName, at: u64, bytes: &[u8], how: How) -> Outcome {
        match self.try_write(file, at, bytes, how) {
            Ok(()) => Outcome::Done,
            Err(error) => failed("write", file, &error),
        }
    }

    fn try_write(&self, file: &FileName, at: u64, bytes: &[u8], how: How) -> io::Result<()> {
        let whole = at.is_multiple_of(PAGE as u64) && bytes.len().is_multiple_of(PAGE);
        if matches!(file, FileName::Ring { .. }) && how != How::Bulk {
            self.note_commit();
        }
        match how {
            How::Durable if self.direct && whole => {
                write_all(&*self.descriptor(file, Kind::Durable, true)?, bytes, at)
            }
            How::Durable => {
                let descriptor = self.descriptor(file, Kind::Buffered, true)?;
                write_all(&descriptor, bytes, at)?;
                Ok(rustix::fs::fdatasync(&*descriptor)?)
            }
            How::Bulk if self.direct && at.is_multiple_of(PAGE as u64) => {
                let (blocks, rest) = bytes.split_at(bytes.len() / PAGE * PAGE);
                if !blocks.is_empty() {
                    write_all(&*self.descriptor(file, Kind::Direct, true)?, blocks, at)?;
                }
                if rest.is_empty() {
                    return Ok(());
                }
                let descriptor = self.descriptor(file, Kind::Buffered, true)?;
                write_all(&descriptor, rest, at + blocks.len() as u64)
            }
            How::Cached if matches!(file, FileName::Ring { .. }) => {
                write_with_block(&*self.descriptor(file, Kind::Buffered, true)?, bytes, at)
            }
            How::Cached | How::Bulk => {
                write_all(&*self.descriptor(file, Kind::Buffered, true)?, bytes, at)
            }
        }
    }

    fn alloc(&self, file: &FileName, len: u64) -> io::Result<()> {
        let buffered = self.descriptor(file, Kind::Buffered, true)?;
        rustix::fs::ftruncate(&*buffered, 0)?;
        let kind = if self.direct && len.is_multiple_of(PAGE as u64) {
            Kind::Direct
        } else {
            Kind::Buffered
        };
        let descriptor = self.descriptor(file, kind, true)?;
        let mut zeros = self
            .pool
            .take(ZEROS.min(usize::try_from(len).unwrap_or(ZEROS)));
        zeros.push_zeros(ZEROS.min(usize::try_from(len).unwrap_or(ZEROS)));
        let mut at = 0;
        while at < len {
            let n = usize::try_from(len - at).unwrap_or(ZEROS).min(ZEROS);
            write_all(&descriptor, zeros.as_ref().get(..n).unwrap_or_default(), at)?;
            at += n as u64;
        }
        Ok(())
    }

    /// Reads up to `len` bytes from `at` on; fewer where the file ends.
    pub fn read(&self, file: &FileName, at: u64, len: u32) -> io::Result<Bytes> {
        self.read_counted(file, at, len as usize, None)
    }

    fn read_counted(
        &self,
        file: &FileName,
        at: u64,
        len: usize,
        held: Option<Held>,
    ) -> io::Result<Bytes> {
        let descriptor = self.descriptor(file, Kind::Buffered, false)?;
        let mut buffer = self.pool.take(len).counted(held);
        let filled = read_into(&descriptor, buffer.spare(len), at)?;
        buffer.filled(filled);
        Ok(buffer.freeze())
    }

    fn list(&self, dir: &FileName) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for entry in rustix::fs::Dir::read_from(self.directory(dir)?)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().to_str() else {
                continue;
            };
            if name == "." || name == ".." {
                continue;
            }
            let path = match &*self::name(dir) {
                "." => name.to_owned(),
                below => format!("{below}/{name}"),
            };
            let stat =
                match rustix::fs::statat(&self.root, path.as_str(), AtFlags::SYMLINK_NOFOLLOW) {
                    Err(rustix::io::Errno::NOENT) => continue,
                    other => other?,
                };
            let dir = rustix::fs::FileType::from_raw_mode(stat.st_mode).is_dir();
            let len = if dir {
                0
            } else {
                u64::try_from(stat.st_size).unwrap_or(0)
            };
            entries.push(Entry {
                name: name.to_owned(),
                len,
                dir,
            });
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    fn remove_dir(&self, dir: &FileName) -> io::Result<()> {
        let entries = match self.list(dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            other => other?,
        };
        self.close_below(dir);
        for entry in entries {
            let path = format!("{}/{}", name(dir), entry.name);
            absent_is_fine(rustix::fs::unlinkat(
                &self.root,
                path.as_str(),
                AtFlags::empty(),
            ))?;
        }
        absent_is_fine(rustix::fs::unlinkat(
            &self.root,
            name(dir),
            AtFlags::REMOVEDIR,
        ))?;
        Ok(())
    }

    fn directory(&self, dir: &FileName) -> io::Result<OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(rustix::fs::openat(
            &self.root,
            name(dir),
            flags,
            Mode::empty(),
        )?)
    }

    fn descriptor(&self, file: &FileName, kind: Kind, create: bool) -> io::Result<Arc<OwnedFd>> {
        let open = {
            let mut files = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            match files.get(file) {
                Some(open) => open.clone(),
                None => {
                    if files.len() >= OPEN_MAX {
                        files.retain(|name, _| matches!(name, FileName::Ring { .. }));
                    }
                    files.entry(file.clone()).or_default().clone()
                }
            }
        };
        let slot = match kind {
            Kind::Buffered => &open.buffered,
            Kind::Direct => &open.direct,
            Kind::Durable => &open.durable,
        };
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(descriptor) = &*slot {
            return Ok(descriptor.clone());
        }
        let special = match kind {
            Kind::Buffered => OFlags::empty(),
            Kind::Direct => OFlags::DIRECT,
            Kind::Durable => OFlags::DIRECT | OFlags::DSYNC,
        };
        let create = if create {
            OFlags::CREATE
        } else {
            OFlags::empty()
        };
        let path = name(file);
        let flags = OFlags::RDWR | OFlags::CLOEXEC | special | create;
        let descriptor =
            match rustix::fs::openat(&self.root, &*path, flags, Mode::from_raw_mode(0o644)) {
                // A file system that turned read-only still lets us read.
                Err(rustix::io::Errno::ROFS | rustix::io::Errno::ACCESS) if create.is_empty() => {
                    let flags = OFlags::RDONLY | OFlags::CLOEXEC | special;
                    rustix::fs::openat(&self.root, &*path, flags, Mode::empty())?
                }
                other => other?,
            };
        if kind == Kind::Buffered && is_segment(file) {
            // Else the kernel reads ahead as it sees fit, on whichever thread meets the end of what is there.
            let _ = fadvise(&descriptor, 0, None, Advice::Random);
        }
        let descriptor = Arc::new(descriptor);
        *slot = Some(descriptor.clone());
        Ok(descriptor)
    }

    /// Closes a file that gets another name or none; for a directory, all files in it.
    fn close_below(&self, name: &FileName) {
        let mut files = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if files.remove(name).is_some() {
            return;
        }
        let path = name.to_string();
        let below = format!("{path}/");
        files.retain(|open, _| {
            let open = open.to_string();
            open != path && !open.starts_with(&below)
        });
    }

    /// Where the directory lies, for messages.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn is_segment(file: &FileName) -> bool {
    matches!(file, FileName::Segment { .. })
}

/// The path below the root; the root itself is ".".
fn name(file: &FileName) -> std::borrow::Cow<'_, str> {
    match file {
        FileName::Named(path) if path.is_empty() => ".".into(),
        FileName::Named(path) => (&**path).into(),
        other => other.to_string().into(),
    }
}

/// Writes what a first call has left of these slices.
fn write_rest(
    descriptor: &OwnedFd,
    slices: &[Bytes],
    mut at: u64,
    mut written: usize,
) -> io::Result<()> {
    for slice in slices {
        let skip = written.min(slice.len());
        written -= skip;
        let rest = slice.get(skip..).unwrap_or_default();
        write_all(descriptor, rest, at + skip as u64)?;
        at += slice.len() as u64;
    }
    Ok(())
}

fn write_all(descriptor: &OwnedFd, mut bytes: &[u8], mut at: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match rustix::io::pwrite(descriptor, bytes, at) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(n) => {
                bytes = bytes.get(n..).unwrap_or_default();
                at += n as u64;
            }
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Writes, and zeros what is left of a block that is begun here: the kernel would read the block before it writes to a
/// part of it, which costs more than all else a small commit costs. Nothing lies there that is still of use (#96).
fn write_with_block(descriptor: &OwnedFd, bytes: &[u8], at: u64) -> io::Result<()> {
    let end = at + bytes.len() as u64;
    let begun = end / PAGE as u64 * PAGE as u64 >= at;
    let rest = usize::try_from(end.next_multiple_of(PAGE as u64) - end).unwrap_or(0);
    let zeros = ZERO.get(..rest).unwrap_or_default();
    let mut written = 0;
    if begun && !zeros.is_empty() {
        let both = [io::IoSlice::new(bytes), io::IoSlice::new(zeros)];
        written = match rustix::io::pwritev(descriptor, &both, at) {
            Err(rustix::io::Errno::INTR) => 0,
            other => other?,
        };
    }
    match bytes.get(written..) {
        Some(rest) => write_all(descriptor, rest, at + written as u64),
        None => Ok(()),
    }
}

fn takes_direct(root: &OwnedFd) -> bool {
    const PROBE: &str = ".direct";
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::DIRECT | OFlags::DSYNC;
    let Ok(probe) = rustix::fs::openat(root, PROBE, flags, Mode::from_raw_mode(0o600)) else {
        return false;
    };
    // Some file systems take the flag and refuse the write.
    let pool = Pool::new(0);
    let mut page = pool.take(PAGE);
    page.push_zeros(PAGE);
    let taken = write_all(&probe, page.as_ref(), 0).is_ok();
    let _ = rustix::fs::unlinkat(root, PROBE, AtFlags::empty());
    taken
}

/// Reads until `room` is full or the file ends; how many bytes.
fn read_into(descriptor: &OwnedFd, room: &mut [u8], at: u64) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = room.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match rustix::io::pread(descriptor, rest, at + filled as u64) {
            Ok(0) => break,
            Ok(n) => filled += n,
            // Around the page cache a file may end in the middle of a block: what is left to ask for is no whole one.
            Err(rustix::io::Errno::INVAL) if filled > 0 => break,
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(filled)
}

fn absent_is_fine(result: rustix::io::Result<()>) -> rustix::io::Result<()> {
    match result {
        Err(rustix::io::Errno::NOENT) => Ok(()),
        other => other,
    }
}

/// What was tried, and with which file, for messages.
fn words(op: &FileOp) -> (&'static str, FileName) {
    let (verb, file) = match op {
        FileOp::Alloc { file, .. } => ("allocate", file),
        FileOp::Put { file, .. } => ("write", file),
        FileOp::Sync(file) => ("sync", file),
        FileOp::SyncDir(file) => ("sync directory", file),
        FileOp::SyncAll => return ("sync the file system of", FileName::named("")),
        FileOp::Cut { file, .. } => ("shorten", file),
        FileOp::Rename { from, .. } => ("rename", from),
        FileOp::Unlink(file) | FileOp::RemoveDir(file) => ("remove", file),
        FileOp::MakeDir(file) => ("make directory", file),
        FileOp::Read { file, .. } | FileOp::Reread { file, .. } => ("read", file),
        FileOp::List(file) => ("list", file),
    };
    (verb, file.clone())
}

fn failed(verb: &str, file: &FileName, error: &io::Error) -> Outcome {
    Outcome::Failed(Fault {
        kind: kind(error),
        text: format!("{verb} {}: {error}", name(file)),
    })
}

/// What an error means for decisions.
pub fn kind(error: &io::Error) -> FaultKind {
    match error.kind() {
        io::ErrorKind::NotFound => FaultKind::Absent,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => FaultKind::Full,
        io::ErrorKind::ReadOnlyFilesystem => FaultKind::ReadOnly,
        io::ErrorKind::PermissionDenied => FaultKind::Denied,
        _ => FaultKind::Broken,
    }
}
