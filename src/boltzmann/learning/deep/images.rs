//! The mini-batch, and its contribution to the logits of the first hidden layer.

use crate::Result;
use crate::boltzmann::Dbm;
use crate::boltzmann::dbm::packed::PackedDbm;
use crate::boltzmann::layer::{Layer, unpack_rows};
use crate::boltzmann::link::{Link, Source};
use crate::data::check_unit_interval;
use crate::tensor::{Element, Workspace};
use alloc::vec;
use alloc::vec::Vec;
use equilibria_kernels::{Activation, Epilogue, Level, MatrixMut, MatrixRef, elementwise};

#[derive(Debug, Clone)]
pub(super) struct Images<T: Element> {
    visible: usize,
    hidden: usize,
    /// The mini-batch (images, visible), if it was not set as bits.
    numbers: Vec<T>,
    /// True if the mini-batch is already in `states` as bits.
    are_states: bool,
    states: Layer<T>,
    /// A layer whose sums are v W_1.
    sums: Layer<T>,
    up: Link<T>,
    /// b_1 + v W_1 (images, hidden).
    logits: Vec<T>,
}

impl<T: Element> Images<T> {
    /// Allocates buffers for `batch` images of a machine with layers of `sizes`.
    pub fn new(sizes: &[usize], batch: usize) -> Self {
        let (visible, hidden) = (sizes[0], sizes[1]);
        Self {
            visible,
            hidden,
            numbers: vec![T::ZERO; batch * visible],
            are_states: false,
            states: Layer::new(visible, batch).without_probabilities(),
            sums: Layer::new(hidden, batch).without_probabilities(),
            up: Link::new(visible, batch),
            logits: vec![T::ZERO; batch * hidden],
        }
    }

    pub fn rows(&self) -> usize {
        self.states.rows()
    }

    /// (images, visible)
    pub fn numbers(&self) -> &[T] {
        &self.numbers[..self.rows() * self.visible]
    }

    /// (panels, images)
    pub fn states(&self) -> &[u64] {
        &self.states.states
    }

    pub fn logits(&self) -> &[T] {
        &self.logits[..self.rows() * self.hidden]
    }

    #[track_caller]
    pub fn numbers_mut(&mut self, images: usize) -> &mut [T] {
        let visible = self.visible;
        self.resize(images);
        self.are_states = false;
        &mut self.numbers[..images * visible]
    }

    #[track_caller]
    pub fn states_mut(&mut self, images: usize) -> &mut [u64] {
        self.resize(images);
        self.are_states = true;
        &mut self.states.states
    }

    #[track_caller]
    fn resize(&mut self, images: usize) {
        let capacity = self.numbers.len() / self.visible;
        assert!(images <= capacity, "{images} images, but the mini-batch holds at most {capacity}");
        self.states.resize(images);
        self.sums.resize(images);
        self.up.resize(images);
    }

    /// Computes b_1 + v W_1. Returns true if v is binary.
    ///
    /// **Errors** [`Error::InvalidArgument`](crate::Error::InvalidArgument) for a number outside [0, 1].
    pub fn compute_logits(
        &mut self,
        packed: &PackedDbm<T>,
        model: &Dbm<T>,
        workspace: &mut Workspace<T>,
    ) -> Result<bool> {
        let (rows, visible, hidden) = (self.rows(), self.visible, self.hidden);
        let Self { numbers, states, sums, up, logits, .. } = self;
        let (numbers, logits) = (&numbers[..rows * visible], &mut logits[..rows * hidden]);
        let bias = model.biases()[1].data();
        let are_binary = self.are_states || states.set(numbers);
        if are_binary {
            states.clear_padding();
            up.invalidate();
            let source = Source { states: &states.states, link: up, weights: packed.between(0, 1) };
            sums.sum_from([source], &mut [], &|_, _| {});
            unpack_rows(&sums.sums, hidden, logits);
            elementwise::add_row(Level::detect(), logits, rows, hidden, bias);
        } else {
            check_unit_interval("a pixel", numbers)?;
            let epilogue = Epilogue { bias: Some(bias), activation: Activation::Identity };
            let v = MatrixRef::new(numbers, rows, visible);
            let out = MatrixMut::new(logits, rows, hidden);
            workspace.gemm(T::ONE, v, model.weights()[0].view(), T::ZERO, out, epilogue);
        }
        Ok(are_binary)
    }
}
