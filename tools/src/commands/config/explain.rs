//! `sawlog config explain`: what a setting means. Decides how it is told; the table of keys says what is told, and a name
//! that stands in no row is answered with the nearest that does.

use sawlog_broker::environment;
use sawlog_core::config::{self, Entry, Scope, Standing, When};
use serde_json::{Value, json};

use crate::exit::{Exit, Failure};
use crate::show::{Form, Show};

/// Explain settings: type and bounds, default, whose it is, when it may change, what it does.
///
/// A name of Kafka's that nothing here acts on is told as such, with exit code 7.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  sawlog config explain retention.ms
  sawlog config explain log.dirs min.insync.replicas -o json
  sawlog config explain KAFKA_LOG_RETENTION_HOURS

Exit codes: 0 explained, 2 usage, 4 there is no setting of this name, 7 one that is refused.")]
pub(super) struct Explain {
    /// Names of settings, or of their variables in the environment
    #[arg(required = true, value_name = "KEY")]
    keys: Vec<String>,
    /// The form of the output
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM")]
    output: Form,
}

/// Explains each.
pub(super) fn explain(arguments: &Explain) -> Result<Exit, Failure> {
    let mut show = Show::new(arguments.output);
    let (mut exit, mut shown) = (Exit::Done, 0);
    for key in &arguments.keys {
        let name = match key.starts_with("KAFKA_") {
            true => environment::setting_of(key),
            false => key.clone(),
        };
        let entries: Vec<Entry> = config::entries()
            .filter(|entry| entry.name == name)
            .collect();
        if entries.is_empty() {
            show.end()?;
            return Err(unknown(&name));
        }
        for entry in entries {
            if entry.standing == Standing::Refused {
                exit = Exit::Problem;
            }
            if shown > 0 {
                show.heading(String::new)?;
            }
            show.item(|| text(&entry), || object(&entry))?;
            shown += 1;
        }
    }
    show.end()?;
    Ok(exit)
}

/// What to try instead of a name that means nothing.
pub(super) fn nearest(name: &str) -> String {
    match config::alike(name) {
        Some(near) => format!("Did you mean {near}?"),
        None => "`sawlog config describe` shows which there are".to_owned(),
    }
}

fn unknown(name: &str) -> Failure {
    let attempt = nearest(name);
    let why = "there is no setting of this name".to_owned();
    let name: String = name.chars().take(80).collect();
    Failure::told(
        Exit::NotFound,
        format!("cannot explain {name}"),
        why,
        &attempt,
    )
}

fn scope(entry: &Entry) -> &'static str {
    match entry.scope {
        Scope::Broker => "broker",
        Scope::Topic => "topic",
    }
}

fn standing(entry: &Entry) -> &'static str {
    match entry.standing {
        Standing::Acts => "acts",
        Standing::Shown => "shown",
        Standing::Moot => "moot",
        Standing::Refused => "refused",
    }
}

fn text(entry: &Entry) -> String {
    let mut lines = vec![format!("{} (of a {})", entry.name, scope(entry))];
    lines.push(format!("  {}", entry.text));
    let mut row = |title: &str, value: &str| lines.push(format!("  {title:<12}{value}"));
    match (entry.standing, entry.kind) {
        (Standing::Acts, Some(kind)) => row("value", &kind.to_string()),
        (Standing::Shown, _) => row("value", "only its default: it says what holds anyway"),
        (Standing::Moot, Some(kind)) => row(
            "value",
            &format!("{kind}; a warning at the start says that it changes nothing"),
        ),
        _ => row("value", "none: it is refused by name"),
    }
    if !entry.default.is_empty() {
        row("default", entry.default);
    }
    if entry.standing != Standing::Refused {
        match (entry.scope, entry.when) {
            (Scope::Broker, When::AtStart) => row("changes", "at a start only"),
            (Scope::Broker, When::Running) => {
                row("changes", "at any time, for one broker or for all of them");
            }
            (Scope::Topic, _) => row("changes", "at any time"),
        }
    }
    match entry.scope {
        Scope::Broker => row("environment", &environment::variable(entry.name)),
        Scope::Topic if !entry.broker.is_empty() => {
            row("else", &format!("{} of the broker", entry.broker))
        }
        Scope::Topic => {}
    }
    lines.join("\n")
}

fn object(entry: &Entry) -> Value {
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    json!({
        "name": entry.name,
        "scope": scope(entry),
        "standing": standing(entry),
        "value": entry.kind.map(|kind| kind.to_string()),
        "default": some(entry.default),
        "restart": entry.standing != Standing::Refused && entry.when == When::AtStart,
        "broker": some(entry.broker),
        "text": entry.text,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_is_explained_with_all_that_is_known_of_it() {
        for entry in config::entries() {
            let (text, object) = (text(&entry), object(&entry));
            for word in [entry.name, entry.text, entry.default, entry.broker] {
                assert!(text.contains(word), "{text}");
            }
            assert_eq!(object["name"], entry.name);
            assert_eq!(object["standing"], standing(&entry));
        }
        let one = |scope| {
            let mut all = config::entries();
            all.find(|entry| entry.name == "retention.ms" && entry.scope == scope)
        };
        assert!(one(Scope::Broker).is_none());
        let told = text(&one(Scope::Topic).unwrap());
        assert!(told.contains("log.retention.ms of the broker"), "{told}");
    }
}
