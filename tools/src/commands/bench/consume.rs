//! `sawlog bench consume`: all records of a topic, read as fast as they come, and how long each batch is waited for. Decides
//! when a run is over; what is read is counted and thrown away.

use std::sync::Arc;
use std::time::Duration;

use sawlog_client::{Assignment, At, Client, Error, Place};
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::Consume;
use super::report::{Report, Times};
use crate::cluster::failure;
use crate::exit::{Exit, Failure};
use crate::progress::Progress;
use crate::stop::Stop;

/// What was read so far.
struct Count {
    records: u64,
    bytes: u64,
    times: Times,
}

/// Why reading ended.
enum End {
    /// All that is there was read.
    Read,
    /// As much as was asked for.
    Enough,
    Interrupted,
    Broken(Error),
}

pub(super) async fn run(
    arguments: &Consume,
    before: Option<Map<String, Value>>,
    stop: &mut Stop,
) -> Result<Exit, Failure> {
    let what = format!("cannot read {}", arguments.topic);
    let failed = |error: Error| failure(&what, &error);
    let begun = async {
        let kafka = arguments.cluster.connect().await?;
        let ends = ends(&kafka, &arguments.topic).await.map_err(failed)?;
        Ok::<_, Failure>((kafka, ends))
    };
    let (kafka, ends) = tokio::select! {
        begun = begun => begun?,
        () = stop.asked() => return Ok(Exit::Interrupted),
    };
    let (begun, mut progress) = (Instant::now(), Progress::watched());
    let mut count = Count {
        records: 0,
        bytes: 0,
        times: Times::new()?,
    };
    let end = loop {
        let (read, reading) = (
            count.records,
            once(&kafka, arguments, &ends, begun, &mut count, &mut progress),
        );
        let end = tokio::select! {
            end = reading => end.unwrap_or_else(End::Broken),
            () = stop.asked() => End::Interrupted,
        };
        if count.records == read && matches!(end, End::Read) {
            let why = "there is no record in it".to_owned();
            let next = "`sawlog bench produce` fills it";
            return Err(Failure::told(Exit::Failed, what.clone(), why, next));
        }
        if !matches!(end, End::Read) || arguments.duration.is_none() {
            break end;
        }
    };
    let time = begun.elapsed();
    progress.end();
    let run = json!({"bench": "consume", "topic": arguments.topic, "partitions": ends.len()});
    let report = Report {
        run: run.as_object().cloned().unwrap_or_default(),
        records: count.records,
        bytes: count.bytes,
        time,
        times: count.times,
    };
    // What was measured until something went wrong is told too.
    if report.records > 0 || !matches!(end, End::Broken(_)) {
        report.show(arguments.told.output, before.as_ref())?;
    }
    match end {
        End::Interrupted => Ok(Exit::Interrupted),
        End::Read | End::Enough => Ok(Exit::Done),
        End::Broken(error) => Err(failed(error)),
    }
}

/// Where each partition ends.
async fn ends(kafka: &Client, topic: &str) -> Result<Vec<(Place, i64)>, Error> {
    let topic: Arc<str> = topic.into();
    let partitions = kafka.partitions(&topic).await?.into_iter();
    let wanted: Vec<_> = partitions
        .map(|partition| ((topic.clone(), partition), At::Latest))
        .collect();
    let found = kafka.offsets(&wanted).await.into_iter();
    found.map(|(place, end)| Ok((place, end?))).collect()
}

/// Reads everything once.
async fn once(
    kafka: &Client,
    arguments: &Consume,
    ends: &[(Place, i64)],
    begun: Instant,
    count: &mut Count,
    progress: &mut Progress,
) -> Result<End, Error> {
    let most = arguments.records.unwrap_or(u64::MAX);
    let limit = arguments.duration.unwrap_or(Duration::MAX);
    let assigned = ends
        .iter()
        .map(|((topic, partition), end)| Assignment::new(topic.clone(), *partition).until(*end));
    let mut consumer = kafka.assign(assigned).build().await?;
    let mut waits = Instant::now();
    while let Some(batch) = consumer.next_batch().await? {
        let came = Instant::now();
        count.times.note(came - waits);
        for message in &batch.messages {
            if count.records >= most {
                return Ok(End::Enough);
            }
            let length =
                |bytes: &Option<bytes::Bytes>| bytes.as_ref().map_or(0, |bytes| bytes.len() as u64);
            count.records += 1;
            count.bytes += length(&message.key) + length(&message.value);
        }
        progress.show(count.records);
        if count.records >= most || begun.elapsed() >= limit {
            return Ok(End::Enough);
        }
        waits = Instant::now();
    }
    Ok(End::Read)
}
