//! `script`: a local script, run on the host.

use serde_json::json;

use super::{ActionContext, ActionError, Done};

/// The script is the first word of the free-form text; the rest are its arguments.
pub(super) async fn run(context: &ActionContext<'_>) -> Result<Done, ActionError> {
    let Some(line) = ["_raw_params", "free_form", "cmd"].iter().find_map(|name| context.text(name)) else {
        return Ok(Done::failed("`script` needs a script"));
    };
    let line = line.trim();
    let (name, arguments) = split_first(line);
    let Some(path) = context.find("files", &name) else { return Ok(context.not_found("files", &name)) };
    let decrypt = match context.flag("decrypt", true) {
        Ok(decrypt) => decrypt,
        Err(problem) => return Ok(Done::failed(problem)),
    };
    let (sha256, size, _) = match context.offer(&path, decrypt) {
        Ok(offered) => offered,
        Err(problem) => return Ok(problem),
    };
    let mut options = context.json_options()?;
    for name in ["free_form", "cmd"] {
        options.remove(name);
    }
    options.insert("_raw_params".into(), json!(arguments));
    options.insert("stead_source".into(), json!({"sha256": sha256, "size": size}));
    options.insert("stead_basename".into(), json!(path.file_name().map(|name| name.to_string_lossy())));
    Ok(context.agent.module("script", options).await?.into())
}

/// The first word (perhaps in quotes) and the rest.
fn split_first(line: &str) -> (String, String) {
    if let Some(quote) = line.chars().next().filter(|first| *first == '"' || *first == '\'')
        && let Some((name, rest)) = line[1..].split_once(quote)
    {
        return (name.to_owned(), rest.trim().to_owned());
    }
    let (name, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    (name.to_owned(), rest.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::split_first;

    #[test]
    fn a_name_may_be_quoted() {
        assert_eq!(split_first("run.sh -x 1"), ("run.sh".into(), "-x 1".into()));
        assert_eq!(split_first("'my run.sh' -x"), ("my run.sh".into(), "-x".into()));
    }
}
