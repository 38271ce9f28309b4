//! The examples' programs, as processes.

use std::{fs, path::Path};

use hardtack::Key;
use hardtack_engines::{Program, free_ports};
use tempfile::NamedTempFile;

/// The password of iron-session.
pub(crate) const SECRET: &str = "complex_password_at_least_32_characters_long";
pub(crate) const EXPRESS: &str = env!("CARGO_BIN_EXE_express-and-rust");
pub(crate) const IRON: &str = env!("CARGO_BIN_EXE_iron-session-and-rust");

/// A file of the examples.
pub(crate) fn path(file: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    assert!(
        folder.join("node_modules").is_dir(),
        "the packages of Node are not there: run `npm ci` in {}",
        folder.display()
    );
    folder.join(file).to_str().unwrap().to_owned()
}

/// A whole example, started by `examples/start`.
pub(crate) struct Site {
    /// `http://127.0.0.1:PORT`
    pub(crate) url: String,
    _program: Program,
}

impl Site {
    pub(crate) fn start(example: &str, rust_server: &str, environment: &[(&str, &str)]) -> Self {
        let port = free_ports(3);
        let text = port.to_string();
        let environment = [environment, &[("PORT", &*text), ("RUST_SERVER", rust_server)]].concat();
        let program = Program::start(&path("start"), &[example], &environment);
        for word in ["The site is on", "Node on", "Rust on"] {
            program.told(word);
        }
        Self { url: format!("http://127.0.0.1:{port}"), _program: program }
    }
}

/// One server of an example, on a port of its own.
pub(crate) struct Server {
    pub(crate) url: String,
    program: Program,
}

impl Server {
    pub(crate) fn node(example: &str, more: &[(&str, &str)]) -> Self {
        let environment = [&[("SECRET", SECRET), ("PORT", "0")], more].concat();
        let program = Program::start("node", &[&path(&format!("{example}/server.mjs"))], &environment);
        Self { url: program.told("Node on"), program }
    }

    pub(crate) fn rust(server: &str, keys: &str, more: &[(&str, &str)]) -> Self {
        let environment = [&[("SECRET", SECRET), ("PORT", "0"), ("HARDTACK_KEYS", keys)], more].concat();
        let program = Program::start(server, &[], &environment);
        Self { url: program.told("Rust on"), program }
    }

    /// Ends it as an orchestrator does: what was begun is answered.
    pub(crate) fn end(self) {
        self.program.signal("TERM");
        hardtack_engines::wait_until("the server has ended", || !self.program.is_alive());
    }
}

/// Keys for several servers.
pub(crate) fn keys() -> String {
    Key::generate().unwrap().to_secret_text().to_string()
}

/// `proxy.mjs` in front of servers that change.
pub(crate) struct Front {
    pub(crate) url: String,
    program: Program,
    upstreams: NamedTempFile,
    switches: usize,
}

impl Front {
    pub(crate) fn new(node: &[&Server], rust: &[&Server]) -> Self {
        let upstreams = NamedTempFile::new().unwrap();
        fs::write(upstreams.path(), told(node, rust)).unwrap();
        let program =
            Program::start("node", &[&path("proxy.mjs"), upstreams.path().to_str().unwrap()], &[("PORT", "0")]);
        let url = program.told("The site is on").replace("localhost", "127.0.0.1");
        Self { url, program, upstreams, switches: 1 }
    }

    /// Sends every request to other servers from now on.
    pub(crate) fn switch(&mut self, node: &[&Server], rust: &[&Server]) {
        fs::write(self.upstreams.path(), told(node, rust)).unwrap();
        self.program.signal("HUP");
        self.switches += 1;
        let done = || self.program.log().lines().filter(|line| line.starts_with("upstreams")).count();
        hardtack_engines::wait_until("the proxy has switched", || done() == self.switches);
    }
}

fn told(node: &[&Server], rust: &[&Server]) -> String {
    let urls = |servers: &[&Server]| servers.iter().map(|server| server.url.clone()).collect::<Vec<_>>();
    serde_json::json!({ "node": urls(node), "rust": urls(rust) }).to_string()
}
