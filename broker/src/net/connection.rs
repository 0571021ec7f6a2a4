//! One socket: reads what is there, cuts it into frames, writes what is to be written.
//! Decides when to read (never while the node holds or 64 requests are open); understands no byte of a frame (#129).

use std::io::{self, IoSlice};
use std::rc::Rc;
use std::sync::Arc;

use bytes::{Buf, Bytes, BytesMut};
use sawlog_core::ids::ConnId;
use tokio::net::TcpStream;
use tokio::sync::Notify;

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
    let mut buffer = BytesMut::new();
    loop {
        let wants = local.wants(id)?;
        if wants.read && frames(local, id, &mut buffer)? {
            continue;
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
                if !read(link, &mut buffer, local.frame_max()).map_err(|error| error.to_string())? {
                    return Ok(());
                }
            }
        }
    }
}

/// Hands over the whole frames of the buffer for as long as there is room; says whether there were any. What is left stays
/// until there is room again: a client may send more requests at once than may be open (#132).
fn frames(local: &Local, id: ConnId, buffer: &mut BytesMut) -> Result<bool, String> {
    let mut any = false;
    while local.room(id)
        && let Some(frame) = cut(buffer, local.frame_max())?
    {
        local.frame(id, frame);
        any = true;
    }
    if any {
        local.settle();
    }
    if buffer.is_empty() {
        // An idle connection holds no buffer.
        *buffer = BytesMut::new();
    }
    Ok(any)
}

/// Reads what the socket has; false at its end.
fn read(link: &Link, buffer: &mut BytesMut, frame_max: usize) -> io::Result<bool> {
    // A frame that is under way is read whole into the buffer that it began in, a chunk at a time, so that memory
    // follows the bytes that came and not the length that was claimed.
    let missing = match declared(buffer) {
        Some(length) if length <= frame_max => (4 + length).saturating_sub(buffer.len()),
        _ => CHUNK,
    };
    buffer.reserve(missing.clamp(CHUNK, buffer.len().max(CHUNK)));
    match link.socket.try_read_buf(buffer) {
        Ok(0) => Ok(false),
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(true),
        Err(error) => Err(error),
    }
}

fn declared(buffer: &BytesMut) -> Option<usize> {
    let length = buffer.first_chunk::<4>()?;
    usize::try_from(i32::from_be_bytes(*length)).ok()
}

/// Cuts one whole frame off the front, without its length.
fn cut(buffer: &mut BytesMut, frame_max: usize) -> Result<Option<Bytes>, String> {
    let Some(prefix) = buffer.first_chunk::<4>() else {
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
    if buffer.len() < 4 + length {
        return Ok(None);
    }
    buffer.advance(4);
    Ok(Some(buffer.split_to(length).freeze()))
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
        let mut buffer = BytesMut::from(&[0, 0, 0, 2, 1, 2, 0, 0, 0, 1, 9, 0, 0][..]);
        assert_eq!(cut(&mut buffer, 10).unwrap().unwrap()[..], [1, 2]);
        assert_eq!(cut(&mut buffer, 10).unwrap().unwrap()[..], [9]);
        assert_eq!(cut(&mut buffer, 10).unwrap(), None);
        assert!(cut(&mut BytesMut::from(&[0, 0, 0, 11][..]), 10).is_err());
        assert!(cut(&mut BytesMut::from(&[0xff, 0xff, 0xff, 0xff][..]), 10).is_err());
    }
}
