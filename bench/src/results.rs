//! What a run found, reduced to cells and kept under `results/`, one file per section.
//!
//! The files make a section repeatable without the others, and show minimum and maximum, which the page leaves out.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;

use crate::measure::{Measured, median};
use crate::tables::{self, Compare};

const HEADER: &str = "table\trow\tcolumn\tmedian\tmin\tmax\tcompared\tallocations";

/// One cell of a table.
pub struct Cell {
    /// The table's id.
    pub table: String,
    /// Who.
    pub row: String,
    /// On which input.
    pub column: String,
    /// The median of the rounds.
    pub median: f64,
    /// The best round.
    pub min: f64,
    /// The worst round.
    pub max: f64,
    /// The median over the rounds of the ratio to, or the difference from, the reference row of the same round.
    pub compared: Option<f64>,
    /// Allocations per operation.
    pub allocations: Option<f64>,
}

/// Allocations by table, row and column.
pub type Allocations = HashMap<String, f64>;

/// Reduces samples to cells.
pub fn cells(measured: &[Measured], allocations: &Allocations) -> Vec<Cell> {
    measured
        .iter()
        .map(|one| Cell {
            table: one.table.to_owned(),
            row: one.row.to_owned(),
            column: one.column.to_owned(),
            median: median(&one.samples),
            min: one.samples.iter().copied().fold(f64::INFINITY, f64::min),
            max: one.samples.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            compared: compared(one, measured),
            allocations: allocations.get(&format!("{}\t{}\t{}", one.table, one.row, one.column)).copied(),
        })
        .collect()
}

fn compared(one: &Measured, all: &[Measured]) -> Option<f64> {
    let compare = tables::ALL.iter().find(|table| table.id == one.table)?.compare;
    let is_reference =
        |other: &&Measured| (other.table, other.row, other.column) == (one.table, one.reference, one.column);
    let reference = all.iter().find(is_reference)?;
    let pairs = one.samples.iter().zip(&reference.samples);
    let each: Vec<f64> = match compare {
        Compare::Ratio => pairs.map(|(value, zero)| value / zero).collect(),
        Compare::Difference => pairs.map(|(value, zero)| value - zero).collect(),
    };
    Some(median(&each))
}

/// Asks the counting binary, which is built beside this one.
pub fn count_allocations(section: &str) -> io::Result<Allocations> {
    let binary = std::env::current_exe()?.with_file_name("count");
    let output = Command::new(binary).arg(section).output()?;
    if !output.status.success() {
        return Err(io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned()));
    }
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    let parse = |line: &str| {
        let (key, count) = line.rsplit_once('\t')?;
        Some((key.to_owned(), count.parse().ok()?))
    };
    Ok(lines.lines().filter_map(parse).collect())
}

/// Writes a section's file.
pub fn save(directory: &Path, section: &str, cells: &[Cell]) -> io::Result<()> {
    let optional = |value: Option<f64>| value.map_or_else(String::new, |value| format!("{value:.3}"));
    let mut text = format!("{HEADER}\n");
    for cell in cells {
        text += &format!(
            "{}\t{}\t{}\t{:.3}\t{:.3}\t{:.3}\t{}\t{}\n",
            cell.table,
            cell.row,
            cell.column,
            cell.median,
            cell.min,
            cell.max,
            optional(cell.compared),
            optional(cell.allocations),
        );
    }
    fs::create_dir_all(directory)?;
    fs::write(directory.join(section).with_extension("tsv"), text)
}

/// Reads a section's file; a section that never ran has no cells.
pub fn load(directory: &Path, section: &str) -> io::Result<Vec<Cell>> {
    match fs::read_to_string(directory.join(section).with_extension("tsv")) {
        Ok(text) => Ok(text.lines().skip(1).filter_map(parse).collect()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

fn parse(line: &str) -> Option<Cell> {
    let mut parts = line.split('\t');
    let mut next = || parts.next();
    Some(Cell {
        table: next()?.to_owned(),
        row: next()?.to_owned(),
        column: next()?.to_owned(),
        median: next()?.parse().ok()?,
        min: next()?.parse().ok()?,
        max: next()?.parse().ok()?,
        compared: next()?.parse().ok(),
        allocations: next()?.parse().ok(),
    })
}
