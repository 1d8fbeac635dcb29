//! The format of `/etc/network/interfaces`: lines that set options of the interface named above them.

use serde_json::{Map, Value};

/// Options that may be given several times.
const LISTS: [&str; 4] = ["pre-up", "up", "down", "post-up"];

/// A line of an interface: its own first line, or an option of it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Line<'a> {
    /// Number of the line.
    at: usize,
    iface: &'a str,
    family: &'a str,
    /// Name and value; of the first line `method`.
    option: &'a str,
    value: &'a str,
    first: bool,
}

/// What is to be done with an option.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wish<'a> {
    pub iface: &'a str,
    pub family: Option<&'a str>,
    pub option: &'a str,
    /// Its value; to remove it, only that with this value.
    pub value: Option<&'a str>,
    pub present: bool,
}

fn is_list(option: &str) -> bool {
    LISTS.contains(&option)
}

/// The lines that belong to interfaces.
fn parse(text: &str) -> Vec<Line<'_>> {
    let mut list = Vec::new();
    let mut current: Option<(&str, &str)> = None;
    for (at, line) in text.lines().enumerate() {
        let trimmed = line.trim();
        let (word, rest) = trimmed.split_once(char::is_whitespace).unwrap_or((trimmed, ""));
        if word.is_empty() || word.starts_with('#') {
            continue;
        }
        match word {
            "iface" => {
                let mut words = rest.split_whitespace();
                let (iface, family, method) = (words.next(), words.next(), words.next());
                current = iface.map(|iface| (iface, family.unwrap_or_default()));
                if let Some((iface, family)) = current {
                    list.push(Line { at, iface, family, option: "method", value: method.unwrap_or_default(), first: true });
                }
            }
            "mapping" | "auto" | "source" | "source-dir" | "source-directory" | "no-auto-down" | "no-scripts" => current = None,
            _ if word.starts_with("allow-") => current = None,
            option => {
                if let Some((iface, family)) = current {
                    list.push(Line { at, iface, family, option, value: rest.trim(), first: false });
                }
            }
        }
    }
    list
}

/// All interfaces and their options; of several with one name the last.
pub(super) fn interfaces(text: &str) -> Map<String, Value> {
    let mut all = Map::new();
    for line in parse(text) {
        if line.first {
            let lists = LISTS.iter().map(|name| ((*name).to_owned(), Value::Array(Vec::new())));
            let mut options: Map<String, Value> = lists.collect();
            options.insert("address_family".into(), line.family.into());
            options.insert("method".into(), line.value.into());
            all.insert(line.iface.to_owned(), options.into());
        } else if let Some(options) = all.get_mut(line.iface).and_then(Value::as_object_mut) {
            match options.get_mut(line.option) {
                Some(Value::Array(list)) => list.push(line.value.into()),
                _ => drop(options.insert(line.option.into(), line.value.into())),
            }
        }
    }
    all
}

/// A line with another last part: blanks in front of it and comments after it do not count as it.
fn with_value(line: &str, old: &str, new: &str, first: bool) -> String {
    let option_end = if first {
        // `iface NAME FAMILY METHOD`: the value is the fourth word.
        line.rfind(old).unwrap_or(line.len())
    } else {
        let start = line.len() - line.trim_start().len();
        let word = line[start..].find(char::is_whitespace).map_or(line.len(), |length| start + length);
        line[word..].find(|c: char| !c.is_whitespace()).map_or(line.len(), |blanks| word + blanks)
    };
    let (head, tail) = line.split_at(option_end);
    let blank = if head.ends_with(char::is_whitespace) { "" } else { " " };
    format!("{head}{blank}{new}{}", tail.strip_prefix(old).unwrap_or_default().trim_end())
}

/// The text with the option as it should be; an error in words.
pub(super) fn edit(text: &str, wish: &Wish<'_>) -> Result<String, String> {
    let lines: Vec<Line<'_>> = parse(text)
        .into_iter()
        .filter(|line| line.iface == wish.iface && wish.family.is_none_or(|family| family == line.family))
        .collect();
    let Some(last) = lines.last() else { return Err(format!("Error: interface {} not found", wish.iface)) };
    let options: Vec<&Line<'_>> = lines.iter().filter(|line| line.option == wish.option).collect();
    let mut all: Vec<String> = text.lines().map(str::to_owned).collect();
    if !wish.present {
        if wish.option == "method" {
            return Err("the method of an interface cannot be removed".to_owned());
        }
        let gone = |at: usize| options.iter().any(|line| line.at == at && wish.value.is_none_or(|value| value == line.value));
        let kept = all.iter().enumerate().filter(|(at, _)| !gone(*at)).map(|(_, line)| line.as_str());
        return Ok(joined(kept, text));
    }
    let value = wish.value.unwrap_or_default();
    match options.last() {
        Some(_) if is_list(wish.option) && options.iter().any(|line| line.value == value) => return Ok(text.to_owned()),
        Some(line) if !is_list(wish.option) => {
            if line.value == value {
                return Ok(text.to_owned());
            }
            all[line.at] = with_value(&all[line.at], line.value, value, line.first);
        }
        _ => {
            let before = &all[last.at];
            let indent = &before[..before.len() - before.trim_start().len()];
            let indent = if last.first { "    " } else { indent };
            // Of several lines of an option the new one is the last.
            all.insert(last.at + 1, format!("{indent}{} {value}", wish.option));
        }
    }
    Ok(joined(all.iter().map(String::as_str), text))
}

/// Lines as a text; one that stays the same keeps its end.
fn joined<'a>(lines: impl Iterator<Item = &'a str>, old: &str) -> String {
    let new = lines.fold(String::new(), |text, line| text + line + "\n");
    if new.trim_end_matches('\n') == old.trim_end_matches('\n') { old.to_owned() } else { new }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "auto lo\niface lo inet loopback\n\nauto eth0 eth1\niface eth0 inet static\n    address 1.2.3.4\n  \
                        up route add a\n  up  route add b\n    mtu\t1500\n# c\niface eth0 inet6 auto\niface eth1 inet manual\n";

    #[test]
    fn options_are_edited() {
        for (iface, family, option, value, present, from, to) in [
            ("eth0", None, "mtu", Some("9000"), true, "mtu\t1500", "mtu\t9000"),
            ("eth0", None, "mtu", Some("1500"), true, "", ""),
            ("eth0", None, "mtu", None, false, "    mtu\t1500\n", ""),
            ("eth0", None, "mtu", Some("9000"), false, "", ""),
            ("eth0", None, "up", Some("route add b"), true, "", ""),
            ("eth0", None, "up", Some("route add a"), false, "  up route add a\n", ""),
            ("eth1", None, "up", Some("x y"), true, "eth1 inet manual\n", "eth1 inet manual\n    up x y\n"),
            ("eth0", Some("inet"), "up", Some("x"), true, "mtu\t1500\n", "mtu\t1500\n    up x\n"),
            ("eth0", Some("inet6"), "method", Some("manual"), true, "inet6 auto", "inet6 manual"),
            ("eth0", Some("inet"), "address", Some("1.2.3.5"), true, "1.2.3.4", "1.2.3.5"),
        ] {
            let wish = Wish { iface, family, option, value, present };
            assert_eq!(edit(TEXT, &wish), Ok(TEXT.replacen(from, to, 1)), "{wish:?}");
        }
        let wish = Wish { iface: "eth7", family: None, option: "mtu", value: Some("1"), present: true };
        assert!(edit(TEXT, &wish).is_err());
    }

    #[test]
    fn interfaces_are_told() {
        let all = Value::from(interfaces(TEXT));
        assert_eq!(all["eth0"]["address_family"], "inet6");
        assert_eq!(all["lo"]["method"], "loopback");
        let all = Value::from(interfaces(TEXT.split("# c").next().unwrap()));
        assert_eq!(all["eth0"]["up"], serde_json::json!(["route add a", "route add b"]));
        assert_eq!(all["eth0"]["mtu"], "1500");
    }
}
