//! The convolutions of a DCGAN compared with products of materialised patches (im2col) and with the multiply-add peak.

use super::workload::{Add, Context, Place, Workload, noise, wrong};
use crate::{Error, Result};
use equilibria_kernels::conv::{self, Convolution, MinimalFiltering, Sizes, minimal};
use equilibria_kernels::{Epilogue, Level, MatrixMut, MatrixRef, gemm};
use rayon::prelude::*;
use serde_json::json;
use std::sync::Arc;

/// All layers in all directions by all algorithms, on all threads.
pub fn list(context: &Context, add: Add<'_>) -> Result<()> {
    for (layer, batch) in LAYERS.into_iter().flat_map(|layer| BATCHES.map(|batch| (layer, batch))) {
        let convolution = layer.convolution(batch)?;
        let minimal = MinimalFiltering::usual(convolution).map(Algorithm::Minimal);
        for algorithm in [Some(Algorithm::Direct(convolution)), minimal].into_iter().flatten() {
            for direction in Direction::ALL {
                let workload =
                    context.within(Place::All, || workload(context.level, layer.name, algorithm, direction));
                add(workload?, Place::All)?;
            }
        }
    }
    Ok(())
}

/// Images of a mini-batch: of a generator, and of a discriminator that sees real and generated images at once.
const BATCHES: [usize; 2] = [64, 128];

#[derive(Clone, Copy)]
enum Algorithm {
    Direct(Convolution),
    /// With transformed weights, as they are once a step.
    Minimal(MinimalFiltering),
}

/// Checks one direction of a layer.
fn workload(
    level: Level,
    layer: &'static str,
    algorithm: Algorithm,
    direction: Direction,
) -> Result<Workload> {
    let (convolution, name) = match algorithm {
        Algorithm::Direct(convolution) => (convolution, "direct".to_string()),
        Algorithm::Minimal(filtering) => (filtering.convolution(), format!("F({}, 2)", filtering.tile())),
    };
    let lens = [convolution.x_len(), convolution.w_len(), convolution.y_len()];
    let operands = Arc::new(lens.map(|len| noise::<f32>(level, len, -1.0..1.0)));
    let mut ours = vec![0.0; direction.result_len(&convolution)];
    let mut theirs = ours.clone();
    let mut patches = Patches::new(level, convolution);
    let all = Arc::clone(&operands);
    let mut calculation = Calculation::new(level, algorithm, direction, &operands[1]);
    let mut calculate = move |result: &mut [f32]| calculation.call(all.each_ref().map(Vec::as_slice), result);
    let mut by_patches = move |result: &mut [f32]| {
        patches.call(direction, operands.each_ref().map(Vec::as_slice), result);
    };
    calculate(&mut ours);
    by_patches(&mut theirs);
    if let Some((found, right)) = difference(&ours, &theirs) {
        return Err(wrong(format!("conv {layer} {} {name}", direction.name()), found, right));
    }
    let Sizes { batch, channels_in, channels_out, .. } = convolution.sizes();
    let workload = Workload::flops::<f32>(
        level,
        [format!("conv {}", direction.name()), format!("{layer}, batch {batch}, {name}")],
        operations(&convolution),
        move || calculate(&mut ours),
        ("im2col", move || by_patches(&mut theirs)),
        move |[speed, twin, share], _| {
            json!({
                "layer": layer,
                "direction": direction.name(),
                "algorithm": name,
                "batch": batch,
                "channels_in": channels_in,
                "channels_out": channels_out,
                "gflops": speed,
                "fraction_of_peak": share,
                "im2col_gflops": twin,
            })
        },
    );
    Ok(Workload { divisor: 4, ..workload })
}

/// A layer of a discriminator of 32 x 32 images.
#[derive(Clone, Copy)]
struct Layer {
    name: &'static str,
    /// Height and width of the input.
    side: usize,
    channels: [usize; 2],
    kernel: usize,
    stride: usize,
    padding: usize,
}

/// The layers of a DCGAN; its generator has the same, transposed.
const LAYERS: [Layer; 4] = [
    Layer { name: "3-64", side: 32, channels: [3, 64], kernel: 4, stride: 2, padding: 1 },
    Layer { name: "64-128", side: 16, channels: [64, 128], kernel: 4, stride: 2, padding: 1 },
    Layer { name: "128-256", side: 8, channels: [128, 256], kernel: 4, stride: 2, padding: 1 },
    Layer { name: "256-100", side: 4, channels: [256, 100], kernel: 4, stride: 1, padding: 0 },
];

impl Layer {
    fn convolution(&self, batch: usize) -> Result<Convolution> {
        let sizes = Sizes {
            batch,
            image: [self.side; 2],
            channels_in: self.channels[0],
            channels_out: self.channels[1],
            kernel: [self.kernel; 2],
            stride: [self.stride; 2],
            padding: [self.padding; 2],
        };
        Convolution::new(sizes).map_err(|error| Error::invalid(self.name, error))
    }
}

/// Operations of the dense convolution, padding included.
fn operations(convolution: &Convolution) -> f64 {
    let Sizes { channels_in, kernel, .. } = convolution.sizes();
    2.0 * (convolution.y_len() * kernel[0] * kernel[1] * channels_in) as f64
}

/// The three directions of a convolution.
#[derive(Clone, Copy, Debug)]
enum Direction {
    Forward,
    Data,
    Weights,
}

impl Direction {
    const ALL: [Self; 3] = [Self::Forward, Self::Data, Self::Weights];

    fn name(self) -> &'static str {
        match self {
            Self::Forward => "forward",
            Self::Data => "data",
            Self::Weights => "weights",
        }
    }

    /// The numbers in the result.
    fn result_len(self, convolution: &Convolution) -> usize {
        match self {
            Self::Forward => convolution.y_len(),
            Self::Data => convolution.x_len(),
            Self::Weights => convolution.w_len(),
        }
    }
}

/// Largest relative difference between two right results.
const TOLERANCE: f32 = 1e-4;

/// Returns the first pair of numbers that differ too much, if there is one.
fn difference(found: &[f32], right: &[f32]) -> Option<(f32, f32)> {
    let largest = right.iter().fold(0.0_f32, |largest, x| largest.max(x.abs()));
    let differs = |(a, b): &(f32, f32)| {
        let distance = (a - b).abs();
        distance.is_nan() || distance > TOLERANCE * largest || largest == 0.0
    };
    found.iter().copied().zip(right.iter().copied()).find(differs)
}

/// A convolution of the kernels, with its memory.
struct Calculation {
    level: Level,
    algorithm: Algorithm,
    direction: Direction,
    /// Transformed weights of minimal filtering.
    transformed: Vec<f32>,
    workspace: Vec<f32>,
}

impl Calculation {
    fn new(level: Level, algorithm: Algorithm, direction: Direction, w: &[f32]) -> Self {
        let (mut transformed, workspace) = match &algorithm {
            Algorithm::Direct(convolution) => (Vec::new(), conv::workspace_len::<f32>(level, convolution)),
            Algorithm::Minimal(filtering) => (
                vec![0.0; minimal::weights_len::<f32>(level, filtering)],
                minimal::workspace_len::<f32>(level, filtering),
            ),
        };
        if let Algorithm::Minimal(filtering) = &algorithm {
            minimal::transform_weights(level, filtering, w, &mut transformed);
        }
        Self { level, algorithm, direction, transformed, workspace: vec![0.0; workspace] }
    }

    /// The result of x, w and y.
    fn call(&mut self, [x, w, y]: [&[f32]; 3], result: &mut [f32]) {
        let Self { level, direction, transformed, workspace, .. } = self;
        let (level, none) = (*level, (Epilogue::NONE, None));
        match (&self.algorithm, direction) {
            (Algorithm::Direct(c), Direction::Forward) => {
                conv::forward(level, c, x, w, result, Epilogue::NONE, workspace);
            }
            (Algorithm::Direct(c), Direction::Data) => {
                conv::backward_data(level, c, y, w, result, none, workspace);
            }
            (Algorithm::Direct(c), Direction::Weights) => {
                conv::backward_weights(level, c, x, y, 0.0, result, workspace);
            }
            (Algorithm::Minimal(m), Direction::Forward) => {
                minimal::forward(level, m, x, transformed, result, Epilogue::NONE, workspace);
            }
            (Algorithm::Minimal(m), Direction::Data) => {
                minimal::backward_data(level, m, y, transformed, result, none, workspace);
            }
            (Algorithm::Minimal(m), Direction::Weights) => {
                minimal::backward_weights(level, m, x, y, 0.0, result, workspace);
            }
        }
    }
}

/// The same by a matrix of patches (batch * output pixels, kernel pixels * channels in).
struct Patches {
    level: Level,
    convolution: Convolution,
    matrix: Vec<f32>,
    columns: usize,
    workspace: Vec<f32>,
}

impl Patches {
    fn new(level: Level, convolution: Convolution) -> Self {
        let Sizes { batch, channels_in, channels_out: n, kernel, .. } = convolution.sizes();
        let ([height, width], columns) = (convolution.output(), kernel[0] * kernel[1] * channels_in);
        let rows = batch * height * width;
        let products = [[rows, n, columns], [rows, columns, n], [columns, n, rows]];
        let workspace = products.map(|[m, n, k]| gemm::workspace_len::<f32>(level, m, n, k));
        let workspace = vec![0.0; workspace.into_iter().max().unwrap_or(0)];
        Self { level, convolution, matrix: vec![0.0; rows * columns], columns, workspace }
    }

    fn call(&mut self, direction: Direction, [x, w, y]: [&[f32]; 3], result: &mut [f32]) {
        match direction {
            Direction::Forward => self.forward(x, w, result),
            Direction::Data => self.data(y, w, result),
            Direction::Weights => self.weights(x, y, result),
        }
    }

    fn rows(&self) -> usize {
        self.matrix.len() / self.columns
    }

    /// Calls `copy` with the numbers of a patch pixel and its place in the image, or `None` if it is padding.
    fn for_each_pixel(convolution: &Convolution, mut copy: impl FnMut(usize, Option<usize>)) {
        let Sizes { image, channels_in, kernel, stride, padding, .. } = convolution.sizes();
        let mut place = 0;
        for (i, j) in
            (0..convolution.output()[0]).flat_map(|i| (0..convolution.output()[1]).map(move |j| (i, j)))
        {
            for (k, l) in (0..kernel[0]).flat_map(|k| (0..kernel[1]).map(move |l| (k, l))) {
                let row = (i * stride[0] + k).checked_sub(padding[0]).filter(|row| *row < image[0]);
                let column = (j * stride[1] + l).checked_sub(padding[1]).filter(|column| *column < image[1]);
                copy(place, row.zip(column).map(|(row, column)| (row * image[1] + column) * channels_in));
                place += channels_in;
            }
        }
    }

    /// Makes the patches of x.
    fn fill(&mut self, x: &[f32]) {
        let convolution = self.convolution;
        let Sizes { batch, channels_in, .. } = convolution.sizes();
        let (patches, image) = (self.matrix.len() / batch, x.len() / batch);
        self.matrix.par_chunks_mut(patches).zip(x.par_chunks(image)).for_each(|(patches, x)| {
            Self::for_each_pixel(&convolution, |to, from| {
                let to = &mut patches[to..to + channels_in];
                match from {
                    Some(from) => to.copy_from_slice(&x[from..from + channels_in]),
                    None => to.fill(0.0),
                }
            });
        });
    }

    fn forward(&mut self, x: &[f32], w: &[f32], y: &mut [f32]) {
        self.fill(x);
        let (rows, n) = (self.rows(), y.len() / self.rows());
        let (a, b) = (MatrixRef::new(&self.matrix, rows, self.columns), MatrixRef::new(w, self.columns, n));
        let c = MatrixMut::new(y, rows, n);
        gemm(self.level, 1.0, a, b, 0.0, c, Epilogue::NONE, &mut self.workspace);
    }

    fn data(&mut self, y: &[f32], w: &[f32], x: &mut [f32]) {
        let (rows, n) = (self.rows(), y.len() / self.rows());
        let (a, b) = (MatrixRef::new(y, rows, n), MatrixRef::new(w, self.columns, n).transposed());
        let c = MatrixMut::new(&mut self.matrix, rows, self.columns);
        gemm(self.level, 1.0, a, b, 0.0, c, Epilogue::NONE, &mut self.workspace);
        let convolution = self.convolution;
        let Sizes { batch, channels_in, .. } = convolution.sizes();
        let (patches, image) = (self.matrix.len() / batch, x.len() / batch);
        x.par_chunks_mut(image).zip(self.matrix.par_chunks(patches)).for_each(|(x, patches)| {
            x.fill(0.0);
            Self::for_each_pixel(&convolution, |from, to| {
                if let Some(to) = to {
                    let from = &patches[from..from + channels_in];
                    x[to..to + channels_in].iter_mut().zip(from).for_each(|(x, patch)| *x += patch);
                }
            });
        });
    }

    fn weights(&mut self, x: &[f32], y: &[f32], w: &mut [f32]) {
        self.fill(x);
        let (rows, n) = (self.rows(), y.len() / self.rows());
        let a = MatrixRef::new(&self.matrix, rows, self.columns).transposed();
        let (b, c) = (MatrixRef::new(y, rows, n), MatrixMut::new(w, self.columns, n));
        gemm(self.level, 1.0, a, b, 0.0, c, Epilogue::NONE, &mut self.workspace);
    }
}
