//! Work of any type as a `dyn FnMut`, so that the code that runs it is compiled once.
//!
//! The functions of rayon are generic: for a closure of a type of its own, each call compiles a copy of the pool's code.

/// A closure that runs `work` at its first call.
pub(super) fn once(work: impl FnOnce() + Send) -> impl FnMut() + Send {
    let mut work = Some(work);
    move || work.take().into_iter().for_each(|work| work())
}

/// The result of `work`, which `run` calls once.
#[cfg(feature = "parallel")]
pub(super) fn result_of<R: Send>(work: impl FnOnce() -> R + Send, run: fn(&mut (dyn FnMut() + Send))) -> R {
    let mut result = None;
    run(&mut once(|| result = Some(work())));
    result.expect("the work was done")
}
