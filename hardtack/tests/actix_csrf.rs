//! H01–H05, H07, H08, H11–H16 with actix-web: the same tables and the same forms as with axum, over HTTP. The client of
//! `common` brings the axum adapter along.
#![cfg(all(feature = "actix-web-4", feature = "axum"))]
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod common;
#[path = "common/csrf_rows.rs"]
mod csrf_rows;

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use actix_web::{
    App, Error, HttpResponse, HttpServer, ResponseError,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    error::InternalError,
    middleware::{Next, from_fn},
    rt,
    web::{self, Bytes, Payload},
};
use common::{Reply, cookie, exchange, request, sessions};
use csrf_rows::{POLICIES, policy, tables};
use futures_util::StreamExt;
use hardtack::{
    Session, Sessions,
    csrf::{CsrfMiddleware, CsrfPolicy, CsrfRefusal, MAX_FORM, hidden_field},
};

const FORM: &str = "application/x-www-form-urlencoded";
const MULTIPART: &str = "multipart/form-data; boundary=x";

struct Site {
    server: SocketAddr,
    ran: Arc<AtomicUsize>,
    cookie: String,
    token: String,
}

async fn echo(body: Bytes) -> Bytes {
    body
}

async fn count(mut body: Payload) -> String {
    let mut length = 0;
    while let Some(piece) = body.next().await {
        length += piece.unwrap().len();
    }
    length.to_string()
}

/// Shows a form that was refused again.
async fn again<B: MessageBody>(mut request: ServiceRequest, next: Next<B>) -> Result<ServiceResponse<B>, Error> {
    let session = request.extract::<Session>().await?;
    next.call(request).await.map_err(|error| match error.as_error::<CsrfRefusal>() {
        Some(refusal) if refusal.is_about_the_token() => {
            let page = HttpResponse::build(refusal.status_code()).body(format!("again {}", hidden_field(&session)));
            InternalError::from_response(*refusal, page).into()
        }
        _ => error,
    })
}

impl Site {
    fn new(policy: CsrfPolicy) -> Self {
        Self::with(&sessions(), policy)
    }

    /// Serves on a loopback port until the process ends.
    fn with(sessions: &Sessions, policy: CsrfPolicy) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = listener.local_addr().unwrap();
        let ran = Arc::new(AtomicUsize::new(0));
        let (counter, ours) = (ran.clone(), sessions.clone());
        std::thread::spawn(move || {
            let app = move || {
                let counter = counter.clone();
                let run = move || {
                    counter.fetch_add(1, Ordering::Relaxed);
                    async { "ran" }
                };
                let csrf = || CsrfMiddleware::with(policy.clone());
                App::new()
                    .service(web::resource("/bypass/").to(run.clone()))
                    .service(web::resource("/only/{foo}").to(run.clone()))
                    .service(
                        web::scope("/again").wrap(csrf()).wrap(from_fn(again)).route("", web::post().to(run.clone())),
                    )
                    .service(
                        web::scope("")
                            .wrap(csrf())
                            .service(web::resource("/").to(run.clone()))
                            .service(web::resource("/api/").to(run))
                            .route("/echo", web::post().to(echo))
                            .route("/count", web::post().to(count)),
                    )
                    .app_data(web::PayloadConfig::new(16 * 1024 * 1024))
                    .wrap(ours.actix())
            };
            let server = HttpServer::new(app).workers(1).disable_signals();
            rt::System::new().block_on(server.listen(listener).unwrap().run()).unwrap();
        });
        let mut token = String::new();
        let cookie = cookie(sessions, |session| token = session.csrf_token());
        Self { server, ran, cookie, token }
    }

    fn post(&self, path: &str, content_type: &str, lines: &str, body: &[u8]) -> Reply {
        let lines = format!("Host: example.com\r\nCookie: {}\r\nContent-Type: {content_type}\r\n{lines}", self.cookie);
        request(self.server, "POST", path, lines.as_bytes(), body)
    }

    fn form(&self, parts: &[(&str, &[u8])]) -> Vec<u8> {
        let mut body = Vec::new();
        for (disposition, content) in parts {
            body.extend(format!("--x\r\nContent-Disposition: form-data; {disposition}\r\n\r\n").as_bytes());
            body.extend([*content, b"\r\n"].concat());
        }
        body.extend(b"--x--\r\n");
        body
    }
}

/// H01–H05, H07, H08, H14–H16
#[test]
fn the_tables_of_go_and_rails_and_our_own_hold_with_actix_web() {
    let sites: Vec<_> = POLICIES.iter().map(|name| (*name, Site::new(policy(name)))).collect();
    for row in tables().rows {
        let (_, site) = sites.iter().find(|(name, _)| *name == row.policy).unwrap();
        let before = site.ran.load(Ordering::Relaxed);
        let reply = exchange(site.server, &row.request(&row.path, &site.cookie, &site.token)).unwrap();
        let ran = site.ran.load(Ordering::Relaxed) > before;
        assert_eq!(ran, row.passes(), "{}: {}", row.name(), reply.status);
        let allowed: &[u16] = if row.passes() { &[200] } else { &[403, 404] };
        assert!(allowed.contains(&reply.status), "{}: {}", row.name(), reply.status);
    }
}

/// H11: the token is found in both kinds of forms, and the handler gets every byte.
#[test]
fn forms_arrive_whole() {
    let site = Site::new(CsrfPolicy::new());
    let token = site.token.as_bytes();
    let urlencoded = format!("a=1&csrf_token={}&b=2", site.token).into_bytes();
    let file = vec![b'x'; 2 * 1024 * 1024];
    let upload = ("name=\"file\"; filename=\"a\"", &file[..]);
    let small = site.form(&[("name=\"a\"", b"\r\n--"), ("name=\"csrf_token\"", token), ("name=\"b\"", b"2")]);
    let large = site.form(&[("name=\"csrf_token\"", token), upload]);
    for (content_type, body) in [(FORM, &urlencoded), (MULTIPART, &small), (MULTIPART, &large)] {
        let reply = site.post("/echo", content_type, "", body);
        assert!(reply.status == 200 && reply.body == *body, "{}: {} bytes", reply.status, reply.body.len());
    }
    assert_eq!(site.post("/count", MULTIPART, "", &large).text(), large.len().to_string());
    let by_header = format!("X-CSRF-Token: {}\r\n", site.token);
    assert_eq!(site.post("/echo", "application/json", &by_header, b"{}").text(), "{}");

    for (content_type, body) in [
        (FORM, &b"a=1"[..]),
        (FORM, b"csrf_token=x"),
        (MULTIPART, &site.form(&[("name=\"csrf_token\"", b"x")])),
        (MULTIPART, &site.form(&[("name=\"csrf_token\"; filename=\"a\"", token)])),
        ("application/json", &[b"{\"csrf_token\":\"", token, b"\"}"].concat()),
        ("multipart/form-data", &small),
    ] {
        let reply = site.post("/echo", content_type, "", body);
        assert_eq!(reply.status, 403, "{content_type}");
        assert_eq!(reply.text(), "The token of this form is missing or out of date. Reload the page and try again.\n");
    }
    let late = site.form(&[upload, ("name=\"csrf_token\"", token)]);
    assert_eq!(site.post("/echo", MULTIPART, "", &late[..MAX_FORM + 1]).status, 413);
    assert_eq!(site.post("/echo", FORM, "", &vec![b'x'; MAX_FORM + 1]).status, 413);
}

/// H13: caches are told, in refusals too.
#[test]
fn answers_vary_with_actix_web_too() {
    let site = Site::new(CsrfPolicy::new());
    let good = format!("X-CSRF-Token: {}\r\n", site.token);
    for (lines, status) in [(&*good, 200), ("", 403), ("Sec-Fetch-Site: cross-site\r\n", 403)] {
        let reply = site.post("/", "text/plain", lines, b"");
        assert_eq!(reply.status, status);
        let vary = reply.all("vary").join(", ");
        assert!(vary.contains("Sec-Fetch-Site") && vary.contains("Origin"), "{vary}");
    }
    assert!(!common::fetch_bare(site.server, "/").all("vary").join(", ").contains("Origin"));
}

/// A refused form can be shown again with a token that works, by middleware around ours.
#[test]
fn a_refused_form_can_be_rendered_again_with_actix_web() {
    let site = Site::new(CsrfPolicy::new());
    let reply = site.post("/again", FORM, "", b"csrf_token=old");
    assert_eq!(reply.status, 403);
    let token = reply.text().split('"').nth(5).unwrap();
    assert_eq!(site.post("/again", FORM, "", format!("csrf_token={token}").as_bytes()).status, 200);
    let foreign = site.post("/again", FORM, "Origin: null\r\n", format!("csrf_token={token}").as_bytes());
    assert_eq!((foreign.status, foreign.text()), (403, "This request came from another site and was refused.\n"));
}

/// H01: the body of a request whose headers are bad is not waited for.
#[test]
fn a_body_is_read_only_after_the_headers_were_found_good() {
    let site = Site::new(CsrfPolicy::new());
    let mut stream = TcpStream::connect(site.server).unwrap();
    let head = format!(
        "POST / HTTP/1.1\r\nHost: example.com\r\nCookie: {}\r\nContent-Type: {FORM}\r\nContent-Length: 1000\r\nSec-Fetch-Site: cross-site\r\n\r\n",
        site.cookie
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 403");
}

/// H09: without sessions around it, it lets nothing through.
#[test]
fn the_middleware_without_sessions_lets_nothing_through() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let app = || App::new().wrap(CsrfMiddleware::new()).route("/", web::post().to(async || "through"));
        let server = HttpServer::new(app).workers(1).disable_signals();
        rt::System::new().block_on(server.listen(listener).unwrap().run()).unwrap();
    });
    assert_eq!(request(server, "POST", "/", b"Host: example.com\r\n", b"").status, 500);
}
