//! Tensors: owned, contiguous, row-major arrays of one to four dimensions.
//!
//! The batch axis comes first; images are (batch, channel, height, width). Every tensor is also a matrix of
//! [`rows`](Tensor::rows), the size of the first axis, by [`columns`](Tensor::columns), the product of the other sizes.
//! A batch of images is a matrix with one image per row, and a vector is one column. Views, row access, row broadcasts,
//! and row and column sums use this matrix.
//!
//! Use `Tensor<f32>` for speed and `Tensor<f64>` for accuracy. All arithmetic is done by the kernels at
//! [`Level::detect`](equilibria_kernels::Level::detect), which panics if `EQUILIBRIA_SIMD` is invalid. The sections on
//! panics below do not repeat this.
//!
//! ```
//! use equilibria::tensor::{Activation, Epilogue, Tensor, Workspace, product_into};
//!
//! // A layer: sigmoid(x W + bias).
//! let x = Tensor::from_vec(&[1, 2], vec![1.0_f32, 2.0])?;
//! let weight = Tensor::from_vec(&[2, 2], vec![1.0, 0.0, 0.5, -0.5])?;
//! let bias = Tensor::from_vec(&[2], vec![-2.0, 1.0])?;
//! let mut hidden = Tensor::zeros(&[1, 2]);
//! let epilogue = Epilogue { bias: Some(bias.data()), activation: Activation::Sigmoid };
//! let mut workspace = Workspace::new();
//! product_into(x.view(), weight.view(), epilogue, &mut workspace, hidden.view_mut())?;
//! assert_eq!(hidden.data(), [0.5, 0.5]);
//! # Ok::<(), equilibria::Error>(())
//! ```

mod arithmetic;
pub mod eigen;
mod product;
pub use equilibria_kernels::{Activation, Epilogue, MatrixMut, MatrixRef, MatrixScalar as Element};
pub use product::{Workspace, accumulate_product, product_into};

use alloc::format;
use alloc::vec::Vec;
use core::fmt;

use equilibria_kernels::{Level, elementwise, random};

use crate::aligned::Aligned;
use crate::error::Shape;
use crate::rng::Stream;
use crate::{Error, Result};

/// The largest number of dimensions.
const MAX_RANK: usize = 4;

/// The largest number of elements, for either element type.
const MAX_LEN: usize = isize::MAX as usize / size_of::<f64>();

/// A block of numbers in one to four dimensions; the last axis is contiguous.
///
/// Memory that a tensor allocates starts at a cache line. [`Tensor::from_vec`] keeps the memory of its values.
///
/// ```
/// use equilibria::Tensor;
/// let a = Tensor::from_rows(&[[1.0_f64, 2.0], [3.0, 4.0]])?;
/// let ones = Tensor::filled(&[2, 1], 1.0);
/// assert_eq!(a.matmul(&ones)?.data(), [3.0, 7.0]);
/// assert_eq!(a.add(&a)?.sum(), 20.0);
/// # Ok::<(), equilibria::Error>(())
/// ```
#[derive(PartialEq)]
pub struct Tensor<T> {
    axes: Axes,
    data: Aligned<T>,
}

impl<T: Copy> Clone for Tensor<T> {
    fn clone(&self) -> Self {
        Self { axes: self.axes, data: self.data.clone() }
    }
}

/// The sizes of the axes; entries from `rank` on are 1.
#[derive(Clone, Copy, PartialEq)]
struct Axes {
    sizes: [usize; MAX_RANK],
    rank: usize,
}

impl Axes {
    fn new(shape: &[usize]) -> Result<Self> {
        let invalid = |expected| Err(Error::invalid(format!("a tensor of shape {}", Shape(shape)), expected));
        if shape.is_empty() || shape.len() > MAX_RANK {
            return invalid("a tensor has 1 to 4 dimensions");
        }
        // A size of 0 counts as 1 here, so that the product of any of the sizes fits.
        let len = shape.iter().try_fold(1_usize, |len, &size| len.checked_mul(size.max(1)));
        if len.is_none_or(|len| len > MAX_LEN) {
            return invalid("more elements than can be addressed");
        }
        let mut sizes = [1; MAX_RANK];
        sizes[..shape.len()].copy_from_slice(shape);
        Ok(Self { sizes, rank: shape.len() })
    }

    fn shape(&self) -> &[usize] {
        &self.sizes[..self.rank]
    }

    fn len(&self) -> usize {
        self.sizes.iter().product()
    }
}

impl<T: Element> Tensor<T> {
    /// Creates a tensor of zeros.
    ///
    /// **Panics** if `shape` does not have 1 to 4 sizes, or has more elements than can be addressed.
    #[track_caller]
    pub fn zeros(shape: &[usize]) -> Self {
        Self::filled(shape, T::ZERO)
    }

    /// Creates a tensor whose elements are all `value`.
    ///
    /// **Panics** as [`Tensor::zeros`].
    #[track_caller]
    pub fn filled(shape: &[usize], value: T) -> Self {
        match Axes::new(shape) {
            Ok(axes) => Self { axes, data: Aligned::filled(axes.len(), value) },
            Err(error) => panic!("{error}"),
        }
    }

    /// Creates a tensor from its values, with the last axis varying fastest. The memory of `values` is reused.
    ///
    /// **Errors** [`Error::ShapeMismatch`] if the number of values is not the product of the sizes;
    /// [`Error::InvalidArgument`] if `shape` does not have 1 to 4 sizes or their product cannot be addressed.
    ///
    /// ```
    /// use equilibria::Tensor;
    /// let x = Tensor::from_vec(&[2, 3], vec![1.0_f32, 2.0, 3.0, 4.0, 5.0, 6.0])?;
    /// assert_eq!(x.row(1), [4.0, 5.0, 6.0]);
    /// let error = Tensor::from_vec(&[2, 2], vec![1.0_f64]).unwrap_err();
    /// assert_eq!(error.to_string(), "tensor from values: expected shape (2, 2), found (1)");
    /// # Ok::<(), equilibria::Error>(())
    /// ```
    pub fn from_vec(shape: &[usize], values: Vec<T>) -> Result<Self> {
        let axes = Axes::new(shape)?;
        if axes.len() != values.len() {
            return Err(mismatch("tensor from values", shape, &[values.len()]));
        }
        Ok(Self { axes, data: Aligned::from_vec(values) })
    }

    /// Creates a matrix from its rows.
    ///
    /// **Errors** [`Error::InvalidArgument`] if there are no rows; [`Error::ShapeMismatch`] if they differ in length.
    ///
    /// ```
    /// use equilibria::Tensor;
    /// let x = Tensor::from_rows(&[[1.0_f32, 2.0, 3.0], [4.0, 5.0, 6.0]])?;
    /// assert_eq!(x.shape(), [2, 3]);
    /// # Ok::<(), equilibria::Error>(())
    /// ```
    pub fn from_rows<R: AsRef<[T]>>(rows: &[R]) -> Result<Self> {
        let Some(columns) = rows.first().map(|row| row.as_ref().len()) else {
            return Err(Error::invalid("a matrix of 0 rows", "at least 1 is needed to know the columns"));
        };
        if let Some(other) = rows.iter().map(|row| row.as_ref().len()).find(|&len| len != columns) {
            return Err(mismatch("rows of a matrix", &[columns], &[other]));
        }
        let values = rows.iter().flat_map(AsRef::as_ref).copied().collect();
        Self::from_vec(&[rows.len(), columns], values)
    }

    /// The sizes of the axes.
    pub fn shape(&self) -> &[usize] {
        self.axes.shape()
    }

    /// The number of axes, 1 to 4.
    pub fn rank(&self) -> usize {
        self.axes.rank
    }

    /// The number of elements.
    pub fn len(&self) -> usize {
        self.data.len()
    }

    /// True if the tensor has no elements.
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    /// The size of the first axis.
    pub fn rows(&self) -> usize {
        self.axes.sizes[0]
    }

    /// The product of the sizes of the other axes; 1 for a vector.
    pub fn columns(&self) -> usize {
        self.axes.sizes[1..].iter().product()
    }

    /// The elements, with the last axis varying fastest.
    pub fn data(&self) -> &[T] {
        &self.data
    }

    /// The mutable elements, with the last axis varying fastest.
    pub fn data_mut(&mut self) -> &mut [T] {
        &mut self.data
    }

    /// Converts the tensor into its elements.
    pub fn into_vec(self) -> Vec<T> {
        self.data.into_vec()
    }

    /// Changes the shape and keeps the elements.
    ///
    /// **Errors** [`Error::ShapeMismatch`] if the number of elements would change; [`Error::InvalidArgument`] as for
    /// [`Tensor::from_vec`]. The tensor is unchanged then.
    pub fn reshape(&mut self, shape: &[usize]) -> Result<()> {
        let axes = Axes::new(shape)?;
        if axes.len() != self.len() {
            return Err(mismatch("reshape", self.shape(), shape));
        }
        self.axes = axes;
        Ok(())
    }

    /// The elements at index `i` of the first axis.
    ///
    /// **Panics** if there is no such index.
    #[inline]
    #[track_caller]
    pub fn row(&self, i: usize) -> &[T] {
        let columns = self.check_row(i);
        &self.data[i * columns..][..columns]
    }

    /// The mutable elements at index `i` of the first axis.
    ///
    /// **Panics** as [`Tensor::row`].
    #[inline]
    #[track_caller]
    pub fn row_mut(&mut self, i: usize) -> &mut [T] {
        let columns = self.check_row(i);
        &mut self.data[i * columns..][..columns]
    }

    #[track_caller]
    fn check_row(&self, i: usize) -> usize {
        assert!(i < self.rows(), "row {i} of a tensor of shape {}", Shape(self.shape()));
        self.columns()
    }

    /// The matrix of [`rows`](Tensor::rows) by [`columns`](Tensor::columns), for products.
    pub fn view(&self) -> MatrixRef<'_, T> {
        MatrixRef::new(&self.data, self.rows(), self.columns())
    }

    /// The mutable matrix of [`rows`](Tensor::rows) by [`columns`](Tensor::columns).
    pub fn view_mut(&mut self) -> MatrixMut<'_, T> {
        let (rows, columns) = (self.rows(), self.columns());
        MatrixMut::new(&mut self.data, rows, columns)
    }

    /// Converts the elements to another type: exactly from f32 to f64, rounded to nearest from f64 to f32.
    pub fn cast<U: Element>(&self) -> Tensor<U> {
        let mut data = Aligned::zeros(self.len());
        data.iter_mut().zip(&*self.data).for_each(|(to, from)| *to = U::from_f64(from.to_f64()));
        Tensor { axes: self.axes, data }
    }

    /// Sets every element to `value`.
    pub fn fill(&mut self, value: T) {
        self.data.fill(value);
    }

    /// Copies the elements of `other`.
    ///
    /// **Errors** [`Error::ShapeMismatch`] if the shapes differ.
    pub fn copy_from(&mut self, other: &Self) -> Result<()> {
        expect_shape("copy", self.shape(), other.shape())?;
        self.data.copy_from_slice(&other.data);
        Ok(())
    }

    /// Fills the tensor with independent normal numbers of mean 0.
    ///
    /// **Randomness** The first numbers of [`Stream::bulk`], in the order of the elements. They depend on the stream
    /// and the length alone, except for the last bits, which depend on the SIMD level.
    ///
    /// ```
    /// use equilibria::{Tensor, rng::Stream};
    /// let mut weight = Tensor::<f32>::zeros(&[784, 500]);
    /// weight.fill_normal(Stream::named(1, "init"), 0.01);
    /// assert!((weight.squared_norm() / 392_000.0 - 1e-4).abs() < 1e-6);
    /// ```
    pub fn fill_normal(&mut self, stream: Stream, standard_deviation: T) {
        let level = Level::detect();
        random::fill_normal(level, &mut stream.bulk(), &mut self.data);
        elementwise::scale_in_place(level, standard_deviation, &mut self.data);
    }

    /// Fills the tensor with independent uniform numbers in [0, 1).
    ///
    /// **Randomness** The first numbers of [`Stream::bulk`], in the order of the elements. They depend on the stream
    /// and the length alone, and are the same at every SIMD level.
    pub fn fill_uniform(&mut self, stream: Stream) {
        random::fill_uniform(Level::detect(), &mut stream.bulk(), &mut self.data);
    }
}

/// Shows the type, the shape and the first elements.
impl<T: Element> fmt::Debug for Tensor<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 6;
        write!(f, "Tensor<{}>{} [", core::any::type_name::<T>(), Shape(self.shape()))?;
        for (i, x) in self.data.iter().take(SHOWN).enumerate() {
            write!(f, "{}{x:?}", if i > 0 { ", " } else { "" })?;
        }
        f.write_str(if self.len() > SHOWN { ", ...]" } else { "]" })
    }
}

/// Returns an error if the shapes differ.
fn expect_shape(operation: &'static str, expected: &[usize], found: &[usize]) -> Result<()> {
    if expected == found { Ok(()) } else { Err(mismatch(operation, expected, found)) }
}

#[cold]
fn mismatch(operation: &'static str, expected: &[usize], found: &[usize]) -> Error {
    Error::ShapeMismatch { operation, expected: expected.to_vec(), found: found.to_vec() }
}
