//! The interleaving harness.
//!
//! Every bench is calibrated to a slice of a few milliseconds. A round then runs each bench's slice once, in order, and
//! the rounds repeat: what disturbs the machine for a second disturbs all contestants. Comparisons are made within a
//! round and only then reduced to their median.

use std::hint::black_box;
use std::time::{Duration, Instant};

/// How long one bench runs in one round.
const SLICE: Duration = Duration::from_millis(5);

/// A loop that performs its operation the given number of times.
pub type Loop = Box<dyn FnMut(u64)>;

/// One number to be measured: a row and a column of a table.
pub struct Bench {
    /// The id of the table, see [`crate::tables::ALL`].
    pub table: &'static str,
    /// Who is measured.
    pub row: &'static str,
    /// On which input.
    pub column: &'static str,
    /// The row of the same table and column that this one is compared with.
    pub reference: &'static str,
    /// The operation.
    pub run: Loop,
    /// A companion whose time and allocations are taken off: what the operation's frame costs by itself.
    pub minus: Option<Loop>,
}

impl Bench {
    /// A bench of `operation`, compared with the row `reference`.
    pub fn new<R>(
        table: &'static str,
        row: &'static str,
        column: &'static str,
        reference: &'static str,
        operation: impl FnMut() -> R + 'static,
    ) -> Self {
        Self { table, row, column, reference, run: repeat(operation), minus: None }
    }

    /// Takes the cost of `companion` off, measured in the same slice.
    pub fn minus<R>(mut self, companion: impl FnMut() -> R + 'static) -> Self {
        self.minus = Some(repeat(companion));
        self
    }
}

/// The loop is inside the box, so that the indirect call is paid once per slice.
fn repeat<R>(mut operation: impl FnMut() -> R + 'static) -> Loop {
    Box::new(move |times| {
        for _ in 0..times {
            black_box(operation());
        }
    })
}

/// The samples of one bench, one per round.
pub struct Measured {
    /// As in [`Bench`].
    pub table: &'static str,
    /// As in [`Bench`].
    pub row: &'static str,
    /// As in [`Bench`].
    pub column: &'static str,
    /// As in [`Bench`].
    pub reference: &'static str,
    /// One value per round, in the table's unit.
    pub samples: Vec<f64>,
}

/// Runs all benches round robin and answers nanoseconds per operation.
pub fn run(mut benches: Vec<Bench>, rounds: usize) -> Vec<Measured> {
    let times: Vec<u64> = benches.iter_mut().map(calibrate).collect();
    let mut measured: Vec<Measured> = benches
        .iter()
        .map(|bench| Measured {
            table: bench.table,
            row: bench.row,
            column: bench.column,
            reference: bench.reference,
            samples: Vec::with_capacity(rounds),
        })
        .collect();
    for _ in 0..rounds {
        for ((bench, &times), measured) in benches.iter_mut().zip(&times).zip(&mut measured) {
            let whole = nanoseconds(&mut bench.run, times);
            let frame = bench.minus.as_mut().map_or(0.0, |minus| nanoseconds(minus, times));
            measured.samples.push(whole - frame);
        }
    }
    measured
}

/// Doubles the loop until it is long enough to judge. One-time set-up falls into the first, shortest loops.
fn calibrate(bench: &mut Bench) -> u64 {
    let mut times = 1;
    loop {
        let taken = nanoseconds(&mut bench.run, times) * times as f64;
        if taken > SLICE.as_nanos() as f64 / 4.0 {
            let per_operation = taken / times as f64;
            return ((SLICE.as_nanos() as f64 / per_operation) as u64).max(1);
        }
        times *= 2;
    }
}

fn nanoseconds(run: &mut Loop, times: u64) -> f64 {
    let start = Instant::now();
    run(times);
    start.elapsed().as_nanos() as f64 / times as f64
}

/// The middle of the values; of an even number, the mean of the two in the middle.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => f64::NAN,
        length if length % 2 == 1 => sorted[middle],
        _ => (sorted[middle - 1] + sorted[middle]) / 2.0,
    }
}

#[cfg(test)]
mod tests {
    use super::median;

    #[test]
    fn the_median_does_not_depend_on_the_order() {
        assert_eq!(median(&[9.0, 1.0, 5.0]), 5.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 9.0]), 3.0);
    }
}
