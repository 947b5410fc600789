//! Numbers as text.

/// `1 epoch`, `2 epochs`.
///
/// ```
/// use equilibria::report::numbers::counted;
/// assert_eq!((counted(1, "epoch").as_str(), counted(1200, "image").as_str()), ("1 epoch", "1,200 images"));
/// ```
pub fn counted(number: usize, unit: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {unit}{plural}", thousands(number))
}

/// 10000 as `10,000`.
///
/// ```
/// assert_eq!(equilibria::report::numbers::thousands(1234567), "1,234,567");
/// ```
pub fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
    groups.join(",")
}

/// A number that is neither tiny nor huge, with three digits.
///
/// ```
/// use equilibria::report::numbers::short;
/// assert_eq!([123.4, 1.234, 0.00012].map(short), ["123", "1.23", "1.2e-4"]);
/// ```
pub fn short(value: f64) -> String {
    match value.abs() {
        size if size > 0.0 && size < 0.000_5 => format!("{value:.1e}"),
        size if size >= 99.95 => format!("{value:.0}"),
        size if size >= 9.995 => format!("{value:.1}"),
        size if size >= 0.9995 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}
