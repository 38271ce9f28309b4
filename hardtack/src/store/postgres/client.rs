//! What our own connections and those of deadpool have in common: the driver tokio-postgres.

use tokio_postgres::{
    Client, SimpleQueryMessage, Statement,
    types::{IsNull, ToSql, Type, private::BytesMut, to_sql_checked},
};

use super::driver::{Columns, Console, Fault, Value};

impl Value<'_> {
    /// The same, kept, and its type: for a statement that is not prepared.
    pub(super) fn kept(self) -> (Box<dyn ToSql + Sync + Send>, Type) {
        match self {
            Self::Number(number) => (Box::new(number), Type::INT8),
            Self::NoNumber => (Box::new(None::<i64>), Type::INT8),
            Self::Small(number) => (Box::new(number), Type::INT4),
            Self::Flag(flag) => (Box::new(flag), Type::BOOL),
            Self::Bytes(bytes) => (Box::new(bytes.to_vec()), Type::BYTEA),
            Self::NoBytes => (Box::new(None::<Vec<u8>>), Type::BYTEA),
        }
    }
}

impl ToSql for Value<'_> {
    fn to_sql(&self, as_type: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Self::Number(number) => number.to_sql(as_type, out),
            Self::Small(number) => number.to_sql(as_type, out),
            Self::Flag(flag) => flag.to_sql(as_type, out),
            Self::Bytes(bytes) => bytes.to_sql(as_type, out),
            Self::NoNumber | Self::NoBytes => Ok(IsNull::Yes),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

impl Columns for tokio_postgres::Row {
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

impl Console for Client {
    async fn run(&self, sql: &str) -> Result<Vec<String>, Fault> {
        let answers = self.simple_query(sql).await?;
        let first = answers.iter().find_map(|answer| match answer {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        });
        Ok(first.map_or_else(Vec::new, |row| {
            (0..row.len()).map(|column| row.get(column).unwrap_or_default().to_owned()).collect()
        }))
    }
}

/// Asks a statement that is prepared on this connection.
pub(super) async fn ask(
    client: &Client,
    statement: &Statement,
    given: &[Value<'_>],
) -> Result<Vec<tokio_postgres::Row>, Fault> {
    let given: smallvec::SmallVec<[&(dyn ToSql + Sync); 20]> =
        given.iter().map(|value| value as &(dyn ToSql + Sync)).collect();
    Ok(client.query(statement, &given).await?)
}

impl From<tokio_postgres::Error> for Fault {
    fn from(error: tokio_postgres::Error) -> Self {
        match error.as_db_error() {
            Some(said) => Self::said(said.code().code(), said.message()),
            None => Self::chain(&error),
        }
    }
}
