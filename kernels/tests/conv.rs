//! Is a convolution right in all three directions, at every level, for every kernel, stride, padding and number of channels?

#[path = "support/guard.rs"]
mod guard;

use equilibria_kernels::conv::{
    Convolution, ConvolutionError, Sizes, backward_data, backward_weights, forward, workspace_len,
};
use equilibria_kernels::{Activation, Epilogue, Level, MatrixScalar, Scalar, activation};
use guard::GuardedBuffer;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

/// Numbers in [-1, 1), beside an unmapped page.
fn noise<T: Scalar>(len: usize, seed: u64) -> GuardedBuffer<T> {
    let mut generator = Xoshiro256PlusPlus::seed_from_u64(seed);
    let number = |_| T::from_f64((generator.next_u64() >> 11) as f64 / (1_u64 << 52) as f64 - 1.0);
    GuardedBuffer::copy_of(&(0..len).map(number).collect::<Vec<_>>(), seed.is_multiple_of(2))
}

/// For each pair of an element of x and an element of y that a weight connects, the three indices.
fn connections(convolution: &Convolution, mut each: impl FnMut(usize, usize, usize)) {
    let Sizes { batch, image, channels_in, channels_out, kernel, stride, padding } = convolution.sizes();
    let output = convolution.output();
    for (b, i, j) in grid([batch, output[0], output[1]]) {
        for (k, l, c) in grid([kernel[0], kernel[1], channels_in]) {
            let (Some(row), Some(column)) =
                ((i * stride[0] + k).checked_sub(padding[0]), (j * stride[1] + l).checked_sub(padding[1]))
            else {
                continue;
            };
            if row >= image[0] || column >= image[1] {
                continue;
            }
            for o in 0..channels_out {
                let x = ((b * image[0] + row) * image[1] + column) * channels_in + c;
                let w = ((k * kernel[1] + l) * channels_in + c) * channels_out + o;
                each(x, w, ((b * output[0] + i) * output[1] + j) * channels_out + o);
            }
        }
    }
}

fn grid([a, b, c]: [usize; 3]) -> impl Iterator<Item = (usize, usize, usize)> {
    (0..a).flat_map(move |i| (0..b).flat_map(move |j| (0..c).map(move |k| (i, j, k))))
}

/// The sums of products, and of their magnitudes, by the definition.
struct Right {
    sums: Vec<f64>,
    magnitudes: Vec<f64>,
    terms: Vec<usize>,
}

impl Right {
    fn new(len: usize) -> Self {
        Self { sums: vec![0.0; len], magnitudes: vec![0.0; len], terms: vec![0; len] }
    }

    fn add(&mut self, place: usize, a: impl Into<f64>, b: impl Into<f64>) {
        let term = a.into() * b.into();
        self.sums[place] += term;
        self.magnitudes[place] += term.abs();
        self.terms[place] += 1;
    }

    fn check<T: Scalar>(&self, found: &[T], context: &str, finish: impl Fn(usize, f64) -> f64) {
        assert_eq!(found.len(), self.sums.len());
        for (place, found) in found.iter().enumerate() {
            let right = finish(place, self.sums[place]);
            // Rounding errors of a chain of n terms grow like sqrt(n).
            let chain = (2.0 + 0.2 * (self.terms[place] as f64).sqrt()) * self.magnitudes[place];
            let error = (found.to_f64() - right).abs();
            assert!(
                error <= T::EPSILON.to_f64() * (chain + 8.0),
                "{context} at {place}: {found}, not {right}"
            );
        }
    }
}

fn check<T: MatrixScalar + Into<f64>>(level: Level, sizes: Sizes) {
    let convolution = Convolution::new(sizes).unwrap();
    let context = format!("{} {sizes:?}", level.name());
    let (x, w, dy) = (
        noise::<T>(convolution.x_len(), 1),
        noise::<T>(convolution.w_len(), 2),
        noise::<T>(convolution.y_len(), 3),
    );
    let (bias_y, bias_x) = (noise::<T>(sizes.channels_out, 4), noise::<T>(sizes.channels_in, 5));
    let mut workspace = vec![T::from_f64(f64::NAN); workspace_len::<T>(level, &convolution)];
    let [mut y, mut dx, mut dw] = [dy.len(), x.len(), w.len()].map(Right::new);
    connections(&convolution, |ix, iw, iy| {
        y.add(iy, x[ix], w[iw]);
        dx.add(ix, dy[iy], w[iw]);
        dw.add(iw, x[ix], dy[iy]);
    });
    let nan = |len: usize| GuardedBuffer::copy_of(&vec![T::from_f64(f64::NAN); len], true);

    let mut found = nan(dy.len());
    forward(level, &convolution, &x, &w, &mut found, Epilogue::NONE, &mut workspace);
    y.check(&found, &format!("forward {context}"), |_, sum| sum);
    let epilogue = Epilogue { bias: Some(&bias_y), activation: Activation::Relu };
    forward(level, &convolution, &x, &w, &mut found, epilogue, &mut workspace);
    let with_bias = |place: usize, sum: f64| (sum + bias_y[place % sizes.channels_out].to_f64()).max(0.0);
    y.check(&found, &format!("forward with a bias {context}"), with_bias);

    let mut found = nan(x.len());
    backward_data(level, &convolution, &dy, &w, &mut found, (Epilogue::NONE, None), &mut workspace);
    dx.check(&found, &format!("data {context}"), |_, sum| sum);
    let leaky = Activation::LeakyRelu { slope: T::from_f64(0.25) };
    backward_data(
        level,
        &convolution,
        &dy,
        &w,
        &mut found,
        (Epilogue::NONE, Some((leaky, &x))),
        &mut workspace,
    );
    let slope = |place: usize, sum: f64| if x[place] > T::ZERO { sum } else { 0.25 * sum };
    dx.check(&found, &format!("data with slopes {context}"), slope);
    let epilogue = Epilogue { bias: Some(&bias_x), activation: Activation::Relu };
    backward_data(level, &convolution, &dy, &w, &mut found, (epilogue, None), &mut workspace);
    let with_bias = |place: usize, sum: f64| (sum + bias_x[place % sizes.channels_in].to_f64()).max(0.0);
    dx.check(&found, &format!("data with a bias {context}"), with_bias);

    let mut found = nan(w.len());
    backward_weights(level, &convolution, &x, &dy, T::ZERO, &mut found, &mut workspace);
    dw.check(&found, &format!("weights {context}"), |_, sum| sum);
    found.copy_from_slice(&w);
    backward_weights(level, &convolution, &x, &dy, T::ONE, &mut found, &mut workspace);
    dw.check(&found, &format!("weights added {context}"), |place, sum| sum + w[place].to_f64());
}

fn check_all(sizes: Sizes) {
    for level in Level::available() {
        check::<f32>(level, sizes);
        check::<f64>(level, sizes);
    }
}

#[test]
fn every_kernel_stride_and_padding_gives_the_definition() {
    for (kernel, stride, padding) in grid([4, 3, 3]).map(|(k, s, p)| (k + 1, s + 1, p)) {
        for (height, width) in [(1, 1), (4, 4), (5, 7), (2, 9)] {
            let sizes = Sizes {
                batch: 3,
                image: [height, width],
                channels_in: 2,
                channels_out: 5,
                kernel: [kernel, kernel % 3 + 1],
                stride: [stride, 4 - stride],
                padding: [padding, 2 - padding],
            };
            if Convolution::new(sizes).is_ok() {
                check_all(sizes);
            }
        }
    }
}

#[test]
fn every_number_of_channels_and_images_gives_the_definition() {
    for channels in 1..=17 {
        let sizes = Sizes {
            batch: channels % 5 + 1,
            image: [6, 4],
            channels_in: channels,
            channels_out: 18 - channels,
            kernel: [4, 4],
            stride: [2, 2],
            padding: [1, 1],
        };
        check_all(sizes);
    }
    for batch in [1, 2, 13, 40] {
        // Height, width and channels are equal: a layout that mixes them up shows.
        let same = [8; 2];
        let sizes = Sizes {
            batch,
            image: same,
            channels_in: 8,
            channels_out: 8,
            kernel: [4, 4],
            stride: [2, 2],
            padding: [1, 1],
        };
        check_all(sizes);
    }
}

#[test]
fn layers_of_a_dcgan_give_the_definition() {
    let layer = |channels_in, channels_out, side: usize, kernel, stride, padding| Sizes {
        batch: 5,
        image: [side; 2],
        channels_in,
        channels_out,
        kernel: [kernel; 2],
        stride: [stride; 2],
        padding: [padding; 2],
    };
    check_all(layer(3, 64, 8, 4, 2, 1));
    check_all(layer(64, 130, 8, 4, 2, 1));
    check_all(layer(70, 1, 4, 4, 1, 0));
    check_all(layer(33, 100, 4, 4, 1, 0));
    check_all(layer(16, 16, 5, 3, 1, 1));
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let sizes = Sizes {
        batch: 37,
        image: [6, 5],
        channels_in: 20,
        channels_out: 33,
        kernel: [3, 4],
        stride: [2, 1],
        padding: [1, 2],
    };
    let convolution = Convolution::new(sizes).unwrap();
    let level = Level::detect();
    let (x, w, dy) = (
        noise::<f32>(convolution.x_len(), 1).to_vec(),
        noise::<f32>(convolution.w_len(), 2).to_vec(),
        noise::<f32>(convolution.y_len(), 3).to_vec(),
    );
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let mut workspace = vec![0.0; workspace_len::<f32>(level, &convolution)];
            let (mut y, mut dx, mut dw) = (vec![0.0; dy.len()], vec![0.0; x.len()], vec![0.0; w.len()]);
            forward(level, &convolution, &x, &w, &mut y, Epilogue::NONE, &mut workspace);
            backward_data(level, &convolution, &dy, &w, &mut dx, (Epilogue::NONE, None), &mut workspace);
            backward_weights(level, &convolution, &x, &dy, 0.0, &mut dw, &mut workspace);
            [y, dx, dw].concat().into_iter().map(f32::to_bits).collect::<Vec<_>>()
        })
    };
    let right = run(1);
    assert!([2, 3, 5].iter().all(|&threads| run(threads) == right));
}

#[test]
fn sizes_that_make_no_convolution_are_refused() {
    let right = Sizes {
        batch: 2,
        image: [4, 4],
        channels_in: 3,
        channels_out: 5,
        kernel: [4, 4],
        stride: [2, 2],
        padding: [1, 1],
    };
    assert_eq!(Convolution::new(right).unwrap().output(), [2, 2]);
    for (sizes, error) in [
        (Sizes { kernel: [0, 4], ..right }, ConvolutionError::Zero),
        (Sizes { stride: [2, 0], ..right }, ConvolutionError::Zero),
        (Sizes { kernel: [7, 4], ..right }, ConvolutionError::KernelTooLarge),
        (Sizes { padding: [usize::MAX, 1], ..right }, ConvolutionError::TooLarge),
        (Sizes { batch: usize::MAX / 8, ..right }, ConvolutionError::TooLarge),
        (Sizes { channels_in: usize::MAX, batch: 0, ..right }, ConvolutionError::TooLarge),
    ] {
        assert_eq!(Convolution::new(sizes), Err(error), "{sizes:?}");
    }
}

#[test]
fn slopes_are_those_of_the_activation() {
    // A smooth activation, whose slope is computed from its output.
    let sizes = Sizes {
        batch: 2,
        image: [3, 3],
        channels_in: 4,
        channels_out: 3,
        kernel: [2, 2],
        stride: [1, 1],
        padding: [0, 0],
    };
    let convolution = Convolution::new(sizes).unwrap();
    let level = Level::detect();
    let (mut x, w, dy) = (
        noise::<f64>(convolution.x_len(), 1),
        noise::<f64>(convolution.w_len(), 2),
        noise::<f64>(convolution.y_len(), 3),
    );
    activation::apply_in_place(level, Activation::Tanh, &mut x);
    let mut workspace = vec![0.0; workspace_len::<f64>(level, &convolution)];
    let mut run = |slopes| {
        let mut dx = vec![0.0; convolution.x_len()];
        backward_data(level, &convolution, &dy, &w, &mut dx, (Epilogue::NONE, slopes), &mut workspace);
        dx
    };
    let (plain, found) = (run(None), run(Some((Activation::Tanh, &x[..]))));
    for ((plain, found), y) in plain.iter().zip(found).zip(x.iter()) {
        assert!((found - plain * (1.0 - y * y)).abs() < 1e-12);
    }
}
