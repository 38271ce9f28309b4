//! Fault 5: processes that write to a store's file are killed at random moments. What they were told had happened
//! has happened, what had not is whole or absent, and the file is sound.
#![cfg(all(unix, feature = "sqlite"))]
#![allow(clippy::unwrap_used, missing_docs)]

use std::{
    collections::BTreeMap,
    fmt::Display,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    time::Duration,
};

use futures_util::future::join_all;
use hardtack::store::{Admission, Created, Facts, Replaced, Row, SqliteStore, Store, StoreKey};
use rand::RngExt;
use rusqlite::Connection;

const CHILD: &str = "HARDTACK_TEST_CHILD";
const FILE: &str = "HARDTACK_TEST_FILE";
const LOOPS: usize = 20;
const WRITERS: u64 = 8;
const NOW: u64 = 1_800_000_000_000;
const HOUR: u64 = 3_600_000;

/// Keys tell who made them and when.
fn key(child: u64, writer: u64, number: u64) -> StoreKey {
    let numbers = u128::from(child) << 64 | u128::from(writer) << 32 | u128::from(number);
    // An odd factor gives every number a key of its own, anywhere.
    StoreKey::from_bytes(numbers.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835).to_be_bytes())
}

/// The row that belongs under a key in a version: its data says both, many times, so that a mixed one is seen.
fn row(key: StoreKey, version: u64, owner: &str) -> Row {
    let facts = Facts {
        version,
        generation: version as u32,
        remembered: false,
        epoch: 0,
        created: NOW,
        authenticated: NOW,
        renewed: version,
        absolute_deadline: NOW + 24 * HOUR,
    };
    let length = 1 + (version as usize * 97) % 200;
    let data = [&key.as_bytes()[..], &version.to_be_bytes()].concat().repeat(length);
    Row::new(facts, Some(owner), Some(&format!("version {version}")), &data, NOW, NOW + HOUR)
}

fn owner(child: u64, writer: u64) -> String {
    format!("owner {child}/{writer}")
}

/// What the parent knows of one session.
#[derive(Default)]
struct Told {
    /// The highest version that was acknowledged.
    acknowledged: Option<u64>,
    /// The highest version that was begun.
    begun: u64,
    ending_begun: bool,
    ended: bool,
}

#[test]
fn what_was_acknowledged_survives_the_kill() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sessions.db");
    let mut sessions = BTreeMap::new();
    let mut epochs = BTreeMap::new();
    let mut acknowledged = 0;
    for round in 0..LOOPS as u64 {
        // Two processes at once, of which one outlives the other by a little.
        let children = [2 * round, 2 * round + 1].map(|number| (number, spawn(&file, number)));
        std::thread::scope(|scope| {
            let said = children.map(|(number, child)| (number, scope.spawn(move || listen_and_kill(child))));
            for (number, said) in said {
                for line in said.join().unwrap() {
                    acknowledged += usize::from(hear(number, &line, &mut sessions, &mut epochs));
                }
            }
        });
        let sound: String =
            Connection::open(&file).unwrap().query_row("PRAGMA integrity_check", (), |row| row.get(0)).unwrap();
        assert_eq!(sound, "ok");
        verify(&file, round, &sessions, &epochs);
    }
    println!("{acknowledged} acknowledged writes to {} sessions in {LOOPS} rounds", sessions.len());
    assert!(acknowledged > LOOPS * 20, "{acknowledged}");
    for what in [|told: &Told| told.ended, |told: &Told| told.acknowledged.is_some() && !told.ending_begun] {
        assert!(sessions.values().filter(|told| what(told)).count() > LOOPS, "the children did too little");
    }
}

fn spawn(file: &Path, number: u64) -> Child {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "child_writes_until_it_is_killed", "--ignored", "--nocapture"]);
    child.env(CHILD, number.to_string()).env(FILE, file).stdout(Stdio::piped()).stderr(Stdio::inherit());
    child.spawn().unwrap()
}

/// Kills the child after a random number of lines and up to three milliseconds, which is any point of a commit;
/// answers all whole lines that it said.
fn listen_and_kill(mut child: Child) -> Vec<String> {
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let lines = rand::rng().random_range(50..1_500);
    let mut said: Vec<_> = (0..lines).map_while(|_| whole_line(&mut out)).collect();
    std::thread::sleep(Duration::from_micros(rand::rng().random_range(0..3_000)));
    child.kill().unwrap();
    said.extend(std::iter::from_fn(|| whole_line(&mut out)));
    let status = child.wait().unwrap();
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(9), "{status}");
    said
}

fn whole_line(out: &mut BufReader<ChildStdout>) -> Option<String> {
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    line.strip_suffix('\n').map(Into::into)
}

type Sessions = BTreeMap<(u64, u64, u64), Told>;

/// Notes what a child said; whether it was an acknowledgement.
fn hear(child: u64, line: &str, sessions: &mut Sessions, epochs: &mut BTreeMap<(u64, u64), u64>) -> bool {
    let words: Vec<_> = line.split(' ').collect();
    let number = |word: usize| words[word].parse::<u64>().unwrap();
    let [stage @ ("begin" | "done"), call, ..] = words[..] else { return false };
    let is_done = stage == "done";
    match call {
        "write" => {
            let told = sessions.entry((child, number(2), number(3))).or_default();
            let version = number(4);
            if is_done {
                told.acknowledged = told.acknowledged.max(Some(version));
            } else {
                told.begun = told.begun.max(version);
            }
        }
        "delete" => {
            let told = sessions.entry((child, number(2), number(3))).or_default();
            told.ending_begun = true;
            told.ended |= is_done;
        }
        "end" => {
            // All that the writer made before this line. It does one thing at a time.
            let of_writer = (child, number(2), 0)..(child, number(2) + 1, 0);
            for (_, told) in sessions.range_mut(of_writer) {
                told.ending_begun = true;
                told.ended |= is_done;
            }
            if is_done {
                epochs.insert((child, number(2)), number(3));
            }
        }
        other => panic!("{other}"),
    }
    is_done
}

fn verify(file: &Path, round: u64, sessions: &Sessions, epochs: &BTreeMap<(u64, u64), u64>) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let store = SqliteStore::open(file).unwrap();
        for (&(child, writer, number), told) in sessions {
            let key = key(child, writer, number);
            let Some(found) = store.load(key, NOW).await.unwrap() else {
                assert!(told.ending_begun || told.acknowledged.is_none(), "an acknowledged session is lost");
                continue;
            };
            assert!(!told.ended, "an ended session is back");
            let version = found.facts().version;
            assert!(Some(version) >= told.acknowledged && version <= told.begun, "{version}");
            assert_eq!(found, row(key, version, &owner(child, writer)), "a record is mixed");
        }
        let highest = epochs.values().max().copied().unwrap_or_default();
        assert!(store.epoch().await.unwrap() >= highest);
        let known = sessions.keys().map(|&(child, writer, number)| key(child, writer, number));
        let known: std::collections::BTreeSet<_> = known.collect();
        let all = store.scan(None, usize::MAX).await.unwrap();
        assert!(all.iter().all(|(key, _)| known.contains(key)), "a row from nowhere");

        // The rest writes, so it is for the latest children alone.
        let is_new = |child: &u64| child / 2 == round;
        let ended = sessions.iter().filter(|((child, ..), told)| is_new(child) && told.ended);
        join_all(ended.map(async |(&(child, writer, number), _)| {
            let (key, admission) = (key(child, writer, number), Admission { epoch: u64::MAX, limit: None });
            let again = store.create(key, row(key, 1, "nobody"), admission, NOW).await.unwrap();
            assert_eq!(again, Created::Exists, "an ended session was made again");
        }))
        .await;
        for (&(child, writer), epoch) in epochs.iter().filter(|((child, _), _)| is_new(child)) {
            let (key, admission) = (key(child, writer, 1 << 31), Admission { epoch: epoch - 1, limit: None });
            let late = store.create(key, row(key, 1, &owner(child, writer)), admission, NOW).await.unwrap();
            assert_eq!(late, Created::OwnerEnded);
        }
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "run by what_was_acknowledged_survives_the_kill"]
async fn child_writes_until_it_is_killed() {
    let child = std::env::var(CHILD).unwrap().parse().unwrap();
    let store = SqliteStore::open(std::env::var_os(FILE).unwrap()).unwrap();
    // Whatever the test's harness has written so far ends here.
    say("");
    let writers = (0..WRITERS).map(|writer| tokio::spawn(write_for_ever(store.clone(), child, writer)));
    join_all(writers).await.into_iter().for_each(|writer| writer.unwrap());
}

/// Says what it begins and what was acknowledged, a line each, whole.
fn say(line: impl Display) {
    std::io::stdout().lock().write_all(format!("{line}\n").as_bytes()).unwrap();
}

async fn write_for_ever(store: SqliteStore, child: u64, writer: u64) {
    let owner = owner(child, writer);
    let mut epoch = 0;
    // Number and version of what is there.
    let mut live: Vec<(u64, u64)> = Vec::new();
    for number in 0.. {
        let new = key(child, writer, number);
        say(format_args!("begin write {writer} {number} 1"));
        let admission = Admission { epoch, limit: None };
        assert_eq!(store.create(new, row(new, 1, &owner), admission, NOW).await.unwrap(), Created::Created);
        say(format_args!("done write {writer} {number} 1"));
        live.push((number, 1));

        for _ in 0..3 {
            let place = rand::rng().random_range(0..live.len());
            let (number, version) = &mut live[place];
            let some = key(child, writer, *number);
            *version += 1;
            say(format_args!("begin write {writer} {number} {version}"));
            let after = row(some, *version, &owner);
            assert_eq!(store.replace(some, *version - 1, after, NOW).await.unwrap(), Replaced::Replaced);
            say(format_args!("done write {writer} {number} {version}"));
        }
        if number % 3 == 2 {
            let (number, _) = live.swap_remove(rand::rng().random_range(0..live.len()));
            say(format_args!("begin delete {writer} {number}"));
            assert!(store.delete(key(child, writer, number), NOW + HOUR).await.unwrap());
            say(format_args!("done delete {writer} {number}"));
        }
        if number % 16 == 15 {
            say(format_args!("begin end {writer}"));
            epoch = store.end_owner(&owner, None, NOW + HOUR).await.unwrap();
            say(format_args!("done end {writer} {epoch}"));
            live.clear();
        }
    }
}
