//! The header reader (B01–B09): any bytes as `Cookie` fields, parted at line feeds. The bytes 1 and 2 stand for
//! the values of two different sessions. Held against the rules of RFC 6265bis, written down naively.
#![no_main]

use std::sync::LazyLock;

use hardtack::Sessions;
use hardtack_fuzz::{NAME, REMOVAL, lines, ready, sessions};
use libfuzzer_sys::fuzz_target;

struct World {
    sessions: Sessions,
    ada: Vec<u8>,
    bob: Vec<u8>,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let sessions = sessions();
    let value = |owner: &str| {
        let cookie = ready(sessions.cookie(|session| session.sign_in(owner))).expect("a cookie");
        cookie.split_once('=').expect("NAME=VALUE").1.as_bytes().to_vec()
    };
    let (ada, bob) = (value("ada"), value("bob"));
    World { sessions, ada, bob }
});

fuzz_target!(|input: &[u8]| {
    let World { sessions, ada, bob } = &*WORLD;
    let mut text = Vec::with_capacity(input.len());
    for byte in input {
        match byte {
            1 => text.extend_from_slice(ada),
            2 => text.extend_from_slice(bob),
            other => text.push(*other),
        }
    }
    let fields: Vec<_> = text.split(|byte| *byte == b'\n').collect();
    let values = expected(&fields);
    let (ada, bob) = (values.iter().any(|value| value == ada), values.iter().any(|value| value == bob));

    let request = sessions.begin(fields);
    let session = ready(request.session()).expect("a session");
    let owner = match (ada, bob) {
        (true, false) => Some("ada"),
        (false, true) => Some("bob"),
        _ => None,
    };
    assert_eq!(session.owner().as_deref(), owner);
    assert_eq!(session.is_live(), owner.is_some());
    let headers = ready(request.finish()).expect("headers");
    let removed = if values.is_empty() || owner.is_some() { vec![] } else { vec![REMOVAL] };
    assert_eq!(lines(&headers), removed);
});

/// The first four values of our name in the first 4,096 pairs.
fn expected<'a>(fields: &[&'a [u8]]) -> Vec<&'a [u8]> {
    let pairs = fields.iter().flat_map(|field| field.split(|byte| *byte == b';')).take(4096);
    let named = pairs.filter_map(|pair| {
        let equals = pair.iter().position(|byte| *byte == b'=')?;
        (strip(&pair[..equals]) == NAME.as_bytes()).then(|| strip(&pair[equals + 1..]))
    });
    named.filter(|value| value.len() <= 4096).take(4).collect()
}

fn strip(bytes: &[u8]) -> &[u8] {
    let kept = |byte: &u8| !matches!(byte, b' ' | b'\t');
    let start = bytes.iter().position(kept).unwrap_or(bytes.len());
    let end = bytes.iter().rposition(kept).map_or(start, |last| last + 1);
    &bytes[start..end]
}
