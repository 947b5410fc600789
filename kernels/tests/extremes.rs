//! Does every public function return or panic, whatever lengths, sizes and strides it is given?
//!
//! Buffers end beside an unmapped page, so that an access outside a slice ends the process; a call that runs for too long
//! fails the test. `every_public_function_is_driven` compares the tables of cases with the source: a new public function
//! needs a case.

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

use equilibria_kernels::{Level, Scalar};
use guard::GuardedBuffer;
use std::cell::Cell;
use std::hint::black_box;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::{Once, mpsc};
use std::time::Duration;

/// The functions that a case drives, as `inventory` names them, and the case.
type Case = (&'static [&'static str], fn());

/// Half of the numbers of `usize`, plus 1: multiplied by 2, it is 0.
const HALF: usize = usize::MAX / 2 + 1;

/// Sizes that are small, at the edge of a panel, or whose products with small numbers wrap around to small ones.
const SIZES: [usize; 13] =
    [0, 1, 2, 4, 64, 65, HALF / 32, HALF / 2, HALF / 2 + 1, HALF, HALF + 1, usize::MAX / 3 + 1, usize::MAX];

/// Lengths of slices for functions that take nothing but slices.
const LENGTHS: [usize; 5] = [0, 1, 3, 64, 65];

/// Elements of the longest buffer of a case.
const MOST: usize = 1 << 13;

/// No case may take longer: seconds by itself, a minute with a sanitiser on a busy machine.
const LIMIT: Duration = Duration::from_secs(600);

thread_local! {
    /// Whether a panic on this thread is one of those that are asked for.
    static IS_ASKED_FOR: Cell<bool> = const { Cell::new(false) };
}

/// Makes a call. A panic is as good as a result.
fn attempt<R>(call: impl FnOnce() -> R) {
    IS_ASKED_FOR.set(true);
    let _ = black_box(catch_unwind(AssertUnwindSafe(call)));
    IS_ASKED_FOR.set(false);
}

/// Runs each case on a thread of its own, which may take as long as [`LIMIT`].
fn drive(cases: &[Case]) {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let report = take_hook();
        set_hook(Box::new(move |panic| {
            // Kernels may run on a pool's threads.
            if !IS_ASKED_FOR.get() && rayon::current_thread_index().is_none() {
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

/// `run` at every level.
fn at_levels(run: impl Fn(Level)) {
    Level::available().for_each(run);
}

/// Zeros that end beside an unmapped page.
struct Zeros<T>(GuardedBuffer<T>);

impl<T: Scalar> Zeros<T> {
    fn new() -> Self {
        Self(GuardedBuffer::at_end(MOST))
    }

    /// The last `length` of them; none if a buffer cannot have so many.
    fn last(&self, length: usize) -> &[T] {
        &self.0[MOST - Self::fitting(length)..]
    }

    fn last_mut(&mut self, length: usize) -> &mut [T] {
        &mut self.0[MOST - Self::fitting(length)..]
    }

    fn fitting(length: usize) -> usize {
        if length <= MOST { length } else { 0 }
    }
}

/// The product as unchecked arithmetic has it: the length that a function would ask for that does not check.
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
fn every_public_function_is_driven() {
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
