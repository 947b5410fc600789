//! Is a convolution right in all three directions, at every level, for every kernel, stride, padding and number of channels?

#[path = "support/guard.rs"]
mod guard;

use equilibria_kernels::conv::{
    Convolution, ConvolutionError, MinimalFiltering, Sizes, backward_data, backward_weights, forward,
    minimal, workspace_len,
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
#[derive(Clone)]
struct Right {
    sums: Vec<f64>,
    magnitudes: Vec<f64>,
    terms: Vec<usize>,
    /// Errors in units of those of the definition.
    tolerance: f64,
}

impl Right {
    fn new(len: usize) -> Self {
        Self { sums: vec![0.0; len], magnitudes: vec![0.0; len], terms: vec![0; len], tolerance: 1.0 }
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
                error <= self.tolerance * T::EPSILON.to_f64() * (chain + 8.0),
                "{context} at {place}: {found}, not {right}"
            );
        }
    }
}

/// The operands of a convolution, and the three results by the definition.
struct Case<T: Scalar> {
    context: String,
    operands: [GuardedBuffer<T>; 3],
    bias_y: GuardedBuffer<T>,
    bias_x: GuardedBuffer<T>,
    right: [Right; 3],
}

impl<T: MatrixScalar + Into<f64>> Case<T> {
    fn new(context: String, convolution: &Convolution) -> Self {
        let lens = [convolution.x_len(), convolution.w_len(), convolution.y_len()];
        let operands = [0, 1, 2].map(|index| noise::<T>(lens[index], index as u64 + 1));
        let [mut dx, mut dw, mut y] = lens.map(Right::new);
        let [x, w, grad_y] = &operands;
        connections(convolution, |ix, iw, iy| {
            y.add(iy, x[ix], w[iw]);
            dx.add(ix, grad_y[iy], w[iw]);
            dw.add(iw, x[ix], grad_y[iy]);
        });
        let Sizes { channels_in, channels_out, .. } = convolution.sizes();
        Self {
            context,
            operands,
            bias_y: noise(channels_out, 4),
            bias_x: noise(channels_in, 5),
            right: [y, dx, dw],
        }
    }

    /// Checks the three functions, which write to their last argument.
    #[allow(clippy::type_complexity)]
    fn check(
        &self,
        mut forward: impl FnMut(&[T], &[T], Epilogue<'_, T>, &mut [T]),
        mut data: impl FnMut(&[T], &[T], (Epilogue<'_, T>, Option<(Activation<T>, &[T])>), &mut [T]),
        mut weights: impl FnMut(&[T], &[T], T, &mut [T]),
    ) {
        let (context, [x, w, dy]) = (&self.context, &self.operands);
        let [y, dx, dw] = &self.right;
        let nan = |len: usize| GuardedBuffer::copy_of(&vec![T::from_f64(f64::NAN); len], true);

        let mut found = nan(dy.len());
        forward(x, w, Epilogue::NONE, &mut found);
        y.check(&found, &format!("forward {context}"), |_, sum| sum);
        let epilogue = Epilogue { bias: Some(&self.bias_y), activation: Activation::Relu };
        forward(x, w, epilogue, &mut found);
        let with_bias =
            |place: usize, sum: f64| (sum + self.bias_y[place % self.bias_y.len()].to_f64()).max(0.0);
        y.check(&found, &format!("forward with a bias {context}"), with_bias);

        let mut found = nan(x.len());
        data(dy, w, (Epilogue::NONE, None), &mut found);
        dx.check(&found, &format!("data {context}"), |_, sum| sum);
        let leaky = Activation::LeakyRelu { slope: T::from_f64(0.25) };
        data(dy, w, (Epilogue::NONE, Some((leaky, x))), &mut found);
        let slope = |place: usize, sum: f64| if x[place] > T::ZERO { sum } else { 0.25 * sum };
        dx.check(&found, &format!("data with slopes {context}"), slope);
        let epilogue = Epilogue { bias: Some(&self.bias_x), activation: Activation::Relu };
        data(dy, w, (epilogue, None), &mut found);
        let with_bias =
            |place: usize, sum: f64| (sum + self.bias_x[place % self.bias_x.len()].to_f64()).max(0.0);
        dx.check(&found, &format!("data with a bias {context}"), with_bias);

        let mut found = nan(w.len());
        weights(x, dy, T::ZERO, &mut found);
        dw.check(&found, &format!("weights {context}"), |_, sum| sum);
        found.copy_from_slice(w);
        weights(x, dy, T::ONE, &mut found);
        dw.check(&found, &format!("weights added {context}"), |place, sum| sum + w[place].to_f64());
    }
}

fn check<T: MatrixScalar + Into<f64>>(level: Level, sizes: Sizes) {
    let c = &Convolution::new(sizes).unwrap();
    let case = Case::<T>::new(format!("{} {sizes:?}", level.name()), c);
    let mut workspace = vec![T::from_f64(f64::NAN); workspace_len::<T>(level, c)];
    let [mut second, mut third] = [workspace.clone(), workspace.clone()];
    case.check(
        |x, w, epilogue, y| forward(level, c, x, w, y, epilogue, &mut workspace),
        |dy, w, finish, dx| backward_data(level, c, dy, w, dx, finish, &mut second),
        |x, dy, beta, dw| backward_weights(level, c, x, dy, beta, dw, &mut third),
    );
}

/// Checks minimal filtering with errors up to `tolerance` times those of the definition.
fn check_minimal<T: MatrixScalar + Into<f64>>(level: Level, sizes: Sizes, tile: usize, tolerance: f64) {
    let convolution = Convolution::new(sizes).unwrap();
    let m = &MinimalFiltering::new(convolution, tile).unwrap();
    assert_eq!((m.convolution(), m.tile()), (convolution, tile));
    let mut case = Case::<T>::new(format!("{} F({tile}, 2) {sizes:?}", level.name()), &convolution);
    case.right.iter_mut().for_each(|right| right.tolerance = tolerance);
    let transformed = |w: &[T]| {
        let mut to = vec![T::from_f64(f64::NAN); minimal::weights_len::<T>(level, m)];
        minimal::transform_weights(level, m, w, &mut to);
        to
    };
    let mut workspace = vec![T::from_f64(f64::NAN); minimal::workspace_len::<T>(level, m)];
    let [mut second, mut third] = [workspace.clone(), workspace.clone()];
    case.check(
        |x, w, epilogue, y| minimal::forward(level, m, x, &transformed(w), y, epilogue, &mut workspace),
        |dy, w, finish, dx| minimal::backward_data(level, m, dy, &transformed(w), dx, finish, &mut second),
        |x, dy, beta, dw| minimal::backward_weights(level, m, x, dy, beta, dw, &mut third),
    );
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
        for (height, width, channels_in) in
            [(1, 1, 2), (4, 4, 2), (5, 7, 2), (2, 9, 2), (1, 1, 17), (5, 7, 17), (2, 9, 17)]
        {
            let sizes = Sizes {
                batch: 3,
                image: [height, width],
                channels_in,
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
    // Height, width and channels are equal: a layout that mixes them up shows. The direct path has 16 channels or more.
    for (batch, same) in [(1, 8), (2, 8), (13, 8), (40, 8), (1, 16), (3, 16), (17, 16), (80, 16)] {
        let sizes = Sizes {
            batch,
            image: [same; 2],
            channels_in: same,
            channels_out: same,
            kernel: [4, 4],
            stride: [2, 2],
            padding: [1, 1],
        };
        check_all(sizes);
    }
}

/// Patches of several groups of rows, and of rows longer than a group.
#[test]
fn narrow_images_of_many_rows_give_the_definition() {
    for (image, kernel, stride, padding) in [
        ([40, 9], [3, 4], [1, 2], [1, 2]),
        ([3, 300], [2, 5], [1, 1], [0, 1]),
        ([17, 31], [4, 4], [2, 2], [1, 1]),
    ] {
        check_all(Sizes { batch: 11, image, channels_in: 3, channels_out: 5, kernel, stride, padding });
    }
}

#[test]
fn without_images_the_gradient_of_weights_is_beta_times_the_old_one() {
    let level = Level::detect();
    for sizes in [halving(0, [8; 2], [3, 32]), halving(0, [8; 2], [32, 33]), halving(0, [8; 2], [32, 32])] {
        let convolution = Convolution::new(sizes).unwrap();
        let minimal = MinimalFiltering::new(convolution, 2).ok();
        let old = noise::<f32>(convolution.w_len(), 1).to_vec();
        for beta in [0.0, 0.5, 1.0] {
            let mut workspace = vec![0.0; workspace_len::<f32>(level, &convolution)];
            let mut found = old.clone();
            backward_weights(level, &convolution, &[], &[], beta, &mut found, &mut workspace);
            assert!(found.iter().zip(&old).all(|(found, old)| *found == beta * old), "{sizes:?} {beta}");
            if let Some(m) = &minimal {
                let mut workspace = vec![0.0; minimal::workspace_len::<f32>(level, m)];
                let mut found = old.clone();
                minimal::backward_weights(level, m, &[], &[], beta, &mut found, &mut workspace);
                assert!(found.iter().zip(&old).all(|(found, old)| *found == beta * old), "{sizes:?} {beta}");
            }
        }
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
    let narrow = Sizes { channels_in: 3, ..sizes };
    let rows = Sizes { channels_in: 3, ..halving(9, [32, 32], [3, 64]) };
    for (sizes, tiles) in
        [(sizes, &[][..]), (narrow, &[]), (rows, &[]), (halving(37, [8, 16], [16, 48]), &[2, 4])]
    {
        let convolution = Convolution::new(sizes).unwrap();
        let minimal = tiles.iter().map(|&tile| Some(MinimalFiltering::new(convolution, tile).unwrap()));
        for filtering in minimal.chain([None]) {
            let right = bits(&convolution, filtering.as_ref(), 1);
            assert!(
                [2, 3, 5].iter().all(|&threads| bits(&convolution, filtering.as_ref(), threads) == right)
            );
        }
    }
}

/// The bits of the three results, on `threads` threads.
fn bits(convolution: &Convolution, filtering: Option<&MinimalFiltering>, threads: usize) -> Vec<u32> {
    let (level, c) = (Level::detect(), convolution);
    let [x, w, dy] =
        [(c.x_len(), 1), (c.w_len(), 2), (c.y_len(), 3)].map(|(len, seed)| noise::<f32>(len, seed).to_vec());
    let (mut y, mut dx, mut dw) = (vec![0.0; dy.len()], vec![0.0; x.len()], vec![0.0; w.len()]);
    let none = (Epilogue::NONE, None);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.install(|| match filtering {
        None => {
            let mut workspace = vec![0.0; workspace_len::<f32>(level, c)];
            forward(level, c, &x, &w, &mut y, Epilogue::NONE, &mut workspace);
            backward_data(level, c, &dy, &w, &mut dx, none, &mut workspace);
            backward_weights(level, c, &x, &dy, 0.0, &mut dw, &mut workspace);
        }
        Some(m) => {
            let mut workspace = vec![0.0; minimal::workspace_len::<f32>(level, m)];
            let mut weights = vec![0.0; minimal::weights_len::<f32>(level, m)];
            minimal::transform_weights(level, m, &w, &mut weights);
            minimal::forward(level, m, &x, &weights, &mut y, Epilogue::NONE, &mut workspace);
            minimal::backward_data(level, m, &dy, &weights, &mut dx, none, &mut workspace);
            minimal::backward_weights(level, m, &x, &dy, 0.0, &mut dw, &mut workspace);
        }
    });
    [y, dx, dw].concat().into_iter().map(f32::to_bits).collect()
}

/// A 4x4 kernel with stride 2 and padding 1.
fn halving(batch: usize, image: [usize; 2], [channels_in, channels_out]: [usize; 2]) -> Sizes {
    Sizes { batch, image, channels_in, channels_out, kernel: [4; 2], stride: [2; 2], padding: [1; 2] }
}

#[test]
fn minimal_filtering_gives_the_definition() {
    for (tile, tolerance) in [(2, 3.0), (4, 12.0)] {
        // Odd sizes leave a last row that only some kernel positions read.
        let side = 2 * tile;
        for (batch, image, channels) in [
            (1, [side, side], [16, 16]),
            (3, [side, 2 * side], [16, 48]),
            (5, [3 * side, side], [32, 16]),
            (2, [side + 1, 2 * side + 1], [48, 32]),
            (40, [side, side], [16, 16]),
        ] {
            for level in Level::available() {
                check_minimal::<f32>(level, halving(batch, image, channels), tile, tolerance);
                check_minimal::<f64>(level, halving(batch, image, channels), tile, tolerance);
            }
        }
    }
}

#[test]
fn errors_of_minimal_filtering_are_small_multiples_of_the_direct_path() {
    let level = Level::detect();
    // The gradient of the first layer's weights is a sum over two groups of images.
    for sizes in [halving(96, [16; 2], [64, 128]), halving(64, [8; 2], [128, 256])] {
        let convolution = Convolution::new(sizes).unwrap();
        let lens = [convolution.x_len(), convolution.w_len(), convolution.y_len()];
        let [x, w, dy] = [0, 1, 2].map(|index| noise::<f32>(lens[index], index as u64 + 1));
        let results = |run: &dyn Fn([&mut [f32]; 3])| {
            let (mut y, mut dx, mut dw) = (vec![0.0; dy.len()], vec![0.0; x.len()], vec![0.0; w.len()]);
            run([&mut y, &mut dx, &mut dw]);
            [y, dx, dw]
        };
        let direct = results(&|[y, dx, dw]| {
            let (c, workspace) = (&convolution, &mut vec![0.0; workspace_len::<f32>(level, &convolution)]);
            forward(level, c, &x, &w, y, Epilogue::NONE, workspace);
            backward_data(level, c, &dy, &w, dx, (Epilogue::NONE, None), workspace);
            backward_weights(level, c, &x, &dy, 0.0, dw, workspace);
        });
        let exact = {
            let wide = |x: &[f32]| x.iter().map(|&x| f64::from(x)).collect::<Vec<f64>>();
            let (x, w, dy) = (wide(&x), wide(&w), wide(&dy));
            let (c, workspace) = (&convolution, &mut vec![0.0; workspace_len::<f64>(level, &convolution)]);
            let (mut y, mut dx, mut dw) = (vec![0.0; dy.len()], vec![0.0; x.len()], vec![0.0; w.len()]);
            forward(level, c, &x, &w, &mut y, Epilogue::NONE, workspace);
            backward_data(level, c, &dy, &w, &mut dx, (Epilogue::NONE, None), workspace);
            backward_weights(level, c, &x, &dy, 0.0, &mut dw, workspace);
            [y, dx, dw]
        };
        let error = |found: &[f32], exact: &[f64]| -> f64 {
            let squares = found.iter().zip(exact).map(|(a, b)| (f64::from(*a) - b).powi(2));
            squares.sum::<f64>().sqrt()
        };
        for (tile, most) in [(2, 2.5), (4, 5.0)] {
            let m = &MinimalFiltering::new(convolution, tile).unwrap();
            let minimal = results(&|[y, dx, dw]| {
                let workspace = &mut vec![0.0; minimal::workspace_len::<f32>(level, m)];
                let mut weights = vec![0.0; minimal::weights_len::<f32>(level, m)];
                minimal::transform_weights(level, m, &w, &mut weights);
                minimal::forward(level, m, &x, &weights, y, Epilogue::NONE, workspace);
                minimal::backward_data(level, m, &dy, &weights, dx, (Epilogue::NONE, None), workspace);
                minimal::backward_weights(level, m, &x, &dy, 0.0, dw, workspace);
            });
            for (direction, name) in ["forward", "data", "weights"].into_iter().enumerate() {
                let [ours, theirs] = [&minimal, &direct].map(|all| error(&all[direction], &exact[direction]));
                let ratio = ours / theirs;
                assert!(ratio <= most, "F({tile}, 2), {name}, {sizes:?}: {ratio} times the error");
            }
        }
    }
}

#[test]
fn minimal_filtering_refuses_other_convolutions() {
    let right = halving(2, [8, 8], [16, 32]);
    let new = |sizes, tile| MinimalFiltering::new(Convolution::new(sizes).unwrap(), tile);
    assert!(new(right, 2).is_ok() && new(right, 4).is_ok());
    assert_eq!(new(right, 8), Err(ConvolutionError::TileTooLarge));
    for (sizes, tile) in [
        (Sizes { channels_in: 24, ..right }, 2),
        (Sizes { channels_out: 8, ..right }, 2),
        (Sizes { image: [4, 8], ..right }, 4),
        (Sizes { stride: [1; 2], ..right }, 2),
        (Sizes { padding: [0; 2], ..right }, 2),
        (Sizes { kernel: [3; 2], ..right }, 2),
    ] {
        assert_eq!(new(sizes, tile), Err(ConvolutionError::NotMinimal), "{sizes:?}");
    }
    let usual = |sizes| MinimalFiltering::usual(Convolution::new(sizes).unwrap()).map(|m| m.tile());
    assert_eq!(usual(halving(2, [8, 8], [32, 32])), Some(4));
    assert_eq!(usual(halving(2, [4, 8], [32, 32])), Some(2));
    assert_eq!(usual(right), None);
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
