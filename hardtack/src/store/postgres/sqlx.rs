//! An application's own pool of sqlx. Each call takes a connection for itself.

use sqlx::{AssertSqlSafe, PgPool, Row as _, postgres::PgRow};

use super::{
    driver::{Columns, Console, Driver, Fault, Value},
    statements::{Call, Statements},
};

/// A pool, and what to ask of it.
pub(super) struct Sqlx {
    pub(super) pool: PgPool,
    pub(super) statements: Statements,
}

impl Driver for Sqlx {
    type Answer = PgRow;

    async fn ask(&self, call: Call, given: &[Value<'_>]) -> Result<Vec<PgRow>, Fault> {
        let mut query = sqlx::query(AssertSqlSafe(self.statements.of(call).clone()));
        for value in given {
            query = match *value {
                Value::Number(number) => query.bind(number),
                Value::NoNumber => query.bind(None::<i64>),
                Value::Small(number) => query.bind(number),
                Value::Flag(flag) => query.bind(flag),
                Value::Bytes(bytes) => query.bind(bytes),
                Value::NoBytes => query.bind(None::<&[u8]>),
            };
        }
        Ok(query.fetch_all(&self.pool).await?)
    }
}

impl Console for Sqlx {
    async fn run(&self, sql: &str) -> Result<Vec<String>, Fault> {
        // All of them, because an error may come after the first.
        let rows = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).fetch_all(&self.pool).await?;
        let Some(row) = rows.first() else { return Ok(Vec::new()) };
        Ok((0..row.len()).map(|column| row.try_get_unchecked(column)).collect::<Result<_, _>>()?)
    }
}

impl Columns for PgRow {
    fn number(&self, column: usize) -> Result<i64, Fault> {
        Ok(self.try_get(column)?)
    }

    fn small(&self, column: usize) -> Result<i32, Fault> {
        Ok(self.try_get(column)?)
    }

    fn flag(&self, column: usize) -> Result<bool, Fault> {
        Ok(self.try_get(column)?)
    }

    fn bytes(&self, column: usize) -> Result<Option<&[u8]>, Fault> {
        Ok(self.try_get(column)?)
    }
}

impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Self {
        match error.as_database_error() {
            Some(said) => Self::said(&said.code().unwrap_or_default(), said.message()),
            None => Self::chain(&error),
        }
    }
}
