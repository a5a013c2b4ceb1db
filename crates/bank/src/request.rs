//! JSON to our own types: everything that a merchant may ask.
//!
//! It is read field by field, so that a refusal names the field; it never repeats the value, which may be a token.

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{
    authorisation::{Amount, Movement, NewAuthorisation},
    card::Card,
};

/// The longest token, reference and idempotency key, in characters.
const MAX_TEXT: usize = 255;
/// How much of an unknown field's name a refusal repeats.
const MAX_NAME: usize = 64;

/// A request that cannot be understood.
#[derive(Debug)]
pub(crate) struct Invalid {
    /// Path of the field, when it is known which one is wrong.
    pub(crate) field: Option<String>,
    /// What is wrong with it: the rest of the sentence that its name begins.
    pub(crate) reason: &'static str,
}

/// Tells one request from another: what it asks for, not how its JSON is written.
pub(crate) struct Fingerprint([u8; 32]);

/// The fields of one JSON object that were not read yet.
struct Fields {
    /// The way to this object, with a dot at its end; empty for the body itself.
    path: String,
    values: Map<String, Value>,
}

/// Reads the body of `POST /v1/authorisations`.
pub(crate) fn new_authorisation(body: &[u8]) -> Result<(NewAuthorisation, Fingerprint), Invalid> {
    let mut fields = Fields::of_body(body)?;
    let amount = amount(fields.object("amount")?)?;
    let token = fields.text("token")?;
    let capture = fields.boolean("capture")?;
    let reference = fields.text("reference")?;
    fields.end()?;

    let fingerprint =
        Fingerprint::of(&json!(["authorise", amount.minor_units, amount.currency_code, token, capture, reference]));
    Ok((NewAuthorisation { amount, card: Card::behind(&token), capture, reference }, fingerprint))
}

/// Reads the body of a capture or refund of `id`: nothing, or an object of nothing, since both move the whole amount.
pub(crate) fn change(body: &[u8], movement: Movement, id: Uuid) -> Result<Fingerprint, Invalid> {
    if !body.is_empty() {
        Fields::of_body(body)?.end()?;
    }
    Ok(Fingerprint::of(&json!([movement.as_str(), id])))
}

/// Checks an idempotency key or another text of the merchant's.
pub(crate) fn text(field: &str, text: &str) -> Result<String, Invalid> {
    if text.is_empty() || text.chars().count() > MAX_TEXT || text.chars().any(char::is_control) {
        return Err(Invalid::new(field, "must be 1 to 255 characters, none of them a control character"));
    }
    Ok(text.to_owned())
}

fn amount(mut fields: Fields) -> Result<Amount, Invalid> {
    let minor_units = fields.take("minor_units")?.as_i64().filter(|units| *units > 0);
    let minor_units = minor_units.ok_or_else(|| fields.invalid("minor_units", "must be a whole number above 0"))?;
    let currency_code = fields.text("currency_code")?;
    if currency_code.len() != 3 || !currency_code.bytes().all(|letter| letter.is_ascii_uppercase()) {
        return Err(fields.invalid("currency_code", "must be three upper-case letters"));
    }
    fields.end()?;
    Ok(Amount { minor_units, currency_code })
}

// === impl Invalid ===

impl Invalid {
    pub(crate) fn new(field: &str, reason: &'static str) -> Self {
        Self { field: Some(field.to_owned()), reason }
    }
}

// === impl Fingerprint ===

impl Fingerprint {
    /// Of an array, whose order is its own: that of an object depends on how serde_json was built.
    fn of(request: &Value) -> Self {
        Self(Sha256::digest(request.to_string()).into())
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

// === impl Fields ===

impl Fields {
    fn of_body(body: &[u8]) -> Result<Self, Invalid> {
        match serde_json::from_slice(body) {
            Ok(Value::Object(values)) => Ok(Self { path: String::new(), values }),
            Ok(_) => Err(Invalid { field: None, reason: "the body must be a JSON object" }),
            Err(_) => Err(Invalid { field: None, reason: "the body is not JSON" }),
        }
    }

    fn invalid(&self, name: &str, reason: &'static str) -> Invalid {
        Invalid::new(&format!("{}{name}", self.path), reason)
    }

    fn take(&mut self, name: &str) -> Result<Value, Invalid> {
        self.values.remove(name).ok_or_else(|| self.invalid(name, "is missing"))
    }

    fn object(&mut self, name: &str) -> Result<Fields, Invalid> {
        match self.take(name)? {
            Value::Object(values) => Ok(Fields { path: format!("{}{name}.", self.path), values }),
            _ => Err(self.invalid(name, "must be an object")),
        }
    }

    fn text(&mut self, name: &str) -> Result<String, Invalid> {
        match self.take(name)? {
            Value::String(value) => text(&format!("{}{name}", self.path), &value),
            _ => Err(self.invalid(name, "must be a string")),
        }
    }

    fn boolean(&mut self, name: &str) -> Result<bool, Invalid> {
        self.take(name)?.as_bool().ok_or_else(|| self.invalid(name, "must be true or false"))
    }

    /// Ends the reading: a field that nobody asked for is a mistake that must not pass as a payment.
    fn end(self) -> Result<(), Invalid> {
        match self.values.keys().next() {
            None => Ok(()),
            Some(name) => Err(self.invalid(&name.chars().take(MAX_NAME).collect::<String>(), "is not known")),
        }
    }
}
