//! The spellings that Node's cookie libraries and the packages above them use.
//!
//! Readers here are strict: base64 is canonical, numbers have no leading zeros. Node's own decoders take much more
//! (both alphabets mixed, any character skipped, no padding); no writer makes such values, so nothing is lost.

use std::borrow::Cow;

use memchr::memchr_iter;

use base64_simd::{Base64, STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use super::Refusal;

/// The most bytes of a value, or of all chunks of one together, that are looked at: four cookies of 4,096 bytes.
pub(super) const MAX_VALUE: usize = 4 * 4096;

/// A value as the libraries take it that decode nothing.
pub(super) fn raw(value: &[u8]) -> Result<&str, Refusal> {
    if value.len() > MAX_VALUE {
        return Err(Refusal::TooLong);
    }
    std::str::from_utf8(value).map_err(|_| Refusal::Malformed)
}

/// A value without the quotes around it, where a library strips them.
pub(super) fn unquoted(value: &[u8]) -> &[u8] {
    match value {
        [b'"', inner @ .., b'"'] => inner,
        _ => value,
    }
}

/// A value as the library `cookie` takes it: `decodeURIComponent`, and where that fails the text as it is.
pub(super) fn decoded(value: &[u8]) -> Result<Cow<'_, str>, Refusal> {
    let text = raw(value)?;
    Ok(decode_component(text).map_or(Cow::Borrowed(text), Cow::Owned))
}

/// Nothing when there is nothing to decode, or when it cannot be.
fn decode_component(text: &str) -> Option<String> {
    let text = text.as_bytes();
    let mut escapes = memchr_iter(b'%', text).peekable();
    escapes.peek()?;
    let (mut decoded, mut read) = (Vec::with_capacity(text.len()), 0);
    for escape in escapes {
        decoded.extend_from_slice(text.get(read..escape)?);
        read = escape + 3;
        decoded.push(hex_digit(*text.get(escape + 1)?)? << 4 | hex_digit(*text.get(escape + 2)?)?);
    }
    decoded.extend_from_slice(text.get(read..)?);
    String::from_utf8(decoded).ok()
}

/// `encodeURIComponent`.
pub(super) fn encode_component(text: &str) -> String {
    let digits = b"0123456789ABCDEF";
    let mut encoded = Vec::with_capacity(text.len() + text.len() / 4);
    let mut rest = text.as_bytes();
    while let Some(at) = rest.iter().position(|byte| !IS_KEPT[usize::from(*byte)]) {
        let byte = rest[at];
        encoded.extend_from_slice(&rest[..at]);
        encoded.extend([b'%', digits[usize::from(byte >> 4)], digits[usize::from(byte & 15)]]);
        rest = &rest[at + 1..];
    }
    encoded.extend_from_slice(rest);
    String::from_utf8(encoded).unwrap_or_default()
}

/// What `encodeURIComponent` leaves as it is.
const IS_KEPT: [bool; 256] = {
    let (mut kept, mut byte) = ([false; 256], 0);
    while byte < 256 {
        kept[byte] = matches!(byte as u8, b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z'
            | b'-' | b'_' | b'.' | b'!' | b'~' | b'*' | b'\'' | b'(' | b')');
        byte += 1;
    }
    kept
};

/// Lower-case hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    let digits = b"0123456789abcdef";
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|half| char::from(digits[usize::from(half)])).collect()
}

/// What lower-case hexadecimal digits say.
pub(super) fn from_hex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return None;
    }
    pairs.map(|pair| Some(hex_digit(*pair.first()?)? << 4 | hex_digit(*pair.get(1)?)?)).collect()
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// Base64url without padding.
pub(super) fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode_to_string(bytes)
}

/// What canonical base64url without padding says.
pub(super) fn from_base64url(text: &str) -> Result<Vec<u8>, Refusal> {
    strict(&URL_SAFE_NO_PAD, text)
}

/// Base64 in the standard alphabet with padding.
pub(super) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode_to_string(bytes)
}

/// What canonical padded base64 says.
pub(super) fn from_base64(text: &str) -> Result<Vec<u8>, Refusal> {
    strict(&STANDARD, text)
}

/// Base64 in the standard alphabet without padding.
pub(super) fn base64_unpadded(bytes: &[u8]) -> String {
    STANDARD_NO_PAD.encode_to_string(bytes)
}

/// What canonical base64 without padding says.
pub(super) fn from_base64_unpadded(text: &str) -> Result<Vec<u8>, Refusal> {
    strict(&STANDARD_NO_PAD, text)
}

fn strict(alphabet: &Base64, text: &str) -> Result<Vec<u8>, Refusal> {
    alphabet.decode_to_vec(text.as_bytes()).map_err(|_| Refusal::Malformed)
}

/// Base64 as `Buffer.from(text, "base64")` of Node reads it: both alphabets, other characters skipped, the end at the
/// first `=`, a lone last character dropped. For secrets only, never for what comes from a client.
pub(super) fn from_node_base64(text: &str) -> Vec<u8> {
    let sextets = text.bytes().take_while(|byte| *byte != b'=').filter_map(|byte| match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    });
    let (mut bytes, mut bits, mut held) = (Vec::new(), 0u32, 0);
    for sextet in sextets {
        bits = bits << 6 | u32::from(sextet);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held & 0xff) as u8);
        }
    }
    bytes
}

/// A number as `String(number)` of JavaScript writes an integer: no sign but a minus, no leading zeros.
pub(super) fn integer(text: &str) -> Result<i64, Refusal> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let canonical = match digits.as_bytes() {
        [b'0'] => digits.len() == text.len(),
        [b'1'..=b'9', rest @ ..] => rest.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    if canonical { text.parse().map_err(|_| Refusal::Malformed) } else { Err(Refusal::Malformed) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// A secret that is "base64" by Node's lenient reader alone still gives the bytes that Node takes.
    #[test]
    fn a_secret_in_base64_is_read_exactly_as_node_reads_it() {
        let file: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/data/node/node_base64_decode.json")).unwrap();
        let vectors = file["vectors"].as_array().unwrap();
        assert!(vectors.len() > 20);
        for vector in vectors {
            let text = vector["text"].as_str().unwrap();
            assert_eq!(hex(&from_node_base64(text)), vector["hex"].as_str().unwrap(), "{text:?}");
        }
    }

    #[test]
    fn a_component_is_encoded_as_node_s_cookie_library_encodes_it() {
        let file: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/data/node/cookie_serialize.json")).unwrap();
        for vector in file["vectors"].as_array().unwrap() {
            let written = vector["cookie@0.7.2"].as_str().unwrap().strip_prefix("n=").unwrap();
            let value = vector["value"].as_str().unwrap();
            assert_eq!(encode_component(value), written);
            assert_eq!(decoded(written.as_bytes()).unwrap(), value);
        }
    }

    #[test]
    fn what_does_not_decode_is_taken_as_it_is() {
        for text in ["%", "a%2", "%ZZ", "%ff", "%C3%28", "plain"] {
            assert_eq!(decoded(text.as_bytes()).unwrap(), text);
        }
    }

    #[test]
    fn an_integer_has_one_spelling() {
        for (text, number) in [("0", 0), ("-5", -5), ("1749996400000", 1_749_996_400_000)] {
            assert_eq!(integer(text).unwrap(), number);
        }
        for text in ["", "-", "-0", "00", "01", "+1", "1 ", "1e3", "12x", "9223372036854775808", "١"] {
            assert!(integer(text).is_err(), "{text:?}");
        }
    }
}
