//! Topics made, changed, trimmed and deleted. Decides what is asked for and what is said of each; what cannot be undone is
//! shown and asked about first.

use std::io::{IsTerminal, stdin};
use std::sync::Arc;

use sawlog_client::{At, ConfigChange, Mode, NewTopic, Place, Resource};
use serde_json::{Value, json};

use super::look::{Ends, places, topics};
use super::{AddPartitions, Alter, Create, Delete, Sure, Trim};
use crate::cluster::failure;
use crate::exit::{Exit, Failure, say};
use crate::tally::Tally;
use crate::when;

/// What is shown of a topic that was to be changed.
pub(super) const TOPIC: &[&str] = &["topic", "done", "error"];
/// The same of a partition.
const PARTITION: &[&str] = &["topic", "partition", "first", "done", "error"];

/// A partition, and where it begins now.
fn part(place: &Place, first: Option<i64>) -> Value {
    json!({"topic": &*place.0, "partition": place.1, "first": first})
}

/// `KEY=VALUE`.
fn pair(option: &str, text: &str) -> Result<(String, String), Failure> {
    let usage = || {
        let why = "a setting is KEY=VALUE".to_owned();
        Failure::told(
            Exit::Usage,
            format!("{option} {text}"),
            why,
            "For example --config retention.ms=3600000",
        )
    };
    let (key, value) = text.split_once('=').ok_or_else(usage)?;
    Ok((key.to_owned(), value.to_owned()))
}

pub(super) async fn create(arguments: &Create) -> Result<Exit, Failure> {
    let mut topics = Vec::new();
    for name in &arguments.topics {
        let mut topic = NewTopic::new(name);
        if let Some(partitions) = arguments.partitions {
            topic = topic.partitions(partitions);
        }
        if let Some(replicas) = arguments.replication {
            topic = topic.replication(replicas);
        }
        for text in &arguments.config {
            let (key, value) = pair("--config", text)?;
            topic = topic.config(&key, &value);
        }
        topics.push(topic);
    }
    let how = &arguments.how;
    let kafka = how.cluster.connect().await?;
    let made = kafka.create_or_judge(topics, how.mode()).await;
    let made = made.map_err(|error| failure("cannot create topics", &error))?;
    let mut tally = Tally::default();
    for (name, result) in &made {
        let what = format!("cannot create {name}");
        if tally.changed(name, json!({"topic": name}), &what, result) {
            how.say("created", name);
        }
    }
    tally.end(how.results, TOPIC, how.mode())
}

pub(super) async fn alter(arguments: &Alter) -> Result<Exit, Failure> {
    let mut changes = Vec::new();
    for text in &arguments.changes.config {
        let (key, value) = pair("--config", text)?;
        changes.push(ConfigChange::Set(key, value));
    }
    let unset = arguments.changes.unset.iter().cloned();
    changes.extend(unset.map(ConfigChange::Unset));
    let how = &arguments.how;
    let kafka = how.cluster.connect().await?;
    let topic = |name: &String| (Resource::Topic(name.clone()), changes.clone());
    let wanted: Vec<_> = arguments.topics.iter().map(topic).collect();
    let done = kafka.alter_configs(&wanted, how.mode()).await;
    let mut tally = Tally::default();
    for (name, (_, result)) in arguments.topics.iter().zip(&done) {
        let what = format!("cannot change {name}");
        if tally.changed(name, json!({"topic": name}), &what, result) {
            how.say("changed", name);
        }
    }
    tally.end(how.results, TOPIC, how.mode())
}

pub(super) async fn add_partitions(arguments: &AddPartitions) -> Result<Exit, Failure> {
    let how = &arguments.how;
    let kafka = how.cluster.connect().await?;
    let wanted: Vec<_> = arguments
        .topics
        .iter()
        .map(|name| (name.as_str(), arguments.total))
        .collect();
    let done = kafka.create_partitions(&wanted, how.mode()).await;
    let done = done.map_err(|error| failure("cannot add partitions", &error))?;
    let mut tally = Tally::default();
    for (name, result) in &done {
        let what = format!("cannot add partitions to {name}");
        if tally.changed(name, json!({"topic": name}), &what, result) {
            how.say(
                "extended",
                &format!("{name} to {} partitions", arguments.total),
            );
        }
    }
    tally.end(how.results, TOPIC, how.mode())
}

pub(super) async fn delete(arguments: &Delete) -> Result<Exit, Failure> {
    let kafka = arguments.cluster.connect().await?;
    let mut tally = Tally::default();
    let mut names = Vec::new();
    let mut found = topics(&kafka, &arguments.topics).await;
    let places = places(&found);
    let ends = Ends::of(&kafka, &places).await;
    for name in &arguments.topics {
        match found.remove(name) {
            Some(Ok(topic)) => {
                let partitions = topic.partitions.into_keys();
                let name: Arc<str> = name.as_str().into();
                let records = partitions.map(|number| ends.records(&(name.clone(), number)));
                let count = records.len();
                let records = records.sum::<Option<i64>>();
                let records = records.map_or("some".to_owned(), |records| records.to_string());
                say(&format!(
                    "{name}: {count} partitions, {records} records go for good"
                ));
                names.push(name);
            }
            Some(Err(error)) => {
                let what = format!("cannot delete {name}");
                tally.changed(name, json!({"topic": name}), &what, &Err(error));
            }
            // Named twice.
            None => {}
        }
    }
    let names: Vec<&str> = names.iter().map(|name| &**name).collect();
    if names.is_empty() || !arguments.sure.ask("Delete?")? {
        return tally.end(arguments.sure.results, TOPIC, Mode::Do);
    }
    let done = kafka.delete_topics(&names).await;
    let done = done.map_err(|error| failure("cannot delete topics", &error))?;
    for (name, result) in &done {
        let what = format!("cannot delete {name}");
        if tally.changed(name, json!({"topic": name}), &what, result) {
            say(&format!("deleted {name}"));
        }
    }
    tally.end(arguments.sure.results, TOPIC, Mode::Do)
}

pub(super) async fn trim(arguments: &Trim) -> Result<Exit, Failure> {
    let usage = || {
        let why = "it is none of latest, an offset, -2h, a time".to_owned();
        Failure::told(
            Exit::Usage,
            format!("--before {}", arguments.before),
            why,
            "Look at --help",
        )
    };
    let at = match arguments.before.parse::<i64>() {
        Ok(offset) if offset >= 0 => Err(offset),
        Ok(_) => return Err(usage()),
        Err(_) if arguments.before == "latest" => Ok(At::Latest),
        Err(_) => Ok(At::Time(
            when::time(&arguments.before, when::now()).ok_or_else(usage)?,
        )),
    };
    let topic = arguments.topic.as_str();
    let what = format!("cannot trim {topic}");
    let kafka = arguments.cluster.connect().await?;
    let all = kafka.partitions(topic).await;
    let all = all.map_err(|error| failure(&what, &error))?;
    let numbers = if arguments.partition.is_empty() {
        all
    } else {
        arguments.partition.clone()
    };
    let name: Arc<str> = topic.into();
    let places: Vec<Place> = numbers
        .into_iter()
        .map(|number| (name.clone(), number))
        .collect();
    let ask = |at| {
        places
            .iter()
            .map(move |place| (place.clone(), at))
            .collect::<Vec<_>>()
    };
    let first = kafka.offsets(&ask(At::Earliest)).await;
    let found = match at {
        Ok(at) => kafka.offsets(&ask(at)).await,
        Err(offset) => places
            .iter()
            .map(|place| (place.clone(), Ok(offset)))
            .collect(),
    };
    let end = kafka.offsets(&ask(At::Latest)).await;
    let mut tally = Tally::default();
    let mut plan = Vec::new();
    for place in &places {
        if let (Err(offset), Some(Ok(end))) = (at, end.get(place))
            && offset > *end
        {
            let (what, why) = (
                format!("{what} partition {}", place.1),
                format!("it ends at {end}"),
            );
            let next = "`sawlog topic offsets` shows what there is".to_owned();
            tally.untried(topic, part(place, None), &why);
            tally.refuse(Exit::Failed, what, &why, next);
            continue;
        }
        let before = found.get(place).cloned().transpose();
        let first = first.get(place).cloned().transpose();
        let both = first.and_then(|first| Ok(first.zip(before?)));
        match both {
            Ok(Some((first, before))) if before > first => {
                say(&format!(
                    "{topic} partition {}: {} records, {first} to {}, go for good",
                    place.1,
                    before - first,
                    before - 1
                ));
                plan.push((place.clone(), before));
            }
            Ok(_) => {}
            Err(error) => {
                tally.changed(topic, part(place, None), &what, &Err(error));
            }
        }
    }
    if plan.is_empty() {
        say("there is nothing to trim");
        return tally.end(arguments.sure.results, PARTITION, Mode::Do);
    }
    if !arguments.sure.ask("Trim?")? {
        return tally.end(arguments.sure.results, PARTITION, Mode::Do);
    }
    for (place, result) in kafka.delete_records(&plan).await {
        let done = result.as_ref().map(|_| ()).map_err(Clone::clone);
        let begins = result.as_ref().ok().copied();
        if tally.changed(topic, part(&place, begins), &what, &done) {
            say(&format!(
                "{topic} partition {} begins at {}",
                place.1,
                result.unwrap_or(-1)
            ));
        }
    }
    tally.end(arguments.sure.results, PARTITION, Mode::Do)
}

impl Sure {
    /// Whether to go on: asks a person, and wants `--yes` of a program.
    pub(super) fn ask(&self, question: &str) -> Result<bool, Failure> {
        if self.dry_run {
            return Ok(false);
        }
        if self.yes {
            return Ok(true);
        }
        if !stdin().is_terminal() {
            let why = "nobody is there to be asked".to_owned();
            let next = "Look at it with --dry-run, then give --yes";
            return Err(Failure::told(
                Exit::Usage,
                "nothing was done".to_owned(),
                why,
                next,
            ));
        }
        say(&format!("{question} [y/N]"));
        let mut answer = String::new();
        let read = stdin().read_line(&mut answer);
        Ok(read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes"))
    }

    pub(super) fn mode(&self) -> Mode {
        if self.dry_run {
            Mode::Validate
        } else {
            Mode::Do
        }
    }
}
