//! Smaller copies of photographs, for sheets and pages.

use super::Photograph;
use alloc::vec;
use alloc::vec::Vec;

impl Photograph {
    /// A copy of at most `width` columns with the same proportions; each of its pixels is the mean of those that it covers.
    ///
    /// A photograph that is not wider is copied as it is.
    ///
    /// **Panics** if `width` is 0.
    #[must_use]
    #[track_caller]
    pub fn at_most(&self, width: usize) -> Self {
        assert!(width > 0, "a photograph needs at least 1 column");
        let [rows, columns] = self.size;
        if columns <= width {
            return self.clone();
        }
        let height = ((rows * width + columns / 2) / columns).max(1);
        let [across, down] = [cells(columns, width), cells(rows, height)];
        let shrunk = |values: &[f32], parts: usize| {
            let mut means = vec![0.0; height * width * parts];
            for (row, (top, shares)) in down.iter().enumerate() {
                for (y, down) in shares.iter().enumerate() {
                    for (column, (left, shares)) in across.iter().enumerate() {
                        let mean = &mut means[(row * width + column) * parts..][..parts];
                        for (x, across) in shares.iter().enumerate() {
                            let pixel = &values[((top + y) * columns + left + x) * parts..][..parts];
                            mean.iter_mut().zip(pixel).for_each(|(mean, part)| *mean += down * across * part);
                        }
                    }
                }
            }
            means
        };
        Self {
            size: [height, width],
            colours: shrunk(&self.colours, 3),
            opacity: self.opacity.as_ref().map(|opacity| shrunk(opacity, 1)),
            is_deep: self.is_deep,
            notes: self.notes.clone(),
        }
    }
}

/// For each of `count` cells over a line of `length` pixels: its first pixel, and the share of the cell in each pixel.
fn cells(length: usize, count: usize) -> Vec<(usize, Vec<f32>)> {
    // In units of 1 / count of a pixel, a cell has `length` of them and a pixel `count`.
    let share = |cell: usize, pixel: usize| {
        let (start, end) =
            ((cell * length).max(pixel * count), ((cell + 1) * length).min((pixel + 1) * count));
        (end - start) as f32 / length as f32
    };
    let cell = |cell: usize| {
        let (first, end) = (cell * length / count, ((cell + 1) * length).div_ceil(count));
        (first, (first..end).map(|pixel| share(cell, pixel)).collect())
    };
    (0..count).map(cell).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_of_a_cell_have_the_sum_1_and_each_pixel_is_used_once() {
        for (length, count) in [(7, 3), (8, 4), (5, 5), (1000, 481), (9, 1)] {
            let mut used = vec![0.0; length];
            for (first, shares) in cells(length, count) {
                assert!((shares.iter().sum::<f32>() - 1.0).abs() < 1e-5, "{length} to {count}: {shares:?}");
                shares.iter().enumerate().for_each(|(at, share)| used[first + at] += share);
            }
            let right = count as f32 / length as f32;
            assert!(used.iter().all(|used| (used - right).abs() < 1e-5), "{length} to {count}: {used:?}");
        }
    }

    #[test]
    fn a_shrunk_photograph_keeps_its_mean() {
        let bytes: Vec<u8> = (0..5 * 7 * 3).map(|i| (i * 37 % 256) as u8).collect();
        let photograph = Photograph::from_bytes([5, 7], &bytes).unwrap();
        let small = photograph.at_most(3);
        assert_eq!(small.size(), [2, 3]);
        let mean = |of: &Photograph, part| {
            let values: Vec<f32> = of.colours().iter().skip(part).step_by(3).copied().collect();
            values.iter().sum::<f32>() / values.len() as f32
        };
        for part in 0..3 {
            assert!((mean(&small, part) - mean(&photograph, part)).abs() < 1e-5, "{part}");
        }
        assert_eq!(photograph.at_most(7), photograph);
    }
}
