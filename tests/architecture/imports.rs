//! The imports between the files of a crate, extracted from their text.
//!
//! An import is a `use` declaration, or a path in code that starts with `crate`, `self`, `super` or a child module. It
//! refers to the file that defines the name, not to a file that re-exports it. A re-export (`pub use`) is not an
//! import, unless the file also uses the name elsewhere. Visibilities (`pub(in path)`) and unit tests are ignored.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::path::Path;

/// Files by module path; the path of the root is empty.
pub struct Tree(BTreeMap<Vec<String>, File>);

#[derive(Default)]
struct File {
    name: String,
    /// Items and inline modules defined in the file.
    defined: BTreeSet<String>,
    uses: Vec<Use>,
    /// Paths in code.
    paths: Vec<Vec<String>>,
    /// Identifiers outside of `use` declarations.
    mentioned: BTreeSet<String>,
}

struct Use {
    path: Vec<String>,
    /// The local name; `*` for all names of a module.
    alias: String,
    is_passed_on: bool,
}

impl Tree {
    /// Reads the files of a crate, except that of its binary.
    pub fn read(root: &Path) -> Self {
        let mut files = Vec::new();
        collect(root, root, &mut files);
        assert!(files.len() > 20, "{} is not where the source is", root.display());
        Self::new(&files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect::<Vec<_>>())
    }

    /// Parses files, given by name and text.
    pub fn new(files: &[(&str, &str)]) -> Self {
        let module = |name: &str| match name.strip_suffix(".rs").unwrap() {
            "lib" => Vec::new(),
            path => path.split('/').map(String::from).collect(),
        };
        let is_test = |name: &str| name.ends_with("tests.rs");
        let files = files.iter().filter(|(name, _)| *name != "main.rs" && !is_test(name));
        Self(files.map(|(name, text)| (module(name), File::parse(name, text))).collect())
    }

    /// Pairs of a file and a file that it imports from.
    pub fn imports(&self) -> BTreeSet<(String, String)> {
        let mut imports = BTreeSet::new();
        for (module, file) in &self.0 {
            let needed = file.uses.iter().filter(|it| !it.is_passed_on || file.mentioned.contains(&it.alias));
            for path in needed.map(|it| &it.path).chain(&file.paths) {
                if let Some(other) = self.resolve(module, path, 0)
                    && other != file.name
                {
                    imports.insert((file.name.clone(), other.into()));
                }
            }
        }
        imports
    }

    /// The file that defines the item at `path` in `module`, if it is in this crate.
    fn resolve(&self, module: &[String], path: &[String], depth: usize) -> Option<&str> {
        let (mut at, mut rest) = (module.to_vec(), path);
        match rest.first()?.as_str() {
            "crate" => (at, rest) = (Vec::new(), &rest[1..]),
            "self" => rest = &rest[1..],
            "super" => {
                while rest.first().is_some_and(|part| part == "super") {
                    at.pop();
                    rest = &rest[1..];
                }
            }
            child => {
                at.push(child.into());
                if !self.0.contains_key(&at) {
                    return None;
                }
                rest = &rest[1..];
            }
        }
        while let Some(part) = rest.first() {
            at.push(part.clone());
            if !self.0.contains_key(&at) {
                at.pop();
                break;
            }
            rest = &rest[1..];
        }
        let file = self.0.get(&at)?;
        match rest.first() {
            Some(name) if depth < 8 => self.definition(&at, file, name, depth),
            _ => Some(&file.name),
        }
    }

    /// The file that defines the `name` used in `file`.
    fn definition<'a>(
        &'a self,
        module: &[String],
        file: &'a File,
        name: &str,
        depth: usize,
    ) -> Option<&'a str> {
        if !file.defined.contains(name) {
            for known in file.uses.iter().filter(|known| known.alias == name) {
                if let Some(found) = self.resolve(module, &known.path, depth + 1) {
                    return Some(found);
                }
            }
            for glob in file.uses.iter().filter(|known| known.alias == "*") {
                let mut path = glob.path.clone();
                path.push(name.into());
                if let Some(found) = self.resolve(module, &path, depth + 1)
                    && self.0.values().any(|file| file.name == found && file.defined.contains(name))
                {
                    return Some(found);
                }
            }
        }
        Some(&file.name)
    }
}

fn collect(root: &Path, directory: &Path, files: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(root, &path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
            files.push((name, fs::read_to_string(&path).unwrap()));
        }
    }
}

impl File {
    fn parse(name: &str, text: &str) -> Self {
        let tokens = without_tests(tokens(text));
        let mut file = Self { name: name.into(), ..Self::default() };
        // The number of open braces, and this number at the start of each inline module.
        let (mut depth, mut inline) = (0, Vec::new());
        let mut at = 0;
        while at < tokens.len() {
            let token = tokens[at].as_str();
            let next = tokens.get(at + 1).map_or("", String::as_str);
            let after = tokens.get(at + 2).map_or("", String::as_str);
            match token {
                "{" => depth += 1,
                "}" => {
                    depth -= 1;
                    inline.pop_if(|began| *began == depth);
                }
                "mod" if after == "{" => {
                    file.defined.insert(next.into());
                    inline.push(depth);
                    depth += 1;
                    at += 2;
                }
                "mod" if after == ";" => at += 2,
                "use" if next != "<" => {
                    let end = at + tokens[at..].iter().position(|token| token == ";").expect("a `;`");
                    let is_passed_on = is_public(&tokens[..at]);
                    let mut list = Vec::new();
                    use_tree(&tokens[at + 1..end], &mut Vec::new(), &mut list);
                    for (path, alias) in list {
                        let path = from_file(path, inline.len());
                        file.uses.push(Use { path, alias, is_passed_on });
                    }
                    at = end;
                }
                "fn" | "struct" | "enum" | "trait" | "type" | "static" | "const" | "union"
                    if depth == inline.len() && is_identifier(next) && next != "fn" =>
                {
                    file.defined.insert(next.into());
                    file.mentioned.insert(next.into());
                    at += 1;
                }
                "macro_rules" => {
                    file.defined.insert(after.into());
                    at += 2;
                }
                // The path of `pub(in path)` is not an import.
                "in" if tokens[..at].ends_with(&["pub".into(), "(".into()]) => {
                    at += tokens[at..].iter().position(|token| token == ")").expect("a `)`");
                }
                _ if is_identifier(token) && next == "::" => {
                    let mut path = vec![token.to_string()];
                    while tokens.get(at + 1).is_some_and(|token| token == "::")
                        && tokens.get(at + 2).is_some_and(|token| is_identifier(token))
                    {
                        path.push(tokens[at + 2].clone());
                        at += 2;
                    }
                    file.mentioned.insert(path[0].clone());
                    file.paths.push(from_file(path, inline.len()));
                }
                _ if is_identifier(token) => {
                    file.mentioned.insert(token.into());
                }
                _ => {}
            }
            at += 1;
        }
        file
    }
}

/// A path in a nested inline module, converted to a path in the file's module.
fn from_file(mut path: Vec<String>, inline: usize) -> Vec<String> {
    let up = path.iter().take_while(|part| *part == "super").count();
    if up > 0 && inline > 0 {
        path.drain(..up.min(inline));
        path.insert(0, "self".into());
        // The path goes up further than the inline modules are nested.
        if up > inline {
            path.remove(0);
        }
    }
    path
}

/// Returns whether the declaration after these tokens starts with `pub` or `pub(...)`.
fn is_public(before: &[String]) -> bool {
    match before {
        [.., last] if last == "pub" => true,
        [.., last] if last == ")" => {
            let open = before.iter().rposition(|token| token == "(").unwrap_or(0);
            open > 0 && before[open - 1] == "pub"
        }
        _ => false,
    }
}

/// Collects the paths of a `use` declaration, each with its local name.
fn use_tree(tokens: &[String], prefix: &mut Vec<String>, list: &mut Vec<(Vec<String>, String)>) {
    let length = prefix.len();
    let mut at = 0;
    let mut alias = None;
    while at < tokens.len() {
        match tokens[at].as_str() {
            "::" => {}
            "as" => {
                alias = Some(tokens[at + 1].clone());
                at += 1;
            }
            "{" => {
                let mut depth = 0;
                let mut start = at + 1;
                for (i, token) in tokens.iter().enumerate().skip(at) {
                    match token.as_str() {
                        "{" => depth += 1,
                        "}" => depth -= 1,
                        _ => {}
                    }
                    if (depth == 1 && token == ",") || depth == 0 {
                        if start < i {
                            use_tree(&tokens[start..i], prefix, list);
                        }
                        start = i + 1;
                    }
                    if depth == 0 {
                        break;
                    }
                }
                prefix.truncate(length);
                return;
            }
            "*" => {
                list.push((prefix.clone(), "*".into()));
                prefix.truncate(length);
                return;
            }
            "self" if !prefix.is_empty() => {}
            part => prefix.push(part.into()),
        }
        at += 1;
    }
    let alias = alias.or_else(|| prefix.last().cloned()).unwrap_or_default();
    list.push((prefix.clone(), alias));
    prefix.truncate(length);
}

fn is_identifier(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Splits code into identifiers, `::` and other characters, without comments, strings and numbers.
fn tokens(text: &str) -> Vec<String> {
    let text: Vec<char> = text.chars().collect();
    let peek = |at: usize| text.get(at).copied().unwrap_or('\0');
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < text.len() {
        match text[at] {
            '/' if peek(at + 1) == '/' => {
                while at < text.len() && text[at] != '\n' {
                    at += 1;
                }
            }
            '/' if peek(at + 1) == '*' => {
                at += 2;
                while at < text.len() && !(text[at] == '*' && peek(at + 1) == '/') {
                    at += 1;
                }
                at += 2;
            }
            '"' => at = after_string(&text, at + 1),
            // A character literal, not a lifetime.
            '\'' if peek(at + 1) == '\\' || peek(at + 2) == '\'' => {
                at += if peek(at + 1) == '\\' { 3 } else { 2 };
                while at < text.len() && text[at] != '\'' {
                    at += 1;
                }
                at += 1;
            }
            c if c.is_alphabetic() || c == '_' => {
                let start = at;
                while peek(at).is_alphanumeric() || peek(at) == '_' {
                    at += 1;
                }
                let word: String = text[start..at].iter().collect();
                let hashes = text[at..].iter().take_while(|c| **c == '#').count();
                if matches!(word.as_str(), "r" | "br") && peek(at + hashes) == '"' {
                    at = after_raw_string(&text, at + hashes + 1, hashes);
                } else {
                    tokens.push(word);
                }
            }
            c if c.is_ascii_digit() => {
                while peek(at).is_alphanumeric() || peek(at) == '_' {
                    at += 1;
                }
            }
            ':' if peek(at + 1) == ':' => {
                tokens.push("::".into());
                at += 2;
            }
            c => {
                if !c.is_whitespace() {
                    tokens.push(c.into());
                }
                at += 1;
            }
        }
    }
    tokens
}

fn after_string(text: &[char], mut at: usize) -> usize {
    while at < text.len() && text[at] != '"' {
        at += if text[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}

fn after_raw_string(text: &[char], mut at: usize, hashes: usize) -> usize {
    let ends = |at: usize| text[at] == '"' && text[at + 1..].iter().take(hashes).all(|c| *c == '#');
    while at < text.len() && !ends(at) {
        at += 1;
    }
    at + 1 + hashes
}

/// The tokens without items marked `#[cfg(test)]` or `#[cfg(all(test, ...))]`.
fn without_tests(tokens: Vec<String>) -> Vec<String> {
    let mut kept = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let starts =
            |words: &[&str]| tokens[at..].iter().zip(words).filter(|(a, b)| a == b).count() == words.len();
        if starts(&["#", "[", "cfg", "(", "test", ")", "]"])
            || starts(&["#", "[", "cfg", "(", "all", "(", "test"])
        {
            // Skips to the end of the block, or of an item without a block.
            let mut depth = 0;
            while at < tokens.len() {
                match tokens[at].as_str() {
                    "{" => depth += 1,
                    "}" => depth -= 1,
                    _ => {}
                }
                at += 1;
                if depth == 0 && matches!(tokens[at - 1].as_str(), "}" | ";") {
                    break;
                }
            }
        } else {
            kept.push(tokens[at].clone());
            at += 1;
        }
    }
    kept
}

/// The imports of each file.
fn by_file(imports: &BTreeSet<(String, String)>) -> BTreeMap<&str, Vec<&str>> {
    let mut by_file: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (from, to) in imports {
        by_file.entry(from).or_default().push(to);
    }
    by_file
}

/// The shortest cycles that have no file in common.
pub fn cycles(imports: &BTreeSet<(String, String)>) -> Vec<String> {
    let next = by_file(imports);
    let (mut seen, mut cycles) = (BTreeSet::new(), Vec::new());
    for &start in next.keys() {
        if let Some(cycle) = shortest_path(start, start, &next)
            && cycle.iter().all(|file| !seen.contains(file))
        {
            cycles.push(format!("{start} -> {}", cycle.join(" -> ")));
            seen.extend(cycle);
        }
    }
    cycles
}

/// The files of a shortest path, without the first.
fn shortest_path<'a>(
    from: &'a str,
    to: &str,
    next: &BTreeMap<&'a str, Vec<&'a str>>,
) -> Option<Vec<&'a str>> {
    let mut before = BTreeMap::new();
    let mut queue = VecDeque::from([from]);
    while let Some(file) = queue.pop_front() {
        for &imported in next.get(file).into_iter().flatten() {
            if before.contains_key(imported) {
                continue;
            }
            before.insert(imported, file);
            if imported == to {
                let mut path = vec![imported];
                while let Some(&file) = before.get(path[path.len() - 1]).filter(|file| **file != from) {
                    path.push(file);
                }
                path.reverse();
                return Some(path);
            }
            queue.push_back(imported);
        }
    }
    None
}
