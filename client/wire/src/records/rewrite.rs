//! What a topic's settings make of a client's batch: another codec (`compression.type`), the broker's time (KIP-32).
//! Decides which bytes are stored for a batch that [`validate`](super::validate()) found whole; never whether it may be,
//! and never changes a record: their bytes, and so their offsets and timestamps, stay as they were sent.
//! Holds #130: what is made anew is taken from the pool before it is made, and for as long as it is held.

use std::sync::Arc;

use bytes::Bytes;

use super::batch::{Batch, Codec, HEADER_BYTES, set_codec, set_log_append_time, set_max_timestamp};
use super::compress::compress;
use super::fault::{BatchFault, InflateFault};
use super::inflate::{Caps, Inflater};
use super::pool::{Hold, Pool};
use super::validate::BatchFacts;

/// What a topic wants of every batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// The codec that it stores; none stores whatever was sent.
    pub codec: Option<Codec>,
    /// The time that all records get; none leaves them their producer's.
    pub append_time: Option<i64>,
}

/// The bytes to store for `sent`, of which `facts` were found. Those sent, where nothing else is wished.
pub fn to_store(
    sent: Bytes,
    facts: &BatchFacts,
    wish: &Wish,
    inflater: &mut Inflater,
    pool: &Arc<Pool>,
) -> Result<Bytes, BatchFault> {
    let codec = wish.codec.filter(|codec| *codec != facts.codec);
    if codec.is_none() && wish.append_time.is_none() {
        return Ok(facts.to_store(sent));
    }
    let (mut bytes, hold) = match codec {
        Some(codec) => recoded(&sent, facts, codec, inflater, pool)?,
        None => {
            let hold = pool.hold(sent.len()).ok_or(NO_ROOM)?;
            (sent.to_vec(), hold)
        }
    };
    // Both compute the CRC anew, the only field that depends on all the others.
    match wish.append_time {
        Some(now) => set_log_append_time(&mut bytes, now),
        None => set_max_timestamp(&mut bytes, facts.max_timestamp),
    }
    Ok(Bytes::from_owner(Made {
        bytes,
        _hold: hold,
        _sent: sent,
    }))
}

const NO_ROOM: BatchFault = BatchFault::Inflate(InflateFault::NoRoom);

/// A batch made anew. What was sent is kept with it: the memory that its frame took is not free for another frame before
/// this one is stored, so a client that sends faster than the disk takes still waits where it always does.
struct Made {
    bytes: Vec<u8>,
    _hold: Hold,
    _sent: Bytes,
}

impl AsRef<[u8]> for Made {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// The batch with its records in another codec; its CRC is not right yet.
fn recoded(
    sent: &[u8],
    facts: &BatchFacts,
    codec: Codec,
    inflater: &mut Inflater,
    pool: &Arc<Pool>,
) -> Result<(Vec<u8>, Hold), BatchFault> {
    let batch = Batch::first(sent)?;
    let plain_size = usize::try_from(facts.plain_size).unwrap_or(usize::MAX);
    // What no codec exceeds, twice: a codec may make its output before it is copied here.
    let most = plain_size
        .saturating_add(plain_size / 6)
        .saturating_add(64 << 10);
    let mut hold = pool.hold(most.saturating_mul(2)).ok_or(NO_ROOM)?;
    let mut bytes = Vec::with_capacity(HEADER_BYTES + plain_size.min(batch.payload().len()));
    bytes.extend_from_slice(sent.get(..HEADER_BYTES).unwrap_or_default());
    let made = if facts.codec == Codec::None {
        compress(codec, batch.payload(), &mut bytes)
    } else {
        let mut plain = Vec::new();
        let _plain = inflater.read_all(
            facts.codec,
            batch.payload(),
            Caps::DEFAULT,
            pool,
            &mut plain,
        )?;
        compress(codec, &plain, &mut bytes)
    };
    // Writing to memory fails for want of memory only.
    made.map_err(|_| NO_ROOM)?;
    bytes.shrink_to_fit();
    hold.shrink(bytes.capacity());
    set_codec(&mut bytes, codec)?;
    Ok((bytes, hold))
}
