//! What is attacked: every decoder that sees bytes nobody vouches for, each as one function over a
//! slice. Decides what a target must keep to besides not panicking: what decodes must encode to
//! bytes that decode to the same, and memory must stay within its bound (#128, #130).

use std::cell::RefCell;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::mem::discriminant;

use bytes::Bytes;
use sawlog_wire::layout::Versions;
use sawlog_wire::messages::{FetchRequest, ProduceRequest};
use sawlog_wire::primitives::Reader;
use sawlog_wire::random::Dice;
use sawlog_wire::records::batch::HEADER_BYTES;
use sawlog_wire::records::compress::{SnappyFraming, compress, compress_snappy};
use sawlog_wire::records::lookup::{first_at_or_after, first_with_max_timestamp};
use sawlog_wire::records::{
    Batch, BatchBuilder, BatchFault, Batches, Caps, Codec, InflateFault, Inflater, NewRecord, Pool,
    Records, Rules, validate,
};
use sawlog_wire::registry::{Entry, InternalTopic, Kind, all, internal_topics};
use sawlog_wire::views::{FetchView, ProduceView};
use sawlog_wire::{Message, RequestHeader, frame};

use crate::memory;

/// The largest frame that the targets believe.
const FRAME_MAX: usize = 1 << 20;

/// How much memory a target may hold for an input, besides what it took from its pool.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bound {
    /// Bytes for each byte of input.
    pub(crate) per_byte: usize,
    /// Bytes for any input.
    pub(crate) fixed: usize,
}

impl Bound {
    /// Record batches and decompression.
    const RECORDS: Bound = Bound {
        per_byte: 2,
        fixed: 64 << 10,
    };
    /// Frames and headers: the budget that a frame has.
    const FRAMES: Bound = Bound {
        per_byte: 64,
        fixed: 64 << 10,
    };

    /// The bound for an input of `length`.
    pub(crate) fn of(self, length: usize) -> usize {
        self.per_byte * length + self.fixed
    }
}

/// What became of one input.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ran {
    /// The most bytes that were taken from the pool.
    pub(crate) pooled: usize,
    /// Which way it went: inputs of the same kind are alike to the fuzzer.
    pub(crate) kind: u64,
}

/// A decoder over a slice.
type Run = Box<dyn Fn(&[u8]) -> Ran>;

/// One thing to attack.
pub(crate) struct Target {
    /// Its name on the command line and in the corpus.
    pub(crate) name: String,
    /// Its bound of memory.
    pub(crate) bound: Bound,
    /// Runs it; a panic is a find.
    pub(crate) run: Run,
    /// Honest inputs to begin with.
    pub(crate) seeds: Vec<Vec<u8>>,
}

/// Every target.
pub(crate) fn targets() -> Vec<Target> {
    let mut targets = vec![
        target("frame", Bound::FRAMES, frame_target, frame_seeds()),
        target("header", Bound::FRAMES, header_target, frame_seeds()),
        target("batch", Bound::RECORDS, batch_target, batch_seeds()),
        target("batch-sealed", Bound::RECORDS, sealed_target, batch_seeds()),
        target("batches", Bound::RECORDS, batches_target, batch_seeds()),
        target("records", Bound::RECORDS, records_target, record_seeds()),
    ];
    for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        let name = format!("inflate-{codec}");
        targets.push(target(
            &name,
            Bound::RECORDS,
            move |input| {
                INFLATER.with_borrow_mut(|inflater| inflate_target(codec, inflater, input))
            },
            inflate_seeds(codec),
        ));
    }
    targets.push(target(
        "inflate-zstd-without-c",
        Bound::RECORDS,
        |input| WITHOUT_C.with_borrow_mut(|inflater| inflate_target(Codec::Zstd, inflater, input)),
        inflate_seeds(Codec::Zstd),
    ));
    let seeds = |name: &str| {
        let entry = all().find(|entry| entry.name == name);
        entry.map(|entry| message(entry).seeds).unwrap_or_default()
    };
    let (produce, fetch) = (seeds(ProduceRequest::NAME), seeds(FetchRequest::NAME));
    targets.push(target(
        "view-produce",
        Bound::RECORDS,
        produce_view_target,
        produce,
    ));
    targets.push(target(
        "view-fetch",
        Bound::RECORDS,
        fetch_view_target,
        fetch,
    ));
    targets.extend(all().map(message));
    targets.extend(internal_topics().iter().map(internal_topic));
    targets
}

fn target(
    name: &str,
    bound: Bound,
    run: impl Fn(&[u8]) -> Ran + 'static,
    seeds: Vec<Vec<u8>>,
) -> Target {
    Target {
        name: name.to_owned(),
        bound,
        run: Box::new(run),
        seeds,
    }
}

thread_local! {
    static INFLATER: RefCell<Inflater> = const { RefCell::new(Inflater::new()) };
    static WITHOUT_C: RefCell<Inflater> = const { RefCell::new(Inflater::without_c()) };
}

/// Forgets buffers and contexts kept from earlier inputs, so that memory can be measured.
pub(crate) fn forget() {
    INFLATER.set(Inflater::new());
    WITHOUT_C.set(Inflater::without_c());
}

fn kind(of: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}

/// A message in all its versions: the first byte of the input chooses one.
fn message(entry: Entry) -> Target {
    let group = match entry.kind {
        Kind::Request(_) | Kind::Response(_) => "message",
        Kind::Metadata(_) => "metadata",
        Kind::CoordinatorKey(_) | Kind::CoordinatorValue(_) => "coordinator",
        _ => "data",
    };
    let mut dice = Dice::new(1);
    let versions = entry.versions;
    let seeds = versions
        .iter()
        .flat_map(|version| [version; 2])
        .map(|version| {
            let mut input = vec![(version - versions.from) as u8];
            input.extend_from_slice(&(entry.sample)(&mut dice, version));
            input
        });
    let seeds = seeds.filter(|seed| seed.len() < 4096).collect();
    // What is read, within the budget of its frame, and the text in it once more.
    let bound = Bound {
        per_byte: memory::per_byte(&entry).min(Bound::FRAMES.per_byte) + 1,
        fixed: 64 << 10,
    };
    target(
        &format!("{group}-{}", entry.name),
        bound,
        move |input| message_target(&entry, input),
        seeds,
    )
}

fn message_target(entry: &Entry, input: &[u8]) -> Ran {
    // The copy is the frame, which is there before the decoder is: it counts as input.
    let Some((version, body)) = chosen(input, entry.versions) else {
        return Ran::default();
    };
    match (entry.recode)(&body, version) {
        Ok(again) => {
            let twice = (entry.recode)(&again, version);
            assert_eq!(
                twice.as_ref(),
                Ok(&again),
                "{} version {version} does not come back",
                entry.name
            );
            Ran {
                pooled: again.len() * 3 + body.len(),
                kind: kind((version, "ok", again.len().min(64))),
            }
        }
        Err(error) => Ran {
            pooled: body.len(),
            kind: kind((version, discriminant(&error))),
        },
    }
}

/// Records of an internal topic: the first byte of the input is the length of the key, and the value
/// stands behind it; where nothing does, the record is a tombstone.
fn internal_topic(topic: &'static InternalTopic) -> Target {
    let mut dice = Dice::new(1);
    let seeds = (0..4 * topic.records.len()).filter_map(|_| {
        let (key, value) = topic.sample(&mut dice);
        let mut input = vec![u8::try_from(key.len()).ok()?];
        input.extend_from_slice(&key);
        input.extend(value.unwrap_or_default());
        Some(input)
    });
    let seeds = seeds.collect();
    let pairs = topic.records.iter();
    let per_byte = pairs.flat_map(|(key, value)| [memory::per_byte(key), memory::per_byte(value)]);
    let per_byte = per_byte.max().unwrap_or(1).min(Bound::FRAMES.per_byte) + 1;
    let fixed = 64 << 10;
    target(
        &format!("topic-{}", topic.name),
        Bound { per_byte, fixed },
        move |input| internal_topic_target(topic, input),
        seeds,
    )
}

fn internal_topic_target(topic: &InternalTopic, input: &[u8]) -> Ran {
    let Some((length, rest)) = input.split_first() else {
        return Ran::default();
    };
    let (key, value) = rest
        .split_at_checked(usize::from(*length))
        .unwrap_or((rest, &[]));
    let key = Bytes::copy_from_slice(key);
    let value = (!value.is_empty()).then(|| Bytes::copy_from_slice(value));
    let number = key.first_chunk::<2>().copied();
    match (topic.recode)(&key, value.as_ref()) {
        Ok((again_key, again_value)) => {
            let twice = (topic.recode)(&again_key, again_value.as_ref());
            let lengths = again_key.len() + again_value.as_ref().map_or(0, Bytes::len);
            let kind = kind((number, again_value.is_some(), lengths.min(64)));
            assert_eq!(twice, Ok((again_key, again_value)), "{number:?} comes back");
            Ran {
                pooled: lengths * 3 + rest.len(),
                kind,
            }
        }
        Err(error) => Ran {
            pooled: rest.len(),
            kind: kind((number, discriminant(&error))),
        },
    }
}

/// The hot path's walk over a Produce request: the first byte of the input chooses the version.
fn produce_view_target(input: &[u8]) -> Ran {
    let Some((version, frame)) = chosen(input, ProduceRequest::VERSIONS) else {
        return Ran::default();
    };
    let pooled = frame.len() + 64;
    match ProduceView::decode(Reader::of(&frame), version) {
        Err(error) => Ran {
            pooled,
            kind: kind((version, discriminant(&error))),
        },
        Ok(view) => {
            let partitions = view.topics.iter().flat_map(|topic| topic.partitions.iter());
            let payloads =
                partitions.map(|partition| partition.payload().map_or(0, |bytes| bytes.len()));
            let bytes: usize = payloads.sum();
            assert!(bytes <= frame.len(), "no byte is told twice");
            Ran {
                pooled,
                kind: kind((version, bytes.min(9), view.topics.len().min(9))),
            }
        }
    }
}

/// The hot path's walk over a Fetch request.
fn fetch_view_target(input: &[u8]) -> Ran {
    let Some((version, frame)) = chosen(input, FetchRequest::VERSIONS) else {
        return Ran::default();
    };
    let pooled = frame.len() + 64;
    match FetchView::decode(Reader::of(&frame), version) {
        Err(error) => Ran {
            pooled,
            kind: kind((version, discriminant(&error))),
        },
        Ok(view) => {
            let partitions: usize = view
                .topics
                .iter()
                .map(|topic| topic.partitions.iter().count())
                .sum();
            let forgotten: usize = view
                .forgotten
                .iter()
                .map(|topic| topic.partitions.iter().count())
                .sum();
            assert!(
                partitions + forgotten <= frame.len(),
                "each takes a byte at least"
            );
            Ran {
                pooled,
                kind: kind((version, partitions.min(9), forgotten.min(9))),
            }
        }
    }
}

/// A version by the first byte of the input, and the rest as a frame.
fn chosen(input: &[u8], versions: Versions) -> Option<(i16, Bytes)> {
    let (choice, body) = input.split_first()?;
    let span = versions.to - versions.from + 1;
    Some((
        versions.from + i16::from(*choice) % span,
        Bytes::copy_from_slice(body),
    ))
}

/// A connection's bytes: one frame after the other, each with header and body.
fn frame_target(input: &[u8]) -> Ran {
    let mut rest = input;
    let mut way = Vec::new();
    let mut pooled = 0;
    while let Some((prefix, after)) = rest.split_first_chunk::<{ frame::PREFIX }>() {
        let Ok(length) = frame::length(*prefix, FRAME_MAX) else {
            way.push(1);
            break;
        };
        let Some((body, after)) = after.split_at_checked(length) else {
            way.push(2);
            break;
        };
        rest = after;
        let mut reader = Reader::new(body);
        let Ok(header) = RequestHeader::decode(&mut reader) else {
            way.push(3);
            break;
        };
        let body = Bytes::copy_from_slice(reader.rest());
        pooled = pooled.max(body.len());
        let request = all().find(|entry| entry.kind == Kind::Request(header.key));
        match request.map(|entry| (entry.read)(&body, header.version)) {
            None => way.push(4),
            Some(Err(_)) => way.push(5),
            Some(Ok(())) => way.push(6 + i32::from(header.key)),
        }
        if way.len() > 8 {
            break;
        }
    }
    Ran {
        pooled,
        kind: kind(&way),
    }
}

/// A request header alone: what is read is written again to the same meaning.
fn header_target(input: &[u8]) -> Ran {
    let input = input.get(frame::PREFIX..).unwrap_or(input);
    let mut reader = Reader::new(input);
    match RequestHeader::decode(&mut reader) {
        Err(error) => Ran {
            pooled: 0,
            kind: kind(discriminant(&error)),
        },
        Ok(header) => {
            let mut writer = sawlog_wire::Writer::new();
            header
                .encode(&mut writer)
                .expect("what was read can be written");
            let again = writer.finish().into_bytes();
            assert_eq!(RequestHeader::decode(&mut Reader::new(&again)), Ok(header));
            Ran {
                pooled: 4096,
                kind: kind((header.api_key().is_some(), header.client_id.map(str::len))),
            }
        }
    }
}

/// The produce path, with the bytes as they are: nearly all inputs end at the CRC.
fn batch_target(input: &[u8]) -> Ran {
    judge(input)
}

/// The produce path behind a CRC and a length that are right.
fn sealed_target(input: &[u8]) -> Ran {
    let mut sent = input.to_vec();
    if sent.len() >= HEADER_BYTES {
        let length = (sent.len() - 12) as i32;
        sent[8..12].copy_from_slice(&length.to_be_bytes());
        sent[16] = 2;
        let crc = crc32c::crc32c(&sent[21..]);
        sent[17..21].copy_from_slice(&crc.to_be_bytes());
    }
    let ran = judge(&sent);
    Ran {
        pooled: ran.pooled + sent.len(),
        kind: ran.kind,
    }
}

/// Judges a batch; one that is well is read by every other reader there is, which must agree.
fn judge(sent: &[u8]) -> Ran {
    let pool = Pool::new(512 << 20);
    let kind = INFLATER.with_borrow_mut(|inflater| match validate(sent, &RULES, inflater, &pool) {
        Err(fault) => kind(fault_kind(&fault)),
        Ok(facts) => {
            let batch = Batch::first(sent).expect("it was judged well");
            let mut plain = Vec::new();
            let held =
                inflater.read_all(facts.codec, batch.payload(), RULES.caps, &pool, &mut plain);
            let _held = held.expect("it was judged well");
            assert_eq!(plain.len() as u64, facts.plain_size);
            let mut count = 0;
            let (mut min, mut max) = (i64::MAX, -1);
            let mut keyless = None;
            for record in Records::new(&plain) {
                let record = record.expect("it was judged well");
                assert_eq!(record.offset_delta, count);
                let timestamp = record.timestamp(&batch.header);
                max = max.max(timestamp);
                if timestamp != -1 {
                    min = min.min(timestamp);
                }
                if record.key.is_none() && keyless.is_none() {
                    keyless = Some(count as u32);
                }
                count += 1;
            }
            assert_eq!(count as u32, facts.count);
            assert_eq!(max, facts.max_timestamp);
            assert_eq!(if min == i64::MAX { -1 } else { min }, facts.min_timestamp);
            assert_eq!(keyless, facts.keyless);
            let found = first_at_or_after(&batch, i64::MIN, 0, RULES.caps, inflater, &pool)
                .expect("it was judged well");
            assert!(found.is_some_and(|found| found.offset == 0));
            // Without a time from 0 on there is none to look for.
            if !facts.mend && max >= 0 {
                let found = first_with_max_timestamp(&batch, 0, RULES.caps, inflater, &pool)
                    .expect("judged well");
                assert!(found.is_none_or(|found| found.timestamp == max));
            }
            kind((
                facts.codec,
                facts.producer.is_some(),
                facts.transactional,
                facts.mend,
                facts.count.min(9),
            ))
        }
    });
    assert_eq!(pool.used(), 0, "all that was taken came back");
    Ran {
        pooled: pool.peak(),
        kind,
    }
}

/// A bomb costs time, not only memory: the targets allow less output than a broker does.
const RULES: Rules = Rules {
    bytes_max: FRAME_MAX,
    records_max: 1 << 16,
    caps: Caps {
        output: 1 << 20,
        window: 8 << 20,
    },
    zstd: true,
};

fn fault_kind(fault: &BatchFault) -> u64 {
    match fault {
        BatchFault::Record { fault, .. } => kind((1, discriminant(fault))),
        BatchFault::Inflate(fault) => kind((2, inflate_kind(fault))),
        fault => kind((3, discriminant(fault))),
    }
}

fn inflate_kind(fault: &InflateFault) -> u64 {
    match fault {
        InflateFault::Malformed { codec, why } => kind((codec, why)),
        fault => kind(discriminant(fault)),
    }
}

/// A run of batches, as a Fetch response or a segment holds.
fn batches_target(input: &[u8]) -> Ran {
    let mut batches = Batches::new(input);
    let mut seen = 0;
    let mut way = 0;
    for batch in batches.by_ref() {
        match batch {
            Ok(batch) => {
                seen += batch.bytes.len();
                way = (way % 1024) * 4 + 1 + u64::from(batch.check_crc().is_ok());
                let _ = batch.header.attributes();
                assert!(batch.header.next_offset() >= batch.header.last_offset());
            }
            Err(fault) => way = (way % 1024) * 4 + fault_kind(&fault) % 64,
        }
    }
    assert!(seen + batches.rest().len() == input.len());
    Ran {
        pooled: 0,
        kind: kind(way),
    }
}

/// Records in plain bytes.
fn records_target(input: &[u8]) -> Ran {
    let mut way = 0_u64;
    for record in Records::new(input) {
        match record {
            Ok(record) => {
                let told = record.headers.len();
                assert_eq!(
                    record.headers.count(),
                    told,
                    "every header that is told is there"
                );
                way = way.wrapping_mul(7).wrapping_add(told.min(3) as u64);
            }
            Err(fault) => way = way.wrapping_mul(7).wrapping_add(fault_kind(&fault)),
        }
    }
    Ran {
        pooled: 0,
        kind: kind(way),
    }
}

/// One decompression.
fn inflate_target(codec: Codec, inflater: &mut Inflater, input: &[u8]) -> Ran {
    let pool = Pool::new(512 << 20);
    let mut run = || {
        let mut inflate = match inflater.open(codec, input, RULES.caps, &pool) {
            Ok(inflate) => inflate,
            Err(fault) => return inflate_kind(&fault),
        };
        loop {
            match inflate.fill() {
                Ok(true) => assert!(!inflate.chunk().is_empty()),
                Ok(false) => break kind(inflate.produced().min(9)),
                Err(fault) => break inflate_kind(&fault),
            }
        }
    };
    let kind = run();
    assert_eq!(pool.used(), 0, "all that was taken came back");
    Ran {
        pooled: pool.peak(),
        kind,
    }
}

fn frame_seeds() -> Vec<Vec<u8>> {
    let mut dice = Dice::new(2);
    let mut seeds = Vec::new();
    for entry in all() {
        let Kind::Request(key) = entry.kind else {
            continue;
        };
        for version in entry.versions.iter() {
            let mut writer = sawlog_wire::Writer::new();
            let header = RequestHeader {
                key,
                version,
                correlation_id: 7,
                client_id: Some("fuzz"),
            };
            header.encode(&mut writer).expect("a header");
            let mut body = writer.finish().into_bytes().to_vec();
            body.extend_from_slice(&(entry.sample)(&mut dice, version));
            let mut frame = (body.len() as i32).to_be_bytes().to_vec();
            frame.append(&mut body);
            if frame.len() < 4096 {
                seeds.push(frame);
            }
        }
    }
    seeds
}

/// A batch of a few records, some with headers.
fn builder(codec: Codec, records: i64) -> BatchBuilder {
    let mut batch = BatchBuilder::new(codec);
    for i in 0..records {
        let headers: &[(&[u8], Option<&[u8]>)] = match i % 3 {
            0 => &[],
            1 => &[(b"name", Some(b"value")), (b"name", None)],
            _ => &[(b"", Some(b""))],
        };
        let value = vec![i as u8; (i as usize * 37) % 200];
        let key = (i % 2 == 0).then_some(&b"key"[..]);
        let record = NewRecord {
            timestamp: 1_000 + i * 77,
            key,
            value: Some(&value),
            headers,
        };
        batch.push(record).expect("it fits");
    }
    batch
}

/// A batch of records of one form, so many that their offsets take one byte and two.
fn alike(codec: Codec, key: Option<&[u8]>, value: usize) -> BatchBuilder {
    let mut batch = BatchBuilder::new(codec);
    let value = vec![b'v'; value];
    for i in 0..90 {
        let record = NewRecord {
            timestamp: 1_700_000_000_000 + i % 2,
            key,
            value: Some(&value),
            headers: &[],
        };
        batch.push(record).expect("it fits");
    }
    batch
}

fn batch_seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for codec in Codec::ALL {
        for (key, value) in [(None, 12), (Some(&b"key"[..]), 12), (Some(b""), 100)] {
            seeds.push(alike(codec, key, value).build().expect("a batch"));
        }
        seeds.push(builder(codec, 1).build().expect("a batch"));
        seeds.push(
            builder(codec, 5)
                .producer(9, 1, 3)
                .build()
                .expect("a batch"),
        );
        seeds.push(
            builder(codec, 40)
                .producer(9, 1, i32::MAX - 4)
                .transactional()
                .build()
                .expect("a batch"),
        );
    }
    seeds
}

fn record_seeds() -> Vec<Vec<u8>> {
    batch_seeds()
        .into_iter()
        .take(3)
        .map(|batch| batch[HEADER_BYTES..].to_vec())
        .collect()
}

fn inflate_seeds(codec: Codec) -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for plain in [
        vec![],
        vec![0; 3_000],
        b"Sawlog ".repeat(9),
        (0..=255).collect(),
        vec![7; 150_000],
    ] {
        let mut packed = Vec::new();
        compress(codec, &plain, &mut packed).expect("it compresses");
        seeds.push(packed);
        if codec == Codec::Snappy {
            let mut packed = Vec::new();
            compress_snappy(SnappyFraming::Xerial, &plain, &mut packed).expect("it compresses");
            seeds.push(packed);
        }
    }
    seeds
}
