//! `composer`: packages of PHP projects.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::work::{self, Kind, Step as Package, Work};
use crate::args;
use crate::change::{Change, ResourceId};
use crate::claims::Claims;
use crate::commands::process;
use crate::host::{CommandLine, Host, Inspect};
use crate::outcome::Failure;
use crate::resource::{Resource, Step, Written};

args! {
    /// Manages the packages of a PHP project by `composer`.
    ///
    /// What `install`, `update`, `require` and `remove` would do is asked beforehand (`--dry-run`), so
    /// that they are run only where something is to be done. Other commands are run every time.
    pub struct Args {
        /// Command, e.g. `install` or `update`.
        command: String = "install".into(),
        /// Further words, e.g. a package with its version.
        arguments: Option<String>,
        /// Directory of the project.
        working_dir: Option<PathBuf>,
        /// Whether the packages are those of the user rather than of a project.
        global_command: bool = false,
        /// The composer that is run.
        composer_executable: Option<String>,
        /// The PHP that runs it.
        executable ("php_path"): Option<String>,
        /// Whether what is only needed for development stays away.
        no_dev: bool = true,
        /// Whether scripts of the project are not run.
        no_scripts: bool = false,
        /// Whether plugins are not run.
        no_plugins: bool = false,
        /// Whether packages are fetched as sources.
        prefer_source: bool = false,
        /// Whether packages are fetched as archives.
        prefer_dist: bool = false,
        /// Whether the map of classes is made beforehand.
        optimize_autoloader: bool = true,
        /// Whether classes are only loaded from that map.
        classmap_authoritative: bool = false,
        /// Whether what was found is kept in APCu.
        apcu_autoloader: bool = false,
        /// Whether requirements of PHP and its extensions are not heeded.
        ignore_platform_reqs: bool = false,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: What composer.json names
  composer:
    command: install
    working_dir: /var/www/app
- name: A package
  composer:
    command: require
    arguments: my/package
    working_dir: /var/www/app
";

/// The module.
pub struct Composer;

const PHP: Kind = Kind { word: "php-package", system: false };

impl Args {
    /// Whether the command can say what it would do.
    fn can_be_asked(&self) -> bool {
        ["install", "update", "require", "remove"].contains(&self.command.as_str())
    }

    fn line(&self) -> Result<CommandLine, Failure> {
        let mut argv: Vec<String> = self.executable.iter().cloned().collect();
        argv.push(self.composer_executable.clone().unwrap_or_else(|| "composer".into()));
        if argv.len() > 1 && !argv[1].contains('/') {
            return Err(Failure::new("with `executable` the path of composer is needed as `composer_executable`"));
        }
        argv.extend(self.global_command.then(|| "global".to_owned()));
        argv.push(self.command.clone());
        argv.extend(["--no-ansi", "--no-interaction"].map(String::from));
        let known = |commands: &[&str]| commands.contains(&self.command.as_str());
        let (whole, all) = (known(&["install", "update"]), self.can_be_asked());
        let loads = all || known(&["dump-autoload", "dumpautoload"]);
        let fetches = known(&["install", "update", "require", "create-project", "reinstall"]);
        let flags = [
            (fetches || all, "--no-progress"),
            (self.no_dev && (whole || known(&["create-project"])), "--no-dev"),
            (self.no_scripts, "--no-scripts"),
            (self.no_plugins, "--no-plugins"),
            (self.prefer_source && fetches, "--prefer-source"),
            (self.prefer_dist && fetches, "--prefer-dist"),
            (self.optimize_autoloader && all, "--optimize-autoloader"),
            (self.optimize_autoloader && loads && !all, "--optimize"),
            (self.classmap_authoritative && loads, "--classmap-authoritative"),
            (self.apcu_autoloader && loads, if all { "--apcu-autoloader" } else { "--apcu" }),
            (self.ignore_platform_reqs && (all || known(&["create-project"])), "--ignore-platform-reqs"),
        ];
        argv.extend(flags.iter().filter(|(is, _)| *is).map(|(_, flag)| (*flag).to_owned()));
        if let Some(directory) = self.working_dir.as_ref().filter(|_| !self.global_command) {
            argv.push(format!("--working-dir={}", directory.display()));
        }
        argv.extend(work::words("arguments", self.arguments.as_deref())?);
        Ok(CommandLine::new(argv))
    }

    fn label(&self, name: &str) -> String {
        match self.working_dir.as_ref().filter(|_| !self.global_command) {
            Some(directory) => format!("{name} in {}", directory.display()),
            None => name.to_owned(),
        }
    }
}

/// `  - Upgrading acme/lib (1.0.0 => 1.1.0): Extracting archive`; what is only locked does not count
/// where it is installed, too.
fn steps(text: &str) -> Vec<Package> {
    let mut steps: Vec<Package> = Vec::new();
    for line in text.lines() {
        let Some((verb, rest)) = line.strip_prefix("  - ").and_then(|rest| rest.split_once(' ')) else { continue };
        let Some((name, rest)) = rest.split_once(" (") else { continue };
        let versions = rest.split(')').next().unwrap_or_default();
        let (old, new) = versions.split_once(" => ").unwrap_or((versions, versions));
        let (before, after) = match verb {
            "Installing" | "Locking" => (None, Some(new.to_owned())),
            "Upgrading" | "Downgrading" | "Updating" => (Some(old.to_owned()), Some(new.to_owned())),
            "Removing" | "Uninstalling" => (Some(old.to_owned()), None),
            _ => continue,
        };
        steps.retain(|step| step.name != name);
        steps.push(Package::new(name, before, after));
    }
    steps
}

/// The packages that a command names, where it cannot be asked what it would do.
fn named(args: &Args) -> Vec<Package> {
    let after = (args.command != "remove").then(String::new);
    let words = work::words("arguments", args.arguments.as_deref()).unwrap_or_default();
    let names = words.iter().filter(|word| !word.starts_with('-')).map(|word| word.split([':', '=', ' ']).next().unwrap_or(word));
    let before = after.is_none().then(String::new);
    let mut steps: Vec<Package> = names.map(|name| Package::new(name, before.clone(), after.clone())).collect();
    if steps.is_empty() {
        steps.push(Package::new("packages of composer.json", None, Some(String::new())));
    }
    steps
}

impl Resource for Composer {
    type Args = Args;
    type State = Work;

    fn read(args: &Args, host: &dyn Inspect) -> Result<Work, Failure> {
        if args.command.is_empty() || args.command.starts_with('-') || args.command.contains(char::is_whitespace) {
            return Err(Failure::new("Use the 'arguments' param for passing arguments with the 'command'"));
        }
        if args.working_dir.is_none() && !args.global_command {
            return Err(Failure::new("global_command is False but all of the following are missing: working_dir"));
        }
        let line = args.line()?;
        let mut work = Work::default();
        if !args.can_be_asked() {
            work.run(line, Vec::new());
            return Ok(work);
        }
        let mut asked = line.clone();
        asked.argv.push("--dry-run".into());
        asked.deadline = Some(std::time::Duration::from_secs(600));
        let steps = match work::ask(&asked, "composer", host) {
            Ok(output) if output.rc == 0 => steps(&(output.text() + &output.error_text())),
            Ok(output) if host.acts() => return Err(process::failed(&line, &output)),
            Err(failure) if host.acts() => return Err(failure),
            // The project may be there only in the plan.
            _ => named(args),
        };
        let steps = steps.into_iter().map(|step| Package { name: args.label(&step.name), ..step }).collect();
        work.add(PHP, steps, line, host);
        Ok(work)
    }

    fn want(_: &Args, now: &Work) -> Result<Work, Failure> {
        Ok(now.done())
    }

    fn runs(args: &Args, _: &Work, _: &Work) -> Vec<Change> {
        let directory = args.working_dir.as_deref().unwrap_or(Path::new("")).display().to_string();
        let id = || ResourceId::new("composer", format!("{} {directory}", args.command).trim_end());
        (!args.can_be_asked()).then(|| Change::run(id())).into_iter().collect()
    }

    fn write(_: &Args, step: &Step<'_, Work>, host: &mut dyn Host) -> Result<Written, Failure> {
        step.now.carry_out(host)
    }

    fn result(_: &Args, before: &Work, _: &Work) -> Map<String, Value> {
        before.result.clone()
    }

    fn claims(_: &Args) -> Claims {
        Claims::everything()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Arguments;
    use crate::host::memory::MemoryHost;
    use crate::resource::converge;
    use serde_json::json;

    fn args(value: &Value) -> Args {
        Args::parse(value.as_object().unwrap()).unwrap()
    }

    #[test]
    fn a_dry_run_is_read() {
        let text = "Lock file operations: 1 install\n  - Locking acme/lib (1.0.0)\n  - Locking acme/dev (dev-main abc)\nPackage operations:\n\
                    \u{20} - Installing acme/lib (1.0.0): Mirroring from ./pkg\n  - Upgrading acme/two (1.0 => 1.1)\n  - Removing acme/old (3)\n";
        let step = |name: &str, before: Option<&str>, after: Option<&str>| {
            Package::new(name, before.map(str::to_owned), after.map(str::to_owned))
        };
        assert_eq!(
            steps(text),
            [
                step("acme/dev", None, Some("dev-main abc")),
                step("acme/lib", None, Some("1.0.0")),
                step("acme/two", Some("1.0"), Some("1.1")),
                step("acme/old", Some("3"), None),
            ]
        );
    }

    #[test]
    fn options_reach_the_command() {
        let options = json!({"command": "install", "working_dir": "/app", "prefer_dist": true, "arguments": "--no-cache 'a b'", "php_path": "/usr/bin/php8", "composer_executable": "/opt/composer.phar"});
        assert_eq!(
            args(&options).line().unwrap().argv.join(" "),
            "/usr/bin/php8 /opt/composer.phar install --no-ansi --no-interaction --no-progress --no-dev --prefer-dist --optimize-autoloader --working-dir=/app --no-cache a b"
        );
        let other = args(&json!({"command": "dump-autoload", "working_dir": "/app", "no_dev": false}));
        assert!(other.line().unwrap().argv.contains(&"--optimize".to_owned()));
    }

    #[test]
    fn other_commands_run_every_time() {
        let mut host = MemoryHost::default();
        let options = args(&json!({"command": "clear-cache", "working_dir": "/app"}));
        assert_eq!(
            converge::<Composer>(&options, &mut host).unwrap().changes[0].resource.to_string(),
            "composer clear-cache /app"
        );
        assert!(converge::<Composer>(&args(&json!({"command": "install --no-dev", "working_dir": "/app"})), &mut host).is_err());
        assert!(converge::<Composer>(&args(&json!({})), &mut host).is_err());
    }
}
