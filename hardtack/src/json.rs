//! Between the application's types and the JSON texts of [`Fields`].

use serde::{Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;

use crate::{error::FieldError, field::Field, fields::Fields};

/// The value of one field.
pub(crate) fn decode<T: DeserializeOwned>(fields: &Fields, field: Field<T>) -> Result<Option<T>, FieldError> {
    let Some(json) = fields.get(field.name()) else { return Ok(None) };
    serde_json::from_str(json).map(Some).map_err(|source| FieldError::Decode { field: field.name().into(), source })
}

/// The text of a value; `field` names it in the error.
pub(crate) fn encode<T: Serialize>(field: &str, value: &T) -> Result<String, FieldError> {
    serde_json::to_string(value).map_err(|source| FieldError::Encode { field: field.into(), source })
}

/// All fields as the text of one JSON object.
pub(crate) fn object_text(fields: &Fields) -> String {
    text_of(fields.iter(), fields.size() + 16)
}

/// Members, with values as they are written, as the text of one JSON object of about so many bytes.
pub(crate) fn text_of<'a>(members: impl Iterator<Item = (&'a str, &'a str)>, size: usize) -> String {
    let mut text = String::with_capacity(size);
    text.push('{');
    for (name, json) in members {
        if text.len() > 1 {
            text.push(',');
        }
        text.push_str(&serde_json::Value::from(name).to_string());
        text.push(':');
        text.push_str(json);
    }
    text.push('}');
    text
}

/// The members of a JSON object, in order, values as they are written.
pub(crate) struct Members(pub(crate) Vec<(String, Box<RawValue>)>);

impl<'de> serde::Deserialize<'de> for Members {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Members;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Visitor)
    }
}
