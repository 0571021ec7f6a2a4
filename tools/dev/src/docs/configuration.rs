//! The reference of settings, broker and topic, from the configuration table.
//! Decides the columns and their order; every word about a setting is its row's own.

use sawlog_core::config::table::{BROKER, TOPIC};

use super::{cell, head};

pub(super) fn page() -> String {
    let mut page = head("Configuration", "broker/core/src/config/table.rs");
    page.push_str(
        "A setting of the broker is given in `server.properties` or by `-X name=value`, and read once, at the start. A \
         setting of a topic is given when the topic is created; where it is not, the broker's setting beside it counts. \
         Any other name is refused with the nearest one known.\n\n## Broker\n\n\
         | Name | Value | Default | What it does |\n|---|---|---|---|\n",
    );
    for key in BROKER {
        page.push_str(&row(
            key.name,
            &key.kind.to_string(),
            key.default,
            key.text,
            None,
        ));
    }
    page.push_str(
        "\n## Topic\n\n| Name | Value | Default | Broker's setting | What it does |\n|---|---|---|---|---|\n",
    );
    for key in TOPIC {
        page.push_str(&row(
            key.name,
            &key.kind.to_string(),
            key.default,
            key.text,
            Some(key.broker),
        ));
    }
    page
}

fn row(name: &str, kind: &str, default: &str, text: &str, broker: Option<&str>) -> String {
    let default = if default.is_empty() {
        "none".to_owned()
    } else {
        format!("`{default}`")
    };
    let broker = broker.map_or_else(String::new, |name| format!(" `{name}` |"));
    format!(
        "| `{name}` | {} | {default} |{broker} {} |\n",
        cell(kind),
        cell(text)
    )
}
