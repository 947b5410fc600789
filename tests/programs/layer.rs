//! One's own layer, y = x², in a network, with its gradient checked.
use equilibria::nn::{Initialisation, Input, Layer, Linear, Pass, Sequential, Training, gradient_check};
use equilibria::{Result, rng::Stream};

#[derive(Debug, Clone)]
struct Square;

impl Layer<f64> for Square {
    fn name(&self) -> &'static str {
        "square"
    }
    fn infer(&self, input: Input<'_, f64>, y: &mut [f64]) {
        y.iter_mut().zip(input.x).for_each(|(y, x)| *y = x * x);
    }
    fn backward(&self, pass: Pass<'_, f64>) {
        for (i, grad) in pass.grad_input.into_iter().flatten().enumerate() {
            *grad = 2.0 * pass.x[i] * pass.delta[i];
        }
    }
}

pub fn main() -> Result<gradient_check::Report> {
    let layers = vec![Linear::new(3, 4).into(), Square.into(), Linear::new(4, 1).into()];
    let mut network = Sequential::new(3, layers)?;
    network.initialise(Initialisation::Uniform, Stream::named(1, "init"));
    gradient_check::first_order(&network, &[0.5, -1.0, 2.0], Training::new(Stream::named(1, "dropout")))
}
