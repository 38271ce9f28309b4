//! `hardtack keys`, as somebody at a shell sees it.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::{
    collections::BTreeSet,
    fs,
    io::Write,
    path::PathBuf,
    process::{Command, Stdio},
    thread,
};

use tempfile::TempDir;

struct Answer {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Answer {
    #[track_caller]
    fn ok(&self) -> &str {
        assert_eq!((self.code, &*self.err), (Some(0), ""), "{}", self.out);
        self.out.trim_end()
    }

    /// What is said by a command that could not do its work. Nothing else was printed.
    #[track_caller]
    fn failure(&self) -> &str {
        assert_eq!((self.code, &*self.out), (Some(2), ""), "{}", self.err);
        &self.err
    }
}

/// `hardtack keys` with a file of keys in a folder of its own.
struct Shell {
    folder: TempDir,
}

impl Shell {
    /// With a file that holds one active key.
    fn new() -> (Self, String) {
        let shell = Self { folder: TempDir::new().unwrap() };
        let key = generate();
        shell.write(&format!("active {key}\n"));
        (shell, key)
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("keys")
    }

    fn write(&self, text: &str) {
        fs::write(self.path(), text).unwrap();
        self.set_mode(0o600);
    }

    fn set_mode(&self, mode: u32) {
        #[cfg(unix)]
        fs::set_permissions(self.path(), std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
        #[cfg(not(unix))]
        let _ = mode;
    }

    fn text(&self) -> String {
        fs::read_to_string(self.path()).unwrap()
    }

    fn keys(&self, args: &[&str]) -> Answer {
        self.keys_with(args, "")
    }

    fn keys_with(&self, args: &[&str], input: &str) -> Answer {
        let (command, rest) = args.split_first().unwrap();
        let path = self.path();
        run(&[&["keys", command, "--keys", path.to_str().unwrap()], rest].concat(), "", input)
    }

    /// The lines of the list, as words.
    fn list(&self) -> Vec<Vec<String>> {
        let list = self.keys(&["list"]);
        list.ok().lines().map(|line| line.split_whitespace().map(str::to_owned).collect()).collect()
    }

    /// Ids and states.
    fn states(&self) -> BTreeSet<(String, String)> {
        self.list().into_iter().map(|words| (words[0].clone(), words[1].clone())).collect()
    }
}

fn run(args: &[&str], env: &str, input: &str) -> Answer {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hardtack"));
    command.args(args).env_remove("HARDTACK_KEYS");
    if !env.is_empty() {
        command.env("HARDTACK_KEYS", env);
    }
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    // A command that fails before it reads closes the pipe, which is no fault of the test.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Answer { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

fn generate() -> String {
    run(&["keys", "generate"], "", "").ok().to_owned()
}

/// The id of a key, as the environment's list shows it.
fn id(key: &str) -> String {
    run(&["keys", "list"], key, "").ok().split(' ').next().unwrap().to_owned()
}

fn pair(id: &str, state: &str) -> (String, String) {
    (id.to_owned(), state.to_owned())
}

/// The id at the beginning of an answer.
fn named(answer: &str) -> String {
    answer.split(' ').next().unwrap().to_owned()
}

/// F09: what is generated is a key, alone on its line, and another one every time.
#[test]
fn generate_prints_a_key_and_nothing_else() {
    let (one, two) = (generate(), generate());
    for key in [&one, &two] {
        assert!(key.len() == 48 && key.starts_with("htk1_") && !key.contains(char::is_whitespace), "{key}");
        assert_eq!(id(key).len(), 8);
    }
    assert_ne!(one, two);
}

/// F13: the list shows every key's id and state, the sealing one first, and no secret; so does every other command
/// but `generate`.
#[test]
fn no_command_shows_the_secret_of_a_key_in_the_file() {
    let (shell, active) = Shell::new();
    let (pending, retired, leaked) = (generate(), generate(), generate());
    shell.write(&format!(
        "retired {retired}\npending 99999999999999 {pending}\nactive {active}\nretired {leaked}\nrevoked 0a0b0c0d\n"
    ));
    let list = shell.list();
    assert_eq!(list[0], [&id(&active), "active"]);
    let seals = list.iter().find(|words| words[1] == "pending").unwrap();
    assert_eq!(
        (&seals[0], &seals[2..4], &*seals[5]),
        (&id(&pending), &["seals", "in"].map(str::to_owned)[..], "seconds")
    );
    assert!(list.contains(&vec![id(&retired), "retired".into()]));
    assert!(list.contains(&vec!["0a0b0c0d".into(), "revoked".into()]));
    let mut said = String::new();
    let again = format!("{leaked}\n");
    for (args, input) in [
        (vec!["list"], ""),
        (vec!["add"], ""),
        (vec!["import"], &*again),
        (vec!["retire", &*id(&pending)], ""),
        (vec!["activate", &*id(&pending)], ""),
        (vec!["revoke", &*id(&leaked)], ""),
        (vec!["revoke", "--replace", &*id(&active)], ""),
        (vec!["retire", &*active], ""),
        (vec!["list"], ""),
    ] {
        let answer = shell.keys_with(&args, input);
        said += &(answer.out + &answer.err);
    }
    // Whoever gives a secret where an id belongs has it repeated: that one is on his screen already.
    let said = said.replace(&format!("{active:?}"), "");
    for secret in [&active, &pending, &retired, &leaked] {
        assert!(!said.contains(&secret[5..]), "{said}");
    }
    assert!(!shell.text().contains(&leaked[5..]) && !shell.text().contains(&active[5..]), "revoked means gone");
}

/// G01, G02: a new key opens at once and seals later, five minutes unless said otherwise; the one before it retires
/// then.
#[test]
fn an_added_key_waits_until_every_server_has_read_it() {
    let (shell, active) = Shell::new();
    let added = shell.keys(&["add"]);
    assert!(added.ok().ends_with("added; it opens from the next reload and seals in 300 seconds"), "{}", added.out);
    let added = named(added.ok());
    assert_eq!(shell.states(), [pair(&id(&active), "active"), pair(&added, "pending")].into());
    let left: u64 = shell.list()[1][4].parse().unwrap();
    assert!((1..=300).contains(&left), "{left}");

    let later = shell.keys(&["add", "--in", "86400"]);
    assert!(later.ok().ends_with("seals in 86400 seconds"));
    for sooner in ["0", "30", "149"] {
        let before = shell.text();
        let refused = shell.keys(&["add", "--in", sooner]);
        assert!(refused.failure().contains("at least 150 seconds ahead"), "{}", refused.err);
        assert_eq!(shell.text(), before);
    }
    assert!(shell.keys(&["add", "--in", "150"]).ok().ends_with("seals in 150 seconds"));
}

/// G02: where one server uses the file, a key can seal at once.
#[test]
fn one_server_alone_can_have_its_key_now() {
    let (shell, active) = Shell::new();
    let added = named(shell.keys(&["add", "--now"]).ok());
    assert_eq!(shell.list()[0], [&*added, "active"]);
    assert_eq!(shell.states(), [pair(&added, "active"), pair(&id(&active), "retired")].into());
    assert_eq!(shell.keys(&["add", "--now", "--in", "600"]).code, Some(2), "one or the other");
}

/// G01: a key from elsewhere is imported from standard input, to open only or to seal later; what is no key is
/// refused and not repeated.
#[test]
fn a_key_is_imported_from_standard_input() {
    let (shell, active) = Shell::new();
    let (other, next) = (generate(), generate());
    assert_eq!(shell.keys_with(&["import"], &format!("{other}\n")).ok(), format!("{} imported", id(&other)));
    shell.keys_with(&["import", "--as", "pending", "--in", "600"], &next).ok();
    let three = [pair(&id(&active), "active"), pair(&id(&other), "retired"), pair(&id(&next), "pending")];
    assert_eq!(shell.states(), three.into());
    let before = shell.text();
    for (input, why) in [
        ("", "not a password"),
        ("correct horse battery staple\n", "not a password"),
        (&*format!("{other}{next}"), "not a password"),
        (&*other, "already"),
        (&*active, "already"),
    ] {
        let refused = shell.keys_with(&["import"], input);
        assert!(refused.failure().contains(why), "{}", refused.err);
        assert!(input.is_empty() || !refused.err.contains(input.trim()), "{}", refused.err);
    }
    assert_eq!(shell.keys_with(&["import", "--as", "active"], &generate()).code, Some(2));
    assert_eq!(shell.text(), before);
}

/// G01, G02: pending to retired, retired to pending, retired to revoked; the sealing key can only be replaced.
#[test]
fn keys_change_their_state_one_step_at_a_time() {
    let (shell, active) = Shell::new();
    let active = id(&active);
    let key = named(shell.keys(&["add"]).ok());
    assert_eq!(shell.keys(&["retire", &key]).ok(), format!("{key} retired"));
    assert!(shell.states().contains(&pair(&key, "retired")));
    assert_eq!(shell.keys(&["activate", "--in", "200", &key]).ok(), format!("{key} seals in 200 seconds"));
    assert!(shell.states().contains(&pair(&key, "pending")));
    assert!(shell.keys(&["activate", "--in", "10", &key]).failure().contains("150 seconds"));
    assert_eq!(shell.keys(&["revoke", &key]).ok(), format!("{key} revoked; its secret is gone from the file"));
    assert_eq!(shell.states(), [pair(&active, "active"), pair(&key, "revoked")].into());

    for command in ["retire", "revoke"] {
        let refused = shell.keys(&[command, &active]);
        assert!(refused.failure().contains(&format!("the key {active} is active")), "{}", refused.err);
    }
    for command in ["activate", "retire", "revoke"] {
        let refused = shell.keys(&[command, &key]);
        assert!(refused.failure().contains(&format!("the key {key} is revoked")), "{}", refused.err);
        let refused = shell.keys(&[command, "00000000"]);
        assert!(refused.failure().contains("hardtack keys list"), "{}", refused.err);
        for nonsense in ["", "0a0b0c0", "0a0b0c0d0", "+a0b0c0d", "0a0b0c0g"] {
            let refused = shell.keys(&[command, nonsense]);
            assert!(refused.failure().contains("is no key id"), "{}", refused.err);
        }
    }
}

/// G02: a leaked key goes at once, with another one in its place; a key that does not seal needs no replacement.
#[test]
fn a_leaked_key_is_replaced_in_one_command() {
    let (shell, leaked) = Shell::new();
    let retired = generate();
    shell.keys_with(&["import"], &retired).ok();
    let refused = shell.keys(&["revoke", "--replace", &id(&retired)]);
    assert!(refused.failure().contains("is not active; revoke it without a replacement"), "{}", refused.err);
    let answer = shell.keys(&["revoke", "--replace", &id(&leaked)]);
    let (revoked, rest) = answer.ok().split_once(" revoked; ").unwrap();
    let new = named(rest);
    assert_eq!((revoked, rest), (&*id(&leaked), &*format!("{new} seals from the next reload")));
    let three = [pair(&new, "active"), pair(&id(&retired), "retired"), pair(&id(&leaked), "revoked")];
    assert_eq!(shell.states(), three.into());
    assert!(!shell.text().contains(&leaked[5..]));
    let again = shell.keys_with(&["import"], &leaked);
    assert!(again.failure().contains("was revoked; make a new one"), "{}", again.err);
}

/// F13, G04: a file that is missing, damaged or open to others is refused with what to do, and is not touched.
#[test]
fn a_file_that_cannot_be_used_is_left_alone() {
    let (shell, key) = Shell::new();
    for text in ["", "nonsense\n", &*format!("active {key}\nactive {key}\n"), &*format!("{key}\n")] {
        shell.write(text);
        for args in [&["list"][..], &["add"], &["add", "--now"]] {
            let refused = shell.keys(args);
            assert!(refused.failure().contains(shell.path().to_str().unwrap()), "{}", refused.err);
            assert!(!refused.err.contains(&key[5..]), "{}", refused.err);
        }
        assert_eq!(shell.text(), text);
    }
    shell.write(&format!("active {key}\n"));
    #[cfg(unix)]
    {
        shell.set_mode(0o644);
        for args in [&["list"][..], &["add"]] {
            assert!(shell.keys(args).failure().contains("run: chmod 600"), "others may read it");
        }
    }
    fs::remove_file(shell.path()).unwrap();
    for args in [&["list"][..], &["add"], &["retire", "00000000"]] {
        shell.keys(args).failure();
        assert!(!shell.path().exists(), "tools make no keys by accident");
    }
}

/// G01: without a file the list is that of the environment, whose words have states too; changes need a file.
#[test]
fn the_environment_can_be_listed() {
    let (one, two, three) = (generate(), generate(), generate());
    let listed = run(&["keys", "list"], &format!("{one},{two} pending@99999999999999:{three} revoked:0a0b0c0d"), "");
    let lines: Vec<_> = listed.ok().lines().collect();
    assert_eq!(lines[0], format!("{}  active", id(&one)));
    assert!(lines.contains(&&*format!("{}  retired", id(&two))));
    assert!(lines.iter().any(|line| line.starts_with(&format!("{}  pending  seals in ", id(&three)))));
    assert!(lines.contains(&"0a0b0c0d  revoked"));
    assert!(run(&["keys", "list"], "", "").failure().contains("HARDTACK_KEYS is not set"));
    assert_eq!(run(&["keys", "add"], &one, "").code, Some(2));
}

/// G04: commands at the same time wait for each other; no key is lost, and no draft stays.
#[test]
fn commands_at_the_same_time_lose_nothing() {
    let (shell, active) = Shell::new();
    let added: BTreeSet<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..12).map(|_| scope.spawn(|| named(shell.keys(&["add"]).ok()))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let listed: BTreeSet<_> = shell.list().into_iter().map(|words| words[0].clone()).collect();
    assert_eq!(added.len(), 12);
    assert_eq!(listed, added.into_iter().chain([id(&active)]).collect());
    let names: BTreeSet<_> = fs::read_dir(shell.folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(names, ["keys", "keys.lock"].map(str::to_owned).into());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(shell.path()).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
