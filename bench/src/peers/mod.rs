//! The peers, each used as its documentation shows.

pub mod actix;
pub mod axum_extra;
pub mod cookie_rs;
pub mod tower_sessions;
pub mod tower_sessions_redis;

/// The secret of the peers that derive their keys from 64 bytes.
const SECRET: [u8; 64] = [42; 64];

/// What the handlers answer: it depends on the session, so that reading it cannot be skipped.
pub fn greeting(user: Option<u64>) -> &'static str {
    match user {
        Some(user) if user > 0 => "hello again",
        _ => "hello",
    }
}
