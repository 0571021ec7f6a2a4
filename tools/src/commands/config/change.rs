//! Settings changed and taken back. Decides what is asked for, and shows what it comes to before it is done; whether it may
//! be, the broker decides.

use sawlog_client::{Client, Config, ConfigChange, Resource};

use super::look::{own, settings};
use super::{Delete, Set, explain, present, title};
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
        let found = settings(&kafka, &resource).await.unwrap_or_default();
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
    Ok(tally.exit())
}

pub(super) async fn delete(arguments: &Delete) -> Result<Exit, Failure> {
    let kafka = arguments.how.cluster.connect().await?;
    let mut tally = Tally::default();
    for resource in present(&kafka, arguments.whose.resources(), &mut tally).await? {
        let what = format!("cannot change {}", title(&resource));
        let found = match settings(&kafka, &resource).await {
            Ok(found) => found,
            Err(error) => {
                tally.count(&what, &Err(error));
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
    Ok(tally.exit())
}

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
        if tally.count(what, result) {
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
        Some(said) => format!("{} ({})", shown(said.value.as_ref()), said.source.name()),
        None => "what the brokers have".to_owned(),
    }
}
