//! Arrays by element.

/// The array with `element(i)` at place i: as [`core::array::from_fn`], which is not inlined in programs that are built with
/// `lto = "off"`.
///
/// ```
/// assert_eq!(equilibria_kernels::array(|i| 2 * i), [0, 2, 4]);
/// ```
#[inline(always)]
pub fn array<T: Copy + Default, const N: usize>(element: impl Fn(usize) -> T) -> [T; N] {
    let mut array = [T::default(); N];
    for (i, x) in array.iter_mut().enumerate() {
        *x = element(i);
    }
    array
}
