//! [`Link`]: one connection to one server, shared by all calls, and opened again when it is lost.
//!
//! A call that is dropped was sent or it was not; whoever comes after it is not disturbed, because the driver goes on
//! reading the answer. What is not certain is told apart, for only the caller knows what may be sent twice:
//! [`Fault::Away`] means that nothing was sent, [`Fault::Lost`] that no answer came.
//!
//! A connection that stays open and says nothing is given up by the first call that waited a second for it and left.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionInfo, ErrorKind, PushInfo, PushKind, RedisError, ServerErrorKind,
    Value, aio::MultiplexedConnection,
};

use super::checks;
use tokio::sync::Notify;

/// How long it may take to connect.
const CONNECTING: Duration = Duration::from_secs(2);
/// Who waited this long and left takes the connection along.
const SILENCE: Duration = Duration::from_secs(1);
/// How long a server that could not be reached is asked after all others.
const LATELY: Duration = Duration::from_secs(5);
/// How many calls may wait to be written before the next one waits to be one of them.
const WAITING: usize = 1024;

/// What went wrong with a call.
#[derive(Clone, Debug)]
pub(super) enum Fault {
    /// There is no connection. Nothing was sent.
    Away(String),
    /// What was sent has no answer.
    Lost(String),
    /// The server is no place for sessions: whoever asks again is told the same.
    Refused(String),
    /// The key is with another server. Nothing was done.
    Moved,
    /// The key is on its way to this server. Nothing was done.
    Asked(String),
    /// The server is a replica now. Nothing was done.
    ReadOnly,
    /// The server does not know the script. Nothing was done.
    NoScript,
    /// Not now. Nothing was done.
    Later(String),
    /// Any other answer.
    Answered(String),
}

/// A command and how it is sent.
#[derive(Clone, Copy)]
pub(super) struct Call<'a> {
    pub(super) command: &'a Cmd,
    /// To a server that does not own the key yet.
    pub(super) asking: bool,
    /// Until so many replicas have it: how many, and for how many milliseconds at most.
    pub(super) replicas: Option<(u32, u64)>,
}

/// One connection.
pub(super) struct Link {
    pub(super) info: ConnectionInfo,
    state: Mutex<State>,
    connecting: tokio::sync::Mutex<()>,
    /// Whom to wake when the server says something unasked.
    wake: Arc<Notify>,
}

#[derive(Default)]
struct State {
    open: Option<Open>,
    failed: Option<(Instant, Fault)>,
}

#[derive(Clone)]
struct Open {
    connection: MultiplexedConnection,
    dead: Arc<AtomicBool>,
    listens: Arc<AtomicBool>,
}

impl Link {
    pub(super) fn new(info: ConnectionInfo, wake: Arc<Notify>) -> Self {
        Self { info, state: Mutex::default(), connecting: tokio::sync::Mutex::default(), wake }
    }

    /// From now on, and as long as this connection lives, whatever is said on the channel wakes.
    pub(super) async fn listen(&self, channel: &str) {
        let Ok(Open { mut connection, listens, .. }) = self.open().await else { return };
        if !listens.swap(true, Relaxed) && connection.subscribe(channel).await.is_err() {
            listens.store(false, Relaxed);
        }
    }

    /// What the server says about itself.
    pub(super) async fn server(&self) -> Result<checks::Server, Fault> {
        let (mut connection, _) = self.open().await?.parts();
        checks::ask(&mut connection).await
    }

    /// Sends a command; the answer, and how many replicas have it.
    pub(super) async fn call(&self, call: Call<'_>) -> Result<(Value, u32), Fault> {
        let (mut connection, dead) = self.open().await?.parts();
        let mut waiting = Waiting { dead: &dead, since: Instant::now(), left: true };
        if !call.asking && call.replicas.is_none() {
            let answer = connection.send_packed_command(call.command).await;
            waiting.left = false;
            return answer
                .and_then(Value::extract_error)
                .map(|answer| (answer, 0))
                .map_err(|error| fault(&error, &dead));
        }
        let (pipeline, expected) = call.pipeline();
        let answers = connection.send_packed_commands(&pipeline, call.asking.into(), expected).await;
        waiting.left = false;
        let mut answers = answers.map_err(|error| fault(&error, &dead))?.into_iter();
        let answer = answers.next().unwrap_or_default().extract_error().map_err(|error| fault(&error, &dead))?;
        let replicas = match answers.next() {
            Some(Value::Int(replicas)) => u32::try_from(replicas).unwrap_or_default(),
            _ => 0,
        };
        Ok((answer, replicas))
    }

    /// Whether the last attempt to connect failed, a moment ago.
    pub(super) fn failed_lately(&self) -> bool {
        self.state().failed.as_ref().is_some_and(|(at, _)| at.elapsed() < LATELY)
    }

    /// Gives the connection up, because the server is not what it was.
    pub(super) fn forget(&self) {
        self.state().open = None;
    }

    async fn open(&self) -> Result<Open, Fault> {
        let began = Instant::now();
        if let Some(open) = self.state().alive() {
            return Ok(open);
        }
        let _alone = self.connecting.lock().await;
        {
            let state = self.state();
            if let Some(open) = state.alive() {
                return Ok(open);
            }
            // The crowd that waited for one attempt does not make one each.
            if let Some((at, fault)) = &state.failed
                && *at >= began
            {
                return Err(fault.clone());
            }
        }
        let outcome = connect(&self.info, self.wake.clone()).await;
        let mut state = self.state();
        match outcome {
            Ok(open) => {
                *state = State { open: Some(open.clone()), failed: None };
                Ok(open)
            }
            Err(fault) => {
                *state = State { open: None, failed: Some((Instant::now(), fault.clone())) };
                Err(fault)
            }
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn alive(&self) -> Option<Open> {
        self.open.as_ref().filter(|open| !open.dead.load(Relaxed)).cloned()
    }
}

impl Open {
    fn parts(self) -> (MultiplexedConnection, Arc<AtomicBool>) {
        (self.connection, self.dead)
    }
}

impl Call<'_> {
    /// All that is sent, and how many answers count.
    fn pipeline(&self) -> (redis::Pipeline, usize) {
        let mut pipeline = redis::pipe();
        if self.asking {
            pipeline.cmd("ASKING");
        }
        pipeline.add_command(self.command.clone());
        if let Some((replicas, milliseconds)) = self.replicas {
            pipeline.cmd("WAIT").arg(replicas).arg(milliseconds);
        }
        (pipeline, 1 + usize::from(self.replicas.is_some()))
    }
}

/// Somebody who waits for an answer, and may leave before it comes.
struct Waiting<'a> {
    dead: &'a AtomicBool,
    since: Instant,
    left: bool,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if self.left && self.since.elapsed() >= SILENCE {
            self.dead.store(true, Relaxed);
        }
    }
}

/// What an error means; one that says nothing about the command ends the connection.
fn fault(error: &RedisError, dead: &AtomicBool) -> Fault {
    let fault = Fault::of(error);
    if matches!(fault, Fault::Lost(_)) {
        dead.store(true, Relaxed);
    }
    fault
}

/// Held by the task that reads and writes. It may also end with the runtime that it runs in.
struct End(Arc<AtomicBool>);

impl Drop for End {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

async fn connect(info: &ConnectionInfo, wake: Arc<Notify>) -> Result<Open, Fault> {
    let dead = Arc::new(AtomicBool::new(false));
    let end = End(dead.clone());
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(CONNECTING))
        .set_response_timeout(None)
        .set_pipeline_buffer_size(WAITING)
        .set_push_sender(move |push: PushInfo| {
            if push.kind == PushKind::Disconnection {
                end.0.store(true, Relaxed);
            }
            wake.notify_waiters();
            Ok::<(), ()>(())
        });
    let client = Client::open(info.clone()).map_err(|error| Fault::Away(error.to_string()))?;
    let opening = async {
        let mut connection = client.get_multiplexed_async_connection_with_config(&config).await.map_err(|error| {
            match Fault::of(&error) {
                Fault::Answered(why) => Fault::Refused(why),
                fault => Fault::Away(fault.to_string()),
            }
        })?;
        // Again for every connection: a server may come back from a restart with other settings.
        checks::ask(&mut connection).await?.check()?;
        Ok(Open { connection, dead, listens: Arc::default() })
    };
    match tokio::time::timeout(CONNECTING, opening).await {
        Ok(outcome) => outcome,
        Err(_) => Err(Fault::Away(format!("no connection within {CONNECTING:?}"))),
    }
}

impl Fault {
    pub(super) fn of(error: &RedisError) -> Self {
        // The message of an error of the server is that of the server, which repeats no password.
        let why = error.to_string();
        match error.kind() {
            ErrorKind::Server(ServerErrorKind::Moved) => Self::Moved,
            ErrorKind::Server(ServerErrorKind::Ask) => match error.redirect_node() {
                Some((address, _)) => Self::Asked(address.into()),
                None => Self::Moved,
            },
            ErrorKind::Server(ServerErrorKind::ReadOnly) => Self::ReadOnly,
            ErrorKind::Server(ServerErrorKind::NoScript) => Self::NoScript,
            ErrorKind::Server(
                ServerErrorKind::BusyLoading
                | ServerErrorKind::TryAgain
                | ServerErrorKind::ClusterDown
                | ServerErrorKind::MasterDown,
            ) => Self::Later(why),
            ErrorKind::Io | ErrorKind::Parse => Self::Lost(why),
            _ => Self::Answered(why),
        }
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Away(why) | Self::Lost(why) | Self::Refused(why) | Self::Later(why) | Self::Answered(why) => {
                f.write_str(why)
            }
            Self::Moved | Self::Asked(_) => f.write_str("the key is with another server, which nobody names"),
            Self::ReadOnly => f.write_str("the server is a replica"),
            Self::NoScript => f.write_str("the server keeps no scripts"),
        }
    }
}
