//! Which topic names are legal, and which two are too much alike (KIP-4, KAFKA-2337).
//! Decides by the letters alone; whether a topic exists is the image's to say.

use alloc::string::String;

/// The longest name: `NAME-PARTITION` has to fit a file name.
pub const LENGTH_MAX: usize = 249;

/// The metadata log's own name: nobody else's.
pub const METADATA: &str = "__cluster_metadata";

/// Topics that are the brokers' own.
pub const INTERNAL: [&str; 3] = [
    "__consumer_offsets",
    "__share_group_state",
    "__transaction_state",
];

/// Why a name is not legal, if it is not.
pub fn fault(name: &str) -> Option<&'static str> {
    match name {
        "" => Some("a topic name cannot be empty"),
        "." | ".." => Some("a topic cannot be called '.' or '..'"),
        _ if name.len() > LENGTH_MAX => Some("a topic name has at most 249 letters"),
        _ if !name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)) =>
        {
            Some("a topic name is made of ASCII letters, digits, '.', '_' and '-'")
        }
        _ => None,
    }
}

/// The form in which two names are equal when their metrics would be: they may not both exist.
pub fn collapsed(name: &str) -> String {
    name.replace('.', "_")
}

/// Whether it is one of the brokers' own.
pub fn internal(name: &str) -> bool {
    INTERNAL.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_judged_as_kafka_judges_them() {
        for name in ["a", "A.b_c-9", "__x", "...", &"x".repeat(249)] {
            assert_eq!(fault(name), None, "{name}");
        }
        for name in [
            "",
            ".",
            "..",
            "a b",
            "a/b",
            "ä",
            "a:b",
            "a\0b",
            &"x".repeat(250),
        ] {
            assert!(fault(name).is_some(), "{name}");
        }
        assert_eq!(collapsed("a.b_c"), collapsed("a_b.c"));
    }
}
