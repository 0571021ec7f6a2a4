//! One socket: reads what is there, cuts it into frames, writes what is to be written.
//! Decides when to read (never while the node holds or 64 requests are open); understands no byte of a frame (#129).

use std::io::{self, IoSlice};
use std::rc::Rc;
use std::sync::Arc;

use bytes::{Buf, Bytes};
use sawlog_core::ids::ConnId;
use tokio::net::TcpStream;
use tokio::sync::Notify;

use crate::disk::buffer::{Aligned, Pool};
use crate::shard_loop::Local;

/// What is read at once while frames are small.
const CHUNK: usize = 64 << 10;
/// Slices handed to one vectored write at most.
const SLICES: usize = 64;

/// What the shard's thread knows of a socket.
#[derive(Debug)]
pub struct Link {
    /// The socket.
    pub socket: TcpStream,
    /// Something to do: room to read again, bytes that the socket would not take, or the end.
    pub wake: Notify,
}

/// Serves one connection until it ends.
pub async fn serve(local: Local, listener: Arc<str>, socket: TcpStream) {
    // Replies are small and somebody waits for each of them.
    let _ = socket.set_nodelay(true);
    let link = Rc::new(Link {
        socket,
        wake: Notify::new(),
    });
    let id = local.join(listener, link.clone());
    let why = talk(&local, id, &link).await;
    local.leave(id, why);
}

/// Why a connection ended.
pub type Ending = Result<(), String>;

async fn talk(local: &Local, id: ConnId, link: &Link) -> Ending {
    let mut inbox = Inbox::new(local.frames(), local.frame_max());
    loop {
        let mut wants = local.wants(id)?;
        let mut any = false;
        while wants.read {
            let Some(frame) = inbox.cut()? else { break };
            local.frame(id, frame);
            any = true;
            wants = local.wants(id)?;
        }
        if any {
            local.settle();
        }
        tokio::select! {
            biased;
            ready = link.socket.writable(), if wants.write => {
                ready.map_err(|error| error.to_string())?;
                local.write(id)?;
            }
            () = link.wake.notified() => {}
            ready = link.socket.readable(), if wants.read => {
                ready.map_err(|error| error.to_string())?;
                match link.socket.try_read(inbox.room()) {
                    Ok(0) => return Ok(()),
                    Ok(n) => inbox.came(n),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => inbox.rest(),
                    Err(error) => return Err(error.to_string()),
                }
            }
        }
    }
}

/// What was read of a connection and not handed on: at most one frame that is not whole yet, or whole ones that the node
/// has no room for. Frames are slices of a pooled buffer: first touch of fresh memory costs more than all else on the way.
struct Inbox {
    pool: Pool,
    frame_max: usize,
    /// Read and not cut yet.
    ready: Bytes,
    /// Where a frame comes together that is not whole.
    filling: Option<Aligned>,
    /// The longest frame that came so far, whole: so much memory this peer has shown to be worth.
    shown: usize,
}

impl Inbox {
    fn new(pool: Pool, frame_max: usize) -> Inbox {
        Inbox {
            pool,
            frame_max,
            ready: Bytes::new(),
            filling: None,
            shown: 0,
        }
    }

    /// The next whole frame, without its length.
    fn cut(&mut self) -> Result<Option<Bytes>, String> {
        let frame = cut(&mut self.ready, self.frame_max)?;
        if let Some(frame) = &frame {
            self.shown = self.shown.max(4 + frame.len());
        }
        Ok(frame)
    }

    /// Where to read to. Called when `cut` finds no further frame.
    fn room(&mut self) -> &mut [u8] {
        let mut begun = self.filling.take();
        let held = begun.as_ref().map_or(self.ready.as_ref(), AsRef::as_ref);
        // The buffer of a long frame grows with the bytes that came, not with the length that is claimed (#129).
        let whole = declared(held).map_or(0, |length| length.saturating_add(4));
        let whole = whole.min(self.frame_max.saturating_add(4));
        let worth = CHUNK.max(self.shown).max(2 * held.len());
        let want = if whole > CHUNK {
            whole.min(worth)
        } else {
            CHUNK
        };
        if begun.as_ref().is_none_or(|begun| begun.capacity() < want) {
            let mut larger = self.pool.take(want);
            larger.push(held);
            self.ready = Bytes::new();
            begun = Some(larger);
        }
        let filling = self
            .filling
            .insert(begun.unwrap_or_else(|| self.pool.take(CHUNK)));
        // Of a long frame no byte behind its end is read: what follows begins in a buffer of its own, without a copy.
        let end = if whole > CHUNK {
            whole.min(filling.capacity())
        } else {
            CHUNK
        };
        let n = end - filling.len();
        filling.spare(n)
    }

    /// So many bytes were read.
    fn came(&mut self, n: usize) {
        let Some(filling) = &mut self.filling else {
            return;
        };
        filling.filled(n);
        let whole = declared(filling.as_ref());
        // A length that is refused is no reason to wait for its bytes.
        if whole.is_some_and(|length| length > self.frame_max || filling.len() >= 4 + length)
            && let Some(filling) = self.filling.take()
        {
            self.ready = filling.freeze();
        }
    }

    /// Nothing came: an idle connection holds no buffer.
    fn rest(&mut self) {
        if self.filling.as_ref().is_some_and(Aligned::is_empty) {
            self.filling = None;
        }
    }
}

fn declared(bytes: &[u8]) -> Option<usize> {
    let length = bytes.first_chunk::<4>()?;
    // A negative one is as bad as one that is too long.
    Some(usize::try_from(i32::from_be_bytes(*length)).unwrap_or(usize::MAX))
}

/// Cuts one whole frame off the front, without its length.
fn cut(bytes: &mut Bytes, frame_max: usize) -> Result<Option<Bytes>, String> {
    let Some(prefix) = bytes.first_chunk::<4>() else {
        return Ok(None);
    };
    let claimed = i32::from_be_bytes(*prefix);
    let length = match usize::try_from(claimed) {
        Ok(length) if length <= frame_max => length,
        _ => {
            return Err(format!(
                "a frame claims {claimed} bytes; socket.request.max.bytes is {frame_max}"
            ));
        }
    };
    if bytes.len() < 4 + length {
        return Ok(None);
    }
    bytes.advance(4);
    Ok(Some(bytes.split_to(length)))
}

/// Writes as much as the socket takes; says how much that was.
pub fn write<'a>(link: &Link, chunks: impl Iterator<Item = &'a Bytes>) -> io::Result<usize> {
    let mut slices = [IoSlice::new(&[]); SLICES];
    let mut count = 0;
    for (slot, chunk) in slices.iter_mut().zip(chunks) {
        *slot = IoSlice::new(chunk);
        count += 1;
    }
    match link
        .socket
        .try_write_vectored(slices.get(..count).unwrap_or_default())
    {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_cut_where_their_length_says_and_lies_are_refused() {
        let mut bytes = Bytes::from_static(&[0, 0, 0, 2, 1, 2, 0, 0, 0, 1, 9, 0, 0]);
        assert_eq!(cut(&mut bytes, 10).unwrap().unwrap()[..], [1, 2]);
        assert_eq!(cut(&mut bytes, 10).unwrap().unwrap()[..], [9]);
        assert_eq!(cut(&mut bytes, 10).unwrap(), None);
        assert!(cut(&mut Bytes::from_static(&[0, 0, 0, 11]), 10).is_err());
        assert!(cut(&mut Bytes::from_static(&[0xff; 4]), 10).is_err());
    }

    /// Hands a stream to an inbox, at most `step` bytes a read, and gives back the frames.
    fn through(stream: &[u8], step: usize, frame_max: usize) -> Result<Vec<Bytes>, String> {
        let mut inbox = Inbox::new(Pool::new(1 << 20), frame_max);
        let (mut rest, mut frames) = (stream, Vec::new());
        loop {
            while let Some(frame) = inbox.cut()? {
                frames.push(frame);
            }
            if rest.is_empty() {
                return Ok(frames);
            }
            let room = inbox.room();
            let n = step.min(room.len()).min(rest.len());
            assert!(n > 0, "a read into no room would look like the end");
            room[..n].copy_from_slice(&rest[..n]);
            rest = &rest[n..];
            inbox.came(n);
        }
    }

    #[test]
    fn frames_of_all_sizes_come_whole_however_the_bytes_arrive() {
        let sizes = [
            0,
            1,
            5,
            70_000,
            3,
            CHUNK - 4,
            CHUNK,
            1 << 20,
            2,
            300_000,
            0,
            CHUNK - 3,
        ];
        let mut stream = Vec::new();
        for (number, size) in (0_u8..).zip(sizes) {
            stream.extend((size as i32).to_be_bytes());
            stream.extend(std::iter::repeat_n(number, size));
        }
        for step in [7, 4096, CHUNK, usize::MAX] {
            let frames = through(&stream, step, 1 << 20).unwrap();
            let got: Vec<usize> = frames.iter().map(Bytes::len).collect();
            assert_eq!(got, sizes, "{step} bytes a read");
            for (number, frame) in (0_u8..).zip(&frames) {
                assert!(frame.iter().all(|&byte| byte == number), "frame {number}");
            }
        }
    }

    #[test]
    fn a_claimed_length_takes_no_memory_before_its_bytes_come() {
        let mut inbox = Inbox::new(Pool::new(0), 100 << 20);
        let room = inbox.room();
        room[..4].copy_from_slice(&(100_i32 << 20).to_be_bytes());
        inbox.came(4);
        assert_eq!(inbox.cut(), Ok(None));
        assert!(
            inbox.room().len() <= CHUNK,
            "memory for bytes that nobody sent"
        );
    }

    #[test]
    fn a_length_beyond_the_limit_is_refused_without_waiting_for_its_bytes() {
        assert!(through(&(1_i32 << 20).to_be_bytes(), 4, 1 << 19).is_err());
        assert!(through(&[0xff; 4], 1, 1 << 19).is_err());
    }
}
