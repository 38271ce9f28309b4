//! TLS, with the cryptography that hardtack has anyway. A server is always asked to prove its name.

use std::{path::Path, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject as _},
};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::Address;

impl Address {
    /// What makes the connections encrypted, where they are to be.
    pub(in crate::store::postgres) fn tls(&self) -> Result<MakeRustlsConnect, String> {
        let mut roots = RootCertStore::empty();
        if self.is_encrypted() {
            match &self.authorities {
                Some(file) => add_file(&mut roots, file)?,
                None => add_those_of_the_system(&mut roots)?,
            }
        }
        let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| format!("there is no TLS: {error}"))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(MakeRustlsConnect::new(config))
    }
}

fn add_file(roots: &mut RootCertStore, file: &Path) -> Result<(), String> {
    let wrong = |why: &dyn std::fmt::Display| {
        format!("sslrootcert={}: {why}; name a file of certificates in PEM", file.display())
    };
    let certificates = CertificateDer::pem_file_iter(file).map_err(|error| wrong(&error))?;
    for certificate in certificates {
        roots.add(certificate.map_err(|error| wrong(&error))?).map_err(|error| wrong(&error))?;
    }
    if roots.is_empty() { Err(wrong(&"no certificate is in it")) } else { Ok(()) }
}

fn add_those_of_the_system(roots: &mut RootCertStore) -> Result<(), String> {
    let found = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        return Err("this system has no certificates of authorities; install ca-certificates, or name a file with \
                    ?sslrootcert=FILE"
            .into());
    }
    Ok(())
}
