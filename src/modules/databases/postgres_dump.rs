//! Dumping a PostgreSQL database to a file, and filling it from one.

use std::path::{Path, PathBuf};

use super::postgres::Login;
use crate::commands::process::{streams, succeed};
use crate::host::{CommandLine, Effect, Host, split_command};
use crate::outcome::Failure;
use crate::resource::Written;

/// The format of a dump, by the end of the file's name.
fn format(target: &Path) -> &'static str {
    match ending(target) {
        "tar" => "tar",
        "pgc" => "custom",
        "dir" => "directory",
        _ => "plain",
    }
}

fn ending(target: &Path) -> &str {
    target.extension().and_then(|extension| extension.to_str()).unwrap_or_default()
}

/// The program for this kind of compressed file.
fn compressor(target: &Path) -> Option<&'static str> {
    match ending(target) {
        "gz" => Some("gzip"),
        "bz2" => Some("bzip2"),
        "xz" => Some("xz"),
        _ => None,
    }
}

/// A name beside the target for what is not finished. It keeps the end, by which compressors go.
fn beside(target: &Path) -> PathBuf {
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    target.with_file_name(format!(".stead-{}-{name}", std::process::id()))
}

fn words(options: &[&str]) -> Result<Vec<String>, Failure> {
    let split = |options: &&str| {
        split_command(options).ok_or_else(|| Failure::new(format!("a quotation mark is not closed in `{options}`")))
    };
    Ok(options.iter().map(split).collect::<Result<Vec<_>, _>>()?.concat())
}

fn path(path: &Path) -> String {
    // A path can begin with a dash, options begin with nothing else.
    if path.is_absolute() { path.display().to_string() } else { format!("./{}", path.display()) }
}

/// Writes a database to a file. A compressed or plain file is old or new, never in between.
pub(super) fn dump(
    login: &Login<'_>,
    database: &str,
    target: &Path,
    options: &[&str],
    host: &mut dyn Host,
) -> Result<Written, Failure> {
    let format = format(target);
    let mut part = beside(target);
    let mut argv = vec!["pg_dump".to_owned(), "-w".into(), format!("--format={format}")];
    argv.extend(words(options)?);
    if let Some(role) = login.role {
        argv.push(format!("--role={role}"));
    }
    if compressor(target).is_some() {
        part.set_extension("");
    }
    // A directory cannot be replaced by another in one step: `pg_dump` itself makes it.
    let file = if format == "directory" { target } else { &part };
    argv.push(format!("--file={}", path(file)));
    let line = login.program(argv, database)?;
    let done = Effect::File(target.to_owned(), Vec::new(), 0o644);
    let finish = |host: &mut dyn Host| {
        let output = succeed(host, &line, &[])?;
        if let Some(program) = compressor(target) {
            succeed(host, &CommandLine::new([program, "-f", "--", &path(&part)]), &[])?;
        }
        let effects = if format == "directory" { Effect::Directory(target.to_owned(), 0o755, 0, 0) } else { done };
        if format != "directory" {
            let finished = if compressor(target).is_some() { beside(target) } else { part.clone() };
            succeed(host, &CommandLine::new(["mv", "-f", "--", &path(&finished), &path(target)]), &[effects])?;
        }
        Ok(output)
    };
    let output = match finish(host) {
        Ok(output) => output,
        Err(failure) => {
            for rest in [&part, &beside(target)] {
                if host.stat(rest).is_ok_and(|found| found.is_some()) {
                    host.remove(rest)?;
                }
            }
            return Err(failure);
        }
    };
    Ok(said(&line, &output.text(), &output.error_text()))
}

/// Fills a database from a file.
pub(super) fn restore(
    login: &Login<'_>,
    database: &str,
    target: &Path,
    options: &str,
    host: &mut dyn Host,
) -> Result<Written, Failure> {
    if host.stat(target)?.is_none() {
        return Err(Failure::at("restore from", target, "No such file or directory"));
    }
    let Some(program) = compressor(target) else { return fill(login, database, target, options, host) };
    let packed = beside(target);
    let plain = packed.with_extension("");
    succeed(host, &CommandLine::new(["cp", "-p", "--", &path(target), &path(&packed)]), &[])?;
    let unpacked = succeed(host, &CommandLine::new([program, "-d", "-f", "--", &path(&packed)]), &[]);
    let filled = unpacked.and_then(|_| fill(login, database, &plain, options, host));
    for rest in [&packed, &plain] {
        if host.acts() && host.stat(rest)?.is_some() {
            host.remove(rest)?;
        }
    }
    filled
}

fn fill(login: &Login<'_>, database: &str, file: &Path, options: &str, host: &mut dyn Host) -> Result<Written, Failure> {
    let format = format(file);
    let mut argv: Vec<String> = if format == "plain" {
        ["psql", "-X", "-w", "-q"].map(Into::into).to_vec()
    } else {
        vec!["pg_restore".into(), "-w".into(), format!("--format={format}"), format!("--dbname={}", connection(database))]
    };
    argv.extend(words(&[options])?);
    match (login.role, format) {
        (Some(role), "plain") => argv.extend(["-c".into(), format!("SET ROLE {}", super::sql::identifier(role))]),
        (Some(role), _) => argv.push(format!("--role={role}")),
        (None, _) => {}
    }
    argv.push(if format == "plain" { format!("--file={}", path(file)) } else { path(file) });
    let line = login.program(argv, database)?;
    let output = succeed(host, &line, &[])?;
    Ok(said(&line, &output.text(), &output.error_text()))
}

/// A database as `pg_restore` has to be told: names that look like something else are written out.
fn connection(database: &str) -> String {
    format!("dbname='{}'", database.replace('\\', "\\\\").replace('\'', "\\'"))
}

fn said(line: &CommandLine, stdout: &str, stderr: &str) -> Written {
    let mut written = Written::quiet().with("cmd", line.argv.join(" ")).with("rc", 0).with("msg", stdout.trim());
    streams(&mut written.result, stdout, stderr);
    written.with("executed_commands", vec![line.argv.join(" ")])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_the_file_says_the_format() {
        for (name, expected, program) in [
            ("/a/b.sql", "plain", None),
            ("/a/b.sql.gz", "plain", Some("gzip")),
            ("b.tar", "tar", None),
            ("b.pgc", "custom", None),
            ("b.dir", "directory", None),
            ("b.xz", "plain", Some("xz")),
        ] {
            assert_eq!((format(Path::new(name)), compressor(Path::new(name))), (expected, program), "{name}");
        }
        assert_eq!(connection("a'b=c"), "dbname='a\\'b=c'");
        assert!(words(&["--a 'b c'", "'"]).is_err());
        assert_eq!(words(&["--a 'b c'", ""]).unwrap(), ["--a", "b c"]);
    }
}
