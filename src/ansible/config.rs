//! Settings: `ansible.cfg` found where Ansible finds it, `stead.toml` of the project, and the
//! environment, read by the table in `settings.rs`.
//!
//! The command line wins over the environment, that over `stead.toml`, that over `ansible.cfg`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::cfg_file;
use super::project_file::{self, PROJECT_FILE};
use super::settings::{self, Effect, Kind, PLUGIN_SECTIONS, SETTINGS, Setting};
use crate::source::{self, Diagnostic, Diagnostics, Mapping, Node, NodeValue, SourceMap, Span, suggest};

/// Where settings are looked for.
#[derive(Debug, Clone, Copy)]
pub struct Around<'a> {
    /// The environment.
    pub environment: &'a BTreeMap<String, String>,
    /// The current directory.
    pub directory: &'a Path,
    /// The user's home.
    pub home: Option<&'a Path>,
}

/// The value of a setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SettingValue {
    /// Yes or no.
    Flag(bool),
    /// A whole number.
    Number(i64),
    /// Text.
    Text(String),
    /// Texts.
    List(Vec<String>),
    /// A path.
    Path(PathBuf),
    /// Paths.
    Paths(Vec<PathBuf>),
}

impl std::fmt::Display for SettingValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Flag(value) => write!(f, "{value}"),
            Self::Number(value) => write!(f, "{value}"),
            Self::Text(value) => f.write_str(value),
            Self::List(values) => f.write_str(&values.join(", ")),
            Self::Path(path) => write!(f, "{}", path.display()),
            Self::Paths(paths) => {
                let shown: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
                f.write_str(&shown.join(", "))
            }
        }
    }
}

/// Where a setting was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettingOrigin {
    /// In a file: where its key stands.
    File(Span),
    /// In this variable of the environment.
    Environment(&'static str),
}

/// A setting that was made.
#[derive(Debug, Clone)]
pub struct Made {
    /// Which.
    pub setting: &'static Setting,
    /// Its value.
    pub value: SettingValue,
    /// Where.
    pub origin: SettingOrigin,
}

/// All settings that were made, the winner of each.
#[derive(Debug, Clone, Default)]
pub struct Config {
    map: SourceMap,
    files: Vec<PathBuf>,
    made: BTreeMap<&'static str, Made>,
    /// Keys of plugins: what was written, why it has no effect, where.
    foreign: Vec<(String, &'static str, Span)>,
}

impl Config {
    /// Reads all settings.
    pub fn read(around: &Around<'_>) -> (Self, Diagnostics) {
        let mut reader = Reader { around, config: Self::default(), diagnostics: Diagnostics::default() };
        if let Some(path) = reader.ansible_cfg() {
            reader.read_ansible_cfg(&path);
        }
        if let Some(path) = reader.project() {
            reader.read_project(&path);
        }
        reader.read_environment();
        (reader.config, reader.diagnostics)
    }

    /// The files that were read, for places.
    pub fn map(&self) -> &SourceMap {
        &self.map
    }

    /// Paths of the files that were read.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// Everything that was set, in the table's order.
    pub fn made(&self) -> impl Iterator<Item = &Made> {
        SETTINGS.iter().filter_map(|setting| self.made.get(setting.name))
    }

    /// Where a setting was made, in words.
    pub fn place(&self, origin: SettingOrigin) -> String {
        match origin {
            SettingOrigin::File(span) => self.map.place(span),
            SettingOrigin::Environment(name) => format!("{name} in the environment"),
        }
    }

    /// What was set and has no effect: its name, why, where.
    pub fn without_effect(&self) -> Vec<(String, &'static str, String)> {
        let made = self.made().filter_map(|made| match made.setting.effect {
            Effect::None(why) => Some((made.setting.name.to_owned(), why, self.place(made.origin))),
            _ => None,
        });
        made.chain(self.foreign.iter().map(|(name, why, span)| (name.clone(), *why, self.map.place(*span)))).collect()
    }

    fn value(&self, name: &str) -> Option<&SettingValue> {
        debug_assert!(settings::find(name).is_some(), "`{name}` is no setting");
        self.made.get(name).map(|made| &made.value)
    }

    /// A setting that is yes or no.
    pub fn flag(&self, name: &str) -> Option<bool> {
        match self.value(name)? {
            SettingValue::Flag(value) => Some(*value),
            _ => None,
        }
    }

    /// A setting that is a number.
    pub fn number(&self, name: &str) -> Option<i64> {
        match self.value(name)? {
            SettingValue::Number(value) => Some(*value),
            _ => None,
        }
    }

    /// A setting that is text.
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.value(name)? {
            SettingValue::Text(value) => Some(value),
            _ => None,
        }
    }

    /// A setting that is several texts.
    pub fn list(&self, name: &str) -> &[String] {
        match self.value(name) {
            Some(SettingValue::List(values)) => values,
            _ => &[],
        }
    }

    /// A setting that is a path.
    pub fn path(&self, name: &str) -> Option<&Path> {
        match self.value(name)? {
            SettingValue::Path(path) => Some(path),
            _ => None,
        }
    }

    /// A setting that is several paths; none if it was not made.
    pub fn paths(&self, name: &str) -> Option<&[PathBuf]> {
        match self.value(name)? {
            SettingValue::Paths(paths) => Some(paths),
            _ => None,
        }
    }

    /// Keywords of plays that do not have them themselves; their places are in `map`.
    pub fn play_defaults(&self, map: &SourceMap) -> Mapping {
        let mut entries = Vec::new();
        let names = ["strategy", "any_errors_fatal", "force_handlers", "no_log", "task_timeout", "remote_port", "become_flags"];
        for name in names.into_iter().chain(["gathering"]) {
            let Some(made) = self.made.get(name) else { continue };
            let (keyword, value) = match (name, &made.value) {
                ("gathering", SettingValue::Text(text)) => match text.as_str() {
                    "explicit" => ("gather_facts", NodeValue::Bool(false)),
                    "smart" => ("gather_facts", NodeValue::Str("smart".into(), source::Style::Plain)),
                    _ => continue,
                },
                ("task_timeout", SettingValue::Number(number)) if *number > 0 => ("timeout", NodeValue::Int(*number)),
                ("remote_port", SettingValue::Number(number)) => ("port", NodeValue::Int(*number)),
                (name, SettingValue::Flag(value)) => (name, NodeValue::Bool(*value)),
                (name, SettingValue::Text(text)) => (name, NodeValue::Str(text.as_str().into(), source::Style::Quoted)),
                _ => continue,
            };
            let span = self.span_in(map, made.origin);
            entries.push((Node::str(span, keyword), Node { span, value }));
        }
        Mapping { entries }
    }

    /// A setting's place in another map of files.
    fn span_in(&self, map: &SourceMap, origin: SettingOrigin) -> Span {
        match origin {
            SettingOrigin::File(span) => {
                let path = self.map.path(span.file);
                let file = map.find(&path).unwrap_or_else(|| map.add(&path, self.map.text(span.file)));
                Span { file, ..span }
            }
            SettingOrigin::Environment(name) => {
                let file = map.add(Path::new("<environment>"), name);
                Span { file, start: 0, end: name.len() as u32 }
            }
        }
    }
}

struct Reader<'a> {
    around: &'a Around<'a>,
    config: Config,
    diagnostics: Diagnostics,
}

impl Reader<'_> {
    /// `ANSIBLE_CONFIG`, the current directory (unless everybody may write there), the home, `/etc`.
    fn ansible_cfg(&mut self) -> Option<PathBuf> {
        use std::os::unix::fs::PermissionsExt as _;
        let mut candidates = Vec::new();
        if let Some(named) = self.around.environment.get("ANSIBLE_CONFIG").filter(|named| !named.is_empty()) {
            let path = self.resolve(named, None);
            candidates.push(if path.is_dir() { path.join("ansible.cfg") } else { path });
        }
        let here = self.around.directory.join("ansible.cfg");
        let open = std::fs::metadata(self.around.directory).is_ok_and(|meta| meta.permissions().mode() & 0o002 != 0);
        if !open {
            candidates.push(here.clone());
        } else if here.is_file() && !candidates.contains(&here) {
            let problem = format!("`{}` is ignored: everybody may write to its directory", here.display());
            let problem = Diagnostic::warning("world-writable-directory", problem);
            self.diagnostics.push(problem.hint("name it in ANSIBLE_CONFIG, or take the right away: `chmod o-w .`"));
        }
        candidates.extend(self.around.home.map(|home| home.join(".ansible.cfg")));
        candidates.push("/etc/ansible/ansible.cfg".into());
        candidates.into_iter().find(|path| path.is_file())
    }

    /// The nearest `stead.toml`, upward from the current directory.
    fn project(&self) -> Option<PathBuf> {
        self.around.directory.ancestors().map(|directory| directory.join(PROJECT_FILE)).find(|path| path.is_file())
    }

    fn load(&mut self, path: &Path) -> Option<source::FileId> {
        // Shorter in messages where it lies here.
        let shown = path.strip_prefix(self.around.directory).unwrap_or(path);
        match source::load(&self.config.map, path) {
            Ok(file) => {
                self.config.files.push(path.to_owned());
                Some(self.config.map.add(shown, self.config.map.text(file)))
            }
            Err(problem) => {
                self.diagnostics.push(*problem);
                None
            }
        }
    }

    fn read_ansible_cfg(&mut self, path: &Path) {
        let Some(file) = self.load(path) else { return };
        let (entries, problems) = cfg_file::parse(&self.config.map, file);
        self.diagnostics.extend(problems);
        for entry in entries {
            let written = format!("{}.{}", entry.section, entry.key);
            let Some(setting) = SETTINGS.iter().find(|setting| setting.ini.contains(&written.as_str())) else {
                match plugin_section(&entry.section) {
                    Some(why) => self.config.foreign.push((written, why, entry.span)),
                    None => self.unknown(&entry.section, &entry.key, entry.span),
                }
                continue;
            };
            // Of several keys for one setting, the one that the table names first wins.
            if let Some(made) = self.config.made.get(setting.name)
                && self.rank(setting, made.origin) < setting.ini.iter().position(|key| *key == written)
            {
                continue;
            }
            match self.convert(setting, unquoted(&entry.value), path.parent()) {
                Ok(value) => self.make(setting, value, SettingOrigin::File(entry.span), Some(entry.value_span)),
                Err(reason) => self.bad(setting, &reason, Some(entry.value_span)),
            }
        }
    }

    /// The place in the table of the key that was read.
    fn rank(&self, setting: &Setting, origin: SettingOrigin) -> Option<usize> {
        let SettingOrigin::File(span) = origin else { return None };
        let text = self.config.map.text(span.file);
        let key = text.get(span.start as usize..span.end as usize)?.to_lowercase();
        let section =
            text[..span.start as usize].lines().rev().find_map(|line| line.trim().strip_prefix('[')?.strip_suffix(']'))?;
        setting.ini.iter().position(|known| *known == format!("{section}.{key}"))
    }

    fn unknown(&mut self, section: &str, key: &str, span: Span) {
        let sections: Vec<&str> =
            SETTINGS.iter().flat_map(|setting| setting.ini).filter_map(|known| Some(known.split_once('.')?.0)).collect();
        let in_section = |known: &&'static str| known.split_once('.').filter(|(name, _)| *name == section).map(|(_, key)| key);
        let keys: Vec<&str> = SETTINGS.iter().flat_map(|setting| setting.ini).filter_map(in_section).collect();
        let (problem, hint) = if sections.contains(&section) {
            let elsewhere = SETTINGS.iter().flat_map(|setting| setting.ini).find(|known| known.ends_with(&format!(".{key}")));
            let elsewhere =
                elsewhere.and_then(|known| known.split_once('.')).map(|(name, _)| format!("it belongs to `[{name}]`"));
            let hint = elsewhere.or_else(|| suggest::did_you_mean(key, keys));
            (format!("there is no setting `{key}` in `[{section}]`"), hint)
        } else {
            (format!("there is no section `[{section}]` of settings"), suggest::did_you_mean(section, sections))
        };
        let mut problem = Diagnostic::warning("unknown-setting", problem).at(span, "not read");
        problem.hint = hint;
        self.diagnostics.push(problem);
    }

    fn read_project(&mut self, path: &Path) {
        let Some(file) = self.load(path) else { return };
        let (entries, problems) = project_file::parse(&self.config.map, file);
        self.diagnostics.extend(problems);
        for entry in entries {
            let value = self.located(entry.value, path.parent());
            self.make(entry.setting, value, SettingOrigin::File(entry.span), None);
        }
    }

    /// Paths of `stead.toml` start at its directory.
    fn located(&self, value: SettingValue, base: Option<&Path>) -> SettingValue {
        let resolved = |path: &PathBuf| self.resolve(&path.to_string_lossy(), base);
        match value {
            SettingValue::Path(path) => SettingValue::Path(resolved(&path)),
            SettingValue::Paths(paths) => SettingValue::Paths(paths.iter().map(resolved).collect()),
            other => other,
        }
    }

    fn read_environment(&mut self) {
        for setting in SETTINGS {
            for name in setting.environment {
                let Some(text) = self.around.environment.get(*name) else { continue };
                match self.convert(setting, text, None) {
                    Ok(value) => self.make(setting, value, SettingOrigin::Environment(name), None),
                    Err(reason) => self.bad(setting, &format!("{reason} ({name} in the environment)"), None),
                }
                break;
            }
        }
    }

    fn make(&mut self, setting: &'static Setting, value: SettingValue, origin: SettingOrigin, span: Option<Span>) {
        if let Effect::Only(allowed, why) = setting.effect {
            let said: Vec<String> = match &value {
                SettingValue::List(items) => items.iter().map(|item| item.to_lowercase()).collect(),
                other => vec![other.to_string().to_lowercase()],
            };
            if let Some(wrong) = said.iter().find(|word| !allowed.contains(&word.as_str())) {
                let problem = format!("the setting `{}` cannot be `{wrong}`", setting.name);
                let problem = Diagnostic::error("unsupported-setting", problem).hint(why);
                let problem = match (origin, span) {
                    (_, Some(span)) | (SettingOrigin::File(span), None) => problem.at(span, "set here"),
                    (SettingOrigin::Environment(name), None) => problem.hint(format!("{why} (set by {name} in the environment)")),
                };
                self.diagnostics.push(problem);
                return;
            }
        }
        self.config.made.insert(setting.name, Made { setting, value, origin });
    }

    fn bad(&mut self, setting: &Setting, reason: &str, span: Option<Span>) {
        let problem = Diagnostic::error("bad-setting", format!("the setting `{}` {reason}", setting.name));
        self.diagnostics.push(match span {
            Some(span) => problem.at(span, "this value"),
            None => problem,
        });
    }

    /// Text of a file or the environment as the setting wants it; `base` is the file's directory.
    fn convert(&self, setting: &Setting, text: &str, base: Option<&Path>) -> Result<SettingValue, String> {
        let parts = |separator: char| text.split(separator).map(str::trim).filter(|part| !part.is_empty());
        Ok(match setting.kind {
            Kind::Flag => SettingValue::Flag(flag(text).ok_or_else(|| format!("is `true` or `false`, not `{text}`"))?),
            Kind::Number => SettingValue::Number(text.trim().parse().map_err(|_| format!("is a whole number, not `{text}`"))?),
            Kind::Text if setting.name == "gathering" && !matches!(text, "implicit" | "explicit" | "smart") => {
                return Err(format!("is `implicit`, `explicit` or `smart`, not `{text}`"));
            }
            Kind::Text => SettingValue::Text(text.to_owned()),
            Kind::List => SettingValue::List(parts(',').map(str::to_owned).collect()),
            Kind::Path => SettingValue::Path(self.resolve(text, base)),
            Kind::Directories => SettingValue::Paths(parts(':').map(|part| self.resolve(part, base)).collect()),
            // A list of names of hosts is no path.
            Kind::Sources if text.trim_end().ends_with(',') => SettingValue::Paths(vec![PathBuf::from(text.trim())]),
            Kind::Sources => SettingValue::Paths(parts(',').map(|part| self.resolve(part, base)).collect()),
        })
    }

    /// A path with `~`, `$NAME` and `{{CWD}}` replaced; a relative one starts at `base`.
    fn resolve(&self, text: &str, base: Option<&Path>) -> PathBuf {
        let here = self.around.directory.to_string_lossy();
        let text = text.replace("{{CWD}}", &here);
        let text = self.with_variables(&text);
        let path = match (text.strip_prefix('~'), self.around.home) {
            (Some(rest), Some(home)) if rest.is_empty() || rest.starts_with('/') => home.join(rest.trim_start_matches('/')),
            _ => PathBuf::from(text),
        };
        match base {
            // What lies here stays short in messages.
            Some(base) if path.is_relative() && base != self.around.directory => base.join(path),
            _ => path,
        }
    }

    fn with_variables(&self, text: &str) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            out.push_str(&rest[..at]);
            let after = &rest[at + 1..];
            let (name, end) = match after.strip_prefix('{').and_then(|inside| inside.split_once('}')) {
                Some((name, _)) => (name, name.len() + 2),
                None => {
                    let end = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(after.len());
                    (&after[..end], end)
                }
            };
            match self.around.environment.get(name) {
                Some(value) => out.push_str(value),
                // What is not set stays as it is written.
                None => out.push_str(&rest[at..=at + end]),
            }
            rest = &after[end..];
        }
        out.push_str(rest);
        out
    }
}

fn plugin_section(section: &str) -> Option<&'static str> {
    let known =
        PLUGIN_SECTIONS.iter().find(|(name, _)| section == *name || (name.ends_with(['.', '_']) && section.starts_with(name)));
    let other = || section.ends_with("_plugin").then_some("plugins of this kind have no equivalent");
    known.map(|(_, why)| *why).or_else(other)
}

/// A switch as Ansible reads it.
pub fn flag(text: &str) -> Option<bool> {
    match text.trim().to_lowercase().as_str() {
        "1" | "1.0" | "true" | "yes" | "on" | "y" | "t" => Some(true),
        "0" | "0.0" | "false" | "no" | "off" | "n" | "f" => Some(false),
        _ => None,
    }
}

/// Text without the quotes around it.
fn unquoted(text: &str) -> &str {
    let inside = |quote: char| text.strip_prefix(quote)?.strip_suffix(quote);
    if text.len() < 2 { text } else { inside('"').or_else(|| inside('\'')).unwrap_or(text) }
}

/// Play defaults as the loader wants them.
pub type PlayDefaults = Arc<Mapping>;

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
