//! Dumping a PostgreSQL database to a file, and filling it from one.

use std::path::Path;

use super::dump::{self, ending, plain, words};
use super::postgres::Login;
use super::sql::identifier;
use crate::commands::process::succeed;
use crate::host::{CommandLine, Effect, Host};
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

/// Writes a database to a file.
pub(super) fn dump(
    login: &Login<'_>,
    database: &str,
    target: &Path,
    options: &[&str],
    host: &mut dyn Host,
) -> Result<Written, Failure> {
    let format = format(target);
    let options = words(options)?;
    let line = |path: &Path| {
        let mut argv = vec!["pg_dump".to_owned(), "-w".into(), format!("--format={format}")];
        argv.extend(options.iter().cloned());
        argv.extend(login.role.map(|role| format!("--role={role}")));
        argv.push(format!("--file={}", plain(path)));
        login.program(argv, database)
    };
    if format != "directory" {
        return dump::make(target, &line, host);
    }
    // A directory cannot be replaced by another in one step: `pg_dump` itself makes it.
    let line = line(target)?;
    let output = succeed(host, &line, &[Effect::Directory(target.to_owned(), 0o700, 0, 0)])?;
    Ok(dump::said(&line, &output))
}

/// Fills a database from a file.
pub(super) fn restore(
    login: &Login<'_>,
    database: &str,
    target: &Path,
    options: &str,
    host: &mut dyn Host,
) -> Result<Written, Failure> {
    let format = format(target);
    let options = words(&[options])?;
    let line = |path: &Path| -> Result<CommandLine, Failure> {
        let start: &[&str] = if format == "plain" { &["psql", "-X", "-w", "-q"] } else { &["pg_restore", "-w"] };
        let mut argv: Vec<String> = start.iter().map(|&word| word.to_owned()).collect();
        if format == "plain" {
            argv.extend(options.iter().cloned());
            argv.extend(login.role.into_iter().flat_map(|role| ["-c".into(), format!("SET ROLE {}", identifier(role))]));
            argv.push(format!("--file={}", plain(path)));
        } else {
            argv.extend([format!("--format={format}"), format!("--dbname={}", connection(database))]);
            argv.extend(options.iter().cloned());
            argv.extend(login.role.map(|role| format!("--role={role}")));
            argv.push(plain(path));
        }
        login.program(argv, database)
    };
    dump::take(target, &line, host)
}

/// A database as `pg_restore` has to be told: names that look like something else are written out.
fn connection(database: &str) -> String {
    format!("dbname='{}'", database.replace('\\', "\\\\").replace('\'', "\\'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_the_file_says_the_format() {
        for (name, expected) in
            [("/a/b.sql", "plain"), ("/a/b.sql.gz", "plain"), ("b.tar", "tar"), ("b.pgc", "custom"), ("b.dir", "directory")]
        {
            assert_eq!(format(Path::new(name)), expected, "{name}");
        }
        assert_eq!(connection("a'b=c"), "dbname='a\\'b=c'");
    }
}
