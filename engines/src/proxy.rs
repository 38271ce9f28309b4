//! A TCP proxy that does what networks do.

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex, MutexGuard},
    thread,
};

/// Forwards between clients and one server until it is told otherwise. Gone when it goes out of scope, with all
/// its connections.
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    server: SocketAddr,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    mode: Mode,
    ended: bool,
    /// Both ends of every connection, while it lasts.
    streams: Vec<(u64, [Option<TcpStream>; 2])>,
    next: u64,
    /// Bytes from clients before all connections are cut.
    budget: Option<usize>,
    /// The reply to a request with these bytes is to be lost.
    lose: Option<Vec<u8>>,
    lost: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Forward,
    Swallow,
    Hold,
}

impl Proxy {
    /// A proxy before this server, on a free port.
    ///
    /// # Panics
    ///
    /// Without a free port.
    pub fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (mode, streams) = (Mode::Forward, Vec::new());
        let state = State { mode, ended: false, streams, next: 0, budget: None, lose: None, lost: 0 };
        let shared = Arc::new(Shared { server, state: Mutex::new(state), changed: Condvar::new() });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || {
            while let Ok((client, _)) = listener.accept() {
                if accepting.lock().ended {
                    return;
                }
                accepting.connect(client);
            }
        });
        Self { address, shared }
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Becomes a black hole: connections stay and new ones are made, and whatever comes is swallowed.
    pub fn black_hole(&self) {
        self.shared.set_mode(Mode::Swallow);
    }

    /// Holds everything back; [`resume`](Self::resume) delivers it.
    pub fn hold(&self) {
        self.shared.set_mode(Mode::Hold);
    }

    /// Forwards again. Connections that a black hole swallowed from are cut.
    pub fn resume(&self) {
        if self.shared.lock().mode == Mode::Swallow {
            self.cut();
        }
        self.shared.set_mode(Mode::Forward);
    }

    /// Cuts all connections there are. New ones work.
    pub fn cut(&self) {
        self.shared.lock().cut();
    }

    /// Cuts all connections when so many more bytes have come from clients and gone to the server; once.
    pub fn cut_after(&self, bytes: usize) {
        self.shared.lock().budget = Some(bytes);
    }

    /// Forwards the next request, and cuts its connection in place of the reply; once.
    pub fn lose_next_reply(&self) {
        self.lose_reply_to("");
    }

    /// The same for the next request that has this text in it, in one piece.
    pub fn lose_reply_to(&self, request: &str) {
        self.shared.lock().lose = Some(request.as_bytes().to_vec());
    }

    /// How many replies were lost: the server had done what it was asked.
    pub fn lost(&self) -> usize {
        self.shared.lock().lost
    }

    /// How many connections there are.
    pub fn connections(&self) -> usize {
        self.shared.lock().streams.len()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.ended = true;
        state.cut();
        drop(state);
        self.shared.changed.notify_all();
        // It waits for a client, so let one come.
        let _ = TcpStream::connect(self.address);
    }
}

impl State {
    fn cut(&mut self) {
        for (_, streams) in &self.streams {
            for stream in streams.iter().flatten() {
                let _ = stream.shutdown(Shutdown::Both);
            }
        }
    }
}

/// One connection, to the two threads that carry it.
struct Connection {
    id: u64,
    /// The next bytes from the server are to be lost.
    lose: Mutex<bool>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn set_mode(&self, mode: Mode) {
        self.lock().mode = mode;
        self.changed.notify_all();
    }

    fn connect(self: &Arc<Self>, client: TcpStream) {
        let mut state = self.lock();
        let id = state.next;
        state.next += 1;
        let swallowed = state.mode == Mode::Swallow;
        state.streams.push((id, [Some(client.try_clone().unwrap()), None]));
        drop(state);
        let connection = Arc::new(Connection { id, lose: Mutex::new(false) });
        let shared = Arc::clone(self);
        thread::spawn(move || {
            // A black hole's server hears nothing of a client.
            let server = if swallowed { None } else { TcpStream::connect(shared.server).ok() };
            match server {
                Some(server) => shared.carry_both(&connection, client, server),
                None if swallowed => shared.swallow(client),
                None => drop(client.shutdown(Shutdown::Both)),
            }
            shared.lock().streams.retain(|(other, _)| *other != connection.id);
        });
    }

    fn carry_both(self: &Arc<Self>, connection: &Arc<Connection>, client: TcpStream, server: TcpStream) {
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        if let Some((_, streams)) = self.lock().streams.iter_mut().find(|(id, _)| *id == connection.id) {
            streams[1] = Some(server.try_clone().unwrap());
        }
        let back = {
            let (shared, connection) = (Arc::clone(self), Arc::clone(connection));
            let (from, to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
            thread::spawn(move || shared.carry(from, to, |bytes| shared.reply(&connection, bytes)))
        };
        self.carry(client, server, |bytes| self.request(connection, bytes));
        let _ = back.join();
    }

    /// Carries one direction. `judge` answers how many of the bytes may pass, and whether the connection ends then.
    fn carry(&self, mut from: TcpStream, mut to: TcpStream, judge: impl Fn(&[u8]) -> (usize, bool)) {
        let mut buffer = vec![0; 1 << 16];
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            let mut state = self.lock();
            while state.mode == Mode::Hold && !state.ended {
                state = self.changed.wait(state).unwrap();
            }
            let swallow = state.mode == Mode::Swallow;
            drop(state);
            if swallow {
                continue;
            }
            let (passes, ends) = judge(&buffer[..length]);
            if to.write_all(&buffer[..passes]).is_err() || ends {
                break;
            }
        }
        let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
    }

    fn request(&self, connection: &Connection, bytes: &[u8]) -> (usize, bool) {
        let mut state = self.lock();
        let wanted = state.lose.as_deref().is_some_and(|text| text.is_empty() || contains(bytes, text));
        if wanted {
            state.lose = None;
            *connection.lose.lock().unwrap() = true;
        }
        match state.budget {
            Some(budget) if budget <= bytes.len() => {
                state.budget = None;
                // This one ends after the bytes that still pass, the others now.
                for (_, streams) in state.streams.iter().filter(|(id, _)| *id != connection.id) {
                    for stream in streams.iter().flatten() {
                        let _ = stream.shutdown(Shutdown::Both);
                    }
                }
                (budget, true)
            }
            Some(budget) => {
                state.budget = Some(budget - bytes.len());
                (bytes.len(), false)
            }
            None => (bytes.len(), false),
        }
    }

    fn reply(&self, connection: &Connection, bytes: &[u8]) -> (usize, bool) {
        if *connection.lose.lock().unwrap() {
            self.lock().lost += 1;
            return (0, true);
        }
        (bytes.len(), false)
    }

    fn swallow(&self, mut client: TcpStream) {
        let mut buffer = vec![0; 1 << 12];
        while let Ok(1..) = client.read(&mut buffer) {}
    }
}

fn contains(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window == text)
}
