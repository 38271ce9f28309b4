//! Prints the allocations per operation of every bench of one section; the timing binary reads them.

use hardtack_bench::alloc::{Counting, per_operation};
use hardtack_bench::contestants;

#[global_allocator]
static COUNTING: Counting = Counting;

fn main() {
    let section = std::env::args().nth(1).unwrap_or_default();
    for mut bench in contestants::benches(&section) {
        let count = per_operation(&mut bench);
        println!("{}\t{}\t{}\t{count:.2}", bench.table, bench.row, bench.column);
    }
}
