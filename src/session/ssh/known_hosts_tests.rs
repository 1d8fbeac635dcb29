//! Lines in, judgement out.

use std::time::Duration;

use russh::keys::PrivateKey;
use russh::keys::ssh_key::certificate::Builder;

use super::*;

const NOW: u64 = 1_800_000_000;

fn private(seed: u8) -> PrivateKey {
    let pair = russh::keys::ssh_key::private::Ed25519Keypair::from_seed(&[seed; 32]);
    PrivateKey::from(pair)
}

fn key(seed: u8) -> PublicKey {
    private(seed).public_key().clone()
}

fn line(seed: u8) -> String {
    let text = key(seed).to_openssh().unwrap();
    text.split_ascii_whitespace().take(2).collect::<Vec<_>>().join(" ")
}

fn options(port: u16) -> Options {
    Options {
        hostname: "web1.example.org".into(),
        port,
        user: "root".into(),
        identity_files: Vec::new(),
        certificate_files: Vec::new(),
        identities_only: false,
        agent_socket: None,
        proxy_jump: Vec::new(),
        proxy_command: None,
        user_known_hosts: Vec::new(),
        global_known_hosts: Vec::new(),
        host_key_alias: None,
        strictness: Strictness::Strict,
        hash_known_hosts: false,
        connect_timeout: Duration::from_secs(15),
    }
}

fn known(text: &str, port: u16) -> KnownHost {
    let mut known = KnownHost::load(&options(port));
    known.add(Path::new("known_hosts"), text);
    known
}

fn judge(text: &str, port: u16) -> Judgement {
    known(text, port).judge(&key(1).into(), NOW)
}

#[test]
fn a_line_is_about_a_host() {
    let hashed = hash_name("web1.example.org", b"salt of some bytes!!");
    let hashed_port = hash_name("[web1.example.org]:2222", b"other salt of bytes!");
    let cases = [
        ("web1.example.org", 22, true),
        ("WEB1.Example.org", 22, true),
        ("[web1.example.org]:22", 22, true),
        ("web2.example.org,web1.example.org", 22, true),
        ("*.example.org", 22, true),
        ("web?.example.org", 22, true),
        ("*.example.org,!web1.example.org", 22, false),
        ("!web1.example.org,*", 22, false),
        ("web1", 22, false),
        ("[web1.example.org]:2222", 2222, true),
        ("[*.example.org]:2222", 2222, true),
        ("web1.example.org", 2222, false),
        ("[web1.example.org]:2222", 22, false),
        (hashed.as_str(), 22, true),
        (hashed.as_str(), 2222, false),
        (hashed_port.as_str(), 2222, true),
        ("|1|broken", 22, false),
    ];
    for (names, port, matches) in cases {
        let judgement = judge(&format!("{names} {}\n", line(1)), port);
        let expected = if matches { Judgement::Known } else { Judgement::Unknown };
        assert_eq!(judgement, expected, "{names} port {port}");
    }
}

#[test]
fn a_hashed_name_written_by_openssh_is_found() {
    // `ssh-keygen -H` of a line for web1.example.org.
    let hashed = "|1|9Ub3zOkKuIGdvVXtfZxaZkLDM9g=|WqvbQcFJx6fwx7mHcSwOoH2NCps=";
    assert!(names_match(hashed, "web1.example.org"));
    assert!(!names_match(hashed, "web2.example.org"));
}

#[test]
fn a_changed_key_names_the_line_of_the_known_one() {
    let text = format!("# comment\n\nother.example.org {}\nweb1.example.org {} me@home\n", line(1), line(2));
    let Judgement::Changed { place, known, .. } = judge(&text, 22) else { panic!("it is another key") };
    assert_eq!(place, "known_hosts:4");
    assert_eq!(known, describe(&key(2)));
    // One right line among others will do.
    assert_eq!(judge(&format!("{text}web1.example.org {}\n", line(1)), 22), Judgement::Known);
}

#[test]
fn a_revoked_key_is_refused_even_where_it_is_known() {
    let text = format!("web1.example.org {0}\n@revoked * {0}\n", line(1));
    assert_eq!(judge(&text, 22), Judgement::Revoked { place: "known_hosts:2".into() });
}

#[test]
fn damaged_lines_say_nothing() {
    for text in ["web1.example.org", "web1.example.org ssh-ed25519", "web1.example.org ssh-ed25519 AAAA", "@what x y z"] {
        assert_eq!(judge(text, 22), Judgement::Unknown, "{text}");
    }
}

fn certificate(authority: u8, names: &[&str], kind: CertType, until: u64) -> PublicKeyOrCertificate {
    let mut builder = Builder::new(vec![7; 16], key(1), NOW - 100, until).unwrap();
    builder.cert_type(kind).unwrap().key_id("web1").unwrap().serial(1).unwrap();
    for name in names {
        builder.valid_principal(*name).unwrap();
    }
    builder.sign(&private(authority)).unwrap().into()
}

#[test]
fn a_certificate_is_good_for_its_names_its_time_and_its_authority() {
    let text = format!("@cert-authority *.example.org {}\n", line(9));
    let known = known(&text, 22);
    assert!(known.has_authority());
    let judge = |certificate| known.judge(&certificate, NOW);
    let host = CertType::Host;
    assert_eq!(judge(certificate(9, &["web1.example.org"], host, NOW + 100)), Judgement::Known);
    for (name, bad) in [
        ("another name", certificate(9, &["web2.example.org"], host, NOW + 100)),
        ("another authority", certificate(8, &["web1.example.org"], host, NOW + 100)),
        ("expired", certificate(9, &["web1.example.org"], host, NOW - 1)),
        ("a user's", certificate(9, &["web1.example.org"], CertType::User, NOW + 100)),
    ] {
        assert!(matches!(judge(bad), Judgement::BadCertificate { .. }), "{name}");
    }
    // The key of an authority is not a host key.
    assert_eq!(known.judge(&key(9).into(), NOW), Judgement::Unknown);
    let revoked = format!("{text}@revoked * {}\n", line(9));
    let judgement = super::tests::known(&revoked, 22).judge(&certificate(9, &["web1.example.org"], host, NOW + 100), NOW);
    assert!(matches!(judgement, Judgement::Revoked { .. }), "{judgement:?}");
}

#[test]
fn what_is_done_depends_on_strictness() {
    let shown = PublicKeyOrCertificate::from(key(1));
    let known = known("", 22);
    let changed = Judgement::Changed { place: "f:1".into(), file: "f".into(), known: "x".into() };
    let revoked = Judgement::Revoked { place: "f:1".into() };
    use Strictness::{AcceptNew, Off, Strict};
    for (judgement, strictness, expected) in [
        (&Judgement::Known, Strict, Some(false)),
        (&Judgement::Unknown, Strict, None),
        (&Judgement::Unknown, AcceptNew, Some(true)),
        (&Judgement::Unknown, Off, Some(false)),
        (&changed, Strict, None),
        (&changed, AcceptNew, None),
        (&changed, Off, Some(false)),
        (&revoked, Off, None),
    ] {
        let decision = decide(judgement, &shown, &known, strictness);
        assert_eq!(decision.ok(), expected, "{judgement:?} {strictness:?}");
    }
}

#[test]
fn refusals_say_what_can_be_done() {
    let shown = PublicKeyOrCertificate::from(key(1));
    let text = format!("[web1.example.org]:2222 {}\n", line(2));
    let known = known(&text, 2222);
    let error = decide(&known.judge(&shown, NOW), &shown, &known, Strictness::Strict).unwrap_err();
    let SessionError::Unreachable { message, hint: Some(hint) } = error else { panic!("it has a hint") };
    assert!(message.contains(&describe(&key(1))) && message.contains("known_hosts:1"), "{message}");
    assert!(hint.contains("ssh-keygen -R '[web1.example.org]:2222' -f 'known_hosts'"), "{hint}");
}

#[test]
fn a_new_key_is_recorded_on_a_line_of_its_own_and_found_again() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join(".ssh/known_hosts");
    for (hashed, name) in [(false, "web1.example.org"), (true, "web1.example.org")] {
        let _ = std::fs::remove_file(&file);
        record(&file, "other.example.org", &key(2), false).unwrap();
        // Somebody's editor left no newline at the end.
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, text.trim_end()).unwrap();
        record(&file, name, &key(1), hashed).unwrap();
        let text = std::fs::read_to_string(&file).unwrap();
        assert_eq!(text.lines().count(), 2);
        assert_eq!(text.contains(name), !hashed);
        let options = Options { user_known_hosts: vec![file.clone()], ..options(22) };
        assert_eq!(KnownHost::load(&options).judge(&key(1).into(), NOW), Judgement::Known);
    }
    use std::os::unix::fs::PermissionsExt as _;
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn known_algorithms_come_first() {
    let text = format!("web1.example.org {}\n", line(1));
    let rsa = Algorithm::Rsa { hash: Some(HashAlg::Sha512) };
    let preferred = known(&text, 22).prefer(&[rsa.clone(), Algorithm::Ed25519]);
    assert_eq!(preferred, [Algorithm::Ed25519, rsa]);
}
