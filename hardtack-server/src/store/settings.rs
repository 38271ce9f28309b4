//! How sessions lie in a store that others use too: [`StoreSettings`].

use clap::Args;

use super::StoreAddress;
use crate::Failure;

/// What an address does not say. Each is for one engine alone.
#[derive(Args, Clone, Default)]
pub(crate) struct StoreSettings {
    /// What the names of all keys in Redis begin with [default: hardtack]
    #[arg(long, global = true, value_name = "PREFIX")]
    pub(super) redis_prefix: Option<String>,
    /// Over how many parts the sessions in Redis are spread, a power of two up to 1024 [default: 16]
    #[arg(long, global = true, value_name = "N")]
    pub(super) redis_shards: Option<u16>,
    /// Answer a logout in Redis only when so many replicas have it [default: 0]
    #[arg(long, global = true, value_name = "N")]
    pub(super) redis_durable_logout: Option<u32>,
    /// The schema of the tables in PostgreSQL [default: hardtack]
    #[arg(long, global = true, value_name = "SCHEMA")]
    pub(super) postgres_schema: Option<String>,
    /// The address of PostgreSQL is that of a pooler such as PgBouncer
    #[arg(long, global = true)]
    pub(super) postgres_pooler: bool,
}

impl StoreSettings {
    /// The settings of a place beside the sessions', under a prefix or in a schema of its own.
    pub(super) fn beside(&self, address: &StoreAddress) -> Self {
        let named =
            |name: &Option<String>, after: &str| Some(format!("{}{after}", name.as_deref().unwrap_or("hardtack")));
        match address {
            StoreAddress::Redis(_) => Self { redis_prefix: named(&self.redis_prefix, "-attempts"), ..self.clone() },
            StoreAddress::Postgres(_) => {
                Self { postgres_schema: named(&self.postgres_schema, "_attempts"), ..self.clone() }
            }
            _ => self.clone(),
        }
    }

    /// Refuses what is said about another engine than that of `address`.
    pub(super) fn check(&self, address: &StoreAddress) -> Result<(), Failure> {
        let redis = [
            ("--redis-prefix", self.redis_prefix.is_some()),
            ("--redis-shards", self.redis_shards.is_some()),
            ("--redis-durable-logout", self.redis_durable_logout.is_some()),
        ];
        let postgres =
            [("--postgres-schema", self.postgres_schema.is_some()), ("--postgres-pooler", self.postgres_pooler)];
        let (foreign, engine) = match address {
            StoreAddress::Redis(_) => (postgres.to_vec(), "postgres://…"),
            StoreAddress::Postgres(_) => (redis.to_vec(), "redis://…"),
            _ => ([&redis[..], &postgres].concat(), "servers"),
        };
        match foreign.into_iter().find(|(_, given)| *given) {
            Some((option, _)) => {
                Err(format!("{option} is for {engine}, and the store is {address}; leave it out").into())
            }
            None => Ok(()),
        }
    }
}
