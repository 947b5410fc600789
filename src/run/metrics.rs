//! `metrics.csv`: a row per epoch, or per number of steps; readable during the run, exact to the last bit.

use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;

use super::atomic::write_atomically;
use super::directory::RunDirectory;
use super::text;
use crate::{Error, Result};

/// The first column: its name, and its increment per row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counter {
    /// Its name, such as `epoch`.
    pub name: &'static str,
    /// Count of the first row, and increment per row; not 0.
    pub stride: usize,
}

impl Counter {
    /// A row per epoch.
    pub const EPOCHS: Self = Self { name: "epoch", stride: 1 };
}

/// The monitors after one epoch, or one stride of steps.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Epochs or steps so far, including this one.
    pub count: usize,
    /// A number for each column after the count; NaN for a missing value.
    pub values: Vec<f64>,
}

/// The table of a run's monitors, on the disk and in memory.
///
/// The first column is the [`Counter`]'s; the caller names the others, with units:
/// `reconstruction_error [mean squared error per pixel]`. Numbers are written in the shortest form that reads
/// back as the same f64.
#[derive(Debug)]
pub struct Metrics {
    /// None for a table in memory alone.
    file: Option<(PathBuf, File)>,
    counter: Counter,
    columns: usize,
    rows: Vec<Row>,
}

impl Metrics {
    /// Starts the table with its header.
    ///
    /// **Errors** [`Error::InvalidArgument`] if a column's name would need quotes in CSV; [`Error::Io`].
    pub fn create(directory: &RunDirectory, counter: Counter, columns: &[impl AsRef<str>]) -> Result<Self> {
        let path = directory.metrics_path();
        write_atomically(&path, header(counter, columns)?.as_bytes())?;
        Self::append_to(path, counter, columns, Vec::new())
    }

    /// Starts a table that is not written to a file.
    pub(super) fn in_memory(counter: Counter, columns: &[impl AsRef<str>]) -> Self {
        Self { file: None, counter, columns: columns.len(), rows: Vec::new() }
    }

    /// Continues the table of an earlier process after its first `keep_rows` rows, as many as the checkpoint
    /// counts.
    ///
    /// Later rows, and a last line that a kill cut short, are removed: the resumed run writes them again. A kill during the
    /// removal loses nothing. The marks of a spreadsheet are removed too: a byte order mark, quotation marks, line ends of Windows,
    /// and commas at the ends of lines; semicolons or tabs in the place of commas are read as these.
    ///
    /// **Errors** [`Error::Malformed`] if the header is another, a kept row is not numbers in as many columns,
    /// the first column does not continue the count, or there are fewer than `keep_rows` rows; [`Error::NotFound`] if rows should
    /// be kept and there is no file; [`Error::Io`].
    pub fn resume(
        directory: &RunDirectory,
        counter: Counter,
        columns: &[impl AsRef<str>],
        keep_rows: usize,
    ) -> Result<Self> {
        let path = directory.metrics_path();
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(reason) if reason.kind() == io::ErrorKind::NotFound && keep_rows == 0 => {
                return Self::create(directory, counter, columns);
            }
            Err(reason) if reason.kind() == io::ErrorKind::NotFound => {
                return Err(Error::NotFound {
                    what: "metrics.csv".to_string(),
                    place: directory.path().display().to_string(),
                    remedy: format!(
                        "the checkpoint counts {keep_rows} rows; start the run again with --force"
                    ),
                });
            }
            Err(reason) => return Err(Error::io("reading", &path, reason)),
        };
        text::of_bytes(&path, &bytes)?;
        let plain = plain(&bytes);
        let (rows, length) = parse(&plain, counter, &header(counter, columns)?, columns.len(), keep_rows)
            .map_err(|(offset, problem)| Error::malformed(path.display(), offset as u64, problem))?;
        if plain[..length] != bytes {
            write_atomically(&path, &plain[..length])?;
        }
        Self::append_to(path, counter, columns, rows)
    }

    /// Adds the row of an epoch, or of a stride of steps; it is on the disk when this returns.
    ///
    /// Write the row before the checkpoint that counts it.
    ///
    /// **Errors** [`Error::Io`].
    ///
    /// **Panics** if there are not as many values as columns, or the count is not the next one.
    #[track_caller]
    pub fn append(&mut self, count: usize, values: &[f64]) -> Result<()> {
        assert_eq!(values.len(), self.columns, "a row of metrics has one value for each column");
        assert_eq!(count, self.counter.stride * (self.rows.len() + 1), "rows of metrics count without gaps");
        let mut line = count.to_string();
        for value in values {
            // `Debug` is the shortest exact form, and short for tiny and huge numbers too.
            write!(line, ",{value:?}").expect("a String takes everything");
        }
        line.push('\n');
        if let Some((path, file)) = &mut self.file {
            let written = file.write_all(line.as_bytes()).and_then(|()| file.sync_data());
            written.map_err(|reason| Error::io("writing", path, reason))?;
        }
        self.rows.push(Row { count, values: values.to_vec() });
        Ok(())
    }

    /// All rows so far, those of earlier processes included.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    fn append_to(
        path: PathBuf,
        counter: Counter,
        columns: &[impl AsRef<str>],
        rows: Vec<Row>,
    ) -> Result<Self> {
        let file = OpenOptions::new()
            .append(true)
            .open(&path)
            .map_err(|reason| Error::io("opening", &path, reason))?;
        Ok(Self { file: Some((path, file)), counter, columns: columns.len(), rows })
    }
}

/// The table as it was written, without the marks of spreadsheets.
fn plain(bytes: &[u8]) -> Vec<u8> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    // A header without a comma has another separator.
    let first = bytes.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let has = |wanted: u8| first.contains(&wanted);
    let separator = [b',', b';', b'\t'].into_iter().find(|&byte| has(byte)).unwrap_or(b',');
    let mut plain = Vec::with_capacity(bytes.len());
    for line in bytes.split_inclusive(|&byte| byte == b'\n') {
        let (content, end) = match line.strip_suffix(b"\n") {
            Some(content) => (content.strip_suffix(b"\r").unwrap_or(content), &b"\n"[..]),
            None => (line, &b""[..]),
        };
        let unquoted = content.iter().filter(|&&byte| byte != b'"');
        // In a file with semicolons, commas are decimal points.
        plain.extend(unquoted.map(|&byte| match byte {
            byte if byte == separator => b',',
            b',' => b'.',
            byte => byte,
        }));
        while !end.is_empty() && plain.last() == Some(&b',') {
            plain.pop();
        }
        plain.extend(end);
    }
    plain
}

fn header(counter: Counter, columns: &[impl AsRef<str>]) -> Result<String> {
    let mut line = counter.name.to_string();
    for column in columns.iter().map(AsRef::as_ref) {
        if column.is_empty() || column.contains([',', '"', '\n', '\r']) {
            let expected = "a column of metrics.csv needs a name without commas, quotes and line breaks";
            return Err(Error::invalid(format!("{column:?}"), expected));
        }
        line.push(',');
        line.push_str(column);
    }
    line.push('\n');
    Ok(line)
}

/// The first `keep` rows of a table and the length of their text, or the offset and the description of an error.
fn parse(
    bytes: &[u8],
    counter: Counter,
    header: &str,
    columns: usize,
    keep: usize,
) -> std::result::Result<(Vec<Row>, usize), (usize, String)> {
    if !bytes.starts_with(header.as_bytes()) {
        let found = bytes.split(|&byte| byte == b'\n').next().unwrap_or_default();
        let (found, expected) = (String::from_utf8_lossy(found), header.trim_end());
        return Err((0, format!("the header is `{found:.200}`, expected `{expected}`")));
    }
    let mut rows = Vec::new();
    let mut offset = header.len();
    // Every complete line ends in a line break; text after the last one was cut short.
    for line in bytes[offset..].split_inclusive(|&byte| byte == b'\n').take(keep) {
        let Some(line_content) = line.strip_suffix(b"\n") else { break };
        let next = counter.stride * (rows.len() + 1);
        let row = parse_row(line_content, columns).filter(|row| row.count == next);
        rows.push(row.ok_or_else(|| {
            let text = String::from_utf8_lossy(line_content);
            let problem = format!(
                "the row `{text:.200}` should be {} {next} and {columns} numbers, with commas between",
                counter.name
            );
            (offset, problem)
        })?);
        offset += line.len();
    }
    if rows.len() < keep {
        return Err((offset, format!("{} complete rows, the checkpoint counts {keep}", rows.len())));
    }
    Ok((rows, offset))
}

fn parse_row(line: &[u8], columns: usize) -> Option<Row> {
    let mut fields = str::from_utf8(line).ok()?.split(',');
    let count = fields.next()?.parse().ok()?;
    let values = fields.map(|field| field.parse().ok()).collect::<Option<Vec<f64>>>()?;
    (values.len() == columns).then_some(Row { count, values })
}
