//! Inventories as files: text in, hosts, groups and winning variables out.

use std::fmt::Write as _;
use std::path::Path;

use super::*;
use crate::source::{Node, NodeValue, SourceMap};
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
    let (inventory, diagnostics) = Inventory::load(&map, &sources);
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
            "plugin: constructed\n",
            &["1:1 inventory-plugin: this inventory is made by the plugin `constructed`, which is not supported yet"],
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
    let files = [
        ("script", "#!/bin/sh\necho\n"),
        ("h.toml", "[web]\n"),
        ("vault/hosts", "a\n"),
        ("vault/group_vars/all", "$ANSIBLE_VAULT;1.1;AES256\n00\n"),
    ];
    let fixture = load(&files, &["script", "h.toml", "none", "vault/hosts"]);
    assert_eq!(
        fixture.problems,
        [
            "0:0 inventory-program: the inventory `./script` is a program, which is not supported yet",
            "0:0 inventory-format: the inventory `./h.toml` is written in TOML, which is not supported",
            "0:0 inventory-source: cannot read the inventory `./none`: there is no such file or directory",
            "0:0 encrypted-file: cannot read `./vault/group_vars/all`: it is encrypted, and no vault password was given",
        ]
    );
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
