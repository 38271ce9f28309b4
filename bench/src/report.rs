//! Writes the page: every section between its markers, everything else of the page untouched.

use std::fs;
use std::io;
use std::path::Path;

use crate::results::{self, Cell};
use crate::svg;
use crate::tables::{self, Compare, Table};

const PEERS: [&str; 16] = [
    "cookie",
    "axum",
    "axum-extra",
    "actix-web",
    "actix-session",
    "tower-sessions",
    "aws-lc-rs",
    "base64-simd",
    "serde_json",
    "rand",
    "redis",
    "tower-sessions-redis-store",
    "fred",
    "tokio-postgres",
    "deadpool-postgres",
    "sqlx",
];

const NEW_PAGE: &str = "# Performance\n\n![Time per operation, shorter is better](performance.svg)\n";

/// Renders all sections found under `results` into `docs`.
pub fn write(results: &Path, docs: &Path) -> io::Result<()> {
    fs::create_dir_all(docs)?;
    let path = docs.join("performance.md");
    let mut page = match fs::read_to_string(&path) {
        Ok(page) => page,
        Err(error) if error.kind() == io::ErrorKind::NotFound => NEW_PAGE.to_owned(),
        Err(error) => return Err(error),
    };
    let mut everything = Vec::new();
    for (section, heading) in tables::SECTIONS {
        let cells = results::load(results, section)?;
        if !cells.is_empty() {
            page = replace_section(&page, section, heading, &render(section, &cells));
        }
        everything.extend(cells);
    }
    fs::write(path, page)?;
    fs::write(docs.join("performance.svg"), svg::draw(&everything))
}

/// Puts `body` between the section's markers; a page without them gets the section at its end.
fn replace_section(page: &str, section: &str, heading: &str, body: &str) -> String {
    let (open, close) = (format!("<!-- bench:{section} -->"), format!("<!-- /bench:{section} -->"));
    let found = page.split_once(&open).and_then(|(before, rest)| Some((before, rest.split_once(&close)?.1)));
    match found {
        Some((before, after)) => format!("{before}{open}\n{body}{close}{after}"),
        None => format!("{}\n\n## {heading}\n\n{open}\n{body}{close}\n", page.trim_end()),
    }
}

fn render(section: &str, cells: &[Cell]) -> String {
    let tables = tables::ALL.iter().filter(|table| table.section == section);
    let tables: String = tables.map(|table| render_table(table, cells)).collect();
    machine() + &tables
}

fn render_table(table: &Table, cells: &[Cell]) -> String {
    let mut text = format!("\n### {}\n\n{}\n\n|", table.title, table.note);
    for column in table.columns {
        text += &format!(" | {column}");
    }
    if let Some(column) = table.allocations_at {
        text += &format!(" | allocations, {column}");
    }
    text += " |\n|---";
    text += &"|---:".repeat(table.columns.len() + usize::from(table.allocations_at.is_some()));
    text += "|\n";
    for row in rows(table, cells) {
        text += &format!("| {row}");
        for column in table.columns {
            let cell = find(table, row, column, cells);
            text += &format!(" | {}", cell.map_or_else(|| "–".to_owned(), |cell| show(table, cell)));
        }
        if let Some(column) = table.allocations_at {
            let count = find(table, row, column, cells).and_then(|cell| cell.allocations);
            text += &format!(" | {}", count.map_or_else(|| "–".to_owned(), |count| format!("{count:.1}")));
        }
        text += " |\n";
    }
    text
}

/// The rows of a table in the order they were measured.
pub fn rows<'c>(table: &Table, cells: &'c [Cell]) -> Vec<&'c str> {
    let mut rows: Vec<&str> = Vec::new();
    for cell in cells.iter().filter(|cell| cell.table == table.id) {
        if !rows.contains(&cell.row.as_str()) {
            rows.push(&cell.row);
        }
    }
    rows
}

/// One cell.
pub fn find<'c>(table: &Table, row: &str, column: &str, cells: &'c [Cell]) -> Option<&'c Cell> {
    cells.iter().find(|cell| (cell.table.as_str(), cell.row.as_str(), cell.column.as_str()) == (table.id, row, column))
}

fn show(table: &Table, cell: &Cell) -> String {
    let value = number(cell.median);
    match (table.compare, cell.compared) {
        (Compare::Ratio, Some(ratio)) => format!("{value} ({ratio:.2} ×)"),
        (Compare::Difference, Some(difference)) if difference < 0.0 => {
            format!("{value} (−{})", number(-difference))
        }
        (Compare::Difference, Some(difference)) => format!("{value} (+{})", number(difference)),
        (_, None) => value,
    }
}

/// Three digits at least, and thousands apart.
pub fn number(value: f64) -> String {
    if value.abs() < 100.0 {
        return format!("{value:.precision$}", precision = if value.abs() < 10.0 { 2 } else { 1 });
    }
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// What the numbers hold for.
fn machine() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("an unknown processor", |(_, model)| model);
    let versions: Vec<String> = PEERS.iter().filter_map(|name| Some(format!("{name} {}", version(name)?))).collect();
    format!("Measured on {model} with {}. Medians of interleaved rounds.\n", versions.join(", "))
}

/// The highest version of a package in the lock file.
fn version(name: &str) -> Option<&'static str> {
    let lock = include_str!("../Cargo.lock");
    let entry = format!("name = \"{name}\"\nversion = \"");
    lock.rsplit_once(&entry)?.1.split('"').next()
}

#[cfg(test)]
mod tests {
    use super::{number, replace_section};

    #[test]
    fn a_second_run_replaces_only_its_own_section() {
        let page = replace_section("# Performance\n\nWords.\n", "micro", "Micro", "one\n");
        let page = replace_section(&page, "http", "HTTP", "two\n") + "More words.\n";
        let page = replace_section(&page, "micro", "Micro", "three\n");
        assert!(page.starts_with("# Performance\n\nWords.\n\n## Micro\n\n<!-- bench:micro -->\nthree\n"));
        assert!(page.ends_with("<!-- bench:http -->\ntwo\n<!-- /bench:http -->\nMore words.\n"));
        assert!(!page.contains("one"));
    }

    #[test]
    fn numbers_keep_three_digits() {
        let shown = [4.377, 42.42, 744.4, 14866.0, 1234567.0].map(number);
        assert_eq!(shown, ["4.38", "42.4", "744", "14,866", "1,234,567"]);
    }
}
