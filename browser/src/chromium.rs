//! A headless Chromium behind a chromedriver of its own.

use std::{
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    time::Duration,
};

use fantoccini::{Client, ClientBuilder, Locator, elements::Element, error::CmdError, wd::WebDriverCompatibleCommand};
use http::Method;
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tempfile::TempDir;
use url::{ParseError, Url};

/// How often a page is asked whether it is there, and the pause between.
const TRIES: usize = 1200;
const PAUSE: Duration = Duration::from_millis(25);

/// One window with an empty profile. Browser and driver end when this goes out of scope, whatever happened.
pub struct Browser {
    /// The WebDriver session, for what has no method here.
    pub client: Client,
    // Before the profile, which the browser writes to until its end.
    _driver: Driver,
    _profile: TempDir,
}

impl Browser {
    /// Starts a chromedriver and a Chromium.
    ///
    /// # Panics
    ///
    /// Without them, with what to install.
    pub async fn open() -> Self {
        let profile = TempDir::new().unwrap();
        let driver = Driver::start(profile.path());
        let capabilities = json!({
            "acceptInsecureCerts": true,
            "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
            "goog:chromeOptions": { "args": [
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--disable-dev-shm-usage",
                "--hide-scrollbars",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                // Names below `test` lead to this machine, so that there are sites and neighbours; others lead nowhere.
                "--host-resolver-rules=MAP *.test 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE *.localhost",
                // Closed when the driver dies, and then the browser ends too.
                "--remote-debugging-pipe",
                "--window-size=1100,900",
                format!("--user-data-dir={}", profile.path().display()),
            ] },
        });
        let capabilities = capabilities.as_object().unwrap().clone();
        let address = format!("http://127.0.0.1:{}", driver.port);
        let client = ClientBuilder::new(HttpConnector::new()).capabilities(capabilities).connect(&address).await;
        let client = client.unwrap_or_else(|error| {
            panic!("Chromium did not start: {error}\nInstall it with `apt-get install chromium chromium-driver`.")
        });
        let browser = Self { client, _driver: driver, _profile: profile };
        // What the browser's own first page asked for is nobody's concern.
        browser.go("about:blank").await;
        browser.requests().await;
        browser
    }

    /// Loads a page.
    pub async fn go(&self, url: &str) {
        self.client.goto(url).await.unwrap();
    }

    /// Loads the present page again.
    pub async fn reload(&self) {
        self.client.refresh().await.unwrap();
    }

    /// The path and the query of the present page.
    pub async fn place(&self) -> String {
        let url = self.client.current_url().await.unwrap();
        url[url::Position::BeforePath..].to_owned()
    }

    /// The only element that fits a CSS selector.
    pub async fn find(&self, selector: &str) -> Element {
        let mut found = self.all(selector).await;
        assert_eq!(found.len(), 1, "{selector} on {}", self.place().await);
        found.remove(0)
    }

    /// All elements that fit a CSS selector.
    pub async fn all(&self, selector: &str) -> Vec<Element> {
        self.client.find_all(Locator::Css(selector)).await.unwrap()
    }

    /// The text that a person sees in an element.
    pub async fn text(&self, selector: &str) -> String {
        self.find(selector).await.text().await.unwrap()
    }

    /// Types into a field.
    pub async fn type_into(&self, selector: &str, text: &str) {
        self.find(selector).await.send_keys(text).await.unwrap();
    }

    /// Clicks what leads to another page, and waits until that is loaded.
    pub async fn follow(&self, selector: &str) {
        let element = self.find(selector).await;
        self.leave(async || element.click().await.unwrap()).await;
    }

    /// Posts a form that the page does not have, with the token of one that it has.
    pub async fn post(&self, path: &str) {
        let script = "const form = document.createElement('form'); form.method = 'post'; form.action = arguments[0];
            form.append(document.querySelector('[name=csrf_token]').cloneNode());
            document.body.append(form); form.submit();";
        self.leave(async || drop(self.client.execute(script, vec![json!(path)]).await.unwrap())).await;
    }

    /// Does what leads to another page, and waits until that is loaded.
    pub async fn leave(&self, action: impl AsyncFnOnce()) {
        self.script("window.stillHere = true").await;
        action().await;
        for _ in 0..TRIES {
            // While one page replaces the other the question itself may fail.
            let arrived = "return !window.stillHere && document.readyState === 'complete'";
            if self.client.execute(arrived, vec![]).await.is_ok_and(|arrived| arrived == json!(true)) {
                return;
            }
            tokio::time::sleep(PAUSE).await;
        }
        panic!("no other page came after {}", self.place().await);
    }

    /// Runs a function body in the page.
    pub async fn script(&self, body: &str) -> Value {
        self.client.execute(body, vec![]).await.unwrap()
    }

    /// The status and the number of redirects of the last navigation.
    pub async fn navigation(&self) -> (u64, u64) {
        let entry = self.script("return performance.getEntriesByType('navigation')[0].toJSON()").await;
        (entry["responseStatus"].as_u64().unwrap(), entry["redirectCount"].as_u64().unwrap())
    }

    /// The cookies of the present page, just as WebDriver reports them.
    pub async fn cookies(&self) -> Vec<Value> {
        let cookies = self.command(Method::GET, "cookie", Value::Null).await.unwrap();
        cookies.as_array().unwrap().clone()
    }

    /// The cookie of this name.
    pub async fn cookie(&self, name: &str) -> Option<Value> {
        self.cookies().await.into_iter().find(|cookie| cookie["name"] == name)
    }

    /// Puts a cookie back that was taken with [`cookie`](Self::cookie).
    pub async fn add_cookie(&self, cookie: &Value) {
        self.command(Method::POST, "cookie", json!({ "cookie": cookie })).await.unwrap();
    }

    /// What came since the last call: in the `browser` log messages of the console and violations of the
    /// content security policy, in the `performance` log events of the network.
    pub async fn log(&self, kind: &str) -> Vec<Value> {
        let log = self.command(Method::POST, "se/log", json!({ "type": kind })).await.unwrap();
        log.as_array().unwrap().clone()
    }

    /// All addresses that the page asked for since the last call, whether or not they were reached.
    pub async fn requests(&self) -> Vec<String> {
        let events = self.log("performance").await;
        let events =
            events.iter().map(|event| serde_json::from_str::<Value>(event["message"].as_str().unwrap()).unwrap());
        let sent = events.filter(|event| event["message"]["method"] == "Network.requestWillBeSent");
        sent.map(|event| event["message"]["params"]["request"]["url"].as_str().unwrap().to_owned()).collect()
    }

    /// A window of this width, a screen of a phone if need be.
    pub async fn resize(&self, width: u32, height: u32) {
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", metrics).await;
    }

    /// Prefers `light` or `dark`.
    pub async fn prefer(&self, scheme: &str) {
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.devtools("Emulation.setEmulatedMedia", features).await;
    }

    async fn devtools(&self, command: &str, params: Value) {
        let body = json!({ "cmd": command, "params": params });
        self.command(Method::POST, "goog/cdp/execute", body).await.unwrap();
    }

    async fn command(&self, method: Method, path: &'static str, body: Value) -> Result<Value, CmdError> {
        self.client.issue_cmd(RawCommand { method, path, body }).await
    }
}

/// A WebDriver command that the client has no name for.
#[derive(Debug)]
struct RawCommand {
    method: Method,
    path: &'static str,
    body: Value,
}

impl WebDriverCompatibleCommand for RawCommand {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, ParseError> {
        base.join(&format!("session/{}/{}", session.unwrap_or_default(), self.path))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (self.method.clone(), (!self.body.is_null()).then(|| self.body.to_string()))
    }
}

struct Driver {
    child: Child,
    /// Kept open, so that the driver can go on printing.
    out: BufReader<ChildStdout>,
    /// 0 until it listens.
    port: u16,
}

impl Driver {
    fn start(folder: &Path) -> Self {
        let mut command = Command::new("chromedriver");
        command.arg("--port=0").env("TMPDIR", folder);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap_or_else(|error| {
            panic!("chromedriver: {error}\nInstall it with `apt-get install chromium chromium-driver`, as scripts/test does.")
        });
        let out = BufReader::new(child.stdout.take().unwrap());
        let mut driver = Self { child, out, port: 0 };
        let mut told = String::new();
        while driver.port == 0 {
            assert_ne!(driver.out.read_line(&mut told).unwrap(), 0, "chromedriver ended: {told}");
            let port = told.split_once("started successfully on port ").and_then(|(_, rest)| rest.split_once('.'));
            driver.port = port.map_or(0, |(port, _)| port.parse().unwrap());
        }
        driver
    }

    /// Asks the driver to end its browser and then itself, and waits for both.
    fn shut_down(&mut self) -> std::io::Result<()> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.write_all(b"GET /shutdown HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")?;
        for _ in 0..TRIES {
            if self.child.try_wait()?.is_some() {
                break;
            }
            std::thread::sleep(PAUSE);
        }
        Ok(())
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.shut_down();
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
