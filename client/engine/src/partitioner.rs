//! Which partition a record goes to: by the hash of its key as Java's client or librdkafka compute it, or, without a key,
//! to one partition for a while and then to another (KIP-480, KIP-794). Decides only that; never whether anybody leads it.

/// How keys become partitions. Clients that share a topic must agree on it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum Partitioner {
    /// Java's, and most clients': murmur2. An empty key is a key.
    #[default]
    Murmur2,
    /// librdkafka's `consistent_random`: CRC-32. An empty key counts as none.
    Crc32,
}

impl Partitioner {
    /// The partition of a key, out of `count`; `None` where the key does not decide.
    pub fn of_key(self, key: Option<&[u8]>, count: u32) -> Option<i32> {
        let (key, hash) = match (self, key?) {
            (Partitioner::Murmur2, key) => (key, murmur2(key) & 0x7fff_ffff),
            (Partitioner::Crc32, key) => (key, crc32(key)),
        };
        if self == Partitioner::Crc32 && key.is_empty() {
            return None;
        }
        i32::try_from(hash.checked_rem(count)?).ok()
    }
}

/// MurmurHash2 with Kafka's seed.
pub fn murmur2(bytes: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    let mut hash = 0x9747_b28c ^ bytes.len() as u32;
    let (words, rest) = bytes.as_chunks::<4>();
    for word in words {
        let mut word = u32::from_le_bytes(*word).wrapping_mul(M);
        word ^= word >> 24;
        hash = hash.wrapping_mul(M) ^ word.wrapping_mul(M);
    }
    if !rest.is_empty() {
        for (at, byte) in rest.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * at);
        }
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^ hash >> 15
}

const CRC32: [u32; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < table.len() {
        let (mut value, mut bit) = (byte as u32, 0);
        while bit < 8 {
            value = if value & 1 == 1 {
                value >> 1 ^ 0xedb8_8320
            } else {
                value >> 1
            };
            bit += 1;
        }
        #[expect(
            clippy::indexing_slicing,
            reason = "the loop ends at the table's length"
        )]
        {
            table[byte] = value;
        }
        byte += 1;
    }
    table
};

/// CRC-32 as zlib computes it.
pub fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| {
        let entry = CRC32
            .get(usize::from(crc as u8 ^ byte))
            .copied()
            .unwrap_or(0);
        crc >> 8 ^ entry
    };
    !bytes.iter().fold(!0, step)
}

/// How much waits for a partition, and whether anybody leads it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Load {
    /// Batches that wait or are under way.
    pub batches: usize,
    /// Whether it has a leader.
    pub led: bool,
}

/// Where records without a key go at the moment.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sticky {
    at: Option<i32>,
    bytes: usize,
}

impl Sticky {
    /// The partition for a record of so many bytes. After `unit` bytes another one is drawn by `roll`: one with shorter
    /// queues more often, one without a leader only when none has any (KIP-794).
    pub fn choose(
        &mut self,
        bytes: usize,
        unit: usize,
        loads: impl Iterator<Item = Load> + Clone,
        roll: u64,
    ) -> Option<i32> {
        if self.at.is_none() || self.bytes >= unit {
            self.at = draw(loads, roll);
            self.bytes = 0;
        }
        self.bytes = self.bytes.saturating_add(bytes);
        self.at
    }

    /// The next record draws anew: the topic has changed.
    pub fn forget(&mut self) {
        *self = Sticky::default();
    }
}

fn draw(loads: impl Iterator<Item = Load> + Clone, roll: u64) -> Option<i32> {
    let any_led = loads.clone().any(|load| load.led);
    let most = loads.clone().map(|load| load.batches).max()?;
    let weight = |load: Load| match load.led || !any_led {
        true => (most - load.batches) as u64 + 1,
        false => 0,
    };
    let all: u64 = loads.clone().map(weight).sum();
    let mut left = roll % all.max(1);
    for (number, load) in (0..).zip(loads) {
        let weight = weight(load);
        if left < weight {
            return Some(number);
        }
        left -= weight;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn murmur2_is_kafkas() {
        // Java's UtilsTest, then librdkafka's rdmurmur2.c.
        let rows: [(&str, i32); 17] = [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            (
                "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8",
                -58_897_971,
            ),
            ("abc", 479_470_107),
            ("kafka", 0xd067_cf64_u32 as i32),
            ("giberish123456789", 0x8f55_2b0c_u32 as i32),
            ("1234", 0x9fc9_7b14_u32 as i32),
            ("234", 0xe7c0_09ca_u32 as i32),
            ("34", 0x8739_30da_u32 as i32),
            ("4", 0x5a4b_5ca1),
            ("PreAmbleWillBeRemoved,ThePrePartThatIs", 0x7842_4f1c),
            ("reAmbleWillBeRemoved,ThePrePartThatIs", 0x4a62_b377),
            (
                "eAmbleWillBeRemoved,ThePrePartThatIs",
                0xe0e4_e09e_u32 as i32,
            ),
            ("AmbleWillBeRemoved,ThePrePartThatIs", 0x62b8_b43f),
            ("", 0x106e_08d9),
        ];
        for (text, hash) in rows {
            assert_eq!(murmur2(text.as_bytes()), hash as u32, "{text:?}");
        }
    }

    #[test]
    fn crc32_is_zlibs() {
        let rows = [("", 0), ("a", 0xe8b7_be43), ("123456789", 0xcbf4_3926)];
        for (text, hash) in rows {
            assert_eq!(crc32(text.as_bytes()), hash, "{text:?}");
        }
    }

    #[test]
    fn an_empty_key_decides_for_java_and_not_for_librdkafka() {
        assert_eq!(Partitioner::Murmur2.of_key(Some(b""), 100), Some(81));
        assert_eq!(Partitioner::Crc32.of_key(Some(b""), 100), None);
        assert_eq!(Partitioner::Crc32.of_key(Some(b"123456789"), 100), Some(62));
        assert_eq!(Partitioner::Murmur2.of_key(None, 100), None);
        assert_eq!(Partitioner::Murmur2.of_key(Some(b"x"), 0), None);
    }

    const LED: Load = Load {
        batches: 0,
        led: true,
    };
    const NOT_LED: Load = Load {
        batches: 0,
        led: false,
    };

    #[test]
    fn records_without_a_key_stay_for_a_unit_of_bytes() {
        let mut sticky = Sticky::default();
        let loads = [LED; 4];
        let went: Vec<_> = (0..6)
            .map(|roll| sticky.choose(50, 100, loads.iter().copied(), roll))
            .collect();
        assert_eq!(went, [0, 0, 2, 2, 0, 0].map(Some));
    }

    #[test]
    fn a_longer_queue_is_drawn_less_often_and_no_leader_never() {
        let loads = [
            Load {
                batches: 3,
                led: true,
            },
            LED,
            NOT_LED,
        ];
        let mut drawn = [0; 3];
        for roll in 0..500 {
            let mut sticky = Sticky::default();
            let at = sticky.choose(1, 1, loads.iter().copied(), roll).unwrap();
            drawn[usize::try_from(at).unwrap()] += 1;
        }
        assert_eq!(drawn, [100, 400, 0]);
        let mut sticky = Sticky::default();
        assert_eq!(
            sticky.choose(1, 1, [NOT_LED; 2].iter().copied(), 1),
            Some(1),
            "some place is better than none"
        );
        assert_eq!(Sticky::default().choose(1, 1, [].iter().copied(), 1), None);
    }
}
