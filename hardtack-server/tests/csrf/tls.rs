//! A client that speaks HTTP/1.1 over real TLS and trusts one certificate.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    sync::Arc,
};

use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};

#[derive(Clone)]
pub(crate) struct Client {
    address: SocketAddr,
    config: Arc<ClientConfig>,
}

#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Reply {
    /// All values of a header, in small letters.
    pub(crate) fn all(&self, name: &str) -> Vec<String> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let values = lines.filter(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_lowercase());
        values.collect()
    }

    /// The `NAME=VALUE` of the only `Set-Cookie`.
    pub(crate) fn cookie(&self) -> String {
        let lines: Vec<_> = self.head.lines().filter_map(|line| line.strip_prefix("set-cookie: ")).collect();
        assert_eq!(lines.len(), 1, "{self:?}");
        lines[0].split(';').next().unwrap().into()
    }
}

impl Client {
    pub(crate) fn new(address: SocketAddr, certificate: &Path) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(certificate).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = config.with_root_certificates(roots).with_no_client_auth();
        Self { address, config: Arc::new(config) }
    }

    /// Sends exactly `bytes` and reads until the server closes or has switched to another protocol.
    pub(crate) fn send(&self, bytes: &[u8]) -> Reply {
        let name = ServerName::from(self.address.ip());
        let connection = ClientConnection::new(self.config.clone(), name).unwrap();
        let mut stream = StreamOwned::new(connection, TcpStream::connect(self.address).unwrap());
        stream.write_all(bytes).unwrap();
        let mut received = Vec::new();
        let end = stream.read_to_end(&mut received);
        let text = String::from_utf8_lossy(&received);
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {end:?} {text:?}"));
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Reply { status, head: head.into(), body: body.into() }
    }

    pub(crate) fn get(&self, path: &str, lines: &str) -> Reply {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n{lines}\r\n").as_bytes())
    }
}
