//! Are measurements interleaved, and does the table of `equilibria bench` line up?

#![cfg(feature = "cli")]

use equilibria::bench::entry::{HEAD, Unit};
use equilibria::bench::{Effort, Entry, measure_interleaved, repeat};
use serde_json::json;
use std::sync::Mutex;
use std::time::Duration;

fn entry(kernel: &str, shape: &str, (speed, unit): (f64, Unit), share: Option<f64>) -> Entry {
    let (kernel, shape, ratio) = (kernel.into(), shape.into(), share.map(|share| 1.5 * share));
    Entry { kernel, shape, threads: 64, speed, unit, share, ratio, json: json!({ "a": 1, "b": share }) }
}

#[test]
fn columns_line_up_and_fit_the_width() {
    let shape = "100x784x500 (B transposed)";
    let lines = [
        entry("gemm f32", shape, (12345.678, Unit::Gflops), Some(0.9149)),
        entry("log_sum_exp f32", "16777216", (3.21, Unit::Gigabytes), Some(80.0)),
        entry("exp f64", "4096", (0.1234, Unit::NanosecondsPerElement), None),
    ]
    .map(|entry| entry.to_string());
    assert!(
        lines[0].contains(" 12345.7 GFLOP/s ") && lines[0].ends_with("   91.5 %    1.37 x"),
        "{}",
        lines[0]
    );
    assert!(
        lines[2].contains(" 0.123 ns/element ") && lines[2].ends_with("        -         -"),
        "{}",
        lines[2]
    );
    for line in &lines {
        assert!(line.len() == HEAD.len() && line.len() <= 100, "\n{HEAD}\n{line}");
        let ends = [line.find(" 64 ").map(|i| i + 3), HEAD.find("threads").map(|i| i + 7)];
        assert_eq!(ends[0], ends[1], "\n{HEAD}\n{line}");
    }
}

#[test]
fn json_leaves_out_what_was_not_measured() {
    let json = |share| entry("", "", (1.0, Unit::Gflops), share).into_json();
    assert_eq!((json(Some(0.5)), json(None)), (json!({ "a": 1, "b": 0.5 }), json!({ "a": 1 })));
}

#[test]
fn actions_take_turns_and_the_slower_one_is_slower() {
    let turns = Mutex::new(Vec::new());
    let wait = |name: char, micros: u64| {
        let turns = &turns;
        repeat(move || {
            turns.lock().unwrap().push(name);
            std::thread::sleep(Duration::from_micros(micros));
        })
    };
    let (slow, fast) = (wait('s', 4000), wait('f', 400));
    let effort = Effort { slice: Duration::from_micros(100), total: Duration::ZERO, rounds: 3 };
    let seconds = measure_interleaved(effort, &mut [slow, fast]);
    assert!(seconds[0] > 0.004 && seconds[1] > 0.0004 && seconds[1] < seconds[0], "{seconds:?}");
    let mut order = turns.lock().unwrap().clone();
    order.dedup();
    assert_eq!(order, ['s', 'f'].repeat(4), "an estimate and three rounds");
}
