//! `rediss://`: sessions over TLS.

use std::{env, net::TcpListener, path::Path, process::Command};

use hardtack::store::{RedisStore, Store};
use hardtack_engines::Redis;

use super::rows::{ANY, NOW, key, row};

const URL: &str = "HARDTACK_TEST_REDISS";

/// A server whose certificate nobody but this test trusts.
struct Sealed {
    _server: Redis,
    url: String,
    folder: tempfile::TempDir,
}

impl Sealed {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let (certificate, secret) = (path("certificate.pem"), path("secret.pem"));
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"])
            .args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"])
            .args(["-addext", "basicConstraints=critical,CA:FALSE", "-out", &certificate, "-keyout", &secret])
            .output()
            .expect("openssl makes certificates");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let arguments = ["--tls-cert-file", &certificate, "--tls-key-file", &secret, "--tls-auth-clients", "no"];
        let tls_port = port.to_string();
        let arguments: Vec<_> = ["--tls-port", &tls_port].into_iter().chain(arguments).collect();
        let server = Redis::start_with(&arguments);
        Self { _server: server, url: format!("rediss://localhost:{port}"), folder }
    }

    /// Runs the test below in a process of its own, for which this file has the certificates.
    fn visit(&self, certificates: &Path) -> bool {
        let child = Command::new(env::current_exe().unwrap())
            .args(["--ignored", "--exact", "tls::a_visitor_over_tls"])
            .env(URL, &self.url)
            .env("SSL_CERT_FILE", certificates)
            .output()
            .unwrap();
        child.status.success()
    }
}

/// Sessions go over TLS, to a server whose certificate is trusted and to no other.
#[test]
fn tls_is_spoken_with_whom_it_is_trusted() {
    let sealed = Sealed::start();
    assert!(sealed.visit(&sealed.folder.path().join("certificate.pem")), "a server with a trusted certificate");
    let other = Sealed::start();
    assert!(!sealed.visit(&other.folder.path().join("certificate.pem")), "a server whose certificate is another's");
}

#[tokio::test]
#[ignore = "run by the test above, with its certificates"]
async fn a_visitor_over_tls() {
    let url = env::var(URL).unwrap();
    let store = RedisStore::connect(&url).await.unwrap();
    store.create(key("ada", 1), row("ada", 1), ANY, NOW).await.unwrap();
    assert!(store.load(key("ada", 1), NOW).await.unwrap().is_some());
}
