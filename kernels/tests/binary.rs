//! Are the products with bits equal to the sums that they represent, at every level?

#[path = "support/guard.rs"]
mod guard;
#[path = "binary/learning.rs"]
mod learning;
#[path = "binary/lists.rs"]
mod lists;
#[path = "binary/products.rs"]
mod products;
#[path = "binary/sampling.rs"]
mod sampling;

use equilibria_kernels::Scalar;
use equilibria_kernels::binary::{PANEL, SparseMut, SparseRows};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

fn noise<T: Scalar>(len: usize, seed: u64) -> Vec<T> {
    let mut generator = Xoshiro256PlusPlus::seed_from_u64(seed);
    (0..len).map(|_| T::from_f64((generator.next_u64() >> 11) as f64 / (1_u64 << 52) as f64 - 1.0)).collect()
}

/// Words whose first `units` bits are each 1 with this probability.
fn words(len: usize, units: usize, probability: f64, seed: u64) -> Vec<u64> {
    let mut generator = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut bit = || u64::from((generator.next_u64() as f64) < probability * u64::MAX as f64);
    (0..len).map(|_| (0..units).fold(0, |word, place| word | bit() << place)).collect()
}

fn is_on(word: u64, place: usize) -> bool {
    word >> place & 1 == 1
}

/// Lists that own their buffers.
struct Lists<T> {
    starts: Vec<u32>,
    order: Vec<u32>,
    offsets: Vec<u32>,
    factors: Vec<T>,
}

impl<T: Scalar> Lists<T> {
    /// Room for `rows` rows of `most` entries, filled with values that must not be read.
    fn new(rows: usize, most: usize) -> Self {
        let room = SparseMut::<T>::room(rows, most);
        Self {
            starts: vec![u32::MAX; rows + 1],
            order: vec![u32::MAX; rows],
            offsets: vec![u32::MAX; room],
            factors: vec![T::from_f64(f64::NAN); room],
        }
    }

    fn write(&mut self) -> SparseMut<'_, T> {
        SparseMut {
            starts: &mut self.starts,
            order: &mut self.order,
            offsets: &mut self.offsets,
            factors: &mut self.factors,
        }
    }

    fn read(&self) -> SparseRows<'_, T> {
        SparseRows {
            starts: &self.starts,
            order: &self.order,
            offsets: &self.offsets,
            factors: &self.factors,
        }
    }

    /// Returns whether `order` contains all rows, by increasing length if there are many.
    fn is_ordered(&self) -> bool {
        let length = |&row: &u32| self.row(row as usize).len();
        let mut rows = self.order.clone();
        rows.sort_unstable();
        (self.order.len() < 32 || self.order.iter().map(length).is_sorted())
            && rows.iter().enumerate().all(|(i, &row)| i == row as usize)
    }

    /// Offset and factor of each entry of a row.
    fn row(&self, row: usize) -> Vec<(u32, f64)> {
        let entries = self.starts[row] as usize..self.starts[row + 1] as usize;
        let factor = |e: usize| self.factors.get(e).map_or(1.0, |factor| factor.to_f64());
        entries.map(|e| (self.offsets[e], factor(e))).collect()
    }
}

/// Lists with entries at random offsets in `weights` weights.
fn random_lists<T: Scalar>(rows: usize, most: usize, weights: usize, seed: u64) -> Lists<T> {
    let mut generator = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut below = |limit: usize| (generator.next_u64() % limit as u64) as usize;
    let order = (0..rows as u32).rev().collect();
    let mut lists = Lists { starts: vec![0], order, offsets: Vec::new(), factors: Vec::new() };
    for _ in 0..rows {
        for _ in 0..below(most + 1) {
            lists.offsets.push(below(weights - PANEL + 1) as u32);
            lists.factors.push(T::from_f64([1.0, -1.0, 0.375][below(3)]));
        }
        lists.starts.push(lists.offsets.len() as u32);
    }
    // The last 64 weights are also used.
    lists.offsets.push((weights - PANEL) as u32);
    lists.factors.push(T::ONE);
    *lists.starts.last_mut().unwrap() += u32::from(rows > 0);
    lists
}
