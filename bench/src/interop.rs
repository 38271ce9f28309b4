//! The foreign formats beside their own packages, on the same session in one run.
//!
//! Node measures itself: `interop/measure.mjs` runs for as long as the section does, warm, and answers with the median of
//! its batches. Every round asks it once for each operation and runs ours directly behind. Both sides begin or end with a
//! session as a value of the language, and with the cookie's value as it stands in the header.

use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use hardtack::interop::{
    ArcAlgorithm, Architect, ClientSessions, CookieSession, ExpressSession, IronSession, SecureSession,
};

use crate::measure::{self, Bench, Measured};
use crate::payload::Payload;

const TABLE: &str = "interop";
const FOLDER: &str = "../interop";
const NOW: u64 = 1_750_000_000_000;
const ID: &str = "q2VkYXRlLXNpZC0wMDEtYWJjZGVm_-Zz";

/// A package: its name, the row of ours and its own row.
struct Pair {
    package: &'static str,
    ours: &'static str,
    theirs: &'static str,
    session: String,
    open: Box<dyn Fn() -> Bench>,
    seal: Box<dyn Fn() -> Bench>,
}

/// Measures all of them.
pub fn run(rounds: usize) -> Result<Vec<Measured>, Box<dyn Error>> {
    let mut node = Node::start()?;
    let pairs = pairs()?;
    let mut measured: Vec<Measured> = Vec::new();
    for _ in 0..rounds {
        for pair in &pairs {
            for what in ["open", "seal"] {
                let theirs = node.measure(pair.package, what, &pair.session)?;
                let bench = if what == "open" { (pair.open)() } else { (pair.seal)() };
                let ours = measure::run(vec![bench], 1)[0].samples[0];
                for (row, value) in [(pair.ours, ours), (pair.theirs, theirs)] {
                    let known = measured.iter_mut().find(|one| (one.row, one.column) == (row, what));
                    match known {
                        Some(known) => known.samples.push(value),
                        None => measured.push(Measured {
                            table: TABLE,
                            row,
                            column: what,
                            reference: pair.ours,
                            samples: vec![value],
                        }),
                    }
                }
            }
        }
    }
    measured.sort_by_key(|one| pairs.iter().position(|pair| pair.ours == one.reference));
    Ok(measured)
}

fn pairs() -> Result<Vec<Pair>, Box<dyn Error>> {
    let data = serde_json::to_string(&Payload::medium())?;
    let mut pairs = Vec::new();
    macro_rules! pair {
        ($package:literal, $ours:literal, $theirs:literal, $session:expr, $seal:expr, $open:expr) => {{
            let cookie = ($seal)();
            assert!(($open)(&cookie));
            pairs.push(Pair {
                package: $package,
                ours: $ours,
                theirs: $theirs,
                session: $session,
                open: Box::new(move || {
                    let (open, cookie) = ($open.clone(), cookie.clone());
                    Bench::new(TABLE, $ours, "open", $ours, move || open(&cookie))
                }),
                seal: Box::new(move || Bench::new(TABLE, $ours, "seal", $ours, $seal.clone())),
            });
        }};
    }
    let json = || serde_json::to_string(&Payload::medium()).expect("JSON");
    let read = |data: &str| serde_json::from_str::<Payload>(data).is_ok_and(|payload| payload == Payload::medium());

    let iron = IronSession::new("session", "complex_password_at_least_32_characters_long")?;
    let iron = (iron.clone(), iron);
    let seal = move || iron.0.seal(&json(), NOW).expect("sealed");
    let open = move |value: &String| read(iron.1.open(value.as_bytes(), NOW).expect("opened").data_json());
    pair!("iron-session", "hardtack, iron-session", "iron-session 8.0.4", data.clone(), seal, open);

    let client = ClientSessions::new("session", "a long and random secret")?;
    let client = (client.clone(), client);
    let seal = move || client.0.seal(&json(), NOW).expect("sealed");
    let open = move |value: &String| read(client.1.open(value.as_bytes(), NOW).expect("opened").data_json());
    pair!("client-sessions", "hardtack, client-sessions", "client-sessions 0.8.0", data.clone(), seal, open);

    let express = ExpressSession::new("connect.sid", ["keyboard cat"])?;
    let express = (express.clone(), express);
    let seal = move || express.0.sign(ID);
    let open = move |value: &String| express.1.verify(value.as_bytes()).expect("opened") == ID;
    let session = format!(r#"{{"id":"{ID}"}}"#);
    pair!("express-session", "hardtack, express-session", "express-session 1.19.0", session, seal, open);

    let cookie = CookieSession::new("session", ["key-one"])?;
    let cookie = (cookie.clone(), cookie);
    let seal = move || cookie.0.seal(&json()).expect("sealed");
    let open = move |(value, signature): &(String, Option<String>)| {
        let signature = signature.as_deref().map(str::as_bytes);
        read(cookie.1.open(value.as_bytes(), signature).expect("opened").data_json())
    };
    pair!("cookie-session", "hardtack, cookie-session", "cookie-session 2.1.1", data.clone(), seal, open);

    let architect = Architect::new("this-is-a-32-character-app-secre", ArcAlgorithm::A256Gcm)?;
    let architect = (architect.clone(), architect);
    let seal = move || architect.0.seal(&json(), NOW).expect("sealed");
    let open = move |value: &String| read(architect.1.open(value.as_bytes(), NOW).expect("opened").data_json());
    pair!("architect", "hardtack, architect", "@architect/functions 8.1.10", data.clone(), seal, open);

    let secure = SecureSession::new("session", [[7; 32]])?;
    let secure = (secure.clone(), secure);
    let seal = move || secure.0.seal(&json(), NOW).expect("sealed");
    let open = move |value: &String| read(secure.1.open(value.as_bytes(), NOW).expect("opened").data_json());
    pair!("secure-session", "hardtack, secure-session", "@fastify/secure-session 8.4.0", data, seal, open);
    Ok(pairs)
}

/// `measure.mjs`.
struct Node {
    child: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Node {
    fn start() -> Result<Self, Box<dyn Error>> {
        let mut child = Command::new("node")
            .args(["--no-deprecation", "measure.mjs"])
            .current_dir(FOLDER)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let questions = child.stdin.take().ok_or("no pipe to Node")?;
        let answers = BufReader::new(child.stdout.take().ok_or("no pipe from Node")?);
        Ok(Self { child, questions, answers })
    }

    /// Nanoseconds for one operation.
    fn measure(&mut self, package: &str, what: &str, session: &str) -> Result<f64, Box<dyn Error>> {
        let question = serde_json::json!({ "package": package, "what": what, "session": session });
        writeln!(self.questions, "{question}")?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer)?;
        Ok(answer.trim().parse().map_err(|_| format!("Node does not answer about {package}; is `npm ci` done?"))?)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
