//! Cases of functions that take sizes or strides in addition to slices.

use super::{Case, HALF, MAX_LENGTH, SIZES, Zeros, at_levels, attempt, wrapped};
use equilibria_kernels::conv::{self, Convolution, MinimalFiltering, Sizes, minimal};
use equilibria_kernels::gemm::{CacheSizes, workspace_len};
use equilibria_kernels::normalise::{
    Batches, batch_backward, batch_forward, batch_infer, layer_curvature, layer_forward, layer_jacobian,
};
use equilibria_kernels::softmin::{
    Largest, Pairs, Source, exponentials, largest, largest_of_blocks, log_sum_exp,
};
use equilibria_kernels::{
    Activation, Epilogue, Level, MatrixMut, MatrixRef, MatrixScalar, Scalar, elementwise, gemm,
    gemm_times_slope, reduce,
};

pub fn cases() -> Vec<Case> {
    vec![
        (
            &[
                "normalise/batch: Batches::new",
                "normalise/batch: Batches::batches",
                "normalise/batch: Batches::rows",
                "normalise/batch: Batches::columns",
                "normalise/batch: batch_forward",
                "normalise/batch: batch_backward",
                "normalise/batch: batch_infer",
            ],
            || at_levels(|level| (batch_norm::<f32>(level), batch_norm::<f64>(level)).0),
        ),
        (
            &[
                "normalise/layer: layer_forward",
                "normalise/layer: layer_jacobian",
                "normalise/layer: layer_curvature",
            ],
            || at_levels(|level| (layer_norm::<f32>(level), layer_norm::<f64>(level)).0),
        ),
        (
            &[
                "elementwise: add_row",
                "reduce/columns: column_sums",
                "reduce/columns: add_column_sums",
                "reduce/columns: add_column_dots",
                "reduce/sum: row_sums",
            ],
            || at_levels(|level| (rows_and_columns::<f32>(level), rows_and_columns::<f64>(level)).0),
        ),
        (
            &[
                "softmin/scores: Pairs::columns",
                "softmin/log_sum_exp: log_sum_exp",
                "softmin/largest: largest",
                "softmin/largest_of_blocks: largest_of_blocks",
                "softmin/exponentials: exponentials",
            ],
            || at_levels(|level| (pairs_of_places::<f32>(level), pairs_of_places::<f64>(level)).0),
        ),
        (
            &[
                "matrix: MatrixRef::new",
                "matrix: MatrixRef::with_strides",
                "matrix: MatrixRef::rows",
                "matrix: MatrixRef::columns",
                "matrix: MatrixRef::transposed",
                "matrix: MatrixMut::new",
                "matrix: MatrixMut::with_strides",
                "matrix: MatrixMut::rows",
                "matrix: MatrixMut::columns",
                "matrix: MatrixMut::transposed",
            ],
            views,
        ),
        (&["gemm/blocking: CacheSizes::of", "gemm: workspace_len"], workspaces),
        (&["gemm: gemm", "gemm: gemm_times_slope"], || {
            at_levels(|level| (products::<f32>(level), products::<f64>(level)).0)
        }),
        (&["peer: matrixmultiply"], peers),
        (
            &[
                "conv/sizes: Convolution::new",
                "conv/sizes: Convolution::sizes",
                "conv/sizes: Convolution::output",
                "conv/sizes: Convolution::x_len",
                "conv/sizes: Convolution::y_len",
                "conv/sizes: Convolution::w_len",
                "conv: workspace_len",
                "conv: forward",
                "conv: backward_data",
                "conv: backward_weights",
                "conv/minimal/filtering: MinimalFiltering::convolution",
                "conv/minimal/filtering: MinimalFiltering::new",
                "conv/minimal/filtering: MinimalFiltering::tile",
                "conv/minimal/filtering: MinimalFiltering::usual",
                "conv/minimal: backward_data",
                "conv/minimal: backward_weights",
                "conv/minimal: forward",
                "conv/minimal: transform_weights",
                "conv/minimal: weights_len",
                "conv/minimal: workspace_len",
            ],
            || {
                at_levels(|level| (convolutions::<f32>(level), convolutions::<f64>(level)).0);
                at_levels(|level| (minimal_filters::<f32>(level), minimal_filters::<f64>(level)).0);
            },
        ),
    ]
}

fn batch_norm<T: Scalar>(level: Level) {
    let [x, delta, gamma, beta] = [Zeros::<T>::new(), Zeros::new(), Zeros::new(), Zeros::new()];
    let [mut statistics, mut y] = [Zeros::<T>::new(), Zeros::new()];
    let activation = Activation::Relu;
    for batches in SIZES {
        for rows in SIZES {
            for columns in SIZES {
                let length = wrapped([batches, rows, columns]);
                let (x, delta) = (x.last(length), delta.last(length));
                let scales = (gamma.last(columns), beta.last(columns));
                // An invalid shape panics in its constructor.
                let shape = || Batches::new(batches, rows, columns);
                attempt(|| {
                    let shape = shape();
                    assert_eq!([shape.batches(), shape.rows(), shape.columns()], [batches, rows, columns]);
                });
                attempt(|| {
                    let statistics = statistics.last_mut(wrapped([3, batches, columns]));
                    batch_forward(
                        level,
                        x,
                        shape(),
                        scales,
                        T::ONE,
                        activation,
                        statistics,
                        y.last_mut(length),
                    );
                });
                attempt(|| {
                    let (statistics, sums) = (
                        beta.last(wrapped([3, batches, columns])),
                        statistics.last_mut(wrapped([2, batches, columns])),
                    );
                    let dx = Some(y.last_mut(length));
                    batch_backward(level, x, delta, shape(), scales.0, statistics, sums, dx);
                });
            }
        }
    }
    for length in SIZES {
        for columns in SIZES {
            let scales = (gamma.last(columns), beta.last(columns));
            attempt(|| {
                batch_infer(level, x.last(length), scales, scales, T::ONE, activation, y.last_mut(length));
            });
        }
    }
}

fn layer_norm<T: Scalar>(level: Level) {
    let [x, delta, t, gamma, beta] = std::array::from_fn(|_| Zeros::<T>::new());
    let [mut normal, mut scales, mut y] = std::array::from_fn(|_| Zeros::<T>::new());
    for rows in SIZES {
        for columns in SIZES {
            for length in [wrapped([rows, columns]), 0, 64] {
                let (x, delta, t) = (x.last(length), delta.last(length), t.last(length));
                let (gamma, beta) = (gamma.last(columns), beta.last(columns));
                attempt(|| {
                    let (normal, scales, y) =
                        (normal.last_mut(length), scales.last_mut(rows), y.last_mut(length));
                    layer_forward(level, x, (gamma, beta), T::ONE, Activation::Tanh, normal, scales, y);
                });
                let normal = (normal.last(length), scales.last(rows));
                for gamma in [None, Some(gamma)] {
                    attempt(|| layer_jacobian(level, normal, gamma, delta, y.last_mut(length)));
                }
                for e in [None, Some(t)] {
                    attempt(|| layer_curvature(level, normal, gamma, delta, t, e, y.last_mut(length)));
                }
            }
        }
    }
    #[cfg(all(target_os = "linux", target_pointer_width = "64"))]
    huge_rows::<T>(level);
}

/// 2^32 rows of 2^32 numbers are 2^64 numbers, which overflow to 0.
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
fn huge_rows<T: Scalar>(level: Level) {
    let (count, bytes) = (1 << 32, size_of::<T>() << 32);
    // SAFETY: a new mapping wherever the kernel likes touches no memory in use.
    let place = unsafe {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANON | libc::MAP_NORESERVE;
        libc::mmap(std::ptr::null_mut(), 2 * bytes, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0)
    };
    if place == libc::MAP_FAILED {
        return;
    }
    // SAFETY: the mapping has 2 `bytes` of zeros, which are numbers, borrowed by nobody else; it lives until `munmap`.
    let (gamma, scales) = unsafe {
        let second = place.cast::<T>().add(count);
        (
            std::slice::from_raw_parts(place.cast::<T>().cast_const(), count),
            std::slice::from_raw_parts_mut(second, count),
        )
    };
    attempt(|| {
        let [normal, y] = [&mut [][..], &mut []];
        layer_forward(level, &[], (gamma, gamma), T::ONE, Activation::Tanh, normal, scales, y);
    });
    attempt(|| layer_curvature(level, (&[], scales), gamma, &[], &[], None, &mut []));
    // SAFETY: made above, and the slices are used no more.
    unsafe { libc::munmap(place, 2 * bytes) };
}

fn rows_and_columns<T: Scalar>(level: Level) {
    let ([x, y], mut out) = ([Zeros::<T>::new(), Zeros::new()], Zeros::<T>::new());
    for rows in SIZES {
        for columns in SIZES {
            for length in [wrapped([rows, columns]), 0, 64] {
                let (x, y) = (x.last(length), y.last(length));
                attempt(|| reduce::row_sums(level, x, rows, columns, out.last_mut(rows)));
                attempt(|| reduce::column_sums(level, x, rows, columns, out.last_mut(columns)));
                attempt(|| reduce::add_column_sums(level, T::ONE, x, rows, columns, out.last_mut(columns)));
                attempt(|| reduce::add_column_dots(level, x, y, rows, columns, out.last_mut(columns)));
                attempt(|| elementwise::add_row(level, out.last_mut(length), rows, columns, x));
            }
        }
    }
}

/// Strides of a matrix: contiguous, with gaps, overlapping, and such that their products overflow.
const STRIDES: [usize; 6] = [0, 1, 2, 13, HALF + 1, usize::MAX];

/// Elements of each operand.
const OPERAND: usize = 900;

fn views() {
    let (mut x, nothing) = (Zeros::<f32>::new(), vec![(); usize::MAX]);
    for rows in SIZES {
        for columns in SIZES {
            for length in [wrapped([rows, columns]), 0, OPERAND] {
                attempt(|| {
                    let view = MatrixRef::new(x.last(length), rows, columns).transposed();
                    assert_eq!((view.rows(), view.columns()), (columns, rows));
                });
                attempt(|| {
                    let view = MatrixMut::new(x.last_mut(length), rows, columns).transposed();
                    assert_eq!((view.rows(), view.columns()), (columns, rows));
                });
            }
            attempt(|| MatrixRef::new(&nothing, rows, columns));
            for [row, column] in pairs() {
                attempt(|| MatrixRef::with_strides(x.last(OPERAND), rows, columns, row, column));
                attempt(|| MatrixMut::with_strides(x.last_mut(OPERAND), rows, columns, row, column));
            }
        }
    }
}

fn pairs() -> impl Iterator<Item = [usize; 2]> {
    STRIDES.into_iter().flat_map(|row| STRIDES.map(|column| [row, column]))
}

fn workspaces() {
    at_levels(|level| {
        attempt(|| CacheSizes::of(level));
        for m in SIZES {
            for n in SIZES {
                for k in SIZES {
                    attempt(|| workspace_len::<f32>(level, m, n, k));
                    attempt(|| workspace_len::<f64>(level, m, n, k));
                }
            }
        }
    });
}

/// Sizes of products: small, or of an operand without elements.
const PRODUCT_SIZES: [usize; 4] = [0, 1, 13, usize::MAX];

/// Calls `run` with every m, n and k, and with the strides of A, B and C; one of them has arbitrary strides, the others
/// are contiguous.
fn over_products(mut run: impl FnMut([usize; 3], [[usize; 2]; 3])) {
    for choice in 0..PRODUCT_SIZES.len().pow(3) {
        let [m, n, k] = [1, 4, 16].map(|step| PRODUCT_SIZES[choice / step % 4]);
        for operand in 0..3 {
            for strides in pairs() {
                let mut all = [[k, 1], [n, 1], [n, 1]];
                all[operand] = strides;
                run([m, n, k], all);
            }
        }
    }
}

fn products<T: MatrixScalar>(level: Level) {
    let [a, b, outputs] = [Zeros::<T>::new(), Zeros::new(), Zeros::new()];
    let [mut c, mut workspace] = [Zeros::<T>::new(), Zeros::new()];
    over_products(|[m, n, k], [of_a, of_b, of_c]| {
        let a = || MatrixRef::with_strides(a.last(OPERAND), m, k, of_a[0], of_a[1]);
        let b = || MatrixRef::with_strides(b.last(OPERAND), k, n, of_b[0], of_b[1]);
        attempt(|| {
            let c = MatrixMut::with_strides(c.last_mut(OPERAND), m, n, of_c[0], of_c[1]);
            let epilogue = Epilogue { bias: Some(outputs.last(n)), activation: Activation::Relu };
            gemm(level, T::ONE, a(), b(), T::ONE, c, epilogue, workspace.last_mut(MAX_LENGTH));
        });
        attempt(|| {
            let c = MatrixMut::with_strides(c.last_mut(OPERAND), m, n, of_c[0], of_c[1]);
            gemm(level, T::ONE, a(), b(), T::ZERO, c, Epilogue::NONE, workspace.last_mut(MAX_LENGTH));
        });
        attempt(|| {
            let c = MatrixMut::new(c.last_mut(OPERAND), m, n);
            let y = MatrixRef::with_strides(outputs.last(OPERAND), m, n, of_c[0], of_c[1]);
            gemm_times_slope(level, T::ONE, a(), b(), c, Activation::Tanh, y, workspace.last_mut(MAX_LENGTH));
        });
    });
    for short in [0, 1, workspace_len::<T>(level, 13, 2, 1) - 1] {
        attempt(|| {
            let (a, b) = (MatrixRef::new(a.last(13), 13, 1), MatrixRef::new(b.last(2), 1, 2));
            let c = MatrixMut::new(c.last_mut(26), 13, 2);
            gemm(level, T::ONE, a, b, T::ZERO, c, Epilogue::NONE, workspace.last_mut(short));
        });
    }
}

/// Small convolutions one size of which is extreme; the workspace may be too short.
fn convolutions<T: MatrixScalar>(level: Level) {
    let [x, w, bias] = [Zeros::<T>::new(), Zeros::new(), Zeros::new()];
    let [mut y, mut workspace] = [Zeros::<T>::new(), Zeros::new()];
    for place in 0..11 {
        for size in SIZES {
            let mut sizes = [2, 4, 4, 3, 2, 2, 2, 1, 1, 1, 1];
            sizes[place] = size;
            let [batch, height, width, channels_in, channels_out, k0, k1, s0, s1, p0, p1] = sizes;
            // Nothing is allocated, and sizes of 0 make large ones harmless.
            for batch in [batch, 0] {
                let (image, kernel) = ([height, width], [k0, k1]);
                let (stride, padding) = ([s0, s1], [p0, p1]);
                let sizes = Sizes { batch, image, channels_in, channels_out, kernel, stride, padding };
                let Ok(convolution) = Convolution::new(sizes) else { continue };
                assert_eq!((convolution.sizes(), convolution.output().contains(&0)), (sizes, false));
                let lens = [convolution.x_len(), convolution.w_len(), convolution.y_len()];
                let ([x, w], bias) = ([x.last(lens[0]), w.last(lens[1])], Some(bias.last(channels_out)));
                let epilogue = Epilogue { bias, activation: Activation::Relu };
                let workspace = workspace.last_mut(MAX_LENGTH);
                attempt(|| conv::workspace_len::<T>(level, &convolution));
                let c = &convolution;
                attempt(|| conv::forward(level, c, x, w, y.last_mut(lens[2]), epilogue, workspace));
                let (dy, none) = (x.len().min(lens[2]), Epilogue::NONE);
                let dy = &x[..dy];
                attempt(|| {
                    conv::backward_data(level, c, dy, w, y.last_mut(lens[0]), (none, None), workspace)
                });
                let slopes = Some((Activation::Relu, x));
                attempt(|| {
                    conv::backward_data(level, c, dy, w, y.last_mut(lens[0]), (none, slopes), workspace)
                });
                attempt(|| conv::backward_weights(level, c, x, dy, T::ONE, y.last_mut(lens[1]), workspace));
            }
        }
    }
}

/// Minimal filtering with one extreme size.
fn minimal_filters<T: MatrixScalar>(level: Level) {
    let [x, w, bias] = [Zeros::<T>::new(), Zeros::new(), Zeros::new()];
    let [mut y, mut workspace, mut weights] = [Zeros::<T>::new(), Zeros::new(), Zeros::new()];
    for place in 0..5 {
        for size in SIZES.into_iter().flat_map(|size| [size, size & !15]) {
            let mut sizes = [2, 8, 8, 16, 16];
            sizes[place] = size;
            let [batch, height, width, channels_in, channels_out] = sizes;
            for (batch, tile) in [(batch, 2), (batch, 4), (0, 2), (batch, size)] {
                let sizes = Sizes {
                    batch,
                    image: [height, width],
                    channels_in,
                    channels_out,
                    kernel: [4; 2],
                    stride: [2; 2],
                    padding: [1; 2],
                };
                let Ok(convolution) = Convolution::new(sizes) else { continue };
                attempt(|| MinimalFiltering::usual(convolution));
                let Ok(m) = &MinimalFiltering::new(convolution, tile) else { continue };
                assert_eq!((m.convolution(), m.tile()), (convolution, tile));
                let lens = [convolution.x_len(), convolution.w_len(), convolution.y_len()];
                let ([x, w], bias) = ([x.last(lens[0]), w.last(lens[1])], Some(bias.last(channels_out)));
                let epilogue = Epilogue { bias, activation: Activation::Relu };
                attempt(|| minimal::workspace_len::<T>(level, m));
                let len = minimal::weights_len::<T>(level, m);
                attempt(|| minimal::transform_weights(level, m, w, weights.last_mut(len)));
                let (weights, workspace) = (weights.last(len), workspace.last_mut(MAX_LENGTH));
                let dy = &x[..x.len().min(lens[2])];
                let none = (Epilogue::NONE, None);
                attempt(|| minimal::forward(level, m, x, weights, y.last_mut(lens[2]), epilogue, workspace));
                attempt(|| {
                    minimal::backward_data(level, m, dy, weights, y.last_mut(lens[0]), none, workspace)
                });
                attempt(|| {
                    minimal::backward_weights(level, m, x, dy, T::ONE, y.last_mut(lens[1]), workspace)
                });
            }
        }
    }
}

fn pairs_of_places<T: Scalar>(level: Level) {
    let ([x, y, bias], mut out) = ([Zeros::<T>::new(), Zeros::new(), Zeros::new()], Zeros::new());
    for rows in SIZES {
        for columns in [0, 1, 5, 64, 65] {
            for d in SIZES {
                let costs = x.last(wrapped([rows, columns]));
                let (x, y) = (x.last(wrapped([rows, d])), y.last(wrapped([d, columns])));
                let scale = T::ONE;
                for source in [
                    Source::Matrix { costs, scale },
                    Source::Products { x, y, d },
                    Source::SquaredEuclidean { x, y, d, scale },
                    Source::Euclidean { x, y, d, scale },
                    Source::CityBlock { x, y, d, scale },
                ] {
                    let pairs = Pairs { source, bias: bias.last(columns), rows };
                    assert_eq!(pairs.columns(), columns);
                    let count = if rows <= MAX_LENGTH { rows } else { 0 };
                    attempt(|| log_sum_exp(level, &pairs, &mut vec![0.0; count]));
                    attempt(|| largest(level, &pairs, &mut vec![Largest::default(); count]));
                    for block in [0, 1, 7, 64] {
                        let blocks = columns.div_ceil(block.max(1));
                        let out = out.last_mut(wrapped([rows, blocks]));
                        attempt(|| largest_of_blocks(level, &pairs, block, out));
                    }
                    let out = out.last_mut(wrapped([rows, columns]));
                    attempt(|| exponentials(level, &pairs, bias.last(rows), out));
                }
            }
        }
    }
}

#[cfg(feature = "matrixmultiply")]
fn peers() {
    let ([a, b], mut c) = ([Zeros::<f64>::new(), Zeros::new()], Zeros::new());
    over_products(|[m, n, k], [of_a, of_b, of_c]| {
        attempt(|| {
            let a = MatrixRef::with_strides(a.last(OPERAND), m, k, of_a[0], of_a[1]);
            let b = MatrixRef::with_strides(b.last(OPERAND), k, n, of_b[0], of_b[1]);
            let c = MatrixMut::with_strides(c.last_mut(OPERAND), m, n, of_c[0], of_c[1]);
            equilibria_kernels::peer::matrixmultiply(1.0, a, b, 1.0, c);
        });
    });
}

#[cfg(not(feature = "matrixmultiply"))]
fn peers() {}
