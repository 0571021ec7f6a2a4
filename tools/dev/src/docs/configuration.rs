//! The reference of settings, broker and topic, from the configuration table.
//! Decides the columns and their order; every word about a setting is its row's own.

use sawlog_core::config::{Entry, Scope, Standing, When, entries};

use super::{cell, head};

pub(super) fn page() -> String {
    let mut page = head("Configuration", "broker/core/src/config/table.rs");
    page.push_str(
        "A name stands in one of four places. A key that **acts** does what its text says. A key that is **shown** has one \
         value, which says what holds anyway: it is told to whoever asks, and taken where it says just that. A key that is \
         **refused** is one that Kafka knows and nothing here acts on yet: it is refused by name, never ignored. One \
         that is **moot** is about threads and queues inside Kafka's own broker: files written for Kafka may keep it, and a \
         warning at the start says that it changes nothing. Any other name is refused with the nearest one known.\n\n\
         A setting of the broker comes from `-X name=value`, else from the environment (`KAFKA_LOG_RETENTION_HOURS` is \
         `log.retention.hours`), else from the file that `--config` names. Those that may change while the broker runs may \
         be set for one broker, or for all of them under the name of none, by any tool that alters configurations; what is \
         set so comes before what the start was given, and one broker's before that of all. A setting of a topic is given \
         when it is created or changed at any time; where it is not given, the broker's setting beside it counts.\n",
    );
    page.push_str(
        "\n## Broker\n\n| Name | | Value | Default | May change | What it does |\n|---|---|---|---|---|---|\n",
    );
    for entry in listed(Scope::Broker) {
        let when = match entry.when {
            When::AtStart => "at a start",
            When::Running => "at any time",
        };
        page.push_str(&row(&entry, when));
    }
    page.push_str(
        "\n## Topic\n\n| Name | | Value | Default | Broker's setting | What it does |\n|---|---|---|---|---|---|\n",
    );
    for entry in listed(Scope::Topic) {
        let broker = match entry.broker {
            "" => String::new(),
            name => format!("`{name}`"),
        };
        page.push_str(&row(&entry, &broker));
    }
    for (scope, title) in [(Scope::Broker, "broker"), (Scope::Topic, "topic")] {
        page.push_str(&format!("\n## Refused, of a {title}\n\n"));
        let names: Vec<String> = entries()
            .filter(|entry| entry.scope == scope && entry.standing == Standing::Refused)
            .map(|entry| format!("`{}`", entry.name))
            .collect();
        page.push_str(&names.join(", "));
        page.push('\n');
    }
    page
}

/// What has a row of its own.
fn listed(scope: Scope) -> impl Iterator<Item = Entry> {
    entries().filter(move |entry| entry.scope == scope && entry.standing != Standing::Refused)
}

fn row(entry: &Entry, middle: &str) -> String {
    let default = match entry.default {
        "" => "none".to_owned(),
        default => format!("`{default}`"),
    };
    let standing = match entry.standing {
        Standing::Acts => "acts",
        Standing::Shown => "shown",
        Standing::Moot => "moot",
        Standing::Refused => "refused",
    };
    let kind = match entry.standing {
        Standing::Acts | Standing::Moot => {
            entry.kind.map(|kind| kind.to_string()).unwrap_or_default()
        }
        _ => "only its default".to_owned(),
    };
    format!(
        "| `{}` | {standing} | {} | {default} | {middle} | {} |\n",
        entry.name,
        cell(&kind),
        cell(entry.text)
    )
}
