//! The places of one side that a solver sees: those with mass, equal points merged, near points close in the order.

use alloc::vec;
use alloc::vec::Vec;

/// Coordinates that determine the order: those of the largest variance.
const COORDINATES: usize = 3;

/// Bits of each in the key.
const BITS: u32 = 21;

/// Groups of equal places, and the mass of each.
pub(super) struct Places {
    /// The members of group k are `members[start[k]..start[k + 1]]`.
    start: Vec<usize>,
    /// Numbers of the caller's places.
    members: Vec<u32>,
    /// By group.
    pub mass: Vec<i64>,
}

impl Places {
    /// Each place with mass is a group.
    pub fn new(mass: &[i64]) -> Self {
        let members = (0..mass.len() as u32).filter(|&i| mass[i as usize] > 0).collect();
        Self::grouped(members, mass, |_, _| false)
    }

    /// Points with mass, equal ones in a group, along a Morton curve.
    ///
    /// **Shapes** `points` (n, d), `mass` (n).
    pub fn of_points(points: &[f64], d: usize, mass: &[i64]) -> Self {
        let point = |i: u32| &points[i as usize * d..][..d];
        let key = morton(points, d);
        let mut members: Vec<u32> = (0..mass.len() as u32).filter(|&i| mass[i as usize] > 0).collect();
        let order = |i: u32, j: u32| {
            let ties = || point(i).iter().zip(point(j)).map(|(x, y)| x.total_cmp(y)).find(|o| o.is_ne());
            key[i as usize].cmp(&key[j as usize]).then_with(|| ties().unwrap_or(i.cmp(&j)))
        };
        members.sort_unstable_by(|&i, &j| order(i, j));
        Self::grouped(members, mass, |i, j| point(i) == point(j))
    }

    fn grouped(members: Vec<u32>, mass: &[i64], equal: impl Fn(u32, u32) -> bool) -> Self {
        let (mut start, mut sums) = (Vec::new(), Vec::<i64>::new());
        for (index, &i) in members.iter().enumerate() {
            match sums.last_mut() {
                Some(sum) if equal(members[index - 1], i) => *sum += mass[i as usize],
                _ => {
                    start.push(index);
                    sums.push(mass[i as usize]);
                }
            }
        }
        start.push(members.len());
        Self { start, members, mass: sums }
    }

    /// The number of groups.
    pub fn len(&self) -> usize {
        self.mass.len()
    }

    /// The members of a group.
    pub fn members(&self, group: usize) -> &[u32] {
        &self.members[self.start[group]..self.start[group + 1]]
    }

    /// Takes a value of each group from the values of the caller's places.
    pub fn values(&self, of_places: &[f64]) -> Vec<f64> {
        self.first().map(|i| of_places[i as usize]).collect()
    }

    /// Gives each of `count` places the value of its group, or minus infinity if it has none.
    pub fn spread(&self, of_groups: &[f64], count: usize) -> Vec<f64> {
        let mut values = vec![f64::NEG_INFINITY; count];
        for (group, &value) in of_groups.iter().enumerate() {
            self.members(group).iter().for_each(|&i| values[i as usize] = value);
        }
        values
    }

    /// A member of each group.
    pub fn first(&self) -> impl Iterator<Item = u32> + '_ {
        self.start[..self.len()].iter().map(|&start| self.members[start])
    }
}

/// The position of each point on a curve through space: the bits of its coordinates, interleaved.
fn morton(points: &[f64], d: usize) -> Vec<u64> {
    let count = (points.len() / d) as f64;
    let mut ranges: Vec<(f64, usize, f64, f64)> = (0..d)
        .map(|k| {
            let values = || points.iter().skip(k).step_by(d);
            let mean = values().sum::<f64>() / count;
            let variance = values().map(|x| (x - mean) * (x - mean)).sum();
            let low = values().copied().fold(f64::INFINITY, f64::min);
            (variance, k, low, values().copied().fold(f64::NEG_INFINITY, f64::max))
        })
        .collect();
    ranges.sort_by(|a, b| b.0.total_cmp(&a.0));
    ranges.truncate(COORDINATES);
    let mut key = vec![0; points.len() / d];
    for (rank, &(_, k, low, high)) in ranges.iter().enumerate() {
        let scale = f64::from((1 << BITS) - 1) / (high - low).max(f64::MIN_POSITIVE);
        for (key, x) in key.iter_mut().zip(points.iter().skip(k).step_by(d)) {
            let position = ((x - low) * scale) as u64;
            (0..BITS).for_each(|b| *key |= (position >> b & 1) << (b as usize * COORDINATES + rank));
        }
    }
    key
}
