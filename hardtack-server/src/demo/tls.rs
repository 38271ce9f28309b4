//! HTTPS for the demo: a certificate that is given, or one of its own.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    path::Path,
};

use axum_server::tls_rustls::RustlsConfig;

use crate::{Failure, cli::Demo};

pub(super) async fn config(args: &Demo) -> Result<Option<RustlsConfig>, Failure> {
    let (cert, key) = match (&args.tls_cert, &args.tls_key) {
        (Some(cert), Some(key)) => (cert.clone(), key.clone()),
        _ if args.tls => {
            let (cert, key) = (args.data.join("tls-cert.pem"), args.data.join("tls-key.pem"));
            if !(cert.exists() && key.exists()) {
                make(&cert, &key)?;
            }
            (cert, key)
        }
        _ => return Ok(None),
    };
    // Another dependency could bring a second provider, so the choice is made here.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let config = RustlsConfig::from_pem_file(&cert, &key).await;
    Ok(Some(config.map_err(|error| format!("{} and {}: {error}", cert.display(), key.display()))?))
}

/// Makes a self-signed certificate for this machine's loopback names. Browsers warn of it, rightly.
fn make(cert: &Path, key: &Path) -> Result<(), Failure> {
    let names = ["localhost", "127.0.0.1", "::1"].map(String::from);
    let made = rcgen::generate_simple_self_signed(names)?;
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(key)?.write_all(made.signing_key.serialize_pem().as_bytes())?;
    fs::write(cert, made.cert.pem())?;
    Ok(())
}
