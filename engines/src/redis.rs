//! A Redis, or another server that speaks for it.

use std::{
    env,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    process::Command,
    sync::Mutex,
};

use crate::{
    keeper::{self, Folder, Keeper},
    port, wait_until,
};

/// The server's program, unless it is `redis-server`; `valkey-server`, for example.
const PROGRAM: &str = "HARDTACK_REDIS_SERVER";

/// A server with its default settings, but without persistence: `--appendonly yes` asks for it.
pub struct Redis {
    // Before the folder, which the server writes to until its end.
    server: Mutex<Option<Keeper>>,
    folder: Folder,
    address: SocketAddr,
    args: Vec<String>,
    password: Option<String>,
}

impl Redis {
    /// Starts a server and waits until it answers.
    ///
    /// # Panics
    ///
    /// Without a `redis-server`, with what to install.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// The same with more arguments: `&["--appendonly", "yes"]`. With `--requirepass` the password is in
    /// [`url`](Self::url).
    ///
    /// # Panics
    ///
    /// Without a `redis-server`, with what to install; when it does not like the arguments.
    pub fn start_with(args: &[&str]) -> Self {
        let folder = Folder::new("redis");
        let password = args.windows(2).find(|pair| pair[0] == "--requirepass").map(|pair| pair[1].to_owned());
        let args = args.iter().map(|arg| (*arg).to_owned()).collect();
        let redis = Self { server: Mutex::new(None), folder, address: port::free(), args, password };
        redis.run();
        redis
    }

    /// `redis://127.0.0.1:PORT`, with the password if there is one.
    pub fn url(&self) -> String {
        match &self.password {
            Some(password) => format!("redis://:{password}@{}", self.address),
            None => format!("redis://{}", self.address),
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Kills it with SIGKILL. Its folder stays.
    pub fn kill(&self) {
        if let Some(server) = self.server.lock().unwrap().take() {
            server.end("KILL");
        }
    }

    /// Starts it again at the same address and in the same folder; kills it first if it runs.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub fn restart(&self) {
        self.kill();
        self.run();
    }

    /// Stops it with SIGSTOP: connections stay and new ones are made, but nothing is answered.
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

    /// Runs `redis-cli` with these arguments and answers what it prints.
    ///
    /// # Panics
    ///
    /// When `redis-cli` fails. An error that the server answers is printed and is no failure.
    pub fn cli(&self, args: &[&str]) -> String {
        let mut command = Command::new("redis-cli");
        command.args(["-h", "127.0.0.1", "-p", &self.address.port().to_string()]).args(args);
        if let Some(password) = &self.password {
            command.env("REDISCLI_AUTH", password);
        }
        keeper::run(&mut command, "redis-tools")
    }

    /// Waits until this replica has all that its primary has now, whoever wrote it.
    ///
    /// # Panics
    ///
    /// When it does not get there.
    pub fn catches_up_with(&self, primary: &Redis) {
        let all = primary.offset();
        wait_until("the replica has everything", || self.offset() >= all);
    }

    /// How much of the stream of writes it has; of a primary, how much there is.
    fn offset(&self) -> u64 {
        self.field(&["info", "replication"], "master_repl_offset").parse().unwrap()
    }

    /// The value of a line `NAME:VALUE` of what a command answers; nothing where there is no such line.
    pub(crate) fn field(&self, command: &[&str], name: &str) -> String {
        let lines = self.cli(command);
        let fields = lines.lines().filter_map(|line| line.trim().split_once(':'));
        fields.filter(|(other, _)| *other == name).map(|(_, value)| value.to_owned()).next().unwrap_or_default()
    }

    /// What the server wrote on its output.
    pub fn log(&self) -> String {
        self.folder.log()
    }

    fn run(&self) {
        let program = env::var(PROGRAM).unwrap_or_else(|_| "redis-server".into());
        let port = self.address.port().to_string();
        let mut command = vec![&*program, "--port", &port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"];
        command.extend(self.args.iter().map(String::as_str));
        let server = Keeper::start(&self.folder, "KILL", &command);
        wait_until("redis-server answers", || {
            assert!(
                server.is_alive(),
                "{program} ended: {}\nInstall it with `apt-get install redis-server`, as scripts/test does.",
                self.log()
            );
            self.is_ready()
        });
        *self.server.lock().unwrap() = Some(server);
    }

    /// Whether it answers, and does not still read what it had written.
    fn is_ready(&self) -> bool {
        let answer = || -> std::io::Result<Vec<u8>> {
            let mut stream = TcpStream::connect(self.address)?;
            stream.write_all(b"PING\r\n")?;
            let mut answer = vec![0; 7];
            stream.read_exact(&mut answer)?;
            Ok(answer)
        };
        answer().is_ok_and(|answer| answer.starts_with(b"+PONG") || answer.starts_with(b"-NOAUTH"))
    }
}
