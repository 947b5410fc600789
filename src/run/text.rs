//! Settings that are written as text, in `config.toml` and on the command line.

use crate::{Error, Result};
use serde::{Deserialize, Deserializer, Serializer, de};
use std::fmt::Display;
use std::path::Path;
use std::str::FromStr;

pub(crate) use crate::error::parse;

/// The text of a file.
///
/// **Errors** [`Error::Malformed`] for another encoding than UTF-8.
pub(super) fn of_bytes<'a>(path: &Path, bytes: &'a [u8]) -> Result<&'a str> {
    std::str::from_utf8(bytes).map_err(|reason| {
        let problem = "this text is not in UTF-8, perhaps in UTF-16; save it as UTF-8";
        Error::malformed(path.display(), reason.valid_up_to() as u64, problem)
    })
}

pub(super) fn serialize<S: Serializer>(
    value: &impl Display,
    serializer: S,
) -> std::result::Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

pub(super) fn deserialize<'de, T, D>(deserializer: D) -> std::result::Result<T, D::Error>
where
    T: FromStr<Err = Error>,
    D: Deserializer<'de>,
{
    String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
}
