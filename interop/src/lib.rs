//! The real packages of Node, asked for their judgement: `judge.mjs` beside this crate, one process for as long as a
//! [`Judge`] lives; and a real Express application to visit, an [`ExpressApp`].
//!
//! Whatever is missing fails a test with a message that says what to install; nothing is skipped.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod express;

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use serde_json::{Value, json};

pub use self::express::{Answer, ExpressApp, Jar, Slow};

/// A session's cookies, as names and values.
pub type Cookies = Vec<(String, String)>;

/// A running `judge.mjs`.
#[derive(Debug)]
pub struct Judge {
    node: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Judge {
    /// Starts Node.
    ///
    /// # Panics
    ///
    /// Without Node or without the packages.
    pub fn start() -> Self {
        let mut node = Command::new("node")
            // client-sessions makes buffers as Node did ten years ago.
            .args(["--no-deprecation", "judge.mjs"])
            .current_dir(folder())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Node 20 or newer is installed as `node`");
        let (questions, answers) = (node.stdin.take().unwrap(), BufReader::new(node.stdout.take().unwrap()));
        Self { node, questions, answers }
    }

    /// What the package has after it opened these cookies, and what was expected as JavaScript writes it.
    pub fn open(
        &mut self,
        package: &str,
        options: &Value,
        cookies: &Cookies,
        expected: &str,
    ) -> Result<(String, String), String> {
        let answer =
            self.ask(&json!({ "package": package, "options": options, "open": cookies, "expected": expected }))?;
        Ok((text(&answer["session"]), text(&answer["canonical"])))
    }

    /// The cookies that the package makes of a session, and the session as JavaScript writes it.
    pub fn seal(&mut self, package: &str, options: &Value, session: &str) -> Result<(Cookies, String), String> {
        let answer = self.ask(&json!({ "package": package, "options": options, "seal": session }))?;
        let pairs = answer["cookies"].as_array().expect("cookies");
        let cookies = pairs.iter().map(|pair| (text(&pair[0]), text(&pair[1]))).collect();
        Ok((cookies, text(&answer["canonical"])))
    }

    fn ask(&mut self, question: &Value) -> Result<Value, String> {
        writeln!(self.questions, "{question}").expect("Node runs");
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("Node answers");
        let answer: Value = serde_json::from_str(&line).expect("one JSON object a line");
        match answer["error"].as_str() {
            Some(error) => Err(error.to_owned()),
            None => Ok(answer),
        }
    }
}

impl Drop for Judge {
    fn drop(&mut self) {
        let _ = self.node.kill();
        let _ = self.node.wait();
    }
}

/// Where the scripts and the packages are.
fn folder() -> &'static Path {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    assert!(folder.join("node_modules").is_dir(), "the packages are not there: run `npm ci` in {}", folder.display());
    folder
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
