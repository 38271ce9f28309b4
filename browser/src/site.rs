//! `hardtack demo` as a process, on a free port of the loopback interface.

use std::{
    env,
    fs::File,
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, ChildStdout, Command, Stdio},
};

use tempfile::TempDir;

/// The password of every site.
pub const PASSWORD: &str = "ship's biscuit & 2 knots";

/// How the browser reaches the site.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// `http://127.0.0.1`
    Http,
    /// `https://127.0.0.1`, with a certificate that the demo made
    Tls,
}

/// A running demo. It is killed when this goes out of scope, whatever happened.
pub struct Site {
    child: Child,
    /// Kept open, so that the demo can go on printing.
    out: BufReader<ChildStdout>,
    _folder: TempDir,
    origin: String,
}

impl Site {
    /// Starts the program and waits until it listens.
    ///
    /// # Panics
    ///
    /// Without the program, or when it ends at once.
    pub fn start(scheme: Scheme) -> Self {
        Self::start_with(scheme, &[])
    }

    /// The same with more arguments.
    ///
    /// # Panics
    ///
    /// Without the program, or when it ends at once.
    pub fn start_with(scheme: Scheme, args: &[&str]) -> Self {
        let program = program();
        let folder = TempDir::new().unwrap();
        let log = folder.path().join("log");
        let mut command = Command::new(&program);
        command.current_dir(folder.path()).args(["demo", "--listen", "127.0.0.1:0", "--data", "data"]).args(args);
        if scheme == Scheme::Tls {
            command.arg("--tls");
        }
        command.env("SECRET_PASSWORD", PASSWORD).env_remove("HARDTACK_KEYS").env_remove("HARDTACK_STORE");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(File::create(&log).unwrap());
        let mut child = command.spawn().unwrap_or_else(|error| {
            panic!(
                "{}: {error}\nBuild it with `cargo build -p hardtack-server`, or name another in HARDTACK_BIN.",
                program.display()
            )
        });
        let out = BufReader::new(child.stdout.take().unwrap());
        let mut site = Self { child, out, _folder: folder, origin: String::new() };
        // The listener is open before the first line is printed.
        let mut line = String::new();
        site.out.read_line(&mut line).unwrap();
        let said = || std::fs::read_to_string(log).unwrap_or_default();
        let (_, origin) = line.trim().split_once(" on ").unwrap_or_else(|| panic!("no demo: {line}{}", said()));
        site.origin = origin.to_owned();
        site
    }

    /// `scheme://host:port`
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The address of a page.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program in `HARDTACK_BIN`, or the one that a build for tests makes.
fn program() -> PathBuf {
    env::var_os("HARDTACK_BIN").map_or_else(
        || {
            let target = env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
            let target = target.unwrap_or_else(|| concat!(env!("CARGO_MANIFEST_DIR"), "/../target").into());
            target.join("debug/hardtack")
        },
        PathBuf::from,
    )
}
