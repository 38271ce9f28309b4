//! H02, H04, H11 for inputs that nobody thought of: whatever comes as headers and bodies is judged alike however it comes,
//! and panics nowhere.
#![cfg(feature = "axum")]
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::sync::LazyLock;

use axum::{
    Router,
    body::{Body, Bytes},
    extract::Request,
    routing::post,
};
use common::{cookie, sessions, wait};
use hardtack::csrf::{CsrfLayer, CsrfPolicy, CsrfRefusal, token_in_body};
use http::{HeaderMap, HeaderValue, Method, Uri};
use proptest::prelude::*;
use tower::ServiceExt;

const TYPE: &str = "multipart/form-data; boundary=b";

struct World {
    app: Router,
    cookie: String,
    token: String,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let sessions = sessions();
    let mut token = String::new();
    let cookie = cookie(&sessions, |session| token = session.csrf_token());
    let routes = Router::new().route("/", post(async |body: Bytes| body));
    World { app: routes.layer(CsrfLayer::new()).layer(sessions.layer()), cookie, token }
});

/// A body of pieces that multipart forms are made of, in any order; `T` is a good token.
fn body() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => Just(&b"--b\r\nContent-Disposition: form-data; name=\"csrf_token\"\r\n\r\n"[..]),
        4 => Just(&b"\r\n--b\r\nContent-Disposition: form-data; name=\"a\"; filename=\"csrf_token\"\r\n\r\n"[..]),
        4 => Just(&b"T"[..]),
        4 => Just(&b"\r\n--b"[..]),
        2 => Just(&b"\r\n"[..]),
        1 => Just(&b"--"[..]),
        1 => Just(&b"\r"[..]),
        1 => Just(&b" \t"[..]),
        1 => Just(&b"Content-Disposition: form-data; name=csrf_token"[..]),
        1 => Just(&b"csrf_token=T&"[..]),
        1 => Just(&b"\xff\x00"[..]),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| {
        let token = WORLD.token.as_bytes();
        pieces.into_iter().flat_map(|piece| piece.split(|byte| *byte == b'T').collect::<Vec<_>>().join(token)).collect()
    })
}

/// The answer to a body that comes in these pieces.
fn ask(content_type: &'static str, pieces: Vec<Vec<u8>>) -> (u16, Bytes) {
    wait(async {
        let pieces = pieces.into_iter().map(|piece| Ok::<_, std::io::Error>(Bytes::from(piece)));
        let request = Request::post("/").header("cookie", &WORLD.cookie).header("content-type", content_type);
        let request = request.body(Body::from_stream(futures_util::stream::iter(pieces))).unwrap();
        let reply = WORLD.app.clone().oneshot(request).await.unwrap();
        (reply.status().as_u16(), axum::body::to_bytes(reply.into_body(), usize::MAX).await.unwrap())
    })
}

/// An origin of few parts, so that equal ones are common: https, host, port.
fn origin() -> impl Strategy<Value = (bool, &'static str, Option<u16>)> {
    let host =
        prop::sample::select(vec!["a.example", "A.example", "b.a.example", "192.0.2.1", "[2001:db8::1]", "localhost"]);
    let port = prop::sample::select(vec![None, Some(80), Some(443), Some(8443)]);
    (any::<bool>(), host, port)
}

fn text((https, host, port): (bool, &str, Option<u16>)) -> String {
    let port = port.map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{host}{port}", if https { "https" } else { "http" })
}

fn plain((https, host, port): (bool, &str, Option<u16>)) -> (bool, String, u16) {
    (https, host.to_ascii_lowercase(), port.unwrap_or(if https { 443 } else { 80 }))
}

fn judge(policy: &CsrfPolicy, lines: &[(&'static str, &[u8])]) -> Result<(), CsrfRefusal> {
    let value = |bytes: &[u8]| HeaderValue::from_bytes(bytes).ok();
    let headers: HeaderMap =
        lines.iter().filter_map(|(name, bytes)| Some((name.parse().unwrap(), value(bytes)?))).collect();
    policy.judge(&Method::POST, &Uri::from_static("/"), &headers).map(drop)
}

proptest! {
    #[test]
    fn a_body_is_judged_alike_in_any_pieces(body in body(), size in 1_usize..40) {
        for content_type in [TYPE, "application/x-www-form-urlencoded"] {
            let found = token_in_body(content_type, &body);
            let (status, echoed) = ask(content_type, body.chunks(size).map(<[u8]>::to_vec).collect());
            prop_assert_eq!(status, if found.as_ref() == Some(&WORLD.token) { 200 } else { 403 });
            prop_assert!(status != 200 || echoed == body);
            prop_assert_eq!(ask(content_type, vec![body.clone()]).0, status);
        }
    }

    #[test]
    fn no_content_type_and_no_body_panic(kind in "(multipart/form-data|.{0,9})(; ?(boundary|\\PC{0,3})=\\PC{0,9}){0,3}", body in any::<Vec<u8>>()) {
        token_in_body(kind.as_bytes(), &body);
        token_in_body(TYPE, &body);
    }

    /// H04: trusted is what has the same scheme, host and port, and nothing else.
    #[test]
    fn an_origin_is_scheme_host_and_port(one in origin(), other in origin()) {
        let policy = CsrfPolicy::new().trust_origin(text(one)).unwrap();
        let other_text = text(other);
        prop_assert_eq!(judge(&policy, &[("host", b"own.example"), ("origin", other_text.as_bytes())]).is_ok(), plain(one) == plain(other));
    }

    /// H02: without a setting, the own origin is the host that was asked, with https, or on this machine.
    #[test]
    fn the_own_origin_is_that_of_the_host(host in origin(), page in origin()) {
        let at = text(host).split_once("://").unwrap().1.to_owned();
        let page_text = text(page);
        let lines = [("host", at.as_bytes()), ("origin", page_text.as_bytes())];
        let same = plain((page.0, host.1, host.2)) == plain(page);
        prop_assert_eq!(judge(&CsrfPolicy::new(), &lines).is_ok(), same && (page.0 || page.1 == "localhost"));
    }

    #[test]
    fn no_header_panics_and_no_other_origin_passes(origin in any::<Vec<u8>>(), text in "(https?://)?\\PC{0,20}", site in any::<Vec<u8>>()) {
        let policy = CsrfPolicy::new();
        for origin in [&origin[..], text.as_bytes()] {
            // What cannot be a header does not arrive.
            if HeaderValue::from_bytes(origin).is_ok() && !text.contains("own.example") {
                prop_assert_eq!(judge(&policy, &[("host", b"own.example"), ("origin", origin)]), Err(CsrfRefusal::ForeignOrigin));
            }
            let _ = judge(&policy, &[("host", origin), ("origin", b"https://own.example")]);
        }
        let passes = judge(&policy, &[("sec-fetch-site", &site)]).is_ok();
        prop_assert!(!passes || HeaderValue::from_bytes(&site).is_err() || site == b"same-origin" || site == b"none");
        let _ = CsrfPolicy::new().trust_origin(text);
    }
}
