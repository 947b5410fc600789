//! Can a layer from another crate do everything that the layers of this crate can do?

use equilibria::nn::{
    Activation, Cache, Deltas, Gradients, Initialisation, Input, Kept, Layer, LayerGradients, Linear, Pass,
    Scratch, Sequential, Shape, Training, Wanted, gradient_check,
};
use equilibria::optim::{Average, Optimiser, Rule};
use equilibria::rng::Stream;
use equilibria::tensor::Element;
use equilibria::{Error, Result, Tensor};
use std::slice;

/// y = s ⊙ x with one learned factor s per channel. With δ = ∂L/∂y, and sums over examples and pixels,
///
/// ```text
/// forward:  y = s ⊙ x
/// backward: ∂L/∂s = Σ δ ⊙ x,   ∂L/∂x = s ⊙ δ
/// tangent:  ẏ = s ⊙ ẋ,         ∂S/∂s = Σ δ ⊙ ẋ
/// ```
#[derive(Debug, Clone)]
struct Scale<T: Element> {
    factors: Tensor<T>,
}

impl<T: Element> Scale<T> {
    fn new(channels: usize) -> Self {
        Self { factors: Tensor::filled(&[channels], T::ONE) }
    }

    /// Multiplies each pixel by s.
    fn apply(&self, from: &[T], to: &mut [T]) {
        let factors = self.factors.data().iter().cycle();
        to.iter_mut().zip(from).zip(factors).for_each(|((y, &x), &s)| *y = s * x);
    }

    /// Adds Σ δ ⊙ x to the gradient of s.
    fn add_gradient(&self, x: &[T], delta: &[T], gradients: &mut LayerGradients<'_, T>) {
        let gradient = gradients.tensor(0).data_mut();
        for (x, delta) in x.chunks(gradient.len()).zip(delta.chunks(gradient.len())) {
            gradient.iter_mut().zip(x).zip(delta).for_each(|((g, &x), &delta)| *g += x * delta);
        }
    }
}

impl<T: Element> Layer<T> for Scale<T> {
    fn name(&self) -> &'static str {
        "scale"
    }

    fn output_shape(&self, input: Shape) -> Result<Shape> {
        if input.channels == self.factors.len() {
            return Ok(input);
        }
        let (expected, found) = (vec![self.factors.len()], vec![input.channels]);
        Err(Error::ShapeMismatch { operation: "channels of a scale", expected, found })
    }

    fn tensors(&self) -> [&[Tensor<T>]; 2] {
        [slice::from_ref(&self.factors), &[]]
    }

    fn tensors_mut(&mut self) -> [&mut [Tensor<T>]; 2] {
        [slice::from_mut(&mut self.factors), &mut []]
    }

    fn names(&self) -> &'static [&'static str] {
        &["factors"]
    }

    fn infer(&self, input: Input<'_, T>, y: &mut [T]) {
        self.apply(input.x, y);
    }

    fn backward(&self, pass: Pass<'_, T>) {
        if let Some(mut gradients) = pass.gradients {
            self.add_gradient(pass.x, pass.delta, &mut gradients);
        }
        if let Some(grad_input) = pass.grad_input {
            self.apply(pass.delta, grad_input);
        }
    }

    fn tangent(&self, pass: Pass<'_, T>, x_dot: &[T], y_dot: &mut [T]) -> Result<()> {
        self.apply(x_dot, y_dot);
        if let Some(mut gradients) = pass.gradients {
            self.add_gradient(x_dot, pass.delta, &mut gradients);
        }
        Ok(())
    }
}

fn normals(count: usize, seed: u64) -> Vec<f64> {
    let mut numbers = Tensor::<f64>::zeros(&[count]);
    numbers.fill_normal(Stream::named(seed, "test"), 1.0);
    numbers.into_vec()
}

fn training() -> Training {
    Training::new(Stream::named(7, "dropout"))
}

const IMAGE: Shape = Shape { height: 2, width: 3, channels: 4 };

/// Scales before, between and after layers that absorb activations and layers that do not.
fn network() -> Sequential<f64> {
    let layers: Vec<Box<dyn Layer<f64>>> = vec![
        Scale::new(4).into(),
        Activation::Tanh.into(),
        Scale::new(4).into(),
        Linear::new(24, 7).into(),
        Activation::Softplus.into(),
        Scale::new(7).into(),
        Activation::LeakyRelu { slope: 0.2 }.into(),
        Linear::new(7, 3).into(),
        Scale::new(3).into(),
    ];
    let mut model = Sequential::new(IMAGE, layers).unwrap();
    model.initialise(Initialisation::Uniform, Stream::named(1, "init"));
    for (parameter, index) in model.parameters_mut().zip(0..) {
        let noise = normals(parameter.len(), index);
        parameter.data_mut().iter_mut().zip(noise).for_each(|(x, noise)| *x += 0.3 * noise);
    }
    model
}

#[test]
fn are_its_first_and_second_order_gradients_correct() {
    let (model, input) = (network(), normals(6 * 24, 5));
    for report in [
        gradient_check::first_order(&model, &input, training()).unwrap(),
        gradient_check::second_order(&model, &input, training()).unwrap(),
    ] {
        assert!(report.passes() && report.skipped == 0, "{report}");
    }
}

#[test]
fn does_it_train_like_any_other_layer() {
    // The images are scaled by factors that the network should learn.
    let right = [2.0, -0.5, 1.0, 0.25];
    let mut model = Sequential::new(IMAGE, vec![Scale::<f64>::new(4).into()]).unwrap();
    let mut average = Average::new(0.5, &model).unwrap();
    let mut optimiser = Optimiser::new(Rule::adam(0.05, [0.9, 0.99]), &model).unwrap();
    let (mut cache, mut deltas, mut scratch) = (Cache::new(&model), Deltas::new(&model), Scratch::new());
    let (mut gradients, mut loss) = (Gradients::new(&model), f64::INFINITY);
    for step in 0..300 {
        let x = normals(8 * 24, 100 + step);
        cache.input_mut(8).copy_from_slice(&x);
        model.forward(&mut cache, training(), &mut scratch).unwrap();
        let errors = cache.output().iter().zip(&x).enumerate().map(|(i, (y, x))| y - right[i % 4] * x);
        let errors: Vec<f64> = errors.collect();
        loss = errors.iter().map(|error| error * error).sum::<f64>() / errors.len() as f64;
        gradients.clear();
        let wanted = Wanted::parameters(&mut gradients, 0..8);
        model.backward(&cache, &errors, wanted, &mut deltas, &mut scratch).unwrap();
        optimiser.step(&mut model, &mut gradients).unwrap();
        average.update(&model);
    }
    assert!(loss < 1e-6, "{loss:e}");
    for network in [&model, average.network()] {
        let (name, factors) = network.state().next().unwrap();
        assert_eq!(name, "0.factors");
        assert!(factors.data().iter().zip(right).all(|(a, b)| (a - b).abs() < 1e-2), "{factors:?}");
    }
    // Inference gives the same result as training.
    let mut inferred = vec![0.0; 24];
    model.infer(&[1.0; 24], &mut scratch, &mut inferred).unwrap();
    assert_eq!(inferred[..4], *model.parameters().next().unwrap().data());
}

#[test]
fn is_it_refused_after_a_layer_of_another_shape() {
    let error = Sequential::new(3, vec![Scale::<f32>::new(4).into()]).unwrap_err().to_string();
    assert_eq!(error, "channels of a scale: expected shape (4), found (3)");
}

/// A scale with an incomplete implementation.
#[derive(Debug, Clone)]
struct Incomplete {
    scale: Scale<f64>,
    omits_factors: bool,
}

impl Layer<f64> for Incomplete {
    fn name(&self) -> &'static str {
        "incomplete layer"
    }

    fn output_shape(&self, input: Shape) -> Result<Shape> {
        self.scale.output_shape(input)
    }

    fn tensors(&self) -> [&[Tensor<f64>]; 2] {
        self.scale.tensors()
    }

    fn tensors_mut(&mut self) -> [&mut [Tensor<f64>]; 2] {
        self.scale.tensors_mut()
    }

    fn names(&self) -> &'static [&'static str] {
        self.scale.names()
    }

    fn keeps(&self, _: Shape) -> Kept<usize> {
        Kept { per_example: [2, 3], per_batch: 5 }
    }

    fn infer(&self, input: Input<'_, f64>, y: &mut [f64]) {
        self.scale.infer(input, y);
    }

    fn backward(&self, mut pass: Pass<'_, f64>) {
        let kept = (pass.kept.per_example.map(<[f64]>::len), pass.kept.per_batch.len());
        assert_eq!(kept, ([2 * pass.x.len() / 4, 3 * pass.x.len() / 4], 5 * pass.batches));
        pass.gradients = pass.gradients.filter(|_| !self.omits_factors);
        self.scale.backward(pass);
    }

    fn tangent(&self, mut pass: Pass<'_, f64>, x_dot: &[f64], y_dot: &mut [f64]) -> Result<()> {
        pass.gradients = pass.gradients.filter(|_| !self.omits_factors);
        self.scale.tangent(pass, x_dot, y_dot)
    }
}

/// A layer that implements only the required methods.
#[derive(Debug, Clone)]
struct Plain;

impl Layer<f64> for Plain {
    fn name(&self) -> &'static str {
        "plain layer"
    }

    fn output_shape(&self, input: Shape) -> Result<Shape> {
        Ok(input)
    }

    fn infer(&self, input: Input<'_, f64>, y: &mut [f64]) {
        y.copy_from_slice(input.x);
    }

    fn backward(&self, pass: Pass<'_, f64>) {
        if let Some(grad_input) = pass.grad_input {
            grad_input.copy_from_slice(pass.delta);
        }
    }
}

fn incomplete(omits_factors: bool) -> Incomplete {
    let scale = Scale { factors: Tensor::from_vec(&[4], vec![0.5, 2.0, -1.0, 0.3]).unwrap() };
    Incomplete { scale, omits_factors }
}

#[test]
fn does_a_layer_with_a_wrong_gradient_fail() {
    let input = normals(20, 5);
    for (omits_factors, passes) in [(false, true), (true, false)] {
        let layers = vec![incomplete(omits_factors).into(), Activation::Sigmoid.into()];
        let model = Sequential::new(4, layers).unwrap();
        for report in [
            gradient_check::first_order(&model, &input, training()).unwrap(),
            gradient_check::second_order(&model, &input, training()).unwrap(),
        ] {
            assert_eq!(report.passes(), passes, "{report}");
            assert!(passes || report.coordinate.starts_with("parameter 0["), "{report}");
        }
    }
}

#[test]
fn is_a_layer_without_a_second_order_pass_refused_in_a_penalised_critic() {
    let model = Sequential::new(4, vec![Plain.into(), Linear::new(4, 1).into()]).unwrap();
    assert!(gradient_check::first_order(&model, &normals(20, 5), training()).unwrap().passes());
    let error = gradient_check::second_order(&model, &normals(20, 5), training()).unwrap_err();
    assert_eq!(error.to_string(), "plain layer: it has no second-order pass, which a penalised critic needs");
}

#[test]
fn does_a_layer_get_the_requested_rows_and_the_data_that_it_stored_for_them() {
    let mut model = Sequential::new(4, vec![incomplete(false).into()]).unwrap();
    let (mut cache, mut deltas, mut scratch) = (Cache::new(&model), Deltas::new(&model), Scratch::new());
    cache.input_mut(6).fill(1.0);
    model.forward(&mut cache, training().with_batches(3), &mut scratch).unwrap();
    let mut gradients = Gradients::new(&model);
    // Two mini-batches, a part of one, and all three; `backward` checks the number of values.
    for rows in [0..4, 2..3, 0..6] {
        let wanted = Wanted::both(&mut gradients, rows.clone(), 1..2);
        let seed = vec![1.0; 4 * (rows.end - rows.start.min(1))];
        model.backward(&cache, &seed, wanted, &mut deltas, &mut scratch).unwrap();
        assert_eq!(deltas.input(1..2), [0.5, 2.0, -1.0, 0.3]);
    }
    assert_eq!(gradients.tensors()[0].data(), [11.0; 4]);
}
