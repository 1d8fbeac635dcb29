//! A host line of an INI inventory as words, split as a shell would: quotes, backslashes, and a
//! comment from `#` to the end, even in the middle of an unquoted word.

/// A word and where it was written in the line (bytes).
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Word {
    /// Without quotes and backslashes.
    pub(super) text: String,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// Why a line cannot be split, and at which byte.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unsplit {
    /// A quote without its partner.
    OpenQuote(usize),
    /// A backslash with nothing behind it.
    Backslash(usize),
}

/// The words of a line.
pub(super) fn split(line: &str) -> Result<Vec<Word>, Unsplit> {
    let mut words = Vec::new();
    let mut current: Option<Word> = None;
    let mut chars = line.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            ' ' | '\t' | '\r' | '\n' => words.extend(current.take()),
            '#' => {
                words.extend(current.take());
                break;
            }
            _ => {
                let word = current.get_or_insert(Word { text: String::new(), start: at, end: at });
                match c {
                    '\'' => loop {
                        match chars.next() {
                            Some((_, '\'')) => break,
                            Some((_, inside)) => word.text.push(inside),
                            None => return Err(Unsplit::OpenQuote(at)),
                        }
                    },
                    '"' => loop {
                        match chars.next() {
                            Some((_, '"')) => break,
                            Some((_, '\\')) => match chars.next() {
                                Some((_, escaped @ ('"' | '\\'))) => word.text.push(escaped),
                                Some((_, other)) => word.text.extend(['\\', other]),
                                None => return Err(Unsplit::OpenQuote(at)),
                            },
                            Some((_, inside)) => word.text.push(inside),
                            None => return Err(Unsplit::OpenQuote(at)),
                        }
                    },
                    '\\' => match chars.next() {
                        Some((_, escaped)) => word.text.push(escaped),
                        None => return Err(Unsplit::Backslash(at)),
                    },
                    plain => word.text.push(plain),
                }
                word.end = chars.peek().map_or(line.len(), |(next, _)| *next);
            }
        }
    }
    words.extend(current);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_split_as_a_shell_would() {
        let table: &[(&str, &[&str])] = &[
            ("a b\tc", &["a", "b", "c"]),
            ("x='a b'c", &["x=a bc"]),
            (r#"y="q\"r\n" z=a\ b"#, &["y=q\"r\\n", "z=a b"]),
            ("a=b#c d", &["a=b"]),
            ("a='b#c' # d", &["a=b#c"]),
            ("u={'a':1}", &["u={a:1}"]),
            ("e= f=''", &["e=", "f="]),
            ("", &[]),
        ];
        for (line, expected) in table {
            let words = split(line).unwrap();
            assert_eq!(words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>(), *expected, "{line}");
        }
        assert_eq!(split("a x='b").unwrap_err(), Unsplit::OpenQuote(4));
        assert_eq!(split("a\\").unwrap_err(), Unsplit::Backslash(1));
        let word = split("é 'x y'=1 z").unwrap().remove(1);
        assert_eq!((word.start, word.end), (3, 10));
    }
}
