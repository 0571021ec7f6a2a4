//! Produce: what reaches a log, what is refused before it does, and what the answer says.
//! Held by what is asked of the log's shard and by the reply's rows; when a batch is durable is the engine's.

use sawlog_wire::messages::produce::{
    PartitionProduceData, PartitionProduceResponse, TopicProduceData,
};
use sawlog_wire::messages::{ApiKey, ProduceRequest, ProduceResponse};
use sawlog_wire::records::{BatchHeader, Rules, TimestampType, batch, validate};

use super::*;
use crate::answer::{Acks, AppendPart};

pub(super) fn produce(parts: &[(&str, i32)], acks: i16) -> ProduceRequest {
    with(parts, acks, batch(Codec::None, 1))
}

fn with(parts: &[(&str, i32)], acks: i16, records: Bytes) -> ProduceRequest {
    let data = |&(name, index): &(&str, i32)| TopicProduceData {
        name: name.into(),
        topic_id: id_of(name).0,
        partition_data: vec![PartitionProduceData {
            index,
            records: Some(records.clone().into()),
            ..PartitionProduceData::default()
        }],
        ..TopicProduceData::default()
    };
    let topic_data = parts.iter().map(data).collect();
    ProduceRequest {
        acks,
        timeout_ms: 1500,
        topic_data,
        ..ProduceRequest::default()
    }
}

fn appended(part: Part) -> AppendPart {
    match part {
        Part::Append(part) => part,
        other => panic!("{other:?}"),
    }
}

fn rows(told: ProduceResponse) -> Vec<PartitionProduceResponse> {
    told.responses
        .into_iter()
        .flat_map(|topic| topic.partition_responses)
        .collect()
}

/// What one request that reaches no log is answered.
fn refused(version: i16, request: &ProduceRequest) -> PartitionProduceResponse {
    let mut rows = rows(Bench::new(&[("t", 2), ("u", 1)]).ask(version, request));
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].base_offset, -1);
    rows.remove(0)
}

#[test]
fn a_batch_reaches_its_logs_owner_as_it_was_sent_and_the_answer_says_where_it_is() {
    for version in 3..=13 {
        let mut bench = Bench::new(&[("t", 2)]);
        let sent = batch(Codec::Lz4, 3);
        bench.send(version, &with(&[("t", 1)], -1, sent.clone()));
        let asks = bench.asks();
        assert_eq!(asks[0].0, log("t", 1).owner(SHARDS));
        let (waiter, part) = (asks[0].1, appended(asks[0].2.clone()));
        assert_eq!(
            (part.log, part.acks, part.bytes),
            (log("t", 1), Acks::All, sent)
        );
        assert_eq!(
            (part.batch.count, part.deadline.0.0),
            (3, bench.now.mono.0 + 1_500_000_000)
        );
        bench.answer(waiter, stored(40));
        let (_, told) = bench.response::<ProduceResponse>(ApiKey::Produce, version);
        let topic = &told.responses[0];
        match version {
            13 => assert_eq!(topic.topic_id, id_of("t").0),
            _ => assert_eq!(topic.name, "t"),
        }
        let row = &topic.partition_responses[0];
        assert_eq!(
            (
                row.index,
                row.error_code.0,
                row.base_offset,
                row.log_append_time_ms
            ),
            (1, 0, 40, -1)
        );
        assert_eq!(row.log_start_offset, if version >= 5 { 0 } else { -1 });
    }
}

#[test]
fn gotcha_15_a_retried_batch_is_answered_with_the_offset_of_its_original() {
    let mut bench = Bench::new(&[("t", 1)]);
    for correlation in 1..=2 {
        bench.send(9, &produce(&[("t", 0)], -1));
        let (waiter, _) = bench.asked();
        bench.answer(waiter, stored(17));
        let (told_to, told) = bench.response::<ProduceResponse>(ApiKey::Produce, 9);
        assert_eq!((told_to, rows(told)[0].base_offset), (correlation, 17));
    }
}

#[test]
fn gotcha_15_five_requests_in_flight_reach_their_log_in_order() {
    let mut bench = Bench::new(&[("t", 1)]);
    let mut sent = Vec::new();
    for count in 1..=5 {
        sent.push(batch(Codec::None, count));
        bench.send(9, &with(&[("t", 0)], -1, sent[count - 1].clone()));
    }
    let asked: Vec<Bytes> = bench
        .asks()
        .into_iter()
        .map(|(_, _, part)| appended(part).bytes)
        .collect();
    assert_eq!(asked, sent);
}

#[test]
fn gotcha_16_a_batch_of_more_than_max_message_bytes_is_refused_and_one_of_exactly_as_many_is_not() {
    let sent = batch(Codec::None, 10);
    for (limit, refused) in [(sent.len() as u32, false), (sent.len() as u32 - 1, true)] {
        let mut bench = Bench::new(&[]);
        bench.change(|image| {
            let mut topic = topic("t", 1);
            Arc::make_mut(&mut topic.config).max_message_bytes = limit;
            image.names.insert(topic.id, topic.name.clone());
            image.topics.insert(topic.name.clone(), Arc::new(topic));
        });
        bench.send(9, &with(&[("t", 0)], 1, sent.clone()));
        if refused {
            let (_, told) = bench.response::<ProduceResponse>(ApiKey::Produce, 9);
            let row = &rows(told)[0];
            assert_eq!(row.error_code, Code::MessageTooLarge);
            assert!(
                row.error_message
                    .as_ref()
                    .unwrap()
                    .contains(&format!("max.message.bytes = {limit}"))
            );
        }
        assert_eq!(bench.asks().len(), usize::from(!refused));
    }
}

#[test]
fn gotcha_16_acks_0_gets_no_reply() {
    let mut bench = Bench::new(&[("t", 1)]);
    bench.send(9, &produce(&[("t", 0)], 0));
    let (waiter, part) = bench.asked();
    assert_eq!(appended(part).acks, Acks::None);
    assert_eq!(bench.conn.open(), 0);
    bench.answer(waiter, stored(0));
    assert!(bench.frames().is_empty());
    assert!(bench.conn.room(), "nothing went wrong");
    // And those that follow are answered in their turn.
    bench.send(9, &produce(&[("t", 0)], 1));
    let (waiter, _) = bench.asked();
    bench.answer(waiter, stored(1));
    assert_eq!(bench.response::<ProduceResponse>(ApiKey::Produce, 9).0, 2);
}

#[test]
fn acks_0_with_an_error_closes_because_nothing_else_can_say_it() {
    let mut bench = Bench::new(&[("t", 1)]);
    bench.send(9, &produce(&[("nowhere", 0)], 0));
    assert!(bench.closed().contains("acks=0"));

    let mut bench = Bench::new(&[("t", 1)]);
    bench.send(9, &produce(&[("t", 0)], 0));
    let (waiter, _) = bench.asked();
    bench.answer(waiter, not_stored(Code::NotLeaderOrFollower));
    assert!(
        bench
            .closed()
            .contains("acks=0 was refused with NOT_LEADER_OR_FOLLOWER")
    );
}

#[test]
fn what_names_no_partition_or_asks_the_impossible_is_refused_before_any_log() {
    let code = |request: &ProduceRequest| refused(9, request).error_code;
    for part in [
        ("nowhere", 0),
        ("a b", 0),
        ("t", 2),
        ("t", -1),
        ("t", i32::MAX),
    ] {
        assert_eq!(
            code(&produce(&[part], 1)),
            Code::UnknownTopicOrPartition,
            "{part:?}"
        );
    }
    assert_eq!(
        refused(13, &produce(&[("nowhere", 0)], 1)).error_code,
        Code::UnknownTopicId
    );
    for acks in [2, -2, i16::MAX, i16::MIN] {
        assert_eq!(
            code(&produce(&[("t", 0)], acks)),
            Code::InvalidRequiredAcks,
            "{acks}"
        );
    }
    let transactional_id = Some("tx".to_string());
    let transactional = ProduceRequest {
        transactional_id,
        ..produce(&[("t", 0)], -1)
    };
    assert_eq!(
        code(&transactional),
        Code::TransactionalIdAuthorizationFailed
    );
    let mut null = produce(&[("t", 0)], 1);
    null.topic_data[0].partition_data[0].records = None;
    assert_eq!(code(&null), Code::InvalidRecord);
}

#[test]
fn a_batch_that_lies_is_refused_with_words_and_its_record_named() {
    let code = |sent: Bytes| refused(9, &with(&[("t", 0)], 1, sent)).error_code;
    let honest = batch(Codec::None, 2);
    let mut changed = honest.to_vec();
    *changed.last_mut().unwrap() ^= 1;
    assert_eq!(code(changed.into()), Code::CorruptMessage);
    assert_eq!(code(Bytes::new()), Code::InvalidRecord);
    assert_eq!(
        code([&honest[..], &honest[..]].concat().into()),
        Code::InvalidRecord
    );
    assert_eq!(code(honest.slice(..honest.len() - 1)), Code::InvalidRecord);

    let mut transactional = BatchBuilder::new(Codec::None)
        .producer(1, 0, 0)
        .transactional();
    transactional
        .push(NewRecord {
            timestamp: NOW_MS,
            ..NewRecord::default()
        })
        .unwrap();
    assert_eq!(
        code(transactional.build().unwrap().into()),
        Code::TransactionalIdAuthorizationFailed
    );

    let mut ahead = BatchBuilder::new(Codec::None);
    for timestamp in [NOW_MS, NOW_MS + 3_600_001] {
        ahead
            .push(NewRecord {
                timestamp,
                ..NewRecord::default()
            })
            .unwrap();
    }
    let row = refused(9, &with(&[("t", 0)], 1, ahead.build().unwrap().into()));
    assert_eq!(row.error_code, Code::InvalidTimestamp);
    assert_eq!(row.record_errors.len(), 1);
    assert_eq!(row.record_errors[0].batch_index, 1);
    assert!(row.error_message.is_some());
}

#[test]
fn zstd_is_refused_before_version_7() {
    for (version, code) in [(3, Some(76)), (6, Some(76)), (7, None)] {
        let mut bench = Bench::new(&[("t", 1)]);
        bench.send(version, &with(&[("t", 0)], 1, batch(Codec::Zstd, 1)));
        assert_eq!(bench.asks().len(), usize::from(code.is_none()));
        if let Some(code) = code {
            let (_, told) = bench.response::<ProduceResponse>(ApiKey::Produce, version);
            assert_eq!(rows(told)[0].error_code.0, code);
        }
    }
}

#[test]
fn a_partition_named_twice_is_refused_twice_and_the_others_are_taken() {
    let mut bench = Bench::new(&[("t", 3)]);
    bench.send(9, &produce(&[("t", 1), ("t", 0), ("t", 1)], 1));
    let (waiter, part) = bench.asked();
    assert_eq!(appended(part).log, log("t", 0));
    bench.answer(waiter, stored(3));
    let (_, told) = bench.response::<ProduceResponse>(ApiKey::Produce, 9);
    let codes: Vec<i16> = rows(told).iter().map(|row| row.error_code.0).collect();
    assert_eq!(codes, [42, 0, 42]);
}

#[test]
fn good_and_bad_partitions_of_one_request_each_get_their_own_answer() {
    let mut bench = Bench::new(&[("t", 2), ("u", 1)]);
    bench.send(9, &produce(&[("t", 0), ("t", 7), ("u", 0)], -1));
    let waiters: Vec<Waiter> = bench
        .asks()
        .into_iter()
        .map(|(_, waiter, _)| waiter)
        .collect();
    bench.answer(waiters[1], not_stored(Code::NotEnoughReplicas));
    assert!(bench.frames().is_empty());
    bench.answer(waiters[0], stored(12));
    let (_, told) = bench.response::<ProduceResponse>(ApiKey::Produce, 9);
    let told: Vec<_> = rows(told)
        .iter()
        .map(|row| (row.index, row.error_code.0, row.base_offset))
        .collect();
    assert_eq!(told, [(0, 0, 12), (7, 3, -1), (0, 19, -1)]);
}

#[test]
fn gotcha_13_who_leads_is_told_as_metadata_tells_it() {
    for version in [9, 10, 13] {
        let mut bench = Bench::new(&[("t", 2)]);
        bench.send(version, &produce(&[("t", 0)], 1));
        let (waiter, _) = bench.asked();
        bench.answer(waiter, not_stored(Code::NotLeaderOrFollower));
        let (_, told) = bench.response::<ProduceResponse>(ApiKey::Produce, version);
        let nodes: Vec<_> = told
            .node_endpoints
            .iter()
            .map(|node| (node.node_id, &*node.host, node.port))
            .collect();
        let leader = &told.responses[0].partition_responses[0].current_leader;
        if version >= 10 {
            assert_eq!(nodes, [(1, "here.example", 9092)]);
            assert_eq!((leader.leader_id, leader.leader_epoch), (1, 4));
        } else {
            assert_eq!((nodes.len(), leader.leader_id), (0, -1));
        }
    }
}

#[test]
fn a_max_timestamp_that_is_too_early_is_mended_and_what_the_log_gets_agrees_with_itself() {
    let mut builder = BatchBuilder::new(Codec::None);
    for timestamp in [NOW_MS, NOW_MS - 5] {
        builder
            .push(NewRecord {
                timestamp,
                ..NewRecord::default()
            })
            .unwrap();
    }
    let mut sent = builder.build().unwrap();
    sawlog_wire::records::batch::set_max_timestamp(&mut sent, NOW_MS - 5);
    let mut bench = Bench::new(&[("t", 1)]);
    bench.send(9, &with(&[("t", 0)], 1, sent.into()));
    let part = appended(bench.asked().1);
    assert_eq!(part.batch.max_timestamp, NOW_MS);
    assert_eq!(
        sawlog_wire::records::BatchHeader::parse(&part.bytes),
        Ok(part.batch)
    );
    assert_eq!(
        sawlog_wire::records::batch::crc_of(&part.bytes),
        part.batch.crc
    );
}

/// A bench whose topic `t` of one partition has these settings.
fn with_settings(settings: &[(&str, &str)]) -> Bench {
    let mut bench = Bench::new(&[("t", 1)]);
    bench.change(|image| {
        let given = settings.iter().map(|(key, value)| (*key, Some(*value)));
        let mut topic = Topic::clone(&image.topics["t"]);
        topic.config = crate::config::topic(&topic.config, given).unwrap().into();
        image.topics.insert("t".into(), Arc::new(topic));
    });
    bench
}

/// A batch whose records have these times.
fn timed(codec: Codec, times: &[i64]) -> Bytes {
    let mut builder = BatchBuilder::new(codec);
    for &timestamp in times {
        let record = NewRecord {
            timestamp,
            ..NewRecord::default()
        };
        builder.push(record).unwrap();
    }
    builder.build().unwrap().into()
}

#[test]
fn a_topic_of_log_append_time_gives_a_batch_the_brokers_time_and_the_answer_says_which() {
    let mut bench = with_settings(&[
        ("message.timestamp.type", "LogAppendTime"),
        ("message.timestamp.before.max.ms", "0"),
    ]);
    for (code, again, told) in [
        (Code::None, false, NOW_MS),
        (Code::None, true, -1),
        (Code::NotLeaderOrFollower, false, -1),
    ] {
        let sent = timed(Codec::Gzip, &[5, NOW_MS + 10_000_000]);
        bench.send(9, &with(&[("t", 0)], -1, sent));
        let (waiter, part) = bench.asked();
        let part = appended(part);
        let attributes = part.batch.attributes().unwrap();
        assert_eq!(attributes.timestamp_type, TimestampType::LogAppend);
        assert_eq!(part.batch.max_timestamp, NOW_MS);
        assert_eq!(BatchHeader::parse(&part.bytes), Ok(part.batch));
        assert_eq!(batch::crc_of(&part.bytes), part.batch.crc);
        let (base, start) = (Offset(7), Offset(0));
        bench.answer(
            waiter,
            Response::Append(AppendAnswer {
                code,
                base,
                again,
                start,
                message: None,
            }),
        );
        let (_, answer) = bench.response::<ProduceResponse>(ApiKey::Produce, 9);
        let row = &rows(answer)[0];
        assert_eq!(
            (row.error_code, row.log_append_time_ms),
            (code.into(), told)
        );
    }
    bench.send(9, &with(&[("t", 0)], -1, timed(Codec::None, &[NOW_MS])));
    assert_eq!(
        bench.asks().len(),
        1,
        "what the producer said does not count"
    );
}

#[test]
fn records_out_of_their_topics_time_are_refused_by_name_and_those_without_one_are_not() {
    let bounds = [
        ("message.timestamp.before.max.ms", "1000"),
        ("message.timestamp.after.max.ms", "500"),
    ];
    for codec in [Codec::None, Codec::Zstd] {
        let times = [-1, NOW_MS - 1000, NOW_MS - 1001, NOW_MS + 500, NOW_MS + 501];
        let request = with(&[("t", 0)], -1, timed(codec, &times));
        let row = rows(with_settings(&bounds).ask(9, &request)).remove(0);
        assert_eq!(row.error_code, Code::InvalidTimestamp);
        let named: Vec<(i32, bool)> = row
            .record_errors
            .iter()
            .map(|row| {
                let text = row.batch_index_error_message.as_deref().unwrap();
                (row.batch_index, text.contains("before"))
            })
            .collect();
        assert_eq!(named, [(2, true), (4, false)], "{codec}");
        let mut bench = with_settings(&bounds);
        bench.send(9, &with(&[("t", 0)], -1, timed(codec, &times[..2])));
        assert_eq!(bench.asks().len(), 1);
    }
}

#[test]
fn no_more_records_are_named_than_what_was_sent_pays_for_128() {
    let sent = timed(Codec::Zstd, &[5; 2_000]);
    let most = sent.len() / 8;
    let mut bench = with_settings(&[("message.timestamp.before.max.ms", "1000")]);
    let row = rows(bench.ask(9, &with(&[("t", 0)], -1, sent))).remove(0);
    assert!(most < 1_000, "{most}: it compresses well");
    assert_eq!(row.record_errors.len(), most);
}

#[test]
pub(super) fn a_batch_is_stored_in_its_topics_codec_and_judged_by_the_size_it_has_then() {
    for (want, codec) in [
        ("uncompressed", Codec::None),
        ("gzip", Codec::Gzip),
        ("snappy", Codec::Snappy),
        ("lz4", Codec::Lz4),
        ("zstd", Codec::Zstd),
    ] {
        for from in Codec::ALL {
            let mut bench = with_settings(&[("compression.type", want)]);
            let sent = timed(from, &[NOW_MS; 100]);
            bench.send(9, &with(&[("t", 0)], -1, sent.clone()));
            let part = appended(bench.asked().1);
            assert_eq!(part.batch.attributes().unwrap().codec, codec);
            assert_eq!(part.bytes == sent, from == codec, "{from} to {want}");
            let rules = Rules::produce(9, 1 << 20);
            let mut inflater = Inflater::new();
            let facts = validate(&part.bytes, &rules, &mut inflater, &bench.pool).unwrap();
            assert_eq!((facts.count, facts.max_timestamp), (100, NOW_MS));
            drop(part);
        }
    }
    let settings = [
        ("compression.type", "uncompressed"),
        ("max.message.bytes", "300"),
    ];
    let request = with(&[("t", 0)], -1, timed(Codec::Gzip, &[NOW_MS; 100]));
    let row = rows(with_settings(&settings).ask(9, &request)).remove(0);
    assert_eq!(row.error_code, Code::MessageTooLarge);
}
