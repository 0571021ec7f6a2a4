//! Hostile bytes under a counting allocator: the fuzzer's seeds, its corpus and some thousand
//! mutations of each, bombs in every codec, and the known bug that shows that the bound bites
//! (#128, #129, #130, M46).

#![expect(
    clippy::indexing_slicing,
    reason = "a test that slices wrongly fails, as it should"
)]

use std::io::Write;

use sawlog_wire::records::batch::{HEADER_BYTES, LENGTH_PREFIX};
use sawlog_wire::records::{
    BatchBuilder, BatchFault, BatchHeader, Caps, Codec, InflateFault, Inflater, NewRecord, Pool,
    Rules, validate,
};

#[path = "../fuzz/attack.rs"]
mod attack;
#[path = "../fuzz/counting.rs"]
mod counting;
#[path = "../fuzz/memory.rs"]
mod memory;
#[path = "../fuzz/mutate.rs"]
mod mutate;
#[path = "../fuzz/targets.rs"]
mod targets;

use attack::attack;
use counting::peak_of;
use sawlog_wire::random::Dice;
use targets::{Target, forget, targets};

#[global_allocator]
static ALLOCATOR: counting::Counting = counting::Counting;

/// What a decoder may hold for any input, besides twice its length.
const FIXED: usize = 64 << 10;

/// The inputs of a target that the fuzzer once kept.
fn corpus(target: &Target) -> Vec<Vec<u8>> {
    let file = format!(
        "{}/fuzz/corpus/{}.hex",
        env!("CARGO_MANIFEST_DIR"),
        target.name
    );
    let text = std::fs::read_to_string(file).unwrap_or_default();
    text.lines().map(hex).collect()
}

fn hex(line: &str) -> Vec<u8> {
    (0..line.len() / 2)
        .map(|i| u8::from_str_radix(&line[2 * i..2 * i + 2], 16).expect("hexadecimal digits"))
        .collect()
}

#[test]
fn the_corpus_of_every_target_keeps_to_its_memory_and_panics_nowhere() {
    let mut replayed = 0;
    for target in targets() {
        let kept = corpus(&target);
        assert!(
            !target.seeds.is_empty(),
            "{} begins with nothing",
            target.name
        );
        for input in kept.iter().chain(&target.seeds) {
            forget();
            attack(&target, input)
                .unwrap_or_else(|why| panic!("{}: {why}: {input:02x?}", target.name));
        }
        replayed += kept.len();
    }
    assert!(
        replayed > 200,
        "only {replayed} inputs of a corpus were replayed"
    );
}

#[test]
fn mutations_of_the_seeds_keep_to_their_memory_and_panic_nowhere() {
    for target in targets() {
        let mut dice = Dice::new(3);
        for number in 0..1_000 {
            let base = &target.seeds[dice.below(target.seeds.len() as u64) as usize];
            let other = &target.seeds[dice.below(target.seeds.len() as u64) as usize];
            let input = mutate::mutate(&mut dice, base, other);
            forget();
            attack(&target, &input)
                .unwrap_or_else(|why| panic!("{} {number}: {why}: {input:02x?}", target.name));
        }
    }
}

/// M46: the bound notices a list that reserves memory by the count on the wire.
#[cfg(feature = "mutants")]
#[test]
fn a_capacity_taken_from_the_wire_is_noticed() {
    use sawlog_wire::proof;

    let noticed = |name| {
        proof::choose(name);
        let mut noticed = 0;
        for target in targets()
            .iter()
            .filter(|target| target.name.ends_with("Request"))
        {
            let mut dice = Dice::new(3);
            for _ in 0..2_000 {
                let base = &target.seeds[dice.below(target.seeds.len() as u64) as usize];
                let input = mutate::mutate(&mut dice, base, base);
                noticed += u32::from(attack(target, &input).is_err());
            }
        }
        let fired = proof::fired();
        proof::choose(None);
        (noticed, fired)
    };
    let (finds, fired) = noticed(Some("capacity-from-wire"));
    assert!(finds > 0 && fired > 0, "{finds} finds, fired {fired} times");
    assert_eq!(noticed(None), (0, 0), "the same inputs without it");
}

/// A cap on output that is not looked at is noticed.
#[cfg(feature = "mutants")]
#[test]
fn output_without_a_cap_is_noticed() {
    use sawlog_wire::proof;

    for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        let packed = bomb(codec, 12);
        proof::choose(Some("output-uncapped"));
        let uncapped = unpack(codec, Inflater::new(), &packed, &Pool::new(64 << 20)).0;
        let fired = proof::fired();
        proof::choose(None);
        assert_eq!(uncapped, None, "{codec}: all of it came out");
        assert!(fired > 0);
        let (capped, _) = unpack(codec, Inflater::new(), &packed, &Pool::new(64 << 20));
        assert_eq!(
            capped,
            Some(InflateFault::Output { max: OUTPUT }),
            "{codec}"
        );
    }
}

/// The cap on output of the bombs.
const OUTPUT: usize = 8 << 20;

/// Decompresses to the end or the fault; and the most memory that was held.
fn unpack(
    codec: Codec,
    mut inflater: Inflater,
    packed: &[u8],
    pool: &Pool,
) -> (Option<InflateFault>, usize) {
    let caps = Caps {
        output: OUTPUT,
        ..Caps::DEFAULT
    };
    peak_of(|| {
        let mut inflate = match inflater.open(codec, packed, caps, pool) {
            Ok(inflate) => inflate,
            Err(fault) => return Some(fault),
        };
        loop {
            match inflate.fill() {
                Ok(true) => {}
                Ok(false) => return None,
                Err(fault) => return Some(fault),
            }
        }
    })
}

fn rules() -> Rules {
    Rules::produce(9, 64 << 20)
}

#[test]
fn judging_a_plain_batch_allocates_nothing() {
    let mut batch = BatchBuilder::new(Codec::None);
    for i in 0..1_000 {
        let record = NewRecord {
            timestamp: i,
            key: Some(b"k"),
            value: Some(&[7; 100]),
            headers: &[(b"h", None)],
        };
        batch.push(record).expect("it fits");
    }
    let sent = batch.build().expect("a batch");
    let pool = Pool::new(0);
    let mut inflater = Inflater::new();
    let (facts, held) = peak_of(|| validate(&sent, &rules(), &mut inflater, &pool));
    assert_eq!(facts.expect("an honest batch").count, 1_000);
    assert_eq!(held, 0);
}

#[test]
fn judging_a_compressed_batch_holds_as_much_for_many_records_as_for_one() {
    for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        let pool = Pool::new(64 << 20);
        let mut inflater = Inflater::new();
        let mut held = |records: i64| {
            let mut batch = BatchBuilder::new(codec);
            for i in 0..records {
                batch
                    .push(NewRecord {
                        timestamp: i,
                        value: Some(&[7; 8]),
                        ..NewRecord::default()
                    })
                    .expect("it fits");
            }
            let sent = batch.build().expect("a batch");
            let (facts, held) = peak_of(|| validate(&sent, &rules(), &mut inflater, &pool));
            assert_eq!(facts.expect("an honest batch").count as i64, records);
            held
        };
        held(2_000);
        let (one, many) = (held(1), held(2_000));
        assert!(
            many <= one + 1_024,
            "{codec}: {one} for one record, {many} for 2,000"
        );
    }
}

/// Compressed zeros by the MiB, as compact as the codec can.
fn bomb(codec: Codec, mib: usize) -> Vec<u8> {
    let zeros = vec![0; 1 << 20];
    match codec {
        Codec::Gzip => {
            let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
            (0..mib).for_each(|_| packed.write_all(&zeros).expect("to memory"));
            packed.finish().expect("to memory")
        }
        Codec::Zstd => {
            let mut packed = zstd::Encoder::new(Vec::new(), 1).expect("an encoder");
            (0..mib).for_each(|_| packed.write_all(&zeros).expect("to memory"));
            packed.finish().expect("to memory")
        }
        _ => {
            let mut packed = Vec::new();
            let plain = vec![0; mib << 20];
            sawlog_wire::records::compress::compress(codec, &plain, &mut packed)
                .expect("it compresses");
            packed
        }
    }
}

/// A batch around a payload, its length and its CRC right.
fn around(codec: Codec, payload: &[u8]) -> Vec<u8> {
    let header = BatchHeader {
        base_offset: 0,
        length: (HEADER_BYTES - LENGTH_PREFIX + payload.len()) as i32,
        leader_epoch: -1,
        crc: 0,
        raw_attributes: i16::from(codec.number()),
        last_offset_delta: 0,
        base_timestamp: 0,
        max_timestamp: 0,
        producer_id: -1,
        producer_epoch: -1,
        base_sequence: -1,
        count: 1,
    };
    let mut sent = header.encode().to_vec();
    sent.extend_from_slice(payload);
    let crc = crc32c::crc32c(&sent[21..]);
    sent[17..21].copy_from_slice(&crc.to_be_bytes());
    sent
}

/// A record whose value is zeros by the MiB, in front of a bomb that gives them.
fn one_large_record(mib: usize) -> Vec<u8> {
    let varint = |value: usize| {
        let mut raw = (value as u64) << 1;
        let mut bytes = Vec::new();
        while raw >= 0x80 {
            bytes.push(raw as u8 | 0x80);
            raw >>= 7;
        }
        bytes.push(raw as u8);
        bytes
    };
    let value = mib << 20;
    let mut fields = vec![0, 0, 0, 1];
    fields.extend(varint(value - 1));
    // The value's zeros, and one more for "no headers".
    let mut record = varint(fields.len() + value);
    record.append(&mut fields);
    record
}

#[test]
fn a_bomb_in_any_codec_is_stopped_at_the_cap_within_its_memory() {
    for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        let sent = around(codec, &bomb(codec, 65));
        let pool = Pool::new(256 << 20);
        let mut inflater = Inflater::new();
        let rules = Rules {
            caps: Caps {
                output: OUTPUT,
                ..Caps::DEFAULT
            },
            ..rules()
        };
        let (verdict, held) = peak_of(|| validate(&sent, &rules, &mut inflater, &pool));
        // Zeros are records of length 0, which are none: look at the stream without the walk too.
        assert!(
            matches!(
                verdict,
                Err(BatchFault::Record { .. } | BatchFault::Inflate(_))
            ),
            "{verdict:?}"
        );
        assert!(
            held <= pool.peak() + FIXED,
            "{codec}: held {held}, pool {}",
            pool.peak()
        );

        for inflater in [Inflater::new(), Inflater::without_c()] {
            let (fault, held) = unpack(codec, inflater, &sent[HEADER_BYTES..], &pool);
            assert_eq!(fault, Some(InflateFault::Output { max: OUTPUT }), "{codec}");
            assert!(
                held <= pool.peak() + FIXED,
                "{codec}: held {held}, pool {}",
                pool.peak()
            );
        }
        assert!(
            pool.peak() <= 10 << 20,
            "{codec}: took {} of the pool",
            pool.peak()
        );
        assert_eq!(pool.used(), 0);
    }
}

#[test]
fn a_record_of_48_mib_streams_through_the_walk_in_a_few_hundred_kib() {
    let front = one_large_record(48);
    let mut plain = front.clone();
    plain.resize(front.len() + (48 << 20), 0);
    let mut packed = zstd::Encoder::new(Vec::new(), 1).expect("an encoder");
    packed.write_all(&plain).expect("to memory");
    let sent = around(Codec::Zstd, &packed.finish().expect("to memory"));
    drop(plain);
    let pool = Pool::new(16 << 20);
    let mut inflater = Inflater::new();
    let (facts, held) = peak_of(|| validate(&sent, &rules(), &mut inflater, &pool));
    assert_eq!(
        facts.expect("an honest batch").plain_size as usize,
        front.len() + (48 << 20)
    );
    assert!(
        held <= pool.peak() + FIXED && held <= 2 << 20,
        "held {held}, pool {}",
        pool.peak()
    );
}

#[test]
fn what_zstd_really_holds_is_within_what_was_taken_for_it() {
    for level in [1, 3, 12, 19] {
        // A stream asks for its level's whole window, however short it is: 8 MiB at level 19.
        for kib in [1, 300] {
            let mut dice = Dice::new(kib);
            let plain: Vec<u8> = (0..kib << 10)
                .map(|_| b"0123456789abcdef"[dice.below(16) as usize])
                .collect();
            let mut packed = zstd::Encoder::new(Vec::new(), level).expect("an encoder");
            packed.write_all(&plain).expect("to memory");
            let packed = packed.finish().expect("to memory");
            for mut inflater in [Inflater::new(), Inflater::without_c()] {
                let pool = Pool::new(64 << 20);
                let (out, held) = peak_of(|| {
                    let mut inflate = inflater
                        .open(Codec::Zstd, &packed, Caps::DEFAULT, &pool)
                        .expect("honest");
                    let mut out = 0;
                    while inflate.fill().expect("honest") {
                        let chunk = inflate.chunk();
                        assert_eq!(chunk, &plain[out..out + chunk.len()]);
                        out += chunk.len();
                    }
                    out
                });
                assert_eq!(out, plain.len());
                assert!(held > 64 << 10, "zstd's own allocations are counted");
                assert!(
                    held <= pool.peak(),
                    "level {level}, {kib} KiB: held {held}, took {}",
                    pool.peak()
                );
            }
        }
    }
}

#[test]
fn counts_of_two_thousand_million_reserve_nothing() {
    let mut batch = BatchBuilder::new(Codec::None);
    batch
        .push(NewRecord {
            timestamp: 0,
            ..NewRecord::default()
        })
        .expect("it fits");
    let honest = batch.build().expect("a batch");
    // A count of records, and a count of headers, of i32::MAX.
    let mut count = honest.clone();
    count[23..27].copy_from_slice(&(i32::MAX - 1).to_be_bytes());
    count[57..61].copy_from_slice(&i32::MAX.to_be_bytes());
    let mut headers = honest[..HEADER_BYTES].to_vec();
    headers.extend([20, 0, 0, 0, 1, 1, 0xfe, 0xff, 0xff, 0xff, 0x0f]);
    for mut lie in [count, headers] {
        let length = (lie.len() - LENGTH_PREFIX) as i32;
        lie[8..12].copy_from_slice(&length.to_be_bytes());
        let crc = crc32c::crc32c(&lie[21..]);
        lie[17..21].copy_from_slice(&crc.to_be_bytes());
        let rules = Rules {
            records_max: u32::MAX,
            ..rules()
        };
        let (verdict, held) =
            peak_of(|| validate(&lie, &rules, &mut Inflater::new(), &Pool::new(0)));
        assert!(
            matches!(
                verdict,
                Err(BatchFault::Fewer { .. } | BatchFault::Record { .. })
            ),
            "{verdict:?}"
        );
        assert_eq!(held, 0);
    }
}
