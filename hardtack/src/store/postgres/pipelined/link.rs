//! [`Link`]: one connection, ready to be asked.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::{
    sync::Mutex,
    task::{AbortHandle, JoinHandle},
    time::timeout,
};
use tokio_postgres::{Client, Config, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::store::postgres::{
    client,
    driver::{Fault, Value},
    schema,
    statements::{Call, Statements},
};

/// How long it may take until a new connection is ready.
const PATIENCE: Duration = Duration::from_secs(10);

/// How a connection is made.
pub(in crate::store::postgres) struct Recipe {
    pub(in crate::store::postgres) config: Config,
    pub(in crate::store::postgres) tls: MakeRustlsConnect,
    pub(in crate::store::postgres) statements: Statements,
    /// Whether statements are prepared and sent one behind the other. Behind a pooler the next one may meet another
    /// process of the server, which does not know them; and PgBouncer may give the answer to what was sent too early
    /// to somebody else (its issue 759).
    pub(in crate::store::postgres) prepares: bool,
    /// How many calls went without an answer, on all connections.
    pub(in crate::store::postgres) missed: AtomicUsize,
}

/// A connection to a server that fits. It is closed when this is dropped.
pub(super) struct Link {
    client: Client,
    prepared: Option<Box<[Statement]>>,
    recipe: Arc<Recipe>,
    under_way: AtomicUsize,
    driver: AbortHandle,
    /// Who may ask, where nobody may before the one before is answered.
    turn: Mutex<()>,
}

impl Recipe {
    /// A connection without statements, to a server that fits; and what ends with it, and says why.
    pub(in crate::store::postgres) async fn connect(&self) -> Result<(Client, JoinHandle<String>), String> {
        let work = async {
            let (client, connection) = self.config.connect(self.tls.clone()).await.map_err(|error| refused(&error))?;
            let driver = tokio::spawn(async move {
                match connection.await {
                    Ok(()) => "it was closed".to_owned(),
                    Err(error) => Fault::from(error).why,
                }
            });
            schema::check(&client).await?;
            Ok((client, driver))
        };
        timeout(PATIENCE, work).await.unwrap_or_else(|_| Err(format!("no connection within {PATIENCE:?}")))
    }

    /// A connection that is ready to be asked.
    pub(super) async fn link(self: &Arc<Self>) -> Result<(Link, JoinHandle<String>), String> {
        let (client, driver) = self.connect().await?;
        let prepare = async {
            if !self.prepares {
                return Ok(None);
            }
            let mut prepared = Vec::with_capacity(Call::ALL.len());
            for call in Call::ALL {
                prepared.push(client.prepare(self.statements.of(call)).await?);
            }
            Ok::<_, tokio_postgres::Error>(Some(prepared.into_boxed_slice()))
        };
        let prepared = match timeout(PATIENCE, prepare).await {
            Ok(prepared) => prepared.map_err(|error| Fault::from(error).why)?,
            Err(_) => return Err(format!("its statements were not ready within {PATIENCE:?}")),
        };
        let link = Link {
            client,
            prepared,
            recipe: self.clone(),
            under_way: AtomicUsize::new(0),
            driver: driver.abort_handle(),
            turn: Mutex::new(()),
        };
        Ok((link, driver))
    }
}

impl Link {
    pub(super) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Asks, and waits for the answer.
    pub(super) async fn ask(
        self: &Arc<Self>,
        call: Call,
        given: &[Value<'_>],
    ) -> Result<Vec<tokio_postgres::Row>, Fault> {
        if let Some(prepared) = &self.prepared {
            return client::ask(&self.client, &prepared[call as usize], given).await;
        }
        // A task of its own waits for the answer also when the caller has left.
        let (link, given) = (self.clone(), given.iter().map(|value| value.kept()).collect::<Vec<_>>());
        let ask = async move {
            let _turn = link.turn.lock().await;
            let given: Vec<_> = given.iter().map(|(value, type_of)| (&**value as _, type_of.clone())).collect();
            link.client.query_typed(link.recipe.statements.of(call), &given).await.map_err(Fault::from)
        };
        tokio::spawn(ask).await.unwrap_or_else(|error| Err(Fault::new(error)))
    }

    pub(super) fn under_way(&self) -> usize {
        self.under_way.load(Relaxed)
    }

    /// Whether it answers within that time.
    pub(super) async fn answers_within(&self, silence: Duration) -> bool {
        match self.prepared {
            Some(_) => timeout(silence, self.client.simple_query("")).await.is_ok(),
            // Whoever had the turn before was answered.
            None => timeout(silence, self.turn.lock()).await.is_ok(),
        }
    }

    /// Ends it for all who wait for its answers.
    pub(super) fn cut(&self) {
        self.driver.abort();
    }
}

/// A call that is under way on a connection.
pub(super) struct Lease {
    link: Arc<Link>,
    is_answered: bool,
}

impl Lease {
    pub(super) fn new(link: Arc<Link>) -> Self {
        link.under_way.fetch_add(1, Relaxed);
        Self { link, is_answered: false }
    }

    pub(super) fn link(&self) -> &Arc<Link> {
        &self.link
    }

    pub(super) fn answered(mut self) {
        self.is_answered = true;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.link.under_way.fetch_sub(1, Relaxed);
        if !self.is_answered {
            self.link.recipe.missed.fetch_add(1, Relaxed);
        }
    }
}

/// Why there is no connection, and what to do. Nothing here has the password in it.
fn refused(error: &tokio_postgres::Error) -> String {
    let fault = match error.as_db_error() {
        Some(said) => Fault::said(said.code().code(), said.message()),
        None => Fault::chain(error),
    };
    let advice = match fault.code.as_deref() {
        Some("28P01" | "28000") => "see whether user and password are right",
        Some("3D000") => "create the database, or name another",
        Some("53300") => "raise its max_connections, or use fewer connections",
        Some("57P03") => "wait until it has started",
        Some(_) => "see whether this is the server that is meant",
        None if fault.why.contains("certificate") => {
            "name its authority's certificate with ?sslrootcert=FILE, and the host as the certificate has it"
        }
        None if fault.why.contains("does not support TLS") => {
            "turn ssl on there, or, if nobody is in between, add ?sslmode=disable"
        }
        None if fault.why.contains("password missing") => "write it into the URL",
        None if fault.why.contains("does not allow writes") => {
            "it is a standby or read-only; name the primary, or all servers in one URL, \
             postgres://USER@HOST1,HOST2/DATABASE"
        }
        None => "see whether the server runs and its address is right",
    };
    format!("{}; {advice}", fault.why)
}
