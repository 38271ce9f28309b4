//! What a page carries: a hidden field, a meta tag, a script.

use super::FIELD;
use crate::Session;

/// The hidden field of a form, with a token: `<input type="hidden" name="csrf_token" value="…">`. In a form with files it
/// comes before them. A token needs no escaping.
pub fn hidden_field(session: &Session) -> String {
    format!(r#"<input type="hidden" name="{FIELD}" value="{}">"#, session.csrf_token())
}

/// The tag in the head of a page from which [`FETCH_SCRIPT`] takes the token: `<meta name="csrf-token" content="…">`.
pub fn meta_tag(session: &Session) -> String {
    format!(r#"<meta name="csrf-token" content="{}">"#, session.csrf_token())
}

/// A script with one function, `csrfFetch`: `fetch`, with the token where one is needed. Serve it as a file of your own
/// origin; it needs no `unsafe-inline` and works under `script-src 'self'; connect-src 'self'`.
///
/// ```html
/// <head><meta name="csrf-token" content="…"><script src="/csrf.js"></script></head>
/// ```
/// ```js
/// const response = await csrfFetch("/order", { method: "POST", body: JSON.stringify(order) });
/// ```
///
/// The token goes with requests to the page's own origin alone. After a sign-in without a new page, answer with
/// [`Session::csrf_token`] in a header `X-CSRF-Token`: the script takes it from there.
pub const FETCH_SCRIPT: &str = include_str!("fetch.js");
