//! The command: `hardtack-bench micro|inproc|memory|http|redis|postgres|interop|login|all|report [--rounds N] [--docs DIRECTORY]`.
//!
//! Run it through `bench/run`, which pins it and stands in the right directory. `report` only renders the results of
//! earlier runs again. HTTP, Redis, PostgreSQL and
//! what ends sessions in memory, make one round for every eight of the others.

use std::error::Error;
use std::path::{Path, PathBuf};

use hardtack_bench::{contestants, http, interop, measure, memory, postgres, redis, report, results};

const USAGE: &str =
    "usage: bench/run micro|inproc|memory|http|redis|postgres|interop|login|all|report [--rounds N] [--docs DIRECTORY]";
const RESULTS: &str = "results";

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let command = arguments.next().unwrap_or_else(|| "all".to_owned());
    if command == "serve" {
        return http::serve(&arguments.next().ok_or("serve needs a row")?);
    }
    if command == "login" {
        return hardtack_bench::login::run();
    }
    let mut rounds = 25;
    let mut docs = PathBuf::from("../docs");
    while let Some(option) = arguments.next() {
        let value = arguments.next().ok_or(USAGE)?;
        match option.as_str() {
            "--rounds" => rounds = value.parse::<usize>()?.max(1),
            "--docs" => docs = value.into(),
            _ => return Err(USAGE.into()),
        }
    }
    let sections: &[&str] = match command.as_str() {
        "micro" => &["micro"],
        "inproc" => &["inproc"],
        "memory" => &["memory"],
        "http" => &["http"],
        "redis" => &["redis"],
        "postgres" => &["postgres"],
        "interop" => &["interop"],
        "all" => &["micro", "inproc", "memory", "http", "redis", "postgres", "interop"],
        "report" => &[],
        _ => return Err(USAGE.into()),
    };
    for section in sections {
        run(section, rounds)?;
    }
    Ok(report::write(Path::new(RESULTS), &docs)?)
}

fn run(section: &str, rounds: usize) -> Result<(), Box<dyn Error>> {
    let (measured, allocations) = match section {
        "http" => (http::run("http", &contestants::served(), (rounds / 8).max(1), &[])?, results::Allocations::new()),
        "redis" => (redis::run((rounds / 8).max(1))?, results::Allocations::new()),
        "postgres" => {
            memory::use_cores("0,1")?;
            let measured = postgres::run((rounds / 8).max(1))?;
            memory::use_cores("1")?;
            (measured, results::Allocations::new())
        }
        "interop" => {
            memory::use_cores("0,1")?;
            let measured = interop::run(rounds)?;
            memory::use_cores("1")?;
            (measured, results::Allocations::new())
        }
        "memory" => {
            memory::use_cores("0,1")?;
            let mut measured = memory::loads(rounds);
            memory::use_cores("1")?;
            measured.extend(memory::heap_measured(&results::count_allocations(section)?));
            measured.extend(memory::expiry((rounds / 8).max(1)));
            (measured, results::Allocations::new())
        }
        _ => (measure::run(contestants::benches(section), rounds), results::count_allocations(section)?),
    };
    let cells = results::cells(&measured, &allocations);
    for cell in &cells {
        println!(
            "{:13} {:43} {:14} {:>10.2}  [{:.2} … {:.2}]",
            cell.table, cell.row, cell.column, cell.median, cell.min, cell.max
        );
    }
    Ok(results::save(Path::new(RESULTS), section, &cells)?)
}
