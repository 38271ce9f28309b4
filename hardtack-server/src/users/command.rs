//! `hardtack users`: who may sign in to the demo by name.

use std::{
    io::{IsTerminal, Read, stdin},
    path::Path,
    process::ExitCode,
};

use hardtack::{
    Clock,
    login::{MAX_PASSWORD, Passwords},
    store::Store,
};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{UserTable, passwords, table::normalized};
use crate::{
    Failure,
    cli::{UsersArgs, UsersCommand},
    sessions::{TOMBSTONE, utc},
    store::{FILE, StoreAddress},
};

pub(crate) fn run(args: UsersArgs) -> Result<ExitCode, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(carry_out(args))
}

async fn carry_out(args: UsersArgs) -> Result<ExitCode, Failure> {
    let table = UserTable::in_folder(&args.data);
    let done = match &args.command {
        UsersCommand::List { json } => {
            list(&table, *json)?;
            return Ok(ExitCode::SUCCESS);
        }
        UsersCommand::Add { name } => {
            let name = valid(name)?;
            let hash = new_hash(&passwords()?, &name).await?;
            std::fs::create_dir_all(&args.data).map_err(|error| format!("{}: {error}", args.data.display()))?;
            if !table.add(&name, &hash, Clock::system().now_ms())? {
                eprintln!(
                    "hardtack: there is a user {name} already; \"hardtack users passwd {name}\" sets the password"
                );
                return Ok(ExitCode::from(1));
            }
            println!("{name} added");
            return Ok(ExitCode::SUCCESS);
        }
        UsersCommand::Enable { name } => {
            let name = valid(name)?;
            if !table.enable(&name)? {
                return Ok(not_found(&name));
            }
            println!("{name} enabled");
            return Ok(ExitCode::SUCCESS);
        }
        UsersCommand::Passwd { name } => {
            let name = valid(name)?;
            if table.find(&name)?.is_none() {
                return Ok(not_found(&name));
            }
            let hash = new_hash(&passwords()?, &name).await?;
            (table.set_hash(&name, &hash)?, name, "has a new password")
        }
        UsersCommand::Disable { name } => {
            let name = valid(name)?;
            (table.disable(&name)?, name, "disabled")
        }
        UsersCommand::Remove { name } => {
            let name = valid(name)?;
            (table.remove(&name)?, name, "removed")
        }
    };
    let (found, name, what) = done;
    if !found {
        return Ok(not_found(&name));
    }
    // The table first, the sessions then: so a login that is under way ends too.
    let ended = end_sessions(&args, &name).await.map_err(|error| {
        format!("{name} is {what}, but the sessions could not be ended: {error}; \"hardtack sessions end-owner {name}\" does it")
    })?;
    println!("{name} {what}; {ended}");
    Ok(ExitCode::SUCCESS)
}

/// Ends the user's sessions where they are, and says what it did.
async fn end_sessions(args: &UsersArgs, name: &str) -> Result<String, Failure> {
    let given = StoreAddress::given(args.store.as_deref())?;
    let address = given.unwrap_or_else(|| StoreAddress::Sqlite(args.data.join(FILE)));
    match &address {
        StoreAddress::Memory => return Err("sessions in memory are in the server's own; name another store".into()),
        StoreAddress::Sqlite(path) if !path.is_file() => {
            return Ok(format!(
                "a running demo ends the sessions within a second, and there is no {}",
                file_name(path)
            ));
        }
        _ => {}
    }
    let store = address.open(&args.settings).await?;
    let now = Clock::system().now_ms();
    let count = store.owned_by(name, now).await?.len();
    store.end_owner(name, None, now.saturating_add(TOMBSTONE)).await?;
    Ok(format!("{count} session{} ended", if count == 1 { "" } else { "s" }))
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// A password that may be chosen, hashed. It comes from the terminal, twice, or as a line of standard input; never from the
/// command line, which all users of the machine see.
async fn new_hash(passwords: &Passwords, name: &str) -> Result<String, Failure> {
    let password = if stdin().is_terminal() { ask(name)? } else { read()? };
    passwords.policy().check(name, &password)?;
    Ok(passwords.hash(&password).await?)
}

fn ask(name: &str) -> Result<Zeroizing<String>, Failure> {
    let password = Zeroizing::new(rpassword::prompt_password(format!("Password of {name}: "))?);
    let again = Zeroizing::new(rpassword::prompt_password("Once more: ")?);
    if *password != *again { Err("those were two different passwords".into()) } else { Ok(password) }
}

fn read() -> Result<Zeroizing<String>, Failure> {
    let mut bytes = Zeroizing::new(Vec::new());
    stdin().lock().take(MAX_PASSWORD as u64 + 3).read_to_end(&mut bytes)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| "the password is not UTF-8; write it in UTF-8")?;
    let line = text.strip_suffix('\n').unwrap_or(text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.contains('\n') {
        return Err("a password is one line of standard input".into());
    }
    Ok(Zeroizing::new(line.to_owned()))
}

fn valid(name: &str) -> Result<String, Failure> {
    normalized(name).ok_or_else(|| {
        format!(
            "{name:?} is no name; write 1 to 64 letters, digits and . _ @ + -, a letter or a digit first; keeper is taken"
        )
        .into()
    })
}

fn not_found(name: &str) -> ExitCode {
    eprintln!("hardtack: there is no user {name}");
    ExitCode::from(1)
}

fn list(table: &UserTable, as_json: bool) -> Result<(), Failure> {
    let entries = table.list()?;
    if as_json {
        let entry = |entry: &super::table::Entry| json!({ "name": entry.name, "disabled": entry.disabled, "created_at": entry.created });
        println!("{}", serde_json::to_string_pretty(&entries.iter().map(entry).collect::<Value>())?);
        return Ok(());
    }
    println!("{:32}  {:8}  ADDED", "NAME", "STATE");
    for entry in entries {
        println!("{:32}  {:8}  {}", entry.name, if entry.disabled { "disabled" } else { "active" }, utc(entry.created));
    }
    Ok(())
}
