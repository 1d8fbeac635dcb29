//! Encrypted values in templates: what ansible-core 2.19 makes of the same.

use std::path::Path;
use std::sync::Arc;

use super::fixtures::{node, scope_of};
use super::{RenderSettings, Renderer};
use crate::source::SourceMap;
use crate::vars::{Scope, Value};
use crate::vault::{Key, Redactor, SealOptions, Secret, Vault, seal};

fn sealed(text: &str, id: Option<&str>) -> String {
    seal(text.as_bytes(), b"letmein", &SealOptions { id, salt: Some(b"salt") })
}

struct Bench {
    map: SourceMap,
    scope: Scope,
    renderer: Renderer,
    vault: Arc<Vault>,
}

fn bench(passwords: &[(&str, &str)]) -> Bench {
    let mut vault = Vault::new(Arc::new(Redactor::default()));
    for (id, password) in passwords {
        vault.add(Key { id: (*id).into(), password: Secret::of_bytes(*password) });
    }
    let vault = Arc::new(vault);
    let map = SourceMap::new(Arc::clone(&vault));
    let indented = |text: &str| sealed(text, None).replace('\n', "\n  ");
    let vars = format!(
        "enc: !vault |\n  {}\nnum: !vault |\n  {}\nboth: 'x-{{{{ enc }}}}-{{{{ num }}}}'\n",
        indented("tpl {{ 1+1 }}"),
        indented("42")
    );
    let scope = scope_of(&map, &vars);
    let renderer = Renderer::new(RenderSettings { vault: Arc::clone(&vault), ..RenderSettings::default() });
    Bench { map, scope, renderer, vault }
}

impl Bench {
    fn says(&self, text: &str) -> String {
        match self.renderer.value(&node(&self.map, text), &self.scope) {
            Ok(value) => value.to_json().map_or_else(|reason| reason.to_string(), |json| json.to_string()),
            Err(error) => format!("error: {}", error.message),
        }
    }
}

#[test]
fn values_filters_and_tests_agree_with_ansible_core() {
    let bench = bench(&[("default", "letmein")]);
    let cases = [
        ("{{ enc }}", r#""tpl {{ 1+1 }}""#),
        ("{{ num }}", r#""42""#),
        ("{{ both }}", r#""x-tpl {{ 1+1 }}-42""#),
        ("{{ num | type_debug }} {{ enc is vault_encrypted }} {{ both is vault_encrypted }}", r#""str True False""#),
        ("{{ (enc ~ '') is vault_encrypted }} {{ [enc] | first is vault_encrypted }}", r#""False True""#),
        ("{{ {'a': enc} | to_json }}", r#""{\"a\": \"tpl {{ 1+1 }}\"}""#),
        ("{{ enc | unvault('x') }}", r#""tpl {{ 1+1 }}""#),
        (
            "{{ 'abc' | vault('pw', salt='saltsalt') }}",
            r#""$ANSIBLE_VAULT;1.2;AES256;filter_default\n373336313663373437333631366337340a3232363334626361343064316238323630313032383433\n34613431633866613265313863643533363666633238343463646263323066616561373161353239\n310a3035626235363933343865656563656632323532616437373931656139643136\n""#,
        ),
        (
            "{{ 'abc' | vault('pw', vault_id='default', salt='x') }}",
            r#""$ANSIBLE_VAULT;1.1;AES256\n37380a66636462633063636439656234303935363533356233303438656132386666653531303337\n3437336130353764376233383661313934393263386330323536300a336364643537613563373566\n3565613062383836396430663065313763393333\n""#,
        ),
        ("{{ 'abc' | vault('pw', 'saltsalt') | unvault('pw') }}", r#""abc""#),
        ("{{ 'abc' | unvault('pw') }}", r#""abc""#),
        ("{{ ('abc' | vault('pw', 'saltsalt')) is vault_encrypted }}", "false"),
        ("{{ {'a': 1} | vault('x') }}", "error: the filter `vault`: only text can be encrypted, not a `dict`"),
        ("{{ 'abc' | vault(5) }}", "error: the filter `vault`: the vault's password is text, not a `int`"),
        (
            "{{ 'abc' | vault('pw', 'saltsalt') | unvault('pwx') }}",
            "error: the filter `unvault`: this text cannot be decrypted: it is encrypted with the vault id `filter_default`, and the password of \
             `filter_default` does not fit",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(bench.says(text), expected, "{text}");
    }
}

#[test]
fn yaml_keeps_values_encrypted() {
    let bench = bench(&[("default", "letmein")]);
    let lines = sealed("42", None).trim_end().replace('\n', "\n    ");
    let expected = Value::from(format!("a: !vault |\n    {lines}\nb:\n- !vault |\n    {lines}\n"));
    let found = bench.renderer.value(&node(&bench.map, "{{ {'a': num, 'b': [num]} | to_nice_yaml }}"), &bench.scope);
    assert_eq!(found, Ok(expected));
}

#[test]
fn what_is_not_used_is_not_opened_and_what_is_used_is_hidden() {
    let bench = bench(&[("default", "letmein")]);
    assert_eq!(bench.says("{{ 1 }}"), "1");
    assert!(bench.vault.redactor().is_empty());
    bench.says("{{ both }}");
    assert_eq!(bench.vault.redactor().text("tpl {{ 1+1 }}"), "********");
}

#[test]
fn a_value_that_cannot_be_opened_is_an_error_at_its_place() {
    let bench = bench(&[]);
    let error = bench.renderer.value(&node(&bench.map, "{{ both }}"), &bench.scope).unwrap_err();
    assert_eq!(error.message, "this value cannot be decrypted: it is encrypted, and no vault password was given");
    assert_eq!(bench.map.place(error.span.unwrap()), Path::new("vars.yml:1").display().to_string());
    assert!(error.hint.unwrap().contains("--vault-password-file"));
}
