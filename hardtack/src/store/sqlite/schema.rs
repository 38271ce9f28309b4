//! Opening the file: who may read it, whether it is ours, and which version its tables have.
//!
//! The version is SQLite's `user_version`: how many of [`MIGRATIONS`] have run. A migration that was
//! released is never edited; a change of the tables is one more.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind},
    path::Path,
    sync::{Mutex, PoisonError},
    thread,
    time::Duration,
};

use rusqlite::{Connection, ErrorCode, OpenFlags};

/// SQLite's `application_id` of our files, "htk1": an application's own database is not taken for one.
const APPLICATION: i32 = i32::from_be_bytes(*b"htk1");

/// `expires` is the earlier of both deadlines, for the index alone. Every other number is the bits of a `u64`, so
/// that the sealed data's facts come back exactly; the ones beyond 2^63 would look negative.
///
/// Sessions lie in the order of their making, with an index from the key. In the order of their random keys each
/// new one would touch a page of its own, and the tree would be as deep as the data is large.
const MIGRATIONS: [&str; 2] = [
    "
    CREATE TABLE sessions (
        id                INTEGER PRIMARY KEY,
        key               BLOB    NOT NULL UNIQUE,
        version           INTEGER NOT NULL,
        generation        INTEGER NOT NULL,
        remembered        INTEGER NOT NULL,
        epoch             INTEGER NOT NULL,
        created           INTEGER NOT NULL,
        authenticated     INTEGER NOT NULL,
        renewed           INTEGER NOT NULL,
        absolute_deadline INTEGER NOT NULL,
        last_seen         INTEGER NOT NULL,
        idle_deadline     INTEGER NOT NULL,
        expires           INTEGER NOT NULL,
        owner             TEXT,
        label             TEXT,
        sealed            BLOB    NOT NULL
    ) STRICT;
    CREATE INDEX sessions_by_expiry ON sessions (expires);
    CREATE INDEX sessions_by_owner ON sessions (owner) WHERE owner IS NOT NULL;

    CREATE TABLE tombstones (
        key   BLOB    NOT NULL PRIMARY KEY,
        until INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX tombstones_by_end ON tombstones (until);

    CREATE TABLE owners (
        owner TEXT    NOT NULL PRIMARY KEY,
        epoch INTEGER NOT NULL,
        until INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX owners_by_end ON owners (until);

    CREATE TABLE counter (
        one   INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
        epoch INTEGER NOT NULL
    ) STRICT;
    INSERT INTO counter VALUES (1, 0);
",
    // The feed. `at` and `born` are SQLite's time, in seconds; `revoked` is what callers published, with their time.
    "
    CREATE TABLE news (
        seq  INTEGER PRIMARY KEY AUTOINCREMENT,
        at   INTEGER NOT NULL,
        told BLOB    NOT NULL
    ) STRICT;
    CREATE INDEX news_by_time ON news (at);

    CREATE TABLE revoked (
        told  BLOB    NOT NULL PRIMARY KEY,
        until INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX revoked_by_end ON revoked (until);

    CREATE TABLE feed (
        one     INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
        born    INTEGER NOT NULL,
        trimmed INTEGER NOT NULL
    ) STRICT;
    INSERT INTO feed VALUES (1, unixepoch(), 0);
",
];

/// How long a process waits for another one that writes, asking every millisecond. SQLite's own waiting
/// asks ten times a second, and beside a busy neighbour may miss every gap.
const PATIENCE: Duration = Duration::from_secs(5);
const BETWEEN_TRIES: Duration = Duration::from_millis(1);

/// A busy handler: waits for a lock of another connection.
pub(super) fn wait_for_others(tries: i32) -> bool {
    thread::sleep(BETWEEN_TRIES);
    u128::try_from(tries).unwrap_or_default() < PATIENCE.as_millis()
}

/// Whether a lock of another connection is in the way.
pub(super) fn is_busy(error: &rusqlite::Error) -> bool {
    use ErrorCode::{DatabaseBusy, DatabaseLocked, FileLockingProtocolFailed};
    matches!(error.sqlite_error_code(), Some(DatabaseBusy | DatabaseLocked | FileLockingProtocolFailed))
}

/// The connection that writes, on a file whose tables are those of today. An error says what to do.
pub(super) fn open_writer(path: &Path) -> Result<Connection, String> {
    create(path).map_err(|error| format!("{error}; name a file in a folder that this program may write to"))?;
    let mut file = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(advise)?;
    file.busy_handler(Some(wait_for_others as fn(i32) -> bool)).map_err(advise)?;
    // Before anything in it is touched; and in one transaction, because another process may make the tables
    // between two looks.
    version(&*file.transaction().map_err(advise)?)?;
    let mode = patiently(|| file.query_row("PRAGMA journal_mode = WAL", (), |row| row.get::<_, String>(0)));
    match mode.map_err(advise)?.as_str() {
        "wal" => {}
        other => {
            return Err(format!("its journal is {other:?} and cannot be a write-ahead log; put it on a local disk"));
        }
    }
    // FULL: a commit is on the disk before it is answered. The second is for macOS, whose fsync is none. A log
    // of 16 MB instead of 4 moves a page to its place less often: 9 to 19 % less CPU time for each kind of write.
    file.execute_batch("PRAGMA synchronous = FULL; PRAGMA fullfsync = ON; PRAGMA wal_autocheckpoint = 4000")
        .map_err(advise)?;
    file.set_prepared_statement_cache_capacity(64);
    migrate(&mut file)?;
    Ok(file)
}

/// A connection that reads and never waits.
pub(super) fn open_reader(path: &Path) -> Result<Connection, String> {
    let file = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(advise)?;
    file.busy_timeout(Duration::ZERO).map_err(advise)?;
    Ok(file)
}

fn connect(path: &Path, access: OpenFlags) -> rusqlite::Result<Connection> {
    Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)
}

/// Makes the file, for its owner alone, unless there is one. The log's files get its mode from SQLite.
fn create(path: &Path) -> io::Result<()> {
    // To close a file takes away the locks that SQLite has on it in this process. So nobody may open it
    // as a store between its creation and this close.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder)?;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        // A file whose name is lost in a crash keeps no logout.
        Ok(file) => file.sync_all().and_then(|()| if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }),
        Err(error) => Err(error),
    }
}

/// How many migrations have run; an error for a file that is not ours or from the future.
fn version(file: &Connection) -> Result<usize, String> {
    let number = |sql: &str| patiently(|| file.query_row(sql, (), |row| row.get::<_, i64>(0))).map_err(advise);
    let application = number("PRAGMA application_id")?;
    let version = number("PRAGMA user_version")?;
    if application != i64::from(APPLICATION) {
        let is_empty = application == 0 && version == 0 && number("SELECT count(*) FROM sqlite_schema")? == 0;
        return if is_empty {
            Ok(0)
        } else {
            Err("it is a database of something else; give the sessions a file of their own".into())
        };
    }
    match usize::try_from(version) {
        Ok(version) if version <= MIGRATIONS.len() => Ok(version),
        _ => Err(format!(
            "its tables have version {version} and this program knows up to {}; run the newer program that wrote \
             it, or name another file",
            MIGRATIONS.len()
        )),
    }
}

fn migrate(file: &mut Connection) -> Result<(), String> {
    let change = file.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).map_err(advise)?;
    for migration in &MIGRATIONS[version(&change)?..] {
        change.execute_batch(migration).map_err(advise)?;
    }
    change.pragma_update(None, "application_id", APPLICATION).map_err(advise)?;
    change.pragma_update(None, "user_version", MIGRATIONS.len() as i64).map_err(advise)?;
    change.commit().map_err(advise)
}

/// For the few statements for which SQLite asks no busy handler: those that meet another program which
/// opens, repairs or closes the file at this moment.
fn patiently<T>(mut attempt: impl FnMut() -> rusqlite::Result<T>) -> rusqlite::Result<T> {
    let mut tries = 0;
    loop {
        match attempt() {
            Err(error) if is_busy(&error) && wait_for_others(tries) => tries += 1,
            outcome => return outcome,
        }
    }
}

fn advise(error: rusqlite::Error) -> String {
    let advice = match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => "name a new file, or one that a session store made",
        Some(ErrorCode::DatabaseCorrupt) => "restore it from a backup, or move it away and begin with a new one",
        Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
            "let this program write to it and to its folder"
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => "end the program that keeps it locked",
        Some(ErrorCode::DiskFull) => "make room on its disk",
        _ => "see whether its disk is healthy and this program may write to it",
    };
    format!("{error}; {advice}")
}
