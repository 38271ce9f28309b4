//! What the examples' Rust servers have beside their sessions: the pages, which `pages.mjs` makes of the same files, and a
//! listener that ends well.

use std::{env, error::Error};

use axum::{
    Router,
    extract::Request,
    middleware::Next,
    response::{Html, IntoResponse as _, Response},
};
use hardtack::csrf::CsrfPolicy;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};

const FRAME: &str = include_str!("../pages/frame.html");
const HOME: &str = include_str!("../pages/home.html");
const NOBODY: &str = include_str!("../pages/nobody.html");
const LOGIN: &str = include_str!("../pages/login.html");

/// Who is signed in, and what was counted.
pub fn home_page(username: Option<&str>, count: u64) -> Html<String> {
    match username {
        None => page("Nobody", NOBODY),
        Some(username) => {
            let main = HOME.replace("{{count}}", &count.to_string()).replace("{{username}}", &escape(username));
            page(username, &main)
        }
    }
}

/// The form to sign in.
pub fn login_page() -> Html<String> {
    page("Log in", LOGIN)
}

fn page(title: &str, main: &str) -> Html<String> {
    let frame = FRAME.replace("{{title}}", &escape(title)).replace("{{server}}", "Rust");
    Html(frame.replace("{{main}}", main))
}

fn escape(text: &str) -> String {
    let escaped = text.replace('&', "&#38;").replace('<', "&#60;").replace('>', "&#62;");
    escaped.replace('"', "&#34;").replace('\'', "&#39;")
}

/// Refuses what a page of another site made the browser send. `CsrfLayer` also asks for a token, which the forms of Node do
/// not have: it comes when every form is Rust's.
pub async fn own_pages_only(request: Request, next: Next) -> Response {
    match CsrfPolicy::new().judge(request.method(), request.uri(), request.headers()) {
        Ok(_) => next.run(request).await,
        Err(refusal) => (refusal.status(), refusal.to_string()).into_response(),
    }
}

/// Serves on `PORT` of this machine, by default 3002, until SIGTERM; what was begun is answered.
///
/// # Errors
///
/// When the port is taken.
pub async fn serve(app: Router) -> Result<(), Box<dyn Error>> {
    let port = env::var("PORT").ok().map_or(Ok(3002), |port| port.parse::<u16>())?;
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    println!("Rust on http://{}", listener.local_addr()?);
    let mut terminated = signal(SignalKind::terminate())?;
    let end = async move { while terminated.recv().await.is_none() {} };
    axum::serve(listener, app).with_graceful_shutdown(end).await?;
    Ok(())
}
