//! Inventories as files: text in, hosts, groups and winning variables out.

use std::fmt::Write as _;
use std::path::Path;

use super::*;
use crate::source::{Diagnostic, Node, NodeValue, SourceMap};
use crate::vars::{Definition, Precedence, Scope, Value};

/// A directory with these files, its inventory loaded from `sources` (paths in it).
struct Fixture {
    directory: tempfile::TempDir,
    map: SourceMap,
    inventory: Inventory,
    problems: Vec<String>,
}

fn load(files: &[(&str, &str)], sources: &[&str]) -> Fixture {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = directory.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let map = SourceMap::default();
    let sources: Vec<String> = sources
        .iter()
        .map(
            |source| {
                if source.contains(',') { (*source).to_owned() } else { directory.path().join(source).display().to_string() }
            },
        )
        .collect();
    let (inventory, diagnostics) = Inventory::load(&map, &sources, &InventorySettings::default());
    let problems = diagnostics
        .iter()
        .map(|d| {
            let (line, column) = d.span.as_ref().map_or((0, 0), |(span, _)| map.line_column(*span));
            let message = d.message.replace(&directory.path().display().to_string(), ".");
            format!("{line}:{column} {}: {message}", d.code)
        })
        .collect();
    Fixture { directory, map, inventory, problems }
}

fn ini(text: &str) -> Fixture {
    load(&[("hosts", text)], &["hosts"])
}

fn show(node: &Node) -> String {
    match &node.value {
        NodeValue::Int(number) => number.to_string(),
        NodeValue::Null => "null".to_owned(),
        NodeValue::List(items) => format!("[{}]", items.iter().map(show).collect::<Vec<_>>().join(",")),
        _ => node.as_str().unwrap_or(node.kind()).to_owned(),
    }
}

impl Fixture {
    /// The winning definitions of a host: `name=value`, sorted.
    fn variables(&self, host: &str) -> String {
        let mut scope = Scope::default();
        let layers = self.inventory.host_layers(host);
        assert!(layers.is_sorted_by_key(|layer| layer.precedence), "lowest first: {layers:?}");
        for layer in layers {
            scope.push(layer);
        }
        let value = |name: &str| match &scope.lookup(name).unwrap().0.definition {
            Definition::Source(node) => show(node),
            Definition::Data(Value::Str(text)) => text.to_string(),
            Definition::Data(other) => format!("{other:?}"),
        };
        scope.names().iter().map(|name| format!("{name}={}", value(name))).collect::<Vec<_>>().join(" ")
    }

    /// `group: hosts` for each group, one on a line.
    fn groups(&self) -> String {
        self.inventory.groups().iter().fold(String::new(), |mut out, (name, hosts)| {
            writeln!(out, "{name}: {}", hosts.join(" ")).unwrap();
            out
        })
    }
}

#[test]
fn an_ini_file_becomes_hosts_groups_and_variables() {
    let fixture = ini("\
# a comment
; another
c1 ansible_host=1.2.3.4
top:2222 x='a b' s=5 # t=1
[b]
b1
b2
[a]
a[1:2]
b2 k=1
[site:children]
a
b # the second
later
[site:vars]
one=1
list=[1, 'x']
two = \"quoted\"
text=yes # c
[later]
");
    assert_eq!(fixture.problems, [""; 0]);
    assert_eq!(
        fixture.groups(),
        "all: c1 top a1 a2 b2 b1\nungrouped: c1 top\nb: b1 b2\na: a1 a2 b2\nsite: a1 a2 b2 b1\nlater: \n"
    );
    assert_eq!(fixture.variables("c1"), "ansible_host=1.2.3.4");
    assert_eq!(fixture.variables("top"), "ansible_port=2222 s=5 x=a b");
    assert_eq!(fixture.variables("b2"), "k=1 list=[1,x] one=1 text=yes # c two=quoted");
    assert_eq!(fixture.inventory.groups_of("b2").join(" "), "a b site");
    assert_eq!(fixture.inventory.groups_of("c1").join(" "), "ungrouped");
}

#[test]
fn mistakes_in_an_ini_file_are_all_reported() {
    let table: &[(&str, &[&str])] = &[
        ("[web", &[]),
        ("[web servers]\nx y=1\n", &["1:1 inventory-syntax: this is not a section"]),
        ("[web:var]\nx=1\n", &["1:6 inventory-syntax: a section `var` is not known"]),
        ("[web]\n[wbe:vars]\nx=1\n", &["2:2 inventory-undefined-group: there is no group `wbe` in this file"]),
        ("[site:children]\nweb\n", &["2:1 inventory-undefined-group: there is no group `web` in this file"]),
        (
            "web1 x y=1\nweb2 z='\n",
            &["1:6 inventory-syntax: `x` is not a variable", "2:8 inventory-syntax: a quote is opened here and never closed"],
        ),
        ("[a:vars]\nx\n[a]\n", &["2:1 inventory-syntax: `x` is not a variable"]),
        ("[a:children]\nb\n[b:children]\na\n", &["4:1 inventory-cycle: group `a` would contain itself through `b`"]),
        ("web[1:\n", &[]),
        ("web[5:a]\n", &["1:1 inventory-syntax: `a` is neither a number nor a letter in the range `[5:a]`"]),
        ("x\nweb:\n", &["2:1 inventory-syntax: a host's name cannot end with a colon: `web:`"]),
    ];
    for (text, expected) in table {
        assert_eq!(ini(text).problems, *expected, "{text}");
    }
}

#[test]
fn a_yaml_file_becomes_hosts_groups_and_variables() {
    let text = "\
all:
  hosts:
    lone:
    web[1:2]: {x: 1}
  vars: {a: all}
  children:
    site:
      children:
        web:
          hosts: {web1: {y: 2}, web3:2222: }
          vars: {a: web, b: 0644}
        db:
          hosts: db1
      host: {}
plain:
";
    for name in ["hosts.yml", "hosts"] {
        let fixture = load(&[(name, text)], &[name]);
        assert_eq!(fixture.problems, ["14:7 inventory-unknown-key: `host` in group `site` is ignored"]);
        assert_eq!(
            fixture.groups(),
            "all: lone web1 web2 web3 db1\nungrouped: lone web2\nsite: web1 web3 db1\nweb: web1 web3\ndb: db1\nplain: \n"
        );
        assert_eq!(fixture.variables("web1"), "a=web b=420 x=1 y=2");
        assert_eq!(fixture.variables("web3"), "a=web ansible_port=2222 b=420");
        assert_eq!(fixture.variables("web2"), "a=all x=1");
    }
}

#[test]
fn mistakes_in_a_yaml_file_are_all_reported() {
    let table: &[(&str, &[&str])] = &[
        ("- a\n", &["1:1 inventory-syntax: an inventory is a mapping of groups, and this is a list"]),
        (
            "web: [a]\ndb: 5\n",
            &[
                "1:6 inventory-syntax: a group is a mapping with `hosts`, `vars` or `children`, and this is a list",
                "2:5 inventory-syntax: a group is a mapping with `hosts`, `vars` or `children`, and this is a whole number",
            ],
        ),
        ("web: {hosts: [a, b]}\n", &["1:14 inventory-syntax: `hosts` is a mapping, and this is a list"]),
        ("web: {hosts: {a: [1]}}\n", &["1:18 invalid-variables: variables are a mapping (`name: value`), and this is a list"]),
        ("web: {vars: {1: a}}\n", &["1:14 invalid-variables: a variable's name is text, and this is a whole number"]),
        ("a: {children: {b: {children: {a: }}}}\n", &["1:31 inventory-cycle: group `a` would contain itself through `b`"]),
        (
            "plugin: amazon.aws.aws_ec2\n",
            &[
                "1:1 inventory-plugin: this inventory is made by the plugin `amazon.aws.aws_ec2`, which only ansible-inventory can run",
            ],
        ),
        ("a: \"x\n", &["1:4 yaml-quote: a double quote is opened here and never closed"]),
    ];
    for (text, expected) in table {
        assert_eq!(load(&[("h.yml", text)], &["h.yml"]).problems, *expected, "{text}");
    }
}

#[test]
fn the_files_beside_an_inventory_belong_to_it() {
    let files = [
        ("inv/hosts", "[web]\nw1 ih=1\n[site:children]\nweb\n[web:vars]\nig=web\n[all:vars]\nig=all\nga=ini\n"),
        ("inv/group_vars/all/a.yml", "aa: a\nga: file\n"),
        ("inv/group_vars/all/b", "aa: b\n"),
        ("inv/group_vars/all/.c.yml", "aa: hidden\n"),
        ("inv/group_vars/all/c.yml~", "aa: backup\n"),
        ("inv/group_vars/all/c.txt", "aa: text\n"),
        ("inv/group_vars/all/c.json", "{\"js\": 1}"),
        ("inv/group_vars/web/m.yml", "gw: file\n"),
        ("inv/group_vars/web/sub/m.yml", "gw: sub\n"),
        ("inv/group_vars/web/sub.d/m.yml", "gw: dotted\n"),
        ("inv/group_vars/web.yml", "gw: shadowed\n"),
        ("inv/group_vars/site.yaml", "gw: site\ngs: site\n"),
        ("inv/group_vars/ungrouped.yml", "un: 1\n"),
        ("inv/host_vars/w1.yml", "hv: yml\nih: 2\n"),
        ("inv/host_vars/w1.yaml", "hv: yaml\n"),
        ("inv/host_vars/localhost", "lh: 1\n"),
        ("play/group_vars/all.yml", "aa: play\n"),
        ("play/host_vars/w1", "hv: play\n"),
    ];
    for source in ["inv/hosts", "inv"] {
        let mut fixture = load(&files, &[source]);
        assert_eq!(fixture.problems, [""; 0]);
        assert_eq!(fixture.variables("w1"), "aa=b ga=file gs=site gw=sub hv=yml ig=web ih=2 js=1");
        assert_eq!(fixture.variables("localhost"), "aa=b ansible_connection=local ga=file ig=all js=1 lh=1");
        let problems = fixture.inventory.load_beside_playbook(&fixture.map, &fixture.directory.path().join("play"));
        assert!(problems.is_empty());
        assert_eq!(fixture.variables("w1"), "aa=play ga=file gs=site gw=sub hv=play ig=web ih=2 js=1");
    }
}

#[test]
fn definitions_know_their_level_and_place() {
    let fixture = load(&[("hosts", "w1 x=1\n"), ("host_vars/w1", "a: 1\n\ny: {z: 2}\n")], &["hosts"]);
    let layers = fixture.inventory.host_layers("w1");
    let place = |name: &str| {
        let layer = layers.iter().find(|layer| layer.variables.contains_key(name)).unwrap();
        let crate::vars::Origin::File(span) = layer.variables[name].origin else { panic!("written in a file") };
        let path = fixture.map.place(span);
        (layer.precedence, path.rsplit('/').next().unwrap().to_owned())
    };
    assert_eq!(place("x"), (Precedence::InventoryHost, "hosts:1".to_owned()));
    assert_eq!(place("y"), (Precedence::InventoryHostVars, "w1:3".to_owned()));
}

#[test]
fn near_groups_win_then_priority_then_the_name() {
    let hosts = "[a]\nh\n[b]\nh\n[c]\nh\n[outer:children]\nc\n";
    let vars = "[a:vars]\nx=a\n[b:vars]\nx=b\n[outer:vars]\nx=outer\ny=outer\n";
    assert_eq!(ini(&format!("{hosts}{vars}")).variables("h"), "x=outer y=outer", "names decide in one depth");
    assert_eq!(ini(&format!("{hosts}{vars}[c:vars]\nx=c\n")).variables("h"), "x=c y=outer", "depth decides first");
    let raised = format!("{hosts}[a:vars]\nansible_group_priority=10\n{vars}");
    assert_eq!(ini(&raised).variables("h"), "x=a y=outer", "priority decides in one depth");
}

#[test]
fn several_sources_are_one_inventory() {
    let files = [
        ("a/hosts", "[web]\nw1 x=1 y=1\n"),
        ("b/hosts", "[web]\nw1 x=2\nw2\n[db:children]\nweb\n"),
        ("b/group_vars/web", "g: b\n"),
        ("a/group_vars/web", "g: a\nh: a\n"),
    ];
    let fixture = load(&files, &["a/hosts", "b/hosts", "lone,w2:22,"]);
    assert_eq!(fixture.problems, [""; 0]);
    assert_eq!(fixture.groups(), "all: lone w1 w2\nungrouped: lone\nweb: w1 w2\ndb: w1 w2\n");
    assert_eq!(fixture.variables("w1"), "g=b h=a x=2 y=1");
    assert_eq!(fixture.variables("w2"), "ansible_port=22 g=b h=a");
}

#[test]
fn a_directory_is_read_file_by_file() {
    let files = [
        ("inv/02-b", "[web]\nb\n"),
        ("inv/01-a.ini", "[web]\na\n"),
        ("inv/03.yml", "db: {hosts: {d: }}\n"),
        ("inv/sub/x", "sub\n"),
        ("inv/old.bak", "bak\n"),
        ("inv/hosts~", "tilde\n"),
        ("inv/.hidden", "hidden\n"),
        ("inv/ansible.cfg", "cfg\n"),
        ("inv/site.retry", "retry\n"),
        ("inv/README.md", "readme\n"),
        ("inv/host_vars/a", "x: 1\n"),
    ];
    let fixture = load(&files, &["inv"]);
    assert_eq!(fixture.problems, [""; 0]);
    assert_eq!(fixture.groups(), "all: sub a b d\nungrouped: sub\nweb: a b\ndb: d\n");
    assert_eq!(fixture.variables("a"), "x=1");
}

#[test]
fn sources_that_cannot_be_read_are_named() {
    let files = [("script", "#!/bin/sh\necho\n"), ("h.toml", "[web]\n")];
    let fixture = load(&files, &["script", "h.toml", "none"]);
    assert_eq!(
        fixture.problems,
        [
            "0:0 inventory-program: the inventory `./script` begins like a program, but may not be executed",
            "0:0 inventory-format: the inventory `./h.toml` is written in TOML, which is not supported",
            "0:0 inventory-source: cannot read the inventory `./none`: there is no such file or directory",
        ]
    );
}

#[test]
fn an_encrypted_file_is_a_problem_of_its_hosts_only() {
    let sealed = "$ANSIBLE_VAULT;1.1;AES256\n00\n";
    let files =
        [("hosts", "[web]\na\n[db]\nb\nc\n"), ("group_vars/db", sealed), ("host_vars/c", sealed), ("host_vars/a", "x: 1\n")];
    let fixture = load(&files, &["hosts"]);
    assert_eq!(fixture.problems, [""; 0]);
    assert!(fixture.inventory.has_closed_files());
    let closed = |hosts: &[&str]| {
        let hosts: Vec<_> = hosts.iter().map(|host| (*host).into()).collect();
        let name = |d: &Diagnostic| d.message.split('`').nth(1).unwrap().rsplit('/').next().unwrap().to_owned();
        fixture.inventory.closed_files(&hosts).iter().map(name).collect::<Vec<_>>()
    };
    assert_eq!(closed(&["a"]), [""; 0]);
    assert_eq!(closed(&["b"]), ["db"]);
    assert_eq!(closed(&["a", "c"]), ["db", "c"]);
}

#[test]
fn hosts_of_a_group_share_its_variables() {
    let fixture = ini("[web]\nw[1:100]\n[web:vars]\nx=1\n");
    let layer = |host: &str| fixture.inventory.host_layers(host).remove(0).variables;
    assert!(std::sync::Arc::ptr_eq(&layer("w1"), &layer("w100")));
}

#[test]
fn the_inventory_can_grow_while_running() {
    let mut fixture = ini("a\n");
    fixture.inventory.add_host_to_group("new", "dynamic");
    fixture.inventory.settle();
    assert_eq!(fixture.groups(), "all: a new\nungrouped: a\ndynamic: new\n");
    assert_eq!(fixture.inventory.select("dynamic", None).unwrap().hosts.join(" "), "new");
    assert!(Path::new(fixture.directory.path()).exists());
}

/// An executable file.
fn executable(fixture: &tempfile::TempDir, name: &str, text: &str) -> String {
    use std::os::unix::fs::PermissionsExt as _;
    let path = fixture.path().join(name);
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path.display().to_string()
}

fn run_program(text: &str, timeout: std::time::Duration) -> (Inventory, Vec<String>) {
    let directory = tempfile::tempdir().unwrap();
    let path = executable(&directory, "inv", text);
    let settings = InventorySettings { program_timeout: timeout, ..InventorySettings::default() };
    let (inventory, problems) = Inventory::load(&SourceMap::default(), &[&path], &settings);
    let place = directory.path().display().to_string();
    let said = problems.iter().map(|d| format!("{}|{}", d.message, d.hint.as_deref().unwrap_or_default()).replace(&place, "."));
    (inventory, said.collect())
}

#[test]
fn programs_print_groups_and_hosts() {
    let minute = std::time::Duration::from_secs(60);
    let text = r#"#!/bin/sh
case "$1" in
--list) echo '{"web": ["w1", "w2:22"], "db": {"hosts": ["d1"], "vars": {"x": 1}, "children": ["web", "none"]}, "lone": {"a": 1}}';;
--host) echo "{\"me\": \"$2\"}";;
esac
"#;
    let (inventory, problems) = run_program(text, minute);
    assert_eq!(problems, [""; 0]);
    let mut fixture = ini("");
    fixture.inventory = inventory;
    assert_eq!(fixture.groups(), "all: d1 lone w1 w2:22\nungrouped: \nweb: w1 w2:22\ndb: d1 w1 w2:22\nnone: \nlone: lone\n");
    assert_eq!(fixture.variables("w2:22"), "me=w2:22 x=1");
    assert_eq!(fixture.variables("lone"), "a=1 me=lone");

    let text = r#"#!/bin/sh
[ "$1" = --list ] || exit 9
echo '{"web": {"hosts": ["w1", "w2"]}, "_meta": {"hostvars": {"w1": {"x": 1}, "other": {"x": 2}}}}'
echo careful >&2
"#;
    let (inventory, problems) = run_program(text, minute);
    assert_eq!(problems, ["the inventory program `./inv --list` said: careful|"]);
    fixture.inventory = inventory;
    assert_eq!(fixture.groups(), "all: w1 w2\nungrouped: \nweb: w1 w2\n");
    assert_eq!(fixture.variables("w1"), "x=1");
}

#[test]
fn what_is_wrong_with_a_program_is_said() {
    let minute = std::time::Duration::from_secs(60);
    let table = [
        ("#!/bin/sh\necho oops >&2; exit 3", "the inventory program `./inv --list` failed: exit status: 3|it said: oops"),
        ("#!/bin/sh\necho junk", "the inventory program `./inv --list` prints no valid JSON: expected value|"),
        ("#!/bin/sh\necho '[1]'", "the inventory program `./inv` must print groups by name, and this is a list|"),
        (
            "#!/bin/sh\necho '{\"web\": 5}'",
            "the group `web` is a list of hosts or has `hosts`, `vars` and `children`, and this is a whole number|",
        ),
        ("#!/bin/sh\necho '{\"web\": {\"hosts\": \"a\"}}'", "the group `web` needs a list of hosts, and this is text|"),
    ];
    for (text, expected) in &table {
        assert_eq!(run_program(text, minute).1, [*expected], "{text}");
    }
    let (_, problems) = run_program("#!/bin/sh\nexec sleep 1000\n", std::time::Duration::from_millis(50));
    assert_eq!(problems, ["the inventory program `./inv --list` did not end within 0.05 seconds|"]);
    let (_, problems) = run_program("#!/nowhere/sh\n", minute);
    assert!(problems[0].starts_with("the inventory program `./inv --list` cannot be started: "), "{problems:?}");
}

#[test]
fn hosts_know_which_source_named_them_first() {
    let fixture = load(&[("inv/a", "h1\n"), ("inv/b", "h1\nh2\n")], &["inv", "h2,h3,"]);
    let of = |host: &str| {
        let source = fixture.inventory.source_of(host).unwrap();
        let place = fixture.directory.path().display().to_string();
        format!("{} {:?}", source.file.replace(&place, "."), source.directory.as_ref().map(|d| d.replace(&place, ".")))
    };
    assert_eq!([of("h1"), of("h2"), of("h3")], ["./inv/a Some(\"./inv\")", "./inv/b Some(\"./inv\")", "h2,h3, None"]);
    assert_eq!(fixture.inventory.sources()[1], "h2,h3,");
}

#[test]
fn constructed_makes_variables_and_groups() {
    let hosts = "\
[web]
w1 os=deb l='[\"x\",\"\",\"y\"]' n=5
w2 os= m='{\"p\": \"\", \"q\": \"r\"}'
[web:vars]
wv=web
[all:vars]
av=all
";
    let keyed = |entry: &str, more: &str| {
        let text = format!("plugin: constructed\n{more}\nkeyed_groups: [{entry}]\n");
        let fixture = load(&[("hosts", hosts), ("z.yml", &text)], &["hosts", "z.yml"]);
        let groups = fixture.groups();
        let made: Vec<&str> = groups.lines().skip(3).collect();
        format!("{}{}", made.join("; "), fixture.problems.join("; "))
    };
    let table = [
        ("{key: os, separator: '-'}", "", "_deb: w1"),
        ("{key: os, separator: '-'}", "leading_separator: false", "deb: w1"),
        ("{key: os, prefix: o, default_value: none}", "", "o_deb: w1; o_none: w2"),
        ("{key: os, prefix: o}", "strict: yes", "o_deb: w13:22 inventory-plugin: `os` is empty for host `w2`"),
        ("{key: l, prefix: o}", "", "o_x: w1; o_: w1; o_y: w1"),
        ("{key: l, prefix: o, default_value: e}", "", "o_x: w1; o_e: w1; o_y: w1"),
        ("{key: m, prefix: o}", "", "o_p_: w2; o_q_r: w2"),
        ("{key: m, prefix: o, trailing_separator: false}", "", "o_p: w2; o_q_r: w2"),
        (
            "{key: m, trailing_separator: false, default_value: a}",
            "",
            "3:16 inventory-plugin: `default_value` and `trailing_separator` exclude each other",
        ),
        ("{key: \"'a b.c'\", prefix: é}", "", "é_a_b_c: w1 w2"),
        ("{key: \"'1st'\", separator: ''}", "", "_st: w1 w2"),
        ("{key: wv, parent_group: \"{{ wv }}_parent\"}", "", "_web: w1 w2; web_parent: w1 w2"),
        ("{key: n | default(omit)}", "", "3:22 inventory-plugin: `n | default(omit)` is 5 for host `w1`: a `int`"),
        ("{key: av}", "", ""),
        ("{prefix: x}", "", "3:16 inventory-plugin: an entry of `keyed_groups` needs a `key`"),
    ];
    let wrong: Vec<_> = table
        .iter()
        .map(|(entry, more, expected)| (entry, keyed(entry, more), expected))
        .filter(|(_, found, expected)| found != *expected)
        .collect();
    assert!(wrong.is_empty(), "entry, found, expected: {wrong:#?}");

    let text = "\
plugin: ansible.builtin.constructed
compose:
  a: os ~ '-' ~ inventory_hostname
  b: a
  t: \"'{{ 1 }}'\"
  bad: nosuch + 1
  num: 5
groups:
  big one: n is defined and n > 3
  composed: a is defined
  text: \"'yes'\"
";
    let fixture = load(&[("hosts", hosts), ("z.yml", text)], &["hosts", "z.yml"]);
    assert_eq!(fixture.problems, [""; 0]);
    assert_eq!(fixture.variables("w2"), "a=-w2 av=all m=a mapping os= t={{ 1 }} wv=web");
    assert!(fixture.groups().ends_with("big_one: w1\ncomposed: w1 w2\n"), "{}", fixture.groups());
}

#[test]
fn generator_combines_layers() {
    let text = "\
plugin: generator
hosts:
  name: \"{{ op }}_{{ app }}\"
  parents:
    - name: \"{{ op }}\"
      parents:
        - {name: ops, vars: {kind: \"{{ op }}s\"}}
    - name: runner
layers: {op: [build, launch], app: [web, api]}
";
    let fixture = load(&[("g.yml", text)], &["g.yml"]);
    assert_eq!(fixture.problems, [""; 0]);
    assert_eq!(
        fixture.groups(),
        "all: build_web build_api launch_web launch_api\nungrouped: \nbuild: build_web build_api\n\
         ops: build_web build_api launch_web launch_api\nrunner: build_web build_api launch_web launch_api\n\
         launch: launch_web launch_api\n"
    );
    assert_eq!(fixture.variables("build_api"), "kind=launchs");
    let numbers = "plugin: generator\nhosts: {name: \"{{ a }}\"}\nlayers: {a: [1]}\n";
    assert_eq!(
        load(&[("g.yml", numbers)], &["g.yml"]).problems,
        ["2:15 inventory-plugin: a name is text, and this is 1: a `int`"]
    );
    let many = format!(
        "plugin: generator\nhosts: {{name: x}}\nlayers: {{{}}}\n",
        (0..7).map(|i| format!("l{i}: [1,2,3,4,5,6,7,8,9,0]")).collect::<Vec<_>>().join(",")
    );
    assert!(load(&[("g.yml", &many)], &["g.yml"]).problems[0].contains("these layers have 10000000 combinations"));
}
