//! Arrays that start at a cache line.

use alloc::vec;
use alloc::vec::Vec;
use core::ops::{Deref, DerefMut};
use equilibria_kernels::Scalar;

/// An array whose first element starts a cache line. A vector register that straddles two lines would take two loads.
#[derive(Debug)]
pub(crate) struct Aligned<T> {
    buffer: Vec<T>,
    first: usize,
    len: usize,
}

impl<T: Copy> Aligned<T> {
    /// Creates `len` elements equal to `value`.
    pub fn filled(len: usize, value: T) -> Self {
        let line = Self::line();
        let buffer = vec![value; len + line];
        let first = buffer.as_ptr().align_offset(64).min(line);
        Self { buffer, first, len }
    }

    /// Takes over `values` without moving them; they may start anywhere.
    pub fn from_vec(values: Vec<T>) -> Self {
        Self { len: values.len(), first: 0, buffer: values }
    }

    /// Converts the array into a vector without allocating.
    pub fn into_vec(mut self) -> Vec<T> {
        self.buffer.copy_within(self.first..self.first + self.len, 0);
        self.buffer.truncate(self.len);
        self.buffer
    }

    /// The number of elements in a cache line.
    fn line() -> usize {
        64 / size_of::<T>()
    }
}

impl<T: Scalar> Aligned<T> {
    /// Creates `len` zeros.
    pub fn zeros(len: usize) -> Self {
        Self::filled(len, T::ZERO)
    }

    /// Changes the length to `len`, with unspecified content. Allocates only if the array has never been that long.
    pub fn resize(&mut self, len: usize) {
        if len + Self::line() > self.buffer.len() {
            // The old content is not needed: free it first rather than copy it.
            self.buffer = Vec::new();
            *self = Self::zeros(len);
        }
        self.len = len;
    }

    /// Changes the length to `len`. Elements beyond the old length are old ones or 0.
    ///
    /// **Panics** if the array has never been that long.
    pub fn set_len(&mut self, len: usize) {
        assert!(
            len + Self::line() <= self.buffer.len(),
            "{len} elements in a buffer of {}",
            self.buffer.len()
        );
        self.len = len;
    }
}

impl<T: Copy> Clone for Aligned<T> {
    fn clone(&self) -> Self {
        let Some(&value) = self.buffer.first() else { return Self::from_vec(Vec::new()) };
        // The copy gets the same capacity.
        let most = self.buffer.len().saturating_sub(Self::line()).max(self.len);
        let mut copy = Self::filled(most, value);
        copy.len = self.len;
        copy.copy_from_slice(self);
        copy
    }
}

impl<T: PartialEq> PartialEq for Aligned<T> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<T> Deref for Aligned<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.buffer[self.first..self.first + self.len]
    }
}

impl<T> DerefMut for Aligned<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.buffer[self.first..self.first + self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::Aligned;

    #[test]
    fn allocated_arrays_start_at_a_cache_line_and_convert_back_to_vectors() {
        for len in [0, 1, 15, 16, 17, 1000] {
            let mut numbers = Aligned::filled(len, 2.5_f32);
            let expected: Vec<f32> = (0..len).map(|i| 2.5 + i as f32).collect();
            numbers.iter_mut().enumerate().for_each(|(i, x)| *x += i as f32);
            let copy = numbers.clone();
            for numbers in [&numbers, &copy] {
                assert!(numbers.as_ptr().addr().is_multiple_of(64), "{len} numbers");
                assert_eq!(**numbers, expected);
            }
            assert_eq!(numbers.into_vec(), expected);
            let taken_over = Aligned::from_vec(expected.clone());
            assert_eq!(taken_over, copy);
            assert_eq!(taken_over.clone().into_vec(), expected);
            assert_eq!(taken_over.into_vec(), expected);
        }
    }
}
