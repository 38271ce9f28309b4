//! Ports that nobody uses.

use std::{
    net::{SocketAddr, TcpListener},
    process,
    sync::atomic::{AtomicU16, Ordering},
};

/// Below the ports that systems give to outgoing connections, for two reasons: a server that is restarted finds
/// its port free, and a client that tries a dead server's port over and over never connects to itself.
const FIRST: u16 = 12_000;
const COUNT: u16 = 18_000;

static NEXT: AtomicU16 = AtomicU16::new(0);

/// An address that was free a moment ago, and that this process gives out once.
pub(crate) fn free() -> SocketAddr {
    // Test programs that run at the same time begin far apart.
    let seed = process::id().wrapping_mul(7919);
    for _ in 0..COUNT {
        let offset = seed.wrapping_add(u32::from(NEXT.fetch_add(1, Ordering::Relaxed))) % u32::from(COUNT);
        let address = SocketAddr::from(([127, 0, 0, 1], FIRST + u16::try_from(offset).unwrap()));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
    panic!("no port is free");
}
