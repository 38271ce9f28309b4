//! `hardtack demo` as a process of its own, on a free port, with a folder of its own.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
};

use tempfile::TempDir;

use crate::http::Visitor;

pub(crate) const PASSWORD: &str = "ship's biscuit & 2 knots";

/// Where the sessions of a demo live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Placement {
    /// In a file of the data folder: what the demo does unless it is told otherwise.
    Stored,
    Stateless,
    Hybrid,
}

/// The working directory of a demo, with its data folder in it.
pub(crate) struct Folder {
    folder: TempDir,
    pub(crate) placement: Placement,
}

impl Folder {
    /// For a demo that is told nothing.
    pub(crate) fn new() -> Self {
        Self::with(Placement::Stored)
    }

    pub(crate) fn with(placement: Placement) -> Self {
        Self { folder: TempDir::new().unwrap(), placement }
    }

    pub(crate) fn is_stored(&self) -> bool {
        self.placement == Placement::Stored
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.path().join("hardtack-data")
    }

    /// The command, with nothing in its environment that could come from the machine's user.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hardtack"));
        command.current_dir(self.path()).args(["demo", "--listen", "127.0.0.1:0"]);
        match self.placement {
            Placement::Stored => {}
            Placement::Stateless => drop(command.args(["--placement", "stateless"])),
            Placement::Hybrid => drop(command.args(["--placement", "hybrid"])),
        }
        for name in ["HARDTACK_KEYS", "HARDTACK_STORE", "SECRET_PASSWORD", "RUST_LOG"] {
            command.env_remove(name);
        }
        command
    }

    pub(crate) fn start(&self) -> Site {
        self.start_with(&[])
    }

    pub(crate) fn start_with(&self, args: &[&str]) -> Site {
        Site::start(self.command().args(args).env("SECRET_PASSWORD", PASSWORD), self)
    }

    /// Starts what must not start, and answers what it says.
    pub(crate) fn refusal(&self, command: &mut Command) -> String {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut told = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut told).unwrap();
        if !told.is_empty() {
            // It would serve for ever.
            let _ = child.kill();
        }
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), &*told), (Some(2), ""), "{said}");
        said
    }

    /// What the demos of this folder wrote on standard error.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.path().join("log")).unwrap()
    }
}

/// A running demo. It is killed when this goes out of scope, whatever happened.
pub(crate) struct Site {
    child: Child,
    out: BufReader<ChildStdout>,
    pub(crate) address: SocketAddr,
    /// All that it printed on standard output before the first request.
    pub(crate) told: String,
}

impl Site {
    pub(crate) fn start(command: &mut Command, folder: &Folder) -> Self {
        let log = File::options().create(true).append(true).open(folder.path().join("log")).unwrap();
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut told = String::new();
        // The listener is open before the first line is printed, so nobody has to wait and try.
        while !told.contains("Ctrl-C ends the demo.\n") {
            if out.read_line(&mut told).unwrap() == 0 {
                panic!("the demo ended with {}: {told}{}", child.wait().unwrap(), folder.log());
            }
        }
        let address = told.split_once("://").and_then(|(_, rest)| rest.lines().next()).unwrap().parse().unwrap();
        Self { child, out, address, told }
    }

    pub(crate) fn visitor(&self) -> Visitor {
        Visitor::new(self.address)
    }

    /// What the demo told about `name` when it started.
    pub(crate) fn told_about(&self, name: &str) -> &str {
        let line = self.told.lines().find_map(|line| line.trim().strip_prefix(name));
        line.unwrap_or_else(|| panic!("nothing about {name}: {}", self.told)).trim()
    }

    /// Sends a signal, waits for the end, and answers the status and what was printed last.
    #[cfg(unix)]
    pub(crate) fn end(mut self, signal: &str) -> (ExitStatus, String) {
        // The shell's own `kill`, because that is everywhere.
        let kill = format!("kill -s {signal} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
        let mut rest = String::new();
        self.out.read_to_string(&mut rest).unwrap();
        (self.child.wait().unwrap(), rest)
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
