//! Serves an application over TLS.

use std::net::TcpListener;

use axum::Router;
use axum_server::tls_rustls::RustlsConfig;

/// On a free port of this machine, for as long as the test runs. The certificate is one that the browser was told to accept.
pub(crate) async fn serve(app: Router) -> u16 {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let made =
        rcgen::generate_simple_self_signed(["app.ship.test", "evil.ship.test", "www.evil.test"].map(String::from));
    let made = made.unwrap();
    let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let config = RustlsConfig::from_pem(certificate.into(), key.into()).await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = axum_server::from_tcp_rustls(listener, config).unwrap();
    tokio::spawn(server.serve(app.into_make_service()));
    port
}
