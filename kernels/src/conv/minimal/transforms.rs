//! The transforms of tiles from and to images, for all four phases and whole vectors of channels.

use super::filter::{Filter, Four, Two, sandwich, transposed};
use super::filtering::{MinimalFiltering, PHASES};
use super::tiles::TransformedTiles;
use crate::activation::Activation;
use crate::gemm::epilogue::{self, Slopes};
use crate::lanes::{Lanes, Operation, Scalar};
use core::ops::Range;

/// A transform with its operands. Pointers to images start at the first image.
pub struct Transform<'a, T> {
    pub(super) filtering: &'a MinimalFiltering,
    pub(super) step: Step<'a, T>,
}

/// The six transforms. `tiles` has a row for each tile of the images.
pub(super) enum Step<'a, T> {
    /// Bᵀ x B, of each phase of the image.
    Image { x: *const T, images: Range<usize>, tiles: TransformedTiles<T> },
    /// A ∂L/∂y Aᵀ
    Gradient { grad_y: *const T, images: Range<usize>, tiles: TransformedTiles<T> },
    /// y <- act(Aᵀ Y A + bias)
    Output {
        tiles: TransformedTiles<T>,
        y: *mut T,
        images: Range<usize>,
        bias: Option<&'a [T]>,
        activation: Activation<T>,
    },
    /// ∂L/∂x <- act(B X Bᵀ + bias) φ′, where neighbouring tiles of a phase overlap by one pixel.
    ImageGradient {
        tiles: TransformedTiles<T>,
        grad_x: *mut T,
        images: Range<usize>,
        bias: Option<&'a [T]>,
        activation: Activation<T>,
        slopes: Option<(Activation<T>, *const T)>,
    },
    /// G w Gᵀ of 16 channels of a phase, as micropanels of both orientations.
    Weights { w: &'a [T], phase: usize, channels: Range<usize>, to: *mut T, width: usize },
    /// ∂L/∂w <- Gᵀ W G + beta ∂L/∂w; a row of `products` is a channel of a phase, from `rows.start` on.
    WeightGradient {
        products: TransformedTiles<T>,
        grad_w: *mut T,
        beta: T,
        rows: Range<usize>,
        columns: Range<usize>,
    },
}

impl<T: Scalar> Operation<T> for Transform<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<Scalar = T>>(self, lanes: L) {
        match self.filtering.tile() {
            2 => self.run_filter::<L, Two, 2, 3>(lanes),
            _ => self.run_filter::<L, Four, 4, 5>(lanes),
        }
    }
}

impl<T: Scalar> Transform<'_, T> {
    #[inline(always)]
    fn run_filter<L: Lanes<Scalar = T>, F: Filter<M, N>, const M: usize, const N: usize>(self, lanes: L) {
        let sizes = Sizes::of(self.filtering);
        // SAFETY: the functions of `super` pass pointers to tensors, buffers and ranges of the sizes of `filtering`, and
        // give each task images, rows or channels of its own. Channels are whole vectors.
        unsafe {
            match self.step {
                Step::Image { x, images, tiles } => {
                    sizes.image_to_tiles::<L, F, M, N>(lanes, x, images, tiles);
                }
                Step::Gradient { grad_y, images, tiles } => {
                    sizes.gradient_to_tiles::<L, F, M, N>(lanes, grad_y, images, tiles);
                }
                Step::Output { tiles, y, images, bias, activation } => {
                    sizes.tiles_to_output::<L, F, M, N>(lanes, tiles, y, images, (bias, activation));
                }
                Step::ImageGradient { tiles, grad_x, images, bias, activation, slopes } => {
                    let finish = (bias, activation, slopes);
                    sizes.tiles_to_image::<L, F, M, N>(lanes, tiles, grad_x, images, finish);
                }
                Step::Weights { w, phase, channels, to, width } => {
                    let panels = (width, self.filtering.points_of_weights::<T>(width));
                    sizes.weights::<L, F, M, N>(lanes, w, phase, channels, to, panels);
                }
                Step::WeightGradient { products, grad_w, beta, rows, columns } => {
                    sizes.weight_gradient::<L, F, M, N>(lanes, products, grad_w, beta, rows, columns);
                }
            }
        }
    }
}

/// The sizes that the transforms need.
struct Sizes {
    image: [usize; 2],
    output: [usize; 2],
    tiles: [usize; 2],
    channels_in: usize,
    channels_out: usize,
}

impl Sizes {
    fn of(filtering: &MinimalFiltering) -> Self {
        let sizes = filtering.convolution().sizes();
        Self {
            image: sizes.image,
            output: filtering.convolution().output(),
            tiles: filtering.tiles(),
            channels_in: sizes.channels_in,
            channels_out: sizes.channels_out,
        }
    }

    /// The place of a tile in its image.
    #[inline(always)]
    fn place(&self, tile: usize) -> [usize; 2] {
        [tile / self.tiles[1], tile % self.tiles[1]]
    }

    fn tiles_per_image(&self) -> usize {
        self.tiles[0] * self.tiles[1]
    }

    /// The place in an image of pixel `place` of a phase, along one axis: row 2 `place` + `phase` of the padded image.
    #[inline(always)]
    fn pixel(&self, axis: usize, place: usize, phase: usize) -> Option<usize> {
        (2 * place + phase).checked_sub(1).filter(|pixel| *pixel < self.image[axis])
    }

    /// The pixels of a tile in a phase, as offsets into an image in elements; `None` is padding.
    #[inline(always)]
    fn pixels<const N: usize>(&self, [i, j]: [usize; 2], phase: usize) -> [[Option<usize>; N]; N] {
        let mut pixels = [[None; N]; N];
        for (k, pixels) in pixels.iter_mut().enumerate() {
            let Some(row) = self.pixel(0, i * (N - 1) + k, phase / 2) else { continue };
            for (l, pixel) in pixels.iter_mut().enumerate() {
                if let Some(column) = self.pixel(1, j * (N - 1) + l, phase % 2) {
                    *pixel = Some((row * self.image[1] + column) * self.channels_in);
                }
            }
        }
        pixels
    }

    fn image_len(&self) -> usize {
        self.image[0] * self.image[1] * self.channels_in
    }

    fn output_len(&self) -> usize {
        self.output[0] * self.output[1] * self.channels_out
    }

    /// # Safety
    /// `x` has the images, `tiles` a row of four phases for each of their tiles, and channels are whole vectors.
    #[inline(always)]
    unsafe fn image_to_tiles<L: Lanes, F: Filter<M, N>, const M: usize, const N: usize>(
        &self,
        lanes: L,
        x: *const L::Scalar,
        images: Range<usize>,
        tiles: TransformedTiles<L::Scalar>,
    ) {
        let tiles_per_image = self.tiles_per_image();
        for row in 0..images.len() * tiles_per_image {
            let (image, tile) = (images.start + row / tiles_per_image, row % tiles_per_image);
            for phase in 0..PHASES {
                let pixels = self.pixels::<N>(self.place(tile), phase);
                for c in (0..self.channels_in).step_by(L::COUNT) {
                    // SAFETY: pixels are inside the image, c + COUNT <= channels, and the row is the tile's own.
                    unsafe {
                        let from = x.add(image * self.image_len() + c);
                        let mut input = [[lanes.zero(); N]; N];
                        for (i, input) in input.iter_mut().enumerate() {
                            for (j, input) in input.iter_mut().enumerate() {
                                if let Some(pixel) = pixels[i][j] {
                                    *input = lanes.load(from.add(pixel));
                                }
                            }
                        }
                        let to = tiles.at(row, phase * self.channels_in + c);
                        store(lanes, &sandwich(lanes, &F::INPUT, &input), to, [N * tiles.point, tiles.point]);
                    }
                }
            }
        }
    }

    /// # Safety
    /// As [`Self::image_to_tiles`], with gradients of outputs.
    #[inline(always)]
    unsafe fn gradient_to_tiles<L: Lanes, F: Filter<M, N>, const M: usize, const N: usize>(
        &self,
        lanes: L,
        grad_y: *const L::Scalar,
        images: Range<usize>,
        tiles: TransformedTiles<L::Scalar>,
    ) {
        let tiles_per_image = self.tiles_per_image();
        for row in 0..images.len() * tiles_per_image {
            let (image, tile) = (images.start + row / tiles_per_image, row % tiles_per_image);
            let [i, j] = self.place(tile);
            let pixel = (i * M * self.output[1] + j * M) * self.channels_out;
            for c in (0..self.channels_out).step_by(L::COUNT) {
                // SAFETY: tiles are inside the outputs, c + COUNT <= channels, and the row is the tile's own.
                unsafe {
                    let from = grad_y.add(image * self.output_len() + pixel + c);
                    let strides = [self.output[1] * self.channels_out, self.channels_out];
                    let gradient: [[_; M]; M] = load(lanes, from, strides);
                    let points = sandwich(lanes, &F::OUTPUT, &gradient);
                    store(lanes, &points, tiles.at(row, c), [N * tiles.point, tiles.point]);
                }
            }
        }
    }

    /// # Safety
    /// `y` has the images, of which nothing else is accessed, and `tiles` a row for each of their tiles. A bias has a number
    /// for each channel.
    #[inline(always)]
    unsafe fn tiles_to_output<L: Lanes, F: Filter<M, N>, const M: usize, const N: usize>(
        &self,
        lanes: L,
        tiles: TransformedTiles<L::Scalar>,
        y: *mut L::Scalar,
        images: Range<usize>,
        (bias, activation): (Option<&[L::Scalar]>, Activation<L::Scalar>),
    ) {
        let bias = bias.map_or(core::ptr::null(), <[_]>::as_ptr);
        let (channels, stride) = (self.channels_out, self.output[1] * self.channels_out);
        let tiles_per_image = self.tiles_per_image();
        for row in 0..images.len() * tiles_per_image {
            let (image, tile) = (images.start + row / tiles_per_image, row % tiles_per_image);
            let [i, j] = self.place(tile);
            // SAFETY: tiles are inside the outputs, and c + COUNT <= channels.
            unsafe {
                let y = y.add(image * self.output_len() + i * M * stride + j * M * channels);
                for c in (0..channels).step_by(L::COUNT) {
                    let from = tiles.at(row, c).cast_const();
                    let points: [[_; N]; N] = load(lanes, from, [N * tiles.point, tiles.point]);
                    let outputs = sandwich(lanes, &const { transposed(F::OUTPUT) }, &points);
                    store(lanes, &outputs, y.add(c), [stride, channels]);
                }
                for k in 0..M {
                    let y = y.add(k * stride);
                    epilogue::apply(lanes, bias, activation, Slopes::NONE, y, channels, M, channels);
                }
            }
        }
    }

    /// # Safety
    /// As [`Self::tiles_to_output`], with images, and slopes' outputs for all of them.
    #[inline(always)]
    #[allow(clippy::type_complexity)]
    unsafe fn tiles_to_image<L: Lanes, F: Filter<M, N>, const M: usize, const N: usize>(
        &self,
        lanes: L,
        tiles: TransformedTiles<L::Scalar>,
        grad_x: *mut L::Scalar,
        images: Range<usize>,
        (bias, activation, slopes): (
            Option<&[L::Scalar]>,
            Activation<L::Scalar>,
            Option<(Activation<L::Scalar>, *const L::Scalar)>,
        ),
    ) {
        let bias = bias.map_or(core::ptr::null(), <[_]>::as_ptr);
        let channels = self.channels_in;
        let tiles_per_image = self.tiles_per_image();
        for row in 0..images.len() * tiles_per_image {
            let (image, tile) = (images.start + row / tiles_per_image, row % tiles_per_image);
            let [i, j] = self.place(tile);
            // SAFETY: pixels are inside the image, and c + COUNT <= channels.
            unsafe {
                let image_start = image * self.image_len();
                let grad_x = grad_x.add(image_start);
                for phase in 0..PHASES {
                    let pixels = self.pixels::<N>([i, j], phase);
                    for c in (0..channels).step_by(L::COUNT) {
                        let from = tiles.at(row, phase * channels + c).cast_const();
                        let points: [[_; N]; N] = load(lanes, from, [N * tiles.point, tiles.point]);
                        let gradient = sandwich(lanes, &const { transposed(F::INPUT) }, &points);
                        for k in 0..N {
                            for l in 0..N {
                                let Some(pixel) = pixels[k][l] else { continue };
                                let to = grad_x.add(pixel + c);
                                // The first row and column of a tile are the last ones of its neighbours, which came before.
                                let is_shared = (k == 0 && i > 0) || (l == 0 && j > 0);
                                let mut sum = gradient[k][l];
                                if is_shared {
                                    sum = lanes.add(lanes.load(to), sum);
                                }
                                lanes.store(to, sum);
                            }
                        }
                    }
                }
                if [i + 1, j + 1] == self.tiles {
                    let slopes = slopes.map_or(Slopes::NONE, |(activation, outputs)| Slopes {
                        activation,
                        outputs: outputs.add(image_start),
                        row_stride: channels,
                    });
                    let pixels = self.image[0] * self.image[1];
                    epilogue::apply(lanes, bias, activation, slopes, grad_x, channels, pixels, channels);
                }
            }
        }
    }

    /// # Safety
    /// `w` has the weights, `channels` is 16 of them, and `to` has room for both orientations in micropanels of `width`.
    #[inline(always)]
    unsafe fn weights<L: Lanes, F: Filter<M, N>, const M: usize, const N: usize>(
        &self,
        lanes: L,
        w: &[L::Scalar],
        phase: usize,
        channels: Range<usize>,
        to: *mut L::Scalar,
        (width, [forward, data]): (usize, [usize; 2]),
    ) {
        let (n, k) = (self.channels_out, PHASES * self.channels_in);
        for column in (0..n).step_by(L::COUNT) {
            for first in channels.clone().step_by(L::COUNT) {
                let mut squares = [[lanes.zero(); 16]; 25];
                for channel in 0..L::COUNT {
                    let row = (first + channel) * n + column;
                    let position = self.channels_in * n;
                    // SAFETY: the four kernel positions of the phase, inside w.
                    let kernel: [[_; 2]; 2] = unsafe {
                        let from = w.as_ptr().add((phase / 2 * 4 + phase % 2) * position + row);
                        load(lanes, from, [8 * position, 2 * position])
                    };
                    let points = sandwich(lanes, &F::WEIGHTS, &kernel);
                    for (i, row) in points.iter().enumerate() {
                        for (j, &point) in row.iter().enumerate() {
                            let square = &mut squares[i * N + j];
                            square[channel] = point;
                        }
                    }
                }
                let depth = phase * self.channels_in + first;
                for (point, square) in squares.iter_mut().take(N * N).enumerate() {
                    // SAFETY: the panels of a point hold these rows; channels are whole vectors, and so are panels.
                    unsafe {
                        let to = to.add(point * forward + column / width * k * width + column % width);
                        for (channel, &row) in square.iter().enumerate().take(L::COUNT) {
                            lanes.store(to.add((depth + channel) * width), row);
                        }
                    }
                    lanes.transpose(square);
                    // SAFETY: as above, behind the panels of the other orientation.
                    unsafe {
                        let to = to.add(N * N * forward + point * data);
                        let to = to.add(depth / width * n * width + depth % width);
                        for (channel, &row) in square.iter().enumerate().take(L::COUNT) {
                            lanes.store(to.add((column + channel) * width), row);
                        }
                    }
                }
            }
        }
    }

    /// # Safety
    /// `products` has the rows, from its first one on, and `grad_w` all weights, of which these rows and columns belong to
    /// this call.
    #[inline(always)]
    unsafe fn weight_gradient<L: Lanes, F: Filter<M, N>, const M: usize, const N: usize>(
        &self,
        lanes: L,
        products: TransformedTiles<L::Scalar>,
        grad_w: *mut L::Scalar,
        beta: L::Scalar,
        rows: Range<usize>,
        columns: Range<usize>,
    ) {
        let position = self.channels_in * self.channels_out;
        for row in rows.clone() {
            let (phase, channel) = (row / self.channels_in, row % self.channels_in);
            let first = (phase / 2 * 4 + phase % 2) * position + channel * self.channels_out;
            for column in columns.clone().step_by(L::COUNT) {
                // SAFETY: rows and columns are inside the products and the weights.
                unsafe {
                    let from = products.at(row - rows.start, column - columns.start).cast_const();
                    let points: [[_; N]; N] = load(lanes, from, [N * products.point, products.point]);
                    let mut kernel = sandwich(lanes, &const { transposed(F::WEIGHTS) }, &points);
                    let (to, strides) = (grad_w.add(first + column), [8 * position, 2 * position]);
                    if beta != L::Scalar::ZERO {
                        let old: [[_; 2]; 2] = load(lanes, to.cast_const(), strides);
                        let beta = lanes.splat(beta);
                        for (i, row) in kernel.iter_mut().enumerate() {
                            for (j, new) in row.iter_mut().enumerate() {
                                *new = lanes.mul_add(beta, old[i][j], *new);
                            }
                        }
                    }
                    store(lanes, &kernel, to, strides);
                }
            }
        }
    }
}

/// # Safety
/// The vectors are readable.
#[inline(always)]
unsafe fn load<L: Lanes, const S: usize>(
    lanes: L,
    from: *const L::Scalar,
    [row, column]: [usize; 2],
) -> [[L::Vector; S]; S] {
    let mut x = [[lanes.zero(); S]; S];
    for (k, x) in x.iter_mut().enumerate() {
        for (l, x) in x.iter_mut().enumerate() {
            // SAFETY: guaranteed by the caller.
            *x = unsafe { lanes.load(from.add(k * row + l * column)) };
        }
    }
    x
}

/// # Safety
/// The vectors are writable.
#[inline(always)]
unsafe fn store<L: Lanes, const S: usize>(
    lanes: L,
    x: &[[L::Vector; S]; S],
    to: *mut L::Scalar,
    [row, column]: [usize; 2],
) {
    for (k, vectors) in x.iter().enumerate() {
        for (l, &vector) in vectors.iter().enumerate() {
            // SAFETY: guaranteed by the caller.
            unsafe { lanes.store(to.add(k * row + l * column), vector) };
        }
    }
}
