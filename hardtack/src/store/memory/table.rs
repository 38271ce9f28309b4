//! [`Table`]: finds entries of a vector by their hash.
//!
//! It holds indices, each beside twelve bits of its hash, in one array with linear probing: to find an entry
//! takes one cache line of the table and one of the vector, where a table of general use takes two and
//! one. The vector has no gaps: a removal moves its last entry into the gap.

/// How many entries a table can have: an index has 20 bits, and the last one means none.
pub(super) const MOST: usize = INDEX as usize;

const INDEX: u32 = (1 << 20) - 1;
const NONE: u32 = u32::MAX;
const SMALLEST: usize = 8;

/// The indices of a vector by hash. What it is not told it asks `hash_of`.
pub(super) struct Table {
    cells: Box<[u32]>,
    used: usize,
}

impl Default for Table {
    fn default() -> Self {
        Self { cells: [NONE; SMALLEST].into(), used: 0 }
    }
}

impl Table {
    /// The entries that may have this hash.
    pub(super) fn candidates(&self, hash: u64) -> impl Iterator<Item = usize> {
        let tag = tag(hash);
        let (home, mask) = (self.home(hash), self.cells.len() - 1);
        let cells = (home..).map(move |place| self.cells[place & mask]).take_while(|cell| *cell != NONE);
        cells.filter(move |cell| cell & !INDEX == tag).map(|cell| (cell & INDEX) as usize)
    }

    /// Takes in the vector's last entry.
    pub(super) fn push(&mut self, hash: u64, hash_of: impl Fn(usize) -> u64) {
        if (self.used + 1) * 4 > self.cells.len() * 3 {
            self.rebuild(self.cells.len() * 2, &hash_of);
        }
        self.put(hash, self.used);
        self.used += 1;
    }

    /// Removes an entry, which is still in the vector, and gives its index to the last one.
    pub(super) fn swap_remove(&mut self, index: usize, hash_of: impl Fn(usize) -> u64) {
        let (hash, last) = (hash_of(index), self.used - 1);
        let Some(mut gap) = self.cell(hash, index) else { return };
        if let Some(cell) = self.cell(hash_of(last), last) {
            self.cells[cell] = cell_of(hash_of(last), index);
        }
        // Whatever would not be found across the gap moves into it.
        let mask = self.cells.len() - 1;
        let mut next = gap;
        loop {
            next = (next + 1) & mask;
            let cell = self.cells[next];
            if cell == NONE {
                break;
            }
            let entry = (cell & INDEX) as usize;
            let home = self.home(hash_of(if entry == index { last } else { entry }));
            if next.wrapping_sub(home) & mask >= next.wrapping_sub(gap) & mask {
                self.cells[gap] = cell;
                gap = next;
            }
        }
        self.cells[gap] = NONE;
        self.used = last;
    }

    /// Gives back what a flood left behind; the vector has its new order.
    pub(super) fn fit(&mut self, hash_of: impl Fn(usize) -> u64) {
        if self.cells.len() > SMALLEST && self.used * 3 < self.cells.len() {
            self.rebuild(self.cells.len() / 2, &hash_of);
        }
    }

    fn rebuild(&mut self, cells: usize, hash_of: &impl Fn(usize) -> u64) {
        self.cells = vec![NONE; cells].into();
        (0..self.used).for_each(|index| self.put(hash_of(index), index));
    }

    fn put(&mut self, hash: u64, index: usize) {
        let mask = self.cells.len() - 1;
        let mut place = self.home(hash);
        while self.cells[place] != NONE {
            place = (place + 1) & mask;
        }
        self.cells[place] = cell_of(hash, index);
    }

    /// Where the cell of an entry is.
    fn cell(&self, hash: u64, index: usize) -> Option<usize> {
        let (mask, wanted) = (self.cells.len() - 1, cell_of(hash, index));
        let mut place = self.home(hash);
        while self.cells[place] != wanted {
            if self.cells[place] == NONE {
                return None;
            }
            place = (place + 1) & mask;
        }
        Some(place)
    }

    fn home(&self, hash: u64) -> usize {
        (hash >> (u64::BITS - self.cells.len().ilog2())) as usize
    }
}

/// The hash of 32 evenly distributed bits, some of which may be the same in all the table. A table looks at the
/// highest bits and at those of [`tag`]: all of them depend on all of these.
pub(super) fn spread(bits: u32) -> u64 {
    u64::from(bits).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

fn tag(hash: u64) -> u32 {
    hash as u32 & !INDEX
}

fn cell_of(hash: u64, index: usize) -> u32 {
    tag(hash) | index as u32
}
