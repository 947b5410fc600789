//! Tensors and matrix products: one step of least squares, w ← w + Xᵀ (y − X w).
use equilibria::{Result, Tensor};

pub fn main() -> Result<[f64; 2]> {
    let x = Tensor::from_rows(&[[1.0, 0.0], [0.0, 1.0]])?;
    let y = Tensor::from_rows(&[[1.0], [3.0]])?;
    let w = Tensor::zeros(&[2, 1]);
    let error = y.sub(&x.matmul(&w)?)?;
    let gradient = Tensor::product(x.view().transposed(), error.view())?;
    let w = w.add(&gradient)?;
    println!("{w:?}, remaining error {}", y.sub(&x.matmul(&w)?)?.squared_norm());
    Ok([w.row(0)[0], w.row(1)[0]])
}
