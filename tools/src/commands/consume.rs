//! `sawlog consume`: records of assigned partitions, to standard output. Decides where reading begins and ends; a record
//! in JSON keeps what it is: binary, null against empty, repeated headers.

use std::time::{SystemTime, UNIX_EPOCH};

use sawlog_client::{At, Client, Error, Partition, Stored};
use serde_json::{Map, Value, json};
use tokio::sync::mpsc;

use crate::cluster::{Cluster, failure, wait_for};
use crate::exit::{Exit, Failure};
use crate::show::{Form, Show};
use crate::text;

/// Print records: of one topic, by partition.
///
/// Values are printed one a line; -o json prints whole records, without loss. Goes on until told to stop.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  sawlog consume orders --until-end              all that is there
  sawlog consume orders -p 0,3 --from -10        the last ten of each of two partitions, and what comes
  sawlog consume orders --from -2h -o json       from two hours ago on, as JSON
  sawlog consume orders -n 1

Exit codes: 0 done, 1 failed, 2 usage, 4 no such topic, 5 no broker in time, 130 interrupted.")]
pub(crate) struct Arguments {
    /// The topic
    topic: String,
    /// Partitions; all if not given
    #[arg(short, long, value_delimiter = ',', value_name = "N,...")]
    partition: Vec<i32>,
    /// Where to begin: earliest, latest, an offset, -N for the last N, or -2h, -30m, -10s, -7d ago
    #[arg(
        long,
        default_value = "earliest",
        allow_hyphen_values = true,
        value_name = "WHERE"
    )]
    from: String,
    /// End where the partitions ended when it began
    #[arg(short = 'e', long)]
    until_end: bool,
    /// End after so many records
    #[arg(short = 'n', long, value_name = "N")]
    count: Option<u64>,
    /// The form of the output
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM")]
    output: Form,
    #[command(flatten)]
    cluster: Cluster,
}

/// Where reading begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum From {
    At(At),
    Offset(i64),
    /// So many before the end.
    Last(i64),
}

fn from(text: &str, now: i64) -> Option<From> {
    match text {
        "earliest" => return Some(From::At(At::Earliest)),
        "latest" => return Some(From::At(At::Latest)),
        _ => {}
    }
    let Some(back) = text.strip_prefix('-') else {
        return text.parse().ok().map(From::Offset);
    };
    if let Ok(last) = back.parse() {
        return Some(From::Last(last));
    }
    let unit = match back.chars().last()? {
        's' => 1_000,
        'm' => 60_000,
        'h' => 3_600_000,
        'd' => 86_400_000,
        _ => return None,
    };
    let number: i64 = back.get(..back.len() - 1)?.parse().ok()?;
    Some(From::At(At::Time(
        now.checked_sub(number.checked_mul(unit)?)?.max(0),
    )))
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_millis());
    let now = i64::try_from(now).unwrap_or(i64::MAX);
    let Some(begin) = from(&arguments.from, now) else {
        let why = "it is none of earliest, latest, an offset, -N, -2h".to_owned();
        return Err(Failure::told(
            Exit::Usage,
            format!("--from {}", arguments.from),
            why,
            "Look at --help",
        ));
    };
    wait_for(async {
        let kafka = arguments.cluster.connect().await?;
        let what = format!("cannot read {}", arguments.topic);
        let failed = |error: Error| failure(&what, &error);
        let partitions = partitions(&kafka, arguments).await?;
        let (sender, mut records) = mpsc::channel(1_000);
        let mut readers = tokio::task::JoinSet::new();
        for number in partitions {
            let place = kafka.partition(&arguments.topic, number);
            let (next, end) = bounds(&place, begin, arguments.until_end)
                .await
                .map_err(failed)?;
            readers.spawn(read(place, number, next, end, sender.clone()));
        }
        drop(sender);
        let mut show = Show::new(arguments.output);
        let mut left = arguments.count.unwrap_or(u64::MAX);
        while left > 0 {
            let next = if records.is_empty() {
                // A reader at a terminal sees what is there before we wait.
                show.flush()?;
                tokio::select! {
                    next = records.recv() => next,
                    _ = tokio::signal::ctrl_c() => return show.end().map(|()| Exit::Interrupted),
                }
            } else {
                records.recv().await
            };
            match next {
                Some((partition, Ok(record))) => {
                    show_record(&mut show, arguments, partition, &record)?;
                    left -= 1;
                }
                Some((partition, Err(error))) => {
                    show.end()?;
                    return Err(failure(
                        &format!("cannot read {} partition {partition} on", arguments.topic),
                        &error,
                    ));
                }
                None => break,
            }
        }
        show.end()?;
        Ok(Exit::Done)
    })
}

async fn partitions(kafka: &Client, arguments: &Arguments) -> Result<Vec<i32>, Failure> {
    if !arguments.partition.is_empty() {
        return Ok(arguments.partition.clone());
    }
    let topic = arguments.topic.as_str();
    let known = kafka
        .metadata(Some(&[topic]))
        .await
        .map_err(|error| failure(&format!("cannot read {topic}"), &error))?;
    match known.topics.get(topic) {
        Some(known) => Ok(known.partitions.keys().copied().collect()),
        None => {
            // Asked of a partition, the client says why in the broker's words.
            let error = kafka.partition(topic, 0).offset(At::Latest).await.err();
            let error = error.map(|error| failure(&format!("cannot read {topic}"), &error));
            Err(error.unwrap_or_else(|| {
                Failure::told(
                    Exit::Failed,
                    format!("cannot read {topic}"),
                    "it was just made".to_owned(),
                    "Try again",
                )
            }))
        }
    }
}

/// The first offset to read, and the one before which to end.
async fn bounds(place: &Partition, begin: From, until_end: bool) -> Result<(i64, i64), Error> {
    let end = if until_end {
        place.offset(At::Latest).await?
    } else {
        i64::MAX
    };
    let next = match begin {
        From::At(at) => place.offset(at).await?,
        From::Offset(offset) => offset,
        From::Last(last) => {
            let (first, end) = (
                place.offset(At::Earliest).await?,
                place.offset(At::Latest).await?,
            );
            end.saturating_sub(last).max(first)
        }
    };
    Ok((next, end))
}

type Read = (i32, Result<Stored, Error>);

/// Reads a partition until its end, or until nobody wants more.
async fn read(place: Partition, number: i32, mut next: i64, end: i64, to: mpsc::Sender<Read>) {
    while next < end {
        let fetched = match place.fetch(next).await {
            Ok(fetched) => fetched,
            Err(error) => {
                let _ = to.send((number, Err(error))).await;
                return;
            }
        };
        for record in fetched.records {
            if record.offset >= end || to.send((number, Ok(record))).await.is_err() {
                return;
            }
        }
        next = fetched.next;
    }
}

fn show_record(
    show: &mut Show,
    arguments: &Arguments,
    partition: i32,
    record: &Stored,
) -> Result<(), Failure> {
    if arguments.output == Form::Text {
        return show.bytes(record.value.as_deref().unwrap_or_default());
    }
    let mut fields = Map::new();
    fields.insert("topic".to_owned(), json!(arguments.topic));
    fields.insert("partition".to_owned(), json!(partition));
    fields.insert("offset".to_owned(), json!(record.offset));
    fields.insert("timestamp".to_owned(), json!(record.timestamp));
    text::put(&mut fields, "key", record.key.as_deref());
    text::put(&mut fields, "value", record.value.as_deref());
    let headers = record.headers.iter().map(|header| {
        let mut fields = Map::new();
        text::put(&mut fields, "name", Some(&header.name));
        text::put(&mut fields, "value", header.value.as_deref());
        Value::Object(fields)
    });
    fields.insert("headers".to_owned(), headers.collect());
    show.item(String::new, || Value::Object(fields))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_as_people_write_them() {
        let now = 10 * 86_400_000;
        let rows = [
            ("earliest", Some(From::At(At::Earliest))),
            ("latest", Some(From::At(At::Latest))),
            ("17", Some(From::Offset(17))),
            ("-17", Some(From::Last(17))),
            ("-2h", Some(From::At(At::Time(now - 7_200_000)))),
            ("-7d", Some(From::At(At::Time(now - 7 * 86_400_000)))),
            ("-99999d", Some(From::At(At::Time(0)))),
            ("-99999999999999999999d", None),
            ("-h", None),
            ("-2x", None),
            ("-", None),
            ("-2ä", None),
            ("soon", None),
            ("", None),
        ];
        for (text, place) in rows {
            assert_eq!(from(text, now), place, "{text:?}");
        }
    }
}
