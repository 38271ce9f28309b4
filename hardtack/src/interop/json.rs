//! JSON texts, taken apart at their top level only: what the packages stored is handed on byte for byte, numbers,
//! order, escapes and lone surrogates included.

use std::{borrow::Cow, ops::Range};

use memchr::memchr2;
use serde_json::value::RawValue;

use super::Refusal;

const BLANKS: [char; 4] = [' ', '\t', '\n', '\r'];

fn is_blank(byte: u8) -> bool {
    BLANKS.contains(&char::from(byte))
}

/// One JSON value without the blanks around it. Nothing in it is decoded.
pub(super) fn value(text: &str) -> Option<&str> {
    serde_json::from_str::<&RawValue>(text).ok().map(RawValue::get)
}

/// The JSON value that authentic bytes hold.
pub(super) fn authentic(bytes: &[u8]) -> Result<&str, Refusal> {
    std::str::from_utf8(bytes).ok().and_then(value).ok_or(Refusal::Invalid)
}

/// What JavaScript's `{...value}` makes of a value: an object is itself, an array and a string become objects by
/// index, anything else the empty object.
pub(super) fn spread(value: &str) -> Cow<'_, str> {
    match value.as_bytes().first() {
        Some(b'{') => value.into(),
        Some(b'[') => by_index(items(value).map(ToOwned::to_owned)).into(),
        Some(b'"') => by_index(units(value).into_iter().map(quoted)).into(),
        _ => "{}".into(),
    }
}

fn by_index(values: impl Iterator<Item = String>) -> String {
    let members: Vec<_> = values.enumerate().map(|(index, value)| format!("\"{index}\":{value}")).collect();
    format!("{{{}}}", members.join(","))
}

/// One UTF-16 unit as a JSON string.
fn quoted(unit: u16) -> String {
    match char::from_u32(unit.into()) {
        Some(character) => serde_json::Value::from(character.to_string()).to_string(),
        None => format!("\"\\u{unit:04x}\""),
    }
}

/// A text as a JSON string.
pub(crate) fn string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The value of the last member of an object that is called `name`, as `JSON.parse` takes it.
pub(crate) fn member<'a>(object: &'a str, name: &str) -> Option<&'a str> {
    if cannot_hold(object, name) {
        return None;
    }
    items(object).map(key_and_value).filter(|(key, _)| is(key, name)).last().map(|(_, value)| value)
}

/// An object without its members that are called `name`, and the value of the last of them.
pub(super) fn take<'a>(object: &'a str, name: &str) -> (String, Option<&'a str>) {
    if cannot_hold(object, name) {
        return (object.to_owned(), None);
    }
    let (mut kept, mut taken) = (String::with_capacity(object.len()), None);
    let mut items = items(object);
    while let Some(item) = items.next() {
        let (key, value) = key_and_value(item);
        let separator = if kept.is_empty() { '{' } else { ',' };
        if !is(key, name) {
            kept.push(separator);
            kept.push_str(item);
            continue;
        }
        taken = Some(value);
        if let Some(rest) = items.0.take_if(|rest| cannot_hold(rest, name)) {
            kept.push(separator);
            kept.push_str(rest.trim_matches(BLANKS));
        }
    }
    kept.push_str(if kept.is_empty() { "{}" } else { "}" });
    (kept, taken)
}

/// Whether a member of this name is out of the question, without taking the object apart: the name stands nowhere in
/// it, and nothing is escaped.
fn cannot_hold(object: &str, name: &str) -> bool {
    !object.contains(name) && !object.contains('\\')
}

/// An object in which the member `name` is `value`: at its place, or at the end when there was none.
pub(crate) fn with(object: &str, name: &str, value: &str) -> String {
    let mut written = false;
    let mut members = Vec::new();
    for item in items(object) {
        if !is(key_and_value(item).0, name) {
            members.push(item.to_owned());
        } else if !written {
            members.push(format!("\"{name}\":{value}"));
            written = true;
        }
    }
    if !written {
        members.push(format!("\"{name}\":{value}"));
    }
    format!("{{{}}}", members.join(","))
}

/// The text of an object without blanks between its tokens, as `JSON.stringify` writes it, or nothing when it is no
/// object.
pub(super) fn object(text: &str) -> Option<String> {
    let text = value(text).filter(|value| value.starts_with('{'))?;
    let mut compact = String::with_capacity(text.len() + 32);
    let (mut at, mut written) = (0, 0);
    while let Some(byte) = text.as_bytes().get(at) {
        if *byte == b'"' {
            at += string_length(&text[at..]);
            continue;
        }
        if is_blank(*byte) {
            compact.push_str(&text[written..at]);
            written = at + 1;
        }
        at += 1;
    }
    compact.push_str(&text[written..]);
    Some(compact)
}

/// What stands between the top-level commas of a valid array or object.
fn items(text: &str) -> Items<'_> {
    let inner = text.get(1..text.len().saturating_sub(1)).unwrap_or_default();
    Items((!inner.trim_matches(BLANKS).is_empty()).then_some(inner))
}

/// Those that are still to come, as they stand in the text.
struct Items<'a>(Option<&'a str>);

impl<'a> Iterator for Items<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let text = self.0?;
        let Range { start, end } = comma(text);
        self.0 = (end > start).then(|| &text[end..]);
        Some(text[..start].trim_matches(BLANKS))
    }
}

/// Where the first top-level comma is, or the empty range at the end.
fn comma(text: &str) -> Range<usize> {
    let bytes = text.as_bytes();
    let (mut at, mut depth) = (0, 0usize);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => at += string_length(&text[at..]) - 1,
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            b',' if depth == 0 => return at..at + 1,
            _ => {}
        }
        at += 1;
    }
    at..at
}

/// A member's key with its quotes, and its value.
fn key_and_value(item: &str) -> (&str, &str) {
    let (key, rest) = item.split_at(string_length(item));
    (key, rest.trim_start_matches(BLANKS).trim_start_matches(':').trim_matches(BLANKS))
}

/// Bytes of the JSON string, quotes included, with which a valid text begins.
fn string_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut at = 1;
    while let Some(found) = bytes.get(at..).and_then(|rest| memchr2(b'"', b'\\', rest)) {
        at += found;
        if bytes[at] == b'"' {
            return at + 1;
        }
        at += 2;
    }
    bytes.len()
}

/// Whether a key with its quotes, however it is escaped, is this name.
fn is(key: &str, name: &str) -> bool {
    let inner = key.get(1..key.len().saturating_sub(1)).unwrap_or_default();
    inner == name || (inner.contains('\\') && units(key).into_iter().eq(name.encode_utf16()))
}

/// The UTF-16 units of a valid JSON string, lone surrogates included.
fn units(string: &str) -> Vec<u16> {
    let mut units = Vec::new();
    let mut rest = string.get(1..string.len().saturating_sub(1)).unwrap_or_default().chars();
    while let Some(character) = rest.next() {
        if character != '\\' {
            units.extend(character.encode_utf16(&mut [0; 2]).iter());
            continue;
        }
        units.push(match rest.next() {
            Some('u') => rest
                .by_ref()
                .take(4)
                .filter_map(|digit| digit.to_digit(16))
                .fold(0, |unit, digit| unit << 4 | digit as u16),
            Some('b') => 8,
            Some('f') => 12,
            Some('n') => 10,
            Some('r') => 13,
            Some('t') => 9,
            Some(other) => u16::try_from(u32::from(other)).unwrap_or(0xfffd),
            None => 0xfffd,
        });
    }
    units
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_between_tokens_go_and_blanks_in_strings_stay() {
        let text = " { \"a b\" : [ 1 , \"x \\\" , }\" ] ,\n\t\"c\":{ } } ";
        assert_eq!(object(text).as_deref(), Some("{\"a b\":[1,\"x \\\" , }\"],\"c\":{}}"));
        for text in ["[]", "1", "null", "", "{", "{}x", "{\"a\":}"] {
            assert_eq!(object(text), None, "{text}");
        }
    }

    #[test]
    fn the_last_member_of_a_name_counts_however_its_key_is_escaped() {
        let text = r#"{"a":{"iat":1},"iat":2,"x":"}\"],iat","\u0069at" : 3 ,"b":[]}"#;
        assert_eq!(member(text, "iat"), Some("3"));
        assert_eq!(member(text, "none"), None);
        let rest = r#"{"a":{"iat":1},"x":"}\"],iat","b":[]}"#;
        assert_eq!(take(text, "iat"), (rest.to_owned(), Some("3")));
        assert_eq!(take(rest, "iat"), (rest.to_owned(), None));
        for (text, rest) in [
            (r#"{"iat":3}"#, "{}"),
            (r#"{ "iat" : 3 , "a" : 1 , "b":[ ] }"#, r#"{"a" : 1 , "b":[ ]}"#),
            (r#"{"a":1,"iat":3}"#, r#"{"a":1}"#),
            (r#"{"a":1,"iat":2,"b":2,"iat":3,"c":3}"#, r#"{"a":1,"b":2,"c":3}"#),
            (r#"{"iat":2,"\u0069at":3,"c":3}"#, r#"{"c":3}"#),
        ] {
            assert_eq!(take(text, "iat"), (rest.to_owned(), Some("3")), "{text}");
        }
        assert_eq!(with(text, "iat", "4"), r#"{"a":{"iat":1},"iat":4,"x":"}\"],iat","b":[]}"#);
        assert_eq!(with("{}", "iat", "4"), r#"{"iat":4}"#);
        assert_eq!(member("{ }", "iat"), None);
    }

    #[test]
    fn a_value_is_spread_as_javascript_spreads_it() {
        assert_eq!(spread(r#"{"a":1}"#), r#"{"a":1}"#);
        assert_eq!(spread(r#"[1, [2, 3]]"#), r#"{"0":1,"1":[2, 3]}"#);
        assert_eq!(
            spread("\"h\\u00e9\\\"\\ud83d🐎\""),
            "{\"0\":\"h\",\"1\":\"é\",\"2\":\"\\\"\",\"3\":\"\\ud83d\",\"4\":\"\\ud83d\",\"5\":\"\\udc0e\"}"
        );
        for nothing in ["null", "5", "true", "[]", "\"\"", "{}"] {
            assert_eq!(spread(nothing), "{}");
        }
    }

    #[test]
    fn a_lone_surrogate_is_neither_lost_nor_refused() {
        let text = r#"{"\ud83d":"\udc00","iat":1}"#;
        assert_eq!(object(text).as_deref(), Some(text));
        assert_eq!(take(text, "iat"), (r#"{"\ud83d":"\udc00"}"#.to_owned(), Some("1")));
    }
}
