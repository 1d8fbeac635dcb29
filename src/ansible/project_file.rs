//! `stead.toml`: the settings of a project under our names. Strict: what is not known is an error.

use std::path::PathBuf;

use toml_edit::{Document, Item, Value};

use super::config::SettingValue;
use super::settings::{self, Effect, Kind, SETTINGS, Setting};
use crate::source::{Diagnostic, Diagnostics, FileId, SourceMap, Span, suggest};

/// The file's name.
pub(super) const PROJECT_FILE: &str = "stead.toml";

/// One setting.
pub(super) struct Entry {
    pub(super) setting: &'static Setting,
    pub(super) value: SettingValue,
    pub(super) span: Span,
}

/// Reads the file.
pub(super) fn parse(map: &SourceMap, file: FileId) -> (Vec<Entry>, Diagnostics) {
    let text = map.text(file);
    let mut diagnostics = Diagnostics::default();
    let span = |range: Option<std::ops::Range<usize>>| {
        let range = range.unwrap_or(0..0);
        Span { file, start: range.start as u32, end: range.end as u32 }
    };
    let document = match Document::parse(text.as_ref()) {
        Ok(document) => document,
        Err(error) => {
            let problem = Diagnostic::error("bad-settings-file", format!("this is not TOML: {}", error.message().trim()));
            diagnostics.push(problem.at(span(error.span()), "here"));
            return (Vec::new(), diagnostics);
        }
    };
    let table = document.as_table();
    let mut entries = Vec::new();
    for (name, item) in table {
        let key = span(table.key(name).and_then(toml_edit::Key::span));
        let Some(setting) = settings::find(name) else {
            let problem = Diagnostic::error("unknown-setting", format!("there is no setting `{name}`")).at(key, "not known");
            diagnostics.push(problem.hint(hint(name)));
            continue;
        };
        match setting.effect {
            Effect::As(_) => {}
            Effect::None(why) | Effect::Only(_, why) => {
                let problem = Diagnostic::error("unknown-setting", format!("the setting `{name}` has no effect"));
                diagnostics.push(problem.at(key, "remove it").hint(why));
                continue;
            }
        }
        match value(setting.kind, item) {
            Some(value) => entries.push(Entry { setting, value, span: key }),
            None => {
                let problem = format!(
                    "the setting `{name}` is {}, not {}",
                    wanted(setting.kind),
                    item.type_name().replace("none", "nothing")
                );
                diagnostics.push(Diagnostic::error("bad-setting", problem).at(span(item.span()), "this value"));
            }
        }
    }
    (entries, diagnostics)
}

/// What an unknown name may have meant: one of ours, or Ansible's word for it.
fn hint(name: &str) -> String {
    let theirs = SETTINGS.iter().find(|setting| {
        setting.is_ours() && setting.ini.iter().any(|key| key.split_once('.').is_some_and(|(_, key)| key == name))
    });
    if let Some(setting) = theirs {
        return format!("it is called `{}` here", setting.name);
    }
    let ours = SETTINGS.iter().filter(|setting| setting.is_ours()).map(|setting| setting.name);
    suggest::did_you_mean(name, ours).unwrap_or_else(|| "`stead config --all` lists all settings".to_owned())
}

fn wanted(kind: Kind) -> &'static str {
    match kind {
        Kind::Flag => "`true` or `false`",
        Kind::Number => "a whole number",
        Kind::Text => "text",
        Kind::Path => "a path as text",
        Kind::List => "a list of texts",
        Kind::Directories | Kind::Sources => "a path or a list of paths as text",
    }
}

fn value(kind: Kind, item: &Item) -> Option<SettingValue> {
    let texts = || match item.as_value()? {
        Value::String(text) => Some(vec![text.value().clone()]),
        Value::Array(items) => items.iter().map(|item| item.as_str().map(str::to_owned)).collect(),
        _ => None,
    };
    let paths = || Some(texts()?.into_iter().map(PathBuf::from).collect());
    Some(match kind {
        Kind::Flag => SettingValue::Flag(item.as_bool()?),
        Kind::Number => SettingValue::Number(item.as_integer()?),
        Kind::Text => SettingValue::Text(item.as_str()?.to_owned()),
        Kind::List => SettingValue::List(texts()?),
        Kind::Path => SettingValue::Path(PathBuf::from(item.as_str()?)),
        Kind::Directories | Kind::Sources => SettingValue::Paths(paths()?),
    })
}
