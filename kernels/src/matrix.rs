//! Views of matrices with arbitrary strides.

/// A matrix inside a slice: element (i, j) is `data[i * row_stride + j * column_stride]`.
#[derive(Clone, Copy, Debug)]
pub struct MatrixRef<'a, T> {
    pub(crate) data: &'a [T],
    pub(crate) layout: Layout,
}

/// Like [`MatrixRef`], but writable. No two elements share an address.
#[derive(Debug)]
pub struct MatrixMut<'a, T> {
    pub(crate) data: &'a mut [T],
    pub(crate) layout: Layout,
}

/// Sizes and strides, in elements. Every element lies inside the slice whose length [`Layout::new`] was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    pub rows: usize,
    pub columns: usize,
    pub row_stride: usize,
    pub column_stride: usize,
}

impl Layout {
    /// Creates the layout of a matrix in a slice of `length` elements.
    ///
    /// Strides that no element uses must neither overflow in address computations nor point outside the slice. Without
    /// elements, both strides become 0; the stride of a dimension of size 1 becomes at most `length`.
    ///
    /// **Panics** if the last element is outside the slice.
    #[track_caller]
    fn new(length: usize, [rows, columns]: [usize; 2], [row_stride, column_stride]: [usize; 2]) -> Self {
        let layout = Self { rows, columns, row_stride, column_stride };
        match layout.span() {
            Some(0) => Self { row_stride: 0, column_stride: 0, ..layout },
            Some(span) if span <= length => Self {
                row_stride: row_stride.min(length),
                column_stride: column_stride.min(length),
                ..layout
            },
            Some(span) => panic!(
                "a {rows} x {columns} matrix with strides {row_stride}, {column_stride} spans {span} elements; the \
                 slice has {length}"
            ),
            None => panic!(
                "a {rows} x {columns} matrix with strides {row_stride}, {column_stride} spans more elements than can \
                 be addressed; the slice has {length}"
            ),
        }
    }

    /// The smallest slice length that holds the last element; `None` if it overflows `usize`.
    fn span(&self) -> Option<usize> {
        if self.rows == 0 || self.columns == 0 {
            return Some(0);
        }
        let row = (self.rows - 1).checked_mul(self.row_stride)?;
        let column = (self.columns - 1).checked_mul(self.column_stride)?;
        row.checked_add(column)?.checked_add(1)
    }

    /// Returns whether no two elements share an address: one stride exceeds the whole extent of the other dimension.
    fn is_injective(&self) -> bool {
        let exceeds = |outer: usize, inner: usize, inner_count: usize| {
            outer > (inner_count - 1).saturating_mul(inner) && (inner > 0 || inner_count == 1)
        };
        self.rows == 0
            || self.columns == 0
            || (self.rows == 1 && (self.columns == 1 || self.column_stride > 0))
            || (self.columns == 1 && self.row_stride > 0)
            || exceeds(self.row_stride, self.column_stride, self.columns)
            || exceeds(self.column_stride, self.row_stride, self.rows)
    }

    pub(crate) fn transposed(self) -> Self {
        Self {
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
        }
    }
}

impl<'a, T> MatrixRef<'a, T> {
    /// Creates a view of a contiguous row-major matrix.
    ///
    /// **Panics** if `data` is shorter than `rows * columns`.
    #[track_caller]
    pub fn new(data: &'a [T], rows: usize, columns: usize) -> Self {
        Self::with_strides(data, rows, columns, columns, 1)
    }

    /// Creates a view of a matrix with strides in elements.
    ///
    /// **Panics** if the last element is outside `data`.
    #[track_caller]
    pub fn with_strides(
        data: &'a [T],
        rows: usize,
        columns: usize,
        row_stride: usize,
        column_stride: usize,
    ) -> Self {
        let layout = Layout::new(data.len(), [rows, columns], [row_stride, column_stride]);
        Self { data, layout }
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.layout.rows
    }

    /// The number of columns.
    pub fn columns(&self) -> usize {
        self.layout.columns
    }

    /// The transposed view of the same elements.
    #[must_use]
    pub fn transposed(self) -> Self {
        Self { layout: self.layout.transposed(), ..self }
    }
}

impl<'a, T> MatrixMut<'a, T> {
    /// Creates a view of a contiguous row-major matrix.
    ///
    /// **Panics** if `data` is shorter than `rows * columns`.
    #[track_caller]
    pub fn new(data: &'a mut [T], rows: usize, columns: usize) -> Self {
        Self::with_strides(data, rows, columns, columns, 1)
    }

    /// Creates a view of a matrix with strides in elements.
    ///
    /// **Panics** if the last element is outside `data`, or if two elements could share an address.
    #[track_caller]
    pub fn with_strides(
        data: &'a mut [T],
        rows: usize,
        columns: usize,
        row_stride: usize,
        column_stride: usize,
    ) -> Self {
        let layout = Layout::new(data.len(), [rows, columns], [row_stride, column_stride]);
        assert!(
            layout.is_injective(),
            "a writable {rows} x {columns} matrix with strides {row_stride}, {column_stride} overlaps itself"
        );
        Self { data, layout }
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.layout.rows
    }

    /// The number of columns.
    pub fn columns(&self) -> usize {
        self.layout.columns
    }

    /// The transposed view of the same elements.
    #[must_use]
    pub fn transposed(self) -> Self {
        Self { layout: self.layout.transposed(), data: self.data }
    }
}

#[cfg(test)]
mod tests {
    use super::Layout;

    #[test]
    fn only_layouts_without_shared_addresses_are_injective() {
        let injective = |rows, columns, row_stride, column_stride| {
            Layout { rows, columns, row_stride, column_stride }.is_injective()
        };
        assert!(injective(3, 4, 4, 1));
        assert!(injective(3, 4, 1, 3));
        assert!(injective(3, 4, 9, 2));
        assert!(injective(1, 4, 0, 1));
        assert!(injective(4, 1, 1, 0));
        assert!(injective(0, 4, 0, 0));
        assert!(!injective(3, 4, 3, 1));
        assert!(!injective(3, 4, 0, 1));
        assert!(!injective(2, 2, 1, 1));
        assert!(!injective(1, 4, 7, 0));
    }
}
