//! What kinds of values settings have, how text becomes one, and what is said of text that does not.
//! Decides types and bounds; knows no setting by name.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

/// The kind of a setting's value, with its bounds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// `true` or `false`.
    Bool,
    /// A whole number, both bounds included.
    Int(i64, i64),
    /// Any text but none.
    Text,
    /// A path. Kafka takes several with commas between; there is one here.
    OneDirectory,
    /// Texts between commas, at least one.
    List,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// Some of these words between commas, at least one.
    Words(&'static [&'static str]),
}

/// A value of its kind.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Value {
    /// Of [`Kind::Bool`].
    Bool(bool),
    /// Of [`Kind::Int`].
    Int(i64),
    /// Of [`Kind::Text`], [`Kind::OneDirectory`] and [`Kind::OneOf`].
    Text(String),
    /// Of [`Kind::List`].
    List(Vec<String>),
}

impl Kind {
    /// Reads a value; blanks around it do not count, as in Kafka. The error says what is wrong with it.
    pub fn parse(self, text: &str) -> Result<Value, String> {
        let text = text.trim();
        if text.is_empty() {
            return Err("it has no value".to_string());
        }
        match self {
            Kind::Bool => match text {
                _ if text.eq_ignore_ascii_case("true") => Ok(Value::Bool(true)),
                _ if text.eq_ignore_ascii_case("false") => Ok(Value::Bool(false)),
                _ => Err("it is neither true nor false".to_string()),
            },
            Kind::Int(least, most) => match text.parse::<i64>() {
                Ok(number) if number < least => Err(format!("it is below {least}")),
                Ok(number) if number > most => Err(format!("it is above {most}")),
                Ok(number) => Ok(Value::Int(number)),
                Err(_) => Err("it is not a whole number".to_string()),
            },
            Kind::OneDirectory if text.contains(',') => {
                Err("there is one log directory, not several".to_string())
            }
            Kind::Text | Kind::OneDirectory => Ok(Value::Text(text.to_string())),
            Kind::List => Ok(Value::List(
                text.split(',')
                    .map(|item| item.trim().to_string())
                    .collect(),
            )),
            Kind::Words(words) => {
                let items: Vec<String> = text
                    .split(',')
                    .map(|item| item.trim().to_string())
                    .collect();
                if items.iter().all(|item| words.contains(&item.as_str())) {
                    Ok(Value::List(items))
                } else {
                    Err("some of it is none of the words known".to_string())
                }
            }
            Kind::OneOf(words) if words.contains(&text) => Ok(Value::Text(text.to_string())),
            Kind::OneOf(_) => Err("it is none of the words known".to_string()),
        }
    }
}

impl fmt::Display for Kind {
    /// After "Give".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::Bool => f.write_str("true or false"),
            Kind::Int(least, i64::MAX) => write!(f, "a whole number of at least {least}"),
            Kind::Int(i64::MIN, _) => f.write_str("a whole number"),
            Kind::Int(least, most) => write!(f, "a whole number from {least} to {most}"),
            Kind::Text => f.write_str("a text"),
            Kind::OneDirectory => {
                f.write_str("one directory; a file system can span several disks")
            }
            Kind::List => f.write_str("one value, or several with commas between"),
            Kind::OneOf(words) => write!(f, "one of: {}", words.join(", ")),
            Kind::Words(words) => write!(f, "some of: {}", words.join(", ")),
        }
    }
}

impl Value {
    /// The number; 0 of another kind, which the row's kind excludes.
    pub(super) fn int(&self) -> i64 {
        match self {
            Value::Int(number) => *number,
            _ => 0,
        }
    }

    /// The number, for fields without a sign: negative ones become 0.
    pub(super) fn unsigned(&self) -> u64 {
        u64::try_from(self.int()).unwrap_or(0)
    }

    /// The text; empty of another kind.
    pub(super) fn text(&self) -> &str {
        match self {
            Value::Text(text) => text,
            _ => "",
        }
    }

    /// The items; none of another kind.
    pub(super) fn list(&self) -> &[String] {
        match self {
            Value::List(items) => items,
            _ => &[],
        }
    }
}
