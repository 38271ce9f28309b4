//! The cookie: how it is read ([`header`]), what it may be ([`policy`]), how it is written
//! ([`set_cookie`]) and what caches are told about it ([`response`]).

pub(crate) mod header;
pub(crate) mod policy;
pub(crate) mod response;
pub(crate) mod set_cookie;

pub use policy::{CookiePolicy, SameSite};
pub use response::SessionHeaders;
#[cfg(feature = "interop")]
pub(crate) use {policy::is_attribute, set_cookie::MAX_NAME_VALUE};
