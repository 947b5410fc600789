//! The progress of a loop, on standard error: a bar on a terminal, plain lines elsewhere, or nothing.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use indicatif::{
    FormattedDuration, HumanCount, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle,
    WeakProgressBar,
};

/// Time between two plain lines about the same epoch, so that logs stay short.
const LINE_INTERVAL: Duration = Duration::from_secs(5);
/// Time between two drawings of the bar.
const DRAW_INTERVAL: Duration = Duration::from_millis(100);
/// Rates are shown after this time; before, they are dominated by the start.
const SETTLE: Duration = Duration::from_millis(300);

/// The current bar, so that other threads can print above it.
static CURRENT: Mutex<Option<WeakProgressBar>> = Mutex::new(None);

/// The form of the progress display.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProgressKind {
    /// A bar that is redrawn.
    Terminal,
    /// Plain lines: one per epoch, and one every few seconds within a long epoch.
    Lines,
    /// Nothing.
    Quiet,
}

/// The progress of a loop, on standard error.
///
/// ```
/// use equilibria::run::{Progress, ProgressKind};
///
/// let mut progress = Progress::new(ProgressKind::Quiet);
/// progress.start(2 * 60_000, "images");
/// for epoch in 1..=2 {
///     for batch in 0..600 {
///         progress.advance(100);
///     }
///     progress.message(&format!("epoch {epoch}/2, reconstruction error 0.021"));
///     progress.epoch_line(&format!("epoch {epoch}/2: reconstruction error 0.021"));
/// }
/// progress.finish("trained 2 epochs");
/// ```
pub struct Progress {
    output: Output,
    unit: &'static str,
    total: u64,
    position: u64,
    /// Steps of an earlier process, which do not count for the rate.
    skipped: u64,
    started: Instant,
    message: String,
    brief: bool,
    whole: Option<Whole>,
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { unit, total, position, .. } = self;
        write!(f, "Progress({position} of {total} {unit})")
    }
}

/// The work of which the loop is a part.
#[derive(Debug, Clone, Copy)]
struct Whole {
    /// The number of the part, from 1, and the number of all.
    part: [usize; 2],
    /// The estimated end of all parts.
    end: Instant,
}

impl Whole {
    /// The text `  part 3 of 9, about 4 min left`: at least the time that is left of the loop.
    fn text(&self, of_loop: Duration) -> String {
        let [part, all] = self.part;
        let left = self.end.saturating_duration_since(Instant::now()).max(of_loop);
        format!("  part {part} of {all}, about {} left", rounded(left.as_secs_f64()))
    }
}

/// Seconds as `40 s` or `5 min`.
pub(crate) fn rounded(seconds: f64) -> String {
    let seconds = seconds.ceil();
    if seconds < 100.0 { format!("{seconds} s") } else { format!("{} min", (seconds / 60.0).ceil()) }
}

enum Output {
    Terminal(ProgressBar),
    Lines {
        sink: Box<dyn Write + Send>,
        interval: Duration,
        last: Instant,
    },
    /// To a display in another thread.
    Count(mpsc::Sender<u64>),
    Quiet,
}

impl Progress {
    /// A display of this kind; nothing is shown before [`Progress::start`].
    pub fn new(kind: ProgressKind) -> Self {
        Self::with_output(match kind {
            ProgressKind::Terminal => Output::Terminal(ProgressBar::hidden()),
            ProgressKind::Lines => {
                Output::Lines { sink: Box::new(io::stderr()), interval: LINE_INTERVAL, last: Instant::now() }
            }
            ProgressKind::Quiet => Output::Quiet,
        })
    }

    /// A bar if standard error is a terminal that can draw one, otherwise lines; nothing if `quiet`.
    pub fn choose(quiet: bool) -> Self {
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self::new(match (quiet, io::stderr().is_terminal() && !dumb) {
            (true, _) => ProgressKind::Quiet,
            (false, true) => ProgressKind::Terminal,
            (false, false) => ProgressKind::Lines,
        })
    }

    /// No display: sends the steps, those of an earlier process too, for the display of several loops that run side by side.
    pub(super) fn counted_by(steps: mpsc::Sender<u64>) -> Self {
        Self::with_output(Output::Count(steps))
    }

    /// The same display without a line per epoch, for a program of many loops.
    #[must_use]
    pub fn brief(mut self) -> Self {
        self.brief = true;
        self
    }

    /// Says that the next loops are a part of a larger work: its number from 1, the number of all, and the estimated seconds
    /// until all are done. They are shown instead of the time that is left of the loop.
    pub fn part_of(&mut self, part: [usize; 2], seconds: f64) {
        self.whole = Some(Whole { part, end: Instant::now() + Duration::from_secs_f64(seconds) });
    }

    fn with_output(output: Output) -> Self {
        let (unit, message) = ("steps", String::new());
        Self {
            output,
            unit,
            total: 0,
            position: 0,
            skipped: 0,
            started: Instant::now(),
            message,
            brief: false,
            whole: None,
        }
    }

    /// Begins a loop of `total` steps of the given unit, for instance `images`. With a total of 0 the end is unknown: only the
    /// message is shown.
    pub fn start(&mut self, total: u64, unit: &'static str) {
        (self.total, self.unit, self.position, self.skipped) = (total, unit, 0, 0);
        self.started = Instant::now();
        self.message.clear();
        let style = self.style();
        match &mut self.output {
            Output::Terminal(bar) => {
                bar.finish_and_clear();
                let target = ProgressDrawTarget::stderr();
                *bar = ProgressBar::with_draw_target(Some(total), target).with_style(style);
                bar.enable_steady_tick(DRAW_INTERVAL);
                *CURRENT.lock().unwrap_or_else(PoisonError::into_inner) = Some(bar.downgrade());
            }
            Output::Lines { last, .. } => *last = self.started,
            Output::Count(_) | Output::Quiet => {}
        }
    }

    /// Counts steps of an earlier process: they fill the bar and do not count for the rate.
    pub fn skip(&mut self, steps: u64) {
        self.skipped += steps;
        self.position += steps;
        self.started = Instant::now();
        match &self.output {
            Output::Terminal(bar) => {
                bar.set_style(self.style());
                bar.inc(steps);
            }
            Output::Count(counter) => _ = counter.send(steps),
            Output::Lines { .. } | Output::Quiet => {}
        }
    }

    /// Counts new steps.
    pub fn advance(&mut self, steps: u64) {
        self.position += steps;
        match &mut self.output {
            Output::Terminal(bar) => bar.inc(steps),
            // Nobody listens any more if the display has ended.
            Output::Count(counter) => _ = counter.send(steps),
            Output::Lines { sink, interval, last } if last.elapsed() >= *interval => {
                *last = Instant::now();
                let percent = 100 * self.position.min(self.total) / self.total.max(1);
                let pace = Pace::new(self.position, self.skipped, self.total, self.started.elapsed());
                let separator = if self.message.is_empty() { "" } else { "  " };
                let (pace, message) = (pace.text(self.unit, self.whole), &self.message);
                // A closed standard error does not stop training.
                let _ = match self.total {
                    0 => writeln!(sink, "{message}"),
                    _ => writeln!(sink, "{percent:>3}%{pace}{separator}{message}"),
                };
            }
            _ => {}
        }
    }

    /// Sets the text above the bar, or at the end of a plain line: the epoch and the monitors.
    ///
    /// A terminal cuts it at its right edge; most show at least 76 columns.
    pub fn message(&mut self, text: &str) {
        let first = self.message.is_empty();
        self.message.clear();
        self.message.push_str(text);
        if let Output::Terminal(bar) = &self.output {
            if first {
                bar.set_style(self.style());
            }
            bar.set_message(text.to_owned());
        }
    }

    /// Prints a permanent line, above the bar if there is one; nothing if [`Progress::brief`].
    pub fn epoch_line(&mut self, text: &str) {
        if self.brief {
            return;
        }
        match &mut self.output {
            Output::Terminal(bar) => bar.println(text),
            Output::Lines { sink, last, .. } => {
                *last = Instant::now();
                let _ = writeln!(sink, "{text}");
            }
            Output::Count(_) | Output::Quiet => {}
        }
    }

    /// Ends the loop: removes the bar and prints a line, unless it is empty.
    pub fn finish(&mut self, text: &str) {
        if let Output::Terminal(bar) = &self.output {
            bar.finish_and_clear();
        }
        let sink: &mut dyn Write = match &mut self.output {
            Output::Lines { sink, .. } => sink,
            Output::Terminal(_) => &mut io::stderr(),
            Output::Count(_) | Output::Quiet => return,
        };
        if !text.is_empty() {
            let _ = writeln!(sink, "{text}");
        }
    }

    /// The message is above the bar. The cursor is at the right edge, so that the `^C` of a terminal begins a new line and the
    /// message stays on the screen.
    ///
    /// ```text
    /// epoch 3/30  reconstruction error 0.0312  pseudo-log-likelihood -141.2
    /// ━━━━━━━━━╸────────────── 41%  23,449 images/s  00:00:12 left
    /// ```
    fn style(&self) -> ProgressStyle {
        let template = match self.message.is_empty() {
            _ if self.total == 0 => "{spinner:.cyan} {wide_msg}",
            true => "{bar:24.cyan/dim} {percent:>3}%{pace}",
            false => "{wide_msg}\n{bar:24.cyan/dim} {percent:>3}%{pace}",
        };
        let (unit, skipped, started, whole) = (self.unit, self.skipped, self.started, self.whole);
        let pace = move |state: &ProgressState, out: &mut dyn std::fmt::Write| {
            let total = state.len().unwrap_or(0);
            let pace = Pace::new(state.pos(), skipped, total, started.elapsed());
            let _ = out.write_str(&pace.text(unit, whole));
        };
        ProgressStyle::with_template(template)
            .expect("the templates above are valid")
            .progress_chars("━╸─")
            .with_key("pace", pace)
    }
}

/// The bar on the screen, if there is one.
fn current_bar() -> Option<ProgressBar> {
    let current = CURRENT.lock().unwrap_or_else(PoisonError::into_inner);
    current.as_ref().and_then(WeakProgressBar::upgrade).filter(|bar| !bar.is_finished())
}

/// Prints a warning from any thread.
pub(crate) fn warn(text: &str) {
    print_above_bar(&format!("warning: {text}"));
}

/// Prints a line from any thread, above the bar if there is one.
pub(super) fn print_above_bar(text: &str) {
    match current_bar() {
        Some(bar) => bar.println(text),
        // A closed standard error does not panic.
        None => drop(writeln!(io::stderr(), "{text}")),
    }
}

/// Removes the bar and prints a line, from any thread.
pub(super) fn print_instead_of_bar(text: &str) {
    if let Some(bar) = current_bar() {
        bar.finish_and_clear();
    }
    let _ = writeln!(io::stderr(), "{text}");
}

/// Removes the bar if an error ends the loop early.
impl Drop for Progress {
    fn drop(&mut self) {
        if let Output::Terminal(bar) = &self.output {
            bar.finish_and_clear();
        }
    }
}

/// The rate and the remaining time from the average since the start, including pauses between epochs.
#[derive(Debug, PartialEq)]
struct Pace {
    /// Steps a second.
    rate: f64,
    left: Duration,
}

impl Pace {
    /// The pace is zero until it can be estimated.
    fn new(position: u64, skipped: u64, total: u64, elapsed: Duration) -> Self {
        let done = position.saturating_sub(skipped);
        if done == 0 || elapsed < SETTLE {
            return Self { rate: 0.0, left: Duration::ZERO };
        }
        let rate = done as f64 / elapsed.as_secs_f64();
        let left = total.saturating_sub(position) as f64 / rate;
        Self { rate, left: Duration::try_from_secs_f64(left).unwrap_or(Duration::MAX) }
    }

    /// The text `  23,449 images/s  00:00:12 left`, with the time of the whole if the loop is a part; without a rate as long as
    /// it is not known.
    fn text(&self, unit: &str, whole: Option<Whole>) -> String {
        let whole = whole.map(|whole| whole.text(self.left));
        let rate = match self.rate {
            0.0 => return whole.unwrap_or_default(),
            rate if rate < 100.0 => format!("{rate:.2}"),
            rate => HumanCount(rate.round() as u64).to_string(),
        };
        let left = whole.unwrap_or_else(|| format!("  {} left", FormattedDuration(self.left)));
        format!("  {rate} {unit}/s{left}")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// The lines of a run of two epochs of three batches.
    fn lines(interval: Duration) -> String {
        let shared = Shared::default();
        let sink = Box::new(shared.clone());
        let mut progress = Progress::with_output(Output::Lines { sink, interval, last: Instant::now() });
        progress.start(600, "images");
        for epoch in 1..=2 {
            for _ in 0..3 {
                progress.advance(100);
            }
            progress.message(&format!("error 0.{epoch}"));
            progress.epoch_line(&format!("epoch {epoch}"));
        }
        progress.finish("done");
        let bytes = shared.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn short_epochs_print_one_line_each() {
        assert_eq!(lines(LINE_INTERVAL), "epoch 1\nepoch 2\ndone\n");
    }

    #[test]
    fn long_epochs_print_lines_with_their_progress() {
        assert_eq!(
            lines(Duration::ZERO),
            " 16%\n 33%\n 50%\nepoch 1\n 66%  error 0.1\n 83%  error 0.1\n100%  error 0.1\nepoch 2\ndone\n"
        );
    }

    #[test]
    fn every_kind_accepts_every_call() {
        for kind in [ProgressKind::Terminal, ProgressKind::Quiet] {
            let mut progress = Progress::new(kind);
            // Neither too many steps, nor a total of 0, nor a second loop panics.
            for total in [0, 10] {
                progress.start(total, "images");
                progress.skip(4);
                progress.advance(20);
                progress.message("m");
                progress.message("");
            }
            progress.finish("");
            progress.advance(1);
        }
    }

    #[test]
    fn the_pace_ignores_steps_of_an_earlier_process() {
        let pace = Pace::new(300, 100, 500, Duration::from_secs(4));
        assert_eq!(pace, Pace { rate: 50.0, left: Duration::from_secs(4) });
        assert_eq!(pace.text("images", None), "  50.00 images/s  00:00:04 left");
        let fast = Pace { rate: 23_449.4, left: Duration::from_secs(90_061) };
        assert_eq!(fast.text("images", None), "  23,449 images/s  1d 01:01:01 left");
        assert_eq!(Pace::new(100, 100, 500, Duration::from_secs(4)).text("images", None), "");
        assert_eq!(Pace::new(300, 100, 500, Duration::from_millis(1)).text("images", None), "");
    }

    #[test]
    fn a_part_shows_the_time_that_is_left_of_the_whole() {
        let mut progress = Progress::new(ProgressKind::Quiet);
        progress.part_of([3, 9], 250.0);
        let pace = Pace { rate: 50.0, left: Duration::from_secs(4) };
        let text = "  part 3 of 9, about 5 min left";
        assert_eq!(pace.text("images", progress.whole), format!("  50.00 images/s{text}"));
        assert_eq!(Pace { rate: 0.0, ..pace }.text("images", progress.whole), text);
        // The loop may last longer than was expected of the whole.
        progress.part_of([9, 9], 0.0);
        assert_eq!(pace.text("steps", progress.whole), "  50.00 steps/s  part 9 of 9, about 4 s left");
        assert_eq!([rounded(99.0), rounded(100.0), rounded(121.0)], ["99 s", "2 min", "3 min"]);
    }
}
