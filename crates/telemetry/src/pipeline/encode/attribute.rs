//! Attributes as `KeyValue` messages. Lengths are computed before anything is written: to know a text's costs nothing.

use opentelemetry::{Array, Key, StringValue, Value};

use super::protobuf::{
    DELIMITED, VARINT, double, head, length_with_head, string, string_length, tag, varint, varint_length,
};

/// Fields of `AnyValue`; as alternatives of a `oneof` they are sent even if they are zero or empty.
const STRING: u32 = 1;
const BOOL: u32 = 2;
const INTEGER: u32 = 3;
const DOUBLE: u32 = 4;
const ARRAY: u32 = 5;

/// How long a key and its text may be together for [`short`] to do: with what stands between them they stay below 128.
const SHORT: usize = 120;

/// The tags of a `KeyValue`'s key and value, and of an `AnyValue`'s text.
const KEY: u8 = (1 << 3 | DELIMITED) as u8;
const VALUE: u8 = (2 << 3 | DELIMITED) as u8;
const TEXT: u8 = (STRING << 3 | DELIMITED) as u8;

/// What becomes an `AnyValue`.
trait Any {
    /// The length of the message.
    fn length(&self) -> usize;

    /// Appends the message itself, with nothing before it.
    fn write(&self, out: &mut Vec<u8>);
}

/// Appends an attribute as the message field `field`.
pub(super) fn attribute(field: u32, key: &Key, value: &Value, out: &mut Vec<u8>) {
    let key = key.as_str();
    if let Value::String(text) = value
        && !key.is_empty()
        && key.len() + text.as_str().len() < SHORT
    {
        return short(field, key, text.as_str(), out);
    }
    let of_value = value.length();
    head(field, string_length(key) + length_with_head(of_value), out);
    string(1, key, out);
    head(2, of_value, out);
    value.write(out);
}

/// The same for a text, with every length in one byte.
fn short(field: u32, key: &str, text: &str, out: &mut Vec<u8>) {
    let (of_key, of_text) = (key.len() as u8, text.len() as u8);
    head(field, usize::from(of_key + of_text) + 6, out);
    out.extend_from_slice(&[KEY, of_key]);
    out.extend_from_slice(key.as_bytes());
    out.extend_from_slice(&[VALUE, of_text + 2, TEXT, of_text]);
    out.extend_from_slice(text.as_bytes());
}

// === impl Any ===

impl Any for Value {
    #[inline]
    fn length(&self) -> usize {
        match self {
            Value::String(value) => value.length(),
            Value::I64(value) => value.length(),
            Value::Bool(value) => value.length(),
            Value::F64(value) => value.length(),
            Value::Array(Array::String(values)) => values.length(),
            Value::Array(Array::I64(values)) => values.length(),
            Value::Array(Array::Bool(values)) => values.length(),
            Value::Array(Array::F64(values)) => values.length(),
            // A type that the API does not have yet is sent as no value.
            _ => 0,
        }
    }

    #[inline]
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Value::String(value) => value.write(out),
            Value::I64(value) => value.write(out),
            Value::Bool(value) => value.write(out),
            Value::F64(value) => value.write(out),
            Value::Array(Array::String(values)) => values.write(out),
            Value::Array(Array::I64(values)) => values.write(out),
            Value::Array(Array::Bool(values)) => values.write(out),
            Value::Array(Array::F64(values)) => values.write(out),
            _ => {}
        }
    }
}

impl Any for StringValue {
    #[inline]
    fn length(&self) -> usize {
        length_with_head(self.as_str().len())
    }

    #[inline]
    fn write(&self, out: &mut Vec<u8>) {
        head(STRING, self.as_str().len(), out);
        out.extend_from_slice(self.as_str().as_bytes());
    }
}

impl Any for i64 {
    #[inline]
    fn length(&self) -> usize {
        1 + varint_length(self.cast_unsigned())
    }

    #[inline]
    fn write(&self, out: &mut Vec<u8>) {
        tag(INTEGER, VARINT, out);
        varint(self.cast_unsigned(), out);
    }
}

impl Any for bool {
    #[inline]
    fn length(&self) -> usize {
        2
    }

    #[inline]
    fn write(&self, out: &mut Vec<u8>) {
        tag(BOOL, VARINT, out);
        out.push(u8::from(*self));
    }
}

impl Any for f64 {
    #[inline]
    fn length(&self) -> usize {
        9
    }

    #[inline]
    fn write(&self, out: &mut Vec<u8>) {
        double(DOUBLE, *self, out);
    }
}

impl<T: Any> Any for Vec<T> {
    fn length(&self) -> usize {
        length_with_head(of_elements(self))
    }

    fn write(&self, out: &mut Vec<u8>) {
        head(ARRAY, of_elements(self), out);
        for value in self {
            head(1, value.length(), out);
            value.write(out);
        }
    }
}

/// The length of an `ArrayValue`.
fn of_elements<T: Any>(values: &[T]) -> usize {
    values.iter().map(|value| length_with_head(value.length())).sum()
}
