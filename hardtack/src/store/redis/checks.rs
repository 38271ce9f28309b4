//! Which servers are a place for sessions: not one that throws keys away when it is full, no replica, none that is too
//! old. `INFO` says all of it, also where a managed service forbids `CONFIG`.

use std::collections::HashMap;

use redis::{Value, aio::MultiplexedConnection};

use super::link::Fault;

/// The first version of Redis whose scripts may run on a full server, which a logout needs.
const OLDEST: u32 = 7;

/// What a server says about itself.
pub(super) struct Server {
    facts: HashMap<String, String>,
}

/// Asks a server.
pub(super) async fn ask(connection: &mut MultiplexedConnection) -> Result<Server, Fault> {
    let answer = connection.send_packed_command(&redis::cmd("INFO")).await.and_then(Value::extract_error);
    let text = match answer {
        Ok(Value::BulkString(bytes)) => String::from_utf8_lossy(&bytes).into_owned(),
        Ok(Value::VerbatimString { text, .. }) => text,
        Ok(_) => String::new(),
        Err(error) => {
            return Err(match Fault::of(&error) {
                Fault::Answered(why) => Fault::Refused(format!("{why}; allow its user to call INFO")),
                fault => Fault::Away(fault.to_string()),
            });
        }
    };
    let facts = text.lines().filter_map(|line| line.split_once(':'));
    Ok(Server { facts: facts.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect() })
}

impl Server {
    /// Whether sessions are safe here.
    pub(super) fn check(&self) -> Result<(), Fault> {
        let version = self.fact("redis_version");
        if version.split('.').next().and_then(|major| major.parse().ok()).is_none_or(|major: u32| major < OLDEST) {
            return Err(Fault::Refused(format!("it is Redis {version}; use Redis {OLDEST} or newer, or Valkey")));
        }
        let policy = self.fact("maxmemory_policy");
        if policy != "noeviction" {
            return Err(Fault::Refused(format!(
                "its maxmemory-policy is {policy}, with which a full server forgets sessions and logouts; set \
                 \"maxmemory-policy noeviction\", or use a server of its own beside the cache"
            )));
        }
        if self.fact("loading") == "1" {
            return Err(Fault::Away("it is reading its data from the disk".into()));
        }
        Ok(())
    }

    pub(super) fn is_replica(&self) -> bool {
        self.fact("role") == "slave"
    }

    pub(super) fn is_cluster(&self) -> bool {
        self.fact("cluster_enabled") == "1"
    }

    fn fact(&self, name: &str) -> &str {
        self.facts.get(name).map_or("", String::as_str)
    }
}
