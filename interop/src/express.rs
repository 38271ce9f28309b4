//! [`ExpressApp`]: a real Express application with a real store, `express_app.mjs` beside this crate, and a [`Jar`] of
//! cookies that may visit others too.
//!
//! All of it blocks: the application is a process of its own, so a test may wait for it on whatever thread it is.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    thread::{self, JoinHandle},
};

use serde_json::Value;
use ureq::{Agent, http::Request};

/// A running Express application. Ends when it goes out of scope.
#[derive(Debug)]
pub struct ExpressApp {
    node: Child,
    address: SocketAddr,
}

impl ExpressApp {
    /// Starts one; `express_app.mjs` says what it may be told:
    ///
    /// ```json
    /// {"store": {"kind": "redis9", "url": "redis://127.0.0.1:6379"}, "session": {"secret": ["keyboard cat"]}}
    /// ```
    ///
    /// # Panics
    ///
    /// Without Node or without the packages, and when the application does not start.
    pub fn start(config: &Value) -> Self {
        Self::start_with(config, &[])
    }

    /// The same in an environment with more variables, `PGOPTIONS` for example.
    ///
    /// # Panics
    ///
    /// As [`start`](Self::start).
    pub fn start_with(config: &Value, environment: &[(&str, &str)]) -> Self {
        let mut node = Command::new("node")
            .arg("express_app.mjs")
            .arg(config.to_string())
            .current_dir(crate::folder())
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Node 20 or newer is installed as `node`");
        let mut port = String::new();
        BufReader::new(node.stdout.take().unwrap()).read_line(&mut port).unwrap();
        let port = port.trim().parse::<u16>().expect("the application starts; above is what it said");
        Self { node, address: SocketAddr::from(([127, 0, 0, 1], port)) }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The session, which is only read.
    pub fn peek(&self, jar: &mut Jar) -> Answer {
        jar.get(self.address, "/peek")
    }

    /// Gives a member of the session a value.
    pub fn set(&self, jar: &mut Jar, name: &str, value: &Value) -> Answer {
        jar.post(self.address, &set("/set", name, value))
    }

    /// Removes a member of the session.
    pub fn unset(&self, jar: &mut Jar, name: &str) -> Answer {
        jar.post(self.address, &format!("/unset?{}", query(&[("name", name)])))
    }

    /// Adds one to the session's `views`.
    pub fn count(&self, jar: &mut Jar) -> Answer {
        jar.post(self.address, "/count")
    }

    /// A new session, with `username`.
    pub fn login(&self, jar: &mut Jar, user: &str) -> Answer {
        jar.post(self.address, &format!("/login?{}", query(&[("user", user)])))
    }

    /// Destroys the session. Its cookie stays, as ever with express-session.
    pub fn logout(&self, jar: &mut Jar) -> Answer {
        jar.post(self.address, "/logout")
    }

    /// `req.session.save()` in the middle of a request.
    pub fn save(&self, jar: &mut Jar) -> Answer {
        jar.post(self.address, "/save")
    }

    /// A request that has loaded its session when this returns, and gives the member its value when it is let go.
    pub fn slow(&self, jar: &Jar, name: &str, value: &Value) -> Slow {
        let (address, mut jar, path) = (self.address, jar.clone(), set("/slow", name, value));
        let request = thread::spawn(move || jar.post(address, &path));
        Jar::default().get(address, "/waiting");
        Slow { address, request }
    }
}

impl Drop for ExpressApp {
    fn drop(&mut self) {
        let _ = self.node.kill();
        let _ = self.node.wait();
    }
}

/// A request that waits with its session in hand.
#[derive(Debug)]
pub struct Slow {
    address: SocketAddr,
    request: JoinHandle<Answer>,
}

impl Slow {
    /// Lets all that wait go on, and answers what came of this one.
    ///
    /// # Panics
    ///
    /// When the application went away.
    pub fn go(self) -> Answer {
        Jar::default().get(self.address, "/go");
        self.request.join().expect("the request was answered")
    }
}

/// What an application answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The header fields, with names in lower case, in their order.
    pub headers: Vec<(String, String)>,
    /// The body, as text.
    pub text: String,
}

impl Answer {
    /// The values of `Set-Cookie`.
    pub fn set_cookies(&self) -> Vec<&str> {
        self.headers.iter().filter(|(name, _)| name == "set-cookie").map(|(_, value)| &**value).collect()
    }

    /// The body as JSON; `null` if it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }

    /// Of an [`ExpressApp`]: the id of the session, also of one that is not kept.
    pub fn sid(&self) -> String {
        crate::text(&self.json()["sessionID"])
    }

    /// Of an [`ExpressApp`]: the members of `req.session` without `cookie`; `null` when it was destroyed.
    pub fn session(&self) -> Value {
        self.json()["session"].clone()
    }
}

/// The cookies of one browser.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Jar {
    cookies: BTreeMap<String, String>,
}

impl Jar {
    /// Asks with GET.
    pub fn get(&mut self, to: SocketAddr, path: &str) -> Answer {
        self.ask(to, "GET", path, &[])
    }

    /// Asks with POST and no body.
    pub fn post(&mut self, to: SocketAddr, path: &str) -> Answer {
        self.ask(to, "POST", path, &[])
    }

    /// Sends one request with the cookies and these header fields, and keeps the cookies that come back.
    ///
    /// # Panics
    ///
    /// When nobody answers there.
    pub fn ask(&mut self, to: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = Request::builder().method(method).uri(format!("http://{to}{path}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(cookies) = self.header() {
            request = request.header("cookie", cookies);
        }
        // A connection for each, so that no server closes one under it.
        let agent =
            Agent::config_builder().http_status_as_error(false).max_redirects(0).max_idle_connections(0).build();
        let mut response = agent.new_agent().run(request.body(()).unwrap()).expect("an answer");
        let text = response.body_mut().read_to_string().unwrap();
        let headers = response.headers().iter();
        let headers = headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
        let answer = Answer { status: response.status().as_u16(), headers, text };
        for cookie in answer.set_cookies() {
            self.keep(cookie);
        }
        answer
    }

    /// The value of `Cookie`.
    pub fn header(&self) -> Option<String> {
        let pairs: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }

    /// Does what a `Set-Cookie` says; of its attributes it knows those that remove a cookie.
    pub fn keep(&mut self, set_cookie: &str) {
        let mut parts = set_cookie.split("; ");
        let (name, value) = parts.next().and_then(|pair| pair.split_once('=')).expect("a name and a value");
        let is_over = parts.any(|part| {
            let part = part.to_ascii_lowercase();
            part == "max-age=0" || part.starts_with("expires=thu, 01 jan 1970")
        });
        if is_over {
            self.cookies.remove(name);
        } else {
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
    }

    /// The value of a cookie.
    pub fn cookie(&self, name: &str) -> Option<&str> {
        self.cookies.get(name).map(String::as_str)
    }

    /// Puts a cookie in.
    pub fn insert(&mut self, name: &str, value: &str) {
        self.cookies.insert(name.to_owned(), value.to_owned());
    }
}

fn set(path: &str, name: &str, value: &Value) -> String {
    format!("{path}?{}", query(&[("name", name), ("json", &value.to_string())]))
}

fn query(pairs: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}
