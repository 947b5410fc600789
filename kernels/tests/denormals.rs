//! Are denormal numbers flushed where they are to be, on every thread that works, and nowhere else?
#![cfg(target_arch = "x86_64")]

use equilibria_kernels::{Level, activation, denormals, elementwise};
use std::hint::black_box;

/// Whether results and operands are flushed, by scalars and by a kernel at each level.
#[track_caller]
fn are_flushed() -> bool {
    // By bits, as a comparison takes a denormal number for 0 while they are flushed.
    let mut seen = vec![(black_box(f32::MIN_POSITIVE) * black_box(0.5)).to_bits() == 0];
    let denormal = f64::from_bits(black_box(1_u64 << 40));
    seen.push((black_box(denormal) * black_box(2.0_f64.powi(60))).to_bits() == 0);
    for level in Level::available() {
        let (x, mut out) = (black_box([f32::MIN_POSITIVE; 37]), [1.0; 37]);
        elementwise::scale(level, 0.5, &x, &mut out);
        seen.push(out.iter().all(|x| x.to_bits() == 0));
        let x = black_box([f64::MIN_POSITIVE / 2.0; 37]);
        let mut out = [1.0; 37];
        elementwise::scale(level, 1e100, &x, &mut out);
        seen.push(out.iter().all(|x| x.to_bits() == 0));
    }
    assert!(seen.iter().all(|&flushed| flushed == seen[0]), "{seen:?}");
    seen[0]
}

#[test]
fn denormal_numbers_are_flushed_until_the_guard_is_dropped() {
    assert!(!are_flushed());
    let outer = denormals::flush();
    assert!(are_flushed());
    {
        let _inner = denormals::flush();
        assert!(are_flushed());
    }
    assert!(are_flushed());
    let mode = denormals::current();
    drop(outer);
    assert!(!are_flushed());
    {
        let _again = mode.enter();
        assert!(are_flushed());
    }
    assert!(!are_flushed());
}

#[test]
fn a_panic_puts_back_what_was() {
    let result = std::panic::catch_unwind(|| {
        let _flush = denormals::flush();
        panic!("in the middle of it");
    });
    assert!(result.is_err() && !are_flushed());
}

/// Whether a kernel that is split over threads gave 0 for half the smallest normal number, everywhere.
#[cfg(feature = "parallel")]
fn tasks_flush() -> bool {
    let y = vec![f32::MIN_POSITIVE; 1 << 18];
    let mut gradient = vec![f32::MIN_POSITIVE; y.len()];
    let half = equilibria_kernels::Activation::LeakyRelu { slope: 0.5 };
    let negative: Vec<f32> = y.iter().map(|_| -1.0).collect();
    activation::times_slope_in_place(Level::detect(), half, &negative, &mut gradient);
    let zeros = gradient.iter().filter(|g| g.to_bits() == 0).count();
    assert!(zeros == 0 || zeros == y.len(), "{zeros} of {} were flushed", y.len());
    zeros > 0
}

#[cfg(feature = "parallel")]
#[test]
fn the_tasks_of_a_kernel_do_as_its_caller_does() {
    for threads in [1, 2, 4] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        for _ in 0..20 {
            pool.install(|| {
                assert!(!tasks_flush(), "on {threads} threads");
                let _flush = denormals::flush();
                assert!(tasks_flush(), "on {threads} threads");
            });
            // From outside the pool, and with nothing left behind on its threads.
            pool.broadcast(|_| assert!(!are_flushed()));
        }
    }
    let _flush = denormals::flush();
    assert!((0..20).all(|_| tasks_flush()));
}
