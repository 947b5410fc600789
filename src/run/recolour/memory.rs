//! The largest memory of the process during a task, as the system counts it.
//!
//! Linux keeps the largest resident memory of a process, and sets it back to the present one on request. Other systems have no
//! such request: there the memory is unknown.

use std::fs::{read_to_string, write};

/// Runs `task`. Returns its result, and the largest memory of the whole process meanwhile, in MB of 2^20 bytes.
pub fn with_peak<T>(task: impl FnOnce() -> T) -> (T, Option<f64>) {
    // 5 sets the largest resident memory back.
    let is_set_back = write("/proc/self/clear_refs", "5").is_ok();
    let result = task();
    (result, is_set_back.then(peak).flatten())
}

fn peak() -> Option<f64> {
    let status = read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.split_whitespace().next()?.parse::<f64>().ok()? / 1024.0)
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    #[test]
    fn the_peak_is_that_of_the_task_and_not_of_what_was_before() {
        let sum = |bytes: usize| vec![1_u8; bytes].iter().map(|&x| u64::from(x)).sum::<u64>();
        let before = sum(512 << 20);
        let (found, peak) = super::with_peak(|| sum(64 << 20));
        assert_eq!((before, found), (512 << 20, 64 << 20));
        let peak = peak.expect("Linux counts it");
        // Other tests of this process take some memory meanwhile.
        assert!((64.0..500.0).contains(&peak), "{peak} MB for a task of 64 MB");
    }
}
