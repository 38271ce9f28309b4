//! What the `Cookie` header of a request becomes: section B of the requirements.
#![cfg(feature = "axum")]
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod common;

use std::{
    net::SocketAddr,
    sync::LazyLock,
    time::{Duration, UNIX_EPOCH},
};

use common::{NOTE, Reply, START, builder, cookie, corpus, exchange, fetch, request, serve, sessions, wait, who_app};
use hardtack::{Clock, CookiePolicy, Keyring, Reason, Sessions};
use proptest::{collection::vec, prelude::*, sample::select};

const NAME: &str = "__Host-session";

/// The values of a session of ada, called T in the corpus, and of one of bob, called U.
fn two_values(sessions: &Sessions) -> (String, String) {
    let value = |owner: &str| cookie(sessions, |session| session.sign_in(owner))[NAME.len() + 1..].to_owned();
    (value("ada"), value("bob"))
}

/// Who these `Cookie` fields are, asked at the framework-free door.
fn owner<'a>(sessions: &Sessions, fields: impl IntoIterator<Item = &'a [u8]>) -> Option<String> {
    let request = sessions.begin(fields);
    let owner = wait(request.session()).unwrap().owner();
    let _ = wait(request.finish()).unwrap();
    owner
}

/// What HTTP answers for one session of the corpus.
fn expected(case: &corpus::Case) -> &'static str {
    match case.session.as_deref() {
        Some("T") => "ada",
        Some("U") => "bob",
        _ => "nobody",
    }
}

/// B01–B09, B11, B13, B14: every header of the corpus that can travel, sent byte for byte, is answered with
/// 200 and as the session that the corpus names.
#[test]
fn every_header_of_the_corpus_is_the_session_that_it_names_over_http() {
    let sessions = sessions();
    let (t, u) = two_values(&sessions);
    let server = serve(who_app(&sessions));
    let mut wrong = Vec::new();
    let cases = corpus::cases();
    for case in cases.iter().filter(|case| case.http) {
        let reply = fetch(server, "/", case.fields.iter().map(|field| corpus::bytes(field, &t, &u)));
        if (reply.status, reply.text()) != (200, expected(case)) {
            wrong.push(format!("{} {:?}: {} {}", case.claim, case.covers, reply.status, reply.text()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// B01–B09, B11, B13, B14: the same at the framework-free door, with the headers that cannot travel too.
#[test]
fn every_header_of_the_corpus_is_the_session_that_it_names_at_the_door() {
    let sessions = sessions();
    let (t, u) = two_values(&sessions);
    let mut wrong = Vec::new();
    for case in corpus::cases() {
        let fields: Vec<_> = case.fields.iter().map(|field| corpus::bytes(field, &t, &u)).collect();
        let owner = owner(&sessions, fields.iter().map(Vec::as_slice));
        if owner.as_deref().unwrap_or("nobody") != expected(&case) {
            wrong.push(format!("{} {:?}: {owner:?}", case.claim, case.covers));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// `GET /` over HTTP/2 with one header field for each crumb.
fn fetch_over_http2(server: SocketAddr, crumbs: &[&[u8]]) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(server).await.unwrap();
        let (mut client, connection) = h2::client::handshake(stream).await.unwrap();
        tokio::spawn(connection);
        let mut request = http::Request::get(format!("http://{server}/")).body(()).unwrap();
        for crumb in crumbs {
            request.headers_mut().append("cookie", http::HeaderValue::from_bytes(crumb).unwrap());
        }
        let response = client.send_request(request, true).unwrap().0.await.unwrap();
        assert_eq!((response.status(), response.version()), (http::StatusCode::OK, http::Version::HTTP_2));
        let mut body = response.into_body();
        let mut text = Vec::new();
        while let Some(chunk) = body.data().await {
            text.extend_from_slice(&chunk.unwrap());
        }
        String::from_utf8(text).unwrap()
    })
}

/// B01: HTTP/2 splits the header into crumbs; the session is found in whichever it is, a conflict across
/// crumbs too, and a hostile neighbour in a crumb of its own hides nothing (B07).
#[test]
fn the_crumbs_of_http2_are_all_read() {
    let sessions = sessions();
    let (t, u) = two_values(&sessions);
    let server = serve(who_app(&sessions));
    let (ada, bob) = (format!("{NAME}={t}"), format!("{NAME}={u}"));
    let (ada, bob) = (ada.as_bytes(), bob.as_bytes());
    let neighbours: [&[u8]; 3] = [b"theme=dark", b"z=\xff\xfe", b"lang=en"];
    for at in 0..=neighbours.len() {
        let mut crumbs = neighbours.to_vec();
        crumbs.insert(at, ada);
        assert_eq!(fetch_over_http2(server, &crumbs), "ada", "crumb {at}");
    }
    assert_eq!(fetch_over_http2(server, &neighbours), "nobody");
    assert_eq!(fetch_over_http2(server, &[ada, b"a=1", ada]), "ada");
    assert_eq!(fetch_over_http2(server, &[ada, b"a=1", bob]), "nobody");
}

/// All orders of `items`.
fn permutations<T: Clone>(items: &[T]) -> Vec<Vec<T>> {
    if items.is_empty() {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for at in 0..items.len() {
        let mut rest = items.to_vec();
        let first = rest.remove(at);
        all.extend(permutations(&rest).into_iter().map(|tail| [vec![first.clone()], tail].concat()));
    }
    all
}

/// B02: order decides nothing. Whatever stands around it, the one session that opens is chosen; two that
/// open are none.
#[test]
fn the_order_of_duplicates_decides_nothing() {
    let sessions = sessions();
    let (t, u) = two_values(&sessions);
    let forged = Sessions::stateless(Keyring::ephemeral().unwrap()).clock(Clock::manual(START)).build().unwrap();
    let foreign = two_values(&forged).0;
    for values in permutations(&[t.as_str(), "garbage", "", &foreign]) {
        let field = values.iter().map(|value| format!("{NAME}={value}")).collect::<Vec<_>>().join("; ");
        assert_eq!(owner(&sessions, [field.as_bytes()]).as_deref(), Some("ada"), "{field}");
    }
    for values in permutations(&[t.as_str(), &u, "garbage", &foreign]) {
        let field = values.iter().map(|value| format!("{NAME}={value}")).collect::<Vec<_>>().join("; ");
        assert_eq!(owner(&sessions, [field.as_bytes()]), None, "{field}");
    }
}

/// B02: two sessions at once are an attack, so the operator is warned – without the tokens.
#[test]
fn two_sessions_at_once_are_a_warning_in_the_log() {
    let sessions = sessions();
    let (t, u) = two_values(&sessions);
    let text = common::log::logged(|| {
        assert_eq!(owner(&sessions, [format!("{NAME}={t}; {NAME}={u}").as_bytes()]), None);
    });
    assert!(text.contains("WARN") && text.contains("conflict"), "{text}");
    assert!(!text.contains(&t) && !text.contains(&u), "{text}");
}

/// B02, B13: when two sessions were presented, the answer takes the cookie of that name away, so that the
/// browser does not stay locked out.
#[test]
fn a_conflict_is_answered_with_the_removal_of_the_cookie() {
    let sessions = sessions();
    let (t, u) = two_values(&sessions);
    let reply = fetch(serve(who_app(&sessions)), "/", [format!("{NAME}={t}; {NAME}={u}")]);
    assert_eq!(reply.text(), "nobody");
    assert_eq!(reply.cookie(), format!("{NAME}="));
    assert!(reply.one("set-cookie").contains("; Max-Age=0"));
}

/// B10: a valid token anywhere but in the `Cookie` header is nobody's.
#[test]
fn the_token_is_taken_from_the_cookie_alone() {
    let sessions = sessions();
    let (t, _) = two_values(&sessions);
    let app = axum::Router::new()
        .route("/", axum::routing::any(common::who))
        .route("/{*rest}", axum::routing::any(common::who))
        .layer(sessions.layer());
    let server = serve(app);
    let asks = |method: &str, path: &str, fields: &str, body: &str| {
        let reply = request(server, method, path, format!("Host: a.example\r\n{fields}").as_bytes(), body.as_bytes());
        assert_eq!((reply.status, reply.text()), (200, "nobody"), "{method} {path} {fields} {body}");
        assert!(reply.set_cookies().is_empty());
    };
    for path in [
        format!("/?{NAME}={t}"),
        format!("/?session={t}"),
        format!("/;{NAME}={t}"),
        format!("/x;jsessionid={t}"),
        format!("/{NAME}={t}"),
    ] {
        asks("GET", &path, "", "");
    }
    for header in [
        format!("Authorization: Bearer {t}\r\n"),
        format!("Authorization: {NAME}={t}\r\n"),
        format!("X-Session: {t}\r\n"),
        format!("{NAME}: {t}\r\n"),
        format!("Cookie2: {NAME}={t}\r\n"),
        format!("X-Cookie: {NAME}={t}\r\n"),
        format!("Set-Cookie: {NAME}={t}\r\n"),
        format!("X-Forwarded-Cookie: {NAME}={t}\r\n"),
    ] {
        asks("GET", "/", &header, "");
    }
    asks("POST", "/", "Content-Type: application/x-www-form-urlencoded\r\n", &format!("{NAME}={t}"));
    asks("POST", "/", "Content-Type: text/plain\r\n", &format!("Cookie: {NAME}={t}"));
    assert_eq!(fetch(server, "/", [format!("{NAME}={t}")]).text(), "ada");
}

/// B11: length and alphabet are judged before any key is looked at: whatever is not the text of an envelope
/// is malformed, and a cut at another envelope's length is a forgery.
#[test]
fn a_value_of_the_wrong_length_or_alphabet_is_malformed_before_any_key_is_tried() {
    let sessions = sessions();
    let (t, _) = two_values(&sessions);
    let why = |value: &str| sessions.inspect(value).map(|_| ()).unwrap_err();
    for length in 0..t.len() {
        // 45 bytes of envelope around a multiple of 32, in base64url without padding.
        let could_be = (1..).map(|blocks| (45 + 32 * blocks) * 4_usize).map(|bits| bits.div_ceil(3));
        let whole = could_be.take_while(|whole| *whole <= length).any(|whole| whole == length);
        let reason = why(&t[..length]);
        // A cut inside the last character leaves bits that base64url does not allow: malformed as well.
        assert!(reason == Reason::Malformed || (whole && reason == Reason::Forged), "{length}: {reason}");
    }
    for (at, hostile) in [(0, '+'), (9, '/'), (30, '='), (40, ' '), (50, '%'), (60, '\0'), (70, 'é'), (80, '\n')] {
        let mut value: Vec<_> = t.chars().collect();
        value[at] = hostile;
        assert_eq!(why(&value.into_iter().collect::<String>()), Reason::Malformed, "{hostile:?}");
    }
    assert_eq!(why(&format!("{t}=")), Reason::Malformed);
    assert_eq!(why(&format!("{t}A")), Reason::Malformed);
    assert_eq!(why(&"A".repeat(1 << 20)), Reason::Malformed);
}

/// Sessions that were renamed from the unprefixed `session`, and the cookies of ada and bob under both names.
struct Renamed {
    sessions: Sessions,
    clock: Clock,
    ada: String,
    bob_before: String,
}

const UNTIL: u64 = START + 600_000;

fn renamed() -> Renamed {
    let keys = Keyring::ephemeral().unwrap();
    let clock = Clock::manual(START);
    let before = CookiePolicy::plain("session").path("/app").domain("app.example");
    let old = Sessions::stateless(keys.clone()).clock(clock.clone()).cookie(before.clone()).build().unwrap();
    let until = UNIX_EPOCH + Duration::from_millis(UNTIL);
    let sessions = Sessions::stateless(keys).clock(clock.clone()).previous_name(before, until).build().unwrap();
    let ada = cookie(&sessions, |session| session.sign_in("ada"));
    let bob_before = cookie(&old, |session| {
        session.sign_in("bob");
        session.set(NOTE, "kept".into());
    });
    Renamed { sessions, clock, ada, bob_before }
}

/// The `Set-Cookie` lines of a reply by the name they are for.
fn line<'a>(reply: &'a Reply, name: &str) -> Option<&'a str> {
    let lines = reply.set_cookies();
    let mut lines = lines.into_iter().filter(|line| line.split('=').next() == Some(name));
    let line = lines.next();
    assert_eq!(lines.next(), None, "two lines for {name}");
    line
}

/// B12: a session under the previous name moves: it is set under the present one, removed under the
/// previous one with that one's attributes (A11), and lives on with its data.
#[test]
fn a_session_under_the_previous_name_moves_to_the_present_one() {
    let Renamed { sessions, bob_before, .. } = renamed();
    let server = serve(who_app(&sessions));
    let reply = fetch(server, "/", [&bob_before]);
    assert_eq!(reply.text(), "bob");
    assert_eq!(
        line(&reply, "session"),
        Some("session=; Path=/app; Domain=app.example; HttpOnly; SameSite=Lax; Secure; Max-Age=0")
    );
    let moved = line(&reply, NAME).unwrap().split(';').next().unwrap();
    let again = fetch(server, "/", [moved]);
    assert_eq!((again.text(), again.set_cookies()), ("bob", vec![]));
    let inspected = sessions.inspect(&moved[NAME.len() + 1..]).unwrap();
    assert_eq!(inspected.data_json(), r#"{"note":"kept"}"#);
}

/// B12: whoever can set an unprefixed cookie cannot replace a prefixed one with it, not even one that does
/// not open.
#[test]
fn the_previous_name_never_overrides_the_present_one() {
    let Renamed { sessions, ada, bob_before, .. } = renamed();
    let server = serve(who_app(&sessions));
    for fields in [format!("{ada}; {bob_before}"), format!("{bob_before}; {ada}")] {
        let reply = fetch(server, "/", [&fields]);
        assert_eq!((reply.text(), reply.set_cookies()), ("ada", vec![]), "{fields}");
    }
    for broken in ["garbage", ""] {
        assert_eq!(fetch(server, "/", [format!("{bob_before}; {NAME}={broken}")]).text(), "nobody", "{broken:?}");
    }
    assert_eq!(fetch(server, "/", [bob_before.as_str(), "", &ada]).text(), "ada");
}

/// B12: the previous name is read until its date, and the first millisecond of that date is too late.
#[test]
fn the_previous_name_ends_at_its_date() {
    let Renamed { sessions, clock, bob_before, .. } = renamed();
    let server = serve(who_app(&sessions));
    clock.advance(Duration::from_millis(UNTIL - START - 1));
    assert_eq!(fetch(server, "/", [&bob_before]).text(), "bob");
    clock.advance(Duration::from_millis(1));
    let reply = fetch(server, "/", [&bob_before]);
    assert_eq!((reply.text(), reply.set_cookies()), ("nobody", vec![]));
}

/// B12: an unprefixed cookie is read by choice only, never by default.
#[test]
fn without_the_choice_a_previous_name_is_not_read() {
    let keys = Keyring::ephemeral().unwrap();
    let old = Sessions::stateless(keys.clone()).cookie(CookiePolicy::plain("session")).build().unwrap();
    let bob = cookie(&old, |session| session.sign_in("bob"));
    let server = serve(who_app(&Sessions::stateless(keys).build().unwrap()));
    let reply = fetch(server, "/", [&bob]);
    assert_eq!((reply.text(), reply.set_cookies()), ("nobody", vec![]));
}

/// B12, F03: a value is bound to its name, so one of the present name does not open under the previous one
/// and one of the previous name does not open under the present one.
#[test]
fn a_value_does_not_open_under_the_other_name() {
    let Renamed { sessions, ada, bob_before, .. } = renamed();
    let server = serve(who_app(&sessions));
    let ada_before = ada.strip_prefix("__Host-").unwrap();
    assert_eq!(fetch(server, "/", [ada_before]).text(), "nobody");
    assert_eq!(fetch(server, "/", [format!("__Host-{bob_before}")]).text(), "nobody");
}

/// B02, B12: two sessions under the previous name are an attack as well.
#[test]
fn two_sessions_under_the_previous_name_are_nobody() {
    let Renamed { sessions, bob_before, .. } = renamed();
    let keys = Keyring::ephemeral().unwrap();
    let until = UNIX_EPOCH + Duration::from_millis(UNTIL);
    let before = CookiePolicy::plain("session");
    let clock = Clock::manual(START);
    let old = Sessions::stateless(keys.clone()).clock(clock.clone()).cookie(before.clone()).build().unwrap();
    let both = Sessions::stateless(keys).clock(clock).previous_name(before, until).build().unwrap();
    let (ada, bob) = (cookie(&old, |s| s.sign_in("ada")), cookie(&old, |s| s.sign_in("bob")));
    assert_eq!(fetch(serve(who_app(&both)), "/", [format!("{ada}; {bob}")]).text(), "nobody");
    assert_eq!(fetch(serve(who_app(&sessions)), "/", [format!("{ada}; {bob_before}")]).text(), "bob");
}

/// B12, A11, E01: a sign-out under the previous name removes the cookie of that name.
#[test]
fn a_sign_out_under_the_previous_name_removes_that_cookie() {
    let Renamed { sessions, bob_before, .. } = renamed();
    let app = axum::Router::new()
        .route("/out", axum::routing::get(async |session: hardtack::Session| session.sign_out()))
        .layer(sessions.layer());
    let reply = fetch(serve(app), "/out", [&bob_before]);
    assert_eq!(
        line(&reply, "session"),
        Some("session=; Path=/app; Domain=app.example; HttpOnly; SameSite=Lax; Secure; Max-Age=0")
    );
    assert_eq!(owner(&sessions, [bob_before.as_bytes()]), None);
}

/// B13: an evicted, expired or foreign cookie is an anonymous visitor, and never a server error.
#[test]
fn a_lost_cookie_is_an_anonymous_visitor() {
    let (builder, clock) = builder();
    let sessions = builder.build().unwrap();
    let (t, _) = two_values(&sessions);
    let server = serve(who_app(&sessions));
    let foreign = two_values(&common::sessions()).0;
    for fields in [vec![], vec![String::new()], vec![format!("{NAME}={foreign}")], vec![format!("{NAME}=")]] {
        let reply = fetch(server, "/", &fields);
        assert_eq!((reply.status, reply.text()), (200, "nobody"), "{fields:?}");
    }
    clock.advance(Duration::from_secs(3600));
    let reply = fetch(server, "/", [format!("{NAME}={t}")]);
    assert_eq!((reply.status, reply.text()), (200, "nobody"));
}

/// B14: the same on the wire: bytes that are no HTTP at all end in a refusal of the server, and the next
/// request is served.
#[test]
fn hostile_bytes_on_the_wire_leave_the_server_standing() {
    let sessions = sessions();
    let (t, _) = two_values(&sessions);
    let server = serve(who_app(&sessions));
    for byte in 0..=255_u8 {
        let head = format!("GET / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\nCookie: {NAME}={t}; a=");
        let reply = exchange(server, &[head.as_bytes(), &[byte], b"; \r\n\r\n"].concat()).unwrap();
        let travels = byte == b'\t' || (byte >= b' ' && byte != 0x7f);
        match reply.status {
            200 => assert_eq!(reply.text(), "ada", "{byte:#04x}"),
            status => assert!(!travels && status == 400, "{byte:#04x}: {status}"),
        }
    }
}

/// One system for all cases of a property, with the values of ada and of bob.
static SYSTEM: LazyLock<(Sessions, String, String)> = LazyLock::new(|| {
    let sessions = sessions();
    let (t, u) = two_values(&sessions);
    (sessions, t, u)
});

/// Pieces that a hostile client would put together.
fn hostile_piece() -> impl Strategy<Value = Vec<u8>> {
    let (_, t, u) = &*SYSTEM;
    let name = format!("{NAME}=");
    let texts = [t, u, &name, NAME, ";", "=", "; ", "\t", "\"", "$Version=1", "\u{a0}", "%48", "\r\n", "\0"];
    let whole = [t, u].map(|value| format!("; {NAME}={value};"));
    let texts: Vec<_> = texts.iter().map(|text| text.to_string()).chain(whole).collect();
    prop_oneof![4 => select(texts).prop_map(String::into_bytes), 1 => vec(any::<u8>(), 0..40)]
}

proptest! {
    /// B14, B11: no fields of arbitrary bytes make the reader panic, and they are somebody only if they hold
    /// that session's value.
    #[test]
    fn no_bytes_panic_the_reader_and_none_make_a_session(fields in vec(vec(any::<u8>(), 0..400), 0..5)) {
        let (sessions, ..) = &*SYSTEM;
        prop_assert_eq!(owner(sessions, fields.iter().map(Vec::as_slice)), None);
    }

    /// B14, B02: the same with fields put together from true names, true values and separators: somebody
    /// is only whose whole pair stands between separators, and nobody else's.
    #[test]
    fn a_session_opens_only_where_its_pair_stands_alone(
        fields in vec(vec(hostile_piece(), 0..12).prop_map(|pieces| pieces.concat()), 0..4)
    ) {
        let (sessions, t, u) = &*SYSTEM;
        let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
        let stands = |value: &str| {
            let pair = format!("{NAME}={value}").into_bytes();
            let mut pairs = fields.iter().flat_map(|field| field.split(|byte| *byte == b';'));
            pairs.any(|part| part.iter().copied().filter(|byte| !blank(byte)).eq(pair.iter().copied()))
        };
        let owner = owner(sessions, fields.iter().map(Vec::as_slice));
        match (stands(t), stands(u)) {
            (false, false) => prop_assert_eq!(owner, None),
            (true, false) => prop_assert_ne!(owner.as_deref(), Some("bob")),
            (false, true) => prop_assert_ne!(owner.as_deref(), Some("ada")),
            (true, true) => {}
        }
    }

    /// B14, B11, F05: a value that was cut, lengthened or changed anywhere opens no session and panics
    /// nothing.
    #[test]
    fn a_changed_value_opens_nothing(at in any::<prop::sample::Index>(), byte in any::<u8>(), how in 0..3) {
        let (sessions, t, _) = &*SYSTEM;
        let mut value = t.clone().into_bytes();
        let at = at.index(value.len());
        match how {
            0 => value[at] = byte,
            1 => value.insert(at, byte),
            _ => value.truncate(at),
        }
        prop_assume!(value != t.as_bytes());
        // Blanks at either end are stripped, and ';' ends the value: then it may be the true one.
        prop_assume!(!matches!(byte, b' ' | b'\t' | b';') || how == 2);
        let field = [NAME.as_bytes(), b"=", &value].concat();
        prop_assert_eq!(owner(sessions, [field.as_slice()]), None);
    }
}
