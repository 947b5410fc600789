//! The numbers of a tensor, read in place: 32-bit and 16-bit floats, and 8-bit integers with a scale for each row.

use super::error::{ModelError, TensorName};
use super::file::ModelFile;
use crate::half::widen;
use core::ops::Range;
use equilibria_kernels::{Level, elementwise, reduce};

/// Numbers converted at once, on the stack.
const PART: usize = 128;

/// A tensor as a matrix: its last axis are the columns, and all others together the rows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Matrix<'a> {
    bytes: &'a [u8],
    kind: Kind,
    rows: usize,
    columns: usize,
    /// Bytes of one f32 for each row, if the numbers are integers.
    scales: &'a [u8],
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    F32,
    F16,
    I8,
}

impl<'a> Matrix<'a> {
    /// The tensor of this name, which must have this shape.
    pub fn of_shape(file: &ModelFile<'a>, name: TensorName, shape: &[usize]) -> Result<Self, ModelError> {
        let tensor = file.tensors().find(|tensor| tensor.name.is(name.as_str()));
        match tensor {
            Some(tensor) if tensor.shape() != shape => {
                Err(ModelError::Tensor { name, problem: "its shape does not fit the model" })
            }
            _ => Self::find(file, name),
        }
    }

    /// The tensor of this name.
    pub fn find(file: &ModelFile<'a>, name: TensorName) -> Result<Self, ModelError> {
        let complain = |problem| Err(ModelError::Tensor { name, problem });
        let Some(tensor) = file.tensors().find(|tensor| tensor.name.is(name.as_str())) else {
            return complain("the file does not have it");
        };
        let kind = match tensor.dtype {
            "F32" => Kind::F32,
            "F16" => Kind::F16,
            "I8" => Kind::I8,
            _ => return complain("its element type is none of F32, F16 and I8"),
        };
        let (columns, leading) = tensor.shape().split_last().unwrap_or((&1, &[]));
        let mut matrix = Self {
            bytes: file.data(&tensor),
            kind,
            // The file holds the product, so it fits.
            rows: leading.iter().product(),
            columns: *columns,
            scales: &[],
        };
        if matrix.bytes.is_empty() {
            return complain("it has no numbers");
        }
        if kind == Kind::I8 {
            let own = TensorName::new(&[name.as_str(), ".scale"]);
            let scales = file.tensors().find(|tensor| tensor.name.is(own.as_str()));
            match scales.filter(|scales| scales.dtype == "F32" && scales.shape() == [matrix.rows]) {
                Some(scales) => matrix.scales = file.data(&scales),
                None => return complain("it is of I8 and has no F32 scale for each row"),
            }
        }
        Ok(matrix)
    }

    /// Checks that every number is finite.
    pub fn finite(self, name: TensorName) -> Result<Self, ModelError> {
        let mut is_finite = true;
        for row in 0..self.rows {
            self.parts(row, 0..self.columns, |_, part| is_finite &= part.iter().all(|x| x.is_finite()));
        }
        let problem = "it holds a number that is not finite";
        if is_finite { Ok(self) } else { Err(ModelError::Tensor { name, problem }) }
    }

    pub fn rows(&self) -> usize {
        self.rows
    }

    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The number in this column of the first row.
    pub fn number(&self, column: usize) -> f32 {
        let mut number = [0.0];
        self.copy(column..column + 1, &mut number);
        number[0]
    }

    /// `out` = the numbers of the first row in these columns.
    pub fn copy(&self, columns: Range<usize>, out: &mut [f32]) {
        self.parts(0, columns, |first, part| out[first..][..part.len()].copy_from_slice(part));
    }

    /// `out` += `factor` times the numbers of a row in these columns.
    pub fn add_row(&self, level: Level, factor: f32, row: usize, columns: Range<usize>, out: &mut [f32]) {
        self.parts(row, columns, |first, part| {
            elementwise::axpy(level, factor, part, &mut out[first..][..part.len()]);
        });
    }

    /// The sum over the columns of a row times `x`.
    pub fn dot(&self, level: Level, row: usize, x: &[f32]) -> f32 {
        let mut sum = 0.0;
        self.parts(row, 0..self.columns, |first, part| {
            sum += reduce::dot(level, part, &x[first..][..part.len()]);
        });
        sum
    }

    /// Calls `visit` with the numbers of a row in these columns, part by part, each with its place in the range.
    pub fn parts(&self, row: usize, columns: Range<usize>, mut visit: impl FnMut(usize, &[f32])) {
        let first = row * self.columns + columns.start;
        if cfg!(target_endian = "little")
            && self.kind == Kind::F32
            && let Ok(numbers) = bytemuck::try_cast_slice(self.bytes)
        {
            return visit(0, &numbers[first..][..columns.len()]);
        }
        let mut buffer = [0.0; PART];
        for start in (0..columns.len()).step_by(PART) {
            let part = &mut buffer[..PART.min(columns.len() - start)];
            self.decode(row, first + start, part);
            visit(start, part);
        }
    }

    /// Converts the numbers from place `first` on, which are of this row.
    fn decode(&self, row: usize, first: usize, out: &mut [f32]) {
        match self.kind {
            Kind::F32 => decode(self.bytes, first, out, f32::from_le_bytes),
            Kind::F16 => decode(self.bytes, first, out, |bytes| widen(u16::from_le_bytes(bytes))),
            Kind::I8 => {
                let mut scale = [0.0];
                decode(self.scales, row, &mut scale, f32::from_le_bytes);
                decode(self.bytes, first, out, |[byte]: [u8; 1]| f32::from(byte as i8) * scale[0]);
            }
        }
    }
}

/// Numbers in a block of [`decode`]: its loop has a known length, which is vectorised also where code must be small.
const BLOCK: usize = 16;

fn decode<const SIZE: usize>(
    bytes: &[u8],
    first: usize,
    out: &mut [f32],
    number: impl Fn([u8; SIZE]) -> f32,
) {
    let (blocks, rest) = bytes.as_chunks::<SIZE>().0[first..][..out.len()].as_chunks::<BLOCK>();
    let (out_blocks, out_rest) = out.as_chunks_mut::<BLOCK>();
    for (out, block) in out_blocks.iter_mut().zip(blocks) {
        out.iter_mut().zip(block).for_each(|(out, &chunk)| *out = number(chunk));
    }
    out_rest.iter_mut().zip(rest).for_each(|(out, &chunk)| *out = number(chunk));
}
