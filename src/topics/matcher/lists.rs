//! Compact containers of the matcher.

/// Many short lists in one allocation.
pub struct Lists<T> {
    /// The index at which each list starts. The last element is the end of the last list.
    starts: Vec<u32>,
    items: Vec<T>,
}

impl<T> Default for Lists<T> {
    fn default() -> Self {
        Self::new(Vec::new())
    }
}

impl<T> Lists<T> {
    /// Joins separate lists.
    pub fn new(lists: Vec<Vec<T>>) -> Self {
        let mut starts = Vec::with_capacity(lists.len() + 1);
        let mut items = Vec::with_capacity(lists.iter().map(Vec::len).sum());
        for list in lists {
            starts.push(items.len() as u32);
            items.extend(list);
        }
        starts.push(items.len() as u32);
        Self { starts, items }
    }

    /// The list with this index.
    pub fn get(&self, number: usize) -> &[T] {
        &self.items[self.starts[number] as usize..self.starts[number + 1] as usize]
    }
}

/// A set of small numbers. Clearing it takes time in proportion to its content, not to its capacity.
#[derive(Default)]
pub struct Marks {
    bits: Vec<u64>,
    /// The numbers in the set, in the order in which they were added.
    added: Vec<u32>,
}

impl Marks {
    /// Clears the set and reserves space for numbers below `limit`.
    pub fn reset(&mut self, limit: usize) {
        for number in self.added.drain(..) {
            self.bits[number as usize / 64] = 0;
        }
        self.bits.resize(limit.div_ceil(64).max(self.bits.len()), 0);
    }

    /// Adds a number. Returns whether the number is new.
    pub fn add(&mut self, number: u32) -> bool {
        let (word, bit) = (&mut self.bits[number as usize / 64], 1 << (number % 64));
        let is_new = *word & bit == 0;
        if is_new {
            *word |= bit;
            self.added.push(number);
        }
        is_new
    }

    /// Adds several numbers.
    pub fn extend(&mut self, numbers: impl IntoIterator<Item = u32>) {
        numbers.into_iter().for_each(|number| _ = self.add(number));
    }

    /// Whether a number is in the set.
    pub fn has(&self, number: u32) -> bool {
        self.bits[number as usize / 64] & (1 << (number % 64)) != 0
    }

    /// The numbers in the order in which they were added.
    pub fn added(&self) -> &[u32] {
        &self.added
    }
}
