//! Walks the batches of a segment, or of a snapshot, one at a time: a file is never held in memory.
//! Decides where a batch ends and what is no batch; of a running node, also what is being written at the moment. Never tells
//! what is wrong with a batch.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::time::Duration;

use sawlog_wire::records::batch::HEADER_BYTES;
use sawlog_wire::records::{Batch, BatchHeader};

/// A file of batches.
pub(crate) struct Segment {
    file: BufReader<File>,
    at: u64,
    len: u64,
    /// Whether somebody said where it ends.
    bounded: bool,
    /// How often what is no whole batch is looked at again.
    looks: u32,
}

/// What a node writes at the moment it has written after so many looks, each so long after the other. A file that is damaged
/// in many places is not waited for at each.
const LOOKS: u32 = 5;
const PAUSE: Duration = Duration::from_millis(200);

/// What comes next.
pub(crate) enum Next {
    /// A batch: where it begins, and all its bytes.
    Batch(u64, BatchHeader, Vec<u8>),
    /// The file ends with these bytes, which are no whole batch: where, how many, and why not.
    Rest(u64, u64, String),
    /// The end, at the end of a batch.
    End,
}

impl Segment {
    /// Opens a file of batches, which ends at `len`, or where the file ends.
    pub(crate) fn open(path: &Path, len: Option<u64>) -> io::Result<Segment> {
        let file = File::open(path)?;
        let whole = file.metadata()?.len();
        Ok(Segment {
            file: BufReader::with_capacity(1 << 20, file),
            at: 0,
            len: len.unwrap_or(whole).min(whole),
            bounded: len.is_some(),
            looks: LOOKS,
        })
    }

    /// Goes on at `at`.
    pub(crate) fn seek(&mut self, at: u64) -> io::Result<()> {
        let by = i64::try_from(at).unwrap_or(i64::MAX) - i64::try_from(self.at).unwrap_or(i64::MAX);
        self.file.seek_relative(by)?;
        self.at = at;
        Ok(())
    }

    /// The next batch. After a rest there is nothing more.
    pub(crate) fn next(&mut self) -> io::Result<Next> {
        let left = self.len - self.at.min(self.len);
        if left == 0 {
            return Ok(Next::End);
        }
        let head = self.take(left.min(HEADER_BYTES as u64))?;
        let header = match BatchHeader::parse(&head) {
            Ok(header) => header,
            Err(fault) => return Ok(self.rest(head.len() as u64, &fault.to_string())),
        };
        let size = header.size() as u64;
        if size > left {
            let why = format!("a batch of {size} bytes begins here, and the file has {left}");
            return Ok(self.rest(head.len() as u64, &why));
        }
        let mut bytes = head;
        bytes.extend(self.take(size - bytes.len() as u64)?);
        if (bytes.len() as u64) < size {
            let why = format!("a batch of {size} bytes begins here, and the file ends within it");
            return Ok(self.rest(bytes.len() as u64, &why));
        }
        Ok(Next::Batch(self.at - size, header, bytes))
    }

    /// The next batch, as it is when nobody writes it any more. A running node puts large batches into the segment while it
    /// is read: what is no whole batch there a moment ago is one now.
    pub(crate) fn settled(&mut self, path: &Path) -> io::Result<Next> {
        self.settled_after(path, || std::thread::sleep(PAUSE))
    }

    fn settled_after(&mut self, path: &Path, mut wait: impl FnMut()) -> io::Result<Next> {
        let begun = self.at;
        loop {
            let next = self.next()?;
            let settled = match &next {
                Next::Batch(_, _, bytes) => {
                    let whole = Batch::first(bytes).and_then(|batch| batch.check_crc());
                    whole.is_ok()
                }
                Next::Rest(at, ..) => zeros_from(path, *at)?,
                Next::End => true,
            };
            if settled || self.looks == 0 {
                return Ok(next);
            }
            self.looks -= 1;
            wait();
            // From the file, not from what was read of it.
            self.file.seek(SeekFrom::Start(begun))?;
            self.at = begun;
            if !self.bounded {
                self.len = self.file.get_ref().metadata()?.len();
            }
        }
    }

    /// Up to `len` bytes as they come. Memory grows with the bytes that are there.
    fn take(&mut self, len: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        (&mut self.file).take(len).read_to_end(&mut bytes)?;
        self.at += bytes.len() as u64;
        Ok(bytes)
    }

    fn rest(&mut self, taken: u64, why: &str) -> Next {
        let at = self.at - taken;
        self.at = self.len;
        Next::Rest(at, self.len - at, why.to_owned())
    }
}

/// Whether nothing but zeros follows: what was reserved and never written.
pub(crate) fn zeros_from(path: &Path, at: u64) -> io::Result<bool> {
    let mut file = BufReader::new(File::open(path)?);
    file.seek(SeekFrom::Start(at))?;
    loop {
        let bytes = file.fill_buf()?;
        if bytes.is_empty() {
            return Ok(true);
        }
        if bytes.iter().any(|byte| *byte != 0) {
            return Ok(false);
        }
        let len = bytes.len();
        file.consume(len);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use sawlog_wire::records::{BatchBuilder, Codec, NewRecord};

    use super::*;

    fn batch(base: i64) -> Vec<u8> {
        let mut batch = BatchBuilder::new(Codec::None).at(base, 0);
        let record = NewRecord {
            value: Some(&[7; 1000]),
            ..NewRecord::default()
        };
        batch.push(record).unwrap();
        batch.finish().unwrap()
    }

    /// The batches of a file whose second one is written up to `have`, and on to the end of `more` at the first wait.
    fn batches(have: usize, reserved: bool, more: usize) -> (usize, bool) {
        let name = format!(
            "sawlog-segment-{}-{have}-{reserved}-{more}",
            std::process::id()
        );
        let path = std::env::temp_dir().join(name);
        let (first, second) = (batch(0), batch(1));
        let mut bytes = first.clone();
        bytes.extend(&second[..have]);
        if reserved {
            bytes.resize(first.len() + second.len(), 0);
        }
        std::fs::write(&path, &bytes).unwrap();
        let mut segment = Segment::open(&path, None).unwrap();
        let mut count = 0;
        let mut wait = || {
            let mut file = File::options().write(true).open(&path).unwrap();
            let at = (first.len() + have) as u64;
            file.seek(SeekFrom::Start(at)).unwrap();
            file.write_all(&second[have..more.max(have)]).unwrap();
        };
        let end = loop {
            match segment.settled_after(&path, &mut wait).unwrap() {
                Next::Batch(_, _, bytes) => {
                    if Batch::first(&bytes)
                        .and_then(|batch| batch.check_crc())
                        .is_err()
                    {
                        break false;
                    }
                    count += 1;
                }
                Next::Rest(..) => break false,
                Next::End => break true,
            }
        };
        std::fs::remove_file(&path).unwrap();
        (count, end)
    }

    #[test]
    fn a_batch_that_is_being_written_is_whole_when_it_is_looked_at_again_and_one_that_never_is_is_not()
     {
        let all = batch(1).len();
        for have in [10, 61, 600] {
            for reserved in [false, true] {
                assert_eq!(batches(have, reserved, all), (2, true), "{have} {reserved}");
                let part = batches(have, reserved, have + 1);
                assert_eq!(part, (1, false), "{have} {reserved}");
            }
        }
        assert_eq!(batches(all, false, all), (2, true));
    }
}
