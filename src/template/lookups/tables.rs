//! Lookups in INI and CSV files.

use super::{Lookup, lookup, project_file, words};
use crate::template::error::fail;
use crate::template::eval::Interpreter;
use crate::template::regexes::{self, Anchor, Flags};
use crate::template::val::{Args, Res, Val};

pub(super) const LOOKUPS: &[Lookup] = &[lookup("ini", ini), lookup("csvfile", csv_file)];

/// Options from `key=value` words of the term and from named arguments.
fn options(it: &Interpreter<'_>, term: &Val, args: &[(std::sync::Arc<str>, Val)]) -> Res<(String, Vec<(String, String)>)> {
    let text = it.runtime.string(term)?;
    let (plain, mut options) = words(&text);
    for (name, value) in args {
        options.push((name.to_string(), it.runtime.string(value)?.to_string()));
    }
    Ok((plain.join(" "), options))
}

fn read(it: &Interpreter<'_>, name: &str) -> Res<String> {
    let path = project_file(it, "files", name)
        .ok_or_else(|| fail(format!("there is no file `{name}` where files of the project are searched")))?;
    super::files::read(it.runtime, &path)
}

fn is_true(text: &str) -> bool {
    matches!(text.to_lowercase().as_str(), "true" | "yes" | "1" | "on")
}

fn ini(it: &Interpreter<'_>, terms: Vec<Val>, args: &mut Args) -> Res<Vec<Val>> {
    let named = args.rest_named();
    let mut out = Vec::new();
    for term in &terms {
        let (key, options) = options(it, term, &named)?;
        let (mut file, mut section, mut default) = ("ansible.ini".to_owned(), "global".to_owned(), String::new());
        let (mut by_pattern, mut properties, mut case) = (false, false, false);
        for (name, value) in options {
            match name.as_str() {
                "file" => file = value,
                "section" => section = value,
                "default" => default = value,
                "re" => by_pattern = is_true(&value),
                "type" => properties = value == "properties",
                "case_sensitive" => case = is_true(&value),
                "encoding" if value.to_lowercase().replace('-', "") == "utf8" => {}
                "allow_none" | "interpolation" => {}
                other => return Err(fail(format!("there is no option `{other}`"))),
            }
        }
        let text = read(it, &file)?;
        let has_section = text.lines().any(|line| line.trim() == format!("[{section}]"));
        if !properties && section != "global" && !has_section {
            return Err(fail(format!("`{file}` has no section `{section}`")));
        }
        let entries = entries(&text, &section, properties)?;
        let fold = |name: &str| if case { name.to_owned() } else { name.to_lowercase() };
        if by_pattern {
            let flags = Flags { ignore_case: !case, multiline: false };
            let regex = regexes::compile(it.runtime, &key, flags, Anchor::Start)?;
            for (name, value) in &entries {
                if regex.is_match(it.runtime, name)? {
                    out.push(Val::str(value.as_str()));
                }
            }
        } else {
            let found = entries.iter().rfind(|(name, _)| fold(name) == fold(&key));
            out.push(Val::str(found.map_or(default.as_str(), |(_, value)| value.as_str())));
        }
    }
    Ok(out)
}

/// Names and values of one section; a properties file has one section only.
fn entries(text: &str, section: &str, properties: bool) -> Res<Vec<(String, String)>> {
    let mut out: Vec<(String, String)> = Vec::new();
    let mut inside = properties;
    for line in text.lines() {
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = trimmed.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
            inside = properties || name == section;
            continue;
        }
        if !inside {
            continue;
        }
        if line.starts_with([' ', '\t'])
            && !properties
            && let Some((_, value)) = out.last_mut()
        {
            value.push('\n');
            value.push_str(trimmed);
            continue;
        }
        match trimmed.find(['=', ':']) {
            Some(at) => out.push((trimmed[..at].trim().to_owned(), trimmed[at + 1..].trim().to_owned())),
            None => return Err(fail(format!("`{trimmed}` is neither a section nor `name = value`"))),
        }
    }
    Ok(out)
}

fn csv_file(it: &Interpreter<'_>, terms: Vec<Val>, args: &mut Args) -> Res<Vec<Val>> {
    let named = args.rest_named();
    let mut out = Vec::new();
    for term in &terms {
        let (key, options) = options(it, term, &named)?;
        let (mut file, mut delimiter, mut default) = ("ansible.csv".to_owned(), '\t', None);
        let (mut column, mut key_column) = (1_usize, 0_usize);
        for (name, value) in options {
            let number = || value.parse().map_err(|_| fail(format!("`{value}` is not a column's number")));
            match name.as_str() {
                "file" => file = value,
                "delimiter" => {
                    delimiter = match value.as_str() {
                        "TAB" | "\\t" | "t" => '\t',
                        other => other.chars().next().unwrap_or('\t'),
                    }
                }
                "col" => column = number()?,
                "keycol" => key_column = number()?,
                "default" => default = Some(value),
                "encoding" if value.to_lowercase().replace('-', "") == "utf8" => {}
                other => return Err(fail(format!("there is no option `{other}`"))),
            }
        }
        let rows = rows(&read(it, &file)?, delimiter);
        let row = rows.iter().find(|row| row.get(key_column).is_some_and(|own| *own == key));
        match (row.and_then(|row| row.get(column)), default) {
            (Some(value), _) => out.push(Val::str(value.as_str())),
            (None, Some(default)) => out.push(Val::str(default)),
            (None, None) => {}
        }
    }
    Ok(out)
}

fn rows(text: &str, delimiter: char) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut cell, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                cell.push('"');
            }
            '"' if quoted || cell.is_empty() => quoted = !quoted,
            c if c == delimiter && !quoted => row.push(std::mem::take(&mut cell)),
            '\r' if !quoted => {}
            '\n' if !quoted => {
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            c => cell.push(c),
        }
    }
    if !cell.is_empty() || !row.is_empty() {
        row.push(cell);
        rows.push(row);
    }
    rows
}
