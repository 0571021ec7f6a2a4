//! One socket: reads what is there, cuts it into frames, writes what is to be written.
//! Decides when to read (never while the node holds or 64 requests are open), and who is cut off when memory is short;
//! understands no byte of a frame. Holds #129, #131 and #133: long frames share one bound, and none waits in it for ever.
//! What came of a frame that is not whole is noted for whoever cuts those that are too slow (`rate`).

use std::cell::Cell;
use std::io::{self, IoSlice};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes};
use sawlog_core::api::Door;
use sawlog_core::ids::ConnId;
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep};

use crate::disk::buffer::{Aligned, Pool, taken};
use crate::memory::trap;
use crate::net::allowance::{Allowance, Held, Wanted};
use crate::net::rate::Rate;
use crate::net::seats::Seat;
use crate::net::stranger;
use crate::shard_loop::Local;

/// What is read at once while frames are small.
const CHUNK: usize = 64 << 10;
/// The beginning of a frame that is no longer than this waits for the rest in memory of its own size.
const LITTLE: usize = 4 << 10;
/// Slices handed to one vectored write at most.
const SLICES: usize = 64;
/// How often a frame that waits for memory asks again, and how long it waits at most.
const ASK_EVERY: Duration = Duration::from_millis(100);
const WAIT_MAX: Duration = Duration::from_secs(10);
/// While others wait for memory, a long frame under way must bring so many bytes ...
const PACE_BYTES: usize = 32 << 10;
/// ... in this time (#133).
pub const PACE: Duration = Duration::from_secs(5);

/// What the shard's thread knows of a socket.
#[derive(Debug)]
pub struct Link {
    /// The socket.
    pub socket: TcpStream,
    /// Something to do: room to read again, bytes that the socket would not take, or the end.
    pub wake: Notify,
    /// Whether a byte came or went since somebody last looked.
    pub moved: Cell<bool>,
    /// What came of a frame that has begun and is not whole (#133).
    pub frame: Cell<Option<Rate>>,
}

impl Link {
    /// So many bytes came.
    fn came(&self, n: usize) {
        self.moved.set(true);
        if let Some(mut rate) = self.frame.get() {
            rate.moved(n);
            self.frame.set(Some(rate));
        }
    }
}

/// Serves one connection until it ends. What it takes over is moved once: an `async fn` would keep room for its arguments
/// beside them, ten thousand times (#131).
pub fn serve(
    local: Local,
    door: Arc<Door>,
    socket: TcpStream,
    seat: Seat,
) -> impl Future<Output = ()> {
    // Replies are small and somebody waits for each of them.
    let _ = socket.set_nodelay(true);
    let link = Rc::new(Link {
        socket,
        wake: Notify::new(),
        moved: Cell::new(true),
        frame: Cell::new(None),
    });
    let id = local.join(door, seat.address(), link.clone());
    async move {
        let _seat = seat;
        let why = talk(&local, id, &link).await;
        local.leave(id, why);
    }
}

/// How a connection ended.
pub type Ending = Result<(), Ended>;

/// Why a connection ended before its client wanted it to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Ended {
    /// The network says so: nothing that anybody must know.
    Lost(String),
    /// What came is not the protocol; the client sees only that the connection breaks.
    Refused(String),
    /// By the node, which has said why.
    Closed(String),
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Ended::Lost(why) | Ended::Refused(why) | Ended::Closed(why) => f.write_str(why),
        }
    }
}

fn lost(error: io::Error) -> Ended {
    Ended::Lost(error.to_string())
}

async fn talk(local: &Local, id: ConnId, link: &Link) -> Ending {
    let mut inbox = Inbox::new(local.frames(), local.memory(), local.frame_max());
    let mut starved: Option<(Instant, Wanted)> = None;
    loop {
        let mut wants = local.wants(id).map_err(Ended::Closed)?;
        let mut any = false;
        while wants.read && !wants.give_way {
            let Some(frame) = inbox.cut().map_err(Ended::Refused)? else {
                break;
            };
            link.frame.set(None);
            match local.trap(&frame) {
                None => local.frame(id, frame),
                Some(met) => Box::pin(trap::spring(local, id, link, frame, met)).await?,
            }
            any = true;
            wants = local.wants(id).map_err(Ended::Closed)?;
        }
        if any {
            inbox.let_go();
            local.settle();
        }
        if wants.give_way {
            yield_now().await;
            continue;
        }
        if link.frame.get().is_none() && inbox.has_begun() {
            link.frame.set(Some(Rate::begun(local.now().mono)));
        }
        if wants.read && starved.is_none() {
            inbox.keep_pace().map_err(Ended::Refused)?;
        } else {
            inbox.excuse();
        }
        tokio::select! {
            biased;
            ready = link.socket.writable(), if wants.write => {
                ready.map_err(lost)?;
                local.write(id).map_err(Ended::Lost)?;
            }
            () = link.wake.notified() => {}
            // Seldom, and large: it lies outside.
            () = async { Box::pin(sleep(ASK_EVERY)).await }, if starved.is_some() => {
                if inbox.room(|frame| local.skew(frame)).is_some() {
                    starved = None;
                    // What could not be read is not its fault.
                    link.frame.set(None);
                } else if starved.as_ref().is_some_and(|(since, _)| since.elapsed() > WAIT_MAX) {
                    return Err(Ended::Refused(inbox.no_memory()));
                }
            }
            ready = link.socket.readable(), if wants.read && starved.is_none() => {
                ready.map_err(lost)?;
                let Some(room) = inbox.room(|frame| local.skew(frame)) else {
                    starved = Some((Instant::now(), inbox.memory.want()));
                    continue;
                };
                let asked = room.len();
                match link.socket.try_read(room) {
                    Ok(0) => return Ok(()),
                    Ok(n) => {
                        inbox.came(n);
                        link.came(n);
                        if n < asked {
                            emptied(&link.socket);
                            inbox.rest();
                        }
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => inbox.rest(),
                    Err(error) => return Err(lost(error)),
                }
            }
        }
    }
}

/// A read that brought less than there was room for has emptied the socket: said here, it saves the call that would find
/// nothing. What comes later is an event of its own.
fn emptied(socket: &TcpStream) {
    let _ = socket.try_io(Interest::READABLE, || -> io::Result<()> {
        Err(io::ErrorKind::WouldBlock.into())
    });
}

/// What was read of a connection and not handed on: at most one frame that is not whole yet, or whole ones that the node
/// has no room for. Frames are slices of a pooled buffer: first touch of fresh memory costs more than all else on the way.
struct Inbox {
    pool: Pool,
    /// The bound that long frames share (#131); short ones are bounded by how many connections there are.
    memory: Allowance,
    frame_max: usize,
    /// Read and not cut yet.
    ready: Bytes,
    /// Where a frame comes together that is not whole.
    filling: Option<Aligned>,
    /// The longest frame that came so far, whole: so much memory this peer has shown to be worth.
    shown: usize,
    /// Of a long frame under way: since when its bytes are counted, and how many came.
    pace: Option<(Instant, usize)>,
}

impl Inbox {
    fn new(pool: Pool, memory: Allowance, frame_max: usize) -> Inbox {
        Inbox {
            pool,
            memory,
            pace: None,
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

    /// Where to read to; nowhere while there is no memory for a long frame. Called when `cut` finds no further frame.
    /// `skew`: how far behind the beginning of a page a frame that begins so is to begin.
    fn room(&mut self, skew: impl Fn(&[u8]) -> usize) -> Option<&mut [u8]> {
        let begun = self.filling.as_ref();
        let held = begun.map_or(self.ready.as_ref(), AsRef::as_ref);
        let room = begun.map_or(0, Aligned::capacity);
        // The buffer of a long frame grows with the bytes that came, not with the length that is claimed (#129).
        let whole = declared(held).map_or(0, |length| length.saturating_add(4));
        let whole = whole.min(self.frame_max.saturating_add(4));
        let worth = CHUNK.max(self.shown).max(2 * held.len());
        let long = whole > CHUNK;
        let want = match () {
            () if long => whole.min(worth),
            // Whatever is read before the length is known is copied afterwards.
            () if held.is_empty() && self.shown > CHUNK => LITTLE,
            () => CHUNK,
        };
        if room < want {
            let skew = held.get(4..).filter(|_| long).map_or(0, skew);
            let counted = if long {
                Some(self.count(want + skew).ok()?)
            } else {
                None
            };
            let held = self.filling.as_ref();
            let held = held.map_or(self.ready.as_ref(), AsRef::as_ref);
            let larger = self.pool.take(want + skew).skewed(skew);
            let mut larger = larger.counted(counted);
            larger.push(held);
            self.ready = Bytes::new();
            self.filling = Some(larger);
        } else if long && !self.is_counted() {
            // It was read before anybody knew that it is long.
            let counted = self.count(room).ok()?;
            let filling = self.filling.take();
            self.filling = filling.map(|filling| filling.counted(Some(counted)));
        }
        let filling = self.filling.as_mut()?;
        // Of a long frame no byte behind its end is read: what follows begins in a buffer of its own, without a copy.
        let end = if long {
            whole.min(filling.capacity())
        } else {
            want
        };
        let n = end - filling.len();
        Some(filling.spare(n))
    }

    /// Counts a buffer of this size, a long frame's, against the bound; an error if it does not fit now.
    fn count(&mut self, want: usize) -> Result<Held, ()> {
        self.pace.get_or_insert_with(|| (Instant::now(), 0));
        let want = taken(want);
        // A buffer that grows counts for its new size only: the old one goes as soon as it is copied.
        let held = self.filling.as_mut().and_then(Aligned::uncounted);
        let Some(mut held) = held else {
            return self.memory.take(want).ok_or(());
        };
        if held.grow(want) {
            return Ok(held);
        }
        self.filling = self
            .filling
            .take()
            .map(|filling| filling.counted(Some(held)));
        Err(())
    }

    /// Whether bytes came that were not cut.
    fn has_begun(&self) -> bool {
        let filling = self.filling.as_ref().map_or(0, Aligned::len);
        self.ready.len() + filling > 0
    }

    /// A long frame that brings next to nothing while others wait for memory ends its connection (#131, #133).
    fn keep_pace(&mut self) -> Result<(), String> {
        let Some((_, bytes)) = self.pace.filter(|(since, _)| since.elapsed() >= PACE) else {
            return Ok(());
        };
        if bytes < PACE_BYTES && self.memory.is_wanted() && self.is_counted() {
            return Err(format!(
                "a frame brought {bytes} bytes in {} seconds, and others wait for its memory \
                 (queued.max.request.bytes is {})",
                PACE.as_secs(),
                self.memory.limit()
            ));
        }
        self.pace = Some((Instant::now(), 0));
        Ok(())
    }

    /// It was not read: what did not come is not its fault.
    fn excuse(&mut self) {
        if let Some(pace) = &mut self.pace {
            *pace = (Instant::now(), 0);
        }
    }

    /// Whether a frame under way counts against the bound.
    fn is_counted(&self) -> bool {
        self.filling.as_ref().is_some_and(Aligned::is_counted)
    }

    fn no_memory(&self) -> String {
        format!(
            "there was no memory for a long frame for {} seconds: others hold {} bytes, queued.max.request.bytes is {}",
            WAIT_MAX.as_secs(),
            self.memory.used(),
            self.memory.limit()
        )
    }

    /// So many bytes were read.
    fn came(&mut self, n: usize) {
        let Some(filling) = &mut self.filling else {
            return;
        };
        filling.filled(n);
        if let Some((_, bytes)) = &mut self.pace {
            *bytes += n;
        }
        let whole = declared(filling.as_ref());
        // A length that is refused is no reason to wait for its bytes.
        if whole.is_some_and(|length| length > self.frame_max || filling.len() >= 4 + length)
            && let Some(filling) = self.filling.take()
        {
            self.ready = filling.freeze();
            self.pace = None;
        }
    }

    /// The last whole frame was cut: what began behind it does not keep the memory of the others.
    fn let_go(&mut self) {
        if self.ready.len() <= LITTLE {
            self.ready = Bytes::copy_from_slice(&self.ready);
        }
    }

    /// Nothing more is there: who sends nothing, or next to nothing, holds no buffer meanwhile.
    fn rest(&mut self) {
        if let Some(little) = self.filling.take_if(|filling| filling.len() <= LITTLE) {
            self.ready = Bytes::copy_from_slice(little.as_ref());
            self.pace = None;
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
            let guess =
                stranger::guess(*prefix).map_or_else(String::new, |what| format!("; {what}"));
            return Err(format!(
                "a frame claims {claimed} bytes; socket.request.max.bytes is {frame_max}{guess}"
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
        let mut inbox = Inbox::new(Pool::new(1 << 20), Allowance::new(64 << 20), frame_max);
        let (mut rest, mut frames) = (stream, Vec::new());
        loop {
            while let Some(frame) = inbox.cut()? {
                frames.push(frame);
            }
            if rest.is_empty() {
                return Ok(frames);
            }
            let room = inbox.room(|_| 0).unwrap();
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
    fn a_long_frame_begins_where_it_is_wanted_and_next_to_nothing_of_it_is_copied() {
        let mut inbox = Inbox::new(Pool::new(1 << 20), Allowance::new(64 << 20), 1 << 20);
        let mut frame = 300_000_i32.to_be_bytes().to_vec();
        frame.resize(300_004, 5);
        for (number, skew) in [0, 1, 777, 4095].into_iter().enumerate() {
            let (mut rest, mut reads) = (&frame[..], Vec::new());
            while !rest.is_empty() {
                let begins = |begun: &[u8]| {
                    assert!(begun.iter().all(|byte| *byte == 5), "without its length");
                    skew
                };
                let room = inbox.room(begins).unwrap();
                let n = room.len().min(rest.len());
                room[..n].copy_from_slice(&rest[..n]);
                rest = &rest[n..];
                inbox.came(n);
                reads.push(n);
            }
            let whole = inbox.cut().unwrap().unwrap();
            assert_eq!(whole[..], frame[4..]);
            assert_eq!(whole.as_ptr().addr() % 4096, (skew + 4) % 4096);
            match number {
                // Nobody knows yet that this peer sends such ones.
                0 => assert_eq!(reads, [CHUNK, CHUNK, 2 * CHUNK, 300_004 - 4 * CHUNK]),
                _ => assert_eq!(reads, [LITTLE, 300_004 - LITTLE]),
            }
        }
    }

    #[test]
    fn a_claimed_length_takes_no_memory_before_its_bytes_come() {
        let memory = Allowance::new(1 << 20);
        let mut inbox = Inbox::new(Pool::new(0), memory.clone(), 100 << 20);
        let room = inbox.room(|_| 0).unwrap();
        room[..4].copy_from_slice(&(100_i32 << 20).to_be_bytes());
        inbox.came(4);
        assert_eq!(inbox.cut(), Ok(None));
        assert!(
            inbox.room(|_| 0).unwrap().len() <= CHUNK,
            "memory for bytes that nobody sent"
        );
        assert_eq!(memory.used(), taken(CHUNK), "known to be long, it counts");
        inbox.rest();
        assert_eq!(memory.used(), 0, "a connection that rests holds none");
        assert!(inbox.pace.is_none() && inbox.room(|_| 0).unwrap().len() <= CHUNK);
        assert_eq!(memory.used(), taken(CHUNK));
    }

    #[test]
    fn who_sends_the_beginning_of_a_frame_and_then_nothing_holds_no_buffer_131() {
        let pool = Pool::new(1 << 20);
        let used = || pool.used();
        let memory = Allowance::new(1 << 20);
        let mut inbox = Inbox::new(pool.clone(), memory.clone(), 100 << 20);
        for byte in (100_i32 << 20).to_be_bytes() {
            inbox.room(|_| 0).unwrap()[0] = byte;
            inbox.came(1);
            inbox.rest();
        }
        assert_eq!((memory.used(), used()), (0, 0));
        // Nor does the beginning that came behind a whole frame.
        let mut inbox = Inbox::new(pool.clone(), memory, 100 << 20);
        inbox.room(|_| 0).unwrap()[..9].copy_from_slice(&[0, 0, 0, 1, 7, 0, 0, 0, 2]);
        inbox.came(9);
        drop(inbox.cut().unwrap().unwrap());
        assert_eq!(inbox.cut(), Ok(None));
        assert_eq!(used(), taken(CHUNK));
        inbox.let_go();
        assert_eq!(used(), 0);
        let room = inbox.room(|_| 0).unwrap();
        room[..2].copy_from_slice(&[8, 9]);
        inbox.came(2);
        assert_eq!(inbox.cut().unwrap().unwrap()[..], [8, 9]);
    }

    /// An inbox in the middle of a frame of this length.
    fn halfway(memory: &Allowance, came: usize, length: usize) -> Inbox {
        let mut inbox = Inbox::new(Pool::new(0), memory.clone(), 100 << 20);
        let mut prefix = (length as i32).to_be_bytes().to_vec();
        let mut left = came;
        while left > 0 {
            let Some(room) = inbox.room(|_| 0) else { break };
            let n = room.len().min(left);
            for (to, from) in room.iter_mut().zip(prefix.drain(..)) {
                *to = from;
            }
            inbox.came(n);
            left -= n;
        }
        inbox
    }

    #[test]
    fn long_frames_share_a_bound_and_short_ones_pass_beside_them_131() {
        // A frame of 1 MiB and its length takes 1.25 MiB, and while it grows what it had besides: two do not fit.
        let memory = Allowance::new(4 << 19);
        let mut one = halfway(&memory, 600_000, 1 << 20);
        assert!(memory.used() >= 600_000 && one.is_counted());
        let over = halfway(&memory, 600_000, 1 << 20);
        let most = (4 << 19) + taken(1 << 20);
        assert!(over.is_counted() && memory.used() <= most, "one frame more");
        let mut two = halfway(&memory, 600_000, 1 << 20);
        assert!(two.room(|_| 0).is_none(), "no room for all");
        assert!(memory.used() <= most);
        assert!(halfway(&memory, 60_000, 60_100).room(|_| 0).is_some());
        // Nobody waits as long as nobody says so.
        one.pace = one.pace.map(|(since, _)| (since - PACE, 0));
        assert_eq!(one.keep_pace(), Ok(()));
        one.pace = one.pace.map(|(since, _)| (since - PACE, 0));
        let wanted = memory.want();
        assert!(one.keep_pace().is_err());
        drop((wanted, one, over));
        assert!(two.room(|_| 0).is_some());
        drop(two);
        assert_eq!(memory.used(), 0);
    }

    #[test]
    fn halves_of_frames_that_fill_all_the_memory_do_not_wait_for_each_other_for_ever_133() {
        let memory = Allowance::new(8 << 20);
        let mut halves = Vec::new();
        while memory.used() + taken(600_000) <= memory.limit() {
            halves.push(halfway(&memory, 500_000, 1 << 20));
        }
        assert!(halves.len() > 5);
        let begun = halves.len();
        while !halves.is_empty() {
            let left = halves.len();
            for mut inbox in std::mem::take(&mut halves) {
                while let Some(room) = inbox.room(|_| 0) {
                    let n = room.len();
                    inbox.came(n);
                    if inbox.cut().unwrap().is_some() {
                        break;
                    }
                }
                if inbox.filling.is_some() {
                    halves.push(inbox);
                }
            }
            assert!(halves.len() < left, "{left} of {begun} wait for each other");
        }
        assert_eq!(memory.used(), 0);
    }

    #[test]
    fn a_frame_counts_until_its_last_slice_is_gone_131() {
        // The longest are not kept for the next ones.
        for length in [300_000, 9 << 20] {
            let memory = Allowance::new(64 << 20);
            let mut inbox = halfway(&memory, length + 4, length);
            let frame = inbox.cut().unwrap().unwrap();
            let slice = frame.slice(length - 1..);
            drop((frame, inbox));
            assert!(memory.used() >= length);
            drop(slice);
            assert_eq!(memory.used(), 0);
        }
    }

    #[test]
    fn a_length_beyond_the_limit_is_refused_without_waiting_for_its_bytes() {
        assert!(through(&(1_i32 << 20).to_be_bytes(), 4, 1 << 19).is_err());
        assert!(through(&[0xff; 4], 1, 1 << 19).is_err());
    }
}
