//! G02: keys roll over under two real servers with clocks that differ by 90 seconds, while visitors go to and fro
//! between them. Nobody loses a session, and no counter goes back.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

#[allow(dead_code)]
#[path = "demo/http.rs"]
mod http;
#[allow(dead_code)]
#[path = "demo/site.rs"]
mod site;

use std::{
    fs,
    net::SocketAddr,
    os::unix::fs::PermissionsExt,
    process::Command,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use http::Visitor;
use serde_json::Value;
use site::{
    Folder, PASSWORD,
    Placement::{self, Stateless, Stored},
    Site,
};

/// How far the clock of one server is ahead.
const AHEAD: u64 = 90;
const REMOVAL: &str = "__Host-session=; Path=/; HttpOnly; SameSite=Lax; Secure; Max-Age=0";

fn hardtack(args: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_hardtack")).args(args).output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

fn new_key() -> String {
    hardtack(&["keys", "generate"])
}

/// The id of a key, from a list of nothing else.
fn id(key: &str) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hardtack"));
    let output = command.args(["keys", "list"]).env("HARDTACK_KEYS", key).output().unwrap();
    String::from_utf8(output.stdout).unwrap()[..8].to_owned()
}

fn now_ms() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

#[track_caller]
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < Duration::from_secs(60), "{what} did not come");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A server with its own copy of the keys.
struct Server {
    site: Site,
    folder: Folder,
}

impl Server {
    fn start(keys: &str, ahead: u64) -> Self {
        let folder = Folder::with(Stateless);
        fs::create_dir(folder.data()).unwrap();
        write_keys(&folder, keys);
        let ahead = ahead.to_string();
        let mut demo = folder.command();
        demo.args(["--clock-ahead", &ahead]).env("SECRET_PASSWORD", PASSWORD);
        // The shell says which process it becomes.
        let mut command = Command::new("sh");
        command.current_dir(folder.path()).args(["-c", r#"echo $$ >pid; exec "$0" "$@""#]);
        command.arg(demo.get_program()).args(demo.get_args());
        for (name, value) in demo.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        let site = Site::start(&mut command, &folder);
        Self { site, folder }
    }

    fn address(&self) -> SocketAddr {
        self.site.address
    }

    /// The copy of the keys changes and the server is told.
    fn take(&self, keys: &str) {
        write_keys(&self.folder, keys);
        let before = self.reloads();
        let pid = fs::read_to_string(self.folder.path().join("pid")).unwrap();
        assert!(Command::new("sh").args(["-c", &format!("kill -s HUP {pid}")]).status().unwrap().success());
        until("the reload", || self.reloads() > before);
    }

    fn reloads(&self) -> usize {
        self.folder.log().matches("hardtack: keys read again\n").count()
    }
}

fn write_keys(folder: &Folder, keys: &str) {
    let (draft, path) = (folder.data().join("draft"), folder.data().join("keys"));
    fs::write(&draft, keys).unwrap();
    fs::set_permissions(&draft, fs::Permissions::from_mode(0o600)).unwrap();
    fs::rename(draft, path).unwrap();
}

/// A visitor with a cookie jar, and what must not be lost.
struct Jar {
    cookie: Option<String>,
    count: u64,
    signed_in: bool,
}

impl Jar {
    fn new(server: SocketAddr, signed_in: bool) -> Self {
        let mut visitor = Visitor::new(server);
        if signed_in {
            assert_eq!(visitor.log_in(PASSWORD).status, 303);
        }
        Self { cookie: visitor.cookie, count: 0, signed_in }
    }

    /// Looks at one server and counts on another, both of which know the session.
    fn count(&mut self, look: SocketAddr, post: SocketAddr) {
        let (page, cookie) = self.visit(look, |visitor| visitor.get("/"));
        self.cookie = cookie;
        assert_eq!((page.status, page.counter()), (200, self.count), "the counter went back");
        let (_, rest) = page.body.split_once("name=\"csrf_token\" value=\"").expect("a form with a token");
        let token = rest.split('"').next().unwrap().to_owned();
        let (reply, cookie) =
            self.visit(post, |visitor| visitor.post_without_token("/count", &[("csrf_token", &token)]));
        assert_eq!((reply.status, reply.location()), (303, "/"), "{}", reply.body);
        self.cookie = cookie;
        self.count += 1;
        let (page, _) = self.visit(look, |visitor| visitor.get("/"));
        assert_eq!(page.counter(), self.count, "what one server counted the other one sees");
        let (mine, _) = self.visit(post, |visitor| visitor.get("/protected"));
        assert_eq!(mine.status, if self.signed_in { 200 } else { 303 }, "a session was lost");
    }

    fn visit<T>(&self, server: SocketAddr, work: impl FnOnce(&mut Visitor) -> T) -> (T, Option<String>) {
        let mut visitor = match &self.cookie {
            Some(cookie) => Visitor::with_cookie(server, cookie),
            None => Visitor::new(server),
        };
        let done = work(&mut visitor);
        (done, visitor.cookie)
    }

    /// The id of the key that sealed the cookie, by the keys of a server.
    fn key(&self, folder: &Folder) -> String {
        inspect(folder, self.cookie.as_deref().unwrap())["key_id"].as_str().unwrap_or_default().to_owned()
    }
}

fn inspect(folder: &Folder, cookie: &str) -> Value {
    use std::{io::Write, process::Stdio};
    let mut command = Command::new(env!("CARGO_BIN_EXE_hardtack"));
    let command = command.args(["inspect", "--format", "native", "--keys"]).arg(folder.data().join("keys"));
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(cookie.as_bytes()).unwrap();
    serde_json::from_slice(&child.wait_with_output().unwrap().stdout).unwrap()
}

/// Every jar makes a round of both servers, in both directions.
fn round(jars: &mut [Jar], servers: [SocketAddr; 2]) {
    let [a, b] = servers;
    for (at, jar) in jars.iter_mut().enumerate() {
        let (look, post) = if at % 2 == 0 { (a, b) } else { (b, a) };
        jar.count(look, post);
        jar.count(post, look);
    }
}

/// Half of them signed in, made on either server.
fn jars(servers: [SocketAddr; 2]) -> Vec<Jar> {
    (0..8).map(|at| Jar::new(servers[at / 2 % 2], at % 2 == 0)).collect()
}

/// G02, G04, D07: old key, both keys, new key; the key files of the two servers change one after the other, and one
/// clock is 90 seconds ahead. In every state between, every session is known to both.
#[test]
fn no_session_is_lost_while_keys_roll_over() {
    let (old, new) = (new_key(), new_key());
    let only_old = format!("active {old}\n");
    let (a, b) = (Server::start(&only_old, AHEAD), Server::start(&only_old, 0));
    let servers = [a.address(), b.address()];

    // Both have the old key.
    let mut jars = jars(servers);
    round(&mut jars, servers);
    let keepsake = jars.iter().find(|jar| jar.signed_in).unwrap().cookie.clone().unwrap();
    assert_eq!(inspect(&b.folder, &keepsake)["key_id"], id(&old).as_str());

    // The new key is pending, on one and then on both.
    let pending = |from: u64| format!("active {old}\npending {from} {new}\n");
    let hour = pending(now_ms() + 3_600_000);
    a.take(&hour);
    round(&mut jars, servers);
    b.take(&hour);
    round(&mut jars, servers);

    // Its time comes, on the server that is ahead: it seals with the new key, the other one with the old, and both
    // open both.
    let from = now_ms() + (AHEAD + 1) * 1_000;
    a.take(&pending(from));
    round(&mut jars, servers);
    b.take(&pending(from));
    let mut probe = Jar::new(a.address(), false);
    until("the new key's time", || {
        probe.count(b.address(), a.address());
        probe.key(&a.folder) == id(&new)
    });
    round(&mut jars, servers);
    let sealed: Vec<_> = jars.iter().map(|jar| jar.key(&b.folder)).collect();
    // A machine that needed more than a minute for this proves nothing.
    if now_ms() < from {
        let expected: Vec<_> = [id(&new), id(&old)].into_iter().cycle().take(jars.len()).collect();
        assert_eq!(sealed, expected, "each seals by its own clock");
    }

    // It has come everywhere: the old key is retired, on one and then on both.
    let retired = format!("active {new}\nretired {old}\n");
    b.take(&retired);
    round(&mut jars, servers);
    a.take(&retired);
    round(&mut jars, servers);
    assert!(jars.iter().all(|jar| jar.key(&a.folder) == id(&new)), "every write is under the new key");

    // Nothing is under the old key any more: it is revoked on one, and dropped on the other.
    a.take(&format!("active {new}\nrevoked {}\n", id(&old)));
    round(&mut jars, servers);
    b.take(&format!("active {new}\n"));
    round(&mut jars, servers);

    // Who comes with a cookie from before then is a visitor, and is told so by its removal.
    for server in servers {
        let mut visitor = Visitor::with_cookie(server, &keepsake);
        let reply = visitor.get("/protected");
        assert_eq!((reply.status, reply.header("set-cookie")), (303, Some(REMOVAL)));
        let mut visitor = Visitor::with_cookie(server, &keepsake);
        assert_eq!(visitor.get("/").counter(), 0);
        assert!(visitor.cookie.is_some_and(|cookie| cookie != keepsake), "a new anonymous session");
    }
    round(&mut jars, servers);
}

/// G02: the same with keys in the environment, where a change is a restart: old; old and new; new and old; new.
#[test]
fn no_session_is_lost_while_servers_restart_with_other_keys() {
    restart_with_other_keys(Stateless, &[]);
}

/// G02: and the same with sessions in a store that both servers use.
#[test]
fn no_stored_session_is_lost_while_servers_restart_with_other_keys() {
    let shared = Folder::new();
    restart_with_other_keys(Stored, &["--store", shared.path().join("shared.db").to_str().unwrap()]);
}

fn restart_with_other_keys(placement: Placement, args: &[&str]) {
    let (old, new) = (new_key(), new_key());
    let folders = [0, 1].map(|_| Folder::with(placement));
    let start = |at: usize, keys: &str| {
        let ahead = [AHEAD, 0][at].to_string();
        let mut command = folders[at].command();
        let command = command
            .args(args)
            .args(["--clock-ahead", &ahead])
            .env("SECRET_PASSWORD", PASSWORD)
            .env("HARDTACK_KEYS", keys);
        Site::start(command, &folders[at])
    };
    let mut sites = vec![start(0, &old), start(1, &old)];
    let mut jars = jars([sites[0].address, sites[1].address]);
    for keys in [format!("{old},{new}"), format!("{new},{old}"), new] {
        for at in [0, 1] {
            round(&mut jars, [sites[0].address, sites[1].address]);
            let (status, _) = sites.remove(at).end("TERM");
            assert!(status.success());
            sites.insert(at, start(at, &keys));
        }
    }
    round(&mut jars, [sites[0].address, sites[1].address]);
}

/// G04: a server that missed the change reads its file when the first cookie under the new key comes, so that its
/// visitor is not taken for a stranger; a file without that key makes him one, and no error.
#[test]
fn a_server_that_missed_the_change_knows_the_new_key_when_it_meets_it() {
    let (old, new) = (new_key(), new_key());
    let only_old = format!("active {old}\n");
    let (a, b) = (Server::start(&only_old, 0), Server::start(&only_old, AHEAD));
    let servers = [a.address(), b.address()];
    let mut jar = Jar::new(a.address(), true);
    jar.count(b.address(), a.address());

    let changed = format!("active {new}\nretired {old}\n");
    a.take(&changed);
    write_keys(&b.folder, &changed);
    assert_eq!(b.reloads(), 0);
    jar.count(b.address(), a.address());
    assert_eq!(jar.key(&a.folder), id(&new));
    assert_eq!(b.reloads(), 0, "nobody told it");
    until("the event", || b.folder.log().contains("keys reloaded"));
    round(&mut [jar], servers);

    let stranger = Server::start(&only_old, 0);
    let mut visitor = a.site.visitor();
    visitor.log_in(PASSWORD);
    let mut there = Visitor::with_cookie(stranger.address(), visitor.cookie.as_deref().unwrap());
    let reply = there.get("/protected");
    assert_eq!((reply.status, reply.header("set-cookie")), (303, Some(REMOVAL)));
    assert!(visitor.is_signed_in(), "the cookie itself is as good as before");
}
