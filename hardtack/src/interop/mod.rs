//! The session cookies of six Node packages, read and written: a fleet can move to Rust one service at a time.
//!
//! | package | codec | in the cookie | its weak side |
//! |---|---|---|---|
//! | `iron-session` 6, 8, 9 | [`IronSession`] | the session, encrypted | one iteration of PBKDF2, no absolute timeout |
//! | `client-sessions` 0.8 | [`ClientSessions`] | the session, encrypted | slides without end, no rotation |
//! | `express-session` 1 | [`ExpressSession`] | a signed id | the store knows the rest |
//! | `cookie-session` 2 | [`CookieSession`] | the session, **in clear**, signed | never expires |
//! | Enhance, `@architect/functions` | [`Architect`] | the session, encrypted | the secret's text is the key, no rotation |
//! | `@fastify/secure-session` 8 | [`SecureSession`] | the session, encrypted | no absolute timeout |
//!
//! A codec is bytes, a secret and a time in, a typed result out: `open` answers an [`Opened`] or a [`Refusal`], `seal`
//! makes what the package would make. [`Foreign`] is any of them, with the cookies by name.
//!
//! - **JSON goes through byte for byte**: numbers, order, escapes, lone surrogates and `__proto__`. Only the packages'
//!   own fields (`iat`, `__ts`) are taken out and put in. `seal` drops blanks between tokens.
//! - **Readers are strict.** Each format has one spelling here, the one that its package writes; what Node's decoders
//!   take beyond that is refused, and so is every token that names an algorithm of its own. The MAC comes first, is
//!   compared in constant time, and no other decoder is tried. Values of more than 16 KiB are not looked at.
//! - **Where the session is in the cookie, no copy of it can be ended.** It is valid until its time is over, signed out or
//!   not; of `express-session` the store decides. Move on to hardtack's own.
//!
//! Held against the packages themselves, both ways, by `interop/` of the repository.

mod architect;
mod cbc;
mod client_sessions;
mod config;
mod cookie_session;
mod errors;
mod express_session;
mod express_store;
mod foreign;
mod iron_session;
pub(crate) mod json;
mod opened;
mod secure_session;
mod text;

pub use architect::{ArcAlgorithm, Architect};
pub use client_sessions::{ClientKeys, ClientSessions, Encryption, Signature};
pub use cookie_session::{CookieSession, KeygripAlgorithm, KeygripEncoding};
pub use errors::{Refusal, SealError};
pub use express_session::ExpressSession;
#[cfg(feature = "deadpool-postgres-0_14")]
pub use express_store::ConnectPgSimple;
#[cfg(feature = "redis-1")]
pub use express_store::ConnectRedis;
pub use express_store::ExpressStore;
pub use foreign::{Attributes, Foreign};
pub use iron_session::IronSession;
pub use opened::Opened;
pub use secure_session::SecureSession;
