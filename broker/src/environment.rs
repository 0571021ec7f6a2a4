//! Reads a broker's settings from the environment, by the rules of Apache Kafka's own container image: `KAFKA_` before the
//! name, `_` for a dot, `__` for an underscore, `___` for a dash. Decides which variables are meant for a broker; what
//! their values mean is the table of keys' affair.

use sawlog_core::config;

/// What the image keeps for its scripts and for Java.
const NOT_SETTINGS: &[&str] = &[
    "KAFKA_VERSION",
    "KAFKA_HEAP_OPTS",
    "KAFKA_LOG4J_OPTS",
    "KAFKA_OPTS",
    "KAFKA_JMX_OPTS",
    "KAFKA_JVM_PERFORMANCE_OPTS",
    "KAFKA_GC_LOG_OPTS",
    "KAFKA_LOG4J_ROOT_LOGLEVEL",
    "KAFKA_LOG4J_LOGGERS",
    "KAFKA_TOOLS_LOG4J_LOGLEVEL",
    "KAFKA_JMX_HOSTNAME",
];

/// What the environment says.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Environment {
    /// Settings, by Kafka's names.
    pub settings: Vec<(String, String)>,
    /// What is worth a line at the start.
    pub warnings: Vec<String>,
}

/// Reads variables. One whose name is like no setting at all is left alone, with a warning: others use the prefix too
/// (`KAFKA_HOME`; `KAFKA_PORT_9092_TCP_ADDR` in Kubernetes beside a service of that name). One that is like a setting is
/// taken for it, so that a slip is answered with the name that was meant, as anywhere else.
pub fn read(variables: impl IntoIterator<Item = (String, String)>) -> Environment {
    let mut found = Environment::default();
    let mut variables: Vec<_> = variables.into_iter().collect();
    variables.sort();
    for (variable, value) in variables {
        let Some(rest) = variable.strip_prefix("KAFKA_") else {
            continue;
        };
        if rest.is_empty() || NOT_SETTINGS.contains(&&*variable) {
            continue;
        }
        let name = setting(rest);
        if config::entries().any(|entry| entry.name == name) || config::alike(&name).is_some() {
            found.settings.push((name, value));
            continue;
        }
        found.warnings.push(if name == swapped(rest) {
            format!("{variable} is not a setting that is known ({name}); it is left alone")
        } else {
            format!(
                "{variable} is not a setting that is known ({name}); it is left alone. Two underscores are one underscore \
                 and three are a dash, as in Apache Kafka's image; Confluent's image swaps them ({})",
                swapped(rest)
            )
        });
    }
    found
}

/// The variable of a setting.
pub fn variable(setting: &str) -> String {
    let mut variable = String::from("KAFKA_");
    for letter in setting.chars() {
        match letter {
            '.' => variable.push('_'),
            '_' => variable.push_str("__"),
            '-' => variable.push_str("___"),
            letter => variable.push(letter.to_ascii_uppercase()),
        }
    }
    variable
}

/// The setting of a variable.
pub fn setting_of(variable: &str) -> String {
    setting(variable.strip_prefix("KAFKA_").unwrap_or(variable))
}

/// The setting of a variable, without its prefix.
fn setting(rest: &str) -> String {
    spelt(rest, "-", "_")
}

/// The same as Confluent's image reads it.
fn swapped(rest: &str) -> String {
    spelt(rest, "_", "-")
}

fn spelt(rest: &str, three: &str, two: &str) -> String {
    rest.to_ascii_lowercase()
        .replace('_', ".")
        .replace("...", three)
        .replace("..", two)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(variables: &[(&str, &str)]) -> Environment {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        read(variables.iter().map(owned))
    }

    #[test]
    fn every_setting_has_a_variable_that_is_read_as_it() {
        for entry in config::entries() {
            let found = found(&[(&variable(entry.name), "x")]);
            assert_eq!(found.settings, [(entry.name.to_owned(), "x".to_owned())]);
            assert_eq!(found.warnings, [] as [String; 0]);
        }
        for (name, expected) in [
            ("log.retention.hours", "KAFKA_LOG_RETENTION_HOURS"),
            ("a_b.c-d", "KAFKA_A__B_C___D"),
        ] {
            assert_eq!(variable(name), expected);
            assert_eq!(setting(expected.trim_start_matches("KAFKA_")), name);
        }
    }

    #[test]
    fn what_is_like_a_setting_is_taken_for_it_and_what_is_like_none_is_left_alone_with_a_word() {
        let slip = found(&[("KAFKA_LOG_RETENTION_HOUR", "5"), ("PATH", "/bin")]);
        let expected = [("log.retention.hour".to_owned(), "5".to_owned())];
        assert_eq!(slip.settings, expected);
        for name in [
            "KAFKA_HOME",
            "KAFKA_PORT_9092_TCP_ADDR",
            "KAFKA_SERVICE_HOST",
        ] {
            let found = found(&[(name, "5")]);
            assert_eq!(found.settings, []);
            assert!(found.warnings[0].starts_with(name), "{found:?}");
        }
        let java = found(&[("KAFKA_HEAP_OPTS", "-Xmx1g"), ("KAFKA_", "x")]);
        assert_eq!(java, Environment::default());
    }

    #[test]
    fn confluents_spelling_gives_a_warning_with_both_readings() {
        let found = found(&[("KAFKA_ACME___INC__NAME", "x")]);
        let said = &found.warnings[0];
        assert!(said.contains("(acme-inc_name)"), "{said}");
        assert!(said.contains("swaps them (acme_inc-name)"), "{said}");
    }
}
