//! The matrix product compared with `matrixmultiply` and with the multiply-add peak.

use super::context::Context;
use super::entry::{Add, Entry, Unit};
use super::limits::{multiply_adds, multiply_adds_operations};
use super::measure::{measure_interleaved, repeat};
use super::peer;
use super::products::{LARGE, LAYERS, Operands, Product, Shape, TRANSPOSED, Transposed};
use crate::{Error, Result};
use equilibria_kernels::MatrixScalar;
use serde_json::json;

/// Products in f32 on all threads.
pub(super) fn all_threads(context: &Context, add: Add<'_>) -> Result<()> {
    LARGE.iter().chain(&LAYERS).try_for_each(|&shape| add(context.on_all(|| measure::<f32>(context, shape))?))
}

/// Products in f32 with an operand that is stored column by column, on all threads.
pub(super) fn transposed(context: &Context, add: Add<'_>) -> Result<()> {
    TRANSPOSED.iter().try_for_each(|&shape| add(context.on_all(|| measure::<f32>(context, shape))?))
}

/// A product in f64 on all threads.
pub(super) fn double(context: &Context, add: Add<'_>) -> Result<()> {
    add(context.on_all(|| measure::<f64>(context, LARGE[0]))?)
}

/// The large products on one thread. `matrixmultiply` fixes its number of threads once per process, so this starts another
/// process unless this one has one thread.
pub(super) fn one_thread(context: &Context, add: Add<'_>) -> Result<()> {
    if peer::threads() == Some(1) {
        return LARGE.iter().try_for_each(|&shape| add(context.on_one(|| measure::<f32>(context, shape))?));
    }
    let failed = |reason: String| Error::io("running", "equilibria bench on one thread", reason);
    let output = peer::this_program(1)
        .and_then(|mut command| {
            command.args(["bench", "--threads", "1", "--one-thread-products"]);
            command.args(context.is_quick.then_some("--quick")).output()
        })
        .map_err(|error| failed(error.to_string()))?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        return Err(failed(words.trim().trim_start_matches("error: ").to_string()));
    }
    let products: Vec<Entry> =
        serde_json::from_slice(&output.stdout).map_err(|error| failed(error.to_string()))?;
    products.into_iter().try_for_each(add)
}

/// Checks and measures a product in the current thread pool.
fn measure<T: MatrixScalar>(context: &Context, shape: Shape) -> Result<Entry> {
    let level = context.level;
    let operands = Operands::<T>::new(level, shape);
    let (mut ours, mut peer) = (Product::ours(&operands), Product::peer(&operands));
    ours.call();
    peer.call();
    operands.check(&ours.c, &peer.c).map_err(|wrong| Error::invalid("gemm", wrong))?;

    let seconds = measure_interleaved(
        context.effort,
        &mut [&mut multiply_adds::<T>(level), &mut repeat(|| ours.call()), &mut repeat(|| peer.call())],
    );
    let [speed, peer_speed] = [1, 2].map(|i: usize| shape.operations() / seconds[i] / 1e9);
    let share = speed / (multiply_adds_operations::<T>(level) / seconds[0] / 1e9);
    let (threads, r#type) = (rayon::current_num_threads(), std::any::type_name::<T>());
    Ok(Entry {
        kernel: format!("gemm {type}"),
        shape: shape.to_string(),
        threads,
        speed,
        unit: Unit::Gflops,
        share: Some(share),
        ratio: Some(speed / peer_speed),
        json: json!({
            "m": shape.m,
            "n": shape.n,
            "k": shape.k,
            "threads": threads,
            "transposed": match shape.transposed {
                Transposed::Neither => None,
                Transposed::A => Some("a"),
                Transposed::B => Some("b"),
            },
            "type": r#type,
            "gflops": speed,
            "fraction_of_peak": share,
            "matrixmultiply_gflops": peer_speed,
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::super::products::{Operands, Product, Shape, TRANSPOSED, shape};
    use equilibria_kernels::Level;

    #[test]
    fn a_single_wrong_element_is_found() {
        let small = [shape(12, 10, 50), shape(1, 1, 1)];
        let small = small.into_iter().chain(TRANSPOSED.map(|s| Shape { m: 12, n: 10, k: 50, ..s }));
        for shape in small {
            let operands = Operands::<f32>::new(Level::detect(), shape);
            let (mut ours, mut peer) = (Product::ours(&operands), Product::peer(&operands));
            ours.call();
            peer.call();
            assert_eq!(operands.check(&ours.c, &peer.c), Ok(()));
            for place in 0..ours.c.len() {
                for wrong in [ours.c[place] + 0.1, f32::NAN] {
                    let right = std::mem::replace(&mut ours.c[place], wrong);
                    assert!(operands.check(&ours.c, &peer.c).is_err(), "{shape}: element {place} of {wrong}");
                    ours.c[place] = right;
                }
            }
            let zeros = vec![0.0; ours.c.len()];
            assert!(operands.check(&zeros, &zeros).is_err(), "{shape}: both wrong");
        }
    }
}
