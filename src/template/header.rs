//! The `#jinja2:` line that a template file may start with: options for this file alone.

use super::FileOptions;
use super::ast::Template;
use super::compile::{self, Backslash, CompileError};
use super::error::{TemplateError, TemplateErrorKind};
use super::plugins::Known;

const MARK: &str = "#jinja2:";

/// Compiles a template file; a `#jinja2:` line is honoured and is not part of the result.
pub(super) fn compile(text: &str, options: &FileOptions, known: Known<'_>) -> Result<Template, CompileError> {
    let Some(rest) = text.strip_prefix(MARK) else {
        return compile::template(text, options, Backslash::Escape, known);
    };
    let end = rest.find('\n').map_or(text.len(), |at| MARK.len() + at + 1);
    let mut options = options.clone();
    for setting in text[MARK.len()..end].trim().split(',') {
        set(&mut options, setting).map_err(|error| (error, (0, end as u32)))?;
    }
    let template = compile::template(&text[end..], &options, Backslash::Escape, known)
        .map_err(|(error, (from, to))| (error, (from + end as u32, to + end as u32)))?;
    Ok(Template { start: end as u32, ..template })
}

fn set(options: &mut FileOptions, setting: &str) -> Result<(), TemplateError> {
    let refuse = |message: String| TemplateError::new(TemplateErrorKind::Syntax, message);
    let Some((name, value)) = setting.split_once(':') else {
        return Err(refuse(format!("`{}` in the `#jinja2:` line is not `name:value`", setting.trim())));
    };
    let text = || value.trim().trim_matches(['\'', '"']).replace("\\n", "\n").replace("\\r", "\r");
    let flag = || match value.trim().to_lowercase().as_str() {
        "true" | "1" => Ok(true),
        // As Python reads it: text, which holds unless it is empty.
        text if text.len() >= 2 && text.starts_with(['\'', '"']) && text.ends_with(['\'', '"']) => Ok(text.len() > 2),
        "false" | "0" => Ok(false),
        other => Err(refuse(format!("`{other}` in the `#jinja2:` line is not true or false"))),
    };
    let places = [
        "block_start_string",
        "block_end_string",
        "variable_start_string",
        "variable_end_string",
        "comment_start_string",
        "comment_end_string",
    ];
    match name.trim() {
        "trim_blocks" => options.trim_blocks = flag()?,
        "lstrip_blocks" => options.lstrip_blocks = flag()?,
        "newline_sequence" => options.newline_sequence = text(),
        "keep_trailing_newline" if flag()? => {}
        name => match places.iter().position(|known| *known == name) {
            Some(at) => options.delimiters[at] = text(),
            None => return Err(refuse(format!("the option `{name}` in the `#jinja2:` line is not supported"))),
        },
    }
    Ok(())
}
