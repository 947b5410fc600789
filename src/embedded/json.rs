//! The part of JSON that a safetensors header uses, read in place: punctuation, strings and whole numbers.

use super::error::ModelError;

/// A position in JSON text.
#[derive(Debug, Clone)]
pub(super) struct Cursor<'a> {
    text: &'a str,
    position: usize,
    /// The position of the text in the file, for errors.
    start: usize,
}

impl<'a> Cursor<'a> {
    pub fn new(text: &'a str, start: usize) -> Self {
        Self { text, position: 0, start }
    }

    /// An error at this position.
    pub fn complain<T>(&self, problem: &'static str) -> Result<T, ModelError> {
        Err(ModelError::Header { offset: self.start + self.position, problem })
    }

    /// The next byte that is no white space, if there is one.
    pub fn peek(&mut self) -> Option<u8> {
        let rest = &self.text.as_bytes()[self.position..];
        let skipped = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count();
        self.position += skipped;
        rest.get(skipped).copied()
    }

    /// Moves past `byte` if it is the next one.
    pub fn skip(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.position += usize::from(is_next);
        is_next
    }

    /// Moves past `byte`, which must be the next one.
    pub fn expect(&mut self, byte: u8, problem: &'static str) -> Result<(), ModelError> {
        if self.skip(byte) { Ok(()) } else { self.complain(problem) }
    }

    /// Moves past the comma before an entry that is not the first.
    pub fn separator(&mut self, is_first: bool) -> Result<(), ModelError> {
        if is_first { Ok(()) } else { self.expect(b',', "the header is not JSON: a comma is missing") }
    }

    /// Reads a key and its colon.
    pub fn key(&mut self) -> Result<Text<'a>, ModelError> {
        let key = self.string()?;
        self.expect(b':', "the header is not JSON: a colon is missing")?;
        Ok(key)
    }

    pub fn string(&mut self) -> Result<Text<'a>, ModelError> {
        self.expect(b'"', "a string is missing")?;
        let first = self.position;
        loop {
            match self.text.as_bytes().get(self.position) {
                None => return self.complain("the header is not JSON: it ends inside a string"),
                Some(b'"') => break,
                Some(0..0x20) => {
                    return self.complain("the header is not JSON: a control character in a string");
                }
                Some(b'\\') => self.position += 2,
                Some(_) => self.position += 1,
            }
        }
        let text = Text(self.text.get(first..self.position).unwrap_or("\\"));
        if text.chars().any(|character| character.is_none()) {
            return self.complain("the header is not JSON: an unknown escape in a string");
        }
        self.position += 1;
        Ok(text)
    }

    /// Reads a number without sign, fraction and exponent.
    pub fn number(&mut self) -> Result<usize, ModelError> {
        self.peek();
        let rest = &self.text.as_bytes()[self.position..];
        let digits = &rest[..rest.iter().take_while(|byte| byte.is_ascii_digit()).count()];
        let is_number = !digits.is_empty() && (digits == b"0" || digits[0] != b'0');
        if !is_number || matches!(rest.get(digits.len()), Some(b'.' | b'e' | b'E')) {
            return self.complain("a size or an offset is not a whole number");
        }
        let add = |number: usize, digit: &u8| number.checked_mul(10)?.checked_add(usize::from(digit - b'0'));
        match digits.iter().try_fold(0, add) {
            Some(number) => {
                self.position += digits.len();
                Ok(number)
            }
            None => self.complain("a size or an offset exceeds the address space"),
        }
    }

    /// Reads an array of numbers into the start of `numbers`, and returns their count.
    pub fn numbers(&mut self, numbers: &mut [usize]) -> Result<usize, ModelError> {
        self.expect(b'[', "an array of numbers is missing")?;
        let mut count = 0;
        while !self.skip(b']') {
            self.separator(count == 0)?;
            let number = self.number()?;
            match numbers.get_mut(count) {
                Some(place) => *place = number,
                None => return self.complain("an array has too many numbers"),
            }
            count += 1;
        }
        Ok(count)
    }
}

/// A string of JSON between its quotes, with escapes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Text<'a>(&'a str);

impl<'a> Text<'a> {
    /// The characters; `None` for a wrong escape, which [`Cursor::string`] has refused.
    pub fn chars(self) -> impl Iterator<Item = Option<char>> + 'a {
        let mut rest = self.0.chars();
        core::iter::from_fn(move || match rest.next()? {
            '\\' => Some(escape(&mut rest)),
            character => Some(Some(character)),
        })
    }

    pub fn is(self, text: &str) -> bool {
        self.chars().eq(text.chars().map(Some))
    }

    pub fn equals(self, other: Text<'_>) -> bool {
        self.chars().eq(other.chars())
    }

    /// The text, if it is written without escapes.
    pub fn plain(self) -> Option<&'a str> {
        (!self.0.contains('\\')).then_some(self.0)
    }
}

/// The character of the escape after a backslash.
fn escape(rest: &mut core::str::Chars<'_>) -> Option<char> {
    Some(match rest.next()? {
        character @ ('"' | '\\' | '/') => character,
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'u' => {
            let mut code = hexadecimal(rest)?;
            // A character beyond 16 bits is written as two escapes of 10 bits each.
            if (0xd800..0xdc00).contains(&code) {
                let is_pair = rest.next() == Some('\\') && rest.next() == Some('u');
                let low = hexadecimal(rest).filter(|low| is_pair && (0xdc00..0xe000).contains(low))?;
                code = 0x1_0000 + ((code - 0xd800) << 10) + (low - 0xdc00);
            }
            char::from_u32(code)?
        }
        _ => return None,
    })
}

/// Four hexadecimal digits.
fn hexadecimal(rest: &mut core::str::Chars<'_>) -> Option<u32> {
    (0..4).try_fold(0, |code, _| Some(code << 4 | rest.next()?.to_digit(16)?))
}
