//! What a field of a message can be, and how each kind looks in classic and in compact form.
//!
//! Decides the bytes of one value; which fields a message has is said in `messages/`. The rule
//! "bytes left before memory" (#128) is [`Reader::list`] and [`Reader::bytes`], used here.

use bytes::Bytes;

use super::{DecodeError, EncodeError, Pieces, Reader, Uuid, Writer};
use crate::code::ErrorCode;

/// Where a field stands: the version of its message, and whether that is flexible (KIP-482).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct At {
    /// The version of the message.
    pub version: i16,
    /// Compact lengths, and tagged fields behind every structure.
    pub flexible: bool,
}

/// The kind of a field, for the printed layout.
#[derive(Clone, Copy, Debug)]
#[expect(
    missing_docs,
    reason = "the variants are Kafka's own names for its types"
)]
pub enum Type {
    Bool,
    Int8,
    Int16,
    Uint16,
    Int32,
    Int64,
    Float64,
    Uuid,
    String,
    Bytes,
    Records,
    Array(&'static Type),
    Struct(&'static crate::layout::Layout),
}

/// A value that a message can hold.
pub trait Field: Sized {
    /// Its kind.
    const TYPE: Type;

    /// The least number of bytes any value takes: what a list compares its count with.
    fn least(at: At) -> usize;

    /// Reads one.
    fn read(reader: &mut Reader<'_>, at: At) -> Result<Self, DecodeError>;

    /// Writes it.
    fn write(&self, writer: &mut Writer, at: At) -> Result<(), EncodeError>;

    /// Reads the value of a tagged field.
    #[inline]
    fn read_tagged(reader: &mut Reader<'_>, at: At) -> Result<Self, DecodeError> {
        Self::read(reader, at)
    }

    /// Writes it as the value of a tagged field.
    #[inline]
    fn write_tagged(&self, writer: &mut Writer, at: At) -> Result<(), EncodeError> {
        self.write(writer, at)
    }

    /// Whether it is null.
    #[inline]
    fn is_null(&self) -> bool {
        false
    }

    /// Any value that `at` can carry, for tests.
    #[cfg(any(test, feature = "random"))]
    fn random(dice: &mut crate::random::Dice, at: At) -> Self;
}

/// A value that has a null on the wire. `Option` of it is a field.
pub trait Nullable: Field {
    /// The least number of bytes, null included.
    fn least_nullable(at: At) -> usize;

    /// Reads one, or null.
    fn read_nullable(reader: &mut Reader<'_>, at: At) -> Result<Option<Self>, DecodeError>;

    /// Writes it, or null.
    fn write_nullable(value: Option<&Self>, writer: &mut Writer, at: At)
    -> Result<(), EncodeError>;

    /// Reads the value of a tagged field that may be null: a structure says so in another way there.
    #[inline]
    fn read_nullable_tagged(reader: &mut Reader<'_>, at: At) -> Result<Option<Self>, DecodeError> {
        Self::read_nullable(reader, at)
    }

    /// Writes it, or null, as the value of a tagged field.
    #[inline]
    fn write_nullable_tagged(
        value: Option<&Self>,
        writer: &mut Writer,
        at: At,
    ) -> Result<(), EncodeError> {
        Self::write_nullable(value, writer, at)
    }
}

const NULL: DecodeError = DecodeError::Malformed {
    what: "null in a field that has none",
};

impl<T: Nullable> Field for Option<T> {
    const TYPE: Type = T::TYPE;

    #[inline]
    fn least(at: At) -> usize {
        T::least_nullable(at)
    }

    #[inline]
    fn read(reader: &mut Reader<'_>, at: At) -> Result<Self, DecodeError> {
        T::read_nullable(reader, at)
    }

    #[inline]
    fn write(&self, writer: &mut Writer, at: At) -> Result<(), EncodeError> {
        T::write_nullable(self.as_ref(), writer, at)
    }

    #[inline]
    fn read_tagged(reader: &mut Reader<'_>, at: At) -> Result<Self, DecodeError> {
        T::read_nullable_tagged(reader, at)
    }

    #[inline]
    fn write_tagged(&self, writer: &mut Writer, at: At) -> Result<(), EncodeError> {
        T::write_nullable_tagged(self.as_ref(), writer, at)
    }

    #[inline]
    fn is_null(&self) -> bool {
        self.is_none()
    }

    #[cfg(any(test, feature = "random"))]
    fn random(dice: &mut crate::random::Dice, at: At) -> Self {
        (!dice.one_in(3)).then(|| T::random(dice, at))
    }
}

/// Numbers: as many bytes as the type has.
macro_rules! number {
    ($($type:ty, $kind:ident, $method:ident;)*) => {$(
        impl Field for $type {
            const TYPE: Type = Type::$kind;

            #[inline]
            fn least(_: At) -> usize {
                size_of::<$type>()
            }

            #[inline]
            fn read(reader: &mut Reader<'_>, _: At) -> Result<Self, DecodeError> {
                reader.$method()
            }

            #[inline]
            fn write(&self, writer: &mut Writer, _: At) -> Result<(), EncodeError> {
                writer.$method(*self);
                Ok(())
            }

            #[cfg(any(test, feature = "random"))]
            fn random(dice: &mut crate::random::Dice, _: At) -> Self {
                dice.number() as $type
            }
        }
    )*};
}

number! {
    i8, Int8, i8;
    i16, Int16, i16;
    u16, Uint16, u16;
    i32, Int32, i32;
    i64, Int64, i64;
}

impl Field for f64 {
    const TYPE: Type = Type::Float64;

    #[inline]
    fn least(_: At) -> usize {
        8
    }

    #[inline]
    fn read(reader: &mut Reader<'_>, _: At) -> Result<Self, DecodeError> {
        reader.f64()
    }

    #[inline]
    fn write(&self, writer: &mut Writer, _: At) -> Result<(), EncodeError> {
        writer.f64(*self);
        Ok(())
    }

    #[cfg(any(test, feature = "random"))]
    fn random(dice: &mut crate::random::Dice, _: At) -> Self {
        // Few enough digits that every printer agrees on them.
        Self::from(dice.number() as i32) / 8.0
    }
}

impl Field for bool {
    const TYPE: Type = Type::Bool;

    #[inline]
    fn least(_: At) -> usize {
        1
    }

    #[inline]
    fn read(reader: &mut Reader<'_>, _: At) -> Result<Self, DecodeError> {
        Ok(reader.u8()? != 0)
    }

    #[inline]
    fn write(&self, writer: &mut Writer, _: At) -> Result<(), EncodeError> {
        writer.u8(u8::from(*self));
        Ok(())
    }

    #[cfg(any(test, feature = "random"))]
    fn random(dice: &mut crate::random::Dice, _: At) -> Self {
        dice.one_in(2)
    }
}

impl Field for ErrorCode {
    const TYPE: Type = Type::Int16;

    #[inline]
    fn least(_: At) -> usize {
        2
    }

    #[inline]
    fn read(reader: &mut Reader<'_>, _: At) -> Result<Self, DecodeError> {
        reader.i16().map(Self)
    }

    #[inline]
    fn write(&self, writer: &mut Writer, _: At) -> Result<(), EncodeError> {
        writer.i16(self.0);
        Ok(())
    }

    #[cfg(any(test, feature = "random"))]
    fn random(dice: &mut crate::random::Dice, _: At) -> Self {
        Self(dice.number() as i16)
    }
}

impl Field for Uuid {
    const TYPE: Type = Type::Uuid;

    #[inline]
    fn least(_: At) -> usize {
        16
    }

    #[inline]
    fn read(reader: &mut Reader<'_>, _: At) -> Result<Self, DecodeError> {
        reader.array().map(Self)
    }

    #[inline]
    fn write(&self, writer: &mut Writer, _: At) -> Result<(), EncodeError> {
        writer.slice(&self.0);
        Ok(())
    }

    #[cfg(any(test, feature = "random"))]
    fn random(dice: &mut crate::random::Dice, _: At) -> Self {
        Self::from_u128(u128::from(dice.next()) << 64 | u128::from(dice.next()))
    }
}

/// Values with a length in front that can be null: the plain form refuses null.
macro_rules! nullable {
    (impl [$($generic:tt)*] Field for $type:ty, $kind:expr, $random:expr) => {
        impl $($generic)* Field for $type {
            const TYPE: Type = $kind;

            #[inline]
            fn least(at: At) -> usize {
                Self::least_nullable(at)
            }

            #[inline]
            fn read(reader: &mut Reader<'_>, at: At) -> Result<Self, DecodeError> {
                Self::read_nullable(reader, at)?.ok_or(NULL)
            }

            #[inline]
            fn write(&self, writer: &mut Writer, at: At) -> Result<(), EncodeError> {
                Self::write_nullable(Some(self), writer, at)
            }

            #[cfg(any(test, feature = "random"))]
            fn random(dice: &mut crate::random::Dice, at: At) -> Self {
                let random: fn(&mut crate::random::Dice, At) -> Self = $random;
                random(dice, at)
            }
        }
    };
}

nullable!(impl [] Field for String, Type::String, |dice, _| dice.text());

impl Nullable for String {
    #[inline]
    fn least_nullable(at: At) -> usize {
        if at.flexible { 1 } else { 2 }
    }

    #[inline]
    fn read_nullable(reader: &mut Reader<'_>, at: At) -> Result<Option<Self>, DecodeError> {
        let Some(length) = reader.text_length(at)? else {
            return Ok(None);
        };
        let text = reader.text(length)?;
        reader.budget().take(length)?;
        Ok(Some(Self::from(text)))
    }

    #[inline]
    fn write_nullable(
        value: Option<&Self>,
        writer: &mut Writer,
        at: At,
    ) -> Result<(), EncodeError> {
        writer.text_length(value.map(String::len), at)?;
        if let Some(text) = value {
            writer.slice(text.as_bytes());
        }
        Ok(())
    }
}

nullable!(impl [] Field for Bytes, Type::Bytes, |dice, _| dice.bytes().into());

impl Nullable for Bytes {
    #[inline]
    fn least_nullable(at: At) -> usize {
        if at.flexible { 1 } else { 4 }
    }

    #[inline]
    fn read_nullable(reader: &mut Reader<'_>, at: At) -> Result<Option<Self>, DecodeError> {
        let Some(length) = reader.count(at)? else {
            return Ok(None);
        };
        reader.bytes(length).map(Some)
    }

    #[inline]
    fn write_nullable(
        value: Option<&Self>,
        writer: &mut Writer,
        at: At,
    ) -> Result<(), EncodeError> {
        writer.count(value.map(Bytes::len), at)?;
        if let Some(bytes) = value {
            writer.splice(bytes);
        }
        Ok(())
    }
}

nullable!(impl [] Field for Pieces, Type::Records, |dice, _| dice.bytes().into());

impl Nullable for Pieces {
    #[inline]
    fn least_nullable(at: At) -> usize {
        Bytes::least_nullable(at)
    }

    #[inline]
    fn read_nullable(reader: &mut Reader<'_>, at: At) -> Result<Option<Self>, DecodeError> {
        Ok(Bytes::read_nullable(reader, at)?.map(Self::from))
    }

    #[inline]
    fn write_nullable(
        value: Option<&Self>,
        writer: &mut Writer,
        at: At,
    ) -> Result<(), EncodeError> {
        writer.count(value.map(Self::len), at)?;
        if let Some(pieces) = value {
            pieces.iter().for_each(|piece| writer.splice(piece));
        }
        Ok(())
    }
}

nullable!(impl [<T: Field>] Field for Vec<T>, Type::Array(&T::TYPE), |dice, at| {
    (0..dice.below(4)).map(|_| T::random(dice, at)).collect()
});

impl<T: Field> Nullable for Vec<T> {
    #[inline]
    fn least_nullable(at: At) -> usize {
        if at.flexible { 1 } else { 4 }
    }

    #[inline]
    fn read_nullable(reader: &mut Reader<'_>, at: At) -> Result<Option<Self>, DecodeError> {
        reader.list(at)
    }

    #[inline]
    fn write_nullable(
        value: Option<&Self>,
        writer: &mut Writer,
        at: At,
    ) -> Result<(), EncodeError> {
        writer.count(value.map(Vec::len), at)?;
        value
            .into_iter()
            .flatten()
            .try_for_each(|item| item.write(writer, at))
    }
}
