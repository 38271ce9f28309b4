//! What a device is called, from the browser's own words about itself: "Firefox on Linux".
//!
//! The words are never shown. What is shown comes from the parser's table of names, so nothing that a
//! visitor wrote reaches a page.

use axum::http::{HeaderMap, header};
use woothee::parser::Parser;

/// The most of a `User-Agent` that is looked at, in bytes. Browsers send less than half of it.
const MAX_HEADER: usize = 512;
/// What a device is called of which nobody knows what it is.
pub(super) const UNKNOWN_DEVICE: &str = "Unknown device";
/// The parser's word for what it does not know.
const UNKNOWN: &str = "UNKNOWN";

pub(super) fn of(headers: &HeaderMap) -> String {
    named(headers).unwrap_or_else(|| UNKNOWN_DEVICE.into())
}

fn named(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(header::USER_AGENT)?.to_str().ok()?;
    let found = Parser::new().parse(text.get(..MAX_HEADER).unwrap_or(text))?;
    if found.name == UNKNOWN {
        return None;
    }
    let system = match found.os {
        UNKNOWN => return Some(found.name.into()),
        // Browsers call every Windows since 2015 the same.
        system if system.starts_with("Windows ") && !system.contains("Phone") => "Windows",
        "Mac OSX" => "macOS",
        system => system,
    };
    Some(format!("{} on {system}", found.name))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn label(text: &[u8]) -> String {
        let mut headers = HeaderMap::new();
        if let Ok(value) = HeaderValue::from_bytes(text) {
            headers.insert(header::USER_AGENT, value);
        }
        of(&headers)
    }

    #[test]
    fn browsers_are_called_what_people_call_them() {
        for (text, expected) in [
            ("Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0", "Firefox on Linux"),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 \
                 Safari/537.36 Edg/131.0.0.0",
                "Edge on Windows",
            ),
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) \
                 Version/18.1 Safari/605.1.15",
                "Safari on macOS",
            ),
            (
                "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Mobile \
                 Safari/537.36",
                "Chrome on Android",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
                 Version/18.1 Mobile/15E148 Safari/604.1",
                "Safari on iPhone",
            ),
        ] {
            assert_eq!(label(text.as_bytes()), expected);
        }
    }

    #[test]
    fn what_nobody_knows_is_an_unknown_device() {
        let long = [b"x".repeat(MAX_HEADER), b" (X11; Linux x86_64; rv:133.0) Firefox/133.0".to_vec()].concat();
        for text in [&b""[..], b"<script>alert(1)</script>", b"Mozilla/5.0", b"caf\xe9 Firefox/1.0", &long] {
            assert_eq!(label(text), UNKNOWN_DEVICE);
        }
        assert_eq!(of(&HeaderMap::new()), UNKNOWN_DEVICE);
    }

    /// A hostile header names a browser and smuggles markup beside it.
    #[test]
    fn nothing_that_a_visitor_wrote_is_in_the_label() {
        let label = label(b"Mozilla/5.0 (X11; Linux <b>x86_64; rv:133.0) Gecko/20100101 Firefox/\"><script>alert(1)");
        assert_eq!(label, "Firefox on Linux");
    }
}
