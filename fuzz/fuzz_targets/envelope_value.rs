//! The envelope from outside (F03–F05, F12): any bytes as a cookie's value, and any bytes in base64url as one.
//! Nothing opens but what was published, and the reason is the first rule that is broken.
#![no_main]

use std::{collections::BTreeMap, sync::LazyLock};

use hardtack::{Reason, Sessions};
use hardtack_fuzz::{
    NAME,
    independent::{Seal, base64url},
    key, published, ready, sessions,
};
use libfuzzer_sys::fuzz_target;

struct World {
    sessions: Sessions,
    published: BTreeMap<String, Option<String>>,
    key_id: [u8; 4],
}

static WORLD: LazyLock<World> =
    LazyLock::new(|| World { sessions: sessions(), published: published(), key_id: Seal::new(key()).key_id });

fuzz_target!(|input: &[u8]| {
    let World { sessions, published, .. } = &*WORLD;
    let field = [NAME.as_bytes(), b"=", input].concat();
    let session = ready(sessions.begin([&field[..]]).session()).expect("a session");
    // Behind a semicolon it could bring another cookie of our name; the header reader has a target of its own.
    if session.is_live() && !input.contains(&b';') {
        let value = std::str::from_utf8(input).expect("base64url").trim_matches([' ', '\t']);
        assert_eq!(published.get(value), Some(&None), "a session out of nothing");
    }
    if let Ok(text) = std::str::from_utf8(input)
        && sessions.inspect(text).is_ok()
    {
        assert_eq!(published.get(text), Some(&None), "it opened and was never sealed");
    }

    let text = base64url(input);
    let refused = sessions.inspect(&text).err().map(Reason::as_str);
    assert_eq!(refused, expected(input, &text));
});

/// The steps of "What a reader must check" in `docs/cookie-format.md`, in their order.
fn expected<'a>(envelope: &[u8], text: &str) -> Option<&'a str> {
    let World { published, key_id, .. } = &*WORLD;
    if text.len() > 4094 || envelope.is_empty() {
        return Some("malformed");
    }
    if envelope[0] != 1 {
        return Some("unknown_version");
    }
    if envelope.len() <= 45 || !(envelope.len() - 45).is_multiple_of(32) {
        return Some("malformed");
    }
    if envelope[1..5] != *key_id {
        return Some("unknown_key");
    }
    published.get(text).map_or(Some("forged"), |reason| reason.as_deref())
}
