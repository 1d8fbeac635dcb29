//! Splitting a command line into words as a POSIX shell would, without expanding anything.

/// The words of a command line; `None` where a quotation mark is not closed or nothing follows a
/// backslash.
pub fn split_command(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        match letter {
            ' ' | '\t' | '\r' | '\n' => words.extend(word.take()),
            '\\' => word.get_or_insert_default().push(letters.next()?),
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match letters.next()? {
                        '\'' => break,
                        other => word.push(other),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match letters.next()? {
                        '"' => break,
                        '\\' => match letters.next()? {
                            escaped @ ('"' | '\\') => word.push(escaped),
                            other => word.extend(['\\', other]),
                        },
                        other => word.push(other),
                    }
                }
            }
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::split_command;

    #[test]
    fn quotes_and_backslashes() {
        let split = |line| split_command(line).unwrap();
        assert_eq!(
            split(r#"visudo -cf '%s a' "b \" \n" c\ d '' x'y'z"#),
            ["visudo", "-cf", "%s a", r#"b " \n"#, "c d", "", "xyz"]
        );
        assert_eq!(split("  "), Vec::<String>::new());
        assert_eq!(split_command("a 'b"), None);
        assert_eq!(split_command("a\\"), None);
    }
}
