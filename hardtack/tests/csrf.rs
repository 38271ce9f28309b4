//! H09–H11, C06: the token against cross-site request forgery, over HTTP: whose it is, where it may come from, and
//! that it cannot be guessed, planted or kept.
#![cfg(feature = "axum")]
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::{collections::HashSet, net::SocketAddr};

use axum::{Json, Router, body::Bytes, routing::get};
use common::{NOTE, Reply, builder, cookie, fetch, request, serve, sessions, wait};
use hardtack::{
    Session, Sessions,
    csrf::{CsrfLayer, MAX_FORM, token_in_form},
};

const FORM: &str = "application/x-www-form-urlencoded";

/// Gives a token, and echoes every body that gets through.
fn app(sessions: &Sessions) -> SocketAddr {
    async fn token(session: Session) -> String {
        session.csrf_token()
    }
    async fn echo(session: Session, body: Bytes) -> Bytes {
        session.set(NOTE, "posted".into());
        body
    }
    async fn sign_in(session: Session) -> String {
        session.sign_in("ada");
        session.csrf_token()
    }
    let routes = Router::new()
        .route("/", get(token).post(echo).put(echo).patch(echo).delete(echo))
        .route("/json", axum::routing::post(|body: Json<serde_json::Value>| async move { body.0.to_string() }))
        .route("/sign-in", axum::routing::post(sign_in))
        .layer(CsrfLayer::new());
    serve(routes.layer(sessions.layer()))
}

/// A visitor with his session's cookie and a token.
fn visitor(sessions: &Sessions) -> (String, String) {
    let mut token = String::new();
    let made = cookie(sessions, |session| token = session.csrf_token());
    (made, token)
}

fn fields(lines: &[(&str, &str)]) -> Vec<u8> {
    let lines = lines.iter().map(|(name, value)| format!("{name}: {value}\r\n"));
    ["Host: app.example\r\n".to_owned()].into_iter().chain(lines).collect::<String>().into_bytes()
}

fn post(server: SocketAddr, lines: &[(&str, &str)], body: &[u8]) -> Reply {
    request(server, "POST", "/", &fields(lines), body)
}

/// A post that was refused did nothing: the handler would have set a cookie.
#[track_caller]
fn refused(reply: &Reply) {
    assert_eq!((reply.status, reply.set_cookies().len()), (403, 0), "{reply:?}");
}

/// H11: the token may come in the header or as a field of an urlencoded form, and the body arrives whole.
#[test]
fn the_token_is_taken_from_the_header_or_the_form() {
    let sessions = sessions();
    let server = app(&sessions);
    let (made, token) = visitor(&sessions);
    assert_eq!(fetch(server, "/", [&made]).status, 200);
    let by_header = post(server, &[("Cookie", &made), ("X-CSRF-Token", &token)], b"anything \x00\xff");
    assert_eq!((by_header.status, &by_header.body[..]), (200, &b"anything \x00\xff"[..]));
    assert_eq!(by_header.set_cookies().len(), 1);
    for form in [
        format!("csrf_token={token}"),
        format!("a=1&csrf_token={token}&b=%C3%BC+x"),
        format!("a=1&b=2&csrf%5Ftoken={token}"),
    ] {
        for content_type in [FORM, "Application/X-WWW-Form-URLEncoded ; charset=UTF-8"] {
            let reply = post(server, &[("Cookie", &made), ("Content-Type", content_type)], form.as_bytes());
            assert_eq!((reply.status, reply.text()), (200, &form[..]), "the form was not handed on whole");
        }
    }
}

/// H11: nothing else is looked at: not the query, not a cookie, not another header, not another kind of body.
#[test]
fn the_token_is_not_taken_from_the_query_a_cookie_or_elsewhere() {
    let sessions = sessions();
    let server = app(&sessions);
    let (made, token) = visitor(&sessions);
    let both = format!("{made}; csrf_token={token}; X-CSRF-Token={token}; __Host-csrf={token}");
    for path in [format!("/?csrf_token={token}"), format!("/?x-csrf-token={token}&_csrf={token}")] {
        refused(&request(server, "POST", &path, &fields(&[("Cookie", &both), ("Content-Type", FORM)]), b"a=1"));
    }
    for header in ["X-XSRF-Token", "CSRF-Token", "Authorization", "X-CSRF-Tokens"] {
        refused(&post(server, &[("Cookie", &made), (header, &token)], b""));
    }
    let form = format!("csrf_token={token}");
    for content_type in
        ["text/plain", "multipart/form-data", "application/json", "application/x-www-form-urlencode", ""]
    {
        refused(&post(server, &[("Cookie", &made), ("Content-Type", content_type)], form.as_bytes()));
    }
    refused(&post(server, &[("Cookie", &made)], form.as_bytes()));
    for wrong in ["CSRF_TOKEN", "csrf-token", "csrf_token[]", " csrf_token", "_csrf"] {
        let form = format!("{wrong}={token}");
        refused(&post(server, &[("Cookie", &made), ("Content-Type", FORM)], form.as_bytes()));
    }
}

/// H11: a script that sends JSON uses the header; a token inside of the JSON does not count.
#[test]
fn json_needs_the_header() {
    let sessions = sessions();
    let server = app(&sessions);
    let (made, token) = visitor(&sessions);
    let body = format!(r#"{{"csrf_token":"{token}"}}"#);
    let json = ("Content-Type", "application/json");
    let send = |lines: &[(&str, &str)]| request(server, "POST", "/json", &fields(lines), body.as_bytes());
    refused(&send(&[("Cookie", &made), json]));
    let reply = send(&[("Cookie", &made), json, ("x-csrf-token", &token)]);
    assert_eq!((reply.status, reply.text()), (200, &body[..]));
}

/// Every method that may change something needs the token; the safe ones do not.
#[test]
fn every_unsafe_method_needs_the_token() {
    let sessions = sessions();
    let server = app(&sessions);
    let (made, token) = visitor(&sessions);
    for method in ["POST", "PUT", "PATCH", "DELETE", "PROPFIND", "QUERY", "get", "Post", "CONNECTED"] {
        let lines = fields(&[("Cookie", &made)]);
        assert_eq!(request(server, method, "/", &lines, b"").status, 403, "{method}");
    }
    for method in ["PUT", "PATCH", "DELETE"] {
        let lines = fields(&[("Cookie", &made), ("X-CSRF-Token", &token)]);
        assert_eq!(request(server, method, "/", &lines, b"").status, 200, "{method}");
    }
    for method in ["GET", "HEAD"] {
        assert_eq!(request(server, method, "/", &fields(&[("Cookie", &made)]), b"").status, 200, "{method}");
    }
    assert_eq!(request(server, "OPTIONS", "/", &fields(&[("Cookie", &made)]), b"").status, 405);
}

/// H09: a token belongs to its session. An attacker's own token, with his own or the victim's cookie, is worthless.
#[test]
fn a_token_of_one_session_fails_in_another() {
    let sessions = sessions();
    let server = app(&sessions);
    let (attackers, theirs) = visitor(&sessions);
    let (victims, own) = visitor(&sessions);
    refused(&post(server, &[("Cookie", &victims), ("X-CSRF-Token", &theirs)], b""));
    refused(&post(server, &[("Cookie", &attackers), ("X-CSRF-Token", &own)], b""));
    let form = format!("csrf_token={theirs}");
    refused(&post(server, &[("Cookie", &victims), ("Content-Type", FORM)], form.as_bytes()));
    assert_eq!(post(server, &[("Cookie", &victims), ("X-CSRF-Token", &own)], b"").status, 200);
    let elsewhere = builder().0.build().unwrap();
    let (_, foreign) = visitor(&elsewhere);
    refused(&post(server, &[("Cookie", &victims), ("X-CSRF-Token", &foreign)], b""));
}

/// H09, H10: without a session no token is expected and none is accepted; nor with a forged or an ended one.
#[test]
fn without_a_session_every_token_is_refused() {
    let (builder, clock) = builder();
    let sessions = builder.build().unwrap();
    let server = app(&sessions);
    let (made, token) = visitor(&sessions);
    for token in [&token, "", "null", "undefined", &"A".repeat(86)] {
        assert_eq!(post(server, &[("X-CSRF-Token", token)], b"").status, 403);
        assert_eq!(post(server, &[("Cookie", "__Host-session=forged"), ("X-CSRF-Token", token)], b"").status, 403);
    }
    clock.advance(std::time::Duration::from_secs(3_600));
    assert_eq!(post(server, &[("Cookie", &made), ("X-CSRF-Token", &token)], b"").status, 403, "expired");
}

/// H10: nothing but a whole token of this session is one: not a part, not an empty one, not a changed one.
#[test]
fn a_truncated_or_changed_token_is_refused() {
    let sessions = sessions();
    let (made, token) = visitor(&sessions);
    let session = wait(sessions.begin([made.as_bytes()]).session()).unwrap();
    assert!(session.verify_csrf(&token));
    assert_eq!(token.len(), 86);
    for length in 0..token.len() {
        assert!(!session.verify_csrf(&token[..length]) && !session.verify_csrf(&token[length + 1..]), "{length}");
    }
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    for at in 0..token.len() {
        for other in alphabet.chars().filter(|other| !token[at..].starts_with(*other)) {
            let changed = format!("{}{other}{}", &token[..at], &token[at + 1..]);
            assert!(!session.verify_csrf(&changed), "{other} at {at}");
        }
    }
    for wrong in ["", " ", "A", "é", "null", &format!("{token}="), &format!("{token}A"), &format!(" {token}")] {
        assert!(!session.verify_csrf(wrong), "{wrong:?}");
    }
    for zeros in [1, 32, 43, 64, 86, 87, 4_096] {
        assert!(!session.verify_csrf(&"A".repeat(zeros)));
    }
}

/// H10: over HTTP too, in both places; and bytes that are no text are no panic.
#[test]
fn garbage_in_place_of_a_token_is_refused() {
    let sessions = sessions();
    let server = app(&sessions);
    let (made, token) = visitor(&sessions);
    for garbage in ["", "x", &token[1..], &token[..85], "%00", "\u{fc}\u{fc}", &"A".repeat(86), &"A".repeat(8_000)] {
        refused(&post(server, &[("Cookie", &made), ("X-CSRF-Token", garbage)], b""));
        let form = format!("csrf_token={garbage}");
        refused(&post(server, &[("Cookie", &made), ("Content-Type", FORM)], form.as_bytes()));
    }
    for body in [&b""[..], b"&&&==&", b"csrf_token", b"csrf_token=", b"\xff\xfe=\x00", b"%"] {
        refused(&post(server, &[("Cookie", &made), ("Content-Type", FORM)], body));
    }
}

/// H10: of two tokens in one request none is picked that suits: the header counts, then the form's first field.
#[test]
fn a_second_token_does_not_rescue_a_bad_first() {
    let sessions = sessions();
    let server = app(&sessions);
    let (made, token) = visitor(&sessions);
    let good = format!("csrf_token={token}");
    refused(&post(server, &[("Cookie", &made), ("Content-Type", FORM), ("X-CSRF-Token", "bad")], good.as_bytes()));
    let twice = format!("csrf_token=bad&{good}");
    refused(&post(server, &[("Cookie", &made), ("Content-Type", FORM)], twice.as_bytes()));
    assert_eq!(token_in_form(format!("{good}&csrf_token=bad").as_bytes()), Some(token));
    assert_eq!(token_in_form(b"a=1&b=2"), None);
}

/// H10: a thousand responses show a thousand different tokens that have nothing in common, and all of them verify,
/// also after the session was written and its cookie replaced.
#[test]
fn every_token_is_masked_anew_and_all_verify() {
    let sessions = sessions();
    let (made, _) = visitor(&sessions);
    let request = sessions.begin([made.as_bytes()]);
    let session = wait(request.session()).unwrap();
    let tokens: Vec<_> = (0..1_000).map(|_| session.csrf_token()).collect();
    for length in [8, 40, 86] {
        assert_eq!(tokens.iter().map(|token| &token[..length]).collect::<HashSet<_>>().len(), 1_000);
        assert_eq!(tokens.iter().map(|token| &token[86 - length..]).collect::<HashSet<_>>().len(), 1_000);
    }
    session.set(NOTE, "x".into());
    let headers = wait(request.finish()).unwrap();
    let next = headers.set_cookies().next().unwrap().to_str().unwrap().split(';').next().unwrap();
    for cookie in [&made[..], next] {
        let session = wait(sessions.begin([cookie.as_bytes()]).session()).unwrap();
        assert!(tokens.iter().all(|token| session.verify_csrf(token)));
    }
}

/// C06: the secret is new after signing in and after signing out; a token from before, which somebody may have
/// planted or seen, is worth nothing.
#[test]
fn a_token_from_before_the_sign_in_fails_after_it() {
    let sessions = sessions();
    let server = app(&sessions);
    let (made, before) = visitor(&sessions);
    let lines = fields(&[("Cookie", &made), ("X-CSRF-Token", &before)]);
    let reply = request(server, "POST", "/sign-in", &lines, b"");
    assert_eq!(reply.status, 200);
    let (ada, after) = (reply.cookie(), reply.text().to_owned());
    refused(&post(server, &[("Cookie", &ada), ("X-CSRF-Token", &before)], b""));
    let reply = post(server, &[("Cookie", &ada), ("X-CSRF-Token", &after)], b"");
    assert_eq!(reply.status, 200, "the token that the sign-in's page got works");
    assert_eq!(post(server, &[("Cookie", &made), ("X-CSRF-Token", &before)], b"").status, 403, "the old pair");

    let out = sessions.begin([ada.as_bytes()]);
    let session = wait(out.session()).unwrap();
    session.sign_out();
    let visitors = session.csrf_token();
    let headers = wait(out.finish()).unwrap();
    let next = headers.set_cookies().next().unwrap().to_str().unwrap().split(';').next().unwrap().to_owned();
    refused(&post(server, &[("Cookie", &next), ("X-CSRF-Token", &after)], b""));
    assert_eq!(post(server, &[("Cookie", &next), ("X-CSRF-Token", &visitors)], b"").status, 200);
}

/// H11: a form of 64 KiB is read, one byte more is refused as too large, and a larger body with the header is not
/// looked at.
#[test]
fn a_form_is_read_up_to_64_kib() {
    let sessions = sessions();
    let server = app(&sessions);
    let (made, token) = visitor(&sessions);
    let form = |length: usize| {
        let mut form = format!("csrf_token={token}&text=").into_bytes();
        form.resize(length, b'x');
        form
    };
    let lines = [("Cookie", &made[..]), ("Content-Type", FORM)];
    let reply = post(server, &lines, &form(MAX_FORM));
    assert_eq!((reply.status, reply.body.len(), MAX_FORM), (200, 65_536, 65_536));
    assert_eq!(post(server, &lines, &form(MAX_FORM + 1)).status, 413);
    let with_header = [lines[0], lines[1], ("X-CSRF-Token", &token)];
    assert_eq!(post(server, &with_header, &form(MAX_FORM * 4)).body.len(), MAX_FORM * 4);
}

/// H11: so is one that does not say how long it is.
#[test]
fn a_chunked_form_is_bounded_too() {
    let sessions = sessions();
    let server = app(&sessions);
    let (made, token) = visitor(&sessions);
    for (length, status) in [(1_000, 200), (MAX_FORM, 200), (MAX_FORM + 1, 413)] {
        let mut form = format!("csrf_token={token}&text=").into_bytes();
        form.resize(length, b'x');
        let head = format!(
            "POST / HTTP/1.1\r\nHost: app.example\r\nConnection: close\r\nCookie: {made}\r\nContent-Type: {FORM}\r\nTransfer-Encoding: chunked\r\n\r\n"
        );
        let chunks =
            form.chunks(1_000).flat_map(|chunk| [format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat());
        let bytes: Vec<u8> = head.bytes().chain(chunks).chain(*b"0\r\n\r\n").collect();
        let reply = common::exchange(server, &bytes).unwrap();
        assert_eq!(reply.status, status, "{length}");
    }
}

/// H09: a page's token gives a visitor a session to bind it to; that session's cookie leaves with the page.
#[test]
fn a_first_visit_gets_a_session_for_its_token() {
    let sessions = sessions();
    let server = app(&sessions);
    let page = common::fetch_bare(server, "/");
    let (made, token) = (page.cookie(), page.text().to_owned());
    assert_eq!(post(server, &[("Cookie", &made), ("X-CSRF-Token", &token)], b"").status, 200);
    assert_eq!(fetch(server, "/", [&made]).set_cookies().len(), 0, "a second token costs no cookie");
}

/// H09: the layer without sessions around it is the program's fault and lets nothing through.
#[test]
fn the_layer_without_sessions_lets_nothing_through() {
    let routes = Router::new().route("/", axum::routing::post(|| async { "through" })).layer(CsrfLayer::new());
    assert_eq!(post(serve(routes), &[], b"").status, 500);
}
