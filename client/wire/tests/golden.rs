//! Batches that other people's clients sent, as Apache Kafka 4.3.1 stored them (base offset and leader
//! epoch put back to what was sent): each is judged well, reads as it was meant, and is built again
//! byte for byte. `golden/batches.tsv` holds client, codec and bytes.

use sawlog_wire::records::{
    Batch, BatchBuilder, Caps, Codec, Inflater, NewRecord, Pool, Records, Rules, validate,
};

struct Golden {
    client: &'static str,
    codec: Codec,
    bytes: Vec<u8>,
}

fn golden() -> Vec<Golden> {
    let lines = include_str!("golden/batches.tsv").lines();
    let read = lines.map(|line| {
        let mut parts = line.split('\t');
        let client = parts.next().expect("a client");
        let name = parts.next().expect("a codec");
        let codec = Codec::ALL
            .into_iter()
            .find(|codec| codec.name() == name)
            .expect("a known codec");
        let digits = parts.next().expect("bytes").as_bytes().chunks(2);
        let byte = |pair| {
            u8::from_str_radix(std::str::from_utf8(pair).expect("digits"), 16).expect("digits")
        };
        Golden {
            client,
            codec,
            bytes: digits.map(byte).collect(),
        }
    });
    read.collect()
}

/// Key, value, headers of every record, in order.
type Contents = Vec<(
    Option<Vec<u8>>,
    Option<Vec<u8>>,
    Vec<(Vec<u8>, Option<Vec<u8>>)>,
)>;

fn contents(bytes: &[u8]) -> Contents {
    let batch = Batch::first(bytes).expect("a batch");
    let pool = Pool::new(64 << 20);
    let mut plain = Vec::new();
    let codec = batch.header.attributes().expect("known attributes").codec;
    let _held = Inflater::new()
        .read_all(codec, batch.payload(), Caps::DEFAULT, &pool, &mut plain)
        .expect("it decompresses");
    let owned = |bytes: Option<&[u8]>| bytes.map(<[u8]>::to_vec);
    let records = Records::new(&plain).map(|record| {
        let record = record.expect("a record");
        let headers = record
            .headers
            .map(|h| (h.name.to_vec(), owned(h.value)))
            .collect();
        (owned(record.key), owned(record.value), headers)
    });
    records.collect()
}

#[test]
fn what_real_clients_send_is_judged_well_with_every_codec() {
    let golden = golden();
    let pool = Pool::new(64 << 20);
    let mut inflater = Inflater::new();
    for Golden {
        client,
        codec,
        bytes,
    } in &golden
    {
        let facts = validate(bytes, &Rules::produce(9, 1 << 20), &mut inflater, &pool)
            .unwrap_or_else(|fault| panic!("{client}, {codec}: {fault}"));
        assert_eq!(facts.codec, *codec, "{client}");
        assert!(!facts.mend, "{client}, {codec}");
        // Idempotent unless told otherwise: Java and kafka-python.
        let without = ["librdkafka 2.16.1", "aiokafka 0.14.0"].contains(client);
        assert_eq!(facts.producer.is_none(), without, "{client}");
    }
    for client in [
        "librdkafka 2.16.1",
        "librdkafka 2.16.1, idempotent",
        "kafka-python 3.0.12",
        "aiokafka 0.14.0",
        "Java 4.3.1",
    ] {
        for codec in Codec::ALL {
            assert!(
                golden
                    .iter()
                    .any(|g| (g.client, g.codec) == (client, codec)),
                "{client} with {codec} is missing"
            );
        }
    }
}

#[test]
fn every_codec_of_a_client_holds_the_same_records() {
    let golden = golden();
    let all = |client, codec| -> Contents {
        let of = golden
            .iter()
            .filter(|g| (g.client, g.codec) == (client, codec));
        of.flat_map(|g| contents(&g.bytes)).collect()
    };
    for client in [
        "librdkafka 2.16.1",
        "librdkafka 2.16.1, idempotent",
        "kafka-python 3.0.12",
        "aiokafka 0.14.0",
        "Java 4.3.1",
    ] {
        let plain = all(client, Codec::None);
        assert!(plain.len() >= 3, "{client}");
        for codec in Codec::ALL {
            assert_eq!(all(client, codec), plain, "{client}, {codec}");
        }
    }
    let sent = all("librdkafka 2.16.1, idempotent", Codec::None);
    let (key, value, headers) = &sent[0];
    assert_eq!(
        (key.as_deref(), value.as_deref()),
        (Some(&b"key-1"[..]), Some(&[b'v'; 120][..]))
    );
    let name = b"trace".to_vec();
    assert_eq!(
        headers,
        &[
            (name.clone(), Some(b"abc".to_vec())),
            (name, Some(b"def".to_vec()))
        ],
        "a name twice"
    );
    assert_eq!(sent[1].0, None);
    assert_eq!(
        sent[2].2[1],
        (b"null".to_vec(), None),
        "a header without a value"
    );
}

#[test]
fn our_builder_makes_the_same_bytes_as_other_peoples() {
    let mut compared = 0;
    for Golden {
        client,
        codec,
        bytes,
    } in golden()
    {
        if codec != Codec::None {
            continue;
        }
        let batch = Batch::first(&bytes).expect("a batch");
        let header = batch.header;
        let mut ours = BatchBuilder::new(codec).producer(
            header.producer_id,
            header.producer_epoch,
            header.base_sequence,
        );
        for record in Records::new(batch.payload()) {
            let record = record.expect("a record");
            let headers: Vec<_> = record.headers.map(|h| (h.name, h.value)).collect();
            let timestamp = record.timestamp(&header);
            let record = NewRecord {
                timestamp,
                key: record.key,
                value: record.value,
                headers: &headers,
            };
            ours.push(record).expect("it fits");
        }
        assert_eq!(ours.build().expect("a batch"), bytes, "{client}");
        compared += 1;
    }
    assert!(compared >= 5, "only {compared} batches compared");
}
