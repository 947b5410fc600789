//! Greedy pre-training: restricted machines are trained one after another and then composed into a deep one
//! (Salakhutdinov & Hinton 2009, section 3.3).
//!
//! Every hidden layer of a deep machine except the last has input from below and from above. A restricted machine that
//! is trained on its own has only one of them. That input is therefore doubled, to stand for both:
//!
//! ```text
//! first machine    P(h_1 | v) = sigmoid(c + 2 v W_1)          P(v | h_1) = sigmoid(a + W_1 h_1)
//! in between       P(h_l | h_(l-1)) = sigmoid(c + 2 h_(l-1) W_l),  and the reverse alike
//! last machine     P(h_L | h_(L-1)) = sigmoid(c + h_(L-1) W_L)     P(h_(L-1) | h_L) = sigmoid(a + 2 W_L h_L)
//! ```
//!
//! A machine in between is equivalent to a plain machine with the weights 2 W_l: it is trained as a plain machine, and
//! its weights are halved afterwards.
//!
//! Each hidden layer below the last belongs to two machines, and its input in the deep machine is the mean of its
//! inputs there: c + 2 h_(l-1) W_l in one and a + 2 W_(l+1) h_(l+1) in the other. So its bias is the mean of c and a.

use crate::boltzmann::{Dbm, Rbm};
use crate::rng::Stream;
use crate::tensor::{Element, Tensor, Workspace};
use crate::{Error, Result};
use alloc::format;
use alloc::vec::Vec;
use equilibria_kernels::{Activation, Epilogue, Level, MatrixMut, MatrixRef, elementwise, random};

/// The factors of the inputs, bottom-up and top-down, of machine `place` of `machines`; machine 0 is the lowest.
///
/// They are the argument of [`Learner::with_input_factors`](crate::boltzmann::learning::Learner::with_input_factors).
///
/// **Panics** unless `place` is below `machines`.
///
/// ```
/// use equilibria::boltzmann::learning::deep::pretraining::input_factors;
/// assert_eq!([0, 1, 2].map(|place| input_factors(place, 3)), [[2.0, 1.0], [1.0, 1.0], [1.0, 2.0]]);
/// ```
#[track_caller]
pub fn input_factors(place: usize, machines: usize) -> [f64; 2] {
    assert!(place < machines, "machine {place} of {machines}");
    match place {
        _ if machines == 1 => [1.0; 2],
        0 => [2.0, 1.0],
        _ if place + 1 == machines => [1.0, 2.0],
        _ => [1.0; 2],
    }
}

/// Computes the means of the hidden units of a machine with the bottom-up factor `up`: the training data of the next
/// machine.
///
/// **Shapes** `visible` (rows, visible), `out` (rows, hidden).
///
/// **Panics** if the lengths do not fit.
///
/// ```
/// use equilibria::boltzmann::{Rbm, learning::deep::pretraining::hidden_means};
/// use equilibria::tensor::{Tensor, Workspace};
/// let model = Rbm::from_parameters(Tensor::filled(&[2, 1], 1.0_f64), Tensor::zeros(&[2]), Tensor::zeros(&[1]))?;
/// let mut means = [0.0];
/// hidden_means(&model, 2.0, &[1.0, 0.0], &mut means, &mut Workspace::new());
/// assert!((means[0] - 1.0 / (1.0 + (-2.0_f64).exp())).abs() < 1e-12);
/// # Ok::<(), equilibria::Error>(())
/// ```
#[track_caller]
pub fn hidden_means<T: Element>(
    model: &Rbm<T>,
    up: f64,
    visible: &[T],
    out: &mut [T],
    workspace: &mut Workspace<T>,
) {
    let rows = visible.len() / model.visible();
    assert!(
        visible.len() == rows * model.visible() && out.len() == rows * model.hidden(),
        "{} units in rows of {} and {} in rows of {}",
        visible.len(),
        model.visible(),
        out.len(),
        model.hidden()
    );
    workspace.gemm(
        T::from_f64(up),
        MatrixRef::new(visible, rows, model.visible()),
        model.weight().view(),
        T::ZERO,
        MatrixMut::new(out, rows, model.hidden()),
        Epilogue { bias: Some(model.hidden_bias().data()), activation: Activation::Sigmoid },
    );
}

/// Samples states from the means of [`hidden_means`].
///
/// **Shapes** `means` and `out` (rows, hidden).
///
/// **Randomness** One number per unit; row r draws from `stream.substream(r)`.
///
/// **Panics** if the lengths differ or are not whole rows.
///
/// ```
/// use equilibria::{boltzmann::learning::deep::pretraining::hidden_states, rng::Stream};
/// let mut states = [0.5_f32; 4];
/// hidden_states(&[0.0, 1.0, 1.0, 0.0], 2, Stream::named(1, "chain"), &mut states);
/// assert_eq!(states, [0.0, 1.0, 1.0, 0.0]);
/// ```
#[track_caller]
pub fn hidden_states<T: Element>(means: &[T], hidden: usize, stream: Stream, out: &mut [T]) {
    assert!(
        means.len() == out.len() && means.len().is_multiple_of(hidden),
        "{} means and {} states in rows of {hidden}",
        means.len(),
        out.len()
    );
    for (row, (means, out)) in means.chunks_exact(hidden).zip(out.chunks_exact_mut(hidden)).enumerate() {
        let mut generator = stream.substream(row as u64).bulk();
        random::bernoulli_from_probabilities(Level::detect(), &mut generator, means, out);
    }
}

/// Composes a deep machine from restricted ones that were trained with their [`input_factors`], the lowest first.
///
/// The weights are those of the restricted machines, halved for machines in between. The bias of a layer is the mean of
/// its biases in its two machines.
///
/// **Errors** [`Error::InvalidArgument`] with fewer than 2 machines; [`Error::ShapeMismatch`] if the number of a
/// machine's hidden units differs from that of the next machine's visible units.
///
/// ```
/// use equilibria::boltzmann::{Rbm, learning::deep::pretraining::compose};
/// use equilibria::rng::Stream;
/// let machines = [Rbm::<f32>::new(&[0.5; 6], 4, Stream::named(1, "init"))?, Rbm::new(&[0.5; 4], 2, Stream::named(2, "init"))?];
/// assert!(compose(&machines)?.sizes().eq([6, 4, 2]));
/// # Ok::<(), equilibria::Error>(())
/// ```
pub fn compose<T: Element>(machines: &[Rbm<T>]) -> Result<Dbm<T>> {
    let [first, .., last] = machines else {
        let problem = format!("{} restricted machines", machines.len());
        return Err(Error::invalid(problem, "at least 2 are needed for a deep one"));
    };
    let (level, half) = (Level::detect(), T::from_f64(0.5));
    let mut biases = Vec::from([first.visible_bias().clone()]);
    for pair in machines.windows(2) {
        let (mut bias, other) = (pair[0].hidden_bias().clone(), pair[1].visible_bias());
        if bias.len() != other.len() {
            return Err(Error::ShapeMismatch {
                operation: "restricted machines of a deep one",
                expected: bias.shape().to_vec(),
                found: other.shape().to_vec(),
            });
        }
        elementwise::add_in_place(level, bias.data_mut(), other.data());
        elementwise::scale_in_place(level, half, bias.data_mut());
        biases.push(bias);
    }
    biases.push(last.hidden_bias().clone());
    let weight = |(place, machine): (usize, &Rbm<T>)| -> Tensor<T> {
        let mut weight = machine.weight().clone();
        if place > 0 && place + 1 < machines.len() {
            elementwise::scale_in_place(level, half, weight.data_mut());
        }
        weight
    };
    Dbm::from_parameters(machines.iter().enumerate().map(weight).collect(), biases)
}
