//! Finds a NaN or an infinity before `serde_json` writes it as `null`.
//!
//! Traverses the value with a serializer that writes nothing. For the usual payload, a small object of integers, the
//! compiler removes nearly all of it.

use std::fmt::Display;

use serde::ser::{self, Serialize, Serializer};

use super::PayloadError;

/// Errors with [`PayloadError::NotFinite`] and the path of the number. An error of the value's own `Serialize` is left
/// to the real serializer, whose message is better.
pub(super) fn check(value: &(impl Serialize + ?Sized)) -> Result<(), PayloadError> {
    match value.serialize(Walk) {
        Err(Found { number: Some(value), mut path }) => {
            path.reverse();
            let path = path.concat();
            let path = match path.strip_prefix('.') {
                Some(field) => field.to_owned(),
                None if path.is_empty() => "its top level".to_owned(),
                None => path,
            };
            Err(PayloadError::NotFinite { path, value })
        }
        _ => Ok(()),
    }
}

/// The number found and the path to it, innermost first; without a number, an error of the value itself.
#[derive(Debug)]
struct Found {
    number: Option<f64>,
    path: Vec<String>,
}

impl Found {
    fn under(mut self, step: impl FnOnce() -> String) -> Self {
        self.path.push(step());
        self
    }
}

impl std::fmt::Display for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.number)
    }
}

impl std::error::Error for Found {}

impl ser::Error for Found {
    fn custom<T: Display>(_: T) -> Self {
        Self { number: None, path: Vec::new() }
    }
}

struct Walk;

macro_rules! fine {
    ($($method:ident($($ty:ty),*);)*) => {
        $(fn $method(self $(, _: $ty)*) -> Result<(), Found> { Ok(()) })*
    };
}

impl Serializer for Walk {
    type Ok = ();
    type Error = Found;
    type SerializeSeq = Elements;
    type SerializeTuple = Elements;
    type SerializeTupleStruct = Elements;
    type SerializeTupleVariant = Elements;
    type SerializeMap = Entries;
    type SerializeStruct = Fields;
    type SerializeStructVariant = Fields;

    fine! {
        serialize_bool(bool); serialize_i8(i8); serialize_i16(i16); serialize_i32(i32);
        serialize_i64(i64); serialize_i128(i128); serialize_u8(u8); serialize_u16(u16);
        serialize_u32(u32); serialize_u64(u64); serialize_u128(u128); serialize_char(char);
        serialize_str(&str); serialize_bytes(&[u8]); serialize_none(); serialize_unit();
        serialize_unit_struct(&'static str);
        serialize_unit_variant(&'static str, u32, &'static str);
    }

    fn serialize_f32(self, number: f32) -> Result<(), Found> {
        self.serialize_f64(number.into())
    }

    fn serialize_f64(self, number: f64) -> Result<(), Found> {
        if number.is_finite() { Ok(()) } else { Err(Found { number: Some(number), path: Vec::new() }) }
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Found> {
        value.serialize(self)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<(), Found> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Found> {
        value.serialize(self).map_err(|found| found.under(|| format!(".{variant}")))
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Elements, Found> {
        Ok(Elements(0))
    }

    fn serialize_tuple(self, _: usize) -> Result<Elements, Found> {
        Ok(Elements(0))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Elements, Found> {
        Ok(Elements(0))
    }

    fn serialize_tuple_variant(self, _: &'static str, _: u32, _: &'static str, _: usize) -> Result<Elements, Found> {
        Ok(Elements(0))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Entries, Found> {
        Ok(Entries(String::new()))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Fields, Found> {
        Ok(Fields)
    }

    fn serialize_struct_variant(self, _: &'static str, _: u32, _: &'static str, _: usize) -> Result<Fields, Found> {
        Ok(Fields)
    }
}

/// In a sequence or tuple: the index of the next element.
struct Elements(usize);

impl Elements {
    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Found> {
        let index = self.0;
        self.0 += 1;
        value.serialize(Walk).map_err(|found| found.under(|| format!("[{index}]")))
    }
}

macro_rules! elements {
    ($($ty:ident :: $method:ident;)*) => {$(
        impl ser::$ty for Elements {
            type Ok = ();
            type Error = Found;
            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Found> { self.element(value) }
            fn end(self) -> Result<(), Found> { Ok(()) }
        }
    )*};
}

elements! {
    SerializeSeq::serialize_element;
    SerializeTuple::serialize_element;
    SerializeTupleStruct::serialize_field;
    SerializeTupleVariant::serialize_field;
}

/// In a struct.
struct Fields;

macro_rules! fields {
    ($($ty:ident)*) => {$(
        impl ser::$ty for Fields {
            type Ok = ();
            type Error = Found;
            fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), Found> {
                value.serialize(Walk).map_err(|found| found.under(|| format!(".{key}")))
            }
            fn end(self) -> Result<(), Found> { Ok(()) }
        }
    )*};
}

fields! { SerializeStruct SerializeStructVariant }

/// In a map: the key of the next value, for the path.
struct Entries(String);

impl ser::SerializeMap for Entries {
    type Ok = ();
    type Error = Found;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Found> {
        // Only text can be a key in JSON; the real serializer refuses anything else.
        self.0 = serde_json::to_value(key).ok().and_then(|k| k.as_str().map(str::to_owned)).unwrap_or_default();
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Found> {
        value.serialize(Walk).map_err(|found| found.under(|| format!(".{}", self.0)))
    }

    fn end(self) -> Result<(), Found> {
        Ok(())
    }
}
