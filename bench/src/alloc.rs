//! A global allocator that counts, and the pass that reads it.
//!
//! Only the binary `count` installs it. The timing binary keeps the system's allocator untouched, so counting costs
//! the timings nothing; in the same binary every counted call would add a nanosecond or two, which would weigh most on
//! whoever allocates most. `realloc` counts as one. Memory that C code takes for itself is not seen.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::measure::{Bench, Loop};

static COUNT: AtomicU64 = AtomicU64::new(0);
static USED: AtomicU64 = AtomicU64::new(0);

/// The system's allocator with a counter in front.
pub struct Counting;

// SAFETY: every call goes unchanged to `System`, which keeps the contract.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        took(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        took(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        took(size);
        USED.fetch_sub(layout.size() as u64, Relaxed);
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        USED.fetch_sub(layout.size() as u64, Relaxed);
        unsafe { System.dealloc(pointer, layout) }
    }
}

fn took(bytes: usize) {
    COUNT.fetch_add(1, Relaxed);
    USED.fetch_add(bytes as u64, Relaxed);
}

/// The bytes that are in use now, as they were asked for, without the allocator's own.
pub fn used() -> u64 {
    USED.load(Relaxed)
}

/// Allocations per operation of one bench, its companion's taken off, after a warm-up.
pub fn per_operation(bench: &mut Bench) -> f64 {
    const OPERATIONS: u32 = 2_000;
    let count = |run: &mut Loop| {
        run(200);
        let before = COUNT.load(Relaxed);
        run(u64::from(OPERATIONS));
        (COUNT.load(Relaxed) - before) as f64 / f64::from(OPERATIONS)
    };
    let whole = count(&mut bench.run);
    whole - bench.minus.as_mut().map_or(0.0, count)
}
