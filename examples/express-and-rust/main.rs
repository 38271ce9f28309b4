//! The Rust half: the sessions of `server.mjs`, in the same Redis and under the same cookie.
//!
//! `SECRET` is the secret of express-session, `REDIS_URL` the Redis of connect-redis, by default the one on this machine. With
//! `ACCEPT_UNTIL`, a time in seconds since 1970, Express is gone: its sessions become ours until then, in the same Redis.
//! `HARDTACK_KEYS` are the keys of ours.

use std::{
    env,
    error::Error,
    time::{Duration, UNIX_EPOCH},
};

use hardtack::{
    CookiePolicy, Keyring, Sessions,
    interop::{ConnectRedis, ExpressSession},
    store::RedisStore,
};
use hardtack_examples::{serve, setting};
use redis::aio::ConnectionManagerConfig;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    serve(&sessions().await?).await
}

async fn sessions() -> Result<Sessions, Box<dyn Error>> {
    let keys = Keyring::from_env()?;
    let url = env::var("REDIS_URL").unwrap_or_else(|_| "redis://127.0.0.1:6379".into());
    // Half a second, the driver's default, is soon over on a machine that has much to do.
    let patient = ConnectionManagerConfig::new().set_response_timeout(Some(Duration::from_secs(2)));
    let connection = redis::Client::open(&*url)?.get_connection_manager_with_config(patient).await;
    let connection = connection.map_err(|error| format!("no Redis answers at REDIS_URL: {error}"))?;
    let express = ExpressSession::new("connect.sid", [setting("SECRET")?])?.max_age(Duration::from_secs(3600));
    let rows = ConnectRedis::new(connection);
    let Ok(until) = env::var("ACCEPT_UNTIL") else {
        // As Express has it here: without Secure, on http://localhost alone.
        let cookie = CookiePolicy::from_name("connect.sid").insecure_on_loopback();
        return Ok(Sessions::shared(keys, express, rows).owner_field("username").cookie(cookie).build()?);
    };
    let until = UNIX_EPOCH + Duration::from_secs(until.parse()?);
    let ours = Sessions::stored(keys, RedisStore::connect(&url).await?);
    Ok(ours.accept_shared(express, rows, until, |session| session.get("username")).build()?)
}
