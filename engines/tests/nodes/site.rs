//! `hardtack demo` as a process, on a free port, with a folder of its own: a machine of a site.

use std::{
    env,
    fs::File,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::PathBuf,
    process::{Child, ChildStdout, Command, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;

use crate::http::Visitor;

pub(crate) const PASSWORD: &str = "ship's biscuit & 2 knots";

/// What the machines of a site have in common: the keys, the password and the address of the store.
pub(crate) struct Town {
    keys: String,
    pub(crate) store: String,
}

/// What a command printed.
pub(crate) struct Answer {
    code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Answer {
    #[track_caller]
    pub(crate) fn text(&self, code: i32) -> &str {
        assert_eq!(self.code, Some(code), "{}{}", self.out, self.err);
        self.out.trim_end()
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(self.text(0)).expect("JSON")
    }
}

impl Town {
    pub(crate) fn new(store: String) -> Self {
        let keys = answer(command().args(["keys", "generate"])).text(0).to_owned();
        Self { keys, store }
    }

    /// One more machine, told of the store on its command line.
    pub(crate) fn machine(&self, args: &[&str]) -> Site {
        Site::start(command().args(["demo", "--store", &self.store]).args(args).env("HARDTACK_KEYS", &self.keys))
    }

    /// One more machine, told of the store in its environment, and to log all that it can.
    pub(crate) fn machine_with_variable(&self, args: &[&str]) -> Site {
        let variables = [("HARDTACK_KEYS", &*self.keys), ("HARDTACK_STORE", &self.store), ("RUST_LOG", "trace")];
        Site::start(command().arg("demo").args(args).envs(variables))
    }

    /// `hardtack sessions` with the store in the environment.
    pub(crate) fn sessions(&self, args: &[&str]) -> Answer {
        answer(command().arg("sessions").args(args).env("HARDTACK_STORE", &self.store))
    }
}

/// A running demo. It is killed when this goes out of scope, whatever happened.
pub(crate) struct Site {
    child: Child,
    /// Kept open, so that the demo can go on printing.
    _out: BufReader<ChildStdout>,
    folder: TempDir,
    pub(crate) address: SocketAddr,
    /// All that it printed on standard output before the first request.
    pub(crate) told: String,
}

impl Site {
    fn start(command: &mut Command) -> Self {
        let folder = TempDir::new().unwrap();
        let log = folder.path().join("log");
        command.current_dir(folder.path()).args(["--listen", "127.0.0.1:0"]).env("SECRET_PASSWORD", PASSWORD);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(File::create(&log).unwrap());
        let mut child = command.spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut told = String::new();
        // The listener is open before the first line is printed.
        while !told.contains("Ctrl-C ends the demo.\n") {
            if out.read_line(&mut told).unwrap() == 0 {
                panic!("no demo: {told}{}", std::fs::read_to_string(log).unwrap());
            }
        }
        let address = told.split_once("://").and_then(|(_, rest)| rest.lines().next()).unwrap().parse().unwrap();
        Self { child, _out: out, folder, address, told }
    }

    pub(crate) fn visitor(&self) -> Visitor {
        Visitor::new(self.address)
    }

    pub(crate) fn signed_in(&self) -> Visitor {
        let mut visitor = self.visitor();
        assert_eq!(visitor.log_in(PASSWORD).status, 303);
        visitor
    }

    /// The same browser at this machine.
    pub(crate) fn again(&self, visitor: &Visitor) -> Visitor {
        Visitor::with_cookie(self.address, visitor.cookie.as_ref().unwrap())
    }

    /// What it wrote on standard error.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program in `HARDTACK_BIN`, or the one that a build for tests makes, with nothing in its environment that could
/// come from the machine's user.
pub(crate) fn command() -> Command {
    let program = env::var_os("HARDTACK_BIN").map_or_else(
        || {
            let target = env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
            let target = target.unwrap_or_else(|| concat!(env!("CARGO_MANIFEST_DIR"), "/../target").into());
            target.join("debug/hardtack")
        },
        PathBuf::from,
    );
    assert!(
        program.is_file(),
        "{} is not there.\nBuild it with `cargo build -p hardtack-server`, or name another in HARDTACK_BIN.",
        program.display()
    );
    let mut command = Command::new(program);
    for name in ["HARDTACK_KEYS", "HARDTACK_STORE", "SECRET_PASSWORD", "RUST_LOG"] {
        command.env_remove(name);
    }
    command
}

/// Runs a command to its end.
pub(crate) fn answer(command: &mut Command) -> Answer {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Answer { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}
