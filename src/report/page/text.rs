//! Short texts with code between backticks.

use maud::{Markup, html};

/// Text with code between backticks; a backtick without a partner is left unchanged.
pub(super) fn prose(text: &str) -> Markup {
    let parts: Vec<&str> = text.split('`').collect();
    if parts.len().is_multiple_of(2) {
        return html! { (set(text)) };
    }
    html! {
        @for (i, part) in parts.iter().enumerate() {
            @if i % 2 == 1 { code { (part) } } @else { (set(part)) }
        }
    }
}

/// Text as it is printed: a number stays on the line of its percent sign, and a negative one has a minus instead of a hyphen.
fn set(text: &str) -> String {
    let text = text.replace(" %", "\u{a0}%");
    let mut before = ' ';
    let mut rest = text.chars().peekable();
    let mut set = String::with_capacity(text.len());
    while let Some(letter) = rest.next() {
        let is_minus =
            letter == '-' && " (".contains(before) && rest.peek().is_some_and(char::is_ascii_digit);
        set.push(if is_minus { '\u{2212}' } else { letter });
        before = letter;
    }
    set
}

#[cfg(test)]
mod tests {
    #[test]
    fn percent_signs_stay_with_their_numbers_and_negative_numbers_have_a_minus() {
        let text = "by -1.03 (-2 %) from CD-1 of 500-1000, `--clip -1 %`";
        let html = super::prose(text).into_string();
        let expected = "by \u{2212}1.03 (\u{2212}2\u{a0}%) from CD-1 of 500-1000, <code>--clip -1 %</code>";
        assert_eq!(html, expected);
    }
}
