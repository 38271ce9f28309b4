//! What a sign-out may ask of the browser.

use http::{HeaderName, HeaderValue};

/// `Clear-Site-Data: "cache", "storage"`, for the answer to a sign-out (E11): the browser forgets the pages and what
/// scripts kept. The session's cookie is removed by the sign-out itself; `"cookies"` is left out, because it would take
/// those of all other hosts of the domain too.
///
/// ```
/// let (name, value) = hardtack::login::clear_site_data();
/// assert_eq!((name.as_str(), value.to_str().ok()), ("clear-site-data", Some("\"cache\", \"storage\"")));
/// ```
pub fn clear_site_data() -> (HeaderName, HeaderValue) {
    (HeaderName::from_static("clear-site-data"), HeaderValue::from_static("\"cache\", \"storage\""))
}
