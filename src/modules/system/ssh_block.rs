//! The format of `ssh_config`: options in blocks that begin with `Host`.

/// Options by name, in lower case, and their values.
pub(super) type Options = Vec<(String, String)>;

/// Keyword and value of a line; a keyword has no case, and `=` may stand after it.
fn keyword(line: &str) -> Option<(String, &str)> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let end = line.find(|c: char| c.is_whitespace() || c == '=').unwrap_or(line.len());
    let (word, rest) = line.split_at(end);
    let rest = rest.trim_start();
    Some((word.to_lowercase(), rest.strip_prefix('=').unwrap_or(rest).trim()))
}

fn unquoted(value: &str) -> &str {
    value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value)
}

/// The lines of a host's block: its first line, and the end of its last option.
fn block(lines: &[&str], host: &str) -> Option<(usize, usize)> {
    let is_host = |line: &&str| keyword(line).is_some_and(|(word, value)| word == "host" && value == host);
    let first = lines.iter().position(is_host)?;
    let ends = |line: &&str| keyword(line).is_some_and(|(word, _)| word == "host" || word == "match");
    let next = lines[first + 1..].iter().position(ends).map_or(lines.len(), |length| first + 1 + length);
    // Comments at the end are about what follows.
    let last = (first..next).rev().find(|at| keyword(lines[*at]).is_some()).unwrap_or(first);
    Some((first, last + 1))
}

/// The options of a host's block; `None` where there is none.
pub(super) fn options(text: &str, host: &str) -> Option<Options> {
    let lines: Vec<&str> = text.lines().collect();
    let (first, end) = block(&lines, host)?;
    let option = |line: &&str| keyword(line).map(|(word, value)| (word, unquoted(value).to_owned()));
    Some(lines[first + 1..end].iter().filter_map(option).collect())
}

/// The text with these options in the host's block, which is made if there is none. Others stay.
pub(super) fn set(text: &str, host: &str, options: &Options) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let Some((first, mut end)) = block(&lines, host) else {
        let mut new = text.to_owned();
        if !new.is_empty() && !new.ends_with('\n') {
            new.push('\n');
        }
        new.push_str(&format!("Host {host}\n"));
        options.iter().for_each(|(word, value)| new.push_str(&format!("    {word} {value}\n")));
        return new;
    };
    let mut new: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
    let mut changed = false;
    for (word, value) in options {
        let of: Vec<usize> = (first + 1..end).filter(|at| keyword(&new[*at]).is_some_and(|(other, _)| other == *word)).collect();
        let is = |at: &usize| keyword(&new[*at]).is_some_and(|(_, other)| unquoted(other) == unquoted(value));
        // The first counts, except of keys, which are all tried.
        let there = if word == "identityfile" { of.iter().any(is) } else { of.first().is_some_and(is) };
        if there {
            continue;
        }
        changed = true;
        let like = of.first().copied().or((end > first + 1).then_some(first + 1)).map(|at| new[at].clone());
        let indent = like.map_or("    ".to_owned(), |line| line[..line.len() - line.trim_start().len()].to_owned());
        let line = format!("{indent}{word} {value}");
        match of.first() {
            Some(at) => new[*at] = line,
            None => {
                new.insert(end, line);
                end += 1;
            }
        }
    }
    if !changed {
        return text.to_owned();
    }
    new.iter().fold(String::new(), |text, line| text + line + "\n")
}

/// The text without the host's block.
pub(super) fn without(text: &str, host: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let Some((first, mut end)) = block(&lines, host) else { return text.to_owned() };
    while lines.get(end).is_some_and(|line| line.trim().is_empty()) {
        end += 1;
    }
    lines[..first].iter().chain(&lines[end..]).fold(String::new(), |text, line| text + line + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# c\nHost a b\n  HostName one\n  # in\n  port=22\n  IdentityFile ~/x\n  IdentityFile \"~/y z\"\n\n\
                        # all\nHost *\n    ForwardAgent no\n";

    #[test]
    fn blocks_are_edited() {
        for (host, word, value, from, to) in [
            ("a b", "hostname", "one", "", ""),
            ("a b", "hostname", "two", "HostName one", "hostname two"),
            ("a b", "port", "22", "", ""),
            ("a b", "port", "23", "port=22", "port 23"),
            ("a b", "identityfile", "~/y z", "", ""),
            ("a b", "user", "joe", "y z\"\n", "y z\"\n  user joe\n"),
            ("*", "user", "joe", "Agent no\n", "Agent no\n    user joe\n"),
        ] {
            let options = vec![(word.to_owned(), value.to_owned())];
            assert_eq!(set(TEXT, host, &options), TEXT.replacen(from, to, 1), "{host} {word}");
        }
        let options = vec![("port".to_owned(), "1".to_owned())];
        assert_eq!(set("x", "a", &options), "x\nHost a\n    port 1\n");
        assert_eq!(super::options(TEXT, "*"), Some(vec![("forwardagent".to_owned(), "no".to_owned())]));
        assert_eq!(super::options(TEXT, "a"), None);
    }

    #[test]
    fn blocks_are_removed() {
        assert_eq!(without(TEXT, "a b"), "# c\n# all\nHost *\n    ForwardAgent no\n");
        assert_eq!(without(TEXT, "b"), TEXT);
    }
}
