//! Arrays by element.

/// As `core::array::from_fn`, which is not inlined in programs that are built with `lto = "off"`.
#[inline(always)]
pub(super) fn array<T: Copy + Default, const N: usize>(element: impl Fn(usize) -> T) -> [T; N] {
    let mut array = [T::default(); N];
    for (i, x) in array.iter_mut().enumerate() {
        *x = element(i);
    }
    array
}
