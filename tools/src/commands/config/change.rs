//! Settings changed and taken back. Decides what is asked for, and shows what it comes to before it is done; whether it may
//! be, the broker decides.

use sawlog_client::{Client, Config, ConfigChange, Resource};

use super::look::{own, settings};
use super::{Delete, Set, explain, name, present, thing, title};
use crate::cluster::exit_of;
use crate::exit::{Exit, Failure, say};
use crate::tally::{How, Tally};

pub(super) async fn set(arguments: &Set) -> Result<Exit, Failure> {
    let mut changes = Vec::new();
    for text in &arguments.pairs {
        let (key, value) = pair(text)?;
        changes.push(ConfigChange::Set(key, value));
    }
    for text in &arguments.append {
        let (key, value) = pair(text)?;
        changes.push(ConfigChange::Append(key, value));
    }
    for text in &arguments.subtract {
        let (key, value) = pair(text)?;
        changes.push(ConfigChange::Subtract(key, value));
    }
    let kafka = arguments.how.cluster.connect().await?;
    let mut tally = Tally::default();
    for resource in present(&kafka, arguments.whose.resources(), &mut tally).await? {
        let what = format!("cannot change {}", title(&resource));
        // Who may change what he may not see is not kept from it.
        let found = match settings(&kafka, &resource).await {
            Ok(found) => found,
            // Of what is not there nothing is to change, whether it is tried or only judged.
            Err(error) if exit_of(&error) == Exit::NotFound => {
                tally.changed(&name(&resource), thing(&resource), &what, &Err(error));
                continue;
            }
            Err(_) => Vec::new(),
        };
        for change in &changes {
            say(&format!("{}: {}", title(&resource), step(change, &found)));
        }
        change(
            &kafka,
            &resource,
            changes.clone(),
            &arguments.how,
            &what,
            &mut tally,
        )
        .await?;
    }
    tally.end(arguments.how.results, SHOWN, arguments.how.mode())
}

pub(super) async fn delete(arguments: &Delete) -> Result<Exit, Failure> {
    let kafka = arguments.how.cluster.connect().await?;
    let mut tally = Tally::default();
    for resource in present(&kafka, arguments.whose.resources(), &mut tally).await? {
        let what = format!("cannot change {}", title(&resource));
        let found = match settings(&kafka, &resource).await {
            Ok(found) => found,
            Err(error) => {
                tally.changed(&name(&resource), thing(&resource), &what, &Err(error));
                continue;
            }
        };
        let mut changes = Vec::new();
        for key in &arguments.keys {
            let config = found.iter().find(|config| config.name == *key);
            match config.map(|config| (config, config.source == own(&resource))) {
                Some((config, true)) => {
                    let was = shown(config.value.as_ref());
                    let next = next(config, &resource);
                    say(&format!("{}: {key} {was} -> {next}", title(&resource)));
                    changes.push(ConfigChange::Unset(key.clone()));
                }
                Some((_, false)) => say(&format!(
                    "{}: {key} is not set, and stays",
                    title(&resource)
                )),
                // What all brokers are given names nothing that was not given.
                None if resource == Resource::Brokers => {
                    say(&format!(
                        "{}: {key} is not set, and stays",
                        title(&resource)
                    ));
                }
                None => {
                    let (what, why) =
                        (format!("{what}: {key}"), "there is no setting of this name");
                    tally.untried(&name(&resource), thing(&resource), &format!("{key}: {why}"));
                    tally.refuse(Exit::NotFound, what, why, explain::nearest(key));
                }
            }
        }
        if !changes.is_empty() {
            change(
                &kafka,
                &resource,
                changes,
                &arguments.how,
                &what,
                &mut tally,
            )
            .await?;
        }
    }
    tally.end(arguments.how.results, SHOWN, arguments.how.mode())
}

/// What is shown of whose settings were to be changed.
const SHOWN: &[&str] = &["resource", "name", "done", "error"];

async fn change(
    kafka: &Client,
    resource: &Resource,
    changes: Vec<ConfigChange>,
    how: &How,
    what: &str,
    tally: &mut Tally,
) -> Result<(), Failure> {
    let done = kafka
        .alter_configs(&[(resource.clone(), changes)], how.mode())
        .await;
    for (_, result) in &done {
        if tally.changed(&name(resource), thing(resource), what, result) {
            how.say("changed", &title(resource));
        }
    }
    Ok(())
}

/// `KEY=VALUE`.
fn pair(text: &str) -> Result<(String, String), Failure> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err(Failure::told(
            Exit::Usage,
            format!("cannot set {text}"),
            "a setting is KEY=VALUE".to_owned(),
            "For example retention.ms=3600000; `sawlog config delete` takes one back",
        )),
    }
}

/// What a change comes to, by what is there.
fn step(change: &ConfigChange, found: &[Config]) -> String {
    let was = |key: &String| {
        let config = found.iter().find(|config| config.name == *key);
        config.map_or_else(|| "-".to_owned(), |config| shown(config.value.as_ref()))
    };
    match change {
        ConfigChange::Set(key, value) => format!("{key} {} -> {value}", was(key)),
        ConfigChange::Append(key, value) => format!("{key} {} and {value}", was(key)),
        ConfigChange::Subtract(key, value) => format!("{key} {} without {value}", was(key)),
        ConfigChange::Unset(key) => format!("{key} {} -> its default", was(key)),
        _ => "something that this tool has no words for".to_owned(),
    }
}

fn shown(value: Option<&String>) -> String {
    match value.map(String::as_str) {
        None => "-".to_owned(),
        Some("") => "''".to_owned(),
        Some(value) => value.to_owned(),
    }
}

/// What holds once this one's own word is gone, and who says so.
fn next(config: &Config, resource: &Resource) -> String {
    let mut said = config.synonyms.iter();
    match said.find(|said| said.source != own(resource)) {
        Some(said) => {
            let value = said.value.as_deref();
            let value = value.map(|value| in_unit_of(&config.name, &said.name, value));
            format!("{} ({})", shown(value.as_ref()), said.source.name())
        }
        None => "what the brokers have".to_owned(),
    }
}

/// Units of time that names of settings end with, in milliseconds.
const UNITS: [(&str, i64); 3] = [(".ms", 1), (".minutes", 60_000), (".hours", 3_600_000)];

/// A value that was said under a name with another unit, as log.retention.hours says what log.retention.ms is.
fn in_unit_of(name: &str, said: &str, value: &str) -> String {
    let millis = |name: &str| {
        let mut units = UNITS.iter();
        units.find_map(|(end, millis)| name.ends_with(end).then_some(*millis))
    };
    let converted = || {
        let (own, other) = (millis(name)?, millis(said)?);
        // Below zero it stands for something, and in any unit for the same.
        let number = value.parse::<i64>().ok().filter(|number| *number >= 0)?;
        let whole = number.checked_mul(other)?;
        (own != other && whole % own == 0).then(|| (whole / own).to_string())
    };
    converted().unwrap_or_else(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_default_is_told_in_the_unit_of_the_setting_that_is_taken_back() {
        for (name, said, value, told) in [
            (
                "log.retention.ms",
                "log.retention.hours",
                "168",
                "604800000",
            ),
            ("log.retention.ms", "log.retention.minutes", "5", "300000"),
            ("retention.ms", "log.retention.ms", "7200000", "7200000"),
            ("log.retention.ms", "log.retention.hours", "-1", "-1"),
            ("log.roll.hours", "log.roll.ms", "7200000", "2"),
            ("log.roll.hours", "log.roll.ms", "1", "1"),
            ("segment.bytes", "log.segment.bytes", "16777216", "16777216"),
            (
                "log.retention.ms",
                "log.retention.hours",
                "9223372036854775807",
                "9223372036854775807",
            ),
        ] {
            assert_eq!(in_unit_of(name, said, value), told, "{name} by {said}");
        }
    }
}
