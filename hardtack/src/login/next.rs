//! Where to go after signing in.

/// The longest target that is accepted, in bytes.
const MAX_NEXT: usize = 2048;

/// `next` when it is a path on this site, so that a link to the login page cannot send people elsewhere
/// afterwards (J03). Anything a browser could take for another origin is refused: a scheme, `//host`,
/// back slashes (browsers read them as slashes), control characters (browsers drop some), white space
/// in front, and more than 2,048 bytes.
///
/// ```
/// use hardtack::login::safe_next;
///
/// assert_eq!(safe_next("/orders?page=2"), Some("/orders?page=2"));
/// assert_eq!(safe_next("//evil.example"), None);
/// assert_eq!(safe_next("/\\evil.example"), None);
/// ```
pub fn safe_next(next: &str) -> Option<&str> {
    let safe = next.starts_with('/')
        && !next.starts_with("//")
        && next.len() <= MAX_NEXT
        && !next.chars().any(|char| char == '\\' || char.is_control());
    safe.then_some(next)
}
