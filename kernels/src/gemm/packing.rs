//! Copies of blocks in the order in which the microkernel reads them.

use crate::lanes::{Lanes, Scalar};

/// Cuts `count` lines of length `depth` into micropanels of `width` lines: element `d` of line `i` goes to
/// `to[(i / width) * width * depth + d * width + i % width]`; lines that a last, narrower panel lacks are 0.
///
/// Serves both operands: the lines of A are its rows (width MR), those of B its columns (width NR).
///
/// # Safety
/// `from[i * line_stride + d * depth_stride]` is readable for i < count, d < depth; `to` has room for
/// `count`, rounded up to whole panels, times `depth` elements.
#[inline(always)]
#[allow(clippy::too_many_arguments)]
pub(super) unsafe fn pack<L: Lanes>(
    lanes: L,
    width: usize,
    from: *const L::Scalar,
    line_stride: usize,
    depth_stride: usize,
    count: usize,
    depth: usize,
    to: *mut L::Scalar,
) {
    for first in (0..count).step_by(width) {
        let lines = (count - first).min(width);
        // SAFETY: lines first .. first + lines are inside `count`, and panels before this one took
        // first * depth elements.
        unsafe {
            let (from, to) = (from.add(first * line_stride), to.add(first * depth));
            let panel = Panel { width, lines, depth, from, to };
            // A panel is one or two vectors wide: MR and NR are at most two vectors.
            match (line_stride, depth_stride, width > L::COUNT) {
                (1, _, false) => panel.copy::<L, 1>(lanes, depth_stride),
                (1, _, true) => panel.copy::<L, 2>(lanes, depth_stride),
                (_, 1, false) => panel.transpose::<L, 1>(lanes, line_stride),
                (_, 1, true) => panel.transpose::<L, 2>(lanes, line_stride),
                _ => panel.gather(line_stride, depth_stride),
            }
        }
    }
}

/// Copies `rows` contiguous rows of length `depth` to places `to_stride` apart.
///
/// # Safety
/// The rows are readable, and their places writable.
#[inline(always)]
pub(super) unsafe fn copy_rows<L: Lanes>(
    lanes: L,
    from: *const L::Scalar,
    from_stride: usize,
    rows: usize,
    depth: usize,
    to: *mut L::Scalar,
    to_stride: usize,
) {
    for row in 0..rows {
        for d in (0..depth).step_by(L::COUNT) {
            let count = (depth - d).min(L::COUNT);
            // SAFETY: row < rows, and d + count <= depth.
            unsafe {
                let from = from.add(row * from_stride + d);
                // Rows are often a page apart, which stops the hardware's prefetching.
                lanes.prefetch::<true>(from.wrapping_add(2 * from_stride));
                lanes.store_first(to.add(row * to_stride + d), lanes.load_first(from, count), count);
            }
        }
    }
}

/// One micropanel and the lines that it is made of.
struct Panel<T> {
    width: usize,
    lines: usize,
    depth: usize,
    from: *const T,
    to: *mut T,
}

impl<T: Scalar> Panel<T> {
    /// Lines side by side in memory: a step of depth is `lines` contiguous elements.
    ///
    /// # Safety
    /// As [`pack`], with line stride 1.
    #[inline(always)]
    unsafe fn copy<L: Lanes<Scalar = T>, const VECTORS: usize>(&self, lanes: L, depth_stride: usize) {
        let whole = self.lines == VECTORS * L::COUNT && self.width == self.lines;
        for d in 0..self.depth {
            for v in 0..VECTORS {
                let first = v * L::COUNT;
                // SAFETY: reads stop at `lines`, writes at `width`.
                unsafe {
                    let (from, to) =
                        (self.from.add(d * depth_stride + first), self.to.add(d * self.width + first));
                    // The next panel's lines: they are often a page apart, which stops the hardware's prefetching.
                    lanes.prefetch::<true>(from.wrapping_add(self.width));
                    if whole {
                        lanes.store(to, lanes.load(from));
                    } else {
                        let x = lanes.load_first(from, self.lines.saturating_sub(first));
                        lanes.store_first(to, x, self.width - first);
                    }
                }
            }
        }
    }

    /// Contiguous lines: blocks of `COUNT` lines by `COUNT` steps of depth are transposed in registers.
    ///
    /// # Safety
    /// As [`pack`], with depth stride 1.
    #[inline(always)]
    unsafe fn transpose<L: Lanes<Scalar = T>, const VECTORS: usize>(&self, lanes: L, line_stride: usize) {
        let whole = self.depth - self.depth % L::COUNT;
        for v in 0..VECTORS {
            let first = v * L::COUNT;
            let lines = self.lines.saturating_sub(first);
            let columns = (self.width - first).min(L::COUNT);
            for d in (0..self.depth).step_by(L::COUNT) {
                let steps = if d < whole { L::COUNT } else { self.depth - whole };
                let mut block = [lanes.zero(); 16];
                // Trip counts are constants, so that the block stays in registers.
                for (j, line) in block.iter_mut().enumerate().take(L::COUNT) {
                    if j < lines {
                        // SAFETY: line first + j < lines of the panel; steps stop at `depth`.
                        *line = unsafe {
                            let from = self.from.add((first + j) * line_stride + d);
                            // The next panel's lines, as above.
                            lanes.prefetch::<true>(from.wrapping_add(self.width * line_stride));
                            if steps == L::COUNT { lanes.load(from) } else { lanes.load_first(from, steps) }
                        };
                    }
                }
                lanes.transpose(&mut block);
                for (j, &step) in block.iter().enumerate().take(L::COUNT) {
                    if j < steps {
                        // SAFETY: step d + j < depth; lanes stop at `width`.
                        unsafe {
                            lanes.store_first(self.to.add((d + j) * self.width + first), step, columns)
                        };
                    }
                }
            }
        }
    }

    /// Any strides, element by element.
    ///
    /// # Safety
    /// As [`pack`].
    unsafe fn gather(&self, line_stride: usize, depth_stride: usize) {
        for d in 0..self.depth {
            for i in 0..self.width {
                // SAFETY: line i < lines and step d < depth are readable; the panel holds width x depth.
                unsafe {
                    let x = if i < self.lines {
                        self.from.add(i * line_stride + d * depth_stride).read()
                    } else {
                        T::ZERO
                    };
                    self.to.add(d * self.width + i).write(x);
                }
            }
        }
    }
}
