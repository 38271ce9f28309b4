//! The password of a store is nobody's business but the store's.

use hardtack_engines::{Postgres, Proxy, Redis};

use crate::site::{PASSWORD, Site, Town, answer, command};

const SECRET: &str = "s3cret-of-the-store";

/// The address of a PostgreSQL whose clients send a password, which this server does not look at.
fn postgres_with_password(address: std::net::SocketAddr, database: &str) -> String {
    format!("postgres://hardtack:{SECRET}@{address}/{database}?sslmode=disable")
}

/// F13: not at start-up, on no page, and in no log, however talkative, also while the store is away.
fn says_nothing_of_the_password(town: &Town, shown: &str, break_it: impl FnOnce()) {
    let site: Site = town.machine_with_variable(&[]);
    assert!(site.told.contains(shown), "{}", site.told);
    let mut visitor = site.signed_in();
    let mut said = vec![site.told.clone()];
    said.extend(["/", "/protected", "/devices", "/lab", "/api/session"].map(|page| visitor.get(page).body));
    said.push(town.sessions(&["list"]).out);
    break_it();
    let failed = visitor.get("/protected");
    assert_eq!(failed.status, 503);
    said.push(failed.body);
    assert_eq!(site.visitor().get("/login").status, 200, "who brings no cookie needs no store");
    assert_eq!(site.visitor().get("/healthz").status, 200, "the process is well");
    let listed = town.sessions(&["list"]);
    assert_eq!(listed.text(2), "");
    assert!(listed.err.contains(shown), "the operator is told which store does not work: {}", listed.err);
    said.extend([listed.out, listed.err, site.log()]);
    let folder = tempfile::TempDir::new().unwrap();
    let refused = answer(
        command().args(["demo", "--listen", "127.0.0.1:0", "--data"]).arg(folder.path()).args(["--store", &town.store]),
    );
    said.extend([refused.text(2).to_owned(), refused.err]);
    for said in said {
        assert!(!said.contains(SECRET) && !said.contains(PASSWORD), "{said}");
    }
}

#[test]
fn the_password_of_a_redis_is_nowhere_to_be_seen() {
    let redis = Redis::start_with(&["--requirepass", SECRET]);
    let town = Town::new(redis.url());
    says_nothing_of_the_password(&town, &format!("redis://{}", redis.address()), || redis.kill());
}

#[test]
fn the_password_of_a_postgres_is_nowhere_to_be_seen() {
    let postgres = Postgres::start();
    let town = Town::new(postgres_with_password(postgres.address(), "postgres"));
    let shown = format!("postgres://{}/postgres", postgres.address());
    says_nothing_of_the_password(&town, &shown, || postgres.stop());
}

/// A command does not wait for ever for a server that takes connections and does not answer.
#[test]
fn a_store_that_does_not_answer_is_an_error_at_start() {
    let (redis, postgres) = (Redis::start(), Postgres::shared());
    let holes = [Proxy::to(redis.address()), Proxy::to(postgres.address())];
    holes.iter().for_each(Proxy::black_hole);
    let addresses =
        [format!("redis://:{SECRET}@{}", holes[0].address()), postgres_with_password(holes[1].address(), "postgres")];
    for address in addresses {
        let town = Town::new(address);
        let listed = town.sessions(&["list"]);
        assert_eq!(listed.text(2), "");
        assert!(listed.err.contains("127.0.0.1") && !listed.err.contains(SECRET), "{}", listed.err);
    }
}

/// C09: a copy of the store signs nobody in and shows no data.
#[test]
fn a_dump_of_the_store_holds_no_cookie_and_no_data() {
    let (redis, postgres) = (Redis::start(), Postgres::shared());
    let database = postgres.new_database();
    let name = database.rsplit('/').next().unwrap().to_owned();
    let dump_of_redis = || {
        let keys = redis.cli(&["--scan"]);
        let values = keys.lines().flat_map(|key| {
            ["get", "hgetall"]
                .map(|read| redis.cli(&["--no-raw", read, key]))
                .into_iter()
                .chain([redis.cli(&["--no-raw", "zrange", key, "0", "-1"]), redis.cli(&["--no-raw", "smembers", key])])
        });
        format!("{keys}{}", values.collect::<String>())
    };
    let dump_of_postgres = || {
        let tables = postgres.psql(&name, "SELECT table_schema || '.' || table_name FROM information_schema.tables WHERE table_schema NOT IN ('pg_catalog', 'information_schema')");
        tables
            .lines()
            .map(|table| {
                postgres.psql(&name, &format!("SELECT encode(convert_to(t::text, 'UTF8'), 'escape') FROM {table} t"))
            })
            .collect::<String>()
    };
    let dumps: [(String, &dyn Fn() -> String); 2] =
        [(redis.url(), &dump_of_redis), (database.clone(), &dump_of_postgres)];
    for (address, dump) in dumps {
        let town = Town::new(address);
        let site = town.machine(&[]);
        let mut visitor = site.signed_in();
        visitor.post_json("/api/session/store", r#"{"note":"s3cret-note"}"#);
        let (dump, cookie) = (dump(), visitor.cookie.clone().unwrap());
        let holds = |text: &str| dump.contains(text) || dump.contains(&hex::encode(text));
        assert!(holds("keeper"), "the control: an owner is there in clear: {dump}");
        for secret in ["s3cret-note", PASSWORD, &cookie, &cookie[..24]] {
            assert!(!holds(secret), "{secret}: {dump}");
        }
    }
}
