//! The application of the examples' Rust servers: the routes of `server.mjs`, which do not know where their sessions are.

mod pages;

use std::{env, error::Error};

use axum::{
    Form, Json, Router,
    extract::Request,
    middleware::{self, Next},
    response::{Html, IntoResponse as _, Redirect, Response},
    routing::{get, post},
};
use hardtack::{Field, Session, Sessions, csrf::CsrfPolicy};
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};

use pages::{home_page, login_page};

const COUNT: Field<u64> = Field::new("count");

/// What the environment says.
///
/// # Errors
///
/// When it says nothing, with the name.
pub fn setting(name: &str) -> Result<String, String> {
    env::var(name).map_err(|_| format!("the environment has no {name}; examples/start sets what is needed"))
}

/// Serves on `PORT` of this machine, by default 3002, until SIGTERM; what was begun is answered.
///
/// # Errors
///
/// When the port is taken.
pub async fn serve(sessions: &Sessions) -> Result<(), Box<dyn Error>> {
    let app = Router::new()
        .route("/", get(home))
        .route("/login", get(async || login_page()).post(log_in))
        .route("/count", post(count))
        .route("/logout", post(log_out))
        .route("/session", get(session))
        .layer(middleware::from_fn(own_pages_only))
        .layer(sessions.layer());
    let port = env::var("PORT").ok().map_or(Ok(3002), |port| port.parse::<u16>())?;
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    println!("Rust on http://{}", listener.local_addr()?);
    let mut terminated = signal(SignalKind::terminate())?;
    let end = async move { while terminated.recv().await.is_none() {} };
    axum::serve(listener, app).with_graceful_shutdown(end).await?;
    Ok(())
}

async fn home(session: Session) -> Html<String> {
    home_page(session.owner().as_deref(), session.get(COUNT).unwrap_or_default())
}

#[derive(serde::Deserialize)]
struct Login {
    username: String,
}

async fn log_in(session: Session, Form(login): Form<Login>) -> Redirect {
    let name: String = login.username.trim().chars().take(40).collect();
    session.sign_in(if name.is_empty() { "anonymous" } else { &name });
    Redirect::to("./")
}

async fn count(session: Session) -> Redirect {
    if session.owner().is_some() {
        session.update(COUNT, |count| count.unwrap_or_default() + 1);
    }
    Redirect::to("./")
}

async fn log_out(session: Session) -> Redirect {
    session.sign_out();
    Redirect::to("./")
}

async fn session(session: Session) -> Json<Value> {
    Json(json!({ "username": session.owner(), "count": session.get(COUNT).unwrap_or_default() }))
}

/// Refuses what a page of another site made the browser send. `CsrfLayer` also asks for a token, which the forms of Node do
/// not have: it comes when every form is Rust's.
async fn own_pages_only(request: Request, next: Next) -> Response {
    match CsrfPolicy::new().judge(request.method(), request.uri(), request.headers()) {
        Ok(_) => next.run(request).await,
        Err(refusal) => (refusal.status(), refusal.to_string()).into_response(),
    }
}
