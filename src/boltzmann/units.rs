//! One number per unit of a layer, laid out in panels of 64 for the kernels.

use crate::aligned::Aligned;
use crate::tensor::Element;
use core::ops::{Deref, DerefMut};
use equilibria_kernels::binary::{PANEL, panels};

/// One number per unit of a layer, padded with zeros to whole panels of 64.
///
/// Dereferences to the units without the padding. Kernels take whole panels; [`PanelsMut`] clears the padding
/// afterwards, so that it is always 0.
#[derive(Debug, Clone)]
pub(crate) struct UnitValues<T: Element> {
    units: usize,
    /// (panels, 64)
    panelled: Aligned<T>,
}

impl<T: Element> UnitValues<T> {
    /// Zeros.
    pub fn new(units: usize) -> Self {
        Self { units, panelled: Aligned::zeros(panels(units) * PANEL) }
    }

    /// Whole panels; the padding is 0.
    pub fn panels(&self) -> &[T] {
        &self.panelled
    }

    /// Whole panels for a kernel to write to.
    pub fn panels_mut(&mut self) -> PanelsMut<'_, T> {
        PanelsMut(self)
    }
}

impl<T: Element> Deref for UnitValues<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.panelled[..self.units]
    }
}

impl<T: Element> DerefMut for UnitValues<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.panelled[..self.units]
    }
}

/// Whole panels of [`UnitValues`]. Dropping this sets the padding to 0.
pub(crate) struct PanelsMut<'a, T: Element>(&'a mut UnitValues<T>);

impl<T: Element> Deref for PanelsMut<'_, T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0.panelled
    }
}

impl<T: Element> DerefMut for PanelsMut<'_, T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.0.panelled
    }
}

impl<T: Element> Drop for PanelsMut<'_, T> {
    fn drop(&mut self) {
        self.0.panelled[self.0.units..].fill(T::ZERO);
    }
}

#[cfg(test)]
mod tests {
    use super::UnitValues;

    #[test]
    fn padding_is_zero_after_any_kernel() {
        for units in [1, 40, 63, 64, 65, 200] {
            let mut values = UnitValues::<f32>::new(units);
            values.panels_mut().fill(3.0);
            assert_eq!(*values, alloc::vec![3.0; units]);
            assert!(values.panels()[units..].iter().all(|&x| x == 0.0), "{units} units");
            assert!(values.panels().len().is_multiple_of(64));
        }
    }
}
