//! The synchronizer token against cross-site request forgery (H09–H11).
//!
//! A page with a form asks the session for a token and puts it into a hidden field; a script sends it in
//! the header `X-CSRF-Token`. The session's secret behind the token is derived from its id. So it needs
//! no room, it is new whenever the id is – at sign-in and at sign-out – and a token of one session is
//! worth nothing in another.
//!
//! - Masked anew for every response, so that compression cannot be used to guess it (H10).
//! - Only taken from the header or from an urlencoded form, never from the query or a cookie (H11).
//! - Where no session was presented no token is expected, and none is accepted.

pub(crate) mod form;
mod token;

pub(crate) use token::{issue, verify};

/// The form field that holds the token.
pub const FIELD: &str = "csrf_token";
/// The header that holds the token.
pub const HEADER: &str = "x-csrf-token";
/// The most bytes of a form that are read to find its token: 64 KiB.
pub const MAX_FORM: usize = 64 * 1024;

pub use form::token_in_form;

#[cfg(feature = "axum")]
pub use crate::adapters::csrf::{CsrfLayer, CsrfService};
