//! Initial weights of layers.

use crate::rng::Stream;
use crate::tensor::{Element, Tensor};

/// The distribution of the initial weights of a layer with `fan_in` inputs and `fan_out` outputs per unit.
///
/// **Source** [`Uniform`](Self::Uniform) is PyTorch's default: He's bound with a = √5. Xavier: Glorot & Bengio 2010,
/// eq. 16. He: He et al. 2015, eq. 14. Normal: Radford et al. 2016 use 0.02.
///
/// ```
/// use equilibria::nn::{Initialisation, Linear, Sequential};
/// use equilibria::rng::Stream;
/// let mut network = Sequential::<f32>::new(100, vec![Linear::new(100, 50).into()])?;
/// network.initialise(Initialisation::Normal { standard_deviation: 0.02 }, Stream::named(1, "init"));
/// let variance = network.parameters().next().unwrap().squared_norm() / 5000.0;
/// assert!((variance.sqrt() - 0.02).abs() < 0.002);
/// # Ok::<(), equilibria::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Initialisation {
    /// Weights and biases uniform within ± 1 / √fan_in.
    Uniform,
    /// Weights uniform within ± √(6 / (fan_in + fan_out)), biases 0: for tanh and sigmoid.
    Xavier,
    /// Weights normal with variance 2 / ((1 + slope²) fan_in), biases 0: for ReLU and leaky ReLU.
    He {
        /// The slope of the leaky ReLU that follows; 0 for ReLU.
        slope: f64,
    },
    /// Weights normal with this standard deviation, biases 0; the scales of batch normalisation are normal around 1
    /// with the same deviation.
    Normal {
        /// Usually 0.02.
        standard_deviation: f64,
    },
}

impl Initialisation {
    /// Draws the weight and the bias of a layer.
    ///
    /// **Randomness** `stream.substream(0)` for the weight, `substream(1)` for the bias.
    pub(super) fn draw<T: Element>(
        self,
        (fan_in, fan_out): (usize, usize),
        weight: &mut Tensor<T>,
        bias: Option<&mut Tensor<T>>,
        stream: Stream,
    ) {
        let (for_weight, for_bias) = (stream.substream(0), stream.substream(1));
        let (inputs, outputs) = (fan_in.max(1) as f64, fan_out.max(1) as f64);
        let mut bias_bound = 0.0;
        match self {
            Self::Uniform => {
                bias_bound = 1.0 / libm::sqrt(inputs);
                fill_within(weight, bias_bound, for_weight);
            }
            Self::Xavier => fill_within(weight, libm::sqrt(6.0 / (inputs + outputs)), for_weight),
            Self::He { slope } => {
                let deviation = libm::sqrt(2.0 / ((1.0 + slope * slope) * inputs));
                weight.fill_normal(for_weight, T::from_f64(deviation));
            }
            Self::Normal { standard_deviation } => {
                weight.fill_normal(for_weight, T::from_f64(standard_deviation));
            }
        }
        if let Some(bias) = bias {
            fill_within(bias, bias_bound, for_bias);
        }
    }
}

/// Fills a tensor with uniforms within ± `bound`.
fn fill_within<T: Element>(tensor: &mut Tensor<T>, bound: f64, stream: Stream) {
    if bound == 0.0 {
        tensor.fill(T::ZERO);
        return;
    }
    tensor.fill_uniform(stream);
    let (lowest, width) = (T::from_f64(-bound), T::from_f64(2.0 * bound));
    for x in tensor.data_mut() {
        *x = lowest + width * *x;
    }
}
