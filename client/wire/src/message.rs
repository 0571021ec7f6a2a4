//! How a message is declared, read and written: the macros `message!` and `part!`.
//!
//! Decides what a declaration means; the declarations stand in `messages/`. Holds #128 with
//! `primitives`: a declaration cannot say how much memory to reserve.
//!
//! A field is a line: name, type, and in brackets its rules in this order:
//!
//! ```text
//! rack: Option<String> [10.., null 10.., tag 3, ignorable, = -1],
//!                       |     |          |      |          `- default, if not the type's own
//!                       |     |          |      `- a version without it drops it; else that is an error
//!                       |     |          `- a tagged field with this number
//!                       |     `- versions in which it may be null
//!                       `- versions that carry it: 10.. or 4..=9
//! ```
//!
//! Fields stand in wire order, tagged ones behind the others by ascending number.

use core::fmt::Debug;

use crate::{
    layout::{Layout, Rules, Versions},
    messages::ApiKey,
    primitives::{At, DecodeError, EncodeError, Field, Reader, Tags, Writer},
};

/// A structure that travels on its own: a request, a response, or the value of a record.
pub trait Message: Field + Default + Clone + Debug + PartialEq {
    /// Kafka's name.
    const NAME: &'static str;
    /// The versions that exist.
    const VERSIONS: Versions;
    /// The latest version that is offered; a later one is unstable in Kafka 4.4.
    const STABLE: i16;
    /// The versions with compact lengths and tagged fields (KIP-482).
    const FLEXIBLE: Versions;
    /// Its fields.
    const LAYOUT: &'static Layout;

    /// Reads the version's form of it; what follows is left to the caller.
    #[inline]
    fn decode(reader: &mut Reader<'_>, version: i16) -> Result<Self, DecodeError> {
        if !Self::VERSIONS.contains(version) {
            return Err(DecodeError::UnsupportedVersion {
                message: Self::NAME,
                version,
            });
        }
        Self::read(reader, Self::at(version))
    }

    /// Reads the version's form of it from bytes that hold nothing else.
    #[inline]
    fn decode_all(mut reader: Reader<'_>, version: i16) -> Result<Self, DecodeError> {
        let message = Self::decode(&mut reader, version)?;
        reader.finish()?;
        Ok(message)
    }

    /// Writes the version's form of it. What the version cannot say is an error, not a loss,
    /// unless the field is ignorable.
    #[inline]
    fn encode(&self, writer: &mut Writer, version: i16) -> Result<(), EncodeError> {
        if !Self::VERSIONS.contains(version) {
            return Err(EncodeError::UnsupportedVersion {
                message: Self::NAME,
                version,
            });
        }
        self.write(writer, Self::at(version))
    }

    /// The form of a version.
    #[inline]
    fn at(version: i16) -> At {
        At {
            version,
            flexible: Self::FLEXIBLE.contains(version),
        }
    }
}

/// A message that asks.
pub trait Request: Message {
    /// Its API key.
    const KEY: ApiKey;
    /// What answers it.
    type Response: Message;
}

/// A declared field: all that is known of it besides its value.
///
/// One is a constant of its structure, so of each method only the branches on the version are left
/// in the compiled reader.
#[derive(Clone, Copy, Debug)]
pub struct Declared<T> {
    /// Its name.
    pub name: &'static str,
    /// Its rules.
    pub rules: Rules,
    /// Its value where it is absent.
    pub default: fn() -> T,
}

impl<T: Field + PartialEq> Declared<T> {
    /// Least bytes of it in the body.
    #[inline]
    pub(crate) fn least(self, at: At) -> usize {
        if self.rules.in_body(at) {
            T::least(at)
        } else {
            0
        }
    }

    /// Reads it from the body.
    #[inline]
    pub(crate) fn read(self, reader: &mut Reader<'_>, at: At) -> Result<T, DecodeError> {
        if self.rules.in_body(at) {
            self.checked(T::read(reader, at)?, at)
        } else {
            Ok((self.default)())
        }
    }

    /// A value that has been read, if it is not null where it must not be.
    #[inline]
    fn checked(self, value: T, at: At) -> Result<T, DecodeError> {
        if value.is_null() && !self.rules.nullable.contains(at.version) {
            return Err(DecodeError::Malformed {
                what: "null in a version that has none",
            });
        }
        Ok(value)
    }

    /// Reads it from a tagged field, if the number is its own.
    #[inline]
    pub(crate) fn read_tag(
        self,
        number: u32,
        value: &mut T,
        reader: &mut Reader<'_>,
        at: At,
    ) -> Result<bool, DecodeError> {
        let own = self.rules.tag == Some(number) && self.rules.carried.contains(at.version);
        if own {
            *value = self.checked(T::read_tagged(reader, at)?, at)?;
        }
        Ok(own)
    }

    /// Writes it into the body, or sees to it that its absence loses nothing.
    #[inline]
    pub(crate) fn write(self, value: &T, writer: &mut Writer, at: At) -> Result<(), EncodeError> {
        let (field, version) = (self.name, at.version);
        if !self.rules.carried.contains(version) {
            if self.rules.ignorable || *value == (self.default)() {
                return Ok(());
            }
            return Err(EncodeError::FieldNotInVersion { field, version });
        }
        if value.is_null() && !self.rules.nullable.contains(version) {
            return Err(EncodeError::NullNotAllowed { field, version });
        }
        if self.rules.tag.is_some() {
            Ok(())
        } else {
            value.write(writer, at)
        }
    }

    /// Whether it goes out as a tagged field: when it is one, and not its default.
    #[inline]
    pub(crate) fn goes_tagged(self, value: &T, at: At) -> bool {
        self.rules.carried.contains(at.version) && *value != (self.default)()
    }

    /// Writes it as a tagged field, behind the unknown ones with lower numbers.
    #[inline]
    pub(crate) fn write_tag(
        self,
        value: &T,
        unknown: &Tags,
        next: &mut u64,
        writer: &mut Writer,
        at: At,
    ) -> Result<(), EncodeError> {
        let Some(number) = self.rules.tag.filter(|_| self.goes_tagged(value, at)) else {
            return Ok(());
        };
        unknown.write(writer, *next, u64::from(number))?;
        *next = u64::from(number) + 1;
        writer.uvarint(number);
        writer.sized(|writer| value.write_tagged(writer, at))
    }

    /// Any value that survives the trip through this version.
    #[cfg(any(test, feature = "random"))]
    pub(crate) fn random(self, dice: &mut crate::random::Dice, at: At) -> T {
        let Rules {
            carried,
            nullable,
            tag,
            ..
        } = self.rules;
        if !carried.contains(at.version) || (tag.is_some() && dice.one_in(2)) {
            return (self.default)();
        }
        loop {
            let value = T::random(dice, at);
            if !value.is_null() || nullable.contains(at.version) {
                return value;
            }
        }
    }
}

/// Declares a message: a `part!` with a name of its own on the wire.
///
/// ```text
/// message! {
///     /// What it asks for.
///     pub struct ProduceRequest: request Produce -> ProduceResponse, versions 3..=13, flexible 9.. {
///         acks: i16 [0..],
///     }
/// }
/// ```
///
/// In place of `request KEY -> RESPONSE` stands `response`, `metadata NUMBER` for a record of the
/// metadata log, `coordinator_key NUMBER` and `coordinator_value NUMBER` for those of an internal
/// topic, or `data` for anything else. `unstable 6` behind the versions keeps the latest
/// from being offered; `flexible never` is for layouts older than KIP-482.
macro_rules! message {
    (
        $(#[$doc:meta])*
        pub struct $name:ident: $kind:ident $($key:ident -> $response:ident)? $($number:literal)?,
        versions $from:literal..=$to:literal $(unstable $unstable:literal)?,
        flexible $($flexible:literal..)? $(never)? {
            $($fields:tt)*
        }
    ) => {
        part! {
            $(#[$doc])*
            pub struct $name {
                $($fields)*
            }
        }

        impl $crate::message::Message for $name {
            const NAME: &'static str = stringify!($name);
            const VERSIONS: $crate::layout::Versions = $crate::layout::Versions { from: $from, to: $to };
            const STABLE: i16 = {
                let _stable = $to;
                $(let _stable = $unstable - 1;)?
                _stable
            };
            const FLEXIBLE: $crate::layout::Versions = {
                let _versions = $crate::layout::Versions::NONE;
                $(let _versions = $crate::layout::Versions { from: $flexible, to: i16::MAX };)?
                _versions
            };
            const LAYOUT: &'static $crate::layout::Layout = &Self::FIELDS;
        }

        message! { @$kind $name $($key $response)? $($number)? }
    };
    (@request $name:ident $key:ident $response:ident) => {
        impl $crate::message::Request for $name {
            const KEY: $crate::messages::ApiKey = $crate::messages::ApiKey::$key;
            type Response = $response;
        }
    };
    (@metadata $name:ident $number:literal) => {
        impl $crate::metadata::Record for $name {
            const NUMBER: u16 = $number;
        }
    };
    (@coordinator_key $name:ident $number:literal) => {
        impl $crate::coordinator::Key for $name {
            const NUMBER: i16 = $number;
        }
    };
    (@coordinator_value $name:ident $number:literal) => {
        impl $crate::coordinator::Value for $name {
            const NUMBER: i16 = $number;
        }
    };
    (@response $name:ident) => {};
    (@data $name:ident) => {};
}

/// For a message whose version stands in front of it: reads and writes both. `later_as_latest`: one that was written in a
/// later version is read like the latest known.
macro_rules! versioned {
    ($name:ident, $what:literal $(, $later_as_latest:ident)?) => {
        impl $name {
            #[doc = concat!("Reads version and ", $what, ".")]
            pub fn read_versioned(
                reader: &mut $crate::Reader<'_>,
            ) -> Result<Self, $crate::DecodeError> {
                let version = reader.i16()?;
                $(let version = versioned!(@$later_as_latest version);)?
                <Self as $crate::Message>::decode(reader, version)
            }

            #[doc = concat!("Writes version and ", $what, ".")]
            pub fn write_versioned(
                &self,
                writer: &mut $crate::Writer,
                version: i16,
            ) -> Result<(), $crate::EncodeError> {
                writer.i16(version);
                $crate::Message::encode(self, writer, version)
            }
        }
    };
    (@later_as_latest $version:ident) => {
        $version.min(<Self as $crate::Message>::VERSIONS.to)
    };
}

/// Declares a structure inside a message, or inside another one.
macro_rules! part {
    (
        $(#[$doc:meta])*
        pub struct $name:ident {
            $($(#[$field_doc:meta])* $field:ident: $kind:ty [$($rule:tt)+]),* $(,)?
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $kind,)*
            /// Tagged fields that this build has no name for.
            pub unknown: $crate::primitives::Tags,
        }

        const _: () = {
            #[cfg(any(test, feature = "random"))]
            use $crate::random::Dice;
            #[allow(unused_imports, reason = "a structure may have no field")]
            use $crate::{
                layout::{Layout, Row},
                message::Declared,
                primitives::{
                    At, DecodeError, EncodeError, Field, Nullable, Reader, Tags, Type, Writer,
                },
            };

            /// One constant per field, bearing its name.
            #[allow(dead_code, reason = "a structure may have no field")]
            struct Fields;

            #[allow(non_upper_case_globals, reason = "a constant bears the name of its field")]
            impl Fields {
                $(const $field: Declared<$kind> = Declared {
                    name: stringify!($field),
                    rules: rules!($($rule)+),
                    default: default!(value $($rule)+),
                };)*
            }

            impl $name {
                /// The layout of its fields.
                pub const FIELDS: Layout = Layout {
                    name: stringify!($name),
                    memory: size_of::<Self>(),
                    rows: &[$(Row {
                        name: Fields::$field.name,
                        kind: <$kind as Field>::TYPE,
                        rules: Fields::$field.rules,
                        default: default!(text $($rule)+),
                    }),*],
                };
            }

            impl Default for $name {
                fn default() -> Self {
                    Self {
                        $($field: (Fields::$field.default)(),)*
                        unknown: Tags::default(),
                    }
                }
            }

            impl Field for $name {
                const TYPE: Type = Type::Struct(&Self::FIELDS);

                #[inline]
                fn least(at: At) -> usize {
                    usize::from(at.flexible) $(+ Fields::$field.least(at))*
                }

                #[inline]
                fn read(reader: &mut Reader<'_>, at: At) -> Result<Self, DecodeError> {
                    let mut this = Self {
                        $($field: Fields::$field.read(reader, at)?,)*
                        unknown: Tags::default(),
                    };
                    if at.flexible {
                        this.unknown.read(reader, |_number, _value| {
                            $(if_tagged!([$($rule)+] {
                                if Fields::$field.read_tag(_number, &mut this.$field, _value, at)? {
                                    return Ok(true);
                                }
                            });)*
                            Ok(false)
                        })?;
                    }
                    Ok(this)
                }

                #[inline]
                fn write(&self, writer: &mut Writer, at: At) -> Result<(), EncodeError> {
                    $(Fields::$field.write(&self.$field, writer, at)?;)*
                    if !at.flexible {
                        return self.unknown.none(at.version);
                    }
                    let mut _count = self.unknown.len();
                    $(if_tagged!([$($rule)+] {
                        _count += usize::from(Fields::$field.goes_tagged(&self.$field, at));
                    });)*
                    writer.uvarint(_count as u32);
                    let mut _next = 0u64;
                    $(if_tagged!([$($rule)+] {
                        let (value, unknown) = (&self.$field, &self.unknown);
                        Fields::$field.write_tag(value, unknown, &mut _next, writer, at)?;
                    });)*
                    self.unknown.write(writer, _next, u64::MAX)
                }

                #[cfg(any(test, feature = "random"))]
                fn random(dice: &mut Dice, at: At) -> Self {
                    Self {
                        $($field: Fields::$field.random(dice, at),)*
                        unknown: dice.tags(at, Self::FIELDS.rows),
                    }
                }
            }

            impl Nullable for $name {
                #[inline]
                fn least_nullable(_: At) -> usize {
                    1
                }

                #[inline]
                fn read_nullable(
                    reader: &mut Reader<'_>,
                    at: At,
                ) -> Result<Option<Self>, DecodeError> {
                    reader.presence()?.then(|| Self::read(reader, at)).transpose()
                }

                #[inline]
                fn write_nullable(
                    value: Option<&Self>,
                    writer: &mut Writer,
                    at: At,
                ) -> Result<(), EncodeError> {
                    writer.i8(if value.is_some() { 1 } else { -1 });
                    value.map_or(Ok(()), |value| value.write(writer, at))
                }

                #[inline]
                fn read_nullable_tagged(
                    reader: &mut Reader<'_>,
                    at: At,
                ) -> Result<Option<Self>, DecodeError> {
                    reader.tagged_presence()?.then(|| Self::read(reader, at)).transpose()
                }

                #[inline]
                fn write_nullable_tagged(
                    value: Option<&Self>,
                    writer: &mut Writer,
                    at: At,
                ) -> Result<(), EncodeError> {
                    writer.uvarint(u32::from(value.is_some()));
                    value.map_or(Ok(()), |value| value.write(writer, at))
                }
            }
        };
    };
}

/// The rules in the brackets of a field, as a constant.
macro_rules! rules {
    (@$rules:expr; null $from:literal.. $(, $($rest:tt)*)?) => {
        rules!(@$rules.nullable($from, i16::MAX); $($($rest)*)?)
    };
    (@$rules:expr; null $from:literal..=$to:literal $(, $($rest:tt)*)?) => {
        rules!(@$rules.nullable($from, $to); $($($rest)*)?)
    };
    (@$rules:expr; tag $number:literal $(, $($rest:tt)*)?) => {
        rules!(@$rules.tag($number); $($($rest)*)?)
    };
    (@$rules:expr; ignorable $(, $($rest:tt)*)?) => {
        rules!(@$rules.ignorable(); $($($rest)*)?)
    };
    (@$rules:expr; $(= $default:expr)?) => {
        $rules
    };
    ($from:literal.. $(, $($rest:tt)*)?) => {
        rules!(@$crate::layout::Rules::carried($from, i16::MAX); $($($rest)*)?)
    };
    ($from:literal..=$to:literal $(, $($rest:tt)*)?) => {
        rules!(@$crate::layout::Rules::carried($from, $to); $($($rest)*)?)
    };
}

/// The default in the brackets of a field: a function that makes it, or its text.
macro_rules! default {
    (value = $default:expr) => { || $default };
    (text = $default:expr) => { Some(stringify!($default)) };
    (value) => { Default::default };
    (text) => { None };
    ($form:ident $rule:tt $($rest:tt)*) => { default!($form $($rest)*) };
}

/// Code for tagged fields only: for all others there is nothing to compile.
macro_rules! if_tagged {
    ([tag $($rest:tt)*] $code:block) => { $code };
    ([$rule:tt $($rest:tt)*] $code:block) => { if_tagged!([$($rest)*] $code) };
    ([] $code:block) => {};
}
