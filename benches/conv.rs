//! The convolutions of a DCGAN in their three directions, and the same by products of materialised patches (im2col).
//! `Gelem/s` are GFLOP/s of the dense convolution. On a machine with varying speed, `equilibria bench --only conv` gives a
//! better comparison, because it measures them in turn.

#[path = "../src/cli/bench/convolutions.rs"]
mod convolutions;

use convolutions::{Direction, LAYERS, Patches, difference, direct, operations};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use equilibria::Tensor;
use equilibria::rng::Stream;
use equilibria_kernels::Level;
use equilibria_kernels::conv::workspace_len;
use std::time::Duration;

fn configuration() -> Criterion {
    Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(800))
}

fn conv(criterion: &mut Criterion) {
    let level = Level::detect();
    for layer in LAYERS {
        let convolution = layer.convolution().expect("a layer");
        let lens = [convolution.x_len(), convolution.w_len(), convolution.y_len()];
        let [x, w, y] = [0, 1, 2].map(|index| {
            let mut numbers = Tensor::<f32>::zeros(&[lens[index]]);
            numbers.fill_normal(Stream::named(index as u64, "bench"), 1.0);
            numbers.into_vec()
        });
        let operands = [&x[..], &w, &y];
        let mut workspace = vec![0.0; workspace_len::<f32>(level, &convolution)];
        let mut patches = Patches::new(level, &convolution);
        for direction in Direction::ALL {
            let mut ours = vec![0.0; direction.result_len(&convolution)];
            let mut theirs = ours.clone();
            direct(level, &convolution, direction, operands, &mut ours, &mut workspace);
            patches.call(direction, operands, &mut theirs);
            assert_eq!(difference(&ours, &theirs), None, "{} {direction:?}", layer.name);
            let mut group = criterion.benchmark_group(direction.name());
            group.throughput(Throughput::Elements(operations(&convolution) as u64));
            group.bench_function(BenchmarkId::new("direct", layer.name), |bencher| {
                bencher.iter(|| direct(level, &convolution, direction, operands, &mut ours, &mut workspace));
            });
            group.bench_function(BenchmarkId::new("im2col", layer.name), |bencher| {
                bencher.iter(|| patches.call(direction, operands, &mut theirs));
            });
            group.finish();
        }
    }
}

criterion_group! {
    name = layers;
    config = configuration();
    targets = conv
}
criterion_main!(layers);
