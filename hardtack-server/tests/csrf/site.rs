//! A small site with the library, over TLS, that counts what gets through.

use std::{
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{Router, routing::any};
use axum_server::tls_rustls::RustlsConfig;
use hardtack::{
    Keyring, Sessions,
    csrf::{CsrfLayer, CsrfPolicy},
};
use tempfile::TempDir;

use crate::tls::Client;

pub(crate) struct Site {
    ran: Arc<AtomicUsize>,
    pub(crate) client: Client,
    pub(crate) cookie: String,
    pub(crate) token: String,
}

impl Site {
    /// Serves on a free port until the process ends.
    pub(crate) fn start(policy: CsrfPolicy) -> Self {
        let ran = Arc::new(AtomicUsize::new(0));
        let counter = ran.clone();
        let run = move || {
            counter.fetch_add(1, Ordering::Relaxed);
            async { "ran" }
        };
        let guarded = Router::new().route("/", any(run.clone())).route("/api/", any(run.clone()));
        let exempt = Router::new().route("/bypass/", any(run.clone())).route("/only/{foo}", any(run));
        let sessions = Sessions::stateless(Keyring::ephemeral().unwrap()).build().unwrap();
        let app = guarded.layer(CsrfLayer::with(policy)).merge(exempt).layer(sessions.layer());

        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("cert.pem");
        std::fs::write(&file, &certificate).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let client = Client::new(listener.local_addr().unwrap(), &file);

        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let mut token = String::new();
        let cookie = runtime.block_on(sessions.cookie(|session| token = session.csrf_token())).unwrap();
        std::thread::spawn(move || {
            runtime.block_on(async {
                let config = RustlsConfig::from_pem(certificate.into(), key.into()).await.unwrap();
                axum_server::from_tcp_rustls(listener, config).unwrap().serve(app.into_make_service()).await.unwrap();
            });
        });
        Self { ran, client, cookie, token }
    }

    /// How often a handler ran.
    pub(crate) fn ran(&self) -> usize {
        self.ran.load(Ordering::Relaxed)
    }
}
