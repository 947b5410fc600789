//! Weighted points from files, whatever their format.
//!
//! | file | points |
//! |---|---|
//! | text (CSV) | one per line; a header is optional; the last column holds weights if the header calls it `weight` |
//! | `.npy` of numbers | one per row; a file of one axis has points on a line |
//! | PNG or JPEG in colour | one per pixel: red, green and blue in [0, 1] |
//! | PNG or JPEG in grey | the 256 grey levels in [0, 1], weighted by their share of the pixels |
//! | IDX images, also in gzip | one per image: its pixels in [0, 1] |
//!
//! The first bytes of a file decide, not its name. Points without weights have equal ones with a sum of 1.

use super::{Reading, file, grey_picture::GreyPicture, jpeg, npy, picture::Picture, png, sets, stream};
use crate::rng::Stream;
use crate::tensor::Tensor;
use crate::{Error, Result, memory};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use std::path::Path;

/// The largest number of coordinates of all points of a file, which take 1 GiB.
const MOST_COORDINATES: usize = 1 << 27;

/// Points with weights.
///
/// ```
/// use equilibria::data::Points;
/// let file = tempfile::NamedTempFile::new().unwrap();
/// std::fs::write(file.path(), "x,y,weight\n0,0,1\n3,4,2\n").unwrap();
/// let points = Points::read(file.path())?;
/// assert_eq!((points.count(), points.dimension(), points.weights()), (2, 2, &[1.0, 2.0][..]));
/// # Ok::<(), equilibria::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Points {
    points: Tensor<f64>,
    weights: Vec<f64>,
}

impl Points {
    /// Reads the points of a file; see the table of the module.
    ///
    /// **Errors** [`Error::Unusable`] with the line and column of a fault in a CSV file; [`Error::Malformed`] with the
    /// byte of a fault in another file; [`Error::Io`].
    pub fn read(path: &Path) -> Result<Self> {
        let start = stream::start_of(path)?;
        let place = || path.display().to_string();
        match &start[..] {
            [] => Err(Error::malformed(path.display(), 0, "the file is empty; at least 1 point is needed")),
            [0x89, b'P', b'N', b'G', ..] => Self::of_picture(path, &png::read(path, &mut |_| Ok(()))?),
            [0xff, 0xd8, ..] => Self::of_picture(path, &jpeg::read(path, &mut |_| Ok(()))?),
            start if start.starts_with(npy::MAGIC) => npy(&place(), &file::bytes(path)?),
            start if file::is_array(start) => Self::of_images(path),
            _ => csv(path, &file::bytes(path)?),
        }
    }

    /// Points with equal weights.
    fn equal(points: Tensor<f64>) -> Self {
        let count = points.rows();
        Self { points, weights: vec![1.0 / count as f64; count] }
    }

    fn of_picture(path: &Path, picture: &Picture) -> Result<Self> {
        let byte = |value: usize| value as f64 / 255.0;
        let pixels = || picture.values.chunks_exact(picture.channels);
        if pixels().all(|pixel| pixel.iter().all(|value| *value == pixel[0])) {
            let count = (picture.size[0] * picture.size[1]) as f64;
            let mut levels = vec![0_u32; 256];
            pixels().for_each(|pixel| levels[usize::from(pixel[0])] += 1);
            let points = Tensor::from_vec(&[256, 1], (0..256).map(byte).collect())?;
            return Ok(Self { points, weights: levels.iter().map(|&n| f64::from(n) / count).collect() });
        }
        check_number(path, picture.values.len())?;
        let values = picture.values.iter().map(|&value| byte(value.into())).collect();
        Ok(Self::equal(Tensor::from_vec(&[picture.values.len() / 3, 3], values)?))
    }

    /// The pixels of a picture as points (row, column), in units of pixels, weighted by their values.
    ///
    /// **Errors** none in practice: a picture has pixels.
    pub fn of_pixels(picture: &GreyPicture) -> Result<Self> {
        let ([height, width], weights) = (picture.size, picture.values.clone());
        let places = (0..height * width).flat_map(|k| [(k / width) as f64, (k % width) as f64]).collect();
        Ok(Self { points: Tensor::from_vec(&[height * width, 2], places)?, weights })
    }

    fn of_images(path: &Path) -> Result<Self> {
        let images = sets::read_images(path, &Reading::default(), &mut Vec::new())?;
        check_number(path, images.pixels().len())?;
        let values = images.pixels().iter().map(|&pixel| f64::from(pixel) / 255.0).collect();
        Ok(Self::equal(Tensor::from_vec(&[images.len(), images.values_per_image()], values)?))
    }

    /// The coordinates (n, d).
    pub fn points(&self) -> &Tensor<f64> {
        &self.points
    }

    /// The number of points, n.
    pub fn count(&self) -> usize {
        self.points.rows()
    }

    /// The number of coordinates of a point, d.
    pub fn dimension(&self) -> usize {
        self.points.columns()
    }

    /// The weights (n), at least 0 each; their sum is positive.
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// A random sample of `count` points without replacement, or all points if there are no more. The weights keep their
    /// ratios, and their sum is that of all points.
    ///
    /// **Randomness** The first `count` places of a permutation by `stream`.
    ///
    /// **Errors** [`Error::InvalidArgument`] if `count` is 0.
    pub fn sample(&self, count: usize, stream: Stream) -> Result<Self> {
        if count == 0 {
            return Err(Error::invalid("a sample of 0 points", "at least 1 point is needed"));
        }
        if count >= self.count() {
            return Ok(self.clone());
        }
        let mut order = vec![0; self.count()];
        stream.permutation(&mut order);
        order.truncate(count);
        let values = order.iter().flat_map(|&i| self.points.row(i)).copied().collect();
        let mut weights: Vec<f64> = order.iter().map(|&i| self.weights[i]).collect();
        let sum: f64 = weights.iter().sum();
        if sum > 0.0 {
            let factor = self.weights.iter().sum::<f64>() / sum;
            weights.iter_mut().for_each(|weight| *weight *= factor);
        }
        Ok(Self { points: Tensor::from_vec(&[count, self.dimension()], values)?, weights })
    }
}

fn check_number(path: &Path, coordinates: usize) -> Result<()> {
    if coordinates <= MOST_COORDINATES {
        return match memory::fits::<f64>(coordinates) {
            true => Ok(()),
            false => {
                let expected = format!("its {coordinates} coordinates do not fit into memory");
                Err(Error::unusable(path.display(), expected))
            }
        };
    }
    let problem = format!("the file holds more than {MOST_COORDINATES} coordinates, which is the limit");
    Err(Error::malformed(path.display(), 0, problem))
}

/// The header's name for the column of weights.
const WEIGHT: &str = "weight";

/// Parses a CSV file.
fn csv(path: &Path, bytes: &[u8]) -> Result<Points> {
    let text = core::str::from_utf8(bytes).ok().filter(|text| !text.contains('\0')).ok_or_else(|| {
        let problem = "this is neither text (CSV) nor an .npy, PNG, JPEG or IDX images file";
        Error::malformed(path.display(), 0, problem)
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let lines = text.lines().enumerate().map(|(i, line)| (i + 1, line.trim()));
    let mut lines = lines.filter(|(_, line)| !line.is_empty()).peekable();
    let wrong = |line: usize, column: Option<usize>, problem: String| {
        let column = column.map_or_else(String::new, |column| format!(", column {column}"));
        Error::unusable(format!("{}, line {line}{column}", path.display()), problem)
    };
    let no_points = || Error::malformed(path.display(), 0, "the file has no points; at least 1 is needed");
    let &(first, line) = lines.peek().ok_or_else(no_points)?;
    let names: Vec<&str> = line.trim_start_matches('#').split(',').map(unquoted).collect();
    let has_weights = names.last() == Some(&WEIGHT);
    if has_weights || names.iter().all(|name| name.parse::<f64>().is_err() && !name.is_empty()) {
        lines.next();
        if let Some(at) = names[..names.len() - 1].iter().position(|name| *name == WEIGHT) {
            return Err(wrong(first, Some(at + 1), "the column `weight` must be the last one".into()));
        }
    }
    let columns = names.len();
    let dimension = columns - usize::from(has_weights);
    if dimension == 0 {
        let problem = "the only column holds weights; at least 1 column of coordinates is needed";
        return Err(wrong(first, None, problem.into()));
    }
    let (mut values, mut weights) = (Vec::new(), Vec::new());
    for (number, line) in lines {
        let found = line.split(',').count();
        if found != columns {
            let problem =
                format!("{found} columns; line {first} has {columns}, and all lines need the same number");
            return Err(wrong(number, None, problem));
        }
        for (column, cell) in line.split(',').map(unquoted).enumerate() {
            let wrong = |problem| Err(wrong(number, Some(column + 1), problem));
            let Ok(value) = cell.parse::<f64>() else {
                return wrong(format!("`{}` is no number; a finite number is needed", shortened(cell)));
            };
            if !value.is_finite() {
                return wrong(format!("{} is not finite; a finite number is needed", shortened(cell)));
            }
            if column < dimension {
                values.push(value);
            } else if value >= 0.0 {
                weights.push(value);
            } else {
                return wrong(format!("the weight {value} is negative; a weight is at least 0"));
            }
        }
        check_number(path, values.len())?;
    }
    if values.is_empty() {
        return Err(no_points());
    }
    let points = Tensor::from_vec(&[values.len() / dimension, dimension], values)?;
    if !has_weights {
        return Ok(Points::equal(points));
    }
    let sum: f64 = weights.iter().sum();
    if !(sum > 0.0 && sum.is_finite()) {
        let problem = format!("the weights have a sum of {sum}; it must be positive and finite");
        return Err(wrong(first, Some(columns), problem));
    }
    Ok(Points { points, weights })
}

/// A cell without spaces and quotation marks around it.
fn unquoted(cell: &str) -> &str {
    let cell = cell.trim();
    cell.strip_prefix('"').and_then(|cell| cell.strip_suffix('"')).unwrap_or(cell)
}

/// The first characters of a cell, for an error.
fn shortened(cell: &str) -> String {
    const MOST: usize = 24;
    match cell.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &cell[..end]),
        None => cell.to_string(),
    }
}

/// The points of an `.npy` file, one per row.
fn npy(place: &str, bytes: &[u8]) -> Result<Points> {
    let array = npy::parse(place, bytes)?;
    let [count, dimension] = match array.shape[..] {
        [count] => [count, 1],
        [count, dimension] => [count, dimension],
        _ => {
            let axes = array.shape.len();
            return Err(array
                .malformed(format!("an array of {axes} axes; 1 axis or 2 (points, coordinates) are right")));
        }
    };
    check_number(Path::new(place), count * dimension)?;
    let mut values = Vec::with_capacity(count * dimension);
    array.for_each(|value| values.push(value));
    if let Some(at) = values.iter().position(|value| !value.is_finite()) {
        let (row, column) = (at / dimension, at % dimension);
        let problem =
            format!("{} in row {row}, column {column} (from 0); a finite number is needed", values[at]);
        let offset = array.start + (at * array.element.size()) as u64;
        return Err(Error::malformed(place, offset, problem));
    }
    Ok(Points::equal(Tensor::from_vec(&[count, dimension], values)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Points> {
        csv(Path::new("a.csv"), text.as_bytes())
    }

    #[test]
    fn text_with_and_without_header_and_weights_is_read() {
        for (text, shape, weights) in [
            ("1,2\n3,4\n", [2, 2], vec![0.5; 2]),
            ("\u{feff}x,y\r\n\r\n1, 2\r\n", [1, 2], vec![1.0]),
            ("# x, weight\n1,3\n2,0\n", [2, 1], vec![3.0, 0.0]),
            ("\"x\",\"weight\"\n1e-3,2\n", [1, 1], vec![2.0]),
        ] {
            let points = parsed(text).unwrap();
            assert_eq!([points.count(), points.dimension()], shape, "{text}");
            assert_eq!(points.weights(), weights, "{text}");
        }
    }

    #[test]
    fn a_fault_in_text_is_named_by_line_and_column() {
        for (text, place, words) in [
            ("1,2\n3\n", "a.csv, line 2:", "1 columns; line 1 has 2"),
            ("x,y\n1,2\n3,abc\n", "a.csv, line 3, column 2:", "`abc` is no number"),
            ("1,abc\n", "a.csv, line 1, column 2:", "`abc` is no number"),
            ("1,NaN\n", "a.csv, line 1, column 2:", "not finite"),
            ("x,weight\n1,-2\n", "a.csv, line 2, column 2:", "negative"),
            ("x,weight\n1,0\n", "a.csv, line 1, column 2:", "sum of 0"),
            ("weight,x\n1,0\n", "a.csv, line 1, column 1:", "must be the last"),
            ("weight\n1\n", "a.csv, line 1:", "at least 1 column"),
            ("x,y\n", "a.csv: at byte 0:", "no points"),
            ("\n", "a.csv: at byte 0:", "no points"),
            ("\0\n", "a.csv: at byte 0:", "neither text"),
        ] {
            let error = parsed(text).unwrap_err().to_string();
            assert!(error.starts_with(place) && error.contains(words), "{text:?}: {error}");
        }
    }

    fn npy_file(header: &str, data: &[u8]) -> Vec<u8> {
        let length = (header.len() as u16).to_le_bytes();
        [npy::MAGIC, &[1, 0], &length, header.as_bytes(), data].concat()
    }

    #[test]
    fn arrays_are_read_and_their_faults_named() {
        let header = |descr: &str, order: &str, shape: &str| {
            format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}\n")
        };
        let read = |header: &str, data: &[u8]| npy("a.npy", &npy_file(header, data));
        let four: Vec<u8> = [1.0_f32, 2.0, 3.0, 4.0].iter().flat_map(|x| x.to_le_bytes()).collect();
        let points = read(&header("<f4", "False", "(2, 2)"), &four).unwrap();
        assert_eq!(points.points().data(), [1.0, 2.0, 3.0, 4.0]);
        assert_eq!(read(&header("<f4", "False", "(4,)"), &four).unwrap().dimension(), 1);
        assert_eq!(read(&header("<f8", "True", "(2,)"), &four).unwrap().count(), 2);
        let columns = read(&header("<f4", "True", "(2, 2)"), &four).unwrap();
        assert_eq!(columns.points().data(), [1.0, 3.0, 2.0, 4.0], "column by column");
        let whole: Vec<u8> = [1_i32, -2].iter().flat_map(|x| x.to_be_bytes()).collect();
        assert_eq!(read(&header(">i4", "False", "(2,)"), &whole).unwrap().points().data(), [1.0, -2.0]);
        let nan: Vec<u8> = [1.0, f64::NAN].iter().flat_map(|x| x.to_le_bytes()).collect();
        for (header, data, words) in [
            (header("<c8", "False", "(2, 1)"), &four, "type <c8"),
            (header("<f4", "maybe", "(2, 2)"), &four, "no valid entry `fortran_order`"),
            (header("<f4", "False", "(2, 3)"), &four, "holds 16 bytes"),
            (header("<f4", "False", "(0, 2)"), &four, "at least 1 is needed"),
            (header("<f4", "False", "(1, 2, 2)"), &four, "3 axes"),
            (header("<f4", "False", "(4611686018427387904, 4)"), &four, "promises"),
            (header("<f8", "False", "(1, 2)"), &nan, "NaN in row 0, column 1"),
            ("{}".into(), &four, "no valid entry `descr`"),
        ] {
            let error = read(&header, data).unwrap_err().to_string();
            assert!(error.starts_with("a.npy: at byte ") && error.contains(words), "{error}");
        }
        let whole = npy_file(&header("<f4", "False", "(2, 2)"), &four);
        for end in 6..whole.len() {
            assert!(npy("a.npy", &whole[..end]).is_err(), "{end} bytes");
        }
    }

    #[test]
    fn a_sample_keeps_the_sum_of_the_weights() {
        let points = parsed("x,weight\n1,1\n2,2\n3,3\n4,4\n").unwrap();
        let sample = points.sample(2, Stream::named(1, "evaluate")).unwrap();
        assert_eq!(sample.count(), 2);
        assert!((sample.weights().iter().sum::<f64>() - 10.0).abs() < 1e-12);
        assert_eq!(points.sample(9, Stream::named(1, "evaluate")).unwrap(), points);
    }
}
