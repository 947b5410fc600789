//! Does every public function return or panic for all lengths, sizes and strides?
//!
//! Buffers end next to an unmapped page, so that an access outside a slice ends the process; a call that takes too long
//! fails the test. `every_public_function_is_called` compares the tables of cases with the source: a new public
//! function needs a case.

#[path = "extremes/binary.rs"]
mod binary;
#[path = "support/guard.rs"]
mod guard;
#[path = "extremes/inventory.rs"]
mod inventory;
#[path = "extremes/shapes.rs"]
mod shapes;
#[path = "extremes/slices.rs"]
mod slices;

use equilibria_kernels::Level;
use guard::GuardedBuffer;
use std::cell::Cell;
use std::hint::black_box;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::{Once, mpsc};
use std::time::Duration;

/// The functions that a case calls, named as in `inventory`, and the case.
type Case = (&'static [&'static str], fn());

/// Half the range of `usize`: multiplied by 2, it overflows to 0.
const HALF: usize = usize::MAX / 2 + 1;

/// Sizes that are small, at the edge of a panel, or such that products with small numbers overflow to small numbers.
const SIZES: [usize; 13] =
    [0, 1, 2, 4, 64, 65, HALF / 32, HALF / 2, HALF / 2 + 1, HALF, HALF + 1, usize::MAX / 3 + 1, usize::MAX];

/// Lengths of slices for functions that take only slices.
const LENGTHS: [usize; 5] = [0, 1, 3, 64, 65];

/// Number of elements of the longest buffer of a case.
const MAX_LENGTH: usize = 1 << 13;

/// Time limit of a case: it takes seconds alone, and a minute with a sanitiser on a busy machine.
const LIMIT: Duration = Duration::from_secs(600);

thread_local! {
    /// True while this thread makes a call that may panic.
    static IS_EXPECTED: Cell<bool> = const { Cell::new(false) };
}

/// Makes a call. Both a result and a panic are accepted.
fn attempt<R>(call: impl FnOnce() -> R) {
    IS_EXPECTED.set(true);
    let _ = black_box(catch_unwind(AssertUnwindSafe(call)));
    IS_EXPECTED.set(false);
}

/// Runs each case on its own thread, at most for [`LIMIT`].
fn drive(cases: &[Case]) {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let report = take_hook();
        set_hook(Box::new(move |panic| {
            // Kernels may run on the threads of a pool.
            if !IS_EXPECTED.get() && rayon::current_thread_index().is_none() {
                report(panic);
            }
        }));
    });
    for &(names, case) in cases {
        // With `--nocapture` the last line names the case that ended the process.
        println!("{names:?}");
        let (done, is_done) = mpsc::channel();
        std::thread::spawn(move || {
            case();
            done.send(()).unwrap();
        });
        let result = is_done.recv_timeout(LIMIT);
        assert!(result.is_ok(), "the case of {names:?}: {result:?}");
    }
}

/// Calls `run` at every level.
fn at_levels(run: impl Fn(Level)) {
    Level::available().for_each(run);
}

/// Zeros that end next to an unmapped page.
struct Zeros<T>(GuardedBuffer<T>);

impl<T: Copy + Default> Zeros<T> {
    fn new() -> Self {
        Self(GuardedBuffer::at_end(MAX_LENGTH))
    }

    /// The last `length` zeros; an empty slice if a buffer cannot have that many.
    fn last(&self, length: usize) -> &[T] {
        &self.0[MAX_LENGTH - Self::fitting(length)..]
    }

    fn last_mut(&mut self, length: usize) -> &mut [T] {
        &mut self.0[MAX_LENGTH - Self::fitting(length)..]
    }

    fn fitting(length: usize) -> usize {
        if length <= MAX_LENGTH { length } else { 0 }
    }
}

/// The product with unchecked arithmetic: the length that a function without overflow checks would require.
fn wrapped<const N: usize>(factors: [usize; N]) -> usize {
    factors.into_iter().fold(1, usize::wrapping_mul)
}

#[test]
fn functions_of_slices_return_or_panic() {
    drive(&slices::cases());
}

#[test]
fn functions_of_shapes_return_or_panic() {
    drive(&shapes::cases());
}

#[test]
fn products_with_bits_return_or_panic() {
    drive(&binary::cases());
}

#[test]
fn every_public_function_is_called() {
    let cases = [slices::cases(), shapes::cases(), binary::cases()].concat();
    let mut driven: Vec<String> =
        cases.iter().flat_map(|(names, _)| *names).map(|&name| name.into()).collect();
    driven.sort_unstable();
    let public = inventory::public_functions();
    let missing: Vec<_> = public.iter().filter(|name| !driven.contains(name)).collect();
    let gone: Vec<_> = driven.iter().filter(|name| !public.contains(name)).collect();
    assert!(missing.is_empty(), "public functions without a case: {missing:#?}");
    assert!(gone.is_empty(), "cases of functions that are not public: {gone:#?}");
    assert!(driven.windows(2).all(|pair| pair[0] != pair[1]), "a function has two cases: {driven:#?}");
}
