//! Does `metrics.csv` hold exactly the rows that the checkpoint counts?

use equilibria::run::{Counter, Metrics, Row, RunDirectory};
use std::fs;

const COLUMNS: [&str; 2] = ["reconstruction_error [mean squared error per pixel]", "free_energy_gap [nats]"];
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
    assert!(error.contains("the header is `epoch,other`, expected `epoch,reconstruction_error ["), "{error}");
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
