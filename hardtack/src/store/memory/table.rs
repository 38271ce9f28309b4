//! [`Table`]: entries by hash, side by side in one array.
//!
//! A lookup begins where the hash says and goes on to the next one: one cache miss or two, where a map of
//! indices takes one more. The array grows by a quarter and not to the next power of two, so little of
//! it is empty. A removal closes its gap.

/// Something that knows its hash.
pub(super) trait Entry {
    /// What stands where nothing is.
    const FREE: Self;

    /// Whether nothing is here.
    fn is_free(&self) -> bool;

    /// 32 evenly distributed bits, some of which may be the same in all the table.
    fn hash(&self) -> u32;
}

/// Entries by hash.
pub(super) struct Table<T> {
    cells: Vec<T>,
    used: usize,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { cells: Vec::new(), used: 0 }
    }
}

impl<T: Entry> Table<T> {
    /// All places; some of them are free.
    pub(super) fn cells(&self) -> &[T] {
        &self.cells
    }

    /// The same, to change what is not the hash.
    pub(super) fn cells_mut(&mut self) -> &mut [T] {
        &mut self.cells
    }

    /// The first entry of this hash that is the right one.
    pub(super) fn find(&self, hash: u32, is: impl Fn(&T) -> bool) -> Option<usize> {
        self.places(hash).find(|place| is(&self.cells[*place]))
    }

    /// The places of all entries that may have this hash.
    pub(super) fn places(&self, hash: u32) -> impl Iterator<Item = usize> {
        let mut next = self.home(hash);
        std::iter::from_fn(move || {
            let place = next;
            if self.cells.get(place)?.is_free() {
                return None;
            }
            next = self.after(place);
            Some(place)
        })
    }

    /// Takes in an entry and answers its place. Tells of entries that are elsewhere now.
    pub(super) fn insert(&mut self, entry: T, moved: impl FnMut(&T, usize)) -> usize {
        if (self.used + 1) * 8 > self.cells.len() * 7 {
            self.rebuild(moved);
        }
        self.used += 1;
        self.put(entry)
    }

    /// Takes out what is at a place. Tells of entries that are elsewhere now.
    pub(super) fn remove(&mut self, place: usize, mut moved: impl FnMut(&T, usize)) -> T {
        let removed = std::mem::replace(&mut self.cells[place], T::FREE);
        self.used -= 1;
        let (mut gap, mut next) = (place, self.after(place));
        while !self.cells[next].is_free() {
            // Whatever would not be found across the gap moves into it. Differences that wrap compare as well.
            let home = self.home(self.cells[next].hash());
            if next.wrapping_sub(home) >= next.wrapping_sub(gap) {
                self.cells.swap(gap, next);
                moved(&self.cells[gap], gap);
                gap = next;
            }
            next = self.after(next);
        }
        if self.used * 5 + 40 < self.cells.len() * 3 {
            self.rebuild(moved);
        }
        removed
    }

    /// Makes the table as large as its entries need.
    fn rebuild(&mut self, mut moved: impl FnMut(&T, usize)) {
        let mut cells = Vec::new();
        let places = self.used + self.used / 4 + 8;
        cells.reserve_exact(places);
        cells.resize_with(places, || T::FREE);
        for entry in std::mem::replace(&mut self.cells, cells) {
            if !entry.is_free() {
                let place = self.put(entry);
                moved(&self.cells[place], place);
            }
        }
    }

    fn put(&mut self, entry: T) -> usize {
        let mut place = self.home(entry.hash());
        while !self.cells[place].is_free() {
            place = self.after(place);
        }
        self.cells[place] = entry;
        place
    }

    fn home(&self, hash: u32) -> usize {
        let spread = hash.wrapping_mul(0x9e37_79b1);
        ((u64::from(spread) * self.cells.len() as u64) >> 32) as usize
    }

    fn after(&self, place: usize) -> usize {
        if place + 1 == self.cells.len() { 0 } else { place + 1 }
    }
}
