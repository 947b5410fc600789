//! The values of a tensor, and their bytes in a file.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use safetensors::tensor::{Dtype, TensorInfo};

use crate::half::narrow;
use equilibria_kernels::convert::widen;

/// A tensor. The number of values matches the shape.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    pub shape: Vec<usize>,
    pub values: Values,
}

#[derive(Debug, Clone)]
pub(super) enum Values {
    /// 16-bit floats in a file; stored as rounded f32 here.
    F16(Vec<f32>),
    F32(Vec<f32>),
    F64(Vec<f64>),
    U64(Vec<u64>),
    /// Only read and written: PyTorch counts mini-batches with them.
    I64(Vec<i64>),
    U8(Vec<u8>),
    /// Only written: with scales, and read as f32.
    I8(Vec<i8>),
    /// The upper half of f32 in a file.
    Bf16(Vec<f32>),
    /// Bytes of another element type, which are only written again.
    Other(Dtype, Vec<u8>),
}

impl Values {
    /// Rounds to 16-bit floats: to nearest, ties to even.
    pub fn halved(values: &[f32]) -> Self {
        Self::F16(values.iter().map(|&value| widen(narrow(value))).collect())
    }

    pub fn dtype(&self) -> Dtype {
        match self {
            Self::F16(_) => Dtype::F16,
            Self::F32(_) => Dtype::F32,
            Self::F64(_) => Dtype::F64,
            Self::U64(_) => Dtype::U64,
            Self::I64(_) => Dtype::I64,
            Self::U8(_) => Dtype::U8,
            Self::I8(_) => Dtype::I8,
            Self::Bf16(_) => Dtype::BF16,
            Self::Other(dtype, _) => *dtype,
        }
    }

    /// Reads the values of a tensor from the data of the whole file, which are as long as the header says.
    pub fn read(info: &TensorInfo, data: &[u8]) -> Self {
        let bytes = &data[info.data_offsets.0..info.data_offsets.1];
        match info.dtype {
            Dtype::F16 => Self::F16(little_endian(bytes, |half| widen(u16::from_le_bytes(half)))),
            Dtype::F32 => Self::F32(little_endian(bytes, f32::from_le_bytes)),
            Dtype::F64 => Self::F64(little_endian(bytes, f64::from_le_bytes)),
            Dtype::U64 => Self::U64(little_endian(bytes, u64::from_le_bytes)),
            Dtype::I64 => Self::I64(little_endian(bytes, i64::from_le_bytes)),
            Dtype::U8 => Self::U8(bytes.to_vec()),
            Dtype::I8 => Self::I8(bytemuck::cast_slice(bytes).to_vec()),
            Dtype::BF16 => {
                let widen = |upper| f32::from_bits(u32::from(u16::from_le_bytes(upper)) << 16);
                Self::Bf16(little_endian(bytes, widen))
            }
            dtype => Self::Other(dtype, bytes.to_vec()),
        }
    }
}

fn little_endian<T, const SIZE: usize>(bytes: &[u8], decode: fn([u8; SIZE]) -> T) -> Vec<T> {
    bytes.as_chunks::<SIZE>().0.iter().map(|&chunk| decode(chunk)).collect()
}

impl safetensors::View for &Stored {
    fn dtype(&self) -> Dtype {
        self.values.dtype()
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        match &self.values {
            Values::F16(values) => values.iter().flat_map(|&value| narrow(value).to_le_bytes()).collect(),
            #[cfg(target_endian = "little")]
            Values::F32(values) => bytemuck::cast_slice(values).into(),
            #[cfg(target_endian = "little")]
            Values::F64(values) => bytemuck::cast_slice(values).into(),
            #[cfg(target_endian = "little")]
            Values::U64(values) => bytemuck::cast_slice(values).into(),
            Values::I64(values) => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
            #[cfg(target_endian = "big")]
            Values::F32(values) => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
            #[cfg(target_endian = "big")]
            Values::F64(values) => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
            #[cfg(target_endian = "big")]
            Values::U64(values) => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
            Values::U8(values) | Values::Other(_, values) => values.into(),
            Values::Bf16(values) => {
                values.iter().flat_map(|value| ((value.to_bits() >> 16) as u16).to_le_bytes()).collect()
            }
            Values::I8(values) => bytemuck::cast_slice(values).into(),
        }
    }

    fn data_len(&self) -> usize {
        match &self.values {
            Values::F16(values) | Values::Bf16(values) => values.len() * size_of::<u16>(),
            Values::F32(values) => size_of_val(values.as_slice()),
            Values::F64(values) => size_of_val(values.as_slice()),
            Values::U64(values) => size_of_val(values.as_slice()),
            Values::I64(values) => size_of_val(values.as_slice()),
            Values::U8(values) | Values::Other(_, values) => values.len(),
            Values::I8(values) => values.len(),
        }
    }
}

/// A number type that an archive can store.
pub(super) trait Element: Copy {
    /// The name of the element type in error messages.
    const NAME: &str;
    fn store(values: Vec<Self>) -> Values;
    fn view(values: &Values) -> Option<&[Self]>;
}

macro_rules! element {
    ($($number:ty: $variant:ident, read from $($from:ident)|+, called $name:literal;)+) => {$(
        impl Element for $number {
            const NAME: &str = $name;

            fn store(values: Vec<Self>) -> Values {
                Values::$variant(values)
            }

            fn view(values: &Values) -> Option<&[Self]> {
                match values {
                    $(Values::$from(values))|+ => Some(values),
                    _ => None,
                }
            }
        }
    )+};
}

element! {
    f32: F32, read from F32 | F16 | Bf16, called "F32, F16 or BF16";
    f64: F64, read from F64, called "F64";
    u64: U64, read from U64, called "U64";
    u8: U8, read from U8, called "U8";
}
