//! [`PostgresSettings`]: how a [`PostgresStore`] is made, where the defaults do not fit.

#[cfg(any(feature = "deadpool-postgres-0_14", feature = "sqlx-0_9"))]
use super::driver::Console;
use super::{
    PostgresStore,
    news::Waiting,
    schema,
    statements::{SchemaName, Statements},
};
use crate::error::BuildError;

/// How a [`PostgresStore`] is made. [`PostgresStore::settings`] gives the defaults.
#[derive(Clone, Debug)]
#[must_use = "settings do nothing until they make a store"]
pub struct PostgresSettings {
    schema: String,
    #[cfg(feature = "tokio-postgres-0_7")]
    connections: usize,
    #[cfg(feature = "tokio-postgres-0_7")]
    behind_a_pooler: bool,
}

impl PostgresSettings {
    /// The most connections of a store with its own, unless it is told otherwise.
    #[cfg(feature = "tokio-postgres-0_7")]
    pub const CONNECTIONS: usize = 16;

    pub(super) fn new() -> Self {
        Self {
            schema: SchemaName::DEFAULT.to_owned(),
            #[cfg(feature = "tokio-postgres-0_7")]
            connections: Self::CONNECTIONS,
            #[cfg(feature = "tokio-postgres-0_7")]
            behind_a_pooler: false,
        }
    }

    /// The schema of its tables; `hardtack` unless it is told otherwise. Two applications in one database have two.
    ///
    /// Lower-case letters, digits and underscores, at most 58.
    pub fn schema(mut self, name: impl Into<String>) -> Self {
        self.schema = name.into();
        self
    }

    /// How many connections it makes at most, from 2 to 100; [`CONNECTIONS`](Self::CONNECTIONS) unless it is told otherwise.
    /// Two are for reads, and the others for writes; these are made when as many writes come at the same time.
    ///
    /// Many calls share a connection, so this is not how many requests are served at once. A write waits for the disk, and
    /// those on other connections wait for the same sync: more connections make more writes a second.
    #[cfg(feature = "tokio-postgres-0_7")]
    pub fn connections(mut self, count: usize) -> Self {
        self.connections = count;
        self
    }

    /// Whether the address is that of a pooler such as PgBouncer in its transaction mode, and not the server's.
    ///
    /// Statements are then sent whole each time instead of being prepared, and a connection has one call at a time, which
    /// any pooler can take: it costs more, and more [`connections`](Self::connections) serve more requests, half of them
    /// reads.
    #[cfg(feature = "tokio-postgres-0_7")]
    pub fn behind_a_pooler(mut self, is_so: bool) -> Self {
        self.behind_a_pooler = is_so;
        self
    }

    /// Connects, and brings the tables up to date; makes them when there are none.
    ///
    /// The connections run on the Tokio runtime in which this is called, which must live as long as the store.
    ///
    /// # Errors
    ///
    /// [`BuildError::Store`], as [`PostgresStore::connect`]; [`BuildError::Setting`] for a setting out of its range.
    #[cfg(feature = "tokio-postgres-0_7")]
    pub async fn connect(self, url: &str) -> Result<PostgresStore, BuildError> {
        use std::sync::{Arc, atomic::AtomicUsize};

        use super::{
            Engine,
            pipelined::{Address, Listener, Pipelined, Recipe},
        };

        let schema = self.schema_name()?;
        if !(2..=100).contains(&self.connections) {
            return Err(BuildError::Setting {
                why: format!("{} connections to PostgreSQL; have from 2 to 100", self.connections),
            });
        }
        let open = async {
            let address = Address::parse(url)?;
            let recipe = Recipe {
                tls: address.tls()?,
                config: address.config,
                statements: Statements::new(&schema),
                prepares: !self.behind_a_pooler,
                missed: AtomicUsize::new(0),
            };
            let (client, _) = recipe.connect().await?;
            schema::migrate(&client, &schema).await?;
            let recipe = Arc::new(recipe);
            let listener = Listener::new(recipe.clone(), schema.channel());
            Ok((Pipelined::open(&recipe, self.connections).await?, listener))
        };
        let (pipelined, listener) = open.await.map_err(|why| BuildError::Store { why })?;
        // A pooler drops what listens, and says nothing.
        let waiting = if self.behind_a_pooler { Waiting::by_looking() } else { Waiting::by_listening(listener) };
        Ok(PostgresStore::new(Engine::Pipelined(pipelined), &schema, waiting))
    }

    /// A store over a pool of the application's own; brings the tables up to date.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect).
    #[cfg(feature = "deadpool-postgres-0_14")]
    pub async fn from_deadpool(self, pool: deadpool_postgres::Pool) -> Result<PostgresStore, BuildError> {
        let schema = self.schema_name()?;
        let driver = super::deadpool::Deadpool { pool, statements: Statements::new(&schema) };
        prepare(&driver, &schema).await?;
        Ok(PostgresStore::new(super::Engine::Deadpool(driver), &schema, Waiting::by_looking()))
    }

    /// A store over a pool of the application's own; brings the tables up to date.
    ///
    /// # Errors
    ///
    /// As [`PostgresStore::from_sqlx`].
    #[cfg(feature = "sqlx-0_9")]
    pub async fn from_sqlx(self, pool: sqlx::PgPool) -> Result<PostgresStore, BuildError> {
        let schema = self.schema_name()?;
        let driver = super::sqlx::Sqlx { pool, statements: Statements::new(&schema) };
        prepare(&driver, &schema).await?;
        Ok(PostgresStore::new(super::Engine::Sqlx(driver), &schema, Waiting::by_looking()))
    }

    fn schema_name(&self) -> Result<SchemaName, BuildError> {
        SchemaName::new(&self.schema).map_err(|why| BuildError::Setting { why })
    }
}

/// A server that fits, with the tables of today.
#[cfg(any(feature = "deadpool-postgres-0_14", feature = "sqlx-0_9"))]
async fn prepare(console: &impl Console, schema: &SchemaName) -> Result<(), BuildError> {
    let made = async {
        schema::check(console).await?;
        schema::migrate(console, schema).await
    };
    made.await.map_err(|why| BuildError::Store { why })
}
