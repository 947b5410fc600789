//! Measures the workloads of `equilibria bench` with criterion. On a machine with varying speed, `equilibria bench` gives a
//! better comparison, because it measures a workload and its peers in turn.

use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput};
use equilibria::bench::{Context, List, Place};
use std::time::{Duration, Instant};

pub fn configuration() -> Criterion {
    Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(1000))
}

/// Measures a list: a benchmark group for its workloads, and one for their peers. Results are checked before.
pub fn measure(criterion: &mut Criterion, list: List) {
    let context = Context::new().expect("a thread can be started");
    list(&context, &mut |workload, place| {
        let id = match place {
            Place::One => format!("{}, {}, one thread", workload.kernel, workload.shape),
            _ => format!("{}, {}", workload.kernel, workload.shape),
        };
        for (name, mut action) in [Some(("equilibria", workload.ours)), workload.peer].into_iter().flatten() {
            let mut group = criterion.benchmark_group(name);
            group.throughput(Throughput::Elements(workload.work as u64));
            if workload.work > 1e9 {
                group.sampling_mode(SamplingMode::Flat);
            }
            group.bench_function(BenchmarkId::from_parameter(&id), |bencher| {
                bencher.iter_custom(|calls| {
                    context.within(place, || {
                        let start = Instant::now();
                        action(calls as usize);
                        start.elapsed()
                    })
                });
            });
            group.finish();
        }
        Ok(())
    })
    .expect("every result is right");
}
