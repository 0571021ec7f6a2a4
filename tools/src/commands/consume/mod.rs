//! `sawlog consume`: records of assigned partitions, to standard output. Decides where reading begins and ends; what a
//! record looks like is the affair of `line`.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;

use sawlog_client::{Assignment, At, Client, Consumer, Error, Place, Start};
use sawlog_core::complaint::Complaint;
use sawlog_wire::Code;

use crate::cluster::{Cluster, advice, failure, wait_for};
use crate::exit::{Exit, Failure};
use crate::options;
use crate::stop::Stop;
use crate::unread::unread;
use crate::when;

mod line;
mod printer;

use line::Line;
use printer::Printer;

/// Print records of topics, by partition.
///
/// Values are printed one a line; -o json prints whole records, without loss: `sawlog produce -i json` takes them back as
/// they were. Goes on until told to stop, or until its topic is deleted: another one of that name is not read.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  sawlog consume orders --until-end              all that is there
  sawlog consume orders --tail 10                the last ten of each partition
  sawlog consume orders -p 0,3 --tail 10 -f      of two partitions, and what comes
  sawlog consume orders --from -2h --to now      what came in the last two hours
  sawlog consume files --from 2025-11-22T10:00:00Z -o json
  sawlog consume orders -n 1 -o '%p@%o %k: %v\\n'

Exit codes: 0 done, 1 failed, 2 usage, 4 no such topic, or it was deleted, 5 no broker in time, 130 interrupted.")]
pub(crate) struct Arguments {
    /// Topics
    #[arg(required = true, value_name = "TOPIC")]
    topics: Vec<String>,
    /// Partitions; all if not given
    #[arg(short, long, value_delimiter = ',', allow_negative_numbers = true, value_parser = options::partition, value_name = "N,...")]
    partition: Vec<i32>,
    /// Where to begin: earliest, latest, an offset, -N for the last N, or a time: -2h ago, RFC 3339, @ and milliseconds
    #[arg(
        long,
        default_value = "earliest",
        allow_hyphen_values = true,
        value_name = "WHERE"
    )]
    from: String,
    /// Where to end: latest, an offset, or a time, which is not read any more
    #[arg(
        long,
        allow_hyphen_values = true,
        value_name = "WHERE",
        conflicts_with = "until_end"
    )]
    to: Option<String>,
    /// The last N of each partition, and end
    #[arg(long, value_name = "N", conflicts_with = "from")]
    tail: Option<i64>,
    /// Go on with what comes: as without it, and behind --tail too
    #[arg(short, long, conflicts_with_all = ["to", "until_end"])]
    follow: bool,
    /// End where the partitions ended when it began
    #[arg(short = 'e', long)]
    until_end: bool,
    /// End after so many records: 10, 1k, 1M
    #[arg(short = 'n', long, value_parser = options::count, value_name = "N")]
    count: Option<u64>,
    /// text, json, csv, or a format: %v value, %k key, %h headers, %t topic, %p partition, %o offset, %e leader epoch,
    /// %d milliseconds since 1970, \n, \t, \xNN; %v{hex}, %v{base64}
    #[arg(short, long, default_value = "text", value_name = "FORM")]
    output: String,
    #[command(flatten)]
    cluster: Cluster,
}

/// A place that a person named.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Where {
    Earliest,
    Latest,
    Offset(i64),
    /// So many before the end.
    Last(i64),
    Time(i64),
}

fn place(text: &str, now: i64) -> Option<Where> {
    match text {
        "earliest" => return Some(Where::Earliest),
        "latest" => return Some(Where::Latest),
        _ => {}
    }
    match text.parse::<i64>() {
        // `-0` is a number too, and the end.
        Ok(number) if number < 0 || text.starts_with('-') => number.checked_neg().map(Where::Last),
        Ok(number) => Some(Where::Offset(number)),
        Err(_) => when::time(text, now).map(Where::Time),
    }
}

fn named(option: &str, text: &str, now: i64) -> Result<Where, Failure> {
    place(text, now).ok_or_else(|| {
        Failure::told(
            Exit::Usage,
            format!("{option} {text}"),
            "it is none of earliest, latest, an offset, -N, -2h, a time".to_owned(),
            "Look at --help",
        )
    })
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let now = when::now();
    let from = match arguments.tail {
        Some(last) => Where::Last(last),
        None => named("--from", &arguments.from, now)?,
    };
    let ends = arguments.until_end || arguments.tail.is_some() && !arguments.follow;
    let to = match &arguments.to {
        Some(text) => Some(named("--to", text, now)?),
        None => ends.then_some(Where::Latest),
    };
    let line = Line::parse(&arguments.output)?;
    let mut stop = Stop::listen()?;
    wait_for(async {
        let begun = tokio::select! {
            begun = begin(arguments, from, to) => begun?,
            () = stop.asked() => return Ok(Exit::Interrupted),
        };
        print(arguments, line, begun, &mut stop).await
    })
}

/// Finds where to begin and to end, and begins.
async fn begin(arguments: &Arguments, from: Where, to: Option<Where>) -> Result<Consumer, Failure> {
    let kafka = arguments.cluster.connect().await?;
    let what = format!("cannot read {}", arguments.topics.join(", "));
    let failed = |error: Error| failure(&what, &error);
    let places = places(&kafka, arguments).await?;
    let ends = ends_of(&kafka, &places, to).await.map_err(failed)?;
    if let (Where::Offset(offset), Some(Where::Latest)) = (from, to) {
        let mut both = places.iter().zip(&ends);
        let beyond = both.find(|(_, end)| end.is_some_and(|end| offset > end));
        if let Some(((topic, partition), Some(end))) = beyond {
            return Err(beyond_the_end(topic, *partition, offset, *end));
        }
    }
    let start = match from {
        Where::Earliest => Start::Earliest,
        Where::Latest => Start::Latest,
        Where::Offset(offset) => Start::Offset(offset),
        Where::Last(last) => Start::Last(last),
        Where::Time(time) => Start::Time(time),
    };
    let assigned = places
        .into_iter()
        .zip(ends)
        .map(|((topic, partition), end)| {
            let assigned = Assignment::new(topic, partition).from(start);
            end.into_iter().fold(assigned, Assignment::until)
        });
    kafka.assign(assigned).build().await.map_err(failed)
}

/// What a broker says too, of one that is asked to read on from there.
fn beyond_the_end(topic: &str, partition: i32, offset: i64, end: i64) -> Failure {
    let complaint = Complaint {
        what: format!("cannot read {topic}"),
        why: format!("partition {partition} ends at {end}, before {offset}"),
        attempt: advice(Some(Code::OffsetOutOfRange)).to_owned(),
        code: Some(Code::OffsetOutOfRange),
    };
    Failure::Told(Exit::Failed, Box::new(complaint))
}

async fn places(kafka: &Client, arguments: &Arguments) -> Result<Vec<Place>, Failure> {
    let names: Vec<&str> = arguments.topics.iter().map(String::as_str).collect();
    let mut found = match arguments.partition.as_slice() {
        [] => kafka.topics(&names).await,
        _ => BTreeMap::new(),
    };
    // Twice is once.
    let named = BTreeSet::from_iter(arguments.partition.iter().copied());
    let mut places = BTreeSet::new();
    for topic in names {
        let partitions = match found.remove(topic).transpose() {
            Ok(Some(topic)) => topic.partitions.into_keys().collect(),
            Ok(None) => named.clone(),
            Err(error) => return Err(failure(&format!("cannot read {topic}"), &error)),
        };
        let name: std::sync::Arc<str> = topic.into();
        places.extend(partitions.into_iter().map(|number| (name.clone(), number)));
    }
    Ok(places.into_iter().collect())
}

/// The offset before which to end, for each partition.
async fn ends_of(
    kafka: &Client,
    places: &[Place],
    to: Option<Where>,
) -> Result<Vec<Option<i64>>, Error> {
    let at = match to {
        None => return Ok(vec![None; places.len()]),
        Some(Where::Offset(offset)) => return Ok(vec![Some(offset); places.len()]),
        Some(Where::Earliest) => At::Earliest,
        Some(Where::Latest | Where::Last(_)) => At::Latest,
        Some(Where::Time(time)) => At::Time(time),
    };
    let before = match to {
        Some(Where::Last(last)) => last,
        _ => 0,
    };
    let wanted: Vec<_> = places.iter().map(|place| (place.clone(), at)).collect();
    let found = kafka.offsets(&wanted).await;
    let end = |place| found.get(place).cloned().transpose();
    places
        .iter()
        .map(|place| Ok(end(place)?.map(|end| end - before)))
        .collect()
}

async fn print(
    arguments: &Arguments,
    line: Line,
    mut consumer: Consumer,
    stop: &mut Stop,
) -> Result<Exit, Failure> {
    let printer = Printer::begin(line)?;
    let mut left = arguments.count.unwrap_or(u64::MAX);
    let mut ended = Ok(Exit::Done);
    // Where nothing comes, nothing is written, and a write that fails does not tell.
    let mut unread = pin!(unread());
    while left > 0 {
        let next = tokio::select! {
            next = consumer.next_batch() => next,
            () = printer.unread() => break,
            () = &mut unread => break,
            () = stop.asked() => {
                ended = Ok(Exit::Interrupted);
                break;
            }
        };
        let mut messages = match next {
            Ok(Some(batch)) => batch.messages,
            Ok(None) => break,
            Err(error) => {
                let what = format!("cannot read {} on", arguments.topics.join(", "));
                ended = Err(failure(&what, &error));
                break;
            }
        };
        messages.truncate(usize::try_from(left).unwrap_or(usize::MAX));
        left -= messages.len() as u64;
        let taken = tokio::select! {
            taken = printer.put(messages) => taken,
            () = stop.asked() => {
                ended = Ok(Exit::Interrupted);
                break;
            }
        };
        if !taken {
            break;
        }
    }
    // What was read is shown, however reading ended.
    printer.end()?;
    ended
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_as_people_write_them() {
        let now = 10 * 86_400_000;
        let rows = [
            ("earliest", Some(Where::Earliest)),
            ("latest", Some(Where::Latest)),
            ("17", Some(Where::Offset(17))),
            ("-17", Some(Where::Last(17))),
            ("-0", Some(Where::Last(0))),
            ("-2h", Some(Where::Time(now - 7_200_000))),
            ("@5", Some(Where::Time(5))),
            ("now", Some(Where::Time(now))),
            ("-99999999999999999999", None),
            ("-2x", None),
            ("soon", None),
            ("", None),
        ];
        for (text, expected) in rows {
            assert_eq!(place(text, now), expected, "{text:?}");
        }
    }
}
