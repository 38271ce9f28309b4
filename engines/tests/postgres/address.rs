//! Addresses: what they may say, who is believed, and that no message repeats a password.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, chown},
    path::Path,
};

use hardtack::store::{PostgresStore, Store};
use hardtack_engines::Postgres;

use super::starting::refusal;

const SECRET: &str = "correct-horse";

async fn refused(url: &str) -> String {
    let why = refusal(PostgresStore::connect(url).await);
    assert!(!why.contains(SECRET) && !why.contains("correct"), "the password is in {why:?}");
    why
}

#[tokio::test]
async fn a_wrong_address_is_explained_without_its_password() {
    let postgres = Postgres::start();
    let data = postgres.socket().join("data");
    let rules = fs::read_to_string(data.join("pg_hba.conf")).unwrap();
    fs::write(data.join("pg_hba.conf"), format!("host all guarded 127.0.0.1/32 scram-sha-256\n{rules}")).unwrap();
    postgres.psql("postgres", "CREATE ROLE guarded LOGIN PASSWORD 'hunter2'");
    postgres.psql("postgres", "SELECT pg_reload_conf()");
    let (address, nobody) = (postgres.address(), "127.0.0.1:1");

    let why = refused(&format!("postgres://guarded:{SECRET}@{address}/postgres")).await;
    assert!(why.contains("28P01") && why.contains("password are right"), "{why}");
    let why = refused(&format!("postgres://guarded@{address}/postgres")).await;
    assert!(why.contains("write it into the URL"), "{why}");
    let why = refused(&format!("postgres://hardtack:{SECRET}@{address}/nowhere")).await;
    assert!(why.contains("create the database"), "{why}");
    let why = refused(&format!("postgres://hardtack:{SECRET}@{nobody}/postgres")).await;
    assert!(why.contains("see whether the server runs"), "{why}");
    for url in [
        format!("postgres://hardtack:{SECRET}@{address}x/postgres"),
        format!("postgres://hardtack:{SECRET}@{address}/postgres?{SECRET}={SECRET}"),
        format!("mysql://hardtack:{SECRET}@{address}/postgres"),
        format!("host=localhost password='{SECRET} x"),
        format!("postgres://hardtack:{SECRET}%zz@[::1/postgres"),
    ] {
        let why = refused(&url).await;
        assert!(why.contains("postgres://USER:PASSWORD@HOST:5432/DATABASE"), "{why}");
    }
    for mode in ["prefer", "allow", "verify-ca", "never"] {
        let why = refused(&format!("postgres://hardtack:{SECRET}@{address}/postgres?sslmode={mode}")).await;
        assert!(why.contains("sslmode"), "{why}");
    }
    // Its right password, and a server that is not there before it.
    let url = format!("postgresql://guarded:hunter2@{nobody},{address}/postgres?application_name=shop");
    let why = refused(&url).await;
    assert!(why.contains("MIGRATIONS"), "it came as far as the tables: {why}");
    PostgresStore::connect(&format!("postgres://hardtack@{nobody},{address}/postgres")).await.unwrap();
}

/// To another machine the connection is encrypted, or the URL says that it is not.
#[tokio::test]
async fn a_server_must_prove_its_name() {
    let postgres = Postgres::start();
    let data = postgres.socket().join("data");
    let why = refused(&format!("{}?sslmode=require", postgres.url("postgres"))).await;
    assert!(why.contains("turn ssl on there") && why.contains("sslmode=disable"), "{why}");

    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let one = rcgen::generate_simple_self_signed(names).unwrap();
    give(&data, "server.crt", &one.cert.pem());
    give(&data, "server.key", &one.signing_key.serialize_pem());
    postgres.psql("postgres", "ALTER SYSTEM SET ssl = on");
    postgres.restart();
    let folder = tempfile::tempdir().unwrap();
    let (theirs, others) = (folder.path().join("theirs.pem"), folder.path().join("others.pem"));
    fs::write(&theirs, one.cert.pem()).unwrap();
    fs::write(&others, rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap().cert.pem()).unwrap();
    let url = |query: &str| format!("{}?{query}", postgres.url("postgres"));

    for query in ["sslmode=require", "sslmode=verify-full", &format!("sslrootcert={}", others.display())] {
        let why = refused(&url(query)).await;
        assert!(why.contains("certificate") && why.contains("?sslrootcert=FILE"), "{query}: {why}");
    }
    for file in [folder.path().join("nothing.pem"), data.join("pg_hba.conf")] {
        let why = refused(&url(&format!("sslrootcert={}", file.display()))).await;
        assert!(why.contains("certificates in PEM"), "{why}");
    }
    let encrypted = "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
        WHERE application_name = 'hardtack'";
    for query in
        [format!("sslrootcert={}", theirs.display()), format!("sslmode=require&sslrootcert={}", theirs.display())]
    {
        let store = PostgresStore::connect(&url(&query)).await.unwrap();
        assert_eq!(store.epoch().await.unwrap(), 0);
        assert_eq!(postgres.psql("postgres", encrypted), "t");
    }
    // On this machine nobody is in between.
    PostgresStore::connect(&postgres.url("postgres")).await.unwrap();
}

/// Puts a file into the server's folder, for the server.
fn give(folder: &Path, name: &str, text: &str) {
    let (file, owner) = (folder.join(name), fs::metadata(folder).unwrap());
    fs::write(&file, text).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    chown(&file, Some(owner.uid()), Some(owner.gid())).unwrap();
}
