//! The cookies every contestant gets and gives.

/// The session cookie's name.
pub const NAME: &str = "__Host-session";

/// `Max-Age` of the session cookie.
pub const MAX_AGE_SECONDS: i64 = 86_400;

/// The attributes everybody writes, in the floor's spelling.
pub const ATTRIBUTES: &str = "; Path=/; Max-Age=86400; HttpOnly; Secure; SameSite=Lax";

/// What a browser that has been around sends besides the session.
const OTHERS: [&str; 11] = [
    "_ga=GA1.1.1398264713.1763640000",
    "_gid=GA1.2.702839471.1763640000",
    "_fbp=fb.1.1763640000123.1029384756",
    "theme=dark",
    "lang=en-GB",
    "tz=Europe%2FLondon",
    "consent=necessary%2Cstatistics",
    "ab_bucket=checkout-b",
    "intercom-id=6f1d2c3b-4a59-4e78-8f90-1a2b3c4d5e6f",
    "last_seen_version=2026.11.3",
    "sidebar=collapsed",
];

/// A `Cookie` header with one cookie or twelve. The session comes last, so that everybody must pass the others.
pub fn header(session: &str, others: bool) -> String {
    if others { format!("{}; {session}", OTHERS.join("; ")) } else { session.to_owned() }
}

/// `name=value` of a `Set-Cookie` header: what the browser sends back.
pub fn pair(set_cookie: &str) -> &str {
    set_cookie.split(';').next().unwrap_or_default()
}
