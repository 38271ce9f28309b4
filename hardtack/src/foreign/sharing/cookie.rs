//! [`RowCookie`]: the cookie's attributes as a row of Express has them. For a session that is there they count, and not
//! what this fleet would set.

use std::time::Duration;

use time::{
    OffsetDateTime,
    format_description::well_known::{
        Iso8601,
        iso8601::{Config, EncodedConfig, TimePrecision},
    },
};

use crate::{
    clock::millis,
    cookie::{CookiePolicy, MAX_NAME_VALUE, is_attribute, set_cookie::MAX_AGE_SECONDS},
    error::CommitError,
    interop::json,
};

/// The member `cookie` of a row: a JSON object, kept as it was written.
#[derive(Clone)]
pub(super) struct RowCookie(String);

impl RowCookie {
    /// That of a new session, with the members in the order of Express.
    pub(super) fn new(policy: &CookiePolicy, secure: bool, max_age: Option<Duration>) -> Self {
        let (path, domain, same_site, partitioned) = policy.parts();
        let mut members = vec![format!("\"originalMaxAge\":{}", number(max_age.map(millis)))];
        if partitioned {
            members.push("\"partitioned\":true".into());
        }
        members.extend(["\"expires\":null".into(), format!("\"secure\":{secure}"), "\"httpOnly\":true".into()]);
        if let Some(domain) = domain {
            members.push(format!("\"domain\":{}", json::string(domain)));
        }
        members.push(format!("\"path\":{}", json::string(path)));
        members.push(format!("\"sameSite\":\"{}\"", same_site.as_str().to_ascii_lowercase()));
        Self(format!("{{{}}}", members.join(",")))
    }

    /// What a row says. `None` when that is no object.
    pub(super) fn of_row(text: &str) -> Option<Self> {
        text.starts_with('{').then(|| Self(text.to_owned()))
    }

    pub(super) fn json(&self) -> &str {
        &self.0
    }

    /// How long the session lives from every write, in milliseconds; `None` leaves it to the store.
    pub(super) fn max_age(&self) -> Option<u64> {
        let number: f64 = self.member("originalMaxAge")?;
        // JavaScript's numbers have a sign and a fraction; these are times.
        (number.is_finite() && number >= 0.0).then_some(number as u64)
    }

    /// The same with the deadline of a session that is written now. Express itself leaves one that has passed.
    pub(super) fn extended(&self, now: u64) -> Self {
        match self.max_age() {
            Some(max_age) => Self(json::with(&self.0, "expires", &json::string(&iso(now.saturating_add(max_age))))),
            None => self.clone(),
        }
    }

    /// The line that sets the cookie.
    pub(super) fn set(&self, name: &str, value: &str) -> Result<String, CommitError> {
        let size = name.len() + value.len();
        if size > MAX_NAME_VALUE {
            return Err(CommitError::TooLarge { size, limit: MAX_NAME_VALUE });
        }
        let seconds = self.max_age().map(|max_age| max_age.div_ceil(1000).min(MAX_AGE_SECONDS));
        self.line(name, value, seconds)
    }

    /// The line that removes the cookie.
    pub(super) fn remove(&self, name: &str) -> Result<String, CommitError> {
        self.line(name, "", Some(0))
    }

    fn line(&self, name: &str, value: &str, max_age: Option<u64>) -> Result<String, CommitError> {
        let mut line = format!("{name}={value}");
        if let Some(seconds) = max_age {
            line += &format!("; Max-Age={seconds}");
        }
        for (member, attribute) in [("domain", "Domain"), ("path", "Path")] {
            if let Some(text) = self.member::<String>(member).filter(|text| !text.is_empty()) {
                if !text.bytes().all(is_attribute) {
                    let why = format!("the {member} of the session's cookie, in its row, is none");
                    return Err(CommitError::Field { why });
                }
                line += &format!("; {attribute}={text}");
            }
        }
        for (member, attribute) in [("httpOnly", "HttpOnly"), ("secure", "Secure"), ("partitioned", "Partitioned")] {
            if self.member(member) == Some(true) {
                line += &format!("; {attribute}");
            }
        }
        for (member, words) in
            [("priority", &["Low", "Medium", "High"][..]), ("sameSite", &["Strict", "Lax", "None"][..])]
        {
            let said = self.member::<serde_json::Value>(member).unwrap_or_default();
            // `sameSite: true` is its strict one.
            let said = if said == true { "strict" } else { said.as_str().unwrap_or_default() };
            if let Some(word) = words.iter().find(|word| word.eq_ignore_ascii_case(said)) {
                let attribute = if member == "priority" { "Priority" } else { "SameSite" };
                line += &format!("; {attribute}={word}");
            }
        }
        Ok(line)
    }

    fn member<T: serde::de::DeserializeOwned>(&self, name: &str) -> Option<T> {
        serde_json::from_str(json::member(&self.0, name)?).ok()
    }
}

fn number(number: Option<u64>) -> String {
    number.map_or("null".into(), |number| number.to_string())
}

/// As `Date.prototype.toISOString` writes it.
fn iso(ms: u64) -> String {
    const MILLISECONDS: EncodedConfig = Config::DEFAULT
        .set_time_precision(TimePrecision::Second { decimal_digits: std::num::NonZero::new(3) })
        .encode();
    let nanoseconds = i128::from(ms) * 1_000_000;
    let time = OffsetDateTime::from_unix_timestamp_nanos(nanoseconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    time.format(&Iso8601::<MILLISECONDS>).unwrap_or_default()
}
