//! The picture: one panel of horizontal bars per drawn table, by hand, the same bytes for the same numbers.
//!
//! It carries its own background and both colour schemes, so that it is readable wherever it is shown.

use crate::report::{find, number, rows};
use crate::results::Cell;
use crate::tables::{self, Compare, Table};

const WIDTH: usize = 800;
const LABELS: usize = 310;
const BARS: usize = 380;
const LINE: usize = 22;
const PANEL: usize = 44;
const MARGIN: usize = 16;

const STYLE: &str = "\
.paper{fill:#fff}.text{fill:#1f2328}.quiet{fill:#656d76}.peer{fill:#8ea4bd}.floor{fill:#c9ced6}.ours{fill:#c2571a}\
@media(prefers-color-scheme:dark){.paper{fill:#0d1117}.text{fill:#e6edf3}.quiet{fill:#9198a1}.peer{fill:#5b7a9d}\
.floor{fill:#3d444d}.ours{fill:#f0883e}}";

/// Draws what is there; tables without numbers leave no gap.
pub fn draw(cells: &[Cell]) -> String {
    let mut body = String::new();
    let mut y = MARGIN;
    for table in &tables::ALL {
        let Some(column) = table.drawn else { continue };
        let bars = bars(table, column, cells);
        if !bars.is_empty() {
            y = panel(&mut body, y, table, column, &bars);
        }
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {y}\" width=\"{WIDTH}\" height=\"{y}\" role=\"img\" \
         font-family=\"system-ui,sans-serif\" font-size=\"13\">\n<title>Time per operation, shorter is better</title>\n\
         <style>{STYLE}</style>\n<rect class=\"paper\" width=\"{WIDTH}\" height=\"{y}\"/>\n{body}</svg>\n"
    )
}

/// Labels and lengths. Differences leave out the rows that are their origin.
fn bars<'c>(table: &Table, column: &str, cells: &'c [Cell]) -> Vec<(&'c str, f64)> {
    let value = |row: &'c str| {
        let cell = find(table, row, column, cells)?;
        match table.compare {
            Compare::Ratio => Some((row, cell.median)),
            Compare::Difference if class(row) == "floor" => None,
            Compare::Difference => Some((row, cell.compared?)),
        }
    };
    rows(table, cells).into_iter().filter_map(value).collect()
}

fn panel(body: &mut String, top: usize, table: &Table, column: &str, bars: &[(&str, f64)]) -> usize {
    let what = match table.compare {
        Compare::Ratio => format!("{column}, ns"),
        Compare::Difference if table.section == "http" => "added µs per request".to_owned(),
        Compare::Difference => format!("{column}, added ns"),
    };
    *body += &format!(
        "<text x=\"{MARGIN}\" y=\"{}\" class=\"text\" font-weight=\"600\">{} <tspan class=\"quiet\" font-weight=\"400\">{what}</tspan></text>\n",
        top + 18,
        table.title,
    );
    let longest = bars.iter().map(|(_, value)| *value).fold(f64::MIN_POSITIVE, f64::max);
    let mut y = top + 30;
    for (label, value) in bars {
        let length = (value / longest * BARS as f64).max(1.0);
        *body += &format!(
            "<text x=\"{}\" y=\"{}\" class=\"text\" text-anchor=\"end\">{label}</text>\
             <rect x=\"{LABELS}\" y=\"{}\" width=\"{length:.1}\" height=\"14\" rx=\"2\" class=\"{}\"/>\
             <text x=\"{:.1}\" y=\"{}\" class=\"quiet\">{}</text>\n",
            LABELS - 8,
            y + 12,
            y + 1,
            class(label),
            LABELS as f64 + length + 6.0,
            y + 12,
            number(*value),
        );
        y += LINE;
    }
    y + PANEL - 30
}

fn class(label: &str) -> &'static str {
    if label.starts_with("hardtack") {
        "ours"
    } else if label.starts_with("composite") || label.starts_with("bare") || label.starts_with("no-op") {
        "floor"
    } else {
        "peer"
    }
}
