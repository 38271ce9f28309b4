//! The cookies of six Node packages, with the options that the package itself takes.

use hardtack::{
    Clock,
    interop::{Foreign, Opened, Refusal},
};
use serde_json::value::RawValue;

use super::{Report, options};
use crate::{
    Failure,
    cli::{CookieArgs, Format},
};

pub(super) fn inspect(args: &CookieArgs, input: &str) -> Result<Report, Failure> {
    let foreign = configured(args)?;
    let values = values(args.format, input);
    let names = foreign.cookie_names();
    let find = |name: &str| {
        let index = names.iter().position(|own| own == name)?;
        values.get(index).map(|value| value.as_bytes())
    };
    Ok(match foreign.inspect(find) {
        Ok(opened) => report(&opened, now(args))?,
        // What was piped in is the cookie, and nothing is no value of one.
        Err(Refusal::Absent) => Report::invalid(Refusal::Malformed.as_str()),
        Err(refusal) => Report::invalid(refusal.as_str()),
    })
}

fn report(opened: &Opened, now: u64) -> Result<Report, Failure> {
    let expired = opened.is_expired(now);
    Ok(Report {
        status: if expired { "expired" } else { "valid" },
        reason: expired.then_some(Refusal::Expired.as_str()),
        data: Some(RawValue::from_string(opened.data_json().to_owned())?),
        created_at: opened.created_at(),
        expires_at: opened.expires_at(),
        key_id: opened.key_id().map(Into::into),
        session: None,
    })
}

pub(super) fn seal(args: &CookieArgs, input: &str) -> Result<String, Failure> {
    let cookies = configured(args)?.seal(input, now(args))?;
    Ok(cookies.into_iter().map(|(_, value)| value).collect::<Vec<_>>().join("\n"))
}

fn configured(args: &CookieArgs) -> Result<Foreign, Failure> {
    let Some(path) = &args.options else {
        return Err("write --options FILE.json with the options that the Node package has".into());
    };
    options::read(args.format, path)
}

/// The values of the format's cookies, in the order of their names: a signature in the second line, and lines that are
/// chunks of one value as that value.
fn values(format: Format, input: &str) -> Vec<String> {
    let input = input.trim();
    match format {
        Format::CookieSession => input.splitn(2, '\n').map(|line| line.trim().to_owned()).collect(),
        Format::IronSession => vec![input.lines().map(str::trim).collect()],
        _ => vec![input.to_owned()],
    }
}

fn now(args: &CookieArgs) -> u64 {
    args.now.unwrap_or_else(|| Clock::system().now_ms())
}
