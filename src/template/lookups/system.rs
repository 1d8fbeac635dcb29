//! Lookups of variables, the environment, commands and secrets on the controller.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::{Lookup, flattened, lookup, words};
use crate::template::crypt::{self, Scheme};
use crate::template::error::{Fault, fail};
use crate::template::eval::Interpreter;
use crate::template::filters;
use crate::template::lookups::files::matches_glob;
use crate::template::regexes::{self, Anchor, Flags};
use crate::template::val::{Args, Res, Val};

pub(super) const LOOKUPS: &[Lookup] = &[
    lookup("env", env),
    lookup("vars", vars),
    lookup("varnames", var_names),
    lookup("pipe", |it, terms, _| {
        terms.iter().map(|term| Ok(Val::str(run(it, &it.runtime.string(term)?)?.trim_end_matches('\n')))).collect()
    }),
    lookup("lines", |it, terms, _| {
        let mut out = Vec::new();
        for term in &terms {
            out.extend(run(it, &it.runtime.string(term)?)?.lines().map(Val::str));
        }
        Ok(out)
    }),
    lookup("password", password),
    lookup("inventory_hostnames", inventory_hostnames),
    lookup("url", |_, _, _| Err(fail("reading from the web in a template is not supported yet"))),
    lookup("config", |_, _, _| Err(fail("reading Ansible's configuration is not supported"))),
];

fn env(it: &Interpreter<'_>, terms: Vec<Val>, args: &mut Args) -> Res<Vec<Val>> {
    let default = args.named("default").unwrap_or_else(|| Val::str(""));
    let find = |term: &Val| {
        let name = it.runtime.string(term)?;
        let found = it.runtime.shared.settings.environment.get(name.split_whitespace().next().unwrap_or(""));
        Ok(found.map_or_else(|| default.clone(), |value| Val::str(value.as_str())))
    };
    terms.iter().map(find).collect()
}

fn vars(it: &Interpreter<'_>, terms: Vec<Val>, args: &mut Args) -> Res<Vec<Val>> {
    let runtime = it.runtime;
    let default = args.named("default");
    let mut out = Vec::new();
    for term in &terms {
        let Some(name) = term.as_str() else {
            return Err(fail(format!("a variable's name is text, not a `{}`", term.type_name())));
        };
        let value = match it.around.frame.get(name) {
            Some(value) => Some(value),
            None => runtime.variable(it.around.context, name)?,
        };
        match (value, &default) {
            (None | Some(Val::Undefined(_)), Some(default)) => out.push(default.clone()),
            (Some(value), _) => {
                runtime.solid(&value)?;
                out.push(value);
            }
            (None, None) => {
                return Err(Fault::Undefined(std::rc::Rc::new(it.not_defined(name, None))));
            }
        }
    }
    Ok(out)
}

fn var_names(it: &Interpreter<'_>, terms: Vec<Val>, _: &mut Args) -> Res<Vec<Val>> {
    let names = it.runtime.context(it.around.context).scope.names();
    let mut out = Vec::new();
    for term in &terms {
        let regex = regexes::compile(it.runtime, &it.runtime.string(term)?, Flags::default(), Anchor::Nowhere)?;
        for name in &names {
            if regex.is_match(it.runtime, name)? {
                out.push(Val::Str(std::sync::Arc::clone(name)));
            }
        }
    }
    Ok(out)
}

/// Runs a shell command on the controller, in the project's directory.
fn run(it: &Interpreter<'_>, command: &str) -> Res<String> {
    let settings = &it.runtime.shared.settings;
    let mut shell = Command::new("/bin/sh");
    shell.arg("-c").arg(command).stdin(Stdio::null()).stderr(Stdio::piped());
    if settings.base.is_dir() {
        shell.current_dir(&settings.base);
    }
    if !settings.environment.is_empty() {
        shell.env_clear().envs(&settings.environment);
    }
    let output = shell.output().map_err(|error| fail(format!("cannot run `{command}`: {error}")))?;
    it.runtime.bytes(output.stdout.len())?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(fail(format!("`{command}` ended with {}: {}", output.status, said.trim())));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A random password that is kept in a file: the file's content if it exists.
fn password(it: &Interpreter<'_>, terms: Vec<Val>, args: &mut Args) -> Res<Vec<Val>> {
    let runtime = it.runtime;
    let mut named = Vec::new();
    let seed = args.named("seed").filter(|seed| !matches!(seed, Val::Null));
    for name in ["length", "chars", "encrypt", "ident"] {
        if let Some(value) = args.named(name) {
            let text = if value.is_list() {
                runtime.items(&value)?.iter().map(|item| runtime.string(item)).collect::<Res<Vec<_>>>()?.join(",")
            } else {
                runtime.string(&value)?.to_string()
            };
            named.push((name.to_owned(), text));
        }
    }
    let mut out = Vec::new();
    for term in &terms {
        let text = runtime.string(term)?;
        let (plain, mut options) = words(&text);
        options.extend(named.iter().cloned());
        let (mut length, mut chars) = (20_usize, "ascii_letters,digits,.,:-_".to_owned());
        let (mut seed, mut encrypt, mut ident) = (seed.clone(), None, None);
        for (name, value) in options {
            match name.as_str() {
                "length" => length = value.parse().map_err(|_| fail(format!("`{value}` is not a length")))?,
                "chars" => chars = value,
                "seed" => seed = Some(Val::str(value)),
                "encrypt" => {
                    let scheme = Scheme::named(&value).ok_or_else(|| fail(format!("`{value}` is not a hash for passwords")))?;
                    encrypt = Some(scheme);
                }
                "ident" => ident = Some(value),
                other => return Err(fail(format!("there is no option `{other}`"))),
            }
        }
        let name = plain.join(" ");
        let path = if name.starts_with('/') { PathBuf::from(&name) } else { runtime.shared.settings.base.join(&name) };
        let store = name != "/dev/null";
        let known = if store { std::fs::read_to_string(&path).ok() } else { None };
        let known = known.as_deref().map(|known| known.trim_end_matches('\n'));
        let (known, salt) = match known.and_then(|known| known.split_once(" salt=")) {
            Some((known, salt)) => (Some(known), salt.split(" ident=").next()),
            None => (known, None),
        };
        let given = |password: &str, salt: &str| match encrypt {
            Some(scheme) => crypt::hash(scheme, password, salt, None, ident.as_deref()).map(Val::str).map_err(fail),
            None => Ok(Val::str(password)),
        };
        if let Some(known) = known
            && (salt.is_some() || encrypt.is_none())
        {
            out.push(given(known, salt.unwrap_or(""))?);
            continue;
        }
        runtime.bytes(length)?;
        let alphabet = alphabet(&chars);
        if alphabet.is_empty() {
            return Err(fail("there are no characters to choose from"));
        }
        let made = match (known, &seed) {
            (Some(known), _) => known.to_owned(),
            (None, Some(seed)) => filters::characters(runtime, seed.clone(), &alphabet, length)?,
            (None, None) => (0..length).map(|_| alphabet[rand::random_range(0..alphabet.len())]).collect(),
        };
        // With a hash its salt is kept too, so that the hash stays what it is.
        let salt = encrypt.map(Scheme::random_salt);
        let line = match (&salt, &ident) {
            (Some(salt), Some(ident)) => format!("{made} salt={salt} ident={ident}"),
            (Some(salt), None) => format!("{made} salt={salt}"),
            (None, _) => made.clone(),
        };
        if store {
            let write = || -> std::io::Result<()> {
                if let Some(parent) = path.parent() {
                    std::fs::create_dir_all(parent)?;
                }
                let mut options = std::fs::OpenOptions::new();
                options.write(true).create_new(known.is_none()).truncate(known.is_some()).mode(0o600);
                writeln!(options.open(&path)?, "{line}")
            };
            write().map_err(|error| fail(format!("cannot keep the password in `{}`: {error}", path.display())))?;
        }
        out.push(given(&made, salt.as_deref().unwrap_or(""))?);
    }
    Ok(out)
}

/// Characters of classes like `ascii_letters`, and others as they stand.
fn alphabet(chars: &str) -> Vec<char> {
    let mut out: Vec<char> = Vec::new();
    let mut add = |more: &mut dyn Iterator<Item = char>| {
        for c in more {
            if !out.contains(&c) {
                out.push(c);
            }
        }
    };
    if chars.contains(",,") {
        add(&mut [','].into_iter());
    }
    for part in chars.replace(",,", ",").split(',').filter(|part| !part.is_empty()) {
        match part {
            "ascii_letters" => add(&mut ('a'..='z').chain('A'..='Z')),
            "ascii_lowercase" => add(&mut ('a'..='z')),
            "ascii_uppercase" => add(&mut ('A'..='Z')),
            "digits" => add(&mut ('0'..='9')),
            "hexdigits" => add(&mut ('0'..='9').chain('a'..='f').chain('A'..='F')),
            "octdigits" => add(&mut ('0'..='7')),
            "punctuation" => add(&mut "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~".chars()),
            other => add(&mut other.chars()),
        }
    }
    out
}

/// Hosts of a pattern: names and groups, `*`, `:`, `&`, `!`.
fn inventory_hostnames(it: &Interpreter<'_>, terms: Vec<Val>, _: &mut Args) -> Res<Vec<Val>> {
    let runtime = it.runtime;
    let groups = runtime.variable(it.around.context, "groups")?.ok_or_else(|| fail("there is no inventory"))?;
    let members = |name: &str| -> Res<Vec<String>> {
        let mut out: Vec<String> = Vec::new();
        let name = if name == "*" { "all" } else { name };
        for (group, hosts) in runtime.mapping(&groups)? {
            let hosts =
                runtime.items(&hosts)?.iter().map(|host| Ok(runtime.string(host)?.to_string())).collect::<Res<Vec<_>>>()?;
            let whole = group.as_str().is_some_and(|group| matches_glob(name, group));
            for host in hosts {
                if (whole || matches_glob(name, &host)) && !out.contains(&host) {
                    out.push(host);
                }
            }
        }
        Ok(out)
    };
    let mut found: Vec<String> = Vec::new();
    let mut parts = Vec::new();
    for term in flattened(it, terms)? {
        parts.extend(runtime.string(&term)?.split([':', ',']).map(|part| part.trim().to_owned()));
    }
    // Additions first, then what must also hold, then what is left out.
    parts.sort_by_key(|part| match part.chars().next() {
        Some('&') => 1,
        Some('!') => 2,
        _ => 0,
    });
    for part in parts.iter().filter(|part| !part.is_empty()) {
        if let Some(name) = part.strip_prefix('&') {
            let others = members(name)?;
            found.retain(|host| others.contains(host));
        } else if let Some(name) = part.strip_prefix('!') {
            let others = members(name)?;
            found.retain(|host| !others.contains(host));
        } else {
            for host in members(part)? {
                if !found.contains(&host) {
                    found.push(host);
                }
            }
        }
    }
    Ok(found.into_iter().map(Val::str).collect())
}
