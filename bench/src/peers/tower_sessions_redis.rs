//! tower-sessions with its Redis store, over `fred`, with the pool of its documentation.

use std::sync::Arc;

use axum::Router;
use axum::routing::{MethodRouter, get};
use tower_sessions_0_14::cookie::SameSite;
use tower_sessions_0_14::cookie::time::Duration;
use tower_sessions_0_14::{Expiry, Session, SessionManagerLayer};
use tower_sessions_redis_store::RedisStore;
use tower_sessions_redis_store::fred::prelude::{ClientLike as _, Config, Pool};

use crate::http::Served;
use crate::payload::Payload;
use crate::stored::VISITORS;
use crate::{bare, cookies, redis};

const USER: &str = "user";
const CONNECTIONS: usize = 6;

/// See the module.
pub fn served() -> Vec<Served> {
    vec![
        Served::new("tower-sessions RedisStore, read", bare::NO_OP_ID, || Box::pin(router(get(read)))),
        Served::new("tower-sessions RedisStore, write", bare::NO_OP_ID, || Box::pin(router(get(write)))),
    ]
}

async fn router(route: MethodRouter) -> (Router, Vec<String>) {
    let config = Config::from_url(&redis::url()).expect("a URL");
    let pool = Pool::new(config, None, None, None, CONNECTIONS).expect("the defaults are good");
    pool.connect();
    pool.wait_for_connect().await.expect("Redis runs");
    let store = RedisStore::new(pool);
    let mut cookies = Vec::new();
    for _ in 0..VISITORS {
        let seed = Session::new(None, Arc::new(store.clone()), None);
        let Payload { user, name, cart } = Payload::medium();
        seed.insert(USER, user).await.expect("JSON");
        seed.insert("name", name).await.expect("JSON");
        seed.insert("cart", cart).await.expect("JSON");
        seed.save().await.expect("Redis runs");
        cookies.push(format!("{}={}", cookies::NAME, seed.id().expect("a saved session has an id")));
    }
    let layer = SessionManagerLayer::new(store)
        .with_name(cookies::NAME)
        .with_same_site(SameSite::Lax)
        .with_expiry(Expiry::OnInactivity(Duration::seconds(cookies::MAX_AGE_SECONDS)));
    (Router::new().route("/", route).layer(layer), cookies)
}

async fn read(session: Session) -> &'static str {
    super::greeting(user(&session).await)
}

async fn write(session: Session) -> &'static str {
    let next = user(&session).await.unwrap_or_default() + 1;
    session.insert(USER, next).await.expect("Redis runs");
    super::greeting(Some(next))
}

async fn user(session: &Session) -> Option<u64> {
    session.get(USER).await.expect("Redis runs")
}
