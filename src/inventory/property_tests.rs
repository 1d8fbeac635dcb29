//! Random inventories against models that are too simple to be wrong.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::sample::subsequence;

use super::{Inventory, InventorySettings};
use crate::source::SourceMap;
use crate::vars::{Definition, Layer, Origin, Precedence, Scope, Value, Variable, Variables};

const LEVELS: [Precedence; 10] = [
    Precedence::RoleDefaults,
    Precedence::Facts,
    Precedence::PlayVars,
    Precedence::PlayVarsFiles,
    Precedence::RoleVars,
    Precedence::TaskVars,
    Precedence::SetFact,
    Precedence::RoleParams,
    Precedence::IncludeParams,
    Precedence::ExtraVars,
];

/// Every place in an inventory that can define a variable of the host, in the order in which
/// Ansible's documentation lists them; the last one wins. The host is in `leaf`, which is in `mid`,
/// which is in `top`; `other` is a group of the host beside `leaf`, nearer to `all`.
const PLACES: [&str; 21] = [
    "inv/hosts: all",
    "inv/hosts: other",
    "inv/hosts: top",
    "inv/hosts: mid",
    "inv/hosts: leaf",
    "inv/group_vars/all",
    "inv2/group_vars/all",
    "play/group_vars/all",
    "inv/group_vars/other",
    "inv/group_vars/top",
    "inv/group_vars/mid",
    "inv/group_vars/leaf",
    "inv2/group_vars/top",
    "inv2/group_vars/leaf",
    "play/group_vars/other",
    "play/group_vars/leaf",
    "inv/hosts: h",
    "inv2/hosts: h",
    "inv/host_vars/h",
    "inv2/host_vars/h",
    "play/host_vars/h",
];

fn write(directory: &std::path::Path, name: &str, text: &str) {
    let path = directory.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// Files in which these places (indices) define `x` as their index.
fn project(directory: &std::path::Path, places: &[usize]) -> Inventory {
    let mut hosts = "[leaf]\nh\n[other]\nh\n[mid:children]\nleaf\n[top:children]\nmid\n".to_owned();
    let mut second = "[leaf]\nh\n".to_owned();
    for place in places {
        match PLACES[*place].split_once(": ") {
            Some(("inv/hosts", "h")) => hosts.push_str(&format!("[leaf]\nh x={place}\n")),
            Some((_, "h")) => second.push_str(&format!("h x={place}\n")),
            Some((_, group)) => hosts.push_str(&format!("[{group}:vars]\nx={place}\n")),
            None => write(directory, PLACES[*place], &format!("x: {place}\n")),
        }
    }
    write(directory, "inv/hosts", &hosts);
    write(directory, "inv2/hosts", &second);
    let map = SourceMap::default();
    let sources = ["inv/hosts", "inv2/hosts"].map(|name| directory.join(name).display().to_string());
    let (mut inventory, problems) = Inventory::load(&map, &sources, &InventorySettings::default());
    assert!(problems.is_empty(), "{problems:?}");
    assert!(inventory.load_beside_playbook(&map, &directory.join("play")).is_empty());
    inventory
}

fn number(variable: &Variable) -> i64 {
    match &variable.definition {
        Definition::Source(node) => match node.value {
            crate::source::NodeValue::Int(number) => number,
            _ => panic!("{node:?}"),
        },
        Definition::Data(value) => value.as_int().unwrap(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_documented_order_decides_which_place_wins(places in subsequence((0..PLACES.len()).collect::<Vec<_>>(), 1..PLACES.len())) {
        let directory = tempfile::tempdir().unwrap();
        let inventory = project(directory.path(), &places);
        let scope = Scope { layers: inventory.host_layers("h"), ..Scope::default() };
        let winner = number(scope.lookup("x").unwrap().0);
        prop_assert_eq!(winner, *places.last().unwrap() as i64, "{}", PLACES[winner as usize]);
        // What explains the winner knows all places, in the same order.
        let explained: Vec<i64> = inventory.definitions("h", "x").iter().map(|found| number(&found.variable)).collect();
        let expected: Vec<i64> = places.iter().map(|place| *place as i64).collect();
        prop_assert_eq!(explained, expected);
    }

    #[test]
    fn of_layers_the_highest_wins_and_of_equals_the_last(pushed in prop::collection::vec(0..LEVELS.len(), 1..12)) {
        let mut scope = Scope::default();
        for (index, level) in pushed.iter().enumerate() {
            let variable = Variable { definition: Definition::Data(Value::from(index)), origin: Origin::Builtin };
            let variables = Variables::from_iter([("x".into(), variable)]).into();
            scope.push(Layer { precedence: LEVELS[*level], variables });
        }
        let best = (0..pushed.len()).max_by_key(|index| (pushed[*index], *index)).unwrap();
        prop_assert_eq!(number(scope.lookup("x").unwrap().0), best as i64);
    }
}

/// Four groups over seven hosts: `web` and `db` as given, `site` holds both, `h0` may be in none.
#[derive(Debug, Clone)]
struct Model {
    web: BTreeSet<usize>,
    db: BTreeSet<usize>,
}

const HOSTS: usize = 7;

impl Model {
    fn inventory(&self) -> Inventory {
        let mut inventory = Inventory::default();
        for host in 0..HOSTS {
            inventory.add_host(&format!("h{host}"));
        }
        for (group, hosts) in [("web", &self.web), ("db", &self.db)] {
            inventory.add_group(group);
            for host in hosts {
                inventory.add_host_to_group(&format!("h{host}"), group);
            }
            inventory.add_child("site", group).unwrap();
        }
        inventory.settle();
        inventory
    }

    /// The hosts of one name, glob or expression, as a set.
    fn atom(&self, atom: &str) -> BTreeSet<usize> {
        let of = |wanted: &[usize]| wanted.iter().copied().collect();
        match atom {
            "all" | "*" | "h*" | "~h." => (0..HOSTS).collect(),
            "web" | "w?b" | "~^we" => self.web.clone(),
            "db" | "[cd]b" => self.db.clone(),
            "site" => &self.web | &self.db,
            "ungrouped" => (0..HOSTS).filter(|host| !self.web.contains(host) && !self.db.contains(host)).collect(),
            "h[1-3]*" | "~h[123]$" => of(&[1, 2, 3]),
            "h[!1-3]" => of(&[0, 4, 5, 6]),
            "h2" => of(&[2]),
            "h6" => of(&[6]),
            other => panic!("{other}"),
        }
    }
}

const ATOMS: [&str; 15] =
    ["all", "*", "h*", "~h.", "web", "w?b", "~^we", "db", "[cd]b", "site", "ungrouped", "h[1-3]*", "~h[123]$", "h[!1-3]", "h2"];

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn patterns_are_unions_then_intersections_then_differences(
        web in prop::collection::btree_set(0..HOSTS, 0..HOSTS),
        db in prop::collection::btree_set(0..HOSTS, 0..HOSTS),
        parts in prop::collection::vec((0..3_usize, 0..ATOMS.len()), 1..6),
        comma in any::<bool>(),
    ) {
        let model = Model { web, db };
        let text: Vec<String> = parts.iter().map(|(kind, atom)| format!("{}{}", ["", "&", "!"][*kind], ATOMS[*atom])).collect();
        let pattern = text.join(if comma { "," } else { ":" });
        let sets = |wanted: usize| parts.iter().filter(move |(kind, _)| *kind == wanted).map(|(_, atom)| model.atom(ATOMS[*atom]));
        let mut expected: BTreeSet<usize> = if sets(0).count() == 0 { model.atom("all") } else { sets(0).flatten().collect() };
        for other in sets(1) {
            expected = &expected & &other;
        }
        for other in sets(2) {
            expected = &expected - &other;
        }
        let found = model.inventory().select(&pattern, None).unwrap().hosts;
        let names: BTreeSet<usize> = found.iter().map(|name| name[1..].parse().unwrap()).collect();
        prop_assert_eq!(&names, &expected, "{}", &pattern);
        prop_assert_eq!(names.len(), found.len(), "each host once: {}", &pattern);
        // A limit is the same as one more `&`.
        let limited = model.inventory().select(&pattern, Some("site")).map(|found| found.hosts.len());
        if !model.atom("site").is_empty() {
            prop_assert_eq!(limited.unwrap(), (&expected & &model.atom("site")).len());
        }
    }

    #[test]
    fn slices_are_slices(start in 0..9_usize, end in 1..9_usize, count in 1..7_usize) {
        let mut inventory = Inventory::default();
        (0..count).for_each(|host| inventory.add_host_to_group(&format!("h{host}"), "web"));
        inventory.settle();
        let names: Vec<String> = (0..count).map(|host| format!("h{host}")).collect();
        let select = |pattern: String| inventory.select(&pattern, None).map(|found| found.hosts.iter().map(ToString::to_string).collect::<Vec<_>>());
        prop_assert_eq!(select(format!("web[{start}:{end}]")).unwrap(), names.iter().skip(start).take((end + 1).saturating_sub(start)).cloned().collect::<Vec<_>>());
        prop_assert_eq!(select(format!("web[{start}:]")).unwrap(), names.iter().skip(start).cloned().collect::<Vec<_>>());
        prop_assert_eq!(select(format!("web[{start}]")).ok(), names.get(start).map(|name| vec![name.clone()]));
        prop_assert_eq!(select(format!("web[-{end}]")).ok(), count.checked_sub(end).map(|at| vec![names[at].clone()]));
    }

    /// Whatever is written as a pattern or as an inventory: an answer or a diagnostic, no panic.
    #[test]
    fn any_text_is_answered(text in "\\PC{0,40}", odd in "[\\[\\]:,!&~*?a-c0-9 -]{0,20}") {
        let inventory = Model { web: BTreeSet::from([1]), db: BTreeSet::new() }.inventory();
        for pattern in [&text, &odd] {
            let _ = inventory.select(pattern, Some(pattern));
        }
        let map = SourceMap::default();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("hosts");
        std::fs::write(&path, format!("{text}\n[web]\n{odd}\n{odd} x={text}\n[{odd}:vars]\n{text}={odd}\n")).unwrap();
        let _ = Inventory::load(&map, &[path.display().to_string()], &InventorySettings::default());
    }
}
