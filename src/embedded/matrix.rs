//! The numbers of a tensor, read in place: 32-bit and 16-bit floats, and 8-bit integers with a scale for each row.

use super::error::{ModelError, TensorName};
use super::file::ModelFile;
use core::ops::Range;
use equilibria_kernels::Level;
use equilibria_kernels::convert::{self, Stored};

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
            self.parts(Level::PORTABLE, row, |_, part| {
                is_finite &= part.iter().all(|x| x.is_finite());
            });
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
        convert::load(Level::PORTABLE, self.stored(0, columns), out);
    }

    /// `out` += `factor` times the numbers of a row in these columns.
    pub fn add_row(&self, level: Level, factor: f32, row: usize, columns: Range<usize>, out: &mut [f32]) {
        convert::axpy(level, factor, self.stored(row, columns), out);
    }

    /// The sum over the columns of a row times `x`.
    pub fn dot(&self, level: Level, row: usize, x: &[f32]) -> f32 {
        convert::dot(level, self.stored(row, 0..self.columns), x)
    }

    /// Calls `visit` with the numbers of a row, part by part, each with its place.
    pub fn parts(&self, level: Level, row: usize, mut visit: impl FnMut(usize, &[f32])) {
        let mut buffer = [0.0; PART];
        for start in (0..self.columns).step_by(PART) {
            let part = &mut buffer[..PART.min(self.columns - start)];
            convert::load(level, self.stored(row, start..start + part.len()), part);
            visit(start, part);
        }
    }

    /// The numbers of a row in these columns.
    fn stored(&self, row: usize, columns: Range<usize>) -> Stored<'a> {
        let first = row * self.columns;
        let range = first + columns.start..first + columns.end;
        match self.kind {
            Kind::F32 => Stored::F32(&self.bytes.as_chunks().0[range]),
            Kind::F16 => Stored::F16(&self.bytes.as_chunks().0[range]),
            Kind::I8 => {
                let scale = self.scales.as_chunks().0[row];
                Stored::I8(bytemuck::cast_slice(&self.bytes[range]), f32::from_le_bytes(scale))
            }
        }
    }
}
