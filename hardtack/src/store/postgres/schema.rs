//! Whether a server fits and its tables are those of today; and making them so.
//!
//! The version of the tables is the highest number in `hardtack.migrations`: how many of [`MIGRATIONS`] have run. A
//! migration that was released is never edited; a change is one more, and the programs of the version before go on
//! beside it, because servers are not all updated at once.

use super::{
    driver::{Console, Fault},
    statements::SchemaName,
};

/// Number n brings the tables from version n - 1 to n.
pub(super) const MIGRATIONS: [&str; 1] = [include_str!("1.sql")];

/// Programs that start at the same time change the tables one after the other. "hardtack" in ASCII.
const LOCK: i64 = i64::from_be_bytes(*b"hardtack");
/// PostgreSQL's code for a lack of rights.
const DENIED: &str = "42501";
/// Our code for a migration that has been run by somebody else meanwhile.
const DONE_ALREADY: &str = "HT001";

/// Refuses a server on which sessions are not safe. Asked of every new connection.
pub(super) async fn check(console: &impl Console) -> Result<(), String> {
    let settings = "SELECT pg_is_in_recovery()::text, current_setting('default_transaction_isolation'), \
        current_setting('server_version_num'), current_setting('default_transaction_read_only')";
    let found = console.run(settings).await.map_err(|fault| fault.why)?;
    let setting = |at: usize| found.get(at).map_or("", String::as_str);
    if setting(0) != "false" {
        return Err(
            "the server is a standby, which answers from the past; name the primary, or all servers in one URL, \
                    postgres://USER@HOST1,HOST2/DATABASE"
                .into(),
        );
    }
    if setting(3) != "off" {
        return Err("its transactions are read-only; ALTER ROLE … SET default_transaction_read_only = off".into());
    }
    if setting(1) != "read committed" {
        return Err(format!(
            "its transactions are {:?}, in which sessions would be decided on what is past; \
             ALTER ROLE … SET default_transaction_isolation = 'read committed'",
            setting(1)
        ));
    }
    if setting(2).parse().is_ok_and(|version: u32| version < 130_000) {
        return Err("it is older than PostgreSQL 13; use a newer one".into());
    }
    Ok(())
}

/// Brings the tables up to date.
pub(super) async fn migrate(console: &impl Console, schema: &SchemaName) -> Result<(), String> {
    loop {
        let version = version(console, schema).await.map_err(|fault| advise(fault, schema, 0))?;
        if version > MIGRATIONS.len() {
            return Err(format!(
                "its tables have version {version} and this program knows up to {}; run the newer program that wrote \
                 them, or name another schema",
                MIGRATIONS.len()
            ));
        }
        let Some(migration) = MIGRATIONS.get(version) else {
            let home = console.run(&schema.put_into("SELECT hardtack.come_home()::text")).await;
            return home.map(drop).map_err(|fault| advise(fault, schema, version));
        };
        match console.run(&step(migration, version, schema)).await {
            Err(fault) if !fault.is(DONE_ALREADY) => return Err(advise(fault, schema, version)),
            _ => {}
        }
    }
}

/// How many migrations have run.
async fn version(console: &impl Console, schema: &SchemaName) -> Result<usize, Fault> {
    let table = schema.put_into(
        "SELECT to_regclass('hardtack.migrations')::text WHERE to_regclass('hardtack.migrations') IS NOT NULL",
    );
    if console.run(&table).await?.is_empty() {
        return Ok(0);
    }
    let highest = schema.put_into("SELECT coalesce(max(version), 0)::text FROM hardtack.migrations");
    let found = console.run(&highest).await?;
    let version = found.first().and_then(|version| version.parse().ok());
    version.ok_or_else(|| Fault::new("its table of migrations has no version"))
}

/// One migration, unless somebody was faster: for a server one transaction.
fn step(migration: &str, version: usize, schema: &SchemaName) -> String {
    let name = schema.as_str();
    schema.put_into(&format!(
        "SELECT pg_advisory_xact_lock({LOCK});
        DO $$
        DECLARE
            version integer := 0;
        BEGIN
            IF to_regclass('hardtack.migrations') IS NOT NULL THEN
                SELECT coalesce(max(migrations.version), 0) INTO version FROM hardtack.migrations;
            END IF;
            IF version <> {version} THEN
                RAISE EXCEPTION 'done already' USING ERRCODE = '{DONE_ALREADY}';
            END IF;
            IF to_regnamespace('{name}') IS NULL THEN
                CREATE SCHEMA {name};
            END IF;
        END $$;
        {migration}"
    ))
}

fn advise(fault: Fault, schema: &SchemaName, version: usize) -> String {
    let (name, next) = (schema.as_str(), version + 1);
    if !fault.is(DENIED) {
        return format!("{}; see whether this is a database where the schema {name} is hardtack's own", fault.why);
    }
    format!(
        "{}; let its role make the schema once (GRANT CREATE ON DATABASE … TO …), or run as another role CREATE SCHEMA \
         {name}, then PostgresStore::MIGRATIONS from number {next} on, then GRANT USAGE ON SCHEMA {name} TO … and GRANT \
         SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {name} TO … (its functions are everybody's \
         unless you changed that)",
        fault.why
    )
}
