//! What is SQLite's own in the store in a file: processes, crashes of neighbours, faults of the disk, indexes
//! and who may read it. What every store promises is tested elsewhere.
#![cfg(feature = "sqlite")]
#![allow(clippy::unwrap_used, missing_docs)]

mod common;
mod independent;

use std::{
    fs,
    path::{Path, PathBuf},
    pin::{Pin, pin},
    process::{Command, Stdio},
    task::Poll,
    time::Duration,
};

use common::{NOTE, START, wait};
use futures_util::future::join_all;
use hardtack::{
    BuildError, Key, Keyring, Session, Sessions,
    store::{Admission, Beyond, Created, DeviceLimit, Facts, Replaced, Row, SqliteStore, Store, StoreKey},
};
use independent::Seal;
use rusqlite::Connection;

const OPEN: Admission = Admission { epoch: u64::MAX, limit: None };
const HOUR: u64 = 3_600_000;

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("sessions.db")
    }

    fn store(&self) -> SqliteStore {
        SqliteStore::open(self.file()).unwrap()
    }

    /// Waits until nobody has the file open: the thread of the last clone closes it, and SQLite then tidies its log away.
    fn is_closed(&self) {
        let log = self.file().with_extension("db-wal");
        for _ in 0..6_000 {
            if !log.exists() {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("something still holds the file after a minute");
    }

    /// Another program that uses the file.
    fn neighbour(&self) -> Connection {
        let neighbour = Connection::open(self.file()).unwrap();
        neighbour.busy_timeout(Duration::from_secs(10)).unwrap();
        neighbour
    }

    fn refusal(&self) -> String {
        match SqliteStore::open(self.file()) {
            Err(error @ BuildError::StoreFile { .. }) => error.to_string(),
            other => panic!("{other:?}"),
        }
    }
}

fn key(number: u64) -> StoreKey {
    StoreKey::from_bytes(u128::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835).to_be_bytes())
}

fn row(version: u64, owner: Option<&str>) -> Row {
    let facts = Facts {
        version,
        generation: 1,
        remembered: false,
        epoch: 0,
        created: START,
        authenticated: START,
        renewed: 0,
        absolute_deadline: START + 24 * HOUR,
    };
    Row::new(facts, owner, Some("Firefox"), format!("sealed {version}").as_bytes(), START, START + HOUR)
}

fn create(store: &SqliteStore, number: u64, row: Row) -> Created {
    wait(store.create(key(number), row, OPEN, START)).unwrap()
}

fn load(store: &SqliteStore, number: u64) -> Option<Row> {
    wait(store.load(key(number), START)).unwrap()
}

/// Begins a call, which then waits.
async fn poll_once<F: Future>(mut future: Pin<&mut F>) -> Poll<F::Output> {
    std::future::poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await
}

/// Every number, also one that SQLite has none for, comes back exactly: the sealed data is bound to it. Times
/// without end neither overflow nor end.
#[test]
fn a_row_comes_back_as_it_was() {
    let folder = Folder::new();
    let most = u64::MAX;
    let facts = Facts {
        version: most,
        generation: u32::MAX,
        remembered: true,
        epoch: most - 1,
        created: 1 << 63,
        authenticated: (1 << 63) - 1,
        renewed: 0,
        absolute_deadline: most,
    };
    let extreme = Row::new(facts, Some("ada\0'; DROP TABLE sessions --"), None, &[0, 255, 0], most - 1, most);
    let empty = Row::new(facts, None, Some("Ünïcode"), &[], 1 << 63, (1 << 63) + 1);
    let store = folder.store();
    assert_eq!(create(&store, 1, extreme.clone()), Created::Created);
    assert_eq!(create(&store, 2, empty.clone()), Created::Created);
    drop(store);
    let store = folder.store();
    assert_eq!(load(&store, 1), Some(extreme.clone()));
    assert_eq!(load(&store, 2), Some(empty.clone()));
    assert_eq!(wait(store.load(key(2), 1 << 63)).unwrap(), Some(empty.clone()));
    assert_eq!(wait(store.load(key(2), (1 << 63) + 1)).unwrap(), None);
    assert_eq!(wait(store.purge(most - 1, 10)).unwrap(), 0);
    wait(store.touch(key(2), most, most)).unwrap();
    assert_eq!(load(&store, 2), Some(empty.touched(most, most)));
    let other = wait(store.owned_by(extreme.owner().unwrap(), START)).unwrap();
    assert_eq!(other, [(key(1), extreme)]);
}

/// E07, E08: two processes on one file are one store: what one has ended is ended for the other at once.
#[test]
fn two_nodes_on_one_file_are_one_store() {
    let folder = Folder::new();
    let (here, there) = (folder.store(), folder.store());
    assert_eq!(create(&here, 1, row(1, Some("ada"))), Created::Created);
    assert_eq!(create(&there, 1, row(1, Some("eve"))), Created::Exists);
    let replaced = wait(there.replace(key(1), 1, row(2, Some("eve")), START)).unwrap();
    assert_eq!((replaced, load(&here, 1)), (Replaced::Replaced, Some(row(2, Some("ada")))), "the owner stays");
    assert_eq!(wait(here.replace(key(1), 1, row(2, None), START)).unwrap(), Replaced::Conflict);
    assert!(wait(here.delete(key(1), START + HOUR)).unwrap());
    assert_eq!(load(&there, 1), None);
    assert_eq!(wait(there.replace(key(1), 2, row(3, None), START)).unwrap(), Replaced::Gone);
    wait(there.touch(key(1), START, START + HOUR)).unwrap();
    assert_eq!(create(&there, 1, row(1, None)), Created::Exists);
    assert_eq!(load(&here, 1), None);

    let before = wait(there.epoch()).unwrap();
    assert_eq!(wait(here.end_owner("ada", None, START + HOUR)).unwrap(), before + 1);
    assert_eq!(wait(there.epoch()).unwrap(), before + 1);
    let late = Admission { epoch: before, limit: None };
    assert_eq!(wait(there.create(key(2), row(1, Some("ada")), late, START)).unwrap(), Created::OwnerEnded);
    let devices = DeviceLimit { most: 1, beyond: Beyond::Refuse };
    let admission = Admission { epoch: before + 1, limit: Some(devices) };
    assert_eq!(wait(there.create(key(3), row(1, Some("ada")), admission, START)).unwrap(), Created::Created);
    assert_eq!(wait(here.create(key(4), row(1, Some("ada")), admission, START)).unwrap(), Created::LimitReached);
}

/// Rule 2: increments by a crowd on two nodes are all there, and every epoch is given once.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_crowd_on_two_nodes_loses_no_write() {
    let folder = Folder::new();
    let nodes = [folder.store(), folder.store()];
    nodes[0].create(key(1), row(0, None), OPEN, START).await.unwrap();
    let work = (0..20).map(|worker| {
        let store = nodes[worker % 2].clone();
        tokio::spawn(async move {
            for _ in 0..10 {
                while {
                    let version = store.load(key(1), START).await.unwrap().unwrap().facts().version;
                    store.replace(key(1), version, row(version + 1, None), START).await.unwrap() != Replaced::Replaced
                } {}
            }
            store.end_owner(&format!("owner {worker}"), None, START).await.unwrap()
        })
    });
    let mut epochs: Vec<_> = join_all(work).await.into_iter().map(Result::unwrap).collect();
    epochs.sort_unstable();
    assert_eq!(epochs, (1..=20).collect::<Vec<_>>());
    assert_eq!(nodes[1].load(key(1), START).await.unwrap(), Some(row(200, None)));
}

/// Many processes that start at once make one store.
#[test]
fn a_crowd_that_opens_a_new_file_makes_one_store() {
    for _ in 0..10 {
        let folder = Folder::new();
        std::thread::scope(|scope| {
            for number in 0..8 {
                let folder = &folder;
                scope.spawn(move || assert_eq!(create(&folder.store(), number, row(1, None)), Created::Created));
            }
        });
        assert_eq!(wait(folder.store().scan(None, 100)).unwrap().len(), 8);
    }
}

/// J05: while another process writes, reads are answered, and writes when it is done.
#[tokio::test]
async fn reads_go_on_beside_a_writer() {
    let folder = Folder::new();
    let store = folder.store();
    store.create(key(1), row(1, Some("ada")), OPEN, START).await.unwrap();
    let neighbour = folder.neighbour();
    neighbour.execute_batch("BEGIN IMMEDIATE; DELETE FROM sessions").unwrap();
    let mut delete = pin!(store.delete(key(1), START + HOUR));
    assert!(poll_once(delete.as_mut()).await.is_pending());
    for _ in 0..100 {
        assert_eq!(store.load(key(1), START).await.unwrap(), Some(row(1, Some("ada"))));
        assert_eq!(store.owned_by("ada", START).await.unwrap().len(), 1);
    }
    assert_eq!(store.epoch().await.unwrap(), 0);
    assert!(poll_once(delete.as_mut()).await.is_pending());
    neighbour.execute_batch("ROLLBACK").unwrap();
    assert!(delete.await.unwrap());
    assert_eq!(store.load(key(1), START).await.unwrap(), None);
}

/// J05, J06: behind a process that never ends its transaction, all who wait are told so, together; afterwards
/// the store works again.
#[tokio::test]
async fn a_file_that_stays_locked_is_an_error_and_not_for_ever() {
    let folder = Folder::new();
    let store = folder.store();
    let neighbour = folder.neighbour();
    neighbour.execute_batch("BEGIN IMMEDIATE").unwrap();
    let crowd = join_all((0..20).map(|number| store.create(key(number), row(1, None), OPEN, START))).await;
    assert!(crowd.iter().all(Result::is_err), "{crowd:?}");
    neighbour.execute_batch("COMMIT").unwrap();
    assert_eq!(store.scan(None, 100).await.unwrap(), []);
    assert_eq!(store.create(key(1), row(1, None), OPEN, START).await.unwrap(), Created::Created);
}

/// Writes that come together share commits, and so their syncs; each of them is there.
#[tokio::test]
async fn a_crowd_shares_a_commit() {
    let folder = Folder::new();
    let store = folder.store();
    let neighbour = folder.neighbour();
    neighbour.execute_batch("BEGIN IMMEDIATE").unwrap();
    let before = commits(&folder.file());
    let mut crowd = pin!(join_all((0..100).map(|number| store.create(key(number), row(1, None), OPEN, START))));
    assert!(poll_once(crowd.as_mut()).await.is_pending());
    neighbour.execute_batch("ROLLBACK").unwrap();
    assert!(crowd.await.into_iter().all(|created| created.unwrap() == Created::Created));
    assert_eq!(store.scan(None, 1_000).await.unwrap().len(), 100);
    let commits = commits(&folder.file()) - before;
    assert!((1..=2).contains(&commits), "{commits} commits: one may begin before all have come");
}

/// How many commits are in the log: frames that name the size of the file (sqlite.org/fileformat2.html#walformat).
fn commits(file: &Path) -> usize {
    let log = fs::read(file.with_extension("db-wal")).unwrap();
    let page = u32::from_be_bytes(log[8..12].try_into().unwrap()) as usize;
    log[32..].chunks_exact(24 + page).filter(|frame| frame[4..8] != [0; 4]).count()
}

/// A write that fails fails alone: its neighbours in the commit are whole, and nothing is left of it.
#[tokio::test]
async fn a_fault_of_one_write_is_its_own() {
    let folder = Folder::new();
    let store = folder.store();
    store.create(key(1), row(1, Some("ada")), OPEN, START).await.unwrap();
    let neighbour = folder.neighbour();
    // It strikes after the first rows of an ending of ada's sessions are buried.
    let fault =
        "CREATE TRIGGER fault BEFORE INSERT ON owners WHEN NEW.owner = 'ada' BEGIN SELECT RAISE(FAIL, 'no'); END";
    neighbour.execute_batch(fault).unwrap();
    neighbour.execute_batch("BEGIN IMMEDIATE").unwrap();
    let endings = ["bob", "ada", "eve"].map(|owner| store.end_owner(owner, None, START + HOUR));
    let creates = (10..30).map(|number| store.create(key(number), row(1, None), OPEN, START));
    let mut crowd = pin!(async { tokio::join!(join_all(endings), join_all(creates)) });
    assert!(poll_once(crowd.as_mut()).await.is_pending());
    neighbour.execute_batch("ROLLBACK").unwrap();
    let (endings, creates) = crowd.await;

    let epochs: Vec<_> = endings.iter().map(|ending| ending.as_ref().ok().copied()).collect();
    assert_eq!(epochs, [Some(1), None, Some(2)]);
    assert!(endings[1].as_ref().unwrap_err().to_string().contains("no"));
    assert!(creates.into_iter().all(|created| created.unwrap() == Created::Created));
    assert_eq!(store.load(key(1), START).await.unwrap(), Some(row(1, Some("ada"))), "not half ended");
    assert_eq!(store.scan(None, 100).await.unwrap().len(), 21);
    assert_eq!(store.epoch().await.unwrap(), 2);

    neighbour.execute_batch("DROP TRIGGER fault").unwrap();
    assert_eq!(store.end_owner("ada", None, START + HOUR).await.unwrap(), 3);
    assert_eq!(store.load(key(1), START).await.unwrap(), None);
}

/// Rule 5: a future that was never polled did nothing; one that was dropped while it waited did all of it, holds
/// nothing, and a later write comes after it.
#[tokio::test]
async fn a_dropped_write_happens_whole_or_not_at_all() {
    let folder = Folder::new();
    let store = folder.store();
    for number in 0..50 {
        store.create(key(number), row(1, Some("ada")), OPEN, START).await.unwrap();
    }
    drop(store.end_owner("ada", None, START + HOUR));
    let neighbour = folder.neighbour();
    neighbour.execute_batch("BEGIN IMMEDIATE").unwrap();
    {
        let mut ending = pin!(store.end_owner("ada", Some(key(7)), START + HOUR));
        assert!(poll_once(ending.as_mut()).await.is_pending());
    }
    neighbour.execute_batch("ROLLBACK").unwrap();
    assert_eq!(store.end_owner("bob", None, START + HOUR).await.unwrap(), 2);
    assert_eq!(store.owned_by("ada", START).await.unwrap(), [(key(7), row(1, Some("ada")).with_epoch(1))]);
}

/// A file from a newer program is refused, untouched, with a sentence that says so; so is what is no store.
#[test]
fn a_file_of_something_else_is_refused() {
    let folder = Folder::new();
    drop(folder.store());
    folder.is_closed();
    let neighbour = folder.neighbour();
    neighbour.execute_batch("PRAGMA user_version = 1000").unwrap();
    drop(neighbour);
    let before = fs::read(folder.file()).unwrap();
    let refusal = folder.refusal();
    assert!(refusal.contains("version 1000") && refusal.contains("newer program"), "{refusal}");
    assert_eq!(fs::read(folder.file()).unwrap(), before);

    let folder = Folder::new();
    folder.neighbour().execute_batch("CREATE TABLE users (name TEXT)").unwrap();
    let before = fs::read(folder.file()).unwrap();
    let refusal = folder.refusal();
    assert!(refusal.contains("a file of their own"), "{refusal}");
    assert_eq!(fs::read(folder.file()).unwrap(), before);

    let folder = Folder::new();
    fs::write(folder.file(), "This is a letter and no database, though it is as long as one. ".repeat(100)).unwrap();
    assert!(folder.refusal().contains("name a new file"), "{}", folder.refusal());

    let folder = Folder::new();
    fs::create_dir(folder.file()).unwrap();
    assert!(folder.refusal().contains("sessions.db"));
    let refusal = SqliteStore::open(":memory:").unwrap_err().to_string();
    assert!(refusal.contains("name a file"), "{refusal}");
    assert!(SqliteStore::open("").is_err());
}

/// An empty file, as `mktemp` or an earlier crash leaves it, becomes a store, and so does one in a folder that is not
/// there yet.
#[test]
fn an_empty_file_becomes_a_store() {
    let folder = Folder::new();
    fs::write(folder.file(), "").unwrap();
    create(&folder.store(), 1, row(1, None));
    assert_eq!(load(&folder.store(), 1), Some(row(1, None)));
    let deep = folder.0.path().join("not/there/sessions.db");
    create(&SqliteStore::open(&deep).unwrap(), 1, row(1, None));
    assert!(deep.exists());
}

/// The file and its log are their user's alone, whatever the umask says.
#[cfg(unix)]
#[test]
fn the_files_are_private() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    let store = folder.store();
    create(&store, 1, row(1, None));
    let files: Vec<_> = fs::read_dir(folder.0.path()).unwrap().map(Result::unwrap).collect();
    assert_eq!(files.len(), 3, "{files:?}");
    for file in files {
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{file:?}");
    }
}

/// The last clone takes the thread and the connections with it: SQLite then tidies its log away.
#[test]
fn the_last_clone_closes_the_file() {
    let folder = Folder::new();
    let store = folder.store();
    let clone = store.clone();
    create(&store, 1, row(1, None));
    let log = folder.file().with_extension("db-wal");
    drop(store);
    assert_eq!(load(&clone, 1), Some(row(1, None)));
    assert!(log.exists());
    drop(clone);
    folder.is_closed();
}

/// D08, TS-9: what is over is absent at once; a purge removes no more than it may, of everything, and nothing that
/// stands.
#[test]
fn a_purge_is_bounded() {
    let folder = Folder::new();
    let store = folder.store();
    for number in 0..10 {
        create(&store, number, row(1, Some("ada")));
        wait(store.delete(key(100 + number), START + HOUR)).unwrap();
        wait(store.end_owner(&format!("owner {number}"), None, START + HOUR)).unwrap();
    }
    wait(store.touch(key(0), START, START + 2 * HOUR)).unwrap();
    wait(store.delete(key(100), START + 2 * HOUR)).unwrap();
    wait(store.end_owner("owner 0", None, START + 2 * HOUR)).unwrap();
    wait(store.touch(key(1), START, START)).unwrap();

    let late = START + HOUR;
    assert_eq!(wait(store.purge(late - 1, 100)).unwrap(), 0);
    assert_eq!(wait(store.load(key(1), late)).unwrap(), None);
    assert_eq!(wait(store.owned_by("ada", late)).unwrap().len(), 1);
    assert_eq!(wait(store.scan(None, 100)).unwrap().len(), 10);
    let mut removed = Vec::new();
    while removed.last() != Some(&0) {
        removed.push(wait(store.purge(late, 8)).unwrap());
    }
    assert_eq!(removed, [8, 8, 8, 3, 0]);
    assert_eq!(wait(store.purge(late, 0)).unwrap(), 0);
    assert!(wait(store.load(key(0), late)).unwrap().is_some());
    assert_eq!(create(&store, 100, row(1, None)), Created::Exists);
    let early = Admission { epoch: 0, limit: None };
    assert_eq!(wait(store.create(key(50), row(1, Some("owner 0")), early, START)).unwrap(), Created::OwnerEnded);
    assert_eq!(wait(store.create(key(51), row(1, Some("owner 1")), early, START)).unwrap(), Created::Created);
}

/// A scan goes through all rows in pages, in the order of the keys, and over nothing twice.
#[test]
fn a_scan_has_pages() {
    let folder = Folder::new();
    let store = folder.store();
    (0..25).for_each(|number| assert_eq!(create(&store, number, row(1, None)), Created::Created));
    let (mut keys, mut after) = (Vec::new(), None);
    loop {
        let page = wait(store.scan(after, 10)).unwrap();
        keys.extend(page.iter().map(|(key, _)| *key));
        let Some((last, _)) = page.last() else { break };
        after = Some(*last);
    }
    assert!(keys.is_sorted_by(|one, next| one < next));
    assert_eq!(keys.len(), 25);
}

/// C09: whoever reads the files finds no value of a session and no id: nothing that a cookie could be made of.
#[test]
fn the_file_opens_no_session() {
    let folder = Folder::new();
    let text = Key::generate().unwrap().to_secret_text();
    let keys = || Keyring::new(Key::parse(&text).unwrap(), []).unwrap();
    let sessions = Sessions::stored(keys(), folder.store()).build().unwrap();
    let prepare = |session: &Session| {
        session.sign_in("ada");
        session.set(NOTE, "the cake is in the cellar".into());
    };
    let cookie = wait(sessions.cookie(prepare)).unwrap();
    let other = wait(sessions.cookie(prepare)).unwrap();
    let session = wait(sessions.begin([other.as_bytes()]).session()).unwrap();
    wait(sessions.end(&session.handle().unwrap())).unwrap();

    let files = fs::read_dir(folder.0.path()).unwrap().map(|file| fs::read(file.unwrap().path()).unwrap());
    let dump = files.collect::<Vec<_>>().concat();
    let holds = |bytes: &[u8]| dump.windows(bytes.len()).any(|window| window == bytes);
    assert!(holds(b"ada"), "this finds what is there");
    let value = cookie.split_once('=').unwrap().1;
    let id = Seal::new(&text).open(&cookie).id;
    let secrets: [&[u8]; 5] = [b"cellar", &id, &id[..8], value.as_bytes(), text.as_bytes()];
    for secret in secrets {
        assert!(!holds(secret), "{:?}", String::from_utf8_lossy(secret));
    }
    let again = Sessions::stored(keys(), folder.store()).build().unwrap();
    let session = wait(again.begin([cookie.as_bytes()]).session()).unwrap();
    assert_eq!(session.get(NOTE).as_deref(), Some("the cake is in the cellar"));
    assert!(!wait(again.begin([other.as_bytes()]).session()).unwrap().is_live());
}

/// J05: a damaged file is an error for those who meet the damage, not a panic and not "no session".
#[test]
fn a_damaged_file_is_an_error() {
    let folder = Folder::new();
    let store = folder.store();
    for number in 0..200 {
        create(&store, number, row(1, Some("ada")));
    }
    drop(store);
    folder.is_closed();
    let neighbour = folder.neighbour();
    let page = usize::from(neighbour.query_row("PRAGMA page_size", (), |row| row.get::<_, u16>(0)).unwrap());
    drop(neighbour);
    let mut bytes = fs::read(folder.file()).unwrap();
    let pages = bytes.len() / page;
    assert!(pages > 10);
    // The schema's page stays, or it would not open at all.
    bytes[page * 2..].fill(0x5a);
    fs::write(folder.file(), bytes).unwrap();
    let store = folder.store();
    assert!(wait(store.load(key(1), START)).is_err());
    assert!(wait(store.scan(None, 1_000)).is_err());
    assert!(wait(store.create(key(1_000), row(1, Some("ada")), OPEN, START)).is_err());
    assert!(wait(store.delete(key(1), START)).is_err());
    assert!(wait(store.end_owner("ada", None, START)).is_err());
}

const CHILD: &str = "HARDTACK_TEST_CHILD";

/// J05: a disk that takes no more makes writes errors, of which nothing is there afterwards; reads go on; and when
/// there is room again the store works, without a restart.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error_until_there_is_room() {
    let folder = Folder::new();
    // Its files may not grow beyond 300 KB; the signal is ignored, so that the write fails instead.
    let script = "trap '' XFSZ; ulimit -S -f 300; exec \"$0\" \"$@\"";
    let mut shell = Command::new("bash");
    shell.args(["-c", script]).arg(std::env::current_exe().unwrap());
    shell.args(["--exact", "child_fills_the_disk", "--ignored", "--nocapture"]).env(CHILD, folder.file());
    let output = shell.stdout(Stdio::piped()).stderr(Stdio::piped()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    let sound: String = folder.neighbour().query_row("PRAGMA integrity_check", (), |row| row.get(0)).unwrap();
    assert_eq!(sound, "ok");
}

#[cfg(target_os = "linux")]
#[tokio::test]
#[ignore = "run by a_full_disk_is_an_error_until_there_is_room"]
async fn child_fills_the_disk() {
    let store = SqliteStore::open(std::env::var_os(CHILD).unwrap()).unwrap();
    let large = |owner: &str| {
        let small = row(1, Some(owner));
        Row::new(*small.facts(), Some(owner), None, &[7; 3_000], START, START + HOUR)
    };
    let mut there = Vec::new();
    for round in 0..20 {
        let numbers = round * 20..round * 20 + 20;
        let crowd = numbers.clone().map(|number| store.create(key(number), large("ada"), OPEN, START));
        for (number, created) in numbers.zip(join_all(crowd).await) {
            if created.is_ok() {
                there.push(number);
            }
        }
    }
    assert!((10..390).contains(&there.len()), "{}", there.len());
    assert!(store.end_owner("ada", None, START + HOUR).await.is_err());
    assert!(store.delete(key(there[0]), START + HOUR).await.is_err());
    for number in 0..400 {
        let found = store.load(key(number), START).await.unwrap();
        assert_eq!(found.is_some(), there.contains(&number), "{number}");
    }
    assert_eq!(store.epoch().await.unwrap(), 0);

    let lifted =
        Command::new("prlimit").args(["--fsize=unlimited:", "--pid", &std::process::id().to_string()]).status();
    assert!(lifted.unwrap().success());
    assert_eq!(store.create(key(1_000), large("bob"), OPEN, START).await.unwrap(), Created::Created);
    assert_eq!(store.end_owner("ada", None, START + HOUR).await.unwrap(), 1);
    assert_eq!(store.owned_by("ada", START).await.unwrap(), []);
    assert_eq!(store.load(key(1_000), START).await.unwrap(), Some(large("bob")));
}
