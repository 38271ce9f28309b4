//! What the configurations of the codecs have in common.

use aws_lc_rs::hmac;
use rand::Rng;

use crate::{cookie::CookiePolicy, error::BuildError};

/// Fills bytes with random numbers. Tests put recorded ones there.
pub(super) type Fill<'a> = &'a mut dyn FnMut(&mut [u8]);

/// The random numbers of salts, initialisation vectors and nonces.
pub(super) fn random(bytes: &mut [u8]) {
    rand::rng().fill_bytes(bytes);
}

/// A setting that cannot work; `why` says what to write instead.
pub(super) fn refuse<T>(why: impl Into<String>) -> Result<T, BuildError> {
    Err(BuildError::Setting { why: why.into() })
}

/// The name of a cookie, if browsers and Node take it.
pub(super) fn cookie_name(name: impl Into<String>) -> Result<String, BuildError> {
    let name = name.into();
    CookiePolicy::from_name(&name).validate()?;
    Ok(name)
}

/// Secrets that are turned into HMAC keys: at least one, none empty.
pub(super) fn hmac_keys<S: AsRef<str>>(
    what: &str,
    algorithm: hmac::Algorithm,
    secrets: impl IntoIterator<Item = S>,
) -> Result<Vec<hmac::Key>, BuildError> {
    let mut keys = Vec::new();
    for secret in secrets {
        if secret.as_ref().is_empty() {
            return refuse(format!("{what} has an empty secret, with which anybody can sign; write a random one"));
        }
        keys.push(hmac::Key::new(algorithm, secret.as_ref().as_bytes()));
    }
    if keys.is_empty() {
        return refuse(format!("{what} has no secret; write the one that the Node application uses"));
    }
    Ok(keys)
}

/// The place of the key that a tag was made with, as an id.
pub(super) fn verified_by(keys: &[hmac::Key], text: &[u8], tag: &[u8]) -> Option<usize> {
    keys.iter().position(|key| hmac::verify(key, text, tag).is_ok())
}

/// The published vectors that say with which random bytes they were made: `made` answers what we make of each.
#[cfg(test)]
pub(super) fn every_part_of(file: &str, made: impl Fn(&serde_json::Value) -> Option<(String, String)>) {
    let file: serde_json::Value = serde_json::from_str(file).unwrap_or_default();
    let vectors = file["vectors"].as_array().into_iter().flatten();
    let made: Vec<_> = vectors.filter(|vector| vector["parts"].is_object()).filter_map(made).collect();
    assert!(made.len() > 8, "only {}", made.len());
    for (ours, theirs) in made {
        assert_eq!(ours, theirs);
    }
}

/// A text of a vector.
#[cfg(test)]
pub(super) fn text_of<'a>(value: &'a serde_json::Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

/// Random numbers that were recorded, one after the other.
#[cfg(test)]
pub(super) fn recorded(numbers: Vec<Vec<u8>>) -> impl FnMut(&mut [u8]) {
    let mut numbers = numbers.into_iter();
    move |bytes| bytes.copy_from_slice(&numbers.next().unwrap_or_default())
}
