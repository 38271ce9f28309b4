//! [`World`]: a clock, a store and one or two nodes that serve the application, for one [`Setup`].

use std::{
    net::{SocketAddr, TcpListener},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use hardtack::{
    Clock, Inspection, Key, Keyring, Lifetime, Revocations, Sessions, SessionsBuilder,
    store::{MemoryStore, Row, StoreKey},
};
use tokio::sync::oneshot;

use crate::{
    app::{App, Site},
    axum_app,
    client::{Browser, ask},
    common::START,
    gate::Gate,
    store::{Engine, Watch, Watched},
};

pub const MINUTE: Duration = Duration::from_secs(60);
pub const HOUR: Duration = Duration::from_secs(3_600);
pub const DAY: Duration = Duration::from_secs(86_400);

/// Which framework serves, and where sessions are.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    pub framework: Framework,
    pub placement: Placement,
}

#[derive(Clone, Copy, Debug)]
pub enum Framework {
    Axum,
    #[cfg(feature = "actix-web-4")]
    Actix,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    Stateless,
    /// Stateless, with the feed of a store in memory.
    StatelessWithFeed,
    Memory,
    #[cfg(feature = "sqlite")]
    Sqlite,
    HybridMemory,
    /// Hybrid in memory, and every route is a sensitive one.
    HybridThatAsks,
    #[cfg(feature = "sqlite")]
    HybridSqlite,
    #[cfg(feature = "engines")]
    Redis,
    #[cfg(feature = "engines")]
    HybridRedis,
    #[cfg(feature = "engines")]
    Postgres,
    #[cfg(feature = "engines")]
    HybridPostgres,
}

/// One server of the application.
pub struct Node {
    pub sessions: Sessions,
    pub address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
}

/// Stateless sessions have one node, because an ending is known to one process; those in a store have two, each
/// with its own memory and its own connection.
pub struct World {
    pub clock: Clock,
    pub key: Key,
    pub nodes: Vec<Node>,
    site: Arc<Site>,
    gates: AtomicUsize,
    shelf: Option<Shelf>,
    setup: Setup,
}

struct Shelf {
    watch: Arc<Watch>,
    engine: Engine,
    _folder: Option<tempfile::TempDir>,
}

type Configure<'a> = &'a dyn Fn(SessionsBuilder) -> SessionsBuilder;

impl Setup {
    pub fn is_stored(self) -> bool {
        !matches!(self.placement, Placement::Stateless | Placement::StatelessWithFeed)
    }

    pub fn is_hybrid(self) -> bool {
        match self.placement {
            Placement::HybridMemory | Placement::HybridThatAsks => true,
            #[cfg(feature = "sqlite")]
            Placement::HybridSqlite => true,
            #[cfg(feature = "engines")]
            Placement::HybridRedis | Placement::HybridPostgres => true,
            _ => false,
        }
    }

    /// A world with the defaults.
    pub fn world(self) -> World {
        self.world_with(&|builder| builder)
    }

    /// A world whose nodes are all configured alike.
    pub fn world_with(self, configure: Configure<'_>) -> World {
        let key = Key::generate().unwrap();
        let keys = Keyring::new(Key::parse(&key.to_secret_text()).unwrap(), []).unwrap();
        let clock = Clock::manual(START);
        let (engines, folder) = self.engines();
        let watch = Arc::new(Watch::default());
        let site = Arc::new(Site::default());
        let stored = |engine| self.builder(keys.clone(), Watched::new(&watch, engine));
        let builders = match &engines[..] {
            [] => vec![Sessions::stateless(keys.clone())],
            engines => engines.iter().map(stored).collect(),
        };
        let builders = builders.into_iter().map(|builder| {
            // Nothing purges behind the back of a test that counts calls.
            configure(builder.clock(clock.clone()).purge_interval(Duration::ZERO))
        });
        let sessions: Vec<_> = builders.map(|builder| builder.build().unwrap()).collect();
        let nodes = sessions.into_iter().map(|sessions| self.node(site.clone(), sessions)).collect();
        let nodes: Vec<Node> = nodes;
        let has_feed = self.is_hybrid() || self.placement == Placement::StatelessWithFeed;
        nodes.iter().filter(|_| has_feed).for_each(Node::follows);
        let shelf = engines.into_iter().next().map(|engine| Shelf { watch, engine, _folder: folder });
        World { clock, key, nodes, site, gates: AtomicUsize::default(), shelf, setup: self }
    }

    /// The placement over a store.
    fn builder(self, keys: Keyring, store: Watched) -> SessionsBuilder {
        if !self.is_stored() {
            Sessions::stateless(keys).revocations(Revocations::in_feed(store))
        } else if self.is_hybrid() {
            // One clock is for all, so a copy is trusted from the first moment on.
            Sessions::hybrid(keys, store).lifetime(Lifetime::default().skew(Duration::ZERO))
        } else {
            Sessions::stored(keys, store)
        }
    }

    /// The store as each of the nodes opens it.
    fn engines(self) -> (Vec<Engine>, Option<tempfile::TempDir>) {
        match self.placement {
            Placement::Stateless => (Vec::new(), None),
            Placement::Memory | Placement::StatelessWithFeed | Placement::HybridMemory | Placement::HybridThatAsks => {
                let engine = Engine::Memory(MemoryStore::new());
                (vec![engine.clone(), engine], None)
            }
            #[cfg(feature = "sqlite")]
            Placement::Sqlite | Placement::HybridSqlite => {
                let folder = tempfile::tempdir().unwrap();
                let open = || hardtack::store::SqliteStore::open(folder.path().join("sessions.db")).unwrap();
                (vec![Engine::Sqlite(open()), Engine::Sqlite(open())], Some(folder))
            }
            #[cfg(feature = "engines")]
            Placement::Redis | Placement::HybridRedis => {
                static SERVER: std::sync::OnceLock<hardtack_engines::Redis> = std::sync::OnceLock::new();
                static WORLDS: AtomicUsize = AtomicUsize::new(0);
                let url = SERVER.get_or_init(hardtack_engines::Redis::start).url();
                let prefix = format!("world-{}", WORLDS.fetch_add(1, Ordering::Relaxed));
                let open = || wait(hardtack::store::RedisStore::at(&url).prefix(&prefix).connect()).unwrap();
                (vec![Engine::Redis(open()), Engine::Redis(open())], None)
            }
            #[cfg(feature = "engines")]
            Placement::Postgres | Placement::HybridPostgres => {
                use std::sync::LazyLock;
                static SERVER: LazyLock<hardtack_engines::Postgres> =
                    LazyLock::new(|| hardtack_engines::Postgres::start_with(&["fsync=off"]));
                static WORLDS: AtomicUsize = AtomicUsize::new(0);
                // The connections of a store run where it was opened.
                static RUNTIME: LazyLock<tokio::runtime::Runtime> =
                    LazyLock::new(|| tokio::runtime::Runtime::new().unwrap());
                let schema = format!("world_{}", WORLDS.fetch_add(1, Ordering::Relaxed));
                let open = || {
                    let settings = hardtack::store::PostgresStore::settings().schema(&schema).connections(2);
                    RUNTIME.block_on(settings.connect(&SERVER.url("postgres"))).unwrap()
                };
                (vec![Engine::Postgres(open()), Engine::Postgres(open())], None)
            }
        }
    }

    fn node(self, site: Arc<Site>, sessions: Sessions) -> Node {
        let app = App { site, sessions: sessions.clone(), asks: self.placement == Placement::HybridThatAsks };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let serve = match self.framework {
            Framework::Axum => axum_app::serve,
            #[cfg(feature = "actix-web-4")]
            Framework::Actix => crate::actix_app::serve,
        };
        thread::spawn(move || serve(app, listener, stopped));
        Node { sessions, address, stop: Some(stop) }
    }
}

impl Node {
    /// Blocks the test until the node has read the feed to its end.
    pub fn follows(&self) {
        while self.sessions.feed_age().is_none() {
            ask(self, "", "who");
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.stop.take().unwrap().send(());
    }
}

impl World {
    /// The node of most requests.
    pub fn here(&self) -> &Node {
        &self.nodes[0]
    }

    /// Another node where there is one.
    pub fn there(&self) -> &Node {
        self.nodes.last().unwrap()
    }

    /// The watched store, for one more node.
    pub fn store(&self) -> Watched {
        let Shelf { watch, engine, .. } = self.shelf.as_ref().unwrap();
        Watched::new(watch, engine)
    }

    /// Sessions for one more node, as those of the others are. Only for worlds with a store.
    pub fn sessions(&self, configure: Configure<'_>) -> Sessions {
        self.sessions_under(Keyring::new(Key::parse(&self.key.to_secret_text()).unwrap(), []).unwrap(), configure)
    }

    /// The same under other keys.
    pub fn sessions_under(&self, keys: Keyring, configure: Configure<'_>) -> Sessions {
        let builder = self.setup.builder(keys, self.store());
        configure(builder.clock(self.clock.clone()).purge_interval(Duration::ZERO)).build().unwrap()
    }

    /// Every node purges.
    pub fn purge(&self) {
        for node in &self.nodes {
            wait(node.sessions.purge()).unwrap();
        }
    }

    /// One more node, with sessions of the test's own.
    pub fn serve(&self, sessions: Sessions) -> Node {
        self.setup.node(self.site.clone(), sessions)
    }

    /// A browser that did these steps on the first node.
    pub fn browser(&self, steps: &str) -> Browser {
        let mut browser = Browser::default();
        browser.go(self.here(), steps);
        browser
    }

    pub fn gate(&self, name: &str) -> Arc<Gate> {
        self.site.gate(name)
    }

    /// A gate of its own, and its name.
    pub fn new_gate(&self) -> (String, Arc<Gate>) {
        let name = self.gates.fetch_add(1, Ordering::Relaxed).to_string();
        let gate = self.gate(&name);
        (name, gate)
    }

    /// A gate that keeps nobody waiting.
    pub fn opened_gate(&self) -> Arc<Gate> {
        let (_, gate) = self.new_gate();
        gate.open();
        gate
    }

    /// Blocks the test until no server is busy with a request.
    #[track_caller]
    pub fn idle(&self) {
        self.site.busy.until(|busy| busy == 0);
    }

    /// Who watches the store. Only for stored worlds.
    pub fn watch(&self) -> &Watch {
        &self.shelf.as_ref().unwrap().watch
    }

    pub fn engine(&self) -> &Engine {
        &self.shelf.as_ref().unwrap().engine
    }

    /// All rows of the store, expired ones too; none in the stateless placement.
    pub fn rows(&self) -> Vec<(StoreKey, Row)> {
        self.shelf.as_ref().map_or_else(Vec::new, |shelf| wait(shelf.engine.rows()))
    }

    /// All the files of the store, as bytes.
    pub fn files(&self) -> Vec<Vec<u8>> {
        let Some(folder) = self.shelf.as_ref().and_then(|shelf| shelf._folder.as_ref()) else { return Vec::new() };
        std::fs::read_dir(folder.path()).unwrap().map(|file| std::fs::read(file.unwrap().path()).unwrap()).collect()
    }

    /// What is in a cookie.
    pub fn inspect(&self, cookie: &str) -> Inspection {
        self.here().sessions.inspect(cookie.split_once('=').unwrap().1).unwrap()
    }
}

/// Waits for a future in a runtime of its own.
pub fn wait<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// Who a cookie is on a node, which is given no time to hear of anything.
pub fn at_once(node: &Node, cookie: &str) -> Option<String> {
    let request = node.sessions.begin([cookie.as_bytes()]);
    wait(request.session()).unwrap().owner()
}

/// Blocks the test until it is so.
pub fn until(mut so: impl FnMut() -> bool) {
    for _ in 0..2_000 {
        if so() {
            return;
        }
        thread::sleep(Duration::from_millis(10));
    }
    panic!("waited for ever");
}
