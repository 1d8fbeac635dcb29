//! Expressions, templates and conditions: `expressions/*.txt`, with what ansible-core makes of them.
//!
//! The recorded answers are compared always. Where ansible-core is installed they are compared with
//! it too; `STEAD_BLESS=1` writes its answers into the files.
//!
//! A file has sections: `=== vars` (YAML), `=== file PATH`, `=== needs PYTHON-MODULE`,
//! `=== plugins python` or `=== plugins ansible-core`, `=== cases` (the
//! first, if none is named).
//! A case is a template on one line (`⏎` is a newline); `? ` makes it a condition, `| ` before every
//! line of it a template file. Below stand the answer of ansible-core (`  => JSON`, or
//! `  => error CLASS`) and, where stead differs on purpose, its own and why (`  but JSON -- reason`).

use std::env;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;

use serde_json::{Value as Json, json};
use stead::plugins::{PythonPlugins, PythonSettings};
use stead::source::{Node, NodeValue, SourceMap, Span, Style, yaml};
use stead::template::{FileOptions, Plugins, RenderSettings, Renderer, TemplateError, TemplateErrorKind, Truth};
use stead::vars::{Definition, Key, Layer, Origin, Precedence, Scope, Value, Variable, Variables};

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Value,
    File,
    Condition,
}

#[derive(Debug)]
struct Case {
    kind: Kind,
    text: String,
    /// What ansible-core makes of it, if that was recorded.
    expected: Option<String>,
    /// What stead makes of it, where that is another thing on purpose.
    kept: Option<String>,
    line: usize,
}

#[derive(Debug, Default)]
struct Suite {
    name: String,
    /// What the Python of ansible-core must have besides.
    needs: Option<String>,
    /// The Python that plugins need: `python`, or that of `ansible-core`.
    plugins: Option<String>,
    vars: String,
    files: Vec<(String, String)>,
    cases: Vec<Case>,
}

/// Says why something is not compared, past the test harness, which swallows what passing tests print.
fn skip(test: &str, why: &str) {
    let _ = writeln!(std::io::stderr(), "SKIPPED {test}: {why}");
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/differential/expressions")
}

impl Suite {
    fn read(path: &Path) -> Self {
        let mut suite = Self { name: path.file_stem().unwrap().to_string_lossy().into_owned(), ..Self::default() };
        let text = fs::read_to_string(path).unwrap();
        let mut section = "cases".to_owned();
        let mut open: Option<(Kind, String, usize)> = None;
        for (at, line) in text.lines().enumerate() {
            if let Some(name) = line.strip_prefix("=== ") {
                name.clone_into(&mut section);
                if let Some(module) = name.strip_prefix("needs ") {
                    suite.needs = Some(module.to_owned());
                } else if let Some(python) = name.strip_prefix("plugins ") {
                    suite.plugins = Some(python.to_owned());
                } else if let Some(path) = name.strip_prefix("file ") {
                    suite.files.push((path.to_owned(), String::new()));
                }
                continue;
            }
            if section == "vars" {
                suite.vars.push_str(line);
                suite.vars.push('\n');
                continue;
            }
            if section.starts_with("file ") {
                let text = &mut suite.files.last_mut().expect("a section opened it").1;
                text.push_str(line);
                text.push('\n');
                continue;
            }
            if let Some(expected) = line.strip_prefix("  => ") {
                let (kind, text, line) =
                    open.take().unwrap_or_else(|| panic!("{}:{}: an answer to what?", path.display(), at + 1));
                suite.cases.push(Case { kind, text, expected: Some(expected.to_owned()), kept: None, line });
            } else if let Some(kept) = line.strip_prefix("  but ") {
                let (answer, reason) = kept.split_once(" -- ").expect("a difference has a reason");
                assert!(!reason.is_empty());
                suite.cases.last_mut().expect("a difference has a case").kept = Some(answer.to_owned());
            } else if let Some(more) = line.strip_prefix("| ").or((line == "|").then_some("")) {
                let text = format!("{more}\n");
                match &mut open {
                    Some((Kind::File, all, _)) => all.push_str(&text),
                    _ => suite.open(&mut open, Kind::File, text, at),
                }
            } else if line.is_empty() || line.starts_with("# ") {
                suite.close(&mut open);
            } else if let Some(condition) = line.strip_prefix("? ") {
                suite.open(&mut open, Kind::Condition, condition.to_owned(), at);
            } else {
                suite.open(&mut open, Kind::Value, line.replace('⏎', "\n"), at);
            }
        }
        suite.close(&mut open);
        suite
    }

    /// A case without an answer ends where the next begins.
    fn close(&mut self, open: &mut Option<(Kind, String, usize)>) {
        if let Some((kind, text, line)) = open.take() {
            self.cases.push(Case { kind, text, expected: None, kept: None, line });
        }
    }

    fn open(&mut self, open: &mut Option<(Kind, String, usize)>, kind: Kind, text: String, at: usize) {
        self.close(open);
        *open = Some((kind, text, at + 1));
    }

    /// The files that cases look for.
    fn directory(&self) -> tempfile::TempDir {
        // Paths are part of some answers, so the directory has a name without chance in it.
        let directory = tempfile::Builder::new().prefix("stead-expressions-").tempdir().unwrap();
        for (name, text) in &self.files {
            let path = directory.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        directory
    }

    /// What runs plugins for stead; the error says what is missing for that.
    fn plugins(&self) -> Result<Option<Arc<dyn Plugins>>, &'static str> {
        let python = match self.plugins.as_deref() {
            None => return Ok(None),
            Some("python") => {
                let path = env::var("PATH").unwrap_or_default();
                let found = env::split_paths(&path).map(|folder| folder.join("python3")).find(|python| python.exists());
                found.ok_or("there is no `python3`")?
            }
            Some(_) => {
                crate::ansible::programs("plugins that use ansible-core").ok_or("there is no ansible-core")?.join("python")
            }
        };
        let variables = environment().into_iter().chain([("PATH", env!("PATH"))]);
        let environment = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let settings = PythonSettings { python: Some(python), environment, ..PythonSettings::default() };
        Ok(Some(Arc::new(PythonPlugins::new(settings))))
    }

    /// stead's answers; none where something is missing for plugins.
    fn answers(&self, directory: &Path) -> Option<Vec<String>> {
        let plugins = match self.plugins() {
            Ok(plugins) => plugins,
            Err(missing) => {
                skip(&format!("expressions of {}", self.name), missing);
                return None;
            }
        };
        let map = SourceMap::default();
        let mut scope = Scope { search: vec![directory.to_owned()].into(), ..Scope::default() };
        let common = fs::read_to_string(folder().join("vars.yml")).unwrap();
        for (precedence, text) in [(Precedence::PlayVars, &common), (Precedence::TaskVars, &self.vars)] {
            scope.push(Layer { precedence, variables: Arc::new(variables(&map, text)) });
        }
        let environment = environment().into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let settings = RenderSettings { environment, base: directory.to_owned(), plugins, ..RenderSettings::default() };
        let renderer = Renderer::new(settings);
        renderer.add_plugins_of(directory);
        let answers = self
            .cases
            .iter()
            .map(|case| {
                let result = match case.kind {
                    Kind::Value => renderer.value(&node(&map, &case.text), &scope),
                    Kind::Condition => renderer.condition(&node(&map, &case.text), &scope).map(|truth| match truth {
                        Truth::Yes => Value::Bool(true),
                        Truth::No => Value::Bool(false),
                        Truth::Unknown(reason) => Value::Unknown(reason),
                    }),
                    Kind::File => {
                        let file = map.add(&directory.join("templates/main.j2"), &*case.text);
                        renderer.file(&map, file, &scope, &FileOptions::default())
                    }
                };
                match result {
                    Ok(value) => encoded(&value).to_string(),
                    Err(error) => format!("error {}: {}", class(&error), error.message),
                }
            })
            .collect();
        Some(answers)
    }

    /// What ansible-core says today; none where its Python lacks something.
    fn ansible(&self, directory: &Path, programs: &Path) -> Option<Vec<String>> {
        let python = programs.join("python");
        if let Some(module) = &self.needs {
            let known = Command::new(&python).args(["-c", &format!("import {module}")]).stderr(Stdio::null()).status();
            if !known.is_ok_and(|status| status.success()) {
                skip(&format!("comparing {} with ansible-core", self.name), &format!("its Python has no `{module}`"));
                return None;
            }
        }
        let common = fs::read_to_string(folder().join("vars.yml")).unwrap();
        let cases: Vec<Json> = self
            .cases
            .iter()
            .map(|case| {
                let kind = match case.kind {
                    Kind::Value => "value",
                    Kind::File => "file",
                    Kind::Condition => "condition",
                };
                json!([kind, case.text])
            })
            .collect();
        let request = json!({"directory": directory, "vars": [common, self.vars], "cases": cases}).to_string();
        let mut child = Command::new(python)
            .arg(folder().with_extension("py"))
            .current_dir(directory)
            .env_clear()
            .envs(environment())
            .env("PATH", env::var_os("PATH").unwrap_or_default())
            .env("PYTHONPATH", env::var_os("PYTHONPATH").unwrap_or_default())
            .env("ANSIBLE_DEPRECATION_WARNINGS", "0")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let writer = thread::spawn(move || stdin.write_all(request.as_bytes()));
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap().unwrap();
        assert!(output.status.success(), "{}: {}", self.name, String::from_utf8_lossy(&output.stderr));
        let answers: Vec<Json> = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(answers.len(), self.cases.len());
        let shown = |answer: &Json| match answer.get("error").and_then(Json::as_str) {
            Some(class) => format!("error {class}"),
            None => answer["value"].to_string(),
        };
        Some(answers.iter().map(shown).collect())
    }

    /// Writes answers into the file.
    fn bless(&self, path: &Path, answers: &[String]) {
        let text = fs::read_to_string(path).unwrap();
        let mut out = String::new();
        let mut cases = self.cases.iter().zip(answers).peekable();
        for (at, line) in text.lines().enumerate() {
            if line.starts_with("  => ") {
                continue;
            }
            out.push_str(line);
            out.push('\n');
            let Some((case, answer)) = cases.next_if(|(case, _)| case.line + case.height() == at + 2) else { continue };
            // What is equal but written by hand in another way stays as it is.
            let kept = case.expected.as_ref().filter(|expected| same(expected, answer)).unwrap_or(answer);
            out.push_str(&format!("  => {kept}\n"));
        }
        assert!(cases.next().is_none());
        fs::write(path, out).unwrap();
    }
}

impl Case {
    /// How many lines its text takes.
    fn height(&self) -> usize {
        if self.kind == Kind::File { self.text.lines().count() } else { 1 }
    }
}

/// What both programs see of the environment.
fn environment() -> [(&'static str, &'static str); 4] {
    [("HOME", "/home/me"), ("TZ", "UTC"), ("LANG", "C.UTF-8"), ("STEAD_WORD", "from the environment")]
}

fn variables(map: &SourceMap, text: &str) -> Variables {
    let file = map.add(Path::new("vars.yml"), text);
    let (documents, diagnostics) = yaml::parse(map, file);
    assert!(!diagnostics.has_errors(), "{diagnostics:?}");
    let entries = documents.first().and_then(Node::as_map).map(|mapping| &mapping.entries[..]).unwrap_or_default();
    let variable = |(key, value): &(Node, Node)| {
        let name: Arc<str> = key.as_str().expect("variables have names").into();
        (name, Variable { definition: Definition::Source(value.clone()), origin: Origin::File(value.span) })
    };
    entries.iter().map(variable).collect()
}

fn node(map: &SourceMap, text: &str) -> Node {
    let file = map.add(Path::new("case"), text);
    Node { span: Span { file, start: 0, end: text.len() as u32 }, value: NodeValue::Str(text.into(), Style::Plain) }
}

fn class(error: &TemplateError) -> &'static str {
    match error.kind {
        TemplateErrorKind::Syntax => "syntax",
        TemplateErrorKind::Undefined => "undefined",
        TemplateErrorKind::Cycle => "cycle",
        TemplateErrorKind::UnknownName => "name",
        TemplateErrorKind::Failed => "failed",
    }
}

/// A value as JSON that keeps what JSON cannot say, like `expressions.py`.
fn encoded(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(value) => (*value).into(),
        Value::Int(number) => (*number).into(),
        Value::Float(number) if number.is_finite() => (*number).into(),
        Value::Float(_) => format!("<{}>", value.repr()).into(),
        Value::Str(text) => (&**text).into(),
        Value::List(items) => items.iter().map(encoded).collect(),
        Value::Map(map) => {
            let key = |key: &Key| key.as_str().map_or_else(|| format!("<{}>", key.repr()), str::to_owned);
            Json::Object(map.iter().map(|(own, value)| (key(own), encoded(value))).collect())
        }
        Value::Omit => "<omit>".into(),
        Value::Unknown(reason) => format!("<unknown: {reason}>").into(),
    }
}

fn written(value: &Json) -> String {
    value.to_string()
}

/// Whether two answers are equal: JSON with types and order, or an error of the same class.
fn same(expected: &str, found: &str) -> bool {
    if let Some(class) = expected.strip_prefix("error ") {
        return found.strip_prefix("error ").is_some_and(|found| found.split(':').next() == Some(class));
    }
    match (serde_json::from_str::<Json>(expected), serde_json::from_str::<Json>(found)) {
        // As text: 1 is not 1.0, and keys have an order.
        (Ok(expected), Ok(found)) => written(&expected) == written(&found),
        _ => false,
    }
}

/// What a directory's name does to answers is undone.
fn without(directory: &Path, answers: Vec<String>) -> Vec<String> {
    let name = directory.to_str().expect("temporary directories have plain names");
    answers.into_iter().map(|answer| answer.replace(name, "/dir")).collect()
}

fn suites() -> Vec<(PathBuf, Suite)> {
    let entries = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|end| end == "txt")).collect();
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), Suite::read(&path))).collect()
}

/// Runs `work` for every suite, two at a time.
fn each<T: Send>(suites: &[(PathBuf, Suite)], work: impl Fn(&Path, &Suite) -> T + Sync) -> Vec<T> {
    let half = suites.len().div_ceil(2);
    thread::scope(|scope| {
        let parts: Vec<_> = suites
            .chunks(half)
            .map(|part| scope.spawn(|| part.iter().map(|(path, suite)| work(path, suite)).collect::<Vec<_>>()))
            .collect();
        parts.into_iter().flat_map(|part| part.join().unwrap()).collect()
    })
}

#[test]
fn expressions_come_out_as_recorded() {
    let suites = suites();
    let wrong: Vec<String> = each(&suites, |_, suite| {
        let directory = suite.directory();
        let Some(answers) = suite.answers(directory.path()) else { return Vec::new() };
        let answers = without(directory.path(), answers);
        let mut wrong = Vec::new();
        for (case, found) in suite.cases.iter().zip(answers) {
            let Some(recorded) = &case.expected else {
                wrong.push(format!("{}:{}: no answer is recorded: run with STEAD_BLESS=1", suite.name, case.line));
                continue;
            };
            let expected = case.kept.as_ref().unwrap_or(recorded);
            if !same(expected, &found) {
                wrong.push(format!("{}:{}: {}\n  expected {expected}\n  found    {found}", suite.name, case.line, case.text));
            } else if case.kept.is_some() && same(recorded, &found) {
                wrong.push(format!("{}:{}: {}\n  no longer differs", suite.name, case.line, case.text));
            }
        }
        wrong
    })
    .concat();
    let all: usize = suites.iter().map(|(_, suite)| suite.cases.len()).sum();
    assert!(wrong.is_empty(), "{} of {all} differ:\n{}", wrong.len(), wrong.join("\n"));
    let kept = suites.iter().flat_map(|(_, suite)| &suite.cases).filter(|case| case.kept.is_some()).count();
    assert!(all >= 600 && kept * 100 <= all, "{kept} of {all} differ on purpose");
}

#[test]
fn recorded_answers_are_those_of_ansible_core() {
    let Some(programs) = crate::ansible::programs("recorded_answers_are_those_of_ansible_core") else { return };
    let bless = env::var_os("STEAD_BLESS").is_some();
    let wrong: Vec<String> = each(&suites(), |path, suite| {
        let directory = suite.directory();
        let Some(answers) = suite.ansible(directory.path(), &programs) else { return Vec::new() };
        let answers = without(directory.path(), answers);
        if bless {
            suite.bless(path, &answers);
            return Vec::new();
        }
        let wrong = suite
            .cases
            .iter()
            .zip(&answers)
            .filter(|(case, answer)| !case.expected.as_ref().is_some_and(|expected| same(expected, answer)));
        wrong.map(|(case, answer)| format!("{}:{}: {}\n  ansible-core says {answer}", suite.name, case.line, case.text)).collect()
    })
    .concat();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
