//! The servers of this crate are what they are said to be; above all, none is left behind.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::{
    env, fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    process::{Command, Stdio},
};

use hardtack_engines::{Postgres, Proxy, Redis, RedisCluster, wait_until};

#[test]
fn a_redis_keeps_what_it_has_written_over_a_kill() {
    let redis = Redis::start_with(&["--appendonly", "yes", "--appendfsync", "always"]);
    assert_eq!(redis.cli(&["set", "name", "ada"]), "OK");
    redis.kill();
    assert!(TcpStream::connect(redis.address()).is_err());
    redis.restart();
    assert_eq!(redis.cli(&["get", "name"]), "ada");
}

#[test]
fn a_redis_that_is_paused_takes_connections_and_answers_when_it_goes_on() {
    let redis = Redis::start();
    redis.pause();
    let mut stream = TcpStream::connect(redis.address()).unwrap();
    stream.write_all(b"PING\r\n").unwrap();
    redis.resume();
    let mut answer = [0; 7];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"+PONG\r\n");
}

#[test]
fn a_redis_with_a_password_has_it_in_its_address() {
    let redis = Redis::start_with(&["--requirepass", "s3cret"]);
    assert!(redis.url().starts_with("redis://:s3cret@127.0.0.1:"));
    assert_eq!(redis.cli(&["ping"]), "PONG");
}

#[test]
fn a_cluster_finds_every_key_and_survives_a_master() {
    let cluster = RedisCluster::start(3, 1);
    assert_eq!(cluster.urls().len(), 6);
    for name in ["a", "b", "c", "d"] {
        assert_eq!(cluster.node(0).cli(&["-c", "set", name, name]), "OK");
    }
    cluster.replicas_catch_up();
    cluster.node(0).kill();
    cluster.wait_until_replaced(0);
    for name in ["a", "b", "c", "d"] {
        assert_eq!(cluster.node(1).cli(&["-c", "get", name]), name);
    }
}

#[test]
fn a_postgres_keeps_what_it_has_committed_over_every_end() {
    let postgres = Postgres::start();
    let url = postgres.new_database();
    assert!(url.ends_with("/test_0") && postgres.new_database().ends_with("/test_1"), "{url}");
    postgres.psql("test_0", "CREATE TABLE t (n int)");
    for end in [Postgres::stop, Postgres::kill] {
        postgres.psql("test_0", "INSERT INTO t VALUES (1)");
        end(&postgres);
        assert!(TcpStream::connect(postgres.address()).is_err());
        postgres.start_again();
    }
    postgres.restart();
    postgres.pause();
    postgres.resume();
    assert_eq!(postgres.psql("test_0", "SELECT sum(n) FROM t"), "2");
}

#[test]
fn a_proxy_carries_and_cuts() {
    let redis = Redis::start();
    let proxy = Proxy::to(redis.address());
    let connect = || BufReader::new(TcpStream::connect(proxy.address()).unwrap());
    let ask = |stream: &mut BufReader<TcpStream>, what: &str| {
        let mut answer = String::new();
        let sent = stream.get_mut().write_all(format!("{what}\r\n").as_bytes());
        sent.and_then(|()| stream.read_line(&mut answer)).map_or(String::new(), |_| answer)
    };
    let mut stream = connect();
    assert_eq!(ask(&mut stream, "PING"), "+PONG\r\n");
    proxy.cut();
    assert_eq!(ask(&mut stream, "PING"), "");

    let mut stream = connect();
    proxy.lose_reply_to("INCR");
    assert_eq!(ask(&mut stream, "PING"), "+PONG\r\n");
    assert_eq!(ask(&mut stream, "INCR n"), "", "its reply is lost");
    assert_eq!((proxy.lost(), &*redis.cli(&["get", "n"])), (1, "1"), "and it was done");

    let (mut stream, mut other) = (connect(), connect());
    assert_eq!(ask(&mut other, "PING"), "+PONG\r\n");
    proxy.cut_after(3);
    assert_eq!(ask(&mut stream, "INCR n") + &ask(&mut other, "PING"), "", "all are cut");
    assert_eq!(redis.cli(&["get", "n"]), "1", "in the middle of a request");
    assert_eq!(ask(&mut connect(), "INCR n"), ":2\r\n");
}

#[test]
fn a_proxy_holds_back_and_swallows() {
    let redis = Redis::start();
    let proxy = Proxy::to(redis.address());
    let mut stream = TcpStream::connect(proxy.address()).unwrap();
    let mut answer = [0; 4];
    proxy.hold();
    stream.write_all(b"INCR n\r\n").unwrap();
    assert_eq!(redis.cli(&["get", "n"]), "");
    proxy.resume();
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b":1\r\n");

    proxy.black_hole();
    let mut new = TcpStream::connect(proxy.address()).unwrap();
    for stream in [&mut stream, &mut new] {
        stream.write_all(b"INCR n\r\n").unwrap();
    }
    wait_until("both are there", || proxy.connections() == 2);
    proxy.resume();
    for mut stream in [stream, new] {
        assert!(!matches!(stream.read(&mut answer), Ok(1..)), "nothing comes out of a black hole");
    }
    assert_eq!(redis.cli(&["get", "n"]), "1");
}

const ROLE: &str = "HARDTACK_ENGINES_VICTIM";

/// Plays the test that is killed, when this program is started for it.
#[test]
fn a_test_that_is_killed_leaves_no_server_and_no_folder() {
    if env::var_os(ROLE).is_some() {
        let (redis, postgres) = (Redis::start(), Postgres::shared());
        println!("\nservers {} {} {}", redis.address(), postgres.address(), postgres.socket().display());
        redis.pause();
        std::thread::park();
    }
    let mut victim = Command::new(env::current_exe().unwrap())
        .args(["--exact", "--nocapture", "a_test_that_is_killed_leaves_no_server_and_no_folder"])
        .env(ROLE, "")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(victim.stdout.take().unwrap()).lines().map(Result::unwrap);
    let told = lines.find_map(|line| line.strip_prefix("servers ").map(str::to_owned)).expect("servers");
    let [redis, postgres, folder] = told.split(' ').collect::<Vec<_>>().try_into().unwrap();
    victim.kill().unwrap();
    victim.wait().unwrap();
    for address in [redis, postgres] {
        wait_until(&format!("nobody listens on {address}"), || TcpStream::connect(address).is_err());
    }
    wait_until("the folder is gone", || !Path::new(folder).exists());
    wait_until("no process is left", || {
        let processes = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
        let mut commands = processes.filter_map(|process| fs::read_to_string(process.path().join("cmdline")).ok());
        !commands.any(|command| command.contains(folder))
    });
}
