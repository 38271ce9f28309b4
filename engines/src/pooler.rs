//! A pooler in front of a PostgreSQL.

use std::{fs, net::SocketAddr, net::TcpStream, os::unix::fs::chown};

use crate::{
    Postgres,
    keeper::{Folder, Keeper},
    port,
    postgres::{ROLE, account, unprivileged},
    wait_until,
};

/// PgBouncer in its transaction mode: three connections to the server, and each transaction gets one of them.
pub struct PgBouncer {
    // Before the folder, which it writes to until its end.
    _server: Keeper,
    _folder: Folder,
    address: SocketAddr,
}

impl PgBouncer {
    /// Starts one and waits until it takes connections.
    ///
    /// # Panics
    ///
    /// Without PgBouncer, with what to install.
    pub fn to(postgres: &Postgres) -> Self {
        let folder = Folder::new("pgbouncer");
        let (address, server) = (port::free(), postgres.address());
        let settings = format!(
            "[databases]\n* = host={} port={} user={ROLE}\n\
             [pgbouncer]\nlisten_addr = {}\nlisten_port = {}\nunix_socket_dir =\nauth_type = any\n\
             pool_mode = transaction\ndefault_pool_size = 3\nmax_client_conn = 500\nlogfile =\n",
            server.ip(),
            server.port(),
            address.ip(),
            address.port(),
        );
        let file = folder.path().join("pgbouncer.ini");
        fs::write(&file, settings).unwrap();
        if let Some((user, group)) = account() {
            chown(folder.path(), Some(user), Some(group)).unwrap();
        }
        let (mut command, file) = (unprivileged(), file.display().to_string());
        let program = if fs::exists("/usr/sbin/pgbouncer").unwrap() { "/usr/sbin/pgbouncer" } else { "pgbouncer" };
        command.extend([program, "-q", &file]);
        let server = Keeper::start(&folder, "TERM", &command);
        wait_until("PgBouncer takes connections", || {
            let log = folder.log();
            assert!(server.is_alive(), "pgbouncer ended; install it with `apt-get install pgbouncer`: {log}");
            TcpStream::connect(address).is_ok()
        });
        Self { _server: server, _folder: folder, address }
    }

    /// The address of a database behind it.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://{ROLE}@{}/{database}", self.address)
    }
}
