//! [`SessionHeaders`]: what a response must carry because of its session.

use http::{
    HeaderMap, HeaderValue,
    header::{CACHE_CONTROL, Entry, SET_COOKIE, VARY},
};

const VARY_COOKIE: HeaderValue = HeaderValue::from_static("Cookie");
const PRIVATE: HeaderValue = HeaderValue::from_static("private");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// The headers that a response needs because of its session: `Set-Cookie`, `Vary`, `Cache-Control`.
///
/// - A request that never asked for its session needs none.
/// - One that did depends on its cookie: `Vary: Cookie` (J01), and `Cache-Control: private` unless the
///   application said something about sharing itself.
/// - One that sets a cookie must not be kept by anybody: `Cache-Control: no-store`, whatever the
///   application said (J02).
#[derive(Debug, Default)]
#[must_use = "a session is saved when its headers are added to the response"]
pub struct SessionHeaders {
    pub(crate) accessed: bool,
    pub(crate) set_cookie: Option<HeaderValue>,
    /// What else there is to set or to remove: cookies under previous names, and foreign ones.
    pub(crate) others: Vec<HeaderValue>,
}

impl SessionHeaders {
    /// Adds them to a response. `Set-Cookie` and `Vary` of the application stay (A15).
    pub fn apply(self, headers: &mut HeaderMap) {
        if !self.accessed {
            return;
        }
        match headers.entry(VARY) {
            Entry::Vacant(vary) => {
                vary.insert(VARY_COOKIE);
            }
            Entry::Occupied(mut vary) if self.adds_vary(vary.iter().map(HeaderValue::as_bytes)) => {
                vary.append(VARY_COOKIE);
            }
            Entry::Occupied(_) => {}
        }
        match headers.entry(CACHE_CONTROL) {
            Entry::Vacant(control) => {
                control.insert(if self.sets_cookie() { NO_STORE } else { PRIVATE });
            }
            Entry::Occupied(mut control) => {
                let existing: Vec<_> = control.iter().filter_map(|value| value.to_str().ok()).collect();
                let changed = self.cache_control(&existing.join(", "));
                if let Some(value) = changed.and_then(|value| HeaderValue::try_from(value).ok()) {
                    control.insert(value);
                }
            }
        }
        for cookie in self.set_cookie.into_iter().chain(self.others) {
            headers.append(SET_COOKIE, cookie);
        }
    }

    /// The `Set-Cookie` lines, at most one for a name (A09).
    pub fn set_cookies(&self) -> impl Iterator<Item = &HeaderValue> {
        self.set_cookie.iter().chain(&self.others)
    }

    /// Whether `Vary: Cookie` is to be added to the `Vary` fields that are there.
    pub fn adds_vary<'a>(&self, existing: impl IntoIterator<Item = &'a [u8]>) -> bool {
        let says = |part: &[u8]| matches!(part.trim_ascii(), b"*") || part.trim_ascii().eq_ignore_ascii_case(b"cookie");
        self.accessed && !existing.into_iter().any(|field| field.split(|byte| *byte == b',').any(says))
    }

    /// What `Cache-Control` must become when it was `existing`; `None` leaves it alone.
    pub fn cache_control(&self, existing: &str) -> Option<String> {
        let says = |word: &str| {
            let mut directives = existing.split(',').map(|directive| directive.split('=').next().unwrap_or(directive));
            directives.any(|directive| directive.trim().eq_ignore_ascii_case(word))
        };
        if self.sets_cookie() {
            (!says("no-store")).then(|| "no-store".into())
        } else if !self.accessed || ["private", "no-store", "public", "s-maxage"].into_iter().any(says) {
            None
        } else if existing.trim().is_empty() {
            Some("private".into())
        } else {
            Some(format!("private, {existing}"))
        }
    }

    fn sets_cookie(&self) -> bool {
        self.set_cookie.is_some() || !self.others.is_empty()
    }
}
