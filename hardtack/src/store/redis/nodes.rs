//! [`Nodes`]: which server has which shard. One server has them all; a cluster has them by slots.
//!
//! Where the shards are is looked up again when a server says that it has one no more, or is away: a failover moves
//! them. Beside a call there is no traffic.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::{Duration, Instant},
};

use redis::{Cmd, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, Value};

use tokio::sync::Notify;

use super::{
    keys::{Home, Keys},
    link::{Call, Fault, Link},
};

/// How often a call is tried where nothing was done, or nothing can be done twice.
const TRIES: u32 = 6;
/// How long it waits before the second try. Each further one takes twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(20);

/// All servers.
pub(super) struct Nodes {
    /// Whom to ask where everything is.
    seeds: Vec<ConnectionInfo>,
    shards: u16,
    map: RwLock<Arc<Map>>,
    looking: tokio::sync::Mutex<()>,
    wake: Arc<Notify>,
    failed: Mutex<Option<(Instant, Fault)>>,
}

/// Where everything is.
struct Map {
    nodes: Vec<Arc<Node>>,
    /// For each shard, then for the epoch and for what is about the store: which of the nodes.
    homes: Vec<usize>,
    is_cluster: bool,
}

/// One server, with a connection for what is answered at once and one for what waits for replicas.
struct Node {
    address: String,
    prompt: Link,
    patient: Link,
}

/// Whether a command may be sent again when its answer is lost.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeat {
    Yes,
    No,
}

impl Nodes {
    /// Finds the servers.
    pub(super) async fn find(seeds: Vec<ConnectionInfo>, shards: u16) -> Result<Self, Fault> {
        let nodes = Self {
            seeds,
            shards,
            map: RwLock::new(Arc::new(Map { nodes: Vec::new(), homes: Vec::new(), is_cluster: false })),
            looking: tokio::sync::Mutex::default(),
            wake: Arc::default(),
            failed: Mutex::default(),
        };
        nodes.look(&nodes.map()).await?;
        Ok(nodes)
    }

    /// Sends a command to where a key is; the answer, and how many replicas have it.
    pub(super) async fn call(
        &self,
        home: Home,
        command: &Cmd,
        repeat: Repeat,
        replicas: Option<(u32, u64)>,
    ) -> Result<(Value, u32), Fault> {
        let mut asked: Option<String> = None;
        let mut wait = FIRST_WAIT;
        let mut tries = 0;
        loop {
            let map = self.map();
            let (node, asking) = match asked.take() {
                Some(address) => (self.node(&map, &address)?, true),
                None => (map.node(self.place(home)).ok_or_else(nobody)?.clone(), false),
            };
            let link = if replicas.is_some() { &node.patient } else { &node.prompt };
            let fault = match link.call(Call { command, asking, replicas }).await {
                Ok(answer) => return Ok(answer),
                Err(fault) => fault,
            };
            tries += 1;
            match &fault {
                _ if tries == TRIES => return Err(fault),
                Fault::Asked(address) => {
                    asked = Some(address.clone());
                    continue;
                }
                Fault::Moved | Fault::Away(_) => {}
                Fault::Lost(_) if repeat == Repeat::Yes => {}
                Fault::ReadOnly => {
                    node.prompt.forget();
                    node.patient.forget();
                }
                Fault::Later(_) => {}
                _ => return Err(fault),
            }
            // At once where somebody else may know more, and then with patience.
            if tries > 1 || matches!(fault, Fault::ReadOnly | Fault::Later(_)) {
                tokio::time::sleep(wait).await;
                wait *= 2;
            }
            self.look(&map).await?;
        }
    }

    /// Whom the servers wake, once one of them [listens](Self::listen).
    pub(super) fn wake(&self) -> &Notify {
        &self.wake
    }

    /// Hears what is said on a channel, which is said on all servers alike.
    pub(super) async fn listen(&self, channel: &str) {
        if let Some(node) = self.map().node(self.place(Home::About)) {
            node.prompt.listen(channel).await;
        }
    }

    /// Whether the shards are on one server, so that one command may be about all.
    pub(super) fn is_one(&self) -> bool {
        !self.map().is_cluster
    }

    fn new_node(&self, info: ConnectionInfo) -> Arc<Node> {
        let address = address(&info);
        let (prompt, patient) = (Link::new(info.clone(), self.wake.clone()), Link::new(info, self.wake.clone()));
        Arc::new(Node { address, prompt, patient })
    }

    fn place(&self, home: Home) -> usize {
        match home {
            Home::Shard(shard) => shard.into(),
            Home::Epoch => self.shards.into(),
            Home::About => usize::from(self.shards) + 1,
        }
    }

    fn homes(&self) -> impl Iterator<Item = Home> {
        (0..self.shards).map(Home::Shard).chain([Home::Epoch, Home::About])
    }

    fn map(&self) -> Arc<Map> {
        self.map.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Looks again where everything is, unless somebody has since the map was `seen`.
    async fn look(&self, seen: &Arc<Map>) -> Result<(), Fault> {
        let began = Instant::now();
        let _alone = self.looking.lock().await;
        if !Arc::ptr_eq(seen, &self.map()) {
            return Ok(());
        }
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((at, fault)) = failed
            && at >= began
        {
            return Err(fault);
        }
        let outcome = self.draw(seen).await;
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        match outcome {
            Ok(map) => {
                *failed = None;
                *self.map.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(map);
                Ok(())
            }
            Err(fault) => {
                *failed = Some((Instant::now(), fault.clone()));
                Err(fault)
            }
        }
    }

    /// Asks the servers one after the other until one knows: those of the settings first, and last of all those that
    /// did not answer lately, for whoever calls has no time to find that out once more.
    async fn draw(&self, before: &Map) -> Result<Map, Fault> {
        let mut last = nobody();
        let known = |seed| before.known(&address(seed)).unwrap_or_else(|| self.new_node(seed.clone()));
        let mut seeds: Vec<_> = self.seeds.iter().map(|seed| (seed, known(seed))).collect();
        seeds.sort_by_key(|(_, node)| node.prompt.failed_lately());
        for (seed, node) in seeds {
            match self.draw_from(node, seed, before).await {
                Ok(map) => return Ok(map),
                // What can be mended by the operator is said rather than that another one is away.
                Err(fault) if matches!(last, Fault::Refused(_)) && !matches!(fault, Fault::Refused(_)) => {}
                Err(fault) => last = at(seed, fault),
            }
        }
        for node in &before.nodes {
            if let Ok(map) = self.draw_from(node.clone(), &node.prompt.info, before).await {
                return Ok(map);
            }
        }
        Err(last)
    }

    async fn draw_from(&self, node: Arc<Node>, seed: &ConnectionInfo, before: &Map) -> Result<Map, Fault> {
        let mut server = node.prompt.server().await;
        if matches!(&server, Ok(server) if server.is_replica()) {
            // It may have been promoted since: a name is looked up again by a new connection alone.
            node.prompt.forget();
            server = node.prompt.server().await;
        }
        let server = server?;
        if server.is_cluster() {
            let mut command = redis::cmd("CLUSTER");
            command.arg("SLOTS");
            let (slots, _) = node.prompt.call(Call { command: &command, asking: false, replicas: None }).await?;
            return self.draw_cluster(&slots, seed, before);
        }
        if server.is_replica() {
            return Err(Fault::Refused(
                "it is a replica; name its primary, or all of them and the primary is used".into(),
            ));
        }
        Ok(Map { nodes: vec![node], homes: self.homes().map(|_| 0).collect(), is_cluster: false })
    }

    fn draw_cluster(&self, slots: &Value, seed: &ConnectionInfo, before: &Map) -> Result<Map, Fault> {
        let ranges = ranges(slots, seed);
        let mut map = Map { nodes: Vec::new(), homes: Vec::new(), is_cluster: true };
        for home in self.homes() {
            let slot = slot(&Keys::tag(home));
            let range = ranges.iter().find(|range| range.first <= slot && slot <= range.last);
            let Some(range) = range else {
                return Err(Fault::Later("the cluster has slots that no server has; see CLUSTER INFO".into()));
            };
            let place = map.nodes.iter().position(|node| node.address == range.address).unwrap_or_else(|| {
                let node = before.known(&range.address);
                map.nodes.push(node.unwrap_or_else(|| self.new_node(beside(seed, &range.host, range.port))));
                map.nodes.len() - 1
            });
            map.homes.push(place);
        }
        Ok(map)
    }

    fn node(&self, map: &Map, address: &str) -> Result<Arc<Node>, Fault> {
        let known = map.known(address);
        let (host, port) = address.rsplit_once(':').ok_or_else(nobody)?;
        let port = port.parse().map_err(|_| nobody())?;
        Ok(known.unwrap_or_else(|| self.new_node(beside(&self.seeds[0], host, port))))
    }
}

impl Map {
    fn node(&self, place: usize) -> Option<&Arc<Node>> {
        self.nodes.get(*self.homes.get(place)?)
    }

    fn known(&self, address: &str) -> Option<Arc<Node>> {
        self.nodes.iter().find(|node| node.address == address).cloned()
    }
}

impl fmt::Debug for Nodes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.map().nodes.iter().map(|node| &node.address)).finish()
    }
}

/// A part of the answer to `CLUSTER SLOTS`: slots and who has them.
struct Range {
    first: u16,
    last: u16,
    host: String,
    port: u16,
    address: String,
}

fn ranges(slots: &Value, seed: &ConnectionInfo) -> Vec<Range> {
    let number = |value: Option<&Value>| match value {
        Some(Value::Int(number)) => u16::try_from(*number).ok(),
        _ => None,
    };
    let text = |value: Option<&Value>| match value {
        Some(Value::BulkString(bytes)) => Some(String::from_utf8_lossy(bytes).into_owned()),
        Some(Value::SimpleString(text)) => Some(text.clone()),
        _ => None,
    };
    let range = |value: &Value| {
        let Value::Array(parts) = value else { return None };
        let Some(Value::Array(primary)) = parts.get(2) else { return None };
        // A server that does not know its own name means the one under which it was asked.
        let host = text(primary.first()).filter(|host| !host.is_empty() && host != "?");
        let host = host.or_else(|| Some(host_of(seed)?.to_owned()))?;
        let port = number(primary.get(1))?;
        let address = format!("{host}:{port}");
        Some(Range { first: number(parts.first())?, last: number(parts.get(1))?, host, port, address })
    };
    match slots {
        Value::Array(slots) => slots.iter().filter_map(range).collect(),
        _ => Vec::new(),
    }
}

/// Another server, reached as the one of the settings is.
fn beside(seed: &ConnectionInfo, host: &str, port: u16) -> ConnectionInfo {
    let addr = match seed.addr() {
        ConnectionAddr::TcpTls { insecure, tls_params, .. } => {
            ConnectionAddr::TcpTls { host: host.into(), port, insecure: *insecure, tls_params: tls_params.clone() }
        }
        _ => ConnectionAddr::Tcp(host.into(), port),
    };
    seed.clone().set_addr(addr)
}

fn host_of(info: &ConnectionInfo) -> Option<&str> {
    match info.addr() {
        ConnectionAddr::Tcp(host, _) | ConnectionAddr::TcpTls { host, .. } => Some(host),
        _ => None,
    }
}

/// Where a server is, without who asks.
pub(super) fn address(info: &ConnectionInfo) -> String {
    info.addr().to_string()
}

fn at(seed: &ConnectionInfo, fault: Fault) -> Fault {
    let said = |why| format!("{}: {why}", address(seed));
    match fault {
        Fault::Refused(why) => Fault::Refused(said(why)),
        fault => Fault::Away(said(fault.to_string())),
    }
}

fn nobody() -> Fault {
    Fault::Away("there is no server".into())
}

/// The slot of a tag: CRC16 of the XMODEM kind, of 16,384.
fn slot(tag: &str) -> u16 {
    let crc = tag.bytes().fold(0_u16, |crc, byte| {
        (0..8).fold(crc ^ u16::from(byte) << 8, |crc, _| if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 })
    });
    crc % 16_384
}

/// Reads a URL; says what is wrong with it without repeating it, for there may be a password in it.
pub(super) fn parse(url: &str) -> Result<ConnectionInfo, &'static str> {
    const FORM: &str = "a URL is redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE], or rediss:// for TLS; write % signs \
        and the like in a password as %25";
    let info = url.into_connection_info().map_err(|_| FORM)?;
    let settings = info.redis_settings().clone();
    let settings =
        settings.set_protocol(redis::ProtocolVersion::RESP3).set_lib_name("hardtack", env!("CARGO_PKG_VERSION"));
    let tcp = info.tcp_settings().clone().set_nodelay(true);
    #[cfg(target_os = "linux")]
    let tcp = tcp.set_user_timeout(Duration::from_secs(5));
    Ok(info.set_redis_settings(settings).set_tcp_settings(tcp))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The values of `CLUSTER KEYSLOT`, and of the specification's example.
    #[test]
    fn slots_are_those_of_redis() {
        assert_eq!(slot("123456789"), 0x31c3);
        assert_eq!(slot("foo"), 12_182);
        assert_eq!(slot("user1000"), 3_443);
    }
}
