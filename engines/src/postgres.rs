//! A PostgreSQL.

use std::{
    fs,
    net::SocketAddr,
    os::unix::fs::chown,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        LazyLock, Mutex,
        atomic::{AtomicU32, Ordering},
    },
};

use crate::{
    keeper::{self, Folder, Keeper},
    port, wait_until,
};

/// The role that owns everything. Whoever reaches the port is trusted; a password is not looked at.
pub(crate) const ROLE: &str = "hardtack";

/// A server with its default settings, but with room for 300 connections.
pub struct Postgres {
    // Before the folder, which the server writes to until its end.
    server: Mutex<Option<Keeper>>,
    folder: Folder,
    address: SocketAddr,
    args: Vec<String>,
    databases: AtomicU32,
}

impl Postgres {
    /// Makes a data folder, starts a server there and waits until it answers.
    ///
    /// # Panics
    ///
    /// Without PostgreSQL, with what to install.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// The same with settings: `&["fsync=off"]`.
    ///
    /// # Panics
    ///
    /// Without PostgreSQL, with what to install; when it does not like the settings.
    pub fn start_with(settings: &[&str]) -> Self {
        let folder = Folder::new("postgres");
        if let Some((user, group)) = account() {
            chown(folder.path(), Some(user), Some(group)).unwrap();
        }
        let data = folder.path().join("data");
        let initdb = program("initdb");
        let mut command = unprivileged();
        command.extend([&*initdb, "--no-sync", "--auth=trust", "--encoding=UTF8", "--no-locale", "-U", ROLE, "-D"]);
        let mut initdb = Command::new(command[0]);
        initdb.args(&command[1..]).arg(&data).current_dir(folder.path());
        keeper::run(&mut initdb, "postgresql");
        let postgres = Self {
            server: Mutex::new(None),
            folder,
            address: port::free(),
            args: settings.iter().flat_map(|setting| ["-c".into(), (*setting).into()]).collect(),
            databases: AtomicU32::new(0),
        };
        postgres.run();
        postgres
    }

    /// One server for all tests of this process. It ends with the process, so do not stop it.
    ///
    /// # Panics
    ///
    /// As [`start`](Self::start).
    pub fn shared() -> &'static Self {
        static SHARED: LazyLock<Postgres> = LazyLock::new(Postgres::start);
        &SHARED
    }

    /// Makes an empty database and answers its address, `postgres://hardtack@127.0.0.1:PORT/NAME`.
    ///
    /// # Panics
    ///
    /// When the server does not run.
    pub fn new_database(&self) -> String {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.psql("postgres", &format!("CREATE DATABASE {name}"));
        self.url(&name)
    }

    /// The address of a database.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://{ROLE}@{}/{database}", self.address)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The folder of its Unix socket.
    pub fn socket(&self) -> &Path {
        self.folder.path()
    }

    /// Ends it as an operator does who does not wait for clients: connections are cut, nothing is lost.
    pub fn stop(&self) {
        self.end("INT");
    }

    /// Kills it as a crash does: its processes drop everything, and the next start recovers from the log.
    pub fn kill(&self) {
        self.end("QUIT");
    }

    /// Starts it again at the same address with the same data.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub fn start_again(&self) {
        self.run();
    }

    /// [`stop`](Self::stop), then [`start_again`](Self::start_again).
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub fn restart(&self) {
        self.stop();
        self.run();
    }

    /// Stops all its processes with SIGSTOP: connections stay and new ones are made, but nothing is answered.
    pub fn pause(&self) {
        if let Some(server) = &*self.server.lock().unwrap() {
            server.signal_all("STOP");
        }
    }

    /// Goes on after [`pause`](Self::pause).
    pub fn resume(&self) {
        if let Some(server) = &*self.server.lock().unwrap() {
            server.signal_all("CONT");
        }
    }

    /// Runs SQL in a database and answers the rows, one a line, columns parted by `|`.
    ///
    /// # Panics
    ///
    /// When the SQL fails.
    pub fn psql(&self, database: &str, sql: &str) -> String {
        let mut command = Command::new(program("psql"));
        let port = self.address.port().to_string();
        command.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", &port, "-U", ROLE]);
        keeper::run(command.args(["-d", database, "-c", sql]), "postgresql")
    }

    /// What the server wrote on its output.
    pub fn log(&self) -> String {
        self.folder.log()
    }

    fn end(&self, signal: &str) {
        if let Some(server) = self.server.lock().unwrap().take() {
            // A process that is stopped cannot end.
            server.signal_all("CONT");
            server.end(signal);
        }
    }

    fn run(&self) {
        let (data, port) = (self.folder.path().join("data"), self.address.port().to_string());
        let (program, sockets) = (program("postgres"), self.folder.path().display().to_string());
        let mut command = unprivileged();
        let data = data.display().to_string();
        command.extend([&*program, "-D", &data, "-h", "127.0.0.1", "-p", &port, "-k", &sockets]);
        command.extend(["-c", "max_connections=300"]);
        command.extend(self.args.iter().map(String::as_str));
        let server = Keeper::start(&self.folder, "QUIT", &command);
        let mut ready = Command::new(self::program("pg_isready"));
        ready.args(["-q", "-h", "127.0.0.1", "-p", &port, "-U", ROLE, "-d", "postgres"]);
        wait_until("PostgreSQL answers", || {
            assert!(server.is_alive(), "postgres ended: {}", self.log());
            ready.status().is_ok_and(|status| status.success())
        });
        *self.server.lock().unwrap() = Some(server);
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.kill();
    }
}

/// What goes before a command that root must not run.
pub(crate) fn unprivileged() -> Vec<&'static str> {
    match account() {
        Some(_) => vec!["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"],
        None => vec!["env"],
    }
}

/// The user and the group of PostgreSQL's own account, if this process is root.
pub(crate) fn account() -> Option<(u32, u32)> {
    static ACCOUNT: LazyLock<Option<(u32, u32)>> = LazyLock::new(|| {
        let id = |args: &[&str]| keeper::run(Command::new("id").args(args), "postgresql").parse::<u32>().unwrap();
        (id(&["-u"]) == 0).then(|| (id(&["-u", "postgres"]), id(&["-g", "postgres"])))
    });
    *ACCOUNT
}

/// A program of PostgreSQL: that of the newest version where Debian puts them, or what the path has.
fn program(name: &str) -> String {
    let newest = || -> Option<PathBuf> {
        let versions =
            fs::read_dir("/usr/lib/postgresql").ok()?.filter_map(|entry| entry.ok().map(|entry| entry.path()));
        let version = |path: &PathBuf| path.file_name()?.to_str()?.parse::<u32>().ok();
        let newest = versions.filter(|path| path.join("bin").join(name).is_file()).max_by_key(version)?;
        Some(newest.join("bin").join(name))
    };
    newest().map_or_else(|| name.to_owned(), |path| path.display().to_string())
}
