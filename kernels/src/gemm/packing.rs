//! Packing: copies blocks into the order in which the microkernel reads them, A row by row, B step by step of k.

use crate::lanes::Lanes;

/// A block of an operand: element (i, j) is at `from + i * row_stride + j * column_stride`.
#[derive(Clone, Copy)]
pub(super) struct Block<T> {
    pub from: *const T,
    pub row_stride: usize,
    pub column_stride: usize,
    pub rows: usize,
    pub columns: usize,
}

impl<T: Copy> Block<T> {
    /// Copies the block to `to`, whose rows are contiguous and `to_stride` apart.
    ///
    /// # Safety
    /// The block is readable. `to` has room for `rows` rows of `columns` elements, rounded up to whole vectors if the
    /// columns of the block are contiguous.
    #[inline(always)]
    pub(crate) unsafe fn pack<L: Lanes<Scalar = T>>(&self, lanes: L, to: *mut T, to_stride: usize) {
        // SAFETY: the caller guarantees the requirements of this function.
        unsafe {
            match (self.row_stride, self.column_stride) {
                (_, 1) => self.copy(lanes, to, to_stride),
                (1, _) => self.transpose(lanes, to, to_stride),
                _ => self.gather(to, to_stride),
            }
        }
    }

    /// Copies a block with contiguous rows.
    ///
    /// # Safety
    /// Same as [`Block::pack`].
    #[inline(always)]
    unsafe fn copy<L: Lanes<Scalar = T>>(&self, lanes: L, to: *mut T, to_stride: usize) {
        for row in 0..self.rows {
            for column in (0..self.columns).step_by(L::COUNT) {
                let count = (self.columns - column).min(L::COUNT);
                // SAFETY: row < rows, and column + count <= columns.
                unsafe {
                    let from = self.from.add(row * self.row_stride + column);
                    // Rows are often a page apart, where the hardware prefetcher stops.
                    lanes.prefetch::<true>(from.wrapping_add(2 * self.row_stride));
                    lanes.store_first(to.add(row * to_stride + column), lanes.load_first(from, count), count);
                }
            }
        }
    }

    /// Copies a block with contiguous columns: squares of `COUNT` x `COUNT` are transposed in registers.
    ///
    /// # Safety
    /// Same as [`Block::pack`].
    #[inline(always)]
    unsafe fn transpose<L: Lanes<Scalar = T>>(&self, lanes: L, to: *mut T, to_stride: usize) {
        for column in (0..self.columns).step_by(L::COUNT) {
            let columns = (self.columns - column).min(L::COUNT);
            for row in (0..self.rows).step_by(L::COUNT) {
                let rows = (self.rows - row).min(L::COUNT);
                let mut square = [lanes.zero(); 16];
                // Trip counts are constant, so that the square stays in registers.
                for (j, line) in square.iter_mut().enumerate().take(L::COUNT) {
                    if j < columns {
                        // SAFETY: column + j < columns of the block; row + rows does not exceed its rows.
                        *line = unsafe {
                            let from = self.from.add((column + j) * self.column_stride + row);
                            // Prefetches the lines of the next columns, as above.
                            lanes.prefetch::<true>(from.wrapping_add(L::COUNT * self.column_stride));
                            lanes.load_up_to(from, rows)
                        };
                    }
                }
                lanes.transpose(&mut square);
                for (i, &line) in square.iter().enumerate().take(L::COUNT) {
                    if i < rows {
                        // SAFETY: row + i < rows; the caller guarantees room for whole vectors.
                        unsafe { lanes.store(to.add((row + i) * to_stride + column), line) };
                    }
                }
            }
        }
    }

    /// Copies a block with any strides, element by element.
    ///
    /// # Safety
    /// Same as [`Block::pack`].
    unsafe fn gather(&self, to: *mut T, to_stride: usize) {
        for row in 0..self.rows {
            for column in 0..self.columns {
                // SAFETY: row < rows and column < columns.
                unsafe {
                    let from = self.from.add(row * self.row_stride + column * self.column_stride);
                    to.add(row * to_stride + column).write(from.read());
                }
            }
        }
    }
}
