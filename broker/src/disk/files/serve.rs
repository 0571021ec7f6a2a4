//! How bytes are read that go to clients: those of segments through the kernel's page cache, unless to fill it would hold up
//! commits (decision 0014). Decides by which way, never what may be sent: whoever asks compares checksums. Holds #7.

use std::io::{self, IoSliceMut};
use std::num::NonZeroU64;
use std::os::fd::OwnedFd;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use rustix::fs::{Advice, fadvise};
use rustix::io::ReadWriteFlags;
use sawlog_core::file::FileName;
use sawlog_core::proof;

use super::{Files, Kind, is_segment, read_into};
use crate::disk::buffer::{Aligned, PAGE};
use crate::net::allowance::Held;

/// Runs at least so long are served around the page cache, but for those of segments; shorter ones never.
const AROUND: u32 = 256 << 10;
/// What is not in memory is asked of the disk in such steps: a commit that comes meanwhile waits for one of them or two, not
/// for all.
const STEP: usize = 512 << 10;
/// So long after a commit the page cache is not filled: where memory was never used before, the processor pays more for
/// that than for all else, and commits wait for it.
const BUSY_MS: u64 = 200;
/// What is taken from the page cache at a time while nothing shall be brought there; what is brought there for a small
/// reader.
const LOOK: usize = 128 << 10;

impl Files {
    /// Reads up to `len` bytes from `at` on for a client; fewer where the file ends. Those of a segment come through the
    /// page cache, for whoever reads them next (decision 0014). A long run of a ring does not: what is written around the
    /// page cache again and again is not there.
    pub fn serve(&self, file: &FileName, at: u64, len: u32) -> io::Result<Bytes> {
        let long = len as usize;
        if is_segment(file) && len < AROUND {
            return self.read_little(file, at, long);
        }
        if is_segment(file) {
            let mut buffer = self.pool.take(long);
            if self.read_cached(file, at, &mut buffer, long, false)? {
                return Ok(buffer.freeze());
            }
        } else if !self.direct || len < AROUND {
            return self.read(file, at, len);
        }
        self.read_around(file, at, long, None)
    }

    /// Reads a few bytes of a segment through the page cache, whoever commits: what a small reader wants next lies beside
    /// them, and what lies there is asked for with what is missing.
    fn read_little(&self, file: &FileName, at: u64, len: usize) -> io::Result<Bytes> {
        let descriptor = self.descriptor(file, Kind::Buffered, false)?;
        let mut buffer = self.pool.take(len);
        while buffer.len() < len {
            let (here, most) = (at + buffer.len() as u64, len - buffer.len());
            let n = match take_some(&descriptor, buffer.spare(most), here) {
                Some(n) => n,
                None => {
                    let beside = NonZeroU64::new(LOOK.max(most) as u64);
                    let _ = fadvise(&*descriptor, here, beside, Advice::WillNeed);
                    read_into(&descriptor, buffer.spare(most), here)?
                }
            };
            if n == 0 {
                break;
            }
            buffer.filled(n);
        }
        Ok(buffer.freeze())
    }

    /// The same again for bytes that were not what they should be: what lies on the medium decides. The page cache may hold
    /// what was there before a write that went around it, and forgets it here.
    pub fn serve_again(&self, file: &FileName, at: u64, len: u32) -> io::Result<Bytes> {
        let descriptor = self.descriptor(file, Kind::Buffered, false)?;
        // Whole pages: of a part nothing is forgotten.
        let page = PAGE as u64;
        let begin = at / page * page;
        let end = (at + u64::from(len)).next_multiple_of(page);
        let part = NonZeroU64::new(end - begin);
        let _ = fadvise(&*descriptor, begin, part, Advice::DontNeed);
        if self.direct {
            return self.read_around(file, at, len as usize, None);
        }
        self.read(file, at, len)
    }

    /// Reads on in a segment: up to `len` bytes from `at` on. Gives also whether the file may go on.
    pub fn read_on(
        &self,
        file: &FileName,
        at: u64,
        len: usize,
        held: Held,
    ) -> io::Result<(Bytes, bool)> {
        let mut buffer = self.pool.take(len).counted(Some(held));
        if self.read_cached(file, at, &mut buffer, len, true)? {
            let more = buffer.len() == len;
            return Ok((buffer.freeze(), more));
        }
        let held = buffer.uncounted();
        drop(buffer);
        // In as much memory, block by block: what lies before `at` takes some of it.
        let len = len - (at % PAGE as u64) as usize;
        let bytes = self.read_around(file, at, len, held)?;
        let more = bytes.len() == len;
        Ok((bytes, more))
    }

    /// Reads a segment from `at` on, up to `len` bytes, through the page cache. `on`: what follows will be wanted, too.
    /// Which bytes the disk is asked for is said here: what the kernel guesses depends on the machine, from 128 KiB to
    /// 8 MiB and more. False: the page cache has not all of them, and is not filled while somebody commits.
    fn read_cached(
        &self,
        file: &FileName,
        at: u64,
        buffer: &mut Aligned,
        len: usize,
        on: bool,
    ) -> io::Result<bool> {
        let descriptor = self.descriptor(file, Kind::Buffered, false)?;
        if self.direct && self.is_busy() {
            return Ok(take_cached(&descriptor, buffer, at, len));
        }
        let ask = |from: u64| {
            let step = NonZeroU64::new(STEP as u64);
            let _ = fadvise(&*descriptor, from, step, Advice::WillNeed);
        };
        if len > STEP {
            ask(at);
        }
        let mut filled = 0;
        while filled < len {
            let (here, most) = (at + filled as u64, STEP.min(len - filled));
            if on || filled + most < len {
                ask(here + STEP as u64);
            }
            let n = read_into(&descriptor, buffer.spare(most), here)?;
            buffer.filled(n);
            filled += n;
            if n < most {
                break;
            }
        }
        Ok(true)
    }

    fn read_around(
        &self,
        file: &FileName,
        at: u64,
        len: usize,
        held: Option<Held>,
    ) -> io::Result<Bytes> {
        let descriptor = self.descriptor(file, Kind::Direct, false)?;
        let lead = (at % PAGE as u64) as usize;
        let whole = (lead + len).next_multiple_of(PAGE);
        let mut buffer = self.pool.take(whole).counted(held);
        while buffer.len() < whole {
            let most = STEP.min(whole - buffer.len());
            let here = at - lead as u64 + buffer.len() as u64;
            let n = match read_into(&descriptor, buffer.spare(most), here) {
                // This file does not take it. What is read instead counts against the same bound (#131).
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                    let held = buffer
                        .uncounted()
                        .filter(|_| !proof::mutant("fallback-uncounted"));
                    drop(buffer);
                    return self.read_counted(file, at, len, held);
                }
                read => read?,
            };
            buffer.filled(n);
            if n < most {
                break;
            }
        }
        let end = (lead + len).min(buffer.len());
        Ok(buffer.freeze().slice(lead.min(end)..end))
    }

    /// A commit is on its way: others will follow soon.
    pub(super) fn note_commit(&self) {
        let now = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        // From 1 on: 0 is never.
        self.committed.store(now + 1, Ordering::Relaxed);
    }

    /// Whether somebody commits just now.
    fn is_busy(&self) -> bool {
        let last = self.committed.load(Ordering::Relaxed);
        let now = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        last > 0 && now.saturating_sub(last - 1) < BUSY_MS
    }
}

/// Takes up to `len` bytes from `at` on if the page cache has them, and has it bring next to nothing: whatever is asked for
/// and not there, the kernel begins to read.
fn take_cached(descriptor: &OwnedFd, buffer: &mut Aligned, at: u64, len: usize) -> bool {
    let first = take_some(descriptor, buffer.spare(1.min(len)), at);
    let mut filled = 0;
    while first.is_some() && filled < len {
        let most = LOOK.min(len - filled);
        match take_some(descriptor, buffer.spare(most), at + filled as u64) {
            Some(0) => return true,
            Some(n) => {
                buffer.filled(n);
                filled += n;
            }
            None => return false,
        }
    }
    first.is_some()
}

/// What the page cache has from `at` on, and 0 at the end of the file; nothing if it has nothing.
fn take_some(descriptor: &OwnedFd, room: &mut [u8], at: u64) -> Option<usize> {
    let mut rooms = [IoSliceMut::new(room)];
    rustix::io::preadv2(descriptor, &mut rooms, at, ReadWriteFlags::NOWAIT).ok()
}

#[cfg(test)]
impl Files {
    /// From now on nothing of this file can be brought into the page cache.
    pub(crate) fn make_unreadable(&self, file: &FileName) {
        let unreadable = self.directory(&FileName::named("")).unwrap();
        self.descriptor(file, Kind::Buffered, false).unwrap();
        let files = self.open.lock().unwrap();
        *files[file].buffered.lock().unwrap() = Some(std::sync::Arc::new(unreadable));
    }

    /// From now on the page cache holds of this file what lies in `other`: what a write around it leaves where it fails to
    /// throw out what was there.
    pub(crate) fn make_stale(&self, file: &FileName, other: &FileName) {
        let other = self.descriptor(other, Kind::Buffered, false).unwrap();
        self.descriptor(file, Kind::Buffered, false).unwrap();
        let files = self.open.lock().unwrap();
        *files[file].buffered.lock().unwrap() = Some(other);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::buffer::Pool;
    use sawlog_core::file::{How, Outcome};
    use sawlog_core::ids::Offset;

    #[test]
    fn what_is_served_is_what_lies_in_the_file_however_it_is_read_7() {
        let dir = std::env::temp_dir().join(format!("sawlog-serving-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let files = Files::open(&dir, Pool::new(1 << 20)).unwrap();
        // It ends in the middle of a block, and its last bytes are in the page cache only.
        let len = 3 * AROUND as usize + 1234;
        let bytes: Vec<u8> = (0..len as u32).map(|at| (at % 251) as u8).collect();
        let named = FileName::named("served");
        let segment = FileName::Segment {
            dir: "t-0".into(),
            base: Offset(0),
        };
        std::fs::create_dir_all(dir.join("t-0")).unwrap();
        for file in [&named, &segment] {
            std::fs::write(dir.join(file.to_string()), &bytes).unwrap();
        }
        let long = AROUND as usize;
        let forget = || {
            let descriptor = files.descriptor(&segment, Kind::Buffered, false).unwrap();
            rustix::fs::fdatasync(&*descriptor).unwrap();
            fadvise(&*descriptor, 0, None, Advice::DontNeed).unwrap();
        };
        for busy in [false, true] {
            forget();
            for (at, n) in [
                (0, long),
                (1, long),
                (4095, long + 1),
                (4096, 2 * long),
                (777, 3 * long),
                (len - long, long),
                (len - long + 5, long),
                (len - 1, long),
                (len, long),
                (len + 5000, long),
                (5, long - 1),
            ] {
                let lies = bytes.get(at.min(len)..(at + n).min(len)).unwrap();
                if busy {
                    files.note_commit();
                }
                for file in [&named, &segment] {
                    let served = files.serve(file, at as u64, n as u32).unwrap();
                    assert!(served == lies, "{n} bytes at {at} of {file}");
                    let again = files.serve_again(file, at as u64, n as u32).unwrap();
                    assert!(again == lies, "{n} bytes at {at} of {file}, again");
                }
                let held = files.ahead().take(1).unwrap();
                let room = n.next_multiple_of(PAGE);
                let (on, more) = files.read_on(&segment, at as u64, room, held).unwrap();
                let all = bytes.get(at.min(len)..).unwrap();
                assert!(all.starts_with(&on), "{n} bytes at {at}");
                assert!(more || on == all, "{n} bytes at {at}");
            }
        }
        std::fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn what_is_written_around_the_page_cache_is_read_through_it_also_the_block_that_is_written_again_7()
     {
        let dir = std::env::temp_dir().join(format!("sawlog-again-{}", std::process::id()));
        std::fs::create_dir_all(dir.join("t-0")).unwrap();
        let files = Files::open(&dir, Pool::new(1 << 20)).unwrap();
        let file = FileName::Segment {
            dir: "t-0".into(),
            base: Offset(0),
        };
        let bytes: Vec<u8> = (0..3_000_000_u32).map(|at| (at % 251) as u8).collect();
        let mut end = 0;
        for (round, more) in [1, 5000, 700_000, 4096, 3, 1_000_000, 100, 90_000, 8192]
            .into_iter()
            .enumerate()
        {
            // As the spill does it, and as large batches go: from the last block that was begun on.
            let from = end / PAGE * PAGE;
            end += more;
            let how = if round % 2 == 0 {
                How::Bulk
            } else {
                How::Durable
            };
            let mut buffer = files.pool().take(end - from + PAGE);
            buffer.push(bytes.get(from..end).unwrap());
            if how == How::Durable {
                buffer.push_zeros(end.next_multiple_of(PAGE) - end);
            }
            assert_eq!(
                files.write(&file, from as u64, buffer.as_ref(), how),
                Outcome::Done
            );
            for at in [0, from.saturating_sub(600_000), from, end - 1] {
                let read = files.serve(&file, at as u64, (end - at) as u32).unwrap();
                assert!(read == bytes.get(at..end).unwrap(), "from {at} to {end}");
            }
        }
        std::fs::remove_dir_all(&dir).unwrap();
    }

    /// A file that does not take reads around the page cache is read through it; what of the bound that holds meanwhile.
    fn held_by_a_file_that_takes_no_direct_reads(name: &str) -> (bool, usize) {
        let dir = std::env::temp_dir().join(format!("sawlog-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let files = Files::open(&dir, Pool::new(1 << 20)).unwrap();
        let file = FileName::named("a");
        std::fs::write(dir.join("a"), [7; 10_000]).unwrap();
        files.descriptor(&file, Kind::Buffered, false).unwrap();
        // It can be opened, and not read.
        let refuses = std::fs::File::open("/proc/self/ns/mnt").unwrap();
        let open = files.open.lock().unwrap()[&file].clone();
        *open.direct.lock().unwrap() = Some(std::sync::Arc::new(refuses.into()));
        let held = files.ahead().take(20_000).unwrap();
        let bytes = files.read_around(&file, 5, 9_000, Some(held)).unwrap();
        let used = files.ahead().used();
        let right = bytes == vec![7; 9_000];
        drop(bytes);
        assert_eq!(files.ahead().used(), 0);
        std::fs::remove_dir_all(&dir).unwrap();
        (right, used)
    }

    #[test]
    fn what_a_file_gives_that_takes_no_direct_reads_counts_against_the_same_bound_131() {
        let held = held_by_a_file_that_takes_no_direct_reads("fallback");
        assert_eq!(held, (true, 20_000));
    }

    #[cfg(feature = "mutants")]
    #[test]
    fn what_is_read_uncounted_is_caught_131() {
        proof::choose(Some("fallback-uncounted"));
        let held = held_by_a_file_that_takes_no_direct_reads("uncounted");
        let fired = proof::fired();
        proof::choose(None);
        assert!(fired > 0 && held == (true, 0), "a test that cannot fail");
    }

    #[test]
    fn while_somebody_commits_the_page_cache_is_read_and_not_filled() {
        let dir = std::env::temp_dir().join(format!("sawlog-busy-{}", std::process::id()));
        std::fs::create_dir_all(dir.join("t-0")).unwrap();
        let files = Files::open(&dir, Pool::new(1 << 20)).unwrap();
        let file = FileName::Segment {
            dir: "t-0".into(),
            base: Offset(0),
        };
        let bytes: Vec<u8> = (0..4_000_000_u32).map(|at| (at % 251) as u8).collect();
        std::fs::write(dir.join(file.to_string()), &bytes).unwrap();
        let descriptor = files.descriptor(&file, Kind::Buffered, false).unwrap();
        rustix::fs::fdatasync(&*descriptor).unwrap();
        fadvise(&*descriptor, 0, None, Advice::DontNeed).unwrap();
        let cached = |at: u64| take_some(&descriptor, &mut [0], at).is_some();
        let shows = files.direct && !cached(3_900_000);
        let ring = FileName::Ring {
            shard: sawlog_core::ids::ShardId(0),
            kind: sawlog_core::file::RingKind::Durable,
            sequence: 1,
        };
        std::fs::create_dir_all(dir.join("commit")).unwrap();
        let mut page = files.pool().take(PAGE);
        page.push_zeros(PAGE);
        for (busy, filled) in [(true, false), (false, true)] {
            files.committed.store(0, Ordering::Relaxed);
            if busy {
                let written = files.write(&ring, 0, page.as_ref(), How::Durable);
                assert_eq!(written, Outcome::Done);
                // However slow this machine is.
                files.committed.fetch_add(3_600_000, Ordering::Relaxed);
            }
            assert!(files.serve(&file, 5, 3_000_000).unwrap() == bytes[5..3_000_005]);
            assert!(!shows || cached(1_500_000) == filled, "busy: {busy}");
        }
        // What is there is taken, whoever commits.
        files.note_commit();
        files.committed.fetch_add(3_600_000, Ordering::Relaxed);
        let mut buffer = files.pool().take(3_000_000);
        assert!(
            !shows
                || files
                    .read_cached(&file, 5, &mut buffer, 2_900_000, false)
                    .unwrap()
        );
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
