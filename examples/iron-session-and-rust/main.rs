//! The Rust half: the routes of `server.mjs`, over the same cookie.
//!
//! `SECRET` is the password of iron-session. With `ACCEPT_UNTIL`, a time in seconds since 1970, Node is gone: the sessions are in
//! the Redis of `REDIS_URL`, and cookies of iron-session are taken until then. `HARDTACK_KEYS` are the keys of both.

use std::{
    env,
    error::Error,
    time::{Duration, UNIX_EPOCH},
};

use hardtack::{Keyring, Sessions, interop::IronSession, store::RedisStore};
use hardtack_examples::{serve, setting};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    serve(&sessions().await?).await
}

async fn sessions() -> Result<Sessions, Box<dyn Error>> {
    let keys = Keyring::from_env()?;
    let iron = IronSession::new("iron-example", setting("SECRET")?)?;
    let Ok(until) = env::var("ACCEPT_UNTIL") else {
        return Ok(Sessions::stateless(keys).emit_as(iron).owner_field("username").build()?);
    };
    let until = UNIX_EPOCH + Duration::from_secs(until.parse()?);
    let store = RedisStore::connect(&setting("REDIS_URL")?).await?;
    Ok(Sessions::stored(keys, store).accept(iron, until, |session| session.get("username")).build()?)
}
