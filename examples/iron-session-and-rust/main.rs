//! The Rust half: the routes of `server.mjs`, over the same cookie.
//!
//! `SECRET` is the password of iron-session. With `ACCEPT_UNTIL`, a time in seconds since 1970, Node is gone: the sessions are in
//! the Redis of `REDIS_URL`, and cookies of iron-session are taken until then. `HARDTACK_KEYS` are the keys of both.

use std::{
    env,
    error::Error,
    time::{Duration, UNIX_EPOCH},
};

use axum::{
    Form, Json, Router, middleware,
    response::{Html, Redirect},
    routing::{get, post},
};
use hardtack::{Field, Keyring, Session, Sessions, interop::IronSession, store::RedisStore};
use hardtack_examples::{home_page, login_page, own_pages_only, serve};
use serde_json::{Value, json};

const COUNT: Field<u64> = Field::new("count");

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let app = Router::new()
        .route("/", get(home))
        .route("/login", get(async || login_page()).post(log_in))
        .route("/count", post(count))
        .route("/logout", post(log_out))
        .route("/session", get(session))
        .layer(middleware::from_fn(own_pages_only))
        .layer(sessions().await?.layer());
    serve(app).await
}

async fn sessions() -> Result<Sessions, Box<dyn Error>> {
    let keys = Keyring::from_env()?;
    let iron = IronSession::new("iron-example", env::var("SECRET")?)?;
    let Ok(until) = env::var("ACCEPT_UNTIL") else {
        return Ok(Sessions::stateless(keys).emit_as(iron).owner_field("username").build()?);
    };
    let until = UNIX_EPOCH + Duration::from_secs(until.parse()?);
    let store = RedisStore::connect(&env::var("REDIS_URL")?).await?;
    Ok(Sessions::stored(keys, store).accept(iron, until, |session| session.get("username")).build()?)
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
