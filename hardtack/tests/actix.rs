//! The actix-web adapter, over HTTP: one session per request, one commit, and a response, an error's too, that
//! never says what did not happen. The client of `common` brings the axum adapter along.
#![cfg(all(feature = "actix-web-4", feature = "axum"))]
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod common;

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex, mpsc},
};

use actix_web::{
    App, Error, HttpResponse, HttpServer, Responder,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    error::ErrorImATeapot,
    http::{StatusCode, header},
    middleware::{Next, from_fn},
    rt,
    web::{self, Bytes, Json, Query, get, post},
};
use common::{NOTE, builder, cookie, exchange, fetch, fetch_bare, request, sessions, wait};
use futures_util::stream;
use hardtack::{CommitError, CookiePolicy, FieldError, Outcome, Session, SessionRejection, Sessions, StoreError};
use serde::Deserialize;

type Handled<B> = Result<ServiceResponse<B>, Error>;

/// Serves an application on a loopback port until the process ends.
macro_rules! serve {
    ($app:expr) => {{
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address: SocketAddr = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            // By default actix takes a client that is gone for one that has only finished sending.
            let server = HttpServer::new(move || $app).workers(1).disable_signals().h1_allow_half_closed(false);
            rt::System::new().block_on(server.listen(listener).unwrap().run()).unwrap();
        });
        address
    }};
}

/// Serves one handler of `GET /`, with sessions.
macro_rules! serve_one {
    ($sessions:expr, $handler:expr) => {{
        let sessions = $sessions.clone();
        serve!(App::new().wrap(sessions.actix()).route("/", get().to($handler)))
    }};
}

async fn who(session: Session) -> String {
    session.owner().unwrap_or_else(|| "nobody".into())
}

/// Reads the note, then adds a letter to it.
async fn add(session: Session) -> String {
    let note = session.get(NOTE).unwrap_or_default();
    session.set(NOTE, format!("{note}x"));
    note
}

fn append(session: &Session, text: &'static str) {
    session.update(NOTE, move |note| note.unwrap_or_default() + text);
}

/// A middleware that writes before the handler and after it.
async fn around<B: MessageBody>(mut request: ServiceRequest, next: Next<B>) -> Handled<B> {
    append(&request.extract::<Session>().await?, "before ");
    let response = next.call(request).await?;
    append(&<Session as actix_web::FromRequest>::extract(response.request()).await?, " after");
    Ok(response)
}

/// The note of the session in a `NAME=VALUE`.
fn note(sessions: &Sessions, cookie: &str) -> Option<String> {
    let request = sessions.begin([cookie.as_bytes()]);
    wait(request.session()).unwrap().get(NOTE)
}

fn signed_in(sessions: &Sessions) -> String {
    cookie(sessions, |session| session.sign_in("ada"))
}

/// The same sessions wrapped twice are one: one cookie, one commit, and all that stands around them sees one
/// session.
#[test]
fn the_same_sessions_wrapped_twice_are_one() {
    let sessions = sessions();
    let ours = sessions.clone();
    let server =
        serve!(App::new().wrap(ours.actix()).wrap(from_fn(around)).wrap(ours.actix()).route("/", get().to(add)));
    let reply = fetch_bare(server, "/");
    assert_eq!((reply.status, reply.text()), (200, "before "));
    assert_eq!(reply.all("vary"), ["Cookie"]);
    assert_eq!(note(&sessions, &reply.cookie()).as_deref(), Some("before x after"));
}

/// Different sessions nested inside each other are two: the handler gets the inner one, what stands between
/// them gets the outer one, before and after the handler, and each sends its own cookie.
#[test]
fn different_sessions_nested_inside_each_other_stay_apart() {
    let named = |name: &str| builder().0.cookie(CookiePolicy::host(name)).build().unwrap();
    let (outer, inner) = (named("outer"), named("inner"));
    let (a, b) = (outer.clone(), inner.clone());
    let server = serve!(App::new().wrap(b.actix()).wrap(from_fn(around)).wrap(a.actix()).route("/", get().to(add)));
    let reply = fetch_bare(server, "/");
    assert_eq!(reply.text(), "", "the handler does not see the outer session");
    let lines = reply.set_cookies();
    let value = |name: &str| lines.iter().find(|line| line.starts_with(name)).unwrap().split(';').next().unwrap();
    assert_eq!(lines.len(), 2);
    assert_eq!(note(&inner, value("__Host-inner")).as_deref(), Some("x"));
    assert_eq!(note(&outer, value("__Host-outer")).as_deref(), Some("before  after"));
    let again = fetch(server, "/", [format!("{}; {}", value("__Host-outer"), value("__Host-inner"))]);
    assert_eq!(again.text(), "x");
}

/// Sessions count for the scope or the resource that they are wrapped around; outside of it there are none.
#[test]
fn sessions_count_for_what_they_are_wrapped_around() {
    let sessions = sessions();
    let server = serve!(
        App::new()
            .service(web::scope("/scope").wrap(sessions.actix()).route("/in", get().to(who)))
            .service(web::resource("/resource").wrap(sessions.actix()).route(get().to(who)))
            .route("/out", get().to(who))
    );
    assert_eq!(fetch_bare(server, "/scope/in").status, 200);
    assert_eq!(fetch_bare(server, "/resource").status, 200);
    assert_eq!(fetch_bare(server, "/out").status, 500);
}

/// J05: without the middleware the extractor answers 500 and tells the visitor nothing; a handler may ask why.
#[test]
fn a_missing_middleware_is_a_500_without_internals() {
    async fn fallible(session: Result<Session, SessionRejection>) -> String {
        match session {
            Err(SessionRejection::NoLayer) => "no layer".into(),
            other => format!("{other:?}"),
        }
    }
    let server = serve!(App::new().route("/", get().to(who)).route("/fallible", get().to(fallible)));
    let reply = fetch_bare(server, "/");
    assert_eq!((reply.status, reply.text()), (500, ""));
    assert!(reply.set_cookies().is_empty() && reply.all("vary").is_empty());
    assert_eq!(fetch_bare(server, "/fallible").text(), "no layer");
}

/// J05: a store's fault is a 503 that does not tell where the store is.
#[test]
fn a_fault_of_the_store_is_a_503_without_internals() {
    fn fault() -> StoreError {
        StoreError::new("10.0.0.7 refuses")
    }
    let load = async || Err::<String, _>(SessionRejection::Store(fault()));
    let save = async || Err::<String, _>(CommitError::Store(fault()));
    let server = serve!(App::new().route("/load", get().to(load)).route("/save", get().to(save)));
    for path in ["/load", "/save"] {
        let reply = fetch_bare(server, path);
        assert_eq!((reply.status, reply.text()), (503, ""));
    }
}

/// J05: actix makes `None` of every error, so for a session that could be asked for it is never `None`: "no
/// session" is what `is_live` answers, and a fault does not look like it.
#[test]
fn an_optional_session_is_none_for_faults_alone() {
    async fn optional(session: Option<Session>) -> &'static str {
        session.map_or("fault", |session| if session.is_live() { "live" } else { "none" })
    }
    let sessions = sessions();
    let ours = sessions.clone();
    let server = serve!(
        App::new()
            .service(web::resource("/").wrap(ours.actix()).route(get().to(optional)))
            .route("/out", get().to(optional))
    );
    assert_eq!(fetch_bare(server, "/").text(), "none");
    assert_eq!(fetch(server, "/", ["__Host-session=forged"]).text(), "none");
    assert_eq!(fetch(server, "/", [signed_in(&sessions)]).text(), "live");
    assert_eq!(fetch_bare(server, "/out").text(), "fault");
}

/// All extractions of a request are one session, however they are asked for, and it is committed once.
#[test]
fn all_extractions_of_a_request_are_one_session() {
    async fn thrice(first: Session, second: Option<Session>, third: Result<Session, SessionRejection>) -> String {
        append(&first, "first ");
        append(&second.unwrap(), "second ");
        third.unwrap().get(NOTE).unwrap()
    }
    let sessions = sessions();
    let ours = sessions.clone();
    let server = serve!(App::new().wrap(from_fn(around)).wrap(ours.actix()).route("/", get().to(thrice)));
    let reply = fetch_bare(server, "/");
    assert_eq!(reply.text(), "before first second ");
    assert_eq!(note(&sessions, &reply.cookie()).as_deref(), Some("before first second  after"));
}

/// B01, J10: `Cookie` fields are read as bytes, and all of them.
#[test]
fn every_cookie_field_is_read_as_bytes() {
    let sessions = sessions();
    let server = serve_one!(sessions, who);
    let live = signed_in(&sessions);
    let strange = b"theme=\xff\xfe; caf\xe9=1; ";
    assert_eq!(fetch(server, "/", [&strange[..], live.as_bytes()]).text(), "ada");
    assert_eq!(fetch(server, "/", [[strange, live.as_bytes()].concat()]).text(), "ada");
    assert_eq!(fetch(server, "/", [live.replace("__Host", "__%48ost")]).text(), "nobody");
}

/// A16: the development word is judged by the target or the `Host` field, never by what a client says that a
/// proxy saw.
#[test]
fn the_development_word_asks_no_forwarded_host() {
    let sessions = builder().0.cookie(CookiePolicy::default().insecure_on_loopback()).build().unwrap();
    let server = serve_one!(sessions, add);
    let name = |target: &str, fields: &str| {
        request(server, "GET", target, fields.as_bytes(), b"").cookie().split('=').next().unwrap().to_owned()
    };
    assert_eq!(name("/", "Host: localhost\r\n"), "session");
    assert_eq!(name("/", "Host: app.example\r\n"), "__Host-session");
    assert_eq!(name("http://app.example/", "Host: localhost\r\n"), "__Host-session");
    for field in ["X-Forwarded-Host: localhost", "Forwarded: host=localhost"] {
        assert_eq!(name("/", &format!("Host: app.example\r\n{field}\r\n")), "__Host-session");
    }
}

/// J10: requests that one connection brings at once are answered in order, each with its own session.
#[test]
fn requests_of_a_pipeline_are_sessions_of_their_own() {
    let sessions = sessions();
    let server = serve_one!(sessions, add);
    let visitors = ["a", "b", "c", ""].map(|name| match name {
        "" => String::new(),
        name => cookie(&sessions, |session| session.set(NOTE, name.into())),
    });
    let requests = visitors.iter().enumerate().map(|(at, cookie)| {
        let connection = if at == 3 { "close" } else { "keep-alive" };
        format!("GET / HTTP/1.1\r\nHost: app.example\r\nConnection: {connection}\r\nCookie: {cookie}\r\n\r\n")
    });
    let replies = exchange(server, requests.collect::<String>().as_bytes()).unwrap();
    let head = replies.headers.iter().map(|(name, value)| format!("{name}: {}\r\n", String::from_utf8_lossy(value)));
    let text = format!("HTTP/1.1 200\r\n{}\r\n{}", head.collect::<String>(), replies.text());
    let notes: Vec<_> = text
        .split("HTTP/1.1 200")
        .skip(1)
        .map(|reply| {
            let (head, body) = reply.split_once("\r\n\r\n").unwrap();
            let mut lines = head.lines().filter_map(|line| line.strip_prefix("set-cookie: "));
            let line = lines.next().unwrap();
            assert_eq!(lines.next(), None);
            (body.to_owned(), note(&sessions, line.split(';').next().unwrap()).unwrap())
        })
        .collect();
    let wanted = [("a", "ax"), ("b", "bx"), ("c", "cx"), ("", "x")];
    assert_eq!(notes, wanted.map(|(before, after)| (before.to_owned(), after.to_owned())));
}

/// A handler that panics commits nothing: no answer, no cookie, and the session that it ended lives.
#[test]
fn a_panic_in_the_handler_commits_nothing() {
    async fn panics(session: Session) -> String {
        session.sign_out();
        panic!("on purpose");
    }
    let sessions = sessions();
    let ours = sessions.clone();
    let server = serve!(App::new().wrap(ours.actix()).route("/", get().to(who)).route("/panics", get().to(panics)));
    let live = signed_in(&sessions);
    let head = format!("GET /panics HTTP/1.1\r\nHost: app.example\r\nCookie: {live}\r\n\r\n");
    assert!(exchange(server, head.as_bytes()).is_none());
    assert_eq!(fetch(server, "/", [&live]).text(), "ada");
}

/// A request that a client breaks off before the response commits nothing either.
#[test]
fn a_request_that_is_dropped_commits_nothing() {
    struct Dropped(mpsc::Sender<&'static str>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.send("dropped").unwrap();
        }
    }
    async fn leaves(session: Session, tell: web::Data<mpsc::Sender<&'static str>>) -> String {
        session.sign_out();
        let _dropped = Dropped(tell.get_ref().clone());
        tell.send("waits").unwrap();
        std::future::pending().await
    }
    let (tell, told) = mpsc::channel::<&str>();
    let sessions = sessions();
    let ours = sessions.clone();
    let server = serve!(
        App::new()
            .app_data(web::Data::new(tell.clone()))
            .wrap(ours.actix())
            .route("/", get().to(who))
            .route("/leaves", get().to(leaves))
    );
    let live = signed_in(&sessions);
    let mut stream = TcpStream::connect(server).unwrap();
    write!(stream, "GET /leaves HTTP/1.1\r\nHost: app.example\r\nCookie: {live}\r\n\r\n").unwrap();
    assert_eq!(told.recv().unwrap(), "waits");
    stream.shutdown(Shutdown::Both).unwrap();
    assert_eq!(told.recv().unwrap(), "dropped");
    // There is one worker, so its answer means that the request was dropped as a whole.
    assert_eq!(fetch(server, "/", [&live]).text(), "ada");
}

/// A17: a streamed response has its cookie in the head, before the body is there; the stream still reads the
/// session, and is told that it no longer writes.
#[test]
fn a_streamed_response_has_its_cookie_in_the_head() {
    let (go_on, may_go_on) = tokio::sync::oneshot::channel::<()>();
    let may_go_on = Arc::new(Mutex::new(Some(may_go_on)));
    let sessions = sessions();
    let server = serve_one!(sessions, {
        let may_go_on = may_go_on.clone();
        move |session: Session| {
            session.set(NOTE, "streamed".into());
            let may_go_on = may_go_on.lock().unwrap().take().unwrap();
            let body = async move {
                may_go_on.await.unwrap();
                let late = session.try_set(NOTE, "late".into());
                let text = format!("{} {}", session.get(NOTE).unwrap(), matches!(late, Err(FieldError::Closed)));
                Ok::<_, Error>(Bytes::from(text))
            };
            async { HttpResponse::Ok().streaming(stream::once(body)) }
        }
    });
    let mut stream = TcpStream::connect(server).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: app.example\r\nConnection: close\r\n\r\n").unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.extend_from_slice(&byte);
    }
    let head = String::from_utf8(head).unwrap();
    let line = head.lines().find_map(|line| line.strip_prefix("set-cookie: ")).unwrap();
    assert_eq!(note(&sessions, line.split(';').next().unwrap()).as_deref(), Some("streamed"));
    go_on.send(()).unwrap();
    let mut body = String::new();
    stream.read_to_string(&mut body).unwrap();
    assert!(body.contains("streamed true"), "{body}");
}

/// Shows the commit error that stands in the extensions of a response or came as an error.
async fn show_error<B: MessageBody>(request: ServiceRequest, next: Next<B>) -> Handled<B> {
    let header = |error: &CommitError| {
        let text = format!("{error:?}");
        header::HeaderValue::from_str(text.split([' ', '(', '{']).next().unwrap()).unwrap()
    };
    let name = header::HeaderName::from_static("x-error");
    let mut result = next.call(request).await;
    match &mut result {
        Ok(response) => {
            let value = response.response().extensions().get::<CommitError>().map(header);
            value.map(|value| response.headers_mut().insert(name, value));
        }
        Err(error) => {
            let value = error.as_error::<CommitError>().map(header);
            let Some(value) = value else { return result };
            error.add_response_mapper(move |mut response| {
                response.headers_mut().insert(name.clone(), value.clone());
                response
            });
        }
    }
    result
}

/// Writes what the path says and answers with an error or a response that has a cookie of its own.
async fn write(session: Session, kind: web::Path<String>) -> Result<HttpResponse, Error> {
    match kind.as_str() {
        "oversize" | "oversize-error" => session.set(NOTE, "x".repeat(5000)),
        "owner" => session.sign_in(""),
        "late" => {
            session.set(NOTE, "early".into());
            assert_eq!(session.commit().await?, Outcome::Saved);
            session.set(NOTE, "late".into());
        }
        "early" => {
            session.set(NOTE, "x".repeat(5000));
            session.commit().await?;
        }
        "discard" => {
            session.sign_out();
            session.set(NOTE, "x".repeat(5000));
            session.discard();
        }
        _ => session.set(NOTE, "kept".into()),
    }
    if kind.ends_with("error") {
        return Err(ErrorImATeapot("short and stout"));
    }
    let response = &mut HttpResponse::Ok();
    response.append_header((header::SET_COOKIE, "theme=dark")).append_header((header::CACHE_CONTROL, "public"));
    Ok(response.body("saved"))
}

fn write_server(sessions: &Sessions) -> SocketAddr {
    let sessions = sessions.clone();
    serve!(App::new().wrap(sessions.actix()).wrap(from_fn(show_error)).route("/{kind}", get().to(write)))
}

/// J05: a commit that fails takes the handler's response with it – its status, its body, its headers, its error –
/// and answers 500, uncached, without a cookie of ours, with the reason in the extensions.
#[test]
fn a_failed_commit_replaces_the_response() {
    let sessions = sessions();
    let live = cookie(&sessions, |session| session.set(NOTE, "before".into()));
    let server = write_server(&sessions);
    for (path, error) in [
        ("/oversize", "TooLarge"),
        ("/oversize-error", "TooLarge"),
        ("/owner", "Owner"),
        ("/late", "Closed"),
        ("/early", "TooLarge"),
    ] {
        for cookies in ["", &live] {
            let reply = fetch(server, path, [cookies]);
            assert_eq!((reply.status, reply.text(), reply.one("x-error")), (500, "", error), "{path}");
            assert!(reply.set_cookies().is_empty(), "{path}");
            assert_eq!(reply.all("cache-control"), ["no-store"], "{path}");
        }
    }
    assert_eq!(note(&sessions, &live).as_deref(), Some("before"), "the session that was there still is");
}

/// A15: what commits adds its cookie to those of the application.
#[test]
fn cookies_of_the_application_stay() {
    let sessions = sessions();
    let reply = fetch_bare(write_server(&sessions), "/ok");
    let lines = reply.set_cookies();
    assert_eq!((reply.status, lines.len(), lines[0]), (200, 2, "theme=dark"));
    assert_eq!(note(&sessions, lines[1].split(';').next().unwrap()).as_deref(), Some("kept"));
    assert_eq!(reply.all("cache-control"), ["no-store"]);
}

/// `discard` forgets everything, what would have failed the commit too.
#[test]
fn a_discarded_request_changes_nothing() {
    let sessions = sessions();
    let live = signed_in(&sessions);
    let reply = fetch(write_server(&sessions), "/discard", [&live]);
    assert_eq!((reply.status, reply.set_cookies()), (200, vec!["theme=dark"]));
    let request = sessions.begin([live.as_bytes()]);
    assert_eq!(wait(request.session()).unwrap().owner().as_deref(), Some("ada"));
}

/// A17: an error that a handler returns is a response like any other, with the session's cookie.
#[test]
fn the_error_of_a_handler_commits() {
    let sessions = sessions();
    let reply = fetch_bare(write_server(&sessions), "/error");
    assert_eq!((reply.status, reply.text()), (418, "short and stout"));
    assert_eq!(note(&sessions, &reply.cookie()).as_deref(), Some("kept"));
    assert_eq!((reply.all("vary"), reply.all("cache-control")), (vec!["Cookie"], vec!["no-store"]));
}

/// A17: so are the error of another extractor and the answer for a path that does not exist, when something
/// before them wrote the session.
#[test]
fn the_error_of_an_extractor_commits() {
    async fn before<B: MessageBody>(session: Session, request: ServiceRequest, next: Next<B>) -> Handled<B> {
        append(&session, "before");
        next.call(request).await
    }
    let sessions = sessions();
    let ours = sessions.clone();
    let server = serve!(
        App::new()
            .wrap(from_fn(before))
            .wrap(ours.actix())
            .route("/", post().to(async |_: Session, _: Json<u8>| "never"))
    );
    for (path, status) in [("/", 400), ("/nowhere", 404)] {
        let reply = request(server, "POST", path, b"Host: app.example\r\nContent-Type: application/json\r\n", b"no");
        assert_eq!(reply.status, status);
        assert_eq!(note(&sessions, &reply.cookie()).as_deref(), Some("before"));
    }
}

/// A17, J05: the error of a middleware inside commits as well: its response carries the session's headers, and
/// to a middleware outside it is still the error that it was. When the commit fails, that is the error.
#[test]
fn the_error_of_a_middleware_commits() {
    #[derive(Debug)]
    struct Refused;
    impl std::fmt::Display for Refused {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("refused")
        }
    }
    impl actix_web::ResponseError for Refused {
        fn status_code(&self) -> StatusCode {
            StatusCode::PAYMENT_REQUIRED
        }
    }
    async fn refuses<B: MessageBody>(session: Session, request: ServiceRequest, _: Next<B>) -> Handled<B> {
        append(&session, "refused");
        if request.path() == "/large" {
            session.set(NOTE, "x".repeat(5000));
        }
        Err(Refused.into())
    }
    async fn looks<B: MessageBody>(request: ServiceRequest, next: Next<B>) -> Handled<B> {
        let mut result = next.call(request).await;
        if let Err(error) = &mut result
            && error.as_error::<Refused>().is_some()
        {
            error.add_response_mapper(|mut response| {
                response.headers_mut().insert(header::VARY, header::HeaderValue::from_static("Origin, Cookie"));
                response
            });
        }
        result
    }
    let (outer, inner) = (builder().0.cookie(CookiePolicy::host("outer")).build().unwrap(), sessions());
    let (a, b) = (outer.clone(), inner.clone());
    let server = serve!(
        App::new()
            .wrap(from_fn(refuses))
            .wrap(b.actix())
            .wrap(b.actix())
            .wrap(from_fn(looks))
            .wrap(a.actix())
            .wrap(from_fn(show_error))
            .route("/", get().to(who))
    );
    let reply = fetch_bare(server, "/");
    assert_eq!((reply.status, reply.text(), reply.all("vary")), (402, "refused", vec!["Origin, Cookie"]));
    assert_eq!(note(&inner, &reply.cookie()).as_deref(), Some("refused"));
    assert_eq!(reply.all("cache-control"), ["no-store"]);

    let reply = fetch_bare(server, "/large");
    assert_eq!((reply.status, reply.text(), reply.one("x-error")), (500, "", "TooLarge"));
    assert_eq!((reply.set_cookies().len(), reply.all("cache-control")), (0, vec!["no-store"]));
}

/// J01, A14: a request that never asks for its session gets no header from us, whatever cookie it brought.
#[test]
fn an_untouched_session_says_nothing() {
    let sessions = sessions();
    let server = serve_one!(sessions, async || "public");
    for cookies in ["", &signed_in(&sessions), "__Host-session=forged"] {
        let reply = fetch(server, "/", [cookies]);
        for header in ["vary", "cache-control", "set-cookie"] {
            assert!(reply.all(header).is_empty(), "{header}: {reply:?}");
        }
    }
}

/// What a handler says about caches, and whether it writes.
#[derive(Deserialize)]
struct Says {
    control: String,
    vary: String,
    writes: bool,
}

async fn say(Query(says): Query<Says>, session: Session) -> impl Responder {
    if says.writes {
        session.set(NOTE, "x".into());
    }
    let mut response = HttpResponse::Ok();
    for (name, lines) in [(header::CACHE_CONTROL, says.control), (header::VARY, says.vary)] {
        for line in lines.split('|').filter(|line| !line.is_empty()) {
            response.append_header((name.clone(), line));
        }
    }
    response
}

/// J01, J02: what caches are told is what the axum adapter tells them, also when the application said something
/// in more than one field.
#[test]
fn caches_are_told_what_the_session_needs() {
    let server = serve_one!(sessions(), say);
    let ask = |control: &str, vary: &str, writes: bool| {
        let query = format!("control={control}&vary={vary}&writes={writes}");
        fetch_bare(server, &format!("/?{}", query.replace(' ', "%20").replace('|', "%7C")))
    };
    for (control, wanted) in [
        ("", "private"),
        ("max-age=60", "private, max-age=60"),
        ("must-revalidate|max-age=60", "private, must-revalidate, max-age=60"),
        ("public", "public"),
        ("no-store", "no-store"),
    ] {
        assert_eq!(ask(control, "", false).all("cache-control"), [wanted], "{control}");
    }
    for control in ["", "public, max-age=60", "public|max-age=60", "private"] {
        let reply = ask(control, "", true);
        assert_eq!((reply.set_cookies().len(), reply.all("cache-control")), (1, vec!["no-store"]), "{control}");
    }
    for (vary, wanted) in [
        ("", vec!["Cookie"]),
        ("Accept|Origin", vec!["Accept", "Origin", "Cookie"]),
        ("Accept , COOKIE", vec!["Accept , COOKIE"]),
        ("Accept|Cookie", vec!["Accept", "Cookie"]),
        ("*", vec!["*"]),
    ] {
        for writes in [false, true] {
            assert_eq!(ask("", vary, writes).all("vary"), wanted, "{vary}");
        }
    }
}

/// E01: signing out removes the cookie, and its bytes no longer open, over whichever adapter they come.
#[test]
fn a_session_ended_here_has_ended_everywhere() {
    let sessions = sessions();
    let actix = serve_one!(sessions, async |session: Session| {
        session.sign_out();
        "bye"
    });
    let axum = common::serve(common::who_app(&sessions));
    let live = signed_in(&sessions);
    assert_eq!(fetch(axum, "/", [&live]).text(), "ada");
    assert!(fetch(actix, "/", [&live]).one("set-cookie").contains("; Max-Age=0"));
    assert_eq!(fetch(axum, "/", [&live]).text(), "nobody");
}
