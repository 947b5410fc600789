//! The concentration of a filter's energy in a disc, and the best loop in a filter.

use alloc::vec::Vec;

/// Radius of the disc of the measure "concentration", in pixels.
const DISC: usize = 4;
/// Largest radius of the inside of a loop, in pixels; the smallest is 1.
const INSIDE: usize = 7;
/// Largest width of the ring of a loop, in pixels; the smallest is 1.
const RING: usize = 3;
/// Largest radius of a loop, in pixels.
const REACH: usize = INSIDE + RING;
/// A ring is closed if it has the same sign in each of these sectors.
const SECTORS: usize = 8;

/// A pixel near a centre.
struct Neighbour {
    down: isize,
    right: isize,
    /// Its distance in pixels, rounded.
    distance: usize,
    /// Numbered clockwise; the middle of sector 0 points to the right.
    sector: usize,
}

/// The pixels around a centre.
pub(super) struct Rings {
    /// Sorted by distance.
    neighbours: Vec<Neighbour>,
    /// Number of pixels at each distance.
    sizes: [f64; REACH + 1],
}

impl Rings {
    pub fn new() -> Self {
        let reach = REACH as isize;
        let mut neighbours = Vec::new();
        for (down, right) in (-reach..=reach).flat_map(|y| (-reach..=reach).map(move |x| (y, x))) {
            let (y, x) = (down as f64, right as f64);
            let distance = libm::round(libm::sqrt(y * y + x * x)) as usize;
            let turn = libm::atan2(y, x) / core::f64::consts::TAU + 1.0;
            let sector = libm::round(turn * SECTORS as f64) as usize % SECTORS;
            if distance <= REACH {
                neighbours.push(Neighbour { down, right, distance, sector });
            }
        }
        neighbours.sort_by_key(|neighbour| neighbour.distance);
        let mut sizes = [0.0; REACH + 1];
        neighbours.iter().for_each(|neighbour| sizes[neighbour.distance] += 1.0);
        Self { neighbours, sizes }
    }

    /// The neighbours up to `distance`.
    fn within(&self, distance: usize) -> impl Iterator<Item = &Neighbour> {
        self.neighbours.iter().take_while(move |neighbour| neighbour.distance <= distance)
    }

    /// The largest energy in a disc; pixels outside the image count as 0.
    pub fn energy_in_disc(&self, filter: &[f64], height: usize, width: usize) -> f64 {
        let mut best = 0.0_f64;
        for pixel in 0..filter.len() {
            let (y, x) = (pixel / width, pixel % width);
            let inside = self.within(DISC).filter_map(|neighbour| {
                let row = y.checked_add_signed(neighbour.down).filter(|&row| row < height)?;
                let column = x.checked_add_signed(neighbour.right).filter(|&column| column < width)?;
                Some(filter[row * width + column])
            });
            best = best.max(inside.map(|w| w * w).sum());
        }
        best
    }

    /// The largest energy that a loop explains, and whether its inside is negative.
    ///
    /// A loop is a disc of value a inside a ring of value b with the opposite sign, and 0 elsewhere. The ring must have
    /// the sign of b in each of the eight sectors. The least-squares values of a and b are the means over the n pixels
    /// of the disc and the m pixels of the ring; they explain n a^2 + m b^2. Loops that do not fit into the image are
    /// skipped.
    pub fn best_loop(&self, filter: &[f64], height: usize, width: usize) -> (f64, bool) {
        let mut best = (0.0, false);
        for y in 1..height - 1 {
            for x in 1..width - 1 {
                let reach = y.min(x).min(height - 1 - y).min(width - 1 - x).min(REACH);
                let mut sums = [[0.0; SECTORS]; REACH + 1];
                let centre = (y * width + x) as isize;
                for neighbour in self.within(reach) {
                    let pixel = centre + neighbour.down * width as isize + neighbour.right;
                    sums[neighbour.distance][neighbour.sector] += filter[pixel as usize];
                }
                self.grow(&sums[..=reach], &mut best);
            }
        }
        best
    }

    /// Tries all loops around one centre. `sums` holds the sums of the filter at each distance, by sector.
    fn grow(&self, sums: &[[f64; SECTORS]], best: &mut (f64, bool)) {
        let distances = || sums.iter().zip(&self.sizes);
        let (mut disc, mut disc_size) = (0.0, 0.0);
        for (inside, (sectors, size)) in distances().enumerate().take(INSIDE + 1) {
            disc += sectors.iter().sum::<f64>();
            disc_size += size;
            if inside == 0 {
                continue; // a single pixel is not a disc
            }
            let (mut ring, mut ring_size) = ([0.0; SECTORS], 0.0);
            for (sectors, size) in distances().skip(inside + 1).take(RING) {
                ring.iter_mut().zip(sectors).for_each(|(sum, more)| *sum += more);
                ring_size += size;
                // Every sector has the opposite sign of the disc.
                if ring.iter().all(|&sector| sector * disc < 0.0) {
                    let whole: f64 = ring.iter().sum();
                    let explained = disc * disc / disc_size + whole * whole / ring_size;
                    if explained > best.0 {
                        *best = (explained, disc < 0.0);
                    }
                }
            }
        }
    }
}
