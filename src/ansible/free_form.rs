//! Options written on one line: `copy: src=a dest=b`, `command: ls -l creates=/x`.

/// Options that may stand inside the free-form text of a command-like module.
const COMMAND_OPTIONS: &[&str] =
    &["chdir", "creates", "removes", "executable", "stdin", "stdin_add_newline", "strip_empty_ends", "warn", "cmd", "argv"];

/// Splits at blanks outside quotes and outside `{{ }}` / `{% %}`; quotes stay in the words.
fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let (mut start, mut quote, mut braces) = (None, None, 0_usize);
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let byte = bytes[at];
        let pair = bytes.get(at..at + 2).unwrap_or_default();
        if quote.is_none() && (pair == b"{{" || pair == b"{%") {
            braces += 1;
            start.get_or_insert(at);
            at += 2;
            continue;
        }
        if quote.is_none() && braces > 0 && (pair == b"}}" || pair == b"%}") {
            braces -= 1;
            at += 2;
            continue;
        }
        match byte {
            b'\\' => {
                start.get_or_insert(at);
                at += 1;
            }
            b'"' | b'\'' if braces == 0 => {
                start.get_or_insert(at);
                match quote {
                    None => quote = Some(byte),
                    Some(open) if open == byte => quote = None,
                    Some(_) => {}
                }
            }
            _ if byte.is_ascii_whitespace() && quote.is_none() && braces == 0 => {
                if let Some(from) = start.take() {
                    words.push(&text[from..at]);
                }
            }
            _ => {
                start.get_or_insert(at);
            }
        }
        at += 1;
    }
    if let Some(from) = start {
        words.push(&text[from..]);
    }
    words
}

fn unquote(word: &str) -> String {
    let bytes = word.as_bytes();
    if bytes.len() >= 2 && (bytes[0] == b'"' || bytes[0] == b'\'') && bytes[bytes.len() - 1] == bytes[0] {
        return word[1..word.len() - 1].to_owned();
    }
    word.to_owned()
}

fn key_value(word: &str) -> Option<(&str, &str)> {
    let (key, value) = word.split_once('=')?;
    let name = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    name.then_some((key, value))
}

/// `key=value` pairs of an ordinary module; the error is the word that is not one.
pub fn pairs(text: &str) -> Result<Vec<(String, String)>, String> {
    words(text)
        .into_iter()
        .map(|word| key_value(word).map(|(key, value)| (key.to_owned(), unquote(value))).ok_or_else(|| word.to_owned()))
        .collect()
}

/// The command itself and the options that stand around it (`creates=...`).
pub fn command(text: &str) -> (String, Vec<(String, String)>) {
    let all = words(text);
    let is_option = |word: &&str| key_value(word).is_some_and(|(key, _)| COMMAND_OPTIONS.contains(&key));
    let options: Vec<(String, String)> = all
        .iter()
        .filter(|word| is_option(word))
        .filter_map(|word| key_value(word).map(|(key, value)| (key.to_owned(), unquote(value))))
        .collect();
    if options.is_empty() {
        return (text.trim().to_owned(), options);
    }
    let mut rest = text.to_owned();
    for word in all.iter().filter(|word| is_option(word)) {
        if let Some(at) = rest.find(word) {
            rest.replace_range(at..at + word.len(), "");
        }
    }
    (rest.trim().to_owned(), options)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned(list: &[(&str, &str)]) -> Vec<(String, String)> {
        list.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn pairs_keep_quotes_and_templates_together() {
        assert_eq!(
            pairs(r#"src=a dest="b c" mode={{ x | default('0644') }}"#).unwrap(),
            owned(&[("src", "a"), ("dest", "b c"), ("mode", "{{ x | default('0644') }}")])
        );
        assert_eq!(pairs("src=a oops").unwrap_err(), "oops");
    }

    #[test]
    fn a_command_keeps_its_text() {
        assert_eq!(command("tar  xf 'a b' creates=/x"), ("tar  xf 'a b'".into(), owned(&[("creates", "/x")])));
        assert_eq!(command("env A=b  ls"), ("env A=b  ls".into(), vec![]));
    }
}
