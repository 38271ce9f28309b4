//! Three crates for base64url without padding, behind the same two functions.
//!
//! The floor uses one of them by a single `use`; the tables `base64-encode` and `base64-decode` compare all three.
//! Both functions append, because that is what a cookie writer needs.

use crate::measure::Bench;

/// `base64-simd`.
pub mod simd {
    use base64_simd::URL_SAFE_NO_PAD;

    /// Appends the text of `data`.
    pub fn encode(data: &[u8], out: &mut String) {
        URL_SAFE_NO_PAD.encode_append(data, out);
    }

    /// Appends the bytes of `text`; `false` when it is malformed.
    pub fn decode(text: &[u8], out: &mut Vec<u8>) -> bool {
        URL_SAFE_NO_PAD.decode_append(text, out).is_ok()
    }
}

/// `base64`.
pub mod general {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    /// Appends the text of `data`.
    pub fn encode(data: &[u8], out: &mut String) {
        URL_SAFE_NO_PAD.encode_string(data, out);
    }

    /// Appends the bytes of `text`; `false` when it is malformed.
    pub fn decode(text: &[u8], out: &mut Vec<u8>) -> bool {
        URL_SAFE_NO_PAD.decode_vec(text, out).is_ok()
    }
}

/// `data-encoding`.
pub mod encoding {
    use data_encoding::BASE64URL_NOPAD;

    /// Appends the text of `data`.
    pub fn encode(data: &[u8], out: &mut String) {
        BASE64URL_NOPAD.encode_append(data, out);
    }

    /// Appends the bytes of `text`; `false` when it is malformed.
    pub fn decode(text: &[u8], out: &mut Vec<u8>) -> bool {
        let start = out.len();
        let Ok(length) = BASE64URL_NOPAD.decode_len(text.len()) else {
            return false;
        };
        out.resize(start + length, 0);
        BASE64URL_NOPAD.decode_mut(text, &mut out[start..]).is_ok()
    }
}

type Encode = fn(&[u8], &mut String);
type Decode = fn(&[u8], &mut Vec<u8>) -> bool;

const CRATES: [(&str, Encode, Decode); 3] = [
    ("base64-simd", simd::encode, simd::decode),
    ("base64", general::encode, general::decode),
    ("data-encoding", encoding::encode, encoding::decode),
];

/// Encode and decode of an envelope's typical lengths, into a reused buffer.
pub fn benches() -> Vec<Bench> {
    let mut benches = Vec::new();
    for (column, length) in [("173 B", 173), ("300 B", 300), ("2,100 B", 2100)] {
        let data: Vec<u8> = (0..length).map(|index| (index * 7) as u8).collect();
        for (row, encode, decode) in CRATES {
            let mut text = String::new();
            encode(&data, &mut text);
            let (data, mut out) = (data.clone(), String::with_capacity(text.len()));
            benches.push(Bench::new("base64-encode", row, column, CRATES[0].0, move || {
                out.clear();
                encode(&data, &mut out);
                out.len()
            }));
            let mut out = Vec::with_capacity(length);
            benches.push(Bench::new("base64-decode", row, column, CRATES[0].0, move || {
                out.clear();
                assert!(decode(text.as_bytes(), &mut out));
                out.len()
            }));
        }
    }
    benches
}

#[cfg(test)]
mod tests {
    use super::CRATES;

    /// `QQ` and `QUI` are the only right spellings of `A` and `AB`; the others carry bits that decode to nothing.
    #[test]
    fn all_three_crates_refuse_what_is_not_canonical() {
        for (row, _, decode) in CRATES {
            assert!(decode(b"QQ", &mut Vec::new()), "{row}");
            assert!(decode(b"QUI", &mut Vec::new()), "{row}");
            for text in ["QR", "QUJ", "Q", "QQ==", "QUI=", "QU+C", "QU/C", "QUJD\n", "QQ ", " QQ", "QU\0C", "QUJDé"] {
                assert!(!decode(text.as_bytes(), &mut Vec::new()), "{row} {text:?}");
            }
        }
    }

    /// The vectorised paths are only taken for long inputs, so the last character is also varied there.
    #[test]
    fn trailing_bits_are_refused_at_every_length() {
        const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        for (row, encode, decode) in CRATES {
            for length in 0..300 {
                let data: Vec<u8> = (0..length).map(|index| (index * 11) as u8).collect();
                let mut text = String::new();
                encode(&data, &mut text);
                let mut accepted = Vec::new();
                for &last in ALPHABET.iter().filter(|_| length % 3 != 0) {
                    let mut other = text.clone().into_bytes();
                    *other.last_mut().unwrap() = last;
                    let mut out = Vec::new();
                    if decode(&other, &mut out) {
                        accepted.push(out);
                    }
                }
                let distinct: std::collections::BTreeSet<_> = accepted.iter().collect();
                assert_eq!(distinct.len(), accepted.len(), "{row} accepts two spellings at {length}");
            }
        }
    }
}
