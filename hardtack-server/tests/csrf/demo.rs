//! `hardtack demo --tls` as a process.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    process::{Child, ChildStdout, Command, Stdio},
};

use tempfile::TempDir;

use crate::tls::Client;

pub(crate) const PASSWORD: &str = "biscuit";

/// A running demo. It is killed when this goes out of scope.
pub(crate) struct Demo {
    child: Child,
    /// Kept open, so that the demo can go on printing.
    _out: BufReader<ChildStdout>,
    _folder: TempDir,
    pub(crate) address: SocketAddr,
    pub(crate) client: Client,
}

impl Demo {
    pub(crate) fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_hardtack"));
        command.current_dir(folder.path()).args(["demo", "--tls", "--listen", "127.0.0.1:0", "--data", "data"]);
        for name in ["HARDTACK_KEYS", "HARDTACK_STORE", "RUST_LOG"] {
            command.env_remove(name);
        }
        command.env("SECRET_PASSWORD", PASSWORD).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        let address = line.trim().split_once("https://").expect("the demo listens").1.parse().unwrap();
        let client = Client::new(address, &folder.path().join("data/tls-cert.pem"));
        Self { child, _out: out, _folder: folder, address, client }
    }

    /// The cookie of a new visitor, and a token.
    pub(crate) fn visitor(&self) -> (String, String) {
        let reply = self.client.get("/api/session", "");
        let (_, rest) = reply.body.split_once("\"csrfToken\":\"").unwrap();
        // The counter makes a record, so that the cookie stays the same from here on.
        let (cookie, token) = (reply.cookie(), rest.split('"').next().unwrap().to_owned());
        let head = "POST /count HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\nContent-Length: 0\r\n";
        let head = format!("{head}Cookie: {cookie}\r\nX-CSRF-Token: {token}\r\n\r\n");
        let reply = self.client.send(head.as_bytes());
        assert_eq!(reply.status, 303);
        (reply.cookie(), token)
    }

    /// The number in the session of this cookie.
    pub(crate) fn counter(&self, cookie: &str) -> u64 {
        let reply = self.client.get("/api/session", &format!("Cookie: {cookie}\r\n"));
        let (_, rest) = reply.body.split_once("\"count\":").unwrap_or_else(|| panic!("no counter: {reply:?}"));
        rest.split([',', '}']).next().unwrap().parse().unwrap()
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
