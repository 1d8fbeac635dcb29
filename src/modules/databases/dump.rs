//! Files with dumps: compressed by the end of their names, and old or new, never in between.

use std::path::{Path, PathBuf};

use crate::commands::process::{streams, succeed};
use crate::host::{CommandLine, Effect, Host, Output, split_command};
use crate::outcome::Failure;
use crate::resource::Written;

/// The end of a file's name.
pub(super) fn ending(target: &Path) -> &str {
    target.extension().and_then(|extension| extension.to_str()).unwrap_or_default()
}

/// The program for this kind of compressed file, and how it is told to keep no packed original.
fn compressor(target: &Path) -> Option<&'static [&'static str]> {
    match ending(target) {
        "gz" => Some(&["gzip", "-f"]),
        "bz2" => Some(&["bzip2", "-f"]),
        "xz" => Some(&["xz", "-f"]),
        "zst" => Some(&["zstd", "-q", "-f", "--rm"]),
        _ => None,
    }
}

/// A name beside the target for what is not finished. It keeps the end, by which compressors go.
fn beside(target: &Path) -> PathBuf {
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    target.with_file_name(format!(".stead-{}-{name}", std::process::id()))
}

/// The words of options that a playbook has as one text.
pub(super) fn words(options: &[&str]) -> Result<Vec<String>, Failure> {
    let split = |options: &&str| {
        split_command(options).ok_or_else(|| Failure::new(format!("a quotation mark is not closed in `{options}`")))
    };
    Ok(options.iter().map(split).collect::<Result<Vec<_>, _>>()?.concat())
}

/// A path that cannot be taken for an option.
pub(super) fn plain(path: &Path) -> String {
    if path.is_absolute() { path.display().to_string() } else { format!("./{}", path.display()) }
}

fn clean(paths: &[&Path], host: &mut dyn Host) -> Result<(), Failure> {
    for path in paths {
        if host.acts() && host.stat(path)?.is_some() {
            host.remove(path)?;
        }
    }
    Ok(())
}

/// Makes the file: `line` is given the name to write to, which takes the place of `target` when all is done.
pub(super) fn make(
    target: &Path,
    line: &dyn Fn(&Path) -> Result<CommandLine, Failure>,
    host: &mut dyn Host,
) -> Result<Written, Failure> {
    let finished = beside(target);
    let part = if compressor(target).is_some() { finished.with_extension("") } else { finished.clone() };
    let line = line(&part)?;
    let done = [Effect::File(target.to_owned(), Vec::new(), 0o644)];
    let steps = |host: &mut dyn Host| {
        let output = succeed(host, &line, &[])?;
        if let Some(program) = compressor(target) {
            let part = plain(&part);
            succeed(host, &CommandLine::new(program.iter().copied().chain(["--", &part])), &[])?;
        }
        succeed(host, &CommandLine::new(["mv", "-f", "--", &plain(&finished), &plain(target)]), &done)?;
        Ok(output)
    };
    match steps(host) {
        Ok(output) => Ok(said(&line, &output)),
        Err(failure) => {
            clean(&[&part, &finished], host)?;
            Err(failure)
        }
    }
}

/// Takes the file: `line` is given the name of one that is not compressed.
pub(super) fn take(
    target: &Path,
    line: &dyn Fn(&Path) -> Result<CommandLine, Failure>,
    host: &mut dyn Host,
) -> Result<Written, Failure> {
    if host.stat(target)?.is_none() {
        return Err(Failure::at("restore from", target, "No such file or directory"));
    }
    let run = |path: &Path, host: &mut dyn Host| {
        let line = line(path)?;
        let output = succeed(host, &line, &[])?;
        Ok(said(&line, &output))
    };
    let Some(program) = compressor(target) else { return run(target, host) };
    let packed = beside(target);
    let unpacked = packed.with_extension("");
    let steps = |host: &mut dyn Host| {
        succeed(host, &CommandLine::new(["cp", "-p", "--", &plain(target), &plain(&packed)]), &[])?;
        let name = plain(&packed);
        succeed(host, &CommandLine::new(program.iter().copied().chain(["-d", "--", &name])), &[])?;
        run(&unpacked, host)
    };
    let taken = steps(host);
    clean(&[&packed, &unpacked], host)?;
    taken
}

/// The result fields of a dump or a restore.
pub(super) fn said(line: &CommandLine, output: &Output) -> Written {
    let command = line.argv.join(" ");
    let mut written = Written::quiet().with("cmd", command.as_str()).with("rc", 0).with("msg", output.text().trim());
    streams(&mut written.result, &output.text(), &output.error_text());
    written.with("executed_commands", vec![command])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::memory::MemoryHost;

    #[test]
    fn a_dump_takes_its_place_when_it_is_done() {
        let mut host = MemoryHost::default();
        host.add_file("/d/a.sql.gz", "old");
        let line = |path: &Path| Ok(CommandLine::new(["pg_dump", &plain(path)]));
        make(Path::new("/d/a.sql.gz"), &line, &mut host).unwrap();
        let ran: Vec<&str> = host.ran.iter().map(|line| line.argv[0].as_str()).collect();
        assert_eq!(ran, ["pg_dump", "gzip", "mv"]);
        assert!(host.ran[0].argv[1].ends_with("-a.sql") && host.ran[2].argv[3].ends_with("-a.sql.gz"));
        host.answer(&["pg_dump", "*"], 1, "no");
        host.add_file("/d/a.sql.gz", "old");
        assert!(make(Path::new("/d/a.sql.gz"), &line, &mut host).is_err());
        assert_eq!(host.text("/d/a.sql.gz").as_deref(), Some("old"));
        host.ran.clear();
        take(Path::new("/d/a.sql.gz"), &line, &mut host).unwrap_err();
        let ran: Vec<&str> = host.ran.iter().map(|line| line.argv[0].as_str()).collect();
        assert_eq!(ran, ["cp", "gzip", "pg_dump"]);
    }

    #[test]
    fn options_are_words() {
        assert!(words(&["--a 'b c'", "'"]).is_err());
        assert_eq!(words(&["--a 'b c'", ""]).unwrap(), ["--a", "b c"]);
        assert_eq!(plain(Path::new("-x")), "./-x");
    }
}
