//! [`Driver`]: what a driver of PostgreSQL must do, so that the calls are written once for all of them.

use std::fmt;

use super::statements::Call;
use crate::{error::StoreError, store::StoreKey};

/// Asks statements of a server.
pub(super) trait Driver: Send + Sync {
    type Answer: Columns;

    /// The rows that a statement answers, in one round trip. The answer of a future that is dropped is thrown away,
    /// and disturbs no other.
    fn ask(&self, call: Call, given: &[Value<'_>]) -> impl Future<Output = Result<Vec<Self::Answer>, Fault>> + Send;
}

/// A connection at start-up, before there are statements.
pub(super) trait Console: Send + Sync {
    /// Runs SQL without parameters, all of it in one transaction, and answers its first row. All columns of a row must
    /// be texts.
    fn run(&self, sql: &str) -> impl Future<Output = Result<Vec<String>, Fault>> + Send;
}

/// What a statement is given.
#[derive(Clone, Copy)]
pub(super) enum Value<'a> {
    Number(i64),
    NoNumber,
    Small(i32),
    Flag(bool),
    Bytes(&'a [u8]),
    NoBytes,
}

/// Drivers log what they are given.
impl fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("_")
    }
}

impl<'a> Value<'a> {
    /// A number that must come back as it was.
    pub(super) fn number(number: u64) -> Self {
        Self::Number(number.cast_signed())
    }

    /// A number that must compare as it does.
    pub(super) fn in_order(number: u64) -> Self {
        Self::Number((number ^ 1 << 63).cast_signed())
    }

    pub(super) fn count(number: usize) -> Self {
        Self::Number(i64::try_from(number).unwrap_or(i64::MAX))
    }

    pub(super) fn text(text: Option<&'a str>) -> Self {
        text.map_or(Self::NoBytes, |text| Self::Bytes(text.as_bytes()))
    }

    pub(super) fn key(key: &'a StoreKey) -> Self {
        Self::Bytes(key.as_bytes())
    }
}

/// A row that was answered.
pub(super) trait Columns: Send + Sync {
    fn number(&self, column: usize) -> Result<i64, Fault>;
    fn small(&self, column: usize) -> Result<i32, Fault>;
    fn flag(&self, column: usize) -> Result<bool, Fault>;
    fn bytes(&self, column: usize) -> Result<Option<&[u8]>, Fault>;
}

/// What went wrong, without anything that was asked or answered.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    /// PostgreSQL's own code, when the server said it.
    pub(super) code: Option<Box<str>>,
    pub(super) why: String,
}

impl Fault {
    pub(super) fn new(why: impl fmt::Display) -> Self {
        Self { code: None, why: why.to_string() }
    }

    /// What the server said. Its details are left out: they may quote a row.
    pub(super) fn said(code: &str, message: &str) -> Self {
        Self { code: Some(code.into()), why: format!("{message} ({code})") }
    }

    /// An error and its causes.
    pub(super) fn chain(error: &dyn std::error::Error) -> Self {
        let mut why = error.to_string();
        let mut next = error.source();
        while let Some(cause) = next {
            let cause_text = cause.to_string();
            if !why.ends_with(&cause_text) {
                why = format!("{why}: {cause_text}");
            }
            next = cause.source();
        }
        Self::new(why)
    }

    pub(crate) fn is(&self, code: &str) -> bool {
        self.code.as_deref() == Some(code)
    }
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        Self::new(fault.why)
    }
}
