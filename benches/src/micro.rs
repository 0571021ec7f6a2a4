//! Decides which pure pieces of the hot path are timed by themselves, in nanoseconds per call, warm, on one thread.
//! Says where CPU goes before a whole broker can; the whole broker's figures are what counts.

use std::fmt::Write;
use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bytes::Bytes;
use sawlog_wire::message::Message as _;
use sawlog_wire::messages::produce::{PartitionProduceResponse, TopicProduceResponse};
use sawlog_wire::messages::{ApiKey, ProduceRequest, ProduceResponse};
use sawlog_wire::records::{Inflater, Pool, Rules, validate};
use sawlog_wire::views::ProduceView;
use sawlog_wire::{Reader, RequestHeader, Writer, frame};

use crate::batch;
use crate::figures::short;
use crate::frame::ProduceHead;

/// Each piece is timed so often for so long; the best is told, as everything else only adds to it.
const ROUNDS: u32 = 7;
const ROUND: Duration = Duration::from_millis(40);

/// Times every piece.
pub fn run() -> Result<String> {
    let mut text = String::new();
    let mut tell = |name: &str, nanoseconds: f64, bytes: usize| {
        let rate = if bytes > 4096 {
            format!("  {} s/GB", short(nanoseconds / bytes as f64))
        } else {
            String::new()
        };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{name:<58} {:>9} ns{rate}", short(nanoseconds));
    };
    for (size, records, value) in [
        ("1 record of 1 KiB", 1, 1024),
        ("16 KiB", 16, 1000),
        ("1 MB of 1 KiB", 950, 1024),
        ("1 MB of 100 B", 8700, 100),
    ] {
        let batch = batch::encode(records, value, 1_700_000_000_000);
        let head = ProduceHead::new("topic", batch.len());
        let frame = Bytes::from([head.bytes().get(4..).context("no length")?, &batch].concat());
        let rules = Rules::produce(7, 32 << 20);
        let (mut inflater, pool) = (Inflater::default(), Pool::new(1 << 20));

        tell(
            &format!("CRC-32C, {size}"),
            best(|| crc32c::crc32c(black_box(&batch))),
            batch.len(),
        );
        let validated = best(|| validate(black_box(&batch), &rules, &mut inflater, &pool).is_ok());
        validate(&batch, &rules, &mut inflater, &pool)?;
        tell(
            &format!("judge a batch, CRC included, {size}"),
            validated,
            batch.len(),
        );
        tell(
            &format!("request header and Produce, borrowed, {size}"),
            best(|| borrowed(black_box(&frame))),
            0,
        );
        borrowed(&frame)?;
        tell(
            &format!("request header and Produce, owned, {size}"),
            best(|| owned(black_box(&frame))),
            0,
        );
        owned(&frame)?;
    }
    let response = ProduceResponse {
        responses: vec![TopicProduceResponse {
            name: "topic".to_owned(),
            partition_responses: vec![PartitionProduceResponse::default()],
            ..TopicProduceResponse::default()
        }],
        ..ProduceResponse::default()
    };
    let mut writer = Writer::new();
    let mut encode = || -> Result<usize> {
        writer.clear();
        frame::response(&mut writer, ApiKey::Produce, 7, 1, &response)?;
        Ok(writer.len())
    };
    encode()?;
    tell("encode a Produce reply", best(&mut encode), 0);
    Ok(text)
}

fn borrowed(frame: &Bytes) -> Result<usize> {
    let mut reader = Reader::of(frame);
    let header = RequestHeader::decode(&mut reader)?;
    let view = ProduceView::decode(reader, header.version)?;
    Ok(usize::from(view.acks == -1))
}

fn owned(frame: &Bytes) -> Result<usize> {
    let mut reader = Reader::of(frame);
    let header = RequestHeader::decode(&mut reader)?;
    let request = ProduceRequest::decode(&mut reader, header.version)?;
    Ok(request.topic_data.len())
}

/// Nanoseconds per call in the best round.
fn best<T>(mut call: impl FnMut() -> T) -> f64 {
    let mut best = f64::MAX;
    for _ in 0..ROUNDS {
        let begin = Instant::now();
        let mut calls = 0_u32;
        while begin.elapsed() < ROUND {
            for _ in 0..16 {
                black_box(call());
            }
            calls += 16;
        }
        best = best.min(begin.elapsed().as_nanos() as f64 / f64::from(calls));
    }
    best
}
