//! The bytes of one simulated file, in shared blocks: a copy of a whole disk costs a pointer per block.
//! Decides nothing; the enumerator makes a hundred thousand copies of these.

use std::sync::Arc;

/// Size of a shared block.
const BLOCK: usize = 4096;

/// A file's bytes; cheap to clone, copied block by block when written.
#[derive(Clone, Debug, Default)]
pub struct Blocks {
    blocks: Vec<Arc<[u8; BLOCK]>>,
    len: usize,
}

impl Blocks {
    /// How long the file is.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Sets the length; new bytes are zeros.
    pub fn resize(&mut self, len: usize) {
        if len < self.len {
            let keep = len.div_ceil(BLOCK);
            self.blocks.truncate(keep);
            // What grows again must read as zeros.
            let tail = len % BLOCK;
            if tail > 0
                && let Some(last) = self.blocks.last_mut()
                && let Some(rest) = Arc::make_mut(last).get_mut(tail..)
            {
                rest.fill(0);
            }
        } else {
            let zeros = Arc::new([0; BLOCK]);
            self.blocks.resize(len.div_ceil(BLOCK), zeros);
        }
        self.len = len;
    }

    /// Writes bytes at a position, growing the file if need be.
    pub fn write(&mut self, at: usize, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        if at + bytes.len() > self.len {
            self.resize(at + bytes.len());
        }
        let mut at = at;
        let mut bytes = bytes;
        while !bytes.is_empty() {
            let within = at % BLOCK;
            let n = bytes.len().min(BLOCK - within);
            let (now, later) = bytes.split_at(n);
            if let Some(block) = self.blocks.get_mut(at / BLOCK)
                && let Some(target) = Arc::make_mut(block).get_mut(within..within + n)
            {
                target.copy_from_slice(now);
            }
            at += n;
            bytes = later;
        }
    }

    /// Reads up to `len` bytes; fewer where the file ends.
    pub fn read(&self, at: usize, len: usize) -> Vec<u8> {
        let end = at.saturating_add(len).min(self.len);
        let mut out = Vec::with_capacity(end.saturating_sub(at));
        let mut at = at;
        while at < end {
            let within = at % BLOCK;
            let n = (end - at).min(BLOCK - within);
            if let Some(bytes) = self
                .blocks
                .get(at / BLOCK)
                .and_then(|block| block.get(within..within + n))
            {
                out.extend_from_slice(bytes);
            }
            at += n;
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shortened_file_grows_again_with_zeros_and_copies_stay_apart() {
        let mut file = Blocks::default();
        file.write(4090, &[1; 20]);
        let copy = file.clone();
        file.resize(4095);
        file.resize(4110);
        assert_eq!(file.read(4090, 20), [&[1; 5][..], &[0; 15]].concat());
        assert_eq!(copy.read(4090, 100), [1; 20]);
        assert_eq!(copy.read(0, 2), [0, 0]);
    }
}
