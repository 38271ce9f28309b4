//! [`RedisSettings`]: which servers, and how sessions lie in them.

use std::sync::Once;

use redis::{ConnectionAddr, ConnectionInfo, Value};

use super::{
    RedisStore, Shared,
    calls::text,
    keys::{Home, Keys},
    link::Fault,
    nodes::{self, Nodes, Repeat},
};
use crate::error::BuildError;

/// How a [`RedisStore`] is to be; [`RedisStore::at`] begins one.
#[derive(Clone)]
#[must_use]
pub struct RedisSettings {
    urls: Vec<String>,
    prefix: String,
    shards: u16,
    replicas: u32,
}

impl RedisSettings {
    pub(super) fn new(url: &str) -> Self {
        Self { urls: vec![url.into()], prefix: "hardtack".into(), shards: 16, replicas: 0 }
    }

    /// One more server to ask, when those named before are away: other nodes of a cluster, or the servers of which
    /// one is the primary. Several may also be in one text, separated by commas.
    pub fn and(mut self, url: &str) -> Self {
        self.urls.push(url.into());
        self
    }

    /// What the names of all keys begin with: 1 to 64 letters, digits, or `-_.:/`. The default is `hardtack`. Two
    /// applications on one server have different ones.
    pub fn prefix(mut self, prefix: &str) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Over how many parts the sessions are spread, a power of two up to 1,024. The default is 16. A part is in one
    /// place of a cluster, so there should be several for each of its servers. It stays as it is for the life of a
    /// deployment: the server remembers it, and another number does not start.
    pub fn shards(mut self, shards: u16) -> Self {
        self.shards = shards;
        self
    }

    /// A logout is answered when so many replicas have it, and is an error otherwise. The default is 0: then it
    /// holds barring the failover to a replica that had not received it.
    ///
    /// It is `WAIT`, for at most 2 seconds. A logout that is answered with an error has happened on the primary. It
    /// holds if every server that may be promoted counts: with one replica, 1; with two, 2; and so on.
    pub fn durable_logout(mut self, replicas: u32) -> Self {
        self.replicas = replicas;
        self
    }

    /// Connects, and sees whether sessions are safe there.
    ///
    /// # Errors
    ///
    /// [`BuildError::Store`] when no server answers; when it throws keys away (`maxmemory-policy`), is a
    /// replica or older than Redis 7; when its sessions are in another number of shards. [`BuildError::Setting`]
    /// for a setting out of its range.
    pub async fn connect(self) -> Result<RedisStore, BuildError> {
        let setting = |why: &str| BuildError::Setting { why: why.into() };
        let urls = self.urls.iter().flat_map(|urls| each(urls));
        let seeds: Result<Vec<_>, _> = urls.map(|url| nodes::parse(&url)).collect();
        let seeds = seeds.map_err(|why| setting(&format!("the URL of Redis: {why}")))?;
        if seeds.is_empty() {
            return Err(setting("the URL of Redis: name a server, as in redis://127.0.0.1:6379"));
        }
        if !self.shards.is_power_of_two() || self.shards > 1024 {
            return Err(setting("the shards of a Redis store are a power of two from 1 to 1,024"));
        }
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:/".contains(&byte);
        if !(1..=64).contains(&self.prefix.len()) || !self.prefix.bytes().all(is_plain) {
            return Err(setting("the prefix of a Redis store has 1 to 64 letters, digits, or -_.:/"));
        }
        use_tls(&seeds);
        let keys = Keys::new(&self.prefix, self.shards);
        let away = |fault: Fault| BuildError::Store { why: advice(fault) };
        let nodes = Nodes::find(seeds, self.shards).await.map_err(away)?;
        agree(&nodes, &keys).await.map_err(away)?;
        Ok(RedisStore { shared: Shared::new(nodes, keys, self.replicas).into() })
    }
}

/// The first to come writes how sessions lie here; whoever comes later must mean the same.
async fn agree(nodes: &Nodes, keys: &Keys) -> Result<(), Fault> {
    let about = format!("layout 1, shards {}", keys.shards());
    let mut command = redis::cmd("SET");
    command.arg(keys.about()).arg(&about).arg("NX").arg("GET");
    let there = match nodes.call(Home::About, &command, Repeat::Yes, None).await?.0 {
        Value::Nil => return Ok(()),
        there => text(there).unwrap_or_default(),
    };
    if there == about {
        return Ok(());
    }
    Err(Fault::Refused(match there.strip_prefix("layout 1, shards ") {
        Some(shards) => format!(
            "its sessions are in {shards} shards and not in {}; write shards({shards}), or another prefix",
            keys.shards()
        ),
        None => {
            format!("its sessions lie as a newer hardtack has them ({there:?}); run that one, or write another prefix")
        }
    }))
}

/// The URLs of a text with several: `redis://one,redis://two`, or in short `redis://user:password@one,two:6380/2`.
fn each(urls: &str) -> Vec<String> {
    let parts: Vec<_> = urls.split(',').map(str::trim).filter(|part| !part.is_empty()).collect();
    let Some((first, others)) = parts.split_first() else { return Vec::new() };
    let host = first.find("://").map_or(0, |at| at + 3);
    let host = first.rfind('@').map_or(host, |at| host.max(at + 1));
    let path = |part: &str| part.find(['/', '?', '#']).map_or(part.len(), |at| at);
    let shared = parts.last().filter(|last| !others.is_empty() && !last.contains("://")).copied().unwrap_or_default();
    let whole = |part: &str| match path(part) == part.len() {
        true => format!("{}{part}{}", &first[..host], &shared[path(shared)..]),
        false => format!("{}{part}", &first[..host]),
    };
    let others = others.iter().map(|part| if part.contains("://") { (*part).to_owned() } else { whole(part) });
    std::iter::once(whole(&first[host..])).chain(others).collect()
}

/// TLS needs somebody who does its cryptography. An application that has chosen keeps its choice.
fn use_tls(seeds: &[ConnectionInfo]) {
    static ONCE: Once = Once::new();
    if seeds.iter().any(|seed| matches!(seed.addr(), ConnectionAddr::TcpTls { .. })) {
        ONCE.call_once(|| {
            if rustls::crypto::CryptoProvider::get_default().is_none() {
                // Somebody else may have chosen in between.
                let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
            }
        });
    }
}

fn advice(fault: Fault) -> String {
    match fault {
        Fault::Refused(why) => why,
        fault => format!("{fault}; see whether it runs, and whether this program may reach it"),
    }
}

#[cfg(test)]
mod tests {
    use super::each;

    #[test]
    fn servers_may_share_what_is_around_them() {
        for (text, urls) in [
            ("", &[][..]),
            ("redis://a", &["redis://a"]),
            ("redis://:p@a:1/2", &["redis://:p@a:1/2"]),
            ("redis://a:1, redis://b:2/3", &["redis://a:1", "redis://b:2/3"]),
            ("rediss://u:p@a:1,b:2/3", &["rediss://u:p@a:1/3", "rediss://u:p@b:2/3"]),
            ("redis://a,b,", &["redis://a", "redis://b"]),
            ("redis://[::1]:1,[::2]:2", &["redis://[::1]:1", "redis://[::2]:2"]),
            ("valkey://a,b,redis://c", &["valkey://a", "valkey://b", "redis://c"]),
        ] {
            assert_eq!(each(text), urls, "{text}");
        }
    }
}
