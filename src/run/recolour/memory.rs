//! The memory that a task takes, as the system counts it.
//!
//! Linux keeps the largest resident memory of a process, and sets it back to the present one on request. Other systems have no
//! such request: there the memory is unknown.

use std::fs::{read_to_string, write};

/// Runs `task`. Returns its result, and by how many megabytes the memory of the process rose above that before, at most.
pub fn with_peak<T>(task: impl FnOnce() -> T) -> (T, Option<f64>) {
    // 5 sets the largest resident memory back.
    let before = write("/proc/self/clear_refs", "5").ok().and_then(|()| kilobytes("VmRSS:"));
    let result = task();
    let peak = before.and_then(|before| Some((kilobytes("VmHWM:")? - before).max(0.0) / 1024.0));
    (result, peak)
}

fn kilobytes(name: &str) -> Option<f64> {
    let status = read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    #[test]
    fn the_peak_is_that_of_the_task_alone() {
        let large = vec![1_u8; 64 << 20];
        let (sum, peak) =
            super::with_peak(|| vec![1_u8; 32 << 20].iter().map(|&x| u64::from(x)).sum::<u64>());
        assert_eq!((sum, large[5]), (32 << 20, 1));
        let peak = peak.expect("Linux counts it");
        // Other tests of this process may take some memory meanwhile.
        assert!((31.0..60.0).contains(&peak), "{peak} MB for a task of 32 MB");
    }
}
