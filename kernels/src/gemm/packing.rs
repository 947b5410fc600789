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
            if line_stride == 1 {
                copy_panel(lanes, width, from, depth_stride, lines, depth, to);
            } else if depth_stride == 1 {
                transpose_panel(lanes, width, from, line_stride, lines, depth, to);
            } else {
                for d in 0..depth {
                    for i in 0..width {
                        let x = if i < lines {
                            from.add(i * line_stride + d * depth_stride).read()
                        } else {
                            L::Scalar::ZERO
                        };
                        to.add(d * width + i).write(x);
                    }
                }
            }
        }
    }
}

/// Lines side by side in memory: a step of depth is `lines` contiguous elements.
///
/// # Safety
/// As [`pack`], for one panel with line stride 1.
#[inline(always)]
unsafe fn copy_panel<L: Lanes>(
    lanes: L,
    width: usize,
    from: *const L::Scalar,
    depth_stride: usize,
    lines: usize,
    depth: usize,
    to: *mut L::Scalar,
) {
    for d in 0..depth {
        for i in (0..width).step_by(L::COUNT) {
            // SAFETY: reads stop at `lines`, writes at `width`.
            unsafe {
                let x = lanes.load_first(from.add(d * depth_stride + i), lines.saturating_sub(i));
                lanes.store_first(to.add(d * width + i), x, width - i);
            }
        }
    }
}

/// Contiguous lines: blocks of `COUNT` lines by `COUNT` steps of depth are transposed in registers.
///
/// # Safety
/// As [`pack`], for one panel with depth stride 1.
#[inline(always)]
unsafe fn transpose_panel<L: Lanes>(
    lanes: L,
    width: usize,
    from: *const L::Scalar,
    line_stride: usize,
    lines: usize,
    depth: usize,
    to: *mut L::Scalar,
) {
    for d in (0..depth).step_by(L::COUNT) {
        let steps = (depth - d).min(L::COUNT);
        for i in (0..width).step_by(L::COUNT) {
            let mut block = [lanes.zero(); 16];
            for (j, line) in block.iter_mut().enumerate().take(L::COUNT.min(lines.saturating_sub(i))) {
                // SAFETY: line i + j < lines; steps stop at `depth`.
                *line = unsafe { lanes.load_first(from.add((i + j) * line_stride + d), steps) };
            }
            lanes.transpose(&mut block);
            for (j, &step) in block.iter().enumerate().take(steps) {
                // SAFETY: step d + j < depth; lanes stop at `width`.
                unsafe { lanes.store_first(to.add((d + j) * width + i), step, width - i) };
            }
        }
    }
}
