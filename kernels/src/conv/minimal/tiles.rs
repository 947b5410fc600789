//! Transformed tiles in memory.

/// The numbers of the points of transformed tiles: for each point a matrix with a row for each tile.
#[derive(Clone, Copy)]
pub(in crate::conv) struct TransformedTiles<T> {
    pub start: *mut T,
    pub row: usize,
    /// Elements between two points.
    pub point: usize,
}

impl<T> TransformedTiles<T> {
    /// Rows, and matrices, are an odd number of cache lines long, so that they do not compete for the same sets of a cache.
    pub(super) fn row_len(columns: usize) -> usize {
        let line = 64 / size_of::<T>();
        (columns.div_ceil(line) | 1) * line
    }

    pub(super) fn point_len(rows: usize, columns: usize) -> usize {
        (rows | 1) * Self::row_len(columns)
    }

    pub(super) fn new(start: *mut T, rows: usize, columns: usize) -> Self {
        Self { start, row: Self::row_len(columns), point: Self::point_len(rows, columns) }
    }

    /// # Safety
    /// The place is inside the matrix of a point.
    #[inline(always)]
    pub(super) unsafe fn at(&self, row: usize, column: usize) -> *mut T {
        // SAFETY: guaranteed by the caller.
        unsafe { self.start.add(row * self.row + column) }
    }

    /// The tiles from `row` on.
    ///
    /// # Safety
    /// There is such a row.
    pub(super) unsafe fn starting_at(self, row: usize) -> Self {
        // SAFETY: guaranteed by the caller.
        Self { start: unsafe { self.start.add(row * self.row) }, ..self }
    }
}
