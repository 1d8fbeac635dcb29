//! YAML's plain scalars: random ones have the type and the value that PyYAML gives them.

use std::io::Write as _;
use std::process::{Command, Stdio};

use proptest::strategy::{Strategy, ValueTree as _};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::Value;
use stead::source::NodeValue;
use stead::source::scalar::resolve;

use crate::ansible;

/// How many scalars are compared.
const CASES: usize = 20_000;

/// Reads lines, prints what PyYAML makes of each: its type and value. Dates are text here.
const READER: &str = r#"
import sys, json, yaml
class Loader(yaml.SafeLoader):
    pass
Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in known if tag != "tag:yaml.org,2002:timestamp"]
    for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
def read(text):
    loader = Loader("")
    tag = loader.resolve(yaml.ScalarNode, text, (True, False))
    try:
        value = loader.construct_object(yaml.ScalarNode(tag, text))
    except Exception:
        return "refused"
    if isinstance(value, int) and not isinstance(value, bool) and not -2**63 <= value < 2**63:
        return "str"
    if isinstance(value, float):
        return "float " + ("nan" if value != value else repr(value))
    return "str" if isinstance(value, str) else type(value).__name__ + " " + str(value)
print(json.dumps([read(text) for text in json.load(sys.stdin)]))
"#;

fn scalars() -> Vec<String> {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let numbers = proptest::string::string_regex("[-+]?[0-9_.:xbeE+]{1,8}").unwrap();
    let words = proptest::string::string_regex("(?i:yes|no|on|off|true|false|null|~|y|n|none)").unwrap();
    let special =
        proptest::string::string_regex(r"[-+]?\.(?i:inf|nan)|0[xb][0-9a-fA-F_]{1,6}|[0-9]{1,3}(:[0-9]{1,2}){1,2}(\.[0-9]*)?")
            .unwrap();
    let floats = proptest::string::string_regex(r"[-+]?[0-9_]{0,4}\.[0-9_]{0,4}([eE][-+]?[0-9]{1,3})?").unwrap();
    let any = proptest::prop_oneof![numbers, words, special, floats];
    (0..CASES).map(|_| any.new_tree(&mut runner).unwrap().current()).collect()
}

fn read(text: &str) -> String {
    match resolve(text) {
        None => "str".to_owned(),
        Some(NodeValue::Null) => "NoneType None".to_owned(),
        Some(NodeValue::Bool(value)) => format!("bool {}", if value { "True" } else { "False" }),
        Some(NodeValue::Int(number)) => format!("int {number}"),
        Some(NodeValue::Float(number)) => format!("float {number:?}"),
        Some(other) => panic!("no scalar: {other:?}"),
    }
}

fn same(theirs: &str, ours: &str) -> bool {
    // Python and Rust write floating numbers with other exponents.
    let float = |text: &str| text.strip_prefix("float ").and_then(|number| number.to_lowercase().parse::<f64>().ok());
    match (float(theirs), float(ours)) {
        (Some(one), Some(other)) => one == other || (one.is_nan() && other.is_nan()),
        _ => theirs == ours,
    }
}

#[test]
fn random_scalars_are_what_pyyaml_says() {
    let Some(programs) = ansible::programs("random_scalars_are_what_pyyaml_says") else { return };
    let scalars = scalars();
    let mut child = Command::new(programs.join("python"))
        .args(["-c", READER])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python starts");
    let mut input = child.stdin.take().expect("it was asked for");
    input.write_all(&serde_json::to_vec(&scalars).unwrap()).unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let theirs: Vec<String> = serde_json::from_slice::<Vec<Value>>(&output.stdout)
        .unwrap()
        .into_iter()
        .map(|value| value.as_str().unwrap().to_owned())
        .collect();
    let typed = theirs.iter().filter(|text| *text != "str").count();
    assert!(typed * 5 > CASES, "only {typed} of {CASES} are anything but text");
    let wrong: Vec<String> = std::iter::zip(&scalars, &theirs)
        .map(|(text, theirs)| (text, theirs, read(text)))
        // What PyYAML cannot construct, it refuses: to stead that is text.
        .filter(|(_, theirs, ours)| !same(theirs, ours) && (*theirs != "refused" || ours != "str"))
        .map(|(text, theirs, ours)| format!("{text}: PyYAML {theirs}, stead {ours}"))
        .collect();
    assert!(wrong.is_empty(), "{} of {CASES} differ:\n{}", wrong.len(), wrong.join("\n"));
}
