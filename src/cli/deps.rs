//! `stead deps`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use stead::deps::{Installer, Lock, Verdict, read, verify};
use stead::run::escape::escape_line;
use stead::source::SourceMap;

use super::environment::Environment;
use super::prepare::show;
use super::{USAGE, complain};

/// Something that is installed differs from the lock file, or is not there.
const DIFFERS: u8 = 2;

/// Install roles and collections that `requirements.yml` names, and lock them by content.
#[derive(Debug, Args)]
pub(crate) struct Deps {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Install what the requirements name; what is locked is installed exactly as it was.
    Install(Install),
    /// Compare what is installed with the lock file. Exit code 2 when something differs.
    Verify(Places),
}

#[derive(Debug, Args)]
struct Install {
    /// The requirements.
    #[arg(short, long = "requirements", value_name = "FILE", default_value = "requirements.yml")]
    requirements: PathBuf,
    #[command(flatten)]
    places: Places,
    /// Fetch nothing: install from the cache and from this machine's files.
    #[arg(long)]
    offline: bool,
    /// Fail rather than change the lock file.
    #[arg(long, conflicts_with = "update")]
    locked: bool,
    /// Fetch anew what is locked, and lock what is found.
    #[arg(long, conflicts_with = "offline")]
    update: bool,
    /// Replace what was changed by hand; the changed one is kept in `.replaced` beside it.
    #[arg(long)]
    force: bool,
}

#[derive(Debug, Args)]
struct Places {
    /// Directory of roles.
    #[arg(short = 'p', long, value_name = "DIRECTORY", default_value = "roles")]
    roles_path: PathBuf,
    /// Directory of collections.
    #[arg(long, value_name = "DIRECTORY", default_value = "collections")]
    collections_path: PathBuf,
    /// The lock file.
    #[arg(long, value_name = "FILE", default_value = "stead.lock")]
    lock: PathBuf,
}

impl Deps {
    pub(crate) fn run(self) -> ExitCode {
        match self.command {
            Command::Install(command) => command.run(),
            Command::Verify(places) => places.verify(),
        }
    }
}

impl Places {
    fn installer(&self) -> Installer {
        let environment = Environment::bare();
        let cache = environment.get("XDG_CACHE_HOME").map(PathBuf::from);
        let cache = cache.or_else(|| environment.home.as_ref().map(|home| home.join(".cache")));
        Installer {
            roles: self.roles_path.clone(),
            collections: self.collections_path.clone(),
            cache: cache.map(|cache| cache.join("stead/deps")),
            offline: false,
            locked: false,
            update: false,
            force: false,
        }
    }

    fn verify(&self) -> ExitCode {
        let lock = match Lock::read(&self.lock) {
            Ok(lock) => lock,
            Err(error) => return complain(&error.to_string(), None),
        };
        if lock.items.is_empty() {
            return complain(&format!("nothing is locked in `{}`", self.lock.display()), Some("`stead deps install` locks"));
        }
        match verify(&self.installer(), &lock) {
            Ok(found) => {
                for (locked, verdict) in &found {
                    let word = match verdict {
                        Verdict::Same => "as locked",
                        Verdict::Changed => "CHANGED since it was installed",
                        Verdict::Missing => "MISSING",
                    };
                    anstream::println!("{} {}: {word}", locked.kind.word(), escape_line(&locked.name));
                }
                let same = found.iter().all(|(_, verdict)| *verdict == Verdict::Same);
                if same { ExitCode::SUCCESS } else { ExitCode::from(DIFFERS) }
            }
            Err(error) => complain(&error.to_string(), None),
        }
    }
}

impl Install {
    fn run(self) -> ExitCode {
        let map = SourceMap::default();
        let (requirements, diagnostics) = read(&map, &self.requirements);
        if show(&diagnostics, &map) {
            return ExitCode::from(USAGE);
        }
        let mut lock = match Lock::read(&self.places.lock) {
            Ok(lock) => lock,
            Err(error) => return complain(&error.to_string(), None),
        };
        let (offline, locked, update, force) = (self.offline, self.locked, self.update, self.force);
        let installer = Installer { offline, locked, update, force, ..self.places.installer() };
        let mut code = ExitCode::SUCCESS;
        let before = lock.clone();
        for requirement in &requirements {
            match installer.install(requirement, &mut lock) {
                Ok(done) => {
                    let verb = if done.changed { "installed" } else { "unchanged" };
                    let version = done.locked.version.as_ref().map(|version| format!(" {version}")).unwrap_or_default();
                    let kind = done.locked.kind.word();
                    let name = escape_line(&done.locked.name);
                    anstream::println!("{verb} {kind} {name}{} in {}", escape_line(&version), done.path.display());
                    if let Some(aside) = done.kept_aside {
                        anstream::println!("  what was there is kept in {}", aside.display());
                    }
                }
                Err(problem) => {
                    let what = requirement.name.clone().unwrap_or_else(|| requirement.source.to_string());
                    let text = stead::run::escape::escape_text(&problem.to_string());
                    code = complain(&format!("{} `{}`: {text}", requirement.kind.word(), escape_line(&what)), problem.hint());
                }
            }
        }
        if lock != before
            && let Err(error) = lock.write(&self.places.lock)
        {
            return complain(&error.to_string(), None);
        }
        code
    }
}
