//! Reads the options of a Node package from a file of JSON, under the names that the package gives them.
//!
//! Options that change nothing in the cookie's value are known and skipped; any other is an error, so that a misspelt
//! one is not simply left out.

use std::{fs, path::Path, time::Duration};

use hardtack::interop::{
    ArcAlgorithm, Architect, ClientKeys, ClientSessions, CookieSession, Encryption, ExpressSession, Foreign,
    IronSession, KeygripAlgorithm, KeygripEncoding, SecureSession, Signature,
};
use serde_json::{Map, Value};

use super::MAX_INPUT;
use crate::{Failure, cli::Format};

pub(super) fn read(format: Format, path: &Path) -> Result<Foreign, Failure> {
    let fail = |why: String| Failure::from(format!("the options in {}: {why}", path.display()));
    let size = fs::metadata(path).map_err(|error| fail(error.to_string()))?.len();
    if size > MAX_INPUT {
        return Err(fail("more than 1 MiB; write one JSON object".into()));
    }
    let text = fs::read_to_string(path).map_err(|error| fail(error.to_string()))?;
    let members = serde_json::from_str(&text).map_err(|error| fail(format!("no JSON object: {error}")))?;
    let mut options = Options { members };
    let foreign = match format {
        Format::Native => return Err(fail("they are for the formats of Node".into())),
        Format::IronSession => options.iron_session(),
        Format::ClientSessions => options.client_sessions(),
        Format::ExpressSession => options.express_session(),
        Format::CookieSession => options.cookie_session(),
        Format::Architect => options.architect(),
        Format::SecureSession => options.secure_session(),
    };
    foreign.and_then(|foreign| options.end().map(|()| foreign)).map_err(|error| fail(error.to_string()))
}

/// What has not been read yet.
struct Options {
    members: Map<String, Value>,
}

impl Options {
    fn iron_session(&mut self) -> Result<Foreign, Failure> {
        self.skip(&["cookieOptions", "onUnsealError"]);
        let name = self.text("cookieName")?.unwrap_or_else(|| "session".into());
        let iron = match self.take("password") {
            Some(Value::String(password)) => IronSession::new(name, password)?,
            Some(Value::Object(passwords)) => {
                let passwords: Option<Vec<_>> =
                    passwords.into_iter().map(|(id, password)| Some((id, password.as_str()?.to_owned()))).collect();
                IronSession::with_passwords(name, passwords.ok_or("write every password as a text")?)?
            }
            _ => return Err("write the password, as a text or as {\"1\": \"…\", \"2\": \"…\"}".into()),
        };
        let ttl = self.number("ttl")?.map_or(Ok(Duration::from_secs(14 * 86_400)), seconds)?;
        Ok(iron.ttl(ttl).chunk(self.flag("chunk")?.unwrap_or(false)).into())
    }

    fn client_sessions(&mut self) -> Result<Foreign, Failure> {
        self.skip(&["requestKey"]);
        let cookie = self.take("cookie").unwrap_or_default();
        if cookie["ephemeral"] == true && cookie["maxAge"].as_f64().is_some_and(|age| age != 0.0) {
            return Err("a cookie that is ephemeral has no maxAge; write one of them".into());
        }
        let name = self.text("cookieName")?.unwrap_or_else(|| "session_state".into());
        let mut keys = ClientKeys::secret(self.text("secret")?.unwrap_or_default());
        if let Some(key) = self.text("encryptionKey")? {
            keys = keys.encryption_key(base64(&key).ok_or("write the encryptionKey in base64")?);
        }
        if let Some(key) = self.text("signatureKey")? {
            keys = keys.signature_key(base64(&key).ok_or("write the signatureKey in base64")?);
        }
        if let Some(name) = self.text("encryptionAlgorithm")? {
            let known = Encryption::parse(&name);
            keys = keys.encryption(known.ok_or("the encryptionAlgorithm is aes128, aes192 or aes256")?);
        }
        if let Some(name) = self.text("signatureAlgorithm")? {
            let known = Signature::parse(&name);
            keys = keys.signature(known.ok_or(
                "the signatureAlgorithm is sha256, sha384 or sha512, or with half of it sha256-drop128, sha384-drop192 or sha512-drop256",
            )?);
        }
        let mut sessions = ClientSessions::new(name, keys)?;
        // As in the package, no duration is the default one.
        if let Some(duration) = self.number("duration")?.filter(|duration| *duration != 0.0) {
            sessions = sessions.duration(milliseconds(duration)?);
        }
        if let Some(duration) = self.number("activeDuration")? {
            sessions = sessions.active_duration(milliseconds(duration)?);
        }
        Ok(sessions.into())
    }

    fn express_session(&mut self) -> Result<Foreign, Failure> {
        self.skip(&["cookie", "genid", "proxy", "resave", "rolling", "saveUninitialized", "store"]);
        if let Some(unset) = self.text("unset")?
            && !["destroy", "keep"].contains(&unset.as_str())
        {
            return Err("unset is \"destroy\" or \"keep\"".into());
        }
        let old_name = self.text("key")?;
        let name = self.text("name")?.or(old_name).unwrap_or_else(|| "connect.sid".into());
        Ok(ExpressSession::new(name, self.texts("secret")?)?.into())
    }

    fn cookie_session(&mut self) -> Result<Foreign, Failure> {
        self.skip(&["httpOnly", "overwrite", "maxAge", "expires", "path", "domain", "sameSite", "secure"]);
        self.skip(&["secureProxy", "priority", "partitioned"]);
        let name = self.text("name")?.unwrap_or_else(|| "session".into());
        let (mut keys, secret) = (self.texts("keys")?, self.texts("secret")?);
        if keys.is_empty() {
            keys = secret;
        }
        let keygrip = self.take("keygrip").unwrap_or_default();
        let part = |name: &str| keygrip[name].as_str().unwrap_or_default().to_owned();
        let algorithm = match part("algorithm").as_str() {
            "" => KeygripAlgorithm::default(),
            name => {
                KeygripAlgorithm::parse(name).ok_or("the algorithm of keygrip is sha1, sha256, sha384 or sha512")?
            }
        };
        let encoding = match part("encoding").as_str() {
            "" => KeygripEncoding::default(),
            name => KeygripEncoding::parse(name).ok_or("the encoding of keygrip is base64 or hex")?,
        };
        if self.flag("signed")? == Some(false) {
            return Ok(CookieSession::unsigned(name)?.into());
        }
        Ok(CookieSession::with_keygrip(name, keys, algorithm, encoding)?.into())
    }

    fn architect(&mut self) -> Result<Foreign, Failure> {
        self.skip(&["ARC_APP_NAME", "ARC_ENV", "ARC_SESSION_DOMAIN", "ARC_SESSION_SAME_SITE", "ARC_SESSION_TTL"]);
        self.skip(&["SESSION_DOMAIN", "SESSION_TTL"]);
        let other_table = self.text("SESSION_TABLE_NAME")?;
        if let Some(table) = self.text("ARC_SESSION_TABLE_NAME")?.or(other_table)
            && table != "jwe"
        {
            return Err("sessions of that table are in DynamoDB; those in the cookie have the name \"jwe\"".into());
        }
        let secret = self.text("ARC_APP_SECRET")?.filter(|secret| !secret.is_empty());
        let secret =
            secret.ok_or("write ARC_APP_SECRET; without one the package takes a secret that everybody knows")?;
        let algorithm = match self.text("ARC_APP_SECRET_ALGO")?.as_deref() {
            None | Some("") => ArcAlgorithm::default(),
            Some(name) => ArcAlgorithm::parse(name).ok_or("the ARC_APP_SECRET_ALGO is A256GCM, A192GCM or A128GCM")?,
        };
        let legacy = match self.take("ARC_FORCE_LEGACY_JWE_SECRET").unwrap_or_default() {
            Value::Null | Value::Bool(false) => false,
            Value::String(text) => !text.is_empty(),
            _ => true,
        };
        Ok(if legacy { Architect::legacy(secret)? } else { Architect::new(secret, algorithm)? }.into())
    }

    fn secure_session(&mut self) -> Result<Foreign, Failure> {
        for cookie in ["cookie", "cookieOptions"] {
            if self.take(cookie).is_some_and(|cookie| cookie["signed"] == true) {
                return Err(
                    "signed cookies of secure-session are not read; leave signed out of the cookie's options".into()
                );
            }
        }
        let session_name = self.text("sessionName")?;
        let name = self.text("cookieName")?.or(session_name).unwrap_or_else(|| "session".into());
        let keys = self.texts("key")?;
        let secret = self.text("secret")?;
        let salt = self.text("salt")?.map(|salt| {
            salt_of(&salt).ok_or("write the salt as 16 characters, or as 16 bytes in base64 or hexadecimal")
        });
        let salt = salt.transpose()?;
        let mut sessions = match secret {
            // As in the package, a key is the stronger word.
            Some(secret) if keys.is_empty() => SecureSession::from_secret(name, secret, salt)?,
            _ => {
                let keys: Option<Vec<[u8; 32]>> = keys.iter().map(|key| bytes(key)?.try_into().ok()).collect();
                SecureSession::new(name, keys.ok_or("write every key as 32 bytes in hexadecimal or base64")?)?
            }
        };
        // As in the package, no expiry is the default one.
        if let Some(expiry) = self.number("expiry")?.filter(|expiry| *expiry != 0.0) {
            sessions = sessions.expiry(seconds(expiry)?);
        }
        Ok(sessions.into())
    }

    fn take(&mut self, name: &str) -> Option<Value> {
        self.members.remove(name).filter(|value| !value.is_null())
    }

    fn skip(&mut self, names: &[&str]) {
        for name in names {
            self.members.remove(*name);
        }
    }

    fn text(&mut self, name: &str) -> Result<Option<String>, Failure> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(format!("write {name} as a text").into()),
        }
    }

    /// A text or an array of texts.
    fn texts(&mut self, name: &str) -> Result<Vec<String>, Failure> {
        let texts = match self.take(name) {
            None => Some(Vec::new()),
            Some(Value::String(text)) => Some(vec![text]),
            Some(Value::Array(several)) => several.into_iter().map(|one| Some(one.as_str()?.to_owned())).collect(),
            Some(_) => None,
        };
        texts.ok_or_else(|| format!("write {name} as a text or as an array of texts").into())
    }

    fn number(&mut self, name: &str) -> Result<Option<f64>, Failure> {
        match self.take(name) {
            None => Ok(None),
            Some(value) => match value.as_f64() {
                Some(number) if number >= 0.0 => Ok(Some(number)),
                _ => Err(format!("write {name} as a number that is not negative").into()),
            },
        }
    }

    fn flag(&mut self, name: &str) -> Result<Option<bool>, Failure> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(flag)),
            Some(_) => Err(format!("write {name} as true or false").into()),
        }
    }

    fn end(self) -> Result<(), Failure> {
        match self.members.keys().next() {
            Some(name) => Err(format!(
                "{name:?} is no option of this package that could matter here; leave it out or correct its name"
            )
            .into()),
            None => Ok(()),
        }
    }
}

fn seconds(number: f64) -> Result<Duration, Failure> {
    milliseconds(number * 1000.0)
}

/// Whole milliseconds: what the packages make of a fraction of one, they refuse themselves.
fn milliseconds(number: f64) -> Result<Duration, Failure> {
    // Until the year 10889, as everywhere in hardtack.
    if number > (1u64 << 48) as f64 {
        return Err("write a lifetime of less than 8,900 years".into());
    }
    Ok(Duration::from_millis(number.round() as u64))
}

/// Bytes in hexadecimal or in base64.
fn bytes(text: &str) -> Option<Vec<u8>> {
    hex(text).or_else(|| base64(text))
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.len() == 64 || text.len() == 32;
    if !digits || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok()).collect()
}

/// Either alphabet, with or without padding.
fn base64(text: &str) -> Option<Vec<u8>> {
    let text = text.trim_end_matches('=').replace('-', "+").replace('_', "/");
    base64_simd::STANDARD_NO_PAD.decode_to_vec(text).ok()
}

fn salt_of(text: &str) -> Option<[u8; 16]> {
    text.as_bytes().try_into().ok().or_else(|| bytes(text)?.try_into().ok())
}
