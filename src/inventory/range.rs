//! Host names as inventories write them: `name`, `name:port`, `[::1]:port`, and ranges such as
//! `web[01:10:2]` or `db-[a:c]`.

use std::net::Ipv6Addr;

/// Hosts of one range, at most.
const MAX_HOSTS: usize = 1_000_000;

/// The names that a word stands for, and the port behind it.
pub(super) fn expand(word: &str) -> Result<(Vec<String>, Option<u16>), String> {
    let (name, port) = split_port(word)?;
    let mut names = Vec::new();
    expand_into(name, &mut names)?;
    Ok((names, port))
}

/// `name:port`; the colons of an IPv6 address and of ranges separate nothing.
pub(super) fn split_port(word: &str) -> Result<(&str, Option<u16>), String> {
    if let Some((address, rest)) = word.strip_prefix('[').and_then(|rest| rest.split_once(']'))
        && address.parse::<Ipv6Addr>().is_ok()
    {
        return match rest.strip_prefix(':') {
            Some(digits) => Ok((address, Some(port(digits)?))),
            None if rest.is_empty() => Ok((address, None)),
            None => Ok((word, None)),
        };
    }
    let mut colons = colons_outside_brackets(word);
    match (colons.next(), colons.next()) {
        (Some(at), None) if !word[at + 1..].is_empty() && word[at + 1..].bytes().all(|byte| byte.is_ascii_digit()) => {
            Ok((&word[..at], Some(port(&word[at + 1..])?)))
        }
        _ => Ok((word, None)),
    }
}

/// Where colons stand that are not part of `[...]`.
pub(super) fn colons_outside_brackets(word: &str) -> impl Iterator<Item = usize> + '_ {
    let mut inside = false;
    word.bytes().enumerate().filter_map(move |(at, byte)| {
        match byte {
            b'[' => inside = true,
            b']' => inside = false,
            b':' if !inside => return Some(at),
            _ => {}
        }
        None
    })
}

fn port(digits: &str) -> Result<u16, String> {
    digits.parse().map_err(|_| format!("`{digits}` is not a port (0-65535)"))
}

fn expand_into(name: &str, out: &mut Vec<String>) -> Result<(), String> {
    let Some((head, bounds, tail)) = first_range(name) else {
        out.push(name.to_owned());
        return if out.len() > MAX_HOSTS { Err(format!("more than {MAX_HOSTS} hosts in one range")) } else { Ok(()) };
    };
    for part in sequence(bounds)? {
        expand_into(&format!("{head}{part}{tail}"), out)?;
    }
    Ok(())
}

/// What stands before, in and behind the first brackets with a colon in them.
fn first_range(name: &str) -> Option<(&str, &str, &str)> {
    let open = name.find('[')?;
    let colon = name.find(':')?;
    let close = name.find(']')?;
    (open < colon && colon < close).then(|| (&name[..open], &name[open + 1..close], &name[close + 1..]))
}

fn sequence(bounds: &str) -> Result<Vec<String>, String> {
    let parts: Vec<&str> = bounds.split(':').collect();
    let (begin, end, step) = match parts.as_slice() {
        [begin, end] => (*begin, *end, "1"),
        [begin, end, step] => (*begin, *end, *step),
        _ => return Err(format!("a range is `[begin:end]` or `[begin:end:step]`, not `[{bounds}]`")),
    };
    let begin = if begin.is_empty() { "0" } else { begin };
    if end.is_empty() {
        return Err(format!("the range `[{bounds}]` needs an end"));
    }
    let step: usize =
        step.parse().ok().filter(|step| *step > 0).ok_or_else(|| format!("`{step}` is not a step (1, 2, 3 ...)"))?;
    if let (Some(first), Some(last)) = (letter(begin), letter(end)) {
        if first > last {
            return Err(format!("the range `[{bounds}]` ends before it begins"));
        }
        return Ok((first..=last).step_by(step).map(|index| LETTERS[index..=index].to_owned()).collect());
    }
    let number = |text: &str| {
        text.parse::<u64>().map_err(|_| format!("`{text}` is neither a number nor a letter in the range `[{bounds}]`"))
    };
    let (first, last) = (number(begin)?, number(end)?);
    let width = if begin.starts_with('0') && begin.len() > 1 { begin.len() } else { 0 };
    if width > 0 && width != end.len() {
        return Err(format!("both ends of the range `[{bounds}]` need the same number of digits"));
    }
    if last.saturating_sub(first) / step as u64 > MAX_HOSTS as u64 {
        return Err(format!("more than {MAX_HOSTS} hosts in one range"));
    }
    Ok((first..=last).step_by(step).map(|number| format!("{number:0width$}")).collect())
}

const LETTERS: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

fn letter(text: &str) -> Option<usize> {
    if text.len() == 1 { LETTERS.find(text) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_become_names_and_ports() {
        let table = [
            ("web", "web"),
            ("web:2222", "web|2222"),
            ("web[1:3]", "web1 web2 web3"),
            ("web[01:10:4].x:22", "web01.x web05.x web09.x|22"),
            ("web[:2]", "web0 web1 web2"),
            ("web[3:1]", ""),
            ("db-[a:c]", "db-a db-b db-c"),
            ("[a:b]-[1:2]", "a-1 a-2 b-1 b-2"),
            ("[y:B]", "y z A B"),
            ("::1", "::1"),
            ("fe80::1", "fe80::1"),
            ("[::1]:22", "::1|22"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("x[1]", "x[1]"),
            ("web[1:]", "the range `[1:]` needs an end"),
            ("web[01:100]", "both ends of the range `[01:100]` need the same number of digits"),
            ("web[c:a]", "the range `[c:a]` ends before it begins"),
            ("web[1:2:3:4]", "a range is `[begin:end]` or `[begin:end:step]`, not `[1:2:3:4]`"),
            ("web[1:x]", "`x` is neither a number nor a letter in the range `[1:x]`"),
            ("web[1:5:0]", "`0` is not a step (1, 2, 3 ...)"),
            ("web[1:99999999]", "more than 1000000 hosts in one range"),
            ("web:99999", "`99999` is not a port (0-65535)"),
        ];
        for (word, expected) in table {
            let found = match expand(word) {
                Ok((names, None)) => names.join(" "),
                Ok((names, Some(port))) => format!("{}|{port}", names.join(" ")),
                Err(message) => message,
            };
            assert_eq!(found, expected, "{word}");
        }
    }
}
