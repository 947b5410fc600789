//! `metrics.csv`: a row per epoch, or per number of steps; readable during the run, exact to the last bit.

use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;

use super::atomic::write_atomically;
use super::directory::RunDirectory;
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
    path: PathBuf,
    file: File,
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

    /// Continues the table of an earlier process after its first `keep_rows` rows, as many as the checkpoint
    /// counts.
    ///
    /// Later rows, and a last line that a kill cut short, are removed: the resumed run writes them again. A kill during the
    /// removal loses nothing. Line ends of Windows become plain ones.
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
        // Without each carriage return before a line feed.
        let mut plain = bytes.clone();
        let mut next = bytes.iter().skip(1);
        plain.retain(|&byte| next.next() != Some(&b'\n') || byte != b'\r');
        let (rows, length) = parse(&plain, counter, &header(counter, columns)?, columns.len(), keep_rows)
            .map_err(|(offset, problem)| Error::malformed(path.display(), offset as u64, problem))?;
        if length < bytes.len() {
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
        self.file
            .write_all(line.as_bytes())
            .and_then(|()| self.file.sync_data())
            .map_err(|reason| Error::io("writing", &self.path, reason))?;
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
        Ok(Self { path, file, counter, columns: columns.len(), rows })
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [&str; 2] =
        ["reconstruction_error [mean squared error per pixel]", "free_energy_gap [nats]"];
    const HEADER: &str = "epoch,reconstruction_error [mean squared error per pixel],free_energy_gap [nats]\n";

    /// A run directory with the given table.
    fn directory(text: &str) -> (tempfile::TempDir, RunDirectory) {
        let folder = tempfile::tempdir().unwrap();
        let directory = RunDirectory::create(&folder.path().join("a"), false).unwrap();
        fs::write(directory.metrics_path(), text).unwrap();
        (folder, directory)
    }

    fn text(directory: &RunDirectory) -> String {
        fs::read_to_string(directory.metrics_path()).unwrap()
    }

    #[test]
    fn rows_read_back_bit_for_bit() {
        let (_folder, directory) = directory("");
        let awkward = [
            0.1 + 0.2,
            -0.0,
            f64::MIN_POSITIVE / 4.0,
            f64::MAX,
            f64::NEG_INFINITY,
            f64::NAN,
            1.0,
            f64::from(0.1_f32),
        ];
        let mut metrics = Metrics::create(&directory, Counter::EPOCHS, &COLUMNS).unwrap();
        for (i, pair) in awkward.chunks(2).enumerate() {
            metrics.append(i + 1, pair).unwrap();
        }
        let resumed = Metrics::resume(&directory, Counter::EPOCHS, &COLUMNS, 4).unwrap();
        let bits = |rows: &[Row]| -> Vec<u64> {
            rows.iter().flat_map(|row| row.values.iter().map(|value| value.to_bits())).collect()
        };
        assert_eq!(bits(resumed.rows()), awkward.map(f64::to_bits));
        assert_eq!(bits(metrics.rows()), awkward.map(f64::to_bits));
        assert!(text(&directory).starts_with(&format!("{HEADER}1,0.30000000000000004,-0.0\n2,")));
    }

    #[test]
    fn resuming_removes_rows_after_the_checkpoint() {
        let (_folder, directory) = directory(&format!("{HEADER}1,0.5,1.0\n2,0.25,2.0\n3,0.125,3.0\n"));
        let mut metrics = Metrics::resume(&directory, Counter::EPOCHS, &COLUMNS, 2).unwrap();
        assert_eq!(text(&directory), format!("{HEADER}1,0.5,1.0\n2,0.25,2.0\n"));
        assert_eq!(metrics.rows()[1], Row { count: 2, values: vec![0.25, 2.0] });
        metrics.append(3, &[0.1, 0.2]).unwrap();
        assert_eq!(text(&directory), format!("{HEADER}1,0.5,1.0\n2,0.25,2.0\n3,0.1,0.2\n"));
    }

    #[test]
    fn a_line_cut_short_is_removed() {
        for cut in ["", "3", "3,0.12", "3,0.125,3.0"] {
            let (_folder, directory) = directory(&format!("{HEADER}1,0.5,1.0\n2,0.25,2.0\n{cut}"));
            let error = Metrics::resume(&directory, Counter::EPOCHS, &COLUMNS, 3).unwrap_err().to_string();
            assert!(error.ends_with("at byte 102: 2 complete rows, the checkpoint counts 3"), "{error}");
            assert_eq!(Metrics::resume(&directory, Counter::EPOCHS, &COLUMNS, 2).unwrap().rows().len(), 2);
            assert_eq!(text(&directory), format!("{HEADER}1,0.5,1.0\n2,0.25,2.0\n"));
        }
    }

    #[test]
    fn line_ends_of_windows_become_plain_ones() {
        let plain = format!("{HEADER}1,0.5,1.0\n2,0.25,2.0\n");
        for keep in [1, 2] {
            let (_folder, directory) = directory(&plain.replace('\n', "\r\n"));
            let metrics = Metrics::resume(&directory, Counter::EPOCHS, &COLUMNS, keep).unwrap();
            assert_eq!(metrics.rows().len(), keep);
            assert_eq!(text(&directory), plain.split_inclusive('\n').take(keep + 1).collect::<String>());
        }
    }

    #[test]
    fn a_run_stopped_before_its_first_row_starts_over() {
        let (_folder, directory) = directory(HEADER);
        assert!(Metrics::resume(&directory, Counter::EPOCHS, &COLUMNS, 0).unwrap().rows().is_empty());
        fs::remove_file(directory.metrics_path()).unwrap();
        let error = Metrics::resume(&directory, Counter::EPOCHS, &COLUMNS, 1).unwrap_err().to_string();
        assert!(error.contains("metrics.csv not found in"), "{error}");
        Metrics::resume(&directory, Counter::EPOCHS, &COLUMNS, 0).unwrap();
        assert_eq!(text(&directory), HEADER);
    }

    #[test]
    fn damaged_tables_are_refused_and_not_changed() {
        for (rows, expected) in [
            ("1,0.5\n", "at byte 81: the row `1,0.5` should be epoch 1 and 2 numbers"),
            ("1,0.5,x\n", "the row `1,0.5,x` should be"),
            ("1,0.5,1,1\n", "the row `1,0.5,1,1` should be"),
            ("2,0.5,1.0\n", "the row `2,0.5,1.0` should be"),
            ("\n", "the row `` should be"),
        ] {
            let whole = format!("{HEADER}{rows}");
            let (_folder, directory) = directory(&whole);
            let error = Metrics::resume(&directory, Counter::EPOCHS, &COLUMNS, 1).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
            assert_eq!(text(&directory), whole);
        }
        let (_folder, directory) = directory("epoch,other\n1,2.0\n");
        let error = Metrics::resume(&directory, Counter::EPOCHS, &COLUMNS, 1).unwrap_err().to_string();
        assert!(
            error.contains("the header is `epoch,other`, expected `epoch,reconstruction_error ["),
            "{error}"
        );
    }

    #[test]
    fn column_names_that_would_break_the_table_are_refused() {
        let (_folder, directory) = directory("");
        for name in ["", "a,b", "a\"b", "a\nb"] {
            assert!(Metrics::create(&directory, Counter::EPOCHS, &["fine", name]).is_err());
        }
    }

    #[test]
    fn rows_of_steps_count_by_their_stride() {
        let (_folder, directory) = directory("");
        let counter = Counter { name: "step", stride: 50 };
        let mut metrics = Metrics::create(&directory, counter, &["loss"]).unwrap();
        metrics.append(50, &[0.5]).unwrap();
        metrics.append(100, &[0.25]).unwrap();
        assert_eq!(text(&directory), "step,loss\n50,0.5\n100,0.25\n");
        let resumed = Metrics::resume(&directory, counter, &["loss"], 1).unwrap();
        assert_eq!(resumed.rows(), [Row { count: 50, values: vec![0.5] }]);
        let other = Counter { stride: 40, ..counter };
        let error = Metrics::resume(&directory, other, &["loss"], 1).unwrap_err().to_string();
        assert!(error.contains("the row `50,0.5` should be step 40 and 1 numbers"), "{error}");
    }
}
