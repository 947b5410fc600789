//! The two matrix products of a Gibbs step.

use crate::boltzmann::Rbm;
use crate::tensor::{Element, Epilogue, MatrixMut, MatrixRef, Workspace};

/// W as chains see it: what a layer's states say to the other layer, for all chains at once and without biases. No
/// other code of the likelihood multiplies matrices.
#[derive(Debug)]
pub(super) struct Products<'a, T: Element> {
    model: &'a Rbm<T>,
    workspace: Workspace<T>,
}

impl<'a, T: Element> Products<'a, T> {
    pub(super) fn new(model: &'a Rbm<T>) -> Self {
        Self { model, workspace: Workspace::new() }
    }

    /// v W.
    ///
    /// **Shapes** `visible` (chains, visible), each 0 or 1; `out` (chains, hidden).
    pub(super) fn hidden_inputs(&mut self, visible: &[T], out: &mut [T]) {
        let weight = self.weight();
        self.multiply(visible, weight, out);
    }

    /// h W'.
    ///
    /// **Shapes** `hidden` (chains, hidden), each 0 or 1; `out` (chains, visible).
    pub(super) fn visible_inputs(&mut self, hidden: &[T], out: &mut [T]) {
        let weight = self.weight().transposed();
        self.multiply(hidden, weight, out);
    }

    fn weight(&self) -> MatrixRef<'a, T> {
        self.model.weight().view()
    }

    fn multiply(&mut self, states: &[T], weight: MatrixRef<'a, T>, out: &mut [T]) {
        let chains = states.len() / weight.rows();
        let out = MatrixMut::new(out, chains, weight.columns());
        let states = MatrixRef::new(states, chains, weight.rows());
        self.workspace.gemm(T::ONE, states, weight, T::ZERO, out, Epilogue::NONE);
    }
}
