//! The renderer as the rest of the program uses it: conditions, unknowns, errors with places,
//! files, limits.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::fixtures::{node, scope_of};
use super::{FileOptions, RenderSettings, Renderer, TemplateError, TemplateErrorKind, Truth};
use crate::source::{Node, NodeValue, SourceMap, Span};
use crate::vars::{Definition, Layer, Origin, Precedence, Scope, Value, Variable, World};

struct Bench {
    map: SourceMap,
    scope: Scope,
    renderer: Renderer,
}

fn bench(vars: &str) -> Bench {
    let map = SourceMap::default();
    let scope = scope_of(&map, vars);
    Bench { map, scope, renderer: Renderer::new(RenderSettings::default()) }
}

impl Bench {
    fn data(mut self, name: &str, value: Value) -> Self {
        let variable = Variable { definition: Definition::Data(value), origin: Origin::Builtin };
        let variables = Arc::new([(Arc::from(name), variable)].into_iter().collect());
        self.scope.push(Layer { precedence: Precedence::SetFact, variables });
        self
    }

    fn value(&self, text: &str) -> Result<Value, TemplateError> {
        self.renderer.value(&node(&self.map, text), &self.scope)
    }

    fn truth(&self, text: &str) -> Result<Truth, TemplateError> {
        self.renderer.condition(&node(&self.map, text), &self.scope)
    }

    fn shown(&self, span: Option<Span>) -> String {
        let span = span.expect("the error has a place");
        let text = self.map.text(span.file);
        let (line, column) = self.map.line_column(span);
        format!("{}:{line}:{column} {}", self.map.path(span.file).display(), &text[span.start as usize..span.end as usize])
    }
}

fn unknown() -> Value {
    Value::Unknown("the command is not run in a plan".into())
}

#[test]
fn conditions_are_boolean_or_an_error() {
    let bench = bench("t: true\nn: 5\ntext: abc\nexpr: n > 3\nlater: '{{ n == 5 }}'\n").data("fact", Value::from("n > 3"));
    for (condition, truth) in [
        ("t", Truth::Yes),
        ("n > 3", Truth::Yes),
        ("n > 3 and not t", Truth::No),
        ("{{ t }}", Truth::Yes),
        ("later", Truth::Yes),
        ("nope is defined", Truth::No),
        ("n and t", Truth::Yes),
        ("{{ expr }}", Truth::Yes),
        ("\"{{ n }}\" == 5", Truth::Yes),
        ("\"{{ n }}\" == '5'", Truth::No),
        ("'a' in text", Truth::Yes),
        ("'x\\ny' | length == 3", Truth::Yes),
        ("text is search('\\\\babc')", Truth::Yes),
        ("text is search('^\\w+$')", Truth::Yes),
    ] {
        assert_eq!(bench.truth(condition), Ok(truth), "{condition}");
    }
    for condition in ["n", "text", "'abc'", "[]", "none", "t and n", "nope", "n >", "expr", "{{ fact }}", "{{ 'n > 3' }}"] {
        assert!(bench.truth(condition).is_err(), "{condition}");
    }
}

#[test]
fn all_conditions_of_a_list_must_hold() {
    let bench = bench("").data("r", unknown());
    let list = |items: &[&str]| {
        let items: Vec<Node> = items.iter().map(|item| node(&bench.map, item)).collect();
        let node = Node { span: items[0].span, value: NodeValue::List(items.into()) };
        bench.renderer.condition(&node, &bench.scope)
    };
    assert_eq!(list(&["true", "1 == 1"]), Ok(Truth::Yes));
    assert_eq!(list(&["true", "1 == 2"]), Ok(Truth::No));
    assert_eq!(list(&["r.rc == 0", "1 == 2"]), Ok(Truth::No));
    assert!(matches!(list(&["r.rc == 0", "true", "r.x.y[0] | from_json | length > r.z"]), Ok(Truth::Unknown(_))));
}

#[test]
fn unknown_flows_through_everything_and_stays_where_it_is() {
    let bench = bench("a: 1\n").data("r", unknown());
    for template in [
        "{{ r }}",
        "{{ r.stdout }}",
        "{{ r.stdout_lines[0] | upper }}",
        "{{ r.rc + 1 }}",
        "text {{ r.stdout }} text",
        "{{ a + r.rc }}",
        "{{ 'x' ~ r }}",
        "{{ [1, r] | join(',') }}",
        "{% for x in r.lines %}{{ x }}{% endfor %}",
        "{% if r.rc == 0 %}a{% else %}b{% endif %}",
        "{{ 'a' if r.rc == 0 else 'b' }}",
        "{{ r.x | default('d') }}",
        "{{ '%s' % r }}",
        "{{ r.stdout.split(',') }}",
        "{{ [3, 4] | select('eq', r) | list }}",
        "{{ {'a': r} | to_json }}",
        "{{ 'a' in r.stdout }}",
        "{{ lookup('items', r) }}",
    ] {
        assert_eq!(bench.value(template), Ok(unknown()), "{template}");
    }
    let mixed = bench.value("{{ [a, r, {'k': r}] }}").unwrap();
    assert_eq!(mixed.repr(), format!("[1, {0}, {{'k': {0}}}]", unknown().repr()));
    assert_eq!(bench.value("{{ [1, r] | first }}"), Ok(Value::Int(1)));
    for (condition, truth) in [
        ("r is defined", Truth::Yes),
        ("r is changed and false", Truth::No),
        ("r is changed or true", Truth::Yes),
        ("1 == 2 and r.rc == 0", Truth::No),
        ("r is undefined", Truth::No),
    ] {
        assert_eq!(bench.truth(condition), Ok(truth), "{condition}");
    }
    for condition in
        ["r.rc == 0", "r is changed", "not r.x", "r.rc != 0 and true", "r.rc == 0 or false", "r.x is match('y')", "r.out is none"]
    {
        assert!(matches!(bench.truth(condition), Ok(Truth::Unknown(_))), "{condition}");
    }
}

#[test]
fn data_is_never_a_template() {
    let bench = bench("copy: '{{ fact }}'\n").data("fact", Value::from("{{ 1 + 1 }}"));
    assert_eq!(bench.value("{{ fact }}"), Ok(Value::from("{{ 1 + 1 }}")));
    assert_eq!(bench.value("{{ copy }}"), Ok(Value::from("{{ 1 + 1 }}")));
    assert_eq!(bench.value("{{ '{{ 1 }}' }}"), Ok(Value::from("{{ 1 }}")));
}

#[test]
fn an_undefined_variable_is_named_with_its_place_and_a_near_name() {
    let bench = bench("http_port: 80\n");
    let error = bench.value("listen {{ htpp_port }};").unwrap_err();
    assert_eq!(error.kind, TemplateErrorKind::Undefined);
    assert_eq!(error.message, "the variable `htpp_port` is not defined");
    assert_eq!(error.hint.as_deref(), Some("did you mean `http_port`?"));
    assert_eq!(bench.shown(error.span), "case:1:11 htpp_port");
}

#[test]
fn a_missing_key_is_named_with_where_the_variable_is_defined() {
    let bench = bench("config:\n  port: 80\n");
    let error = bench.value("{{ config.prot }}").unwrap_err();
    assert_eq!(error.message, "`config` has no key `prot`");
    assert_eq!(error.hint.as_deref(), Some("did you mean `port`?"));
    assert!(error.defined.is_some());
}

#[test]
fn an_error_in_a_variable_points_to_its_definition() {
    let bench = bench("a: '{{ b }}'\nb: 'x {{ nope }}'\n");
    let error = bench.value("{{ a }}").unwrap_err();
    assert_eq!(bench.shown(error.span), "vars.yml:2:10 nope");
}

#[test]
fn a_variable_that_uses_itself_is_a_cycle() {
    let bench = bench("a: '{{ b }}'\nb: '{{ a }}'\n");
    let error = bench.value("{{ a }}").unwrap_err();
    assert_eq!(error.kind, TemplateErrorKind::Cycle);
    assert!(bench.renderer.variable("a", &bench.scope).is_err());
    assert_eq!(bench.renderer.variable("zzz", &bench.scope), Ok(None));
}

#[test]
fn unknown_names_and_syntax_are_found_by_checking() {
    let bench = bench("");
    let check = |text: &str, bare: bool| {
        let node = node(&bench.map, text);
        bench.renderer.check(text, node.span, bare)
    };
    assert_eq!(check("{{ a | upper }}", false), Ok(()));
    assert_eq!(check("a is defined", true), Ok(()));
    let error = check("{{ a | uper }}", false).unwrap_err();
    assert_eq!((error.kind, error.hint.as_deref()), (TemplateErrorKind::UnknownName, Some("did you mean `upper`?")));
    assert_eq!(check("a is definded", true).unwrap_err().kind, TemplateErrorKind::UnknownName);
    let error = check("x {{ a + }}", false).unwrap_err();
    assert_eq!(error.kind, TemplateErrorKind::Syntax);
    assert!(error.span.is_some());
}

#[test]
fn bombs_end_quickly_with_an_error() {
    let bench = bench("a: '{{ b ~ b }}'\n");
    for bomb in [
        "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}",
        "{{ 'x' * 10000000000 }}",
        "{{ range(10 ** 15) | list }}",
        "{% set ns = namespace(s='x') %}{% for i in range(100) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{{ [1] * 1000000000 }}",
        "{% set l = [] %}{% set _ = l.append(l) %}{{ l }}",
        "{{ '%1000000000s' % 'x' * 1000000 }}",
        "{{ ''.ljust(10000000000) }}",
    ] {
        let start = Instant::now();
        assert!(bench.value(bomb).is_err(), "{bomb}");
        // Ten times what an optimised build is allowed.
        assert!(start.elapsed() < Duration::from_secs(10), "{bomb} took {:?}", start.elapsed());
    }
}

#[derive(Debug)]
struct Fleet(Vec<(Arc<str>, Arc<Scope>)>);

impl World for Fleet {
    fn hosts(&self) -> Vec<Arc<str>> {
        self.0.iter().map(|(name, _)| Arc::clone(name)).collect()
    }

    fn scope(&self, host: &str) -> Option<Arc<Scope>> {
        self.0.iter().find(|(name, _)| &**name == host).map(|(_, scope)| Arc::clone(scope))
    }
}

#[test]
fn other_hosts_are_seen_with_their_own_variables() {
    let map = SourceMap::default();
    let host = |text: &str| Arc::new(scope_of(&map, text));
    let fleet = Fleet(vec![
        ("a".into(), host("ip: 10.0.0.1\nurl: 'http://{{ ip }}'\n")),
        ("b".into(), host("ip: 10.0.0.2\nurl: 'http://{{ ip }}'\n")),
    ]);
    let mut scope = scope_of(&map, "ip: 10.0.0.9\n");
    scope.world = Some(Arc::new(fleet));
    let renderer = Renderer::new(RenderSettings::default());
    for (template, expected) in [
        ("{{ hostvars['a'].url }} {{ hostvars.b['url'] }} {{ ip }}", "http://10.0.0.1 http://10.0.0.2 10.0.0.9"),
        ("{{ ['a', 'b'] | map('extract', hostvars, 'ip') | join(',') }}", "10.0.0.1,10.0.0.2"),
        ("{{ hostvars['zz'] is defined }} {{ 'a' in hostvars }} {{ hostvars | length }}", "False True 2"),
        ("{{ hostvars['a'].nope | default('d') }}", "d"),
        ("{% for h in hostvars %}{{ h }}={{ hostvars[h].ip }};{% endfor %}", "a=10.0.0.1;b=10.0.0.2;"),
        ("{{ hostvars['a'].get('ip') }} {{ vars.ip }} {{ vars['ip'] }}", "10.0.0.1 10.0.0.9 10.0.0.9"),
        ("{{ hostvars.values() | map(attribute='ip') | list }}{{ ' ' }}", "['10.0.0.1', '10.0.0.2'] "),
    ] {
        assert_eq!(
            renderer.value(&node(&map, template), &scope).map(|value| value.to_string()).as_deref(),
            Ok(expected),
            "{template}"
        );
    }
}

fn render_file(text: &str, vars: &str, options: &FileOptions) -> (Bench, Result<Value, TemplateError>) {
    let bench = bench(vars);
    let file = bench.map.add(Path::new("templates/x.j2"), text);
    let result = bench.renderer.file(&bench.map, file, &bench.scope, options);
    (bench, result)
}

#[test]
fn files_are_rendered_as_the_template_module_does() {
    for (text, expected) in [
        ("a {{ n }}\n", "a 5\n"),
        ("{% if n %}\nx\n{% endif %}\ny\n", "x\ny\n"),
        ("a\n\n", "a\n\n"),
        ("{{ none }}|{{ true }}|{{ [1, 'a'] }}", "|True|[1, 'a']"),
        ("{{ 'a\\tb' }}", "a\tb"),
        ("a\r\nb\r\n", "a\r\nb\r\n"),
        ("a\r\n{{ n }}\r\n", "a\n5\n"),
        ("{{ n }}\n", "5"),
        ("{% if not n %}\nx\n{% endif %}\n", ""),
        ("{% if n %}\nx\n{% endif %}\n\n", "x\n\n"),
        ("a\\n{{ \"x\\ty\" }}{{ \"\\d\" }}\n", "a\\nx\ty\\d\n"),
        ("{{ omit }}|{{ [1, omit] }}|{{ (1, (2, 3)) }}", "|[1]|[1, [2, 3]]"),
        ("#jinja2: lstrip_blocks: True\n\n  {% if n %}\n  x\n  {% endif %}\n", "\n  x\n"),
        ("#jinja2: variable_start_string:'[[', variable_end_string:']]'\n[[ n ]] {{ n }}\n", "5 {{ n }}\n"),
        ("#jinja2:trim_blocks: False\n{% if n %}\nx{% endif %}", "\nx"),
        ("  {% if n %}\nx\n  {% endif %}\n", "  x\n  \n"),
    ] {
        let (_, result) = render_file(text, "n: 5\n", &FileOptions::default());
        assert_eq!(result, Ok(Value::from(expected)), "{text}");
    }
    let options = FileOptions { lstrip_blocks: true, newline_sequence: "\r\n".into(), ..FileOptions::default() };
    let (_, result) = render_file("  {% if true %}\nx\n  {% endif %}\n", "", &options);
    assert_eq!(result, Ok(Value::from("x\r\n")));
    let (_, result) = render_file("{% set x = 'a' %}\n{{ x }}\n", "", &options);
    assert_eq!(result, Ok(Value::from("a\r\n")));
}

#[test]
fn an_error_in_a_file_has_line_and_column_there() {
    let (bench, result) = render_file("one\ntwo {{ nope }}\n", "", &FileOptions::default());
    assert_eq!(bench.shown(result.unwrap_err().span), "templates/x.j2:2:8 nope");
    let (bench, result) = render_file("#jinja2: lstrip_blocks: True\none\ntwo {{ nope.a }}\n", "", &FileOptions::default());
    assert_eq!(bench.shown(result.unwrap_err().span), "templates/x.j2:3:8 nope");
    let (bench, result) = render_file("one\n{% if %}\n", "", &FileOptions::default());
    let error = result.unwrap_err();
    assert_eq!(error.kind, TemplateErrorKind::Syntax);
    assert!(bench.shown(error.span).starts_with("templates/x.j2:2:"));
    let (bench, result) = render_file("a\n{{ 'x' | from_json }}\n", "", &FileOptions::default());
    let error = result.unwrap_err();
    assert!(error.message.starts_with("the filter `from_json`: "), "{}", error.message);
    assert!(bench.shown(error.span).starts_with("templates/x.j2:2:"));
}

#[test]
fn a_file_that_needs_something_unknown_is_unknown() {
    let bench = bench("").data("r", unknown());
    let file = bench.map.add(Path::new("x.j2"), "a\n{{ r.stdout }}\n");
    assert_eq!(bench.renderer.file(&bench.map, file, &bench.scope, &FileOptions::default()), Ok(unknown()));
}

/// A directory with files, and a bench that searches it.
fn project(files: &[(&str, &str)]) -> (tempfile::TempDir, Bench) {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = directory.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let mut bench = bench("n: 5\nlist: [1, 2]\n");
    bench.scope.search = vec![directory.path().to_owned()].into();
    bench.renderer = Renderer::new(RenderSettings {
        environment: [("HOME".to_owned(), "/home/me".to_owned())].into(),
        base: PathBuf::from("/nonexistent"),
        ..RenderSettings::default()
    });
    (directory, bench)
}

#[test]
fn templates_use_other_templates() {
    let (directory, bench) = project(&[
        ("templates/base.j2", "<{% block title %}base{% endblock %}|{% block body %}{% endblock %}>"),
        (
            "templates/child.j2",
            "{% extends 'base.j2' %}{% set v = 7 %}{% block title %}child+{{ super() }}{% endblock %}{% block body %}{{ n }}{{ v }}{% endblock %}",
        ),
        ("templates/part.j2", "part {{ n }}{{ x }}"),
        ("templates/macros.j2", "{% macro m(a) %}[{{ a }}{{ n }}]{% endmacro %}{% set c = 3 %}"),
        ("templates/bad.j2", "ok\n{{ nope }}\n"),
    ]);
    for (text, expected) in [
        ("{% include 'child.j2' %}", "<child+base|57>"),
        ("{% set x = 'X' %}{% include 'part.j2' %}", "part 5X"),
        ("{% include 'missing.j2' ignore missing %}-", "-"),
        ("{% include ['missing.j2', 'macros.j2'] %}-", "-"),
        ("{% import 'macros.j2' as q with context %}{{ q.m(1) }}{{ q.c }}", "[15]3"),
        ("{% from 'macros.j2' import m, c as d with context %}{{ m(2) }}{{ d }}", "[25]3"),
        ("{% extends 'base.j2' %}{% block body %}{{ self.title() }}{% endblock %}", "<base|base>"),
    ] {
        let file = bench.map.add(&directory.path().join("templates/main.j2"), text);
        let result = bench.renderer.file(&bench.map, file, &bench.scope, &FileOptions::default());
        assert_eq!(result, Ok(Value::from(expected)), "{text}");
    }
    let file = bench.map.add(&directory.path().join("templates/main.j2"), "{% include 'bad.j2' %}");
    let error = bench.renderer.file(&bench.map, file, &bench.scope, &FileOptions::default()).unwrap_err();
    let shown = bench.shown(error.span);
    assert!(shown.ends_with("templates/bad.j2:2:4 nope"), "{shown}");
}

#[test]
fn lookups_read_files_of_the_project() {
    let (directory, bench) = project(&[
        ("files/motd", "hello\n\n"),
        ("files/conf.d/b.conf", "b"),
        ("files/conf.d/a.conf", "a"),
        ("files/conf.d/c.txt", "c"),
        ("templates/t.j2", "n is {{ n }}{{ extra | default('') }}\n"),
        ("files/x.ini", "[one]\nkey = value\nother: 2\n[two]\nkey = second\n"),
        ("files/x.csv", "id,name\n1,\"bob, jr\"\n2,al\n"),
        ("vars/x.yml", "a: 1\n"),
    ]);
    let root = directory.path().to_str().unwrap();
    for (template, expected) in [
        ("{{ lookup('file', 'motd') }}", "hello".to_owned()),
        ("{{ lookup('ansible.builtin.file', 'motd', rstrip=false) }}", "hello\n\n".to_owned()),
        ("{{ query('fileglob', 'conf.d/*.conf') | map('basename') | join(' ') }}", "a.conf b.conf".to_owned()),
        ("{{ lookup('template', 't.j2') }}", "n is 5\n".to_owned()),
        ("{{ lookup('template', 't.j2', template_vars={'extra': '!'}) }}", "n is 5!\n".to_owned()),
        (
            "{{ lookup('ini', 'key section=two file=x.ini') }} {{ lookup('ini', 'other', section='one', file='x.ini') }}",
            "second 2".to_owned(),
        ),
        ("{{ lookup('csvfile', '1 file=x.csv delimiter=,') }}", "bob, jr".to_owned()),
        ("{{ lookup('first_found', ['nope.yml', 'vars/x.yml']) }}", format!("{root}/vars/x.yml")),
        ("{{ lookup('env', 'HOME') }} {{ '~/x' | expanduser }}", "/home/me /home/me/x".to_owned()),
        ("{{ lookup('file', 'nope', errors='ignore') is none }}", "True".to_owned()),
    ] {
        assert_eq!(bench.value(template).map(|value| value.to_string()), Ok(expected), "{template}");
    }
    let path = format!("{root}/secret/pw");
    let made = bench.value(&format!("{{{{ lookup('password', '{path} length=12 chars=digits') }}}}")).unwrap().to_string();
    assert!(made.len() == 12 && made.bytes().all(|byte| byte.is_ascii_digit()));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("{made}\n"));
    assert_eq!(bench.value(&format!("{{{{ lookup('password', '{path}') }}}}")).unwrap().to_string(), made);
    let error = bench.value("{{ lookup('file', 'nope') }}").unwrap_err();
    assert!(error.message.contains("the lookup `file`") && error.span.is_some(), "{error:?}");
    let error = bench.value("{{ lookup('fil', 'nope') }}").unwrap_err();
    assert_eq!((error.kind, error.hint.as_deref()), (TemplateErrorKind::UnknownName, Some("did you mean `file`?")));
}
