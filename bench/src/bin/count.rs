//! Prints the allocations per operation of every bench of one section, of `memory` the bytes per session; the timing
//! binary reads them.

use hardtack_bench::alloc::{Counting, per_operation, used};
use hardtack_bench::{contestants, memory};

#[global_allocator]
static COUNTING: Counting = Counting;

fn main() {
    let section = std::env::args().nth(1).unwrap_or_default();
    if section == "memory" {
        memory::heap(used).iter().for_each(|(key, bytes)| println!("{key}\t{bytes:.2}"));
        return;
    }
    for mut bench in contestants::benches(&section) {
        let count = per_operation(&mut bench);
        println!("{}\t{}\t{}\t{count:.2}", bench.table, bench.row, bench.column);
    }
}
