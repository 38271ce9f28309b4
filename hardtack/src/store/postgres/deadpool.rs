//! An application's own pool of deadpool-postgres. Each call takes a connection for itself.

use deadpool_postgres::Pool;

use super::{
    client,
    driver::{Console, Driver, Fault, Value},
    statements::{Call, Statements},
};

/// A pool, and what to ask of it.
pub(super) struct Deadpool {
    pub(super) pool: Pool,
    pub(super) statements: Statements,
}

impl Driver for Deadpool {
    type Answer = tokio_postgres::Row;

    async fn ask(&self, call: Call, given: &[Value<'_>]) -> Result<Vec<tokio_postgres::Row>, Fault> {
        let connection = self.pool.get().await?;
        let statement = connection.prepare_cached(self.statements.of(call)).await?;
        client::ask(&connection, &statement, given).await
    }
}

impl Console for Deadpool {
    async fn run(&self, sql: &str) -> Result<Vec<String>, Fault> {
        let connection = self.pool.get().await?;
        Console::run(&**connection, sql).await
    }
}

impl From<deadpool_postgres::PoolError> for Fault {
    fn from(error: deadpool_postgres::PoolError) -> Self {
        match error {
            deadpool_postgres::PoolError::Backend(error) => error.into(),
            other => Self::chain(&other),
        }
    }
}
