//! The routers over HTTP: a server on one core, a load generator beside it on another, loopback only.
//!
//! A server process is this binary with `serve ROW`. Its CPU time before and after the load, over the requests
//! answered, is the number that counts: the generator may be the bottleneck, the CPU time does not care.

use std::error::Error;
use std::future::ready;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::pin::Pin;
use std::process::{Child, Command, Stdio};
use std::{fs, io, thread};

use axum::Router;
use axum::serve::ListenerExt as _;
use tempfile::NamedTempFile;
use tokio::net::TcpListener;

use crate::inproc::Service;
use crate::measure::Measured;
use crate::{contestants, redis};

pub(crate) const SERVER_CORE: &str = "1";
pub(crate) const LOAD_CORE: &str = "0";
const WARM_UP: &str = "-d1s";
const LOAD: &str = "-d5s";
/// `/proc` counts CPU time in hundredths of a second, whatever the kernel's own timer does.
const MICROSECONDS_PER_TICK: f64 = 10_000.0;

/// A server under load.
pub struct Served {
    row: &'static str,
    over: &'static str,
    build: Build,
}

/// Makes a router, and `name=value` of cookies that it accepts, inside the server's runtime.
type Build = Box<dyn FnOnce() -> Pin<Box<dyn Future<Output = (Router, Vec<String>)>>>>;

impl Served {
    /// A server whose cost is counted from the row `over`.
    pub fn new(
        row: &'static str,
        over: &'static str,
        build: impl FnOnce() -> Pin<Box<dyn Future<Output = (Router, Vec<String>)>>> + 'static,
    ) -> Self {
        Self { row, over, build: Box::new(build) }
    }
}

impl From<Service> for Served {
    fn from(service: Service) -> Self {
        Self::new(service.row, service.over, move || {
            let (router, cookie) = (service.build)();
            Box::pin(ready((router, vec![cookie])))
        })
    }
}

/// Serves one contestant until standard input closes. Prints the port and the cookies that the router accepts.
pub fn serve(row: &str) -> Result<(), Box<dyn Error>> {
    let mut served = contestants::served().into_iter().chain(redis::served());
    let served = served.find(|served| served.row == row).ok_or("no such row")?;
    thread::spawn(|| {
        let _ = io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (router, cookies) = (served.build)().await;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("{}\t{}", listener.local_addr()?.port(), cookies.join("\t"));
        let listener = listener.tap_io(|stream| {
            let _ = stream.set_nodelay(true);
        });
        axum::serve(listener, router).await?;
        Ok(())
    })
}

/// What the servers of a section find in their environment.
pub type Told = [(&'static str, String)];

/// Loads every contestant in turn, `rounds` times over, for a table.
pub fn run(
    table: &'static str,
    served: &[Served],
    rounds: usize,
    told: &Told,
) -> Result<Vec<Measured>, Box<dyn Error>> {
    let mut measured = Vec::new();
    for service in served {
        for column in ["µs per request", "requests/s"] {
            // Requests per second depend on the generator, so only CPU times are compared.
            let reference = if column == "requests/s" { "" } else { service.over };
            measured.push(Measured { table, row: service.row, column, reference, samples: Vec::new() });
        }
    }
    for _ in 0..rounds {
        for (service, columns) in served.iter().zip(measured.chunks_exact_mut(2)) {
            let (cpu, rate) = load(service.row, told).map_err(|error| format!("{}: {error}", service.row))?;
            columns[0].samples.push(cpu);
            columns[1].samples.push(rate);
        }
    }
    Ok(measured)
}

/// CPU microseconds per request and requests per second of a fresh server.
fn load(row: &str, told: &Told) -> Result<(f64, f64), Box<dyn Error>> {
    let server = Server::start(row, told)?;
    server.wrk(WARM_UP)?;
    let before = server.cpu_ticks()?;
    let (requests, seconds) = server.wrk(LOAD)?;
    let ticks = server.cpu_ticks()? - before;
    Ok((ticks * MICROSECONDS_PER_TICK / requests, requests / seconds))
}

struct Server {
    process: Child,
    port: String,
    /// What the generator is told to send.
    cookies: NamedTempFile,
}

impl Server {
    fn start(row: &str, told: &Told) -> Result<Self, Box<dyn Error>> {
        let mut process = Command::new("taskset")
            .args(["-c", SERVER_CORE])
            .arg(std::env::current_exe()?)
            .args(["serve", row])
            .envs(told.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        BufReader::new(process.stdout.take().ok_or("no output")?).read_line(&mut line)?;
        let mut parts = line.trim_end().split('\t');
        let port = parts.next().filter(|port| !port.is_empty()).ok_or("the server did not start")?.to_owned();
        let requests: Vec<_> = parts.map(|cookie| format!("wrk.format(nil, nil, {{Cookie = \"{cookie}\"}})")).collect();
        let mut cookies = NamedTempFile::new()?;
        writeln!(
            cookies,
            "local next, requests = 0\nfunction init() requests = {{{}}} end\n\
             function request() next = next % #requests + 1; return requests[next] end",
            requests.join(", ")
        )?;
        Ok(Self { process, port, cookies })
    }

    /// Runs the generator and answers requests and seconds.
    fn wrk(&self, duration: &str) -> Result<(f64, f64), Box<dyn Error>> {
        let output = Command::new("taskset")
            .args(["-c", LOAD_CORE, "wrk", "-t1", "-c64", duration, "-s"])
            .arg(self.cookies.path())
            .arg(format!("http://127.0.0.1:{}/", self.port))
            .output()?;
        parse(&String::from_utf8_lossy(&output.stdout))
    }

    /// User and system time: fields 14 and 15 of `stat`, counted after the name in brackets.
    fn cpu_ticks(&self) -> Result<f64, Box<dyn Error>> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.process.id()))?;
        let (_, fields) = stat.rsplit_once(')').ok_or("no stat")?;
        let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<f64>);
        Ok(ticks.sum::<Result<f64, _>>()?)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// `123456 requests in 5.00s, 17.07MB read`, and nothing that went wrong.
fn parse(output: &str) -> Result<(f64, f64), Box<dyn Error>> {
    if output.contains("Non-2xx") || output.contains("Socket errors") {
        return Err(output.into());
    }
    let line =
        output.lines().find(|line| line.contains(" requests in ")).ok_or_else(|| format!("no result: {output}"))?;
    let (requests, rest) = line.split_once(" requests in ").ok_or("no result")?;
    let seconds = rest.split_once("s,").ok_or("no duration")?.0;
    Ok((requests.trim().parse()?, seconds.parse()?))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn a_load_with_errors_is_not_a_result() {
        let good = "  670402 requests in 5.01s, 93.34MB read\nRequests/sec: 133813.77\n";
        assert_eq!(parse(good).unwrap(), (670402.0, 5.01));
        assert!(parse(&format!("{good}  Non-2xx or 3xx responses: 3\n")).is_err());
        assert!(parse("unable to connect\n").is_err());
    }
}
