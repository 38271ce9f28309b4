//! H11 for forms with files: the token is found in a multipart body, the body arrives whole, and no more of it is read
//! than must be. And what happens to a form that is refused.
#![cfg(feature = "axum")]
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod common;

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{DefaultBodyLimit, Request},
    response::{Html, IntoResponse, Response},
    routing::{get, post},
};
use common::{Reply, cookie, request, serve, sessions};
use futures_util::StreamExt;
use hardtack::{
    Session, Sessions,
    csrf::{
        CsrfLayer, CsrfPolicy, CsrfRefusal, FETCH_SCRIPT, MAX_FORM, hidden_field, meta_tag, token_in_body,
        token_in_form,
    },
};
use http_body_util::BodyExt;
use tower::ServiceExt;

const TYPE: &str = "multipart/form-data; boundary=----WebKitFormBoundaryAbC123";
const BOUNDARY: &str = "----WebKitFormBoundaryAbC123";

/// A form as a browser sends it.
fn form(parts: &[(&str, &[u8])]) -> Vec<u8> {
    form_with(BOUNDARY, parts)
}

fn form_with(boundary: &str, parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (disposition, content) in parts {
        body.extend(format!("--{boundary}\r\nContent-Disposition: form-data; {disposition}\r\n\r\n").as_bytes());
        body.extend(*content);
        body.extend(b"\r\n");
    }
    body.extend(format!("--{boundary}--\r\n").as_bytes());
    body
}

fn guarded(sessions: &Sessions) -> Router {
    let echo = async |body: Bytes| body;
    let count = async |request: Request| {
        let mut pieces = request.into_body().into_data_stream();
        let mut length = 0;
        while let Some(piece) = pieces.next().await {
            length += piece.unwrap().len();
        }
        length.to_string()
    };
    let routes = Router::new().route("/", post(echo)).route("/count", post(count));
    routes.layer(DefaultBodyLimit::disable()).layer(CsrfLayer::new()).layer(sessions.layer())
}

fn visitor(sessions: &Sessions) -> (String, String) {
    let mut token = String::new();
    let made = cookie(sessions, |session| token = session.csrf_token());
    (made, token)
}

fn send(server: SocketAddr, path: &str, cookie: &str, content_type: &str, body: &[u8]) -> Reply {
    let lines = format!("Host: app.example\r\nCookie: {cookie}\r\nContent-Type: {content_type}\r\n");
    request(server, "POST", path, lines.as_bytes(), body)
}

/// H11: the field is found wherever it stands among others, and the handler gets every byte.
#[test]
fn the_token_is_found_in_a_multipart_form_and_the_form_arrives_whole() {
    let sessions = sessions();
    let server = serve(guarded(&sessions));
    let (cookie, token) = visitor(&sessions);
    let (field, value): (&str, &[u8]) = ("name=\"csrf_token\"", token.as_bytes());
    let noise: &[u8] =
        b"\x00\xff\r\n--\r\n\r\n--WebKit\r\nContent-Disposition: form-data; name=\"csrf_token\"\r\n\r\nbad";
    for parts in [
        &[(field, value)][..],
        &[("name=\"a\"", b"1"), (field, value), ("name=\"b\"", noise)],
        &[("name=\"a\"", noise), ("name=\"empty\"", b""), (field, value)],
        &[("name=\"file\"; filename=\"a.png\"\r\nContent-Type: image/png", noise), (field, value)],
        &[("name=csrf_token", value)],
        &[(" NAME=\"csrf_token\" ; other=x", value)],
        &[("name=\"csrf_token\"\r\nContent-Type: text/plain; charset=utf-8", value)],
        &[(field, value), (field, b"bad")],
    ] {
        let body = form(parts);
        let reply = send(server, "/", &cookie, TYPE, &body);
        assert_eq!((reply.status, &reply.body[..]), (200, &body[..]), "{:?}", String::from_utf8_lossy(&body));
        assert_eq!(token_in_body(TYPE, &body), Some(token.clone()));
    }
    for (content_type, boundary) in [
        ("Multipart/Form-Data; Boundary=x", "x"),
        ("multipart/form-data; charset=utf-8; boundary=\"a b\\\"c\"", "a b\"c"),
        ("multipart/form-data;boundary='()+_,-./:=?", "'()+_,-./:=?"),
    ] {
        let body = form_with(boundary, &[(field, value)]);
        assert_eq!(send(server, "/", &cookie, content_type, &body).status, 200, "{content_type}");
    }
    let body = [&b"a preamble\r\n"[..], &form(&[(field, value)]), b"an epilogue"].concat();
    let reply = send(server, "/", &cookie, TYPE, &body);
    assert_eq!((reply.status, &reply.body[..]), (200, &body[..]));
}

/// H10, H11: what is no whole field of that name is no token.
#[test]
fn what_is_no_field_is_no_token() {
    let sessions = sessions();
    let server = serve(guarded(&sessions));
    let (cookie, token) = visitor(&sessions);
    let value = token.as_bytes();
    let whole = form(&[("name=\"csrf_token\"", value)]);
    let mut refused = vec![
        form(&[("name=\"csrf_token\"; filename=\"a\"", value)]),
        form(&[("name=\"csrf_token\"; filename*=UTF-8''a", value)]),
        form(&[("filename=\"; name=csrf_token\"", value)]),
        form(&[("name=\"CSRF_TOKEN\"", value)]),
        form(&[("name=\"csrf_token[]\"", value)]),
        form(&[("name=\"csrf_token\"", b"bad"), ("name=\"csrf_token\"", value)]),
        form(&[("name=\"csrf_token\"", &[value, b" "].concat())]),
        form(&[("name=\"a\"", &form_with("other", &[("name=\"csrf_token\"", value)]))]),
        form_with("other", &[("name=\"csrf_token\"", value)]),
        format!("--{BOUNDARY}\r\nX-Name: form-data; name=\"csrf_token\"\r\n\r\n{token}\r\n--{BOUNDARY}--").into(),
        format!("--{BOUNDARY}\r\n\r\n{token}\r\n--{BOUNDARY}--").into(),
        format!(
            "--{BOUNDARY}--\r\nContent-Disposition: form-data; name=\"csrf_token\"\r\n\r\n{token}\r\n--{BOUNDARY}--"
        )
        .into(),
        format!(
            "--{BOUNDARY}X\r\nContent-Disposition: form-data; name=\"csrf_token\"\r\n\r\n{token}\r\n--{BOUNDARY}X--"
        )
        .into(),
        whole.iter().copied().filter(|byte| *byte != b'\r').collect(),
    ];
    // Without its end it is no field, wherever it breaks off.
    let end = whole.len() - b"--\r\n".len();
    refused.extend((0..end - 1).step_by(7).map(|length| whole[..length].to_vec()));
    refused.push(whole[..end - 1].to_vec());
    for body in refused {
        let reply = send(server, "/", &cookie, TYPE, &body);
        assert_eq!(reply.status, 403, "{:?}", String::from_utf8_lossy(&body));
    }
    for content_type in [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=\"",
        "multipart/form-data; boundary",
        "multipart/mixed; boundary=----WebKitFormBoundaryAbC123",
        "multipart/form-data, boundary=----WebKitFormBoundaryAbC123",
        &format!("multipart/form-data; boundary={}", "x".repeat(71)),
    ] {
        assert_eq!(send(server, "/", &cookie, content_type, &whole).status, 403, "{content_type}");
    }
}

/// H11: the pieces in which a body comes change nothing, however small they are.
#[tokio::test]
async fn a_body_may_come_in_pieces_of_any_size() {
    let sessions = sessions();
    let app = guarded(&sessions);
    let request = sessions.begin([]);
    let session = request.session().await.unwrap();
    let token = session.csrf_token();
    let headers = request.finish().await.unwrap();
    let cookie = headers.set_cookies().next().unwrap().to_str().unwrap().split(';').next().unwrap().to_owned();
    let multipart =
        form(&[("name=\"a\"", b"\r\n--"), ("name=\"csrf_token\"", token.as_bytes()), ("name=\"b\"", &[0; 999])]);
    let urlencoded = format!("a=1&csrf_token={token}&b=2").into_bytes();
    for (content_type, body) in [(TYPE, multipart), ("application/x-www-form-urlencoded", urlencoded)] {
        for size in [1, 2, 3, 7, 64, 10_000] {
            let pieces: Vec<_> =
                body.chunks(size).map(|piece| Ok::<_, std::io::Error>(Bytes::copy_from_slice(piece))).collect();
            let request = Request::post("/").header("cookie", &cookie).header("content-type", content_type);
            let request = request.body(Body::from_stream(futures_util::stream::iter(pieces))).unwrap();
            let reply = app.clone().oneshot(request).await.unwrap();
            assert_eq!(reply.status(), 200, "{size}");
            assert_eq!(reply.into_body().collect().await.unwrap().to_bytes(), body, "{size}");
        }
    }
}

/// H11: an upload may be as large as the application allows, when the token comes before it: what follows is handed on
/// as it comes in. Where the first 64 KiB hold no token it is refused with 413, and not read on.
#[test]
fn a_large_upload_passes_when_its_token_comes_first() {
    let sessions = sessions();
    let server = serve(guarded(&sessions));
    let (cookie, token) = visitor(&sessions);
    let field: (&str, &[u8]) = ("name=\"csrf_token\"", token.as_bytes());
    let file = vec![b'x'; 3 * 1024 * 1024];
    let upload = ("name=\"file\"; filename=\"a\"", &file[..]);
    let body = form(&[field, upload]);
    let reply = send(server, "/count", &cookie, TYPE, &body);
    assert_eq!((reply.status, reply.text()), (200, &*body.len().to_string()));
    let reply = send(server, "/", &cookie, TYPE, &body);
    assert!(reply.status == 200 && reply.body == body);

    // To the byte: the field with its end lies within the first 64 KiB, or it does not.
    let of_padding = |length: usize| form(&[("name=\"a\"", &vec![b'x'; length]), field, ("name=\"b\"", &file)]);
    let end = String::from_utf8(of_padding(0)).unwrap().find("\r\nContent-Disposition: form-data; name=\"b\"").unwrap();
    assert_eq!(send(server, "/count", &cookie, TYPE, &of_padding(MAX_FORM - end)).status, 200);

    let late = form(&[upload, field]);
    let mut stream = TcpStream::connect(server).unwrap();
    let head = format!(
        "POST / HTTP/1.1\r\nHost: app.example\r\nCookie: {cookie}\r\nContent-Type: {TYPE}\r\nContent-Length: {}\r\n\r\n",
        late.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    // More than 64 KiB, and far less than was announced.
    stream.write_all(&late[..MAX_FORM + 1]).unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");
    let one_more = send(server, "/count", &cookie, TYPE, &of_padding(MAX_FORM - end + 1)[..MAX_FORM + 1]);
    assert_eq!(one_more.status, 413);
}

/// H01: the body of a request whose headers are bad is not read at all: the answer comes before it does.
#[test]
fn the_body_is_read_only_after_the_headers_were_found_good() {
    let sessions = sessions();
    let server = serve(guarded(&sessions));
    let (cookie, _) = visitor(&sessions);
    let mut stream = TcpStream::connect(server).unwrap();
    let head = format!(
        "POST / HTTP/1.1\r\nHost: app.example\r\nCookie: {cookie}\r\nContent-Type: {TYPE}\r\nContent-Length: 1000\r\nSec-Fetch-Site: cross-site\r\nExpect: 100-continue\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 403");
}

/// A form that was refused is shown again with a new token and what was typed; sending it then works. The default
/// answer is a sentence. The refusal lies in the answer's extensions.
#[tokio::test]
async fn a_refused_form_is_rendered_again_with_a_new_token() {
    async fn again(refusal: CsrfRefusal, request: Request) -> Response {
        let session = Session::from_extensions(request.extensions()).await.unwrap();
        if !refusal.is_about_the_token() {
            return refusal.to_string().into_response();
        }
        let body = request.into_body().collect().await.unwrap().to_bytes();
        let typed = String::from_utf8(body.to_vec()).unwrap();
        Html(format!("{}|{typed}", hidden_field(&session))).into_response()
    }
    let sessions = sessions();
    let routes = Router::new().route("/", post(async || "posted")).layer(CsrfLayer::new().on_refusal(again));
    let app = routes.layer(sessions.layer());
    let ask = async |lines: &[(&str, &str)], body: &str| {
        let request = Request::post("/").header("content-type", "application/x-www-form-urlencoded");
        let request = lines.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let reply = app.clone().oneshot(request.body(Body::from(body.to_owned())).unwrap()).await.unwrap();
        let refusal = reply.extensions().get::<CsrfRefusal>().copied();
        let cookie =
            reply.headers().get("set-cookie").map(|line| line.to_str().unwrap().split(';').next().unwrap().to_owned());
        let status = reply.status().as_u16();
        let text = String::from_utf8(reply.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap();
        (status, refusal, text, cookie)
    };
    let (status, refusal, page, made) = ask(&[], "text=typed").await;
    assert_eq!((status, refusal), (403, Some(CsrfRefusal::NoToken)));
    assert!(page.starts_with("<input type=\"hidden\" name=\"csrf_token\" value=\"") && page.ends_with("|text=typed"));
    let token = page.split('"').nth(5).unwrap();
    let made = made.expect("a visitor without a session gets one for the form");
    let (status, refusal, ..) = ask(&[("cookie", &made)], &format!("csrf_token={token}&text=typed")).await;
    assert_eq!((status, refusal), (200, None));
    let (status, refusal, page, _) = ask(&[("cookie", &made)], "csrf_token=old&text=typed").await;
    assert_eq!((status, refusal), (403, Some(CsrfRefusal::WrongToken)));
    assert!(page.contains("name=\"csrf_token\""));
    let foreign = [("cookie", &*made), ("origin", "https://attacker.example")];
    let (status, refusal, text, set) = ask(&foreign, &format!("csrf_token={token}")).await;
    assert_eq!((status, refusal, set), (403, Some(CsrfRefusal::ForeignOrigin), None));
    assert_eq!(text, "This request came from another site and was refused.");
}

/// An answer of one's own keeps its status, unless that would say that all is well.
#[tokio::test]
async fn a_refusal_is_never_answered_as_success() {
    let sessions = sessions();
    for (own, status) in [(200, 403), (422, 422), (303, 303)] {
        let answer = move |_, _| async move { http::StatusCode::from_u16(own).unwrap() };
        let app = Router::new()
            .route("/", post(async || "ran"))
            .layer(CsrfLayer::new().on_refusal(answer))
            .layer(sessions.layer());
        let reply = app.oneshot(Request::post("/").body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(reply.status(), status);
    }
}

/// A form that breaks off is the client's fault, and nobody waits for it.
#[tokio::test]
async fn a_body_that_breaks_off_is_answered_with_400() {
    let sessions = sessions();
    let app = guarded(&sessions);
    for content_type in [TYPE, "application/x-www-form-urlencoded"] {
        let pieces = [Ok(Bytes::from_static(b"--")), Err(std::io::Error::other("gone"))];
        let request = Request::post("/").header("content-type", content_type);
        let request = request.body(Body::from_stream(futures_util::stream::iter(pieces))).unwrap();
        assert_eq!(app.clone().oneshot(request).await.unwrap().status(), 400);
    }
}

/// H12: a login form is protected by the anonymous session that it began. Its token is asked for, the header verdict
/// too, and the sign-in ends it: neither its cookie nor its token is worth anything afterwards.
#[test]
fn the_session_of_a_login_form_ends_with_the_sign_in() {
    let sessions = sessions();
    let routes = Router::new()
        .route(
            "/login",
            get(async |session: Session| session.csrf_token()).post(async |session: Session| session.sign_in("ada")),
        )
        .route("/", get(common::who).post(common::who));
    let server = serve(routes.layer(CsrfLayer::new()).layer(sessions.layer()));
    let page = common::fetch_bare(server, "/login");
    let (before, token) = (page.cookie(), page.text().to_owned());
    let log_in = |lines: &str| {
        let lines = format!("Host: app.example\r\n{lines}");
        request(server, "POST", "/login", lines.as_bytes(), b"")
    };
    // An attacker would sign the victim in as himself.
    assert_eq!(log_in("").status, 403);
    assert_eq!(log_in(&format!("X-CSRF-Token: {token}\r\n")).status, 403);
    let good = format!("Cookie: {before}\r\nX-CSRF-Token: {token}\r\n");
    assert_eq!(log_in(&format!("{good}Sec-Fetch-Site: cross-site\r\n")).status, 403);
    let reply = log_in(&good);
    assert_eq!(reply.status, 200);
    let after = reply.cookie();
    assert_ne!(before, after);
    assert_eq!(common::fetch(server, "/", [&after]).text(), "ada");
    assert_eq!(common::fetch(server, "/", [&before]).text(), "nobody");
    for cookie in [&before, &after] {
        let lines = format!("Host: app.example\r\nCookie: {cookie}\r\nX-CSRF-Token: {token}\r\n");
        assert_eq!(request(server, "POST", "/", lines.as_bytes(), b"").status, 403);
    }
}

/// H11, J11: a refusal is logged with its reason and the session's handle, and without the token.
#[test]
fn a_refusal_is_logged_without_the_token() {
    let sessions = sessions();
    let (made, token) = visitor(&sessions);
    let changed = format!("{}x", &token[..85]);
    let session = common::wait(sessions.begin([made.as_bytes()]).session()).unwrap();
    let handle = session.handle().unwrap().to_string();
    let said = common::log::logged(|| {
        common::wait(async {
            let app = guarded(&sessions);
            let (cookie, type_, body) = (&made, TYPE, form(&[("name=\"csrf_token\"", changed.as_bytes())]));
            let request = Request::post("/").header("cookie", cookie).header("content-type", type_);
            app.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
            let request = Request::post("/").header("cookie", cookie).header("sec-fetch-site", "cross-site");
            app.oneshot(request.header("x-csrf-token", &token).body(Body::empty()).unwrap()).await.unwrap();
        });
    });
    assert!(said.contains("wrong_token") && said.contains("cross_site"), "{said}");
    assert!(said.contains(&handle), "{said}");
    assert!(!said.contains(&token[..40]) && !said.contains(&made[made.len() - 40..]), "{said}");
}

/// What a page carries is what the layer takes.
#[test]
fn the_helpers_of_a_page_hold_good_tokens() {
    let sessions = sessions();
    let (mut field, mut meta) = (String::new(), String::new());
    let made = cookie(&sessions, |session| (field, meta) = (hidden_field(session), meta_tag(session)));
    let session = common::wait(sessions.begin([made.as_bytes()]).session()).unwrap();
    for (text, begin, end) in [
        (field, "<input type=\"hidden\" name=\"csrf_token\" value=\"", "\">"),
        (meta, "<meta name=\"csrf-token\" content=\"", "\">"),
    ] {
        let token = text.strip_prefix(begin).and_then(|rest| rest.strip_suffix(end)).unwrap();
        assert!(session.verify_csrf(token));
    }
    assert!(FETCH_SCRIPT.contains("csrfFetch") && FETCH_SCRIPT.is_ascii());
    assert_eq!(token_in_body("text/plain", b"csrf_token=x"), None);
    assert_eq!(token_in_body("application/x-www-form-urlencoded", b"csrf_token=x"), token_in_form(b"csrf_token=x"));
}

/// The layer is cheap to clone and says what it does; its policy is not lost when an answer is added.
#[tokio::test]
async fn a_policy_survives_an_answer_of_ones_own() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let answer = {
        let seen = seen.clone();
        move |refusal, _: Request| {
            seen.lock().unwrap().push(refusal);
            async {}
        }
    };
    let layer = CsrfLayer::with(CsrfPolicy::new().require_headers()).on_refusal(answer);
    let sessions = sessions();
    let app = Router::new().route("/", post(async || "ran")).layer(layer.clone()).layer(sessions.layer());
    app.oneshot(Request::post("/").body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(*seen.lock().unwrap(), [CsrfRefusal::NoHeaders]);
    assert!(format!("{layer:?}").contains("requires_headers: true"));
}
