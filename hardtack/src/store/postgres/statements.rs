//! What is asked, in SQL: one statement for each call of the contract.
//!
//! Calls that take several steps are functions of the [schema](super::schema), so that a call is one round trip
//! and one transaction.

use std::sync::Arc;

/// Flips the highest bit of a number, which gives the bits of a `u64` their order: `#` is PostgreSQL's XOR.
macro_rules! in_order {
    ($number:literal) => {
        concat!("(", $number, " # '-9223372036854775808'::bigint)")
    };
}

/// The later of two times.
macro_rules! later {
    ($one:literal, $other:expr) => {
        concat!("(greatest(", in_order!($one), ", ", $other, ") # '-9223372036854775808'::bigint)")
    };
}

macro_rules! row {
    () => {
        "SELECT version, generation, remembered, epoch, created, authenticated, renewed, absolute_deadline, \
         last_seen, idle_deadline, owner, label, sealed, key FROM hardtack.sessions"
    };
}

/// Where the feed stands: the cluster, its timeline, its clock, when the feed was born, and the snapshot of this statement.
macro_rules! head {
    () => {
        "SELECT NULL::bytea, convert_to(concat_ws(' ', system_identifier, \
         substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8), \
         (extract(epoch FROM clock_timestamp()) * 1000)::bigint, (extract(epoch FROM born) * 1000)::bigint, \
         pg_current_snapshot()), 'UTF8') FROM hardtack.feed, pg_control_system() WHERE one AND hardtack.on_primary()"
    };
}

/// The statements, by their place in [`SQL`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    Load,
    Replace,
    Look,
    Touch,
    Create,
    Delete,
    OwnedBy,
    EndOwner,
    Epoch,
    Purge,
    Scan,
    NewsAfter,
    AllNews,
    Publish,
    Notify,
}

impl Call {
    pub(super) const ALL: [Self; 15] = [
        Self::Load,
        Self::Replace,
        Self::Look,
        Self::Touch,
        Self::Create,
        Self::Delete,
        Self::OwnedBy,
        Self::EndOwner,
        Self::Epoch,
        Self::Purge,
        Self::Scan,
        Self::NewsAfter,
        Self::AllNews,
        Self::Publish,
        Self::Notify,
    ];

    /// Whether it answers at once: it waits for no lock and no disk, and its answer is small.
    #[cfg(feature = "tokio-postgres-0_7")]
    pub(super) fn is_quick(self) -> bool {
        matches!(self, Self::Load | Self::Look | Self::Epoch | Self::NewsAfter | Self::Notify)
    }

    const fn sql(self) -> &'static str {
        match self {
            Self::Load => concat!(
                row!(),
                " WHERE key = $1 AND sealed IS NOT NULL AND expires > $2::bigint AND hardtack.on_primary()"
            ),
            // The condition is asked again of a row that somebody else has changed meanwhile. Data are on the
            // disk too before it is answered: what is taken once is not taken twice.
            Self::Replace => concat!(
                "UPDATE hardtack.sessions SET version = $4, generation = $5, remembered = $6, created = $7, \
                 authenticated = $8, renewed = $9, absolute_deadline = $10, last_seen = ",
                later!("last_seen", in_order!("$11")),
                ", idle_deadline = ",
                later!("$12", concat!("least(", in_order!("idle_deadline"), ", ", in_order!("$10"), ")")),
                ", label = $13, sealed = $14 WHERE key = $1 AND version = $2 AND expires > $3 \
                 RETURNING CASE current_setting('synchronous_commit') WHEN 'off' \
                 THEN set_config('synchronous_commit', 'on', true) END"
            ),
            Self::Look => {
                "SELECT version FROM hardtack.sessions WHERE key = $1 AND sealed IS NOT NULL AND expires > $2::bigint \
                 AND hardtack.on_primary()"
            }
            // What moves nothing writes nothing.
            Self::Touch => concat!(
                "UPDATE hardtack.sessions SET last_seen = ",
                later!("last_seen", in_order!("$2")),
                ", idle_deadline = ",
                later!("idle_deadline", concat!("least(", in_order!("$3"), ", ", in_order!("absolute_deadline"), ")")),
                " WHERE key = $1 AND sealed IS NOT NULL AND (",
                in_order!("last_seen"),
                " < ",
                in_order!("$2"),
                " OR ",
                in_order!("idle_deadline"),
                " < ",
                in_order!("$3"),
                ")"
            ),
            Self::Create => {
                "SELECT hardtack.create_session($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, \
                 $17, $18, $19)"
            }
            Self::Delete => "SELECT hardtack.end_session($1, $2)",
            Self::OwnedBy => concat!(row!(), " WHERE owner = $1 AND expires > $2::bigint AND hardtack.on_primary()"),
            Self::EndOwner => "SELECT hardtack.end_owner($1, $2, $3, $4)",
            Self::Epoch => "SELECT epoch FROM hardtack.counter WHERE one AND hardtack.on_primary()",
            Self::Purge => "SELECT hardtack.purge($1, $2, make_interval(secs => $3::bigint))",
            Self::Scan => concat!(
                row!(),
                " WHERE key > $1 AND sealed IS NOT NULL AND hardtack.on_primary() ORDER BY key LIMIT $2::bigint"
            ),
            // What is visible now and was not to the reader's last snapshot.
            Self::NewsAfter => concat!(
                head!(),
                " UNION ALL SELECT told, NULL FROM hardtack.news \
                 WHERE xid >= pg_snapshot_xmin(convert_from($1, 'UTF8')::pg_snapshot) \
                 AND NOT pg_visible_in_snapshot(xid, convert_from($1, 'UTF8')::pg_snapshot)"
            ),
            Self::AllNews => concat!(
                head!(),
                " UNION ALL SELECT told, NULL FROM hardtack.news UNION ALL SELECT told, NULL FROM hardtack.revoked"
            ),
            Self::Publish => "SELECT hardtack.publish(convert_from($1, 'UTF8'), $2)",
            // In a transaction of its own, which writes nothing: PostgreSQL lets only one at a time commit that notifies,
            // and would sync the disk for each of them alone.
            Self::Notify => "SELECT pg_notify(convert_from($1, 'UTF8'), '')",
        }
    }
}

/// All statements, for tables in a schema of this name.
#[derive(Clone)]
pub(super) struct Statements(Arc<[Arc<str>; Call::ALL.len()]>);

impl Statements {
    pub(super) fn new(schema: &SchemaName) -> Self {
        Self(Arc::new(Call::ALL.map(|call| schema.put_into(call.sql()).into())))
    }

    pub(super) fn of(&self, call: Call) -> &Arc<str> {
        &self.0[call as usize]
    }
}

/// The name of a schema, fit to stand in SQL.
#[derive(Clone, Debug)]
pub(super) struct SchemaName(Box<str>);

impl SchemaName {
    pub(super) const DEFAULT: &str = "hardtack";
    /// PostgreSQL's names have 63 bytes, and [`channel`](Self::channel) has 5 more than this.
    const LONGEST: usize = 58;

    /// A name of 1 to 58 lower-case letters, digits and underscores that begins with no digit: it means the same
    /// quoted and unquoted.
    pub(super) fn new(name: &str) -> Result<Self, String> {
        let is_one = (1..=Self::LONGEST).contains(&name.len())
            && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
            && !name.starts_with(|first: char| first.is_ascii_digit())
            && !name.starts_with("pg_");
        if !is_one {
            return Err(format!(
                "{name:?} is no name for a schema here; use lower-case letters, digits and underscores, 58 at most, \
                 and do not begin with a digit or with pg_"
            ));
        }
        Ok(Self(name.into()))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// On which channel news are told of.
    pub(super) fn channel(&self) -> String {
        format!("{}_news", self.0)
    }

    /// SQL that was written for the default schema, for this one.
    pub(super) fn put_into(&self, sql: &str) -> String {
        sql.replace("hardtack.", &format!("\"{}\".", self.0))
    }
}
