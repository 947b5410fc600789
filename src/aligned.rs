//! Numbers from a cache line on.

use crate::tensor::Element;
use alloc::vec;
use alloc::vec::Vec;
use core::ops::{Deref, DerefMut};

/// A slice whose first element starts a cache line: a vector across two lines costs two loads.
#[derive(Debug)]
pub(crate) struct Aligned<T> {
    buffer: Vec<T>,
    first: usize,
    len: usize,
}

impl<T: Element> Aligned<T> {
    /// `len` zeros.
    pub fn zeros(len: usize) -> Self {
        let line = 64 / size_of::<T>();
        let buffer = vec![T::ZERO; len + line];
        let first = buffer.as_ptr().align_offset(64).min(line);
        Self { buffer, first, len }
    }

    /// Becomes `len` elements long, of any content; allocates only if it never was as long.
    pub fn resize(&mut self, len: usize) {
        if len + 64 / size_of::<T>() > self.buffer.len() {
            // Old contents are of no use: free them first rather than copy.
            self.buffer = Vec::new();
            *self = Self::zeros(len);
        }
        self.len = len;
    }

    /// Becomes `len` elements long, of which those beyond the old length are old ones or 0.
    ///
    /// **Panics** if it never was as long.
    pub fn set_len(&mut self, len: usize) {
        assert!(len + 64 / size_of::<T>() <= self.buffer.len(), "{len} of {} elements", self.buffer.len());
        self.len = len;
    }
}

impl<T: Element> Clone for Aligned<T> {
    fn clone(&self) -> Self {
        // The copy can become as long as this one can.
        let mut copy = Self::zeros(self.buffer.len() - 64 / size_of::<T>());
        copy.set_len(self.len);
        copy.copy_from_slice(self);
        copy
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
