//! The matrix product against `matrixmultiply` and the multiply-add peak.

use super::limits::{multiply_adds, multiply_adds_operations};
use super::measure::{measure_interleaved, repeat};
use super::products::{LARGE, LAYERS, Operands, Ours, Peer, Shape, TRANSPOSED, Transposed};
use super::table::{Row, Speed};
use super::{Add, Context, Entry, again, peer_threads};
use crate::{Error, Result};
use equilibria_kernels::MatrixScalar;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
pub(super) struct Gemm {
    m: usize,
    n: usize,
    k: usize,
    threads: usize,
    /// The operand that lies column after column.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    transposed: Option<String>,
    r#type: String,
    gflops: f64,
    fraction_of_peak: f64,
    matrixmultiply_gflops: f64,
}

impl Entry for Gemm {
    fn row(&self) -> Row {
        let transposed = match self.transposed.as_deref() {
            None => Transposed::Neither,
            Some("a") => Transposed::A,
            Some(_) => Transposed::B,
        };
        let shape = Shape { m: self.m, n: self.n, k: self.k, transposed };
        Row {
            kernel: format!("gemm {}", self.r#type),
            shape: shape.to_string(),
            threads: self.threads,
            speed: Speed::GflopPerSecond(self.gflops),
            share: Some(self.fraction_of_peak),
            ratio: Some(self.gflops / self.matrixmultiply_gflops),
        }
    }
}

/// f32, on all threads.
pub(super) fn all_threads(context: &Context, add: Add<'_, Gemm>) -> Result<()> {
    LARGE.iter().chain(&LAYERS).try_for_each(|&shape| add(context.on_all(|| measure::<f32>(context, shape))?))
}

/// f32 with an operand that lies column after column, on all threads.
pub(super) fn transposed(context: &Context, add: Add<'_, Gemm>) -> Result<()> {
    TRANSPOSED.iter().try_for_each(|&shape| add(context.on_all(|| measure::<f32>(context, shape))?))
}

/// f64, on all threads.
pub(super) fn double(context: &Context, add: Add<'_, Gemm>) -> Result<()> {
    add(context.on_all(|| measure::<f64>(context, LARGE[0]))?)
}

/// The large products on one thread. `matrixmultiply` settles its number of threads once a process, so that
/// this takes a process of its own unless this one has one thread.
pub(super) fn one_thread(context: &Context, add: Add<'_, Gemm>) -> Result<()> {
    if peer_threads() == Some(1) {
        let mut one = |&shape| add(context.on_one(|| measure::<f32>(context, shape))?);
        return LARGE.iter().try_for_each(&mut one);
    }
    let failed = |reason: String| Error::io("running", "equilibria bench on one thread", reason);
    let output = again(1)
        .and_then(|mut command| {
            command.args(["bench", "--threads", "1", "--one-thread-products"]);
            command.args(context.quick.then_some("--quick")).output()
        })
        .map_err(|error| failed(error.to_string()))?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        return Err(failed(words.trim().trim_start_matches("error: ").to_string()));
    }
    let products: Vec<Gemm> =
        serde_json::from_slice(&output.stdout).map_err(|error| failed(error.to_string()))?;
    products.into_iter().try_for_each(add)
}

/// Checks, then times a product in the current thread pool.
fn measure<T: MatrixScalar>(context: &Context, shape: Shape) -> Result<Gemm> {
    let level = context.level;
    let operands = Operands::<T>::new(level, shape);
    let (mut ours, mut peer) = (Ours::new(&operands), Peer::new(&operands));
    ours.call();
    peer.call();
    operands.check(&ours.c, &peer.c).map_err(|wrong| Error::invalid("gemm", wrong))?;

    let seconds = measure_interleaved(
        context.effort,
        &mut [&mut multiply_adds::<T>(level), &mut repeat(|| ours.call()), &mut repeat(|| peer.call())],
    );
    let gflops = |seconds: f64| shape.operations() / seconds / 1e9;
    let peak = multiply_adds_operations::<T>(level) / seconds[0] / 1e9;
    Ok(Gemm {
        m: shape.m,
        n: shape.n,
        k: shape.k,
        threads: rayon::current_num_threads(),
        transposed: match shape.transposed {
            Transposed::Neither => None,
            Transposed::A => Some("a".into()),
            Transposed::B => Some("b".into()),
        },
        r#type: super::type_name::<T>().into(),
        gflops: gflops(seconds[1]),
        fraction_of_peak: gflops(seconds[1]) / peak,
        matrixmultiply_gflops: gflops(seconds[2]),
    })
}

#[cfg(test)]
mod tests {
    use super::super::products::{Operands, Ours, Peer, Shape, TRANSPOSED, shape};
    use equilibria_kernels::Level;

    #[test]
    fn a_single_wrong_element_is_found() {
        let small = [shape(12, 10, 50), shape(1, 1, 1)];
        let small = small.into_iter().chain(TRANSPOSED.map(|s| Shape { m: 12, n: 10, k: 50, ..s }));
        for shape in small {
            let operands = Operands::<f32>::new(Level::detect(), shape);
            let (mut ours, mut peer) = (Ours::new(&operands), Peer::new(&operands));
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
