//! The clients: single requests, a browser that keeps its cookie, and a connection that is kept open.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    thread::{self, JoinHandle},
    time::Duration,
};

use crate::{
    common::{Reply, fetch, fetch_bare},
    world::{Node, World},
};

/// `GET path` with one cookie, or none for an empty one.
#[track_caller]
pub fn get(node: &Node, path: &str, cookie: &str) -> Reply {
    let reply = if cookie.is_empty() { fetch_bare(node.address, path) } else { fetch(node.address, path, [cookie]) };
    assert!(reply.set_cookies().len() < 2, "{reply:?}");
    reply
}

/// Does these steps with a cookie.
#[track_caller]
pub fn ask(node: &Node, cookie: &str, steps: &str) -> Reply {
    get(node, &format!("/do/{steps}"), cookie)
}

/// What these steps say. The cookie that is answered is thrown away.
#[track_caller]
pub fn say(node: &Node, cookie: &str, steps: &str) -> String {
    let reply = ask(node, cookie, steps);
    assert_eq!(reply.status, 200, "{steps}: {reply:?}");
    reply.text().to_owned()
}

/// The bytes of this cookie are nobody's, on all nodes, and show no data.
#[track_caller]
pub fn is_dead(world: &World, cookie: &str) {
    for node in &world.nodes {
        assert_eq!(say(node, cookie, "who/get.note/live"), "nobody,-,false");
    }
}

/// A browser with a jar for one cookie.
#[derive(Clone, Default)]
pub struct Browser {
    pub cookie: String,
}

impl Browser {
    /// What these steps say. Their answer's cookie is kept.
    #[track_caller]
    pub fn go(&mut self, node: &Node, steps: &str) -> String {
        let reply = self.ask(node, steps);
        assert_eq!(reply.status, 200, "{steps}: {reply:?}");
        reply.text().to_owned()
    }

    /// Does these steps and keeps the cookie.
    #[track_caller]
    pub fn ask(&mut self, node: &Node, steps: &str) -> Reply {
        let reply = ask(node, &self.cookie, steps);
        self.receive(&reply);
        reply
    }

    /// A response arrives, perhaps later than others.
    pub fn receive(&mut self, reply: &Reply) {
        for line in reply.set_cookies() {
            let removed = line.contains("Max-Age=0");
            self.cookie = if removed { String::new() } else { line.split(';').next().unwrap().to_owned() };
        }
    }

    /// Begins a request with the cookie of now.
    pub fn begin(&self, node: &Node, steps: &str) -> Pending {
        self.begin_at(node, &format!("/do/{steps}"))
    }

    /// The same with a whole path.
    pub fn begin_at(&self, node: &Node, path: &str) -> Pending {
        let (address, path, cookie) = (node.address, path.to_owned(), self.cookie.clone());
        Pending(thread::spawn(move || {
            if cookie.is_empty() { fetch_bare(address, &path) } else { fetch(address, &path, [cookie]) }
        }))
    }
}

/// A request under way.
pub struct Pending(JoinHandle<Reply>);

impl Pending {
    #[track_caller]
    pub fn reply(self) -> Reply {
        let reply = self.0.join().unwrap();
        assert!(reply.set_cookies().len() < 2, "{reply:?}");
        reply
    }
}

/// What a reply says, whatever it does to the cookie.
#[track_caller]
pub fn said(reply: &Reply) -> &str {
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.text()
}

/// A reply that leaves the cookie alone, and what it says.
#[track_caller]
pub fn without_cookie(reply: &Reply) -> &str {
    assert_eq!(reply.status, 200, "{reply:?}");
    assert!(reply.set_cookies().is_empty(), "{reply:?}");
    reply.text()
}

/// A connection that stays open: for many requests, or for one that the client breaks off.
pub struct Line(BufReader<TcpStream>);

impl Line {
    pub fn new(node: &Node) -> Self {
        let stream = TcpStream::connect(node.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream.set_nodelay(true).unwrap();
        Self(BufReader::new(stream))
    }

    /// Sends a request and does not wait for its answer.
    pub fn send(&mut self, path: &str, cookie: &str) {
        let mut head = format!("GET {path} HTTP/1.1\r\nHost: app.example\r\n");
        if !cookie.is_empty() {
            head += &format!("Cookie: {cookie}\r\n");
        }
        self.0.get_mut().write_all((head + "\r\n").as_bytes()).unwrap();
    }

    /// One request and its answer, whose length is announced.
    #[track_caller]
    pub fn get(&mut self, path: &str, cookie: &str) -> Reply {
        self.send(path, cookie);
        let (mut status, mut headers) = (0, Vec::new());
        loop {
            let mut line = Vec::new();
            self.0.read_until(b'\n', &mut line).unwrap();
            let line = line.trim_ascii();
            if line.is_empty() {
                break;
            }
            match line.iter().position(|byte| *byte == b':') {
                Some(colon) if status != 0 => {
                    let name = std::str::from_utf8(&line[..colon]).unwrap().to_ascii_lowercase();
                    headers.push((name, line[colon + 1..].trim_ascii().to_vec()));
                }
                _ => status = std::str::from_utf8(line).unwrap().split(' ').nth(1).unwrap().parse().unwrap(),
            }
        }
        let mut reply = Reply { status, headers, body: Vec::new() };
        let length = reply.one("content-length").parse().unwrap();
        reply.body.resize(length, 0);
        self.0.read_exact(&mut reply.body).unwrap();
        reply
    }

    /// What these steps say.
    #[track_caller]
    pub fn say(&mut self, cookie: &str, steps: &str) -> String {
        let reply = self.get(&format!("/do/{steps}"), cookie);
        assert_eq!(reply.status, 200, "{steps}: {reply:?}");
        reply.text().to_owned()
    }
}
