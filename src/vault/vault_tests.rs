//! Vectors made by Ansible, both ways; order of passwords; what is remembered.

use std::sync::Arc;

use crate::vault::{Key, Redactor, SealOptions, Secret, Vault, VaultError, header, open, seal};

const VECTORS: &str = include_str!("../../tests/vault/vectors.txt");

struct Vector {
    password: String,
    salt: String,
    id: Option<String>,
    content: String,
    sealed: String,
}

fn vectors() -> Vec<Vector> {
    let text: Vec<&str> = VECTORS.lines().filter(|line| !line.starts_with("# ")).collect();
    let blocks = text.split(|line| line.is_empty()).filter(|block| !block.is_empty());
    blocks
        .map(|block| {
            let [password, salt, id, content]: [String; 4] = serde_json::from_str(block[0]).unwrap();
            let id = (id != "-").then_some(id);
            Vector { password, salt, id, content, sealed: block[1..].join("\n") + "\n" }
        })
        .collect()
}

fn key(id: &str, password: &str) -> Key {
    Key { id: id.into(), password: Secret::of_bytes(password) }
}

fn vault(keys: &[(&str, &str)]) -> Vault {
    let mut vault = Vault::new(Arc::new(Redactor::default()));
    keys.iter().for_each(|(id, password)| vault.add(key(id, password)));
    vault
}

#[test]
fn texts_of_ansible_are_opened_and_made_byte_by_byte() {
    let all = vectors();
    assert!(all.len() >= 6);
    for vector in all {
        let opened = open(vector.sealed.as_bytes(), vector.password.as_bytes());
        assert_eq!(opened.as_deref(), Ok(vector.content.as_bytes()), "{}", vector.sealed);
        let options = SealOptions { id: vector.id.as_deref(), salt: Some(vector.salt.as_bytes()) };
        assert_eq!(seal(vector.content.as_bytes(), vector.password.as_bytes(), &options), vector.sealed);
        let named = vector.id.filter(|id| id != "default");
        assert_eq!(header(vector.sealed.as_bytes()).unwrap().id, named);
    }
}

#[test]
fn two_texts_with_one_content_differ() {
    let sealed = || seal(b"content", b"pw", &SealOptions::default());
    let (one, other) = (sealed(), sealed());
    assert_ne!(one, other);
    assert_eq!(open(one.as_bytes(), b"pw"), open(other.as_bytes(), b"pw"));
}

#[test]
fn what_is_damaged_is_refused() {
    let sealed = seal(b"content", b"pw", &SealOptions::default());
    let body = sealed.split_once('\n').unwrap().1;
    let cases = [
        (sealed.replace("1.1", "1.0"), "not supported"),
        (sealed.replace("AES256", "AES"), "not supported"),
        ("$ANSIBLE_VAULT;1.1;AES256\n".to_owned(), "part is missing"),
        ("$ANSIBLE_VAULT;1.1;AES256\nzz\n".to_owned(), "hexadecimal"),
        (format!("$ANSIBLE_VAULT;1.1;AES256\n{}", &body[..body.len() - 2]), "odd number"),
        (format!("no vault\n{body}"), "does not begin"),
    ];
    for (text, expected) in cases {
        let error = open(text.as_bytes(), b"pw").unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    // Another digit in the content. Digits are written as digits: 31 and 32, 61 and 62 are some.
    let at = sealed.len() - 2;
    let mut changed = sealed.into_bytes();
    changed[at] = if changed[at] == b'1' { b'2' } else { b'1' };
    assert_eq!(open(&changed, b"pw").unwrap_err(), crate::vault::OpenError::WrongPassword);
}

#[test]
fn passwords_of_the_same_id_are_tried_first_and_others_then() {
    let sealed = seal(b"content", b"right", &SealOptions { id: Some("prod"), salt: None });
    let open = |vault: &Vault| vault.open_with(sealed.as_bytes()).map(|(_, key)| key.id.clone());
    assert_eq!(open(&vault(&[("dev", "right"), ("prod", "right")])), Ok("prod".into()));
    assert_eq!(open(&vault(&[("dev", "right"), ("prod", "wrong")])), Ok("dev".into()));
    let strict = vault(&[("dev", "right"), ("prod", "wrong")]).only_matching(true);
    let error = VaultError::WrongPassword { id: Some("prod".into()), tried: vec!["prod".into()] };
    assert_eq!(open(&strict), Err(error));
    let missing = VaultError::NoPassword { id: Some("prod".into()) };
    assert_eq!(open(&vault(&[("dev", "right")]).only_matching(true)), Err(missing.clone()));
    assert_eq!(open(&vault(&[])), Err(missing));
}

#[test]
fn errors_name_the_vault_id() {
    let id = Some("prod".to_owned());
    let tried = vec!["dev".to_owned(), "prod".to_owned()];
    let cases = [
        (VaultError::NoPassword { id: id.clone() }, "it is encrypted with the vault id `prod`, and no password for it was given"),
        (VaultError::NoPassword { id: None }, "it is encrypted, and no vault password was given"),
        (
            VaultError::WrongPassword { id, tried },
            "it is encrypted with the vault id `prod`, and none of the passwords of `dev`, `prod` fits",
        ),
        (
            VaultError::WrongPassword { id: None, tried: vec!["default".to_owned()] },
            "it is encrypted, and the password of `default` does not fit",
        ),
    ];
    for (error, expected) in cases {
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn a_value_is_opened_once_hidden_and_remembers_its_encrypted_form() {
    let sealed = seal(b"hunter22", b"pw", &SealOptions::default());
    let vault = vault(&[("default", "pw")]);
    assert!(vault.redactor().is_empty());
    let (one, again) = (vault.text(&sealed).unwrap(), vault.text(&sealed).unwrap());
    assert!(Arc::ptr_eq(&one, &again));
    assert_eq!(vault.redactor().text("it is hunter22"), "it is ********");
    assert_eq!(vault.sealed_form(&one).as_deref(), Some(sealed.as_str()));
    assert_eq!(vault.sealed_form(&"hunter22".into()), None, "another text with the same letters");
}
