//! `hardtack inspect` and `hardtack seal`: one cookie, opened or made outside of any server.

mod foreign;
mod native;
mod options;

use std::{
    io::{Read, Write, stdin, stdout},
    process::ExitCode,
};

use serde::Serialize;
use serde_json::value::RawValue;

use crate::{
    Failure,
    cli::{CookieArgs, Format, Inspect, Seal},
};

/// The longest input that is read: far more than any cookie.
const MAX_INPUT: u64 = 1 << 20;

/// What `inspect` prints. Times are milliseconds since 1970.
#[derive(Serialize)]
struct Report {
    status: &'static str,
    reason: Option<&'static str>,
    data: Option<Box<RawValue>>,
    created_at: Option<u64>,
    expires_at: Option<u64>,
    key_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<native::Details>,
}

impl Report {
    /// Of a cookie that did not open.
    fn invalid(reason: &'static str) -> Self {
        Self {
            status: "invalid",
            reason: Some(reason),
            data: None,
            created_at: None,
            expires_at: None,
            key_id: None,
            session: None,
        }
    }
}

pub(crate) fn inspect(args: &Inspect) -> Result<ExitCode, Failure> {
    let args = &args.cookie;
    let report = if args.format == Format::Native {
        refuse_options(args)?;
        native::inspect(args, &input()?)?
    } else {
        refuse_native(args)?;
        foreign::inspect(args, &input()?)?
    };
    let mut out = stdout().lock();
    serde_json::to_writer_pretty(&mut out, &report)?;
    writeln!(out)?;
    Ok(if report.status == "valid" { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

pub(crate) fn seal(args: &Seal) -> Result<(), Failure> {
    let value = if args.cookie.format == Format::Native {
        refuse_options(&args.cookie)?;
        native::seal(args, &input()?)?
    } else {
        refuse_native(&args.cookie)?;
        if args.ttl.is_some() || args.owner.is_some() {
            return Err("--ttl and --owner are for --format native; write the package's own lifetime into the file of --options".into());
        }
        foreign::seal(&args.cookie, &input()?)?
    };
    println!("{value}");
    Ok(())
}

fn refuse_options(args: &CookieArgs) -> Result<(), Failure> {
    match args.options {
        Some(_) => Err("--options is for the formats of Node; hardtack's own needs --keys".into()),
        None => Ok(()),
    }
}

fn refuse_native(args: &CookieArgs) -> Result<(), Failure> {
    if args.keys.is_some() || args.cookie_name.is_some() || args.realm.is_some() {
        return Err("--keys, --cookie-name and --realm are for --format native; write the package's own options into the file of --options".into());
    }
    Ok(())
}

fn input() -> Result<String, Failure> {
    let mut bytes = Vec::new();
    stdin().lock().take(MAX_INPUT + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_INPUT {
        return Err("standard input has more than 1 MiB".into());
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
