//! Interruption within long passes over all pairs.

/// Multiply-adds or exponentials between two questions: a fraction of a second on one thread.
const WORK: usize = 1 << 26;

/// Asks the caller from time to time whether to go on, and remembers a refusal.
///
/// A pass that is refused ends early with results that mean nothing: see [`Pause::is_stopped`].
pub(super) struct Pause<'p> {
    proceed: Option<&'p mut dyn FnMut() -> bool>,
    is_stopped: bool,
}

impl<'p> Pause<'p> {
    /// Asks `proceed`, and stops when it is false.
    pub fn new(proceed: &'p mut dyn FnMut() -> bool) -> Self {
        Self { proceed: Some(proceed), is_stopped: false }
    }

    /// Never stops.
    pub fn never() -> Self {
        Self { proceed: None, is_stopped: false }
    }

    /// Asks, unless the caller has refused before. Returns true to go on.
    pub fn proceeds(&mut self) -> bool {
        if let (false, Some(proceed)) = (self.is_stopped, &mut self.proceed) {
            self.is_stopped = !proceed();
        }
        !self.is_stopped
    }

    /// True after a refusal.
    pub fn is_stopped(&self) -> bool {
        self.is_stopped
    }
}

/// The number of rows of a pass over all pairs between two questions, for points of d coordinates.
pub(super) fn rows_of_work(columns: usize, d: usize) -> usize {
    (WORK / (1 + d / 8) / columns.max(1)).max(1)
}

/// Returns whether the reduction of a grid along an axis of `size` cells is long.
pub(super) fn is_long(cells: usize, size: usize) -> bool {
    cells.saturating_mul(size) > WORK
}
