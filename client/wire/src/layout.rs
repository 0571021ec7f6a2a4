//! The layout of a message as data: which fields, in which versions, in which order.
//!
//! Decides the printed form that `layout.snap` holds; never used to read or write a message.

use core::fmt;

use crate::primitives::{At, Type};

/// A run of versions, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Versions {
    /// The first.
    pub from: i16,
    /// The last; `i16::MAX` for "and all later".
    pub to: i16,
}

impl Versions {
    /// No version.
    pub const NONE: Self = Self { from: 0, to: -1 };

    /// Whether `version` is one of them.
    #[inline]
    pub const fn contains(self, version: i16) -> bool {
        self.from <= version && version <= self.to
    }

    /// One after the other.
    pub fn iter(self) -> impl Iterator<Item = i16> {
        self.from..=self.to
    }
}

/// What holds for a field besides its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// The versions that carry it.
    pub carried: Versions,
    /// The versions in which it may be null.
    pub nullable: Versions,
    /// Its number, if it is a tagged field.
    pub tag: Option<u32>,
    /// Whether a version that lacks it may drop it silently.
    pub ignorable: bool,
}

impl Rules {
    /// A field of the versions `from..=to`.
    #[must_use]
    pub const fn carried(from: i16, to: i16) -> Self {
        let carried = Versions { from, to };
        Self {
            carried,
            nullable: Versions::NONE,
            tag: None,
            ignorable: false,
        }
    }

    /// It may be null in these versions.
    #[must_use]
    pub const fn nullable(mut self, from: i16, to: i16) -> Self {
        self.nullable = Versions { from, to };
        self
    }

    /// It is a tagged field.
    #[must_use]
    pub const fn tag(mut self, number: u32) -> Self {
        self.tag = Some(number);
        self
    }

    /// It may be dropped.
    #[must_use]
    pub const fn ignorable(mut self) -> Self {
        self.ignorable = true;
        self
    }

    /// Whether it stands among the plain fields.
    #[inline]
    pub(crate) const fn in_body(self, at: At) -> bool {
        self.tag.is_none() && self.carried.contains(at.version)
    }
}

/// A field of a [`Layout`].
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub kind: Type,
    /// Its rules.
    pub rules: Rules,
    /// Its default, if it is not the type's own.
    pub default: Option<&'static str>,
}

/// A structure: its fields in wire order.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// Its name.
    pub name: &'static str,
    /// Bytes of memory one takes, what hangs on it not counted.
    pub memory: usize,
    /// Its fields.
    pub rows: &'static [Row],
}

/// `3-13`, `9+`, or `never`.
impl fmt::Display for Versions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self { from, to } if from > to => f.write_str("never"),
            Self { from, to: i16::MAX } => write!(f, "{from}+"),
            Self { from, to } if from == to => write!(f, "{from}"),
            Self { from, to } => write!(f, "{from}-{to}"),
        }
    }
}

/// `[]string`; a structure by its name.
impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Array(of) => write!(f, "[]{of}"),
            Self::Struct(layout) => f.write_str(layout.name),
            plain => f.write_str(&format!("{plain:?}").to_lowercase()),
        }
    }
}

/// One line per field, nested ones indented.
impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.print(f, 1)
    }
}

impl Layout {
    fn print(&self, f: &mut fmt::Formatter<'_>, depth: usize) -> fmt::Result {
        for Row {
            name,
            kind,
            rules,
            default,
        } in self.rows
        {
            let name = name.trim_start_matches("r#");
            write!(f, "{:1$}{name}: {kind}  v{2}", "", 2 * depth, rules.carried)?;
            if rules.nullable != Versions::NONE {
                write!(f, "  null {}", rules.nullable)?;
            }
            if let Some(tag) = rules.tag {
                write!(f, "  tag {tag}")?;
            }
            if let Some(default) = default {
                write!(f, "  = {default}")?;
            }
            writeln!(f, "{}", if rules.ignorable { "  ignorable" } else { "" })?;
            let mut inner = *kind;
            while let Type::Array(of) = inner {
                inner = *of;
            }
            if let Type::Struct(layout) = inner {
                layout.print(f, depth + 1)?;
            }
        }
        Ok(())
    }
}
