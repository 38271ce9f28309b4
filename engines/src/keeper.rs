//! A child process that cannot be left behind.
//!
//! Between a test and its server stands a shell, the keeper. It waits for a word on a pipe whose other end the test has;
//! when the test dies, by a panic, a signal or SIGKILL, the pipe closes, and the keeper ends the server, waits for it
//! and removes its folder. The keeper is in a process group of its own, so Ctrl-C reaches the test alone.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;

/// $1: the signal that ends the server when nothing else is said. $2: the folder. Then the server.
/// The word is a signal and, if the folder is to stay, "keep". A server that is paused when the test dies makes the
/// system send SIGHUP to both.
const KEEPER: &str = r#"
signal=$1 folder=$2; shift 2
cd "$folder"
"$@" </dev/null >>"$folder/log" 2>&1 &
echo $!
exec >&-
trap '' HUP
exec 2>/dev/null
word= keep=
read -r word keep
kill -s CONT $!
kill -s "${word:-$signal}" $!
wait $!
cd /
[ "$keep" = keep ] || rm -rf "$folder"
"#;

/// A folder that outlives a server, to start it again there. Removed with this.
pub(crate) struct Folder {
    path: PathBuf,
}

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let folder = TempDir::with_prefix(format!("hardtack-{name}-")).unwrap();
        // From here on the keeper removes it, also when this process cannot.
        Self { path: folder.keep() }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What the server wrote.
    pub(crate) fn log(&self) -> String {
        fs::read(self.path.join("log")).map(|log| String::from_utf8_lossy(&log).into_owned()).unwrap_or_default()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// A running server.
pub(crate) struct Keeper {
    keeper: Child,
    pid: u32,
}

impl Keeper {
    /// Starts `command`, whose output goes to the folder's log. `signal` ends it if this process dies.
    pub(crate) fn start(folder: &Folder, signal: &str, command: &[&str]) -> Self {
        use std::os::unix::process::CommandExt as _;

        File::options().create(true).append(true).open(folder.path.join("log")).unwrap();
        let mut keeper = Command::new("sh")
            .args(["-c", KEEPER, "keeper", signal])
            .arg(folder.path())
            .args(command)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .expect("a shell");
        let mut pid = String::new();
        BufReader::new(keeper.stdout.take().unwrap()).read_line(&mut pid).unwrap();
        Self { keeper, pid: pid.trim().parse().expect("the server's process id") }
    }

    /// Whether the server still runs.
    pub(crate) fn is_alive(&self) -> bool {
        // The state stands after the name, which is in parentheses. A Z ended and is not yet waited for.
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid));
        stat.is_ok_and(|stat| stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X'])))
    }

    /// Ends the server with a signal, waits for its end, and leaves its folder.
    pub(crate) fn end(mut self, signal: &str) {
        self.finish(&format!("{signal} keep\n"));
    }

    /// The server and its children.
    pub(crate) fn tree(&self) -> Vec<u32> {
        let mut tree = vec![self.pid];
        let children = Command::new("pgrep").args(["-P", &self.pid.to_string()]).output().expect("pgrep (procps)");
        tree.extend(String::from_utf8_lossy(&children.stdout).lines().filter_map(|pid| pid.parse::<u32>().ok()));
        tree
    }

    /// Sends a signal to the server and its children. The server first, so that it makes no more of them.
    pub(crate) fn signal_all(&self, signal: &str) {
        signal_one(self.pid, signal);
        for child in self.tree().into_iter().skip(1) {
            signal_one(child, signal);
        }
    }

    fn finish(&mut self, word: &str) {
        if let Some(mut pipe) = self.keeper.stdin.take() {
            let _ = pipe.write_all(word.as_bytes());
        }
        let _ = self.keeper.wait();
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        // Without a word: the signal of the start, and the folder goes.
        self.finish("");
    }
}

fn signal_one(pid: u32, signal: &str) {
    let _ = Command::new("sh").args(["-c", r#"kill -s "$0" "$1" 2>/dev/null"#, signal, &pid.to_string()]).status();
}

/// Runs a tool to its end and answers what it printed.
///
/// # Panics
///
/// When the tool is not there or fails.
pub(crate) fn run(command: &mut Command, package: &str) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| missing(command, package, &error));
    let said = String::from_utf8_lossy(&output.stdout).trim_end().to_owned();
    assert!(output.status.success(), "{command:?}: {said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

pub(crate) fn missing(command: &Command, package: &str, error: &std::io::Error) -> ! {
    panic!("{:?}: {error}\nInstall it with `apt-get install {package}`, as scripts/test does.", command.get_program())
}
