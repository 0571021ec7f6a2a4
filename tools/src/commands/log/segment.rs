//! Walks the batches of a segment, or of a snapshot, one at a time: a file is never held in memory.
//! Decides where a batch ends and what is no batch; never whether its bytes are right.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use sawlog_wire::records::BatchHeader;
use sawlog_wire::records::batch::HEADER_BYTES;

/// A file of batches.
pub(crate) struct Segment {
    file: BufReader<File>,
    at: u64,
    len: u64,
}

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
