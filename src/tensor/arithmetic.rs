//! Elementwise arithmetic, elementwise functions, and reductions.

use equilibria_kernels::{Level, elementwise, math, reduce};

use super::{Element, Tensor, expect_shape};
use crate::Result;

/// Operations on two tensors of the same shape.
macro_rules! binary {
    ($($name:ident, $in_place:ident, $operation:literal, $sign:literal;)*) => {
        impl<T: Element> Tensor<T> {$(
            #[doc = concat!("`self ", $sign, " other`, element by element.")]
            ///
            /// **Errors** [`Error::ShapeMismatch`](crate::Error::ShapeMismatch) if the shapes differ.
            pub fn $name(&self, other: &Self) -> Result<Self> {
                expect_shape($operation, self.shape(), other.shape())?;
                let mut out = Self::zeros(self.shape());
                elementwise::$name(Level::detect(), &self.data, &other.data, &mut out.data);
                Ok(out)
            }

            #[doc = concat!("`self = self ", $sign, " other`, element by element.")]
            ///
            /// **Errors** [`Error::ShapeMismatch`](crate::Error::ShapeMismatch) if the shapes differ.
            pub fn $in_place(&mut self, other: &Self) -> Result<()> {
                expect_shape($operation, self.shape(), other.shape())?;
                elementwise::$in_place(Level::detect(), &mut self.data, &other.data);
                Ok(())
            }
        )*}
    };
}

binary! {
    add, add_in_place, "sum of tensors", "+";
    sub, sub_in_place, "difference of tensors", "-";
    mul, mul_in_place, "elementwise product of tensors", "*";
}

/// Functions that apply to each element.
macro_rules! functions {
    ($($(#[$doc:meta])* $name:ident;)*) => {
        impl<T: Element> Tensor<T> {$(
            $(#[$doc])*
            pub fn $name(&mut self) {
                math::$name(Level::detect(), &mut self.data);
            }
        )*}
    };
}

functions! {
    /// `x = e^x`, within 1 ULP.
    exp_in_place;
    /// `x = ln x`, within 1 ULP: -inf at 0, NaN below.
    ln_in_place;
    /// `x = 1 / (1 + e^-x)`, within 3 ULP.
    sigmoid_in_place;
    /// `x = -ln(1 + e^-x)`, within 3 ULP.
    log_sigmoid_in_place;
    /// `x = ln(1 + e^x)`, within 3 ULP.
    softplus_in_place;
    /// `x = tanh x`, within 3 ULP.
    tanh_in_place;
}

/// Multiples and row broadcasts.
impl<T: Element> Tensor<T> {
    /// `alpha self`.
    #[must_use]
    pub fn scale(&self, alpha: T) -> Self {
        let mut out = Self::zeros(self.shape());
        elementwise::scale(Level::detect(), alpha, &self.data, &mut out.data);
        out
    }

    /// `self = alpha self`.
    pub fn scale_in_place(&mut self, alpha: T) {
        elementwise::scale_in_place(Level::detect(), alpha, &mut self.data);
    }

    /// `self + alpha x`.
    ///
    /// **Errors** [`Error::ShapeMismatch`](crate::Error::ShapeMismatch) if the shapes differ.
    pub fn axpy(&self, alpha: T, x: &Self) -> Result<Self> {
        let mut out = self.clone();
        out.axpy_in_place(alpha, x)?;
        Ok(out)
    }

    /// `self += alpha x`.
    ///
    /// **Errors** [`Error::ShapeMismatch`](crate::Error::ShapeMismatch) if the shapes differ.
    pub fn axpy_in_place(&mut self, alpha: T, x: &Self) -> Result<()> {
        expect_shape("axpy", self.shape(), x.shape())?;
        elementwise::axpy(Level::detect(), alpha, &x.data, &mut self.data);
        Ok(())
    }

    /// `self` with `row` added to each row.
    ///
    /// **Shapes** `self` (rows, columns); `row` (columns).
    ///
    /// **Errors** [`Error::ShapeMismatch`](crate::Error::ShapeMismatch) if `row` has another length.
    pub fn add_row(&self, row: &[T]) -> Result<Self> {
        let mut out = self.clone();
        out.add_row_in_place(row)?;
        Ok(out)
    }

    /// Adds `row` to each row.
    ///
    /// **Shapes**, **Errors** as for [`Tensor::add_row`].
    pub fn add_row_in_place(&mut self, row: &[T]) -> Result<()> {
        let (rows, columns) = (self.rows(), self.columns());
        expect_shape("row added to each row", &[columns], &[row.len()])?;
        elementwise::add_row(Level::detect(), &mut self.data, rows, columns, row);
        Ok(())
    }
}

/// Reductions. The order of the additions depends only on the length and the SIMD level.
impl<T: Element> Tensor<T> {
    /// The sum of the elements; 0 for an empty tensor.
    pub fn sum(&self) -> T {
        reduce::sum(Level::detect(), &self.data)
    }

    /// The mean of the elements, summed in f64; NaN for an empty tensor.
    pub fn mean(&self) -> T {
        T::from_f64(reduce::sum_f64(Level::detect(), &self.data) / self.len() as f64)
    }

    /// The sum of the products of corresponding elements; 0 for empty tensors.
    ///
    /// **Errors** [`Error::ShapeMismatch`](crate::Error::ShapeMismatch) if the shapes differ.
    pub fn dot(&self, other: &Self) -> Result<T> {
        expect_shape("dot product", self.shape(), other.shape())?;
        Ok(reduce::dot(Level::detect(), &self.data, &other.data))
    }

    /// The sum of the squares; 0 for an empty tensor.
    pub fn squared_norm(&self) -> T {
        reduce::squared_norm(Level::detect(), &self.data)
    }

    /// The largest element; -inf for an empty tensor, NaN if any element is NaN.
    pub fn max(&self) -> T {
        reduce::max(Level::detect(), &self.data)
    }

    /// The logarithm of the sum of e^x, without overflow; -inf for an empty tensor.
    pub fn log_sum_exp(&self) -> T {
        reduce::log_sum_exp(Level::detect(), &self.data)
    }

    /// True if no element is infinite or NaN.
    pub fn is_finite(&self) -> bool {
        elementwise::is_finite(Level::detect(), &self.data)
    }

    /// The sum of each row.
    ///
    /// **Shapes** `self` (rows, columns); the result (rows).
    ///
    /// ```
    /// use equilibria::Tensor;
    /// let x = Tensor::from_vec(&[2, 3], vec![1.0_f32, 2.0, 3.0, 4.0, 5.0, 6.0])?;
    /// assert_eq!(x.row_sums().data(), [6.0, 15.0]);
    /// assert_eq!(x.column_sums().data(), [5.0, 7.0, 9.0]);
    /// # Ok::<(), equilibria::Error>(())
    /// ```
    #[must_use]
    pub fn row_sums(&self) -> Self {
        let mut out = Self::zeros(&[self.rows()]);
        reduce::row_sums(Level::detect(), &self.data, self.rows(), self.columns(), &mut out.data);
        out
    }

    /// The sum of each column.
    ///
    /// **Shapes** `self` (rows, columns); the result (columns).
    #[must_use]
    pub fn column_sums(&self) -> Self {
        let mut out = Self::zeros(&[self.columns()]);
        reduce::column_sums(Level::detect(), &self.data, self.rows(), self.columns(), &mut out.data);
        out
    }
}
