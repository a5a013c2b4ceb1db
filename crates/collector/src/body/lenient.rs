//! JSON that the generated messages refuse though protobuf allows it.

use std::fmt::Display;
use std::str::FromStr;

use serde::Deserializer;
use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{DeserializeOwned, Error as _, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::{Error, Map, Value, json};

/// Reads a message from JSON that may leave out any field with its default value, or have `null` for it, write
/// every number as text, NaN and the infinities among them, and bytes in either alphabet of base64.
pub(super) fn from_str<M: DeserializeOwned>(json: &str) -> Result<M, Error> {
    let mut value = serde_json::from_str(json)?;
    normalise("", &mut value);
    M::deserialize(Lenient { value, is_double: false })
}

/// Writes what stands in the field of this name as the generated messages know it.
fn normalise(name: &str, value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| normalise(name, item)),
        Value::Object(fields) => {
            fields.retain(|_, field| !field.is_null());
            write_out_defaults(name, fields);
            fields.iter_mut().for_each(|(name, field)| normalise(name, field));
        }
        Value::String(text) if name == "bytesValue" => {
            *text = text.trim_end_matches('=').replace('-', "+").replace('_', "/");
            text.push_str(["", "", "==", "="][text.len() % 4]);
        }
        _ => {}
    }
}

/// Adds the fields that the generated messages require.
fn write_out_defaults(name: &str, fields: &mut Map<String, Value>) {
    let required = match name {
        "arrayValue" | "kvlistValue" => json!({"values": []}),
        // Of an array or of a map; in an array's values, a key is one more field to ignore.
        "attributes" | "filteredAttributes" | "metadata" | "values" => json!({"key": ""}),
        "entityRefs" => json!({"schemaUrl": "", "type": "", "idKeys": [], "descriptionKeys": []}),
        _ => return,
    };
    for (field, default) in required.as_object().into_iter().flatten() {
        fields.entry(field).or_insert_with(|| default.clone());
    }
}

/// A value of which numbers may be read though it is a text.
struct Lenient {
    value: Value,
    /// Whether it is a double, for a reader that asks for no type: generated messages read alternatives that way.
    is_double: bool,
}

// === impl Lenient ===

impl<'de> Deserializer<'de> for Lenient {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let field = |(name, value): (String, Value)| {
            let is_double = matches!(name.as_str(), "doubleValue" | "asDouble");
            (name, Self { value, is_double })
        };
        match self.value {
            Value::Array(items) => {
                let items = items.into_iter().map(|value| Self { value, is_double: false });
                visitor.visit_seq(SeqDeserializer::new(items))
            }
            Value::Object(fields) => visitor.visit_map(MapDeserializer::new(fields.into_iter().map(field))),
            Value::String(text) if self.is_double => visitor.visit_f64(double(&text)?),
            value => value.deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.value.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        Self { is_double: true, ..self }.deserialize_any(visitor)
    }

    fn deserialize_i32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.value {
            Value::String(text) => visitor.visit_i32(number(&text)?),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.value {
            Value::String(text) => visitor.visit_u32(number(&text)?),
            _ => self.deserialize_any(visitor),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i64 i128 u8 u16 u64 u128 f32 char str string bytes byte_buf unit unit_struct newtype_struct seq
        tuple tuple_struct map struct enum identifier ignored_any
    }
}

impl IntoDeserializer<'_, Error> for Lenient {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

fn double(text: &str) -> Result<f64, Error> {
    match text {
        "NaN" => Ok(f64::NAN),
        "Infinity" => Ok(f64::INFINITY),
        "-Infinity" => Ok(f64::NEG_INFINITY),
        // Rust knows other texts for these.
        _ => number(text).and_then(|double: f64| if double.is_finite() { Ok(double) } else { Err(no_number(text)) }),
    }
}

fn number<N: FromStr<Err: Display>>(text: &str) -> Result<N, Error> {
    text.parse().map_err(|_| no_number(text))
}

fn no_number(text: &str) -> Error {
    Error::custom(format_args!("{text:?} is no such number"))
}
