//! Do tensors compute what plain loops compute, and do wrong shapes give an error?

use equilibria::Error;
use equilibria::rng::Stream;
use equilibria::tensor::{
    Activation, Element, Epilogue, Tensor, Workspace, accumulate_product, product_into,
};
use proptest::prelude::*;

fn uniform<T: Element>(shape: &[usize], index: u64) -> Tensor<T> {
    let mut x = Tensor::zeros(shape);
    x.fill_uniform(Stream::named(1, "evaluate").substream(index));
    x.data_mut().iter_mut().for_each(|x| *x = *x + *x - T::ONE);
    x
}

fn refused<V: core::fmt::Debug>(result: equilibria::Result<V>) -> (&'static str, Vec<usize>, Vec<usize>) {
    match result {
        Err(Error::ShapeMismatch { operation, expected, found }) => (operation, expected, found),
        other => panic!("not a shape mismatch: {other:?}"),
    }
}

#[track_caller]
fn assert_close<T: Element>(found: T, exact: f64, size: f64) {
    let error = (found.to_f64() - exact).abs();
    assert!(error <= 64.0 * T::EPSILON.to_f64() * size, "{found}, not {exact}: the error is {error:e}");
}

#[test]
fn mismatched_shapes_give_an_error_with_both_shapes() {
    let (a, b) = (uniform::<f32>(&[2, 3], 0), uniform::<f32>(&[3, 2], 1));
    let (ab, ba) = ((vec![2, 3], vec![3, 2]), (vec![3, 2], vec![2, 3]));
    let both = |(_, expected, found)| (expected, found);
    assert_eq!(refused(a.add(&b)), ("sum of tensors", vec![2, 3], vec![3, 2]));
    assert_eq!(refused(a.sub(&b)), ("difference of tensors", vec![2, 3], vec![3, 2]));
    assert_eq!(refused(a.mul(&b)), ("elementwise product of tensors", vec![2, 3], vec![3, 2]));
    assert_eq!(both(refused(a.axpy(2.0, &b))), ab);
    assert_eq!(both(refused(a.dot(&b))), ab);
    let mut c = b.clone();
    assert_eq!(both(refused(c.add_in_place(&a))), ba);
    assert_eq!(both(refused(c.sub_in_place(&a))), ba);
    assert_eq!(both(refused(c.mul_in_place(&a))), ba);
    assert_eq!(refused(c.axpy_in_place(2.0, &a)).0, "axpy");
    assert_eq!(both(refused(c.copy_from(&a))), ba);
    assert_eq!(refused(c.add_row_in_place(a.row(0))), ("row added to each row", vec![2], vec![3]));
    assert_eq!(refused(c.reshape(&[7])), ("reshape", vec![3, 2], vec![7]));
    assert_eq!(c, b, "an error must leave the tensor unchanged");
    assert_eq!(
        refused(Tensor::from_vec(&[2, 2], vec![0.0_f32; 3])),
        ("tensor from values", vec![2, 2], vec![3])
    );
}

#[test]
fn products_of_mismatched_shapes_give_an_error() {
    let (a, b) = (uniform::<f64>(&[2, 3], 0), uniform::<f64>(&[3, 4], 1));
    let operand = "right operand of a matrix product";
    assert_eq!(refused(Tensor::product(a.view(), b.view().transposed())), (operand, vec![3, 3], vec![4, 3]));
    let workspace = &mut Workspace::new();
    let mut out = uniform::<f64>(&[4, 2], 2);
    let before = out.clone();
    let result = product_into(a.view(), b.view(), Epilogue::NONE, workspace, out.view_mut());
    assert_eq!(refused(result), ("output of a matrix product", vec![2, 4], vec![4, 2]));
    let epilogue = Epilogue { bias: Some(&[0.0; 2]), activation: Activation::Identity };
    let result = product_into(a.view(), b.view(), epilogue, workspace, out.view_mut().transposed());
    assert_eq!(refused(result), ("bias of a matrix product", vec![4], vec![2]));
    let result = accumulate_product(1.0, b.view(), a.view(), 1.0, workspace, out.view_mut());
    assert_eq!(refused(result), (operand, vec![4, 3], vec![2, 3]));
    assert_eq!(out, before);
}

#[test]
fn invalid_shapes_give_an_error() {
    let half = usize::MAX / 2 + 1;
    for shape in [&[][..], &[1; 5], &[half, 2], &[0, half, 2], &[usize::MAX / 8]] {
        let result = Tensor::<f64>::from_vec(shape, Vec::new());
        assert!(matches!(result, Err(Error::InvalidArgument { .. })), "{shape:?}: {result:?}");
        let result = Tensor::<f64>::zeros(&[0]).reshape(shape);
        assert!(matches!(result, Err(Error::InvalidArgument { .. })), "{shape:?}: {result:?}");
    }
}

#[test]
#[should_panic(expected = "row 2 of a tensor of shape (2, 0)")]
fn a_row_beyond_the_last_panics_even_if_rows_are_empty() {
    let _ = Tensor::<f32>::zeros(&[2, 0]).row(2);
}

#[test]
fn every_tensor_is_a_matrix_of_its_first_axis() {
    let values: Vec<f32> = (0..24_u8).map(f32::from).collect();
    let mut x = Tensor::from_vec(&[2, 3, 2, 2], values.clone()).unwrap();
    assert_eq!((x.rank(), x.len(), x.rows(), x.columns()), (4, 24, 2, 12));
    assert_eq!(x.row(1), &values[12..]);
    x.row_mut(0)[11] = -1.0;
    assert_eq!(x.data()[11], -1.0);
    x.reshape(&[24]).unwrap();
    assert_eq!((x.shape(), x.rows(), x.columns(), x.row(23)), (&[24][..], 24, 1, &[23.0][..]));
    assert_eq!((x.view().rows(), x.view().columns()), (24, 1));
    let empty = Tensor::<f32>::zeros(&[0, 5]);
    assert!(empty.is_empty() && empty.columns() == 5 && empty.mean().is_nan());
    assert_eq!(empty.column_sums(), Tensor::zeros(&[5]));
    assert_ne!(empty, Tensor::zeros(&[5, 0]));
    assert_ne!(Tensor::<f32>::zeros(&[5]), Tensor::zeros(&[5, 1]));
}

#[test]
fn debug_is_short() {
    assert_eq!(
        format!("{:?}", Tensor::from_vec(&[1, 2], vec![0.5_f32, -1.0]).unwrap()),
        "Tensor<f32>(1, 2) [0.5, -1.0]"
    );
    let long = format!("{:?}", Tensor::<f64>::zeros(&[100, 784]));
    assert_eq!(long, "Tensor<f64>(100, 784) [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, ...]");
}

#[test]
fn casts_keep_f32_exactly_and_round_f64() {
    let x = uniform::<f32>(&[3, 7], 0);
    assert_eq!(x.cast::<f64>().cast::<f32>(), x);
    assert_eq!(Tensor::filled(&[1], 0.1_f64).cast::<f32>().data(), [0.1_f32]);
}

fn elementwise_agrees_with_loops<T: Element>() {
    let (x, y) = (uniform::<T>(&[5, 7], 0), uniform::<T>(&[5, 7], 1));
    let alpha = T::from_f64(-0.75);
    let check = |found: Tensor<T>, exact: &dyn Fn(f64, f64) -> f64| {
        assert_eq!(found.shape(), [5, 7]);
        for (&found, (x, y)) in found.data().iter().zip(x.data().iter().zip(y.data())) {
            assert_close(found, exact(x.to_f64(), y.to_f64()), 2.0);
        }
    };
    let in_place = |change: &dyn Fn(&mut Tensor<T>)| {
        let mut x = x.clone();
        change(&mut x);
        x
    };
    check(x.add(&y).unwrap(), &|x, y| x + y);
    check(x.sub(&y).unwrap(), &|x, y| x - y);
    check(x.mul(&y).unwrap(), &|x, y| x * y);
    check(x.scale(alpha), &|x, _| -0.75 * x);
    check(x.axpy(alpha, &y).unwrap(), &|x, y| x - 0.75 * y);
    check(in_place(&|x| x.add_in_place(&y).unwrap()), &|x, y| x + y);
    check(in_place(&|x| x.sub_in_place(&y).unwrap()), &|x, y| x - y);
    check(in_place(&|x| x.mul_in_place(&y).unwrap()), &|x, y| x * y);
    check(in_place(&|x| x.scale_in_place(alpha)), &|x, _| -0.75 * x);
    check(in_place(&|x| x.copy_from(&y).unwrap()), &|_, y| y);
    check(in_place(&|x| x.fill(alpha)), &|_, _| -0.75);
    check(in_place(&|x| x.exp_in_place()), &|x, _| libm::exp(x));
    check(in_place(&|x| x.sigmoid_in_place()), &|x, _| 1.0 / (1.0 + libm::exp(-x)));
    check(in_place(&|x| x.log_sigmoid_in_place()), &|x, _| -libm::log1p(libm::exp(-x)));
    check(in_place(&|x| x.softplus_in_place()), &|x, _| libm::log1p(libm::exp(x)));
    check(in_place(&|x| x.tanh_in_place()), &|x, _| libm::tanh(x));
    check(in_place(&|x| (x.exp_in_place(), x.ln_in_place()).1), &|x, _| x);
    let sum = x.add_row(y.row(3)).unwrap();
    for i in 0..5 {
        for j in 0..7 {
            assert_close(sum.row(i)[j], x.row(i)[j].to_f64() + y.row(3)[j].to_f64(), 2.0);
        }
    }
}

#[test]
fn elementwise_operations_agree_with_loops() {
    elementwise_agrees_with_loops::<f32>();
    elementwise_agrees_with_loops::<f64>();
}

fn reductions_agree_with_loops<T: Element>() {
    let (x, y) = (uniform::<T>(&[9, 5, 3], 0), uniform::<T>(&[9, 5, 3], 1));
    let wide = |x: &Tensor<T>| x.cast::<f64>().into_vec();
    let (u, v) = (wide(&x), wide(&y));
    let sum: f64 = u.iter().sum();
    assert_close(x.sum(), sum, 135.0);
    assert_close(x.mean(), sum / 135.0, 1.0);
    assert_close(x.dot(&y).unwrap(), u.iter().zip(&v).map(|(u, v)| u * v).sum(), 135.0);
    assert_close(x.squared_norm(), u.iter().map(|u| u * u).sum(), 135.0);
    assert_close(x.max(), u.iter().copied().fold(f64::MIN, f64::max), 0.0);
    assert_close(x.log_sum_exp(), libm::log(u.iter().map(|&u| libm::exp(u)).sum()), 5.0);
    let (by_row, by_column) = (x.row_sums(), x.column_sums());
    assert_eq!((by_row.shape(), by_column.shape()), (&[9][..], &[15][..]));
    for (i, &sum) in by_row.data().iter().enumerate() {
        assert_close(sum, u[15 * i..][..15].iter().sum(), 15.0);
    }
    for (j, &sum) in by_column.data().iter().enumerate() {
        assert_close(sum, u.iter().skip(j).step_by(15).sum(), 9.0);
    }
    let mut broken = x.clone();
    assert!(broken.is_finite());
    broken.data_mut()[134] = T::from_f64(f64::INFINITY);
    assert!(!broken.is_finite());
}

#[test]
fn reductions_agree_with_loops_in_f64() {
    reductions_agree_with_loops::<f32>();
    reductions_agree_with_loops::<f64>();
}

#[test]
fn random_fills_follow_the_stream_and_have_their_moments() {
    let stream = Stream::named(4, "init");
    let (mut x, mut again) = (Tensor::<f64>::zeros(&[200, 50]), Tensor::<f64>::zeros(&[10_000]));
    x.fill_normal(stream, 3.0);
    again.fill_normal(stream, 3.0);
    assert_eq!(x.data(), again.data());
    again.fill_normal(stream.substream(1), 3.0);
    assert_ne!(x.data(), again.data());
    // Five standard errors: 3 / √n for the mean, 9 √(2/n) for the variance.
    let variance = x.squared_norm() / 1e4;
    assert!(x.mean().abs() < 0.15 && (variance - 9.0).abs() < 0.64, "{} {variance}", x.mean());
    x.fill_uniform(stream);
    // 1 / √(12 n) for the mean. The largest of n numbers is below 1 - 20/n with probability e^-20.
    assert!((x.mean() - 0.5).abs() < 0.0145 && x.max() < 1.0 && x.max() > 0.998);
    assert!(x.data().iter().all(|&x| x >= 0.0));
}

/// Compares products of random matrices, each stored as it is or transposed, with a loop in f64.
fn product_agrees<T: Element>((m, n, k): (usize, usize, usize), turned: [bool; 3], seed: u64) {
    let stored = |turned, rows, columns| if turned { [columns, rows] } else { [rows, columns] };
    let a = uniform::<T>(&stored(turned[0], m, k), seed);
    let b = uniform::<T>(&stored(turned[1], k, n), seed + 1);
    let before = uniform::<T>(&stored(turned[2], m, n), seed + 2);
    let bias = uniform::<T>(&[n], seed + 3);

    let read = |x: &Tensor<T>, turned, i: usize, j: usize| {
        let (i, j) = if turned { (j, i) } else { (i, j) };
        x.row(i)[j].to_f64()
    };
    let exact = |i, j| -> f64 { (0..k).map(|p| read(&a, turned[0], i, p) * read(&b, turned[1], p, j)).sum() };
    let check = |found: &Tensor<T>, turned, exact: &dyn Fn(usize, usize) -> f64| {
        for (i, j) in (0..m).flat_map(|i| (0..n).map(move |j| (i, j))) {
            assert_close(T::from_f64(read(found, turned, i, j)), exact(i, j), 2.0 + k as f64 / 16.0);
        }
    };

    let a_view = if turned[0] { a.view().transposed() } else { a.view() };
    let b_view = if turned[1] { b.view().transposed() } else { b.view() };
    let workspace = &mut Workspace::new();

    let product = Tensor::product(a_view, b_view).unwrap();
    assert_eq!(product.shape(), [m, n]);
    check(&product, false, &exact);

    let mut out = Tensor::filled(before.shape(), T::from_f64(f64::NAN));
    let view = if turned[2] { out.view_mut().transposed() } else { out.view_mut() };
    let epilogue = Epilogue { bias: Some(bias.data()), activation: Activation::Relu };
    product_into(a_view, b_view, epilogue, workspace, view).unwrap();
    check(&out, turned[2], &|i, j| (exact(i, j) + bias.data()[j].to_f64()).max(0.0));

    let (alpha, beta) = (-0.5, 0.25);
    let mut out = before.clone();
    let view = if turned[2] { out.view_mut().transposed() } else { out.view_mut() };
    accumulate_product(T::from_f64(alpha), a_view, b_view, T::from_f64(beta), workspace, view).unwrap();
    check(&out, turned[2], &|i, j| alpha * exact(i, j) + beta * read(&before, turned[2], i, j));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn products_agree_with_naive_loops(
        sizes in (0_usize..40, 0_usize..40, 0_usize..40),
        turned in any::<[bool; 3]>(),
        seed in 0_u64..1000,
    ) {
        product_agrees::<f32>(sizes, turned, seed);
        product_agrees::<f64>(sizes, turned, seed);
    }
}
