//! The controller's half against the agent's own code and against forged agents.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use stead_agent::blobs::Blobs;
use stead_agent::serve::{Worker, serve};
use stead_agent::wire::Mode;
use stead_modules::outcome::{Ending, Failure};

use super::*;

/// `echo` returns its options, `blob` fetches content, `panic` has a bug.
struct Echo(Blobs);

impl Worker for Echo {
    fn run(&mut self, task: &Task) -> Outcome {
        match task.module.as_str() {
            "echo" => Outcome::new(Ending::Ok, task.options.clone()),
            "blob" => match self.0.get(task.options["sha256"].as_str().unwrap()) {
                Ok(bytes) => Outcome::new(Ending::Ok, options(&[("length", &bytes.len().to_string())])),
                Err(failure) => Outcome::failed(failure),
            },
            _ => panic!("not made for this"),
        }
    }
}

fn options(pairs: &[(&str, &str)]) -> serde_json::Map<String, serde_json::Value> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), serde_json::Value::from(*value))).collect()
}

fn task(module: &str, pairs: &[(&str, &str)]) -> Task {
    Task {
        id: 0,
        module: module.into(),
        options: options(pairs),
        mode: Mode::Apply,
        in_doubt: false,
        environment: serde_json::Map::new(),
        timeout: None,
        job: None,
    }
}

/// A session with whatever `agent` does on its end of the stream.
async fn session_with(contents: Contents, agent: impl FnOnce(UnixStream) + Send + 'static) -> Result<AgentSession, StartError> {
    let (ours, theirs) = UnixStream::pair().unwrap();
    std::thread::spawn(move || agent(theirs));
    ours.set_nonblocking(true).unwrap();
    let (from, to) = tokio::net::UnixStream::from_std(ours).unwrap().into_split();
    AgentSession::start(from, to, (), "n0", contents, LastWords::default(), Duration::from_secs(5)).await
}

async fn echo_session(contents: Contents) -> AgentSession {
    let agent = |stream: UnixStream| {
        let _ = serve(stream.try_clone().unwrap(), stream, "n0", Echo);
    };
    session_with(contents, agent).await.unwrap()
}

fn hello(nonce: &str) -> Vec<u8> {
    let hello = Hello { protocol: PROTOCOL, nonce: nonce.into(), uid: 0, arch: "x86_64".into(), pid: 1 };
    [MAGIC.as_slice(), &wire::encode(&Reply::Hello(hello))].concat()
}

/// An agent that greets, waits for one frame, answers with these bytes and closes.
async fn forged(answer: Vec<u8>) -> Result<Outcome, SessionError> {
    let session = session_with(Contents::default(), move |mut stream| {
        stream.write_all(&hello("n0")).unwrap();
        wire::read_frame(&mut stream).unwrap();
        let _ = stream.write_all(&answer);
    });
    session.await.unwrap().run(task("echo", &[])).await
}

#[tokio::test]
async fn tasks_are_done_in_order_and_answered_each() {
    let session = echo_session(Contents::default()).await;
    let first = session.run(task("echo", &[("x", "1")]));
    let second = session.run(task("echo", &[("x", "2")]));
    let (first, second) = tokio::join!(first, second);
    assert_eq!(first.unwrap().result["x"], "1");
    assert_eq!(second.unwrap().result["x"], "2");
    session.goodbye().await;
}

#[tokio::test]
async fn content_travels_on_demand_in_parts() {
    let contents = Contents::default();
    let directory = tempfile::tempdir().unwrap();
    let big = vec![7_u8; 3 * BLOB_PART + 5];
    let path = directory.path().join("big");
    std::fs::write(&path, &big).unwrap();
    let big_digest = stead_modules::change::sha256(&big);
    contents.offer(&big_digest, ContentSource::File(path.clone()));
    let empty = contents.offer_bytes(Vec::new());
    let session = echo_session(contents).await;
    for (sha256, length) in [(&big_digest, big.len()), (&empty, 0)] {
        let outcome = session.run(task("blob", &[("sha256", sha256)])).await.unwrap();
        assert_eq!(outcome.result["length"], length.to_string());
    }
    // Kept by the agent: not asked for again.
    std::fs::remove_file(&path).unwrap();
    let outcome = session.run(task("blob", &[("sha256", &big_digest)])).await.unwrap();
    assert_eq!(outcome.ending, Ending::Ok);
}

#[tokio::test]
async fn content_that_changed_or_is_missing_fails_the_task_alone() {
    let contents = Contents::default();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file");
    std::fs::write(&path, "new").unwrap();
    let old = stead_modules::change::sha256(b"old");
    contents.offer(&old, ContentSource::File(path));
    let session = echo_session(contents).await;
    let outcome = session.run(task("blob", &[("sha256", &old)])).await.unwrap();
    assert!(outcome.result["msg"].as_str().unwrap().contains("changed while stead ran"), "{outcome:?}");
    let outcome = session.run(task("blob", &[("sha256", &"0".repeat(64))])).await.unwrap();
    assert!(outcome.result["msg"].as_str().unwrap().contains("not offered"), "{outcome:?}");
    assert_eq!(session.run(task("echo", &[])).await.unwrap().ending, Ending::Ok);
}

#[tokio::test]
async fn a_bug_in_a_module_is_a_failed_task() {
    let session = echo_session(Contents::default()).await;
    let outcome = session.run(task("buggy", &[])).await.unwrap();
    assert!(outcome.result["msg"].as_str().unwrap().contains("`buggy` has a bug: not made for this"));
    assert_eq!(session.run(task("echo", &[])).await.unwrap().ending, Ending::Ok);
}

#[tokio::test]
async fn noise_before_the_agent_is_skipped_and_shown_if_none_comes() {
    let noisy = |mut stream: UnixStream| {
        stream.write_all(b"Welcome to \0STEAD0 host!\n").unwrap();
        stream.write_all(&hello("n0")).unwrap();
        let _ = stream.read(&mut [0]);
    };
    assert_eq!(session_with(Contents::default(), noisy).await.unwrap().hello().pid, 1);
    let silent = |mut stream: UnixStream| stream.write_all(b"This account is not available.\n").unwrap();
    let error = session_with(Contents::default(), silent).await.unwrap_err();
    assert_eq!(error, StartError::Ended { noise: b"This account is not available.\n".to_vec() });
    let endless = |mut stream: UnixStream| while stream.write_all(&[b'x'; 4096]).is_ok() {};
    let error = session_with(Contents::default(), endless).await.unwrap_err();
    assert!(matches!(error, StartError::Stranger { .. }), "{error:?}");
}

#[tokio::test]
async fn an_agent_with_another_nonce_is_not_ours() {
    let stranger = |mut stream: UnixStream| stream.write_all(&hello("n1")).unwrap();
    let error = session_with(Contents::default(), stranger).await.unwrap_err();
    assert!(matches!(error, StartError::Stranger { .. }), "{error:?}");
}

#[tokio::test]
async fn whatever_a_hostile_agent_sends_only_the_task_is_lost() {
    let done = |id| Reply::Done { id, outcome: Box::new(Outcome::failed(Failure::new("x"))) };
    let deep = format!(r#"{{"is":"done","id":1,"outcome":{}"#, "[".repeat(500_000));
    let wide = format!(r#"{{"is":"done","id":1,"outcome":[{}1]}}"#, "1,".repeat(MOST_VALUES));
    let json = |text: &str| {
        let mut bytes = ((text.len() + 1) as u32).to_le_bytes().to_vec();
        bytes.push(wire::JSON);
        bytes.extend_from_slice(text.as_bytes());
        bytes
    };
    let many = Reply::Need { sha256: vec!["0".repeat(64)] };
    let cases: [(&str, Vec<u8>); 9] = [
        ("nothing", Vec::new()),
        ("a length of 4 GiB", vec![0xff, 0xff, 0xff, 0xff, wire::JSON]),
        ("an unknown tag", vec![2, 0, 0, 0, b'X', 0]),
        ("another request's answer", wire::encode(&done(99))),
        ("half a frame", wire::encode(&done(1))[..9].to_vec()),
        ("deep nesting", json(&deep)),
        ("a million values", json(&wide)),
        ("unasked content", wire::encode_blob(&[0; 32], true, b"x")),
        ("endless needs", (0..10 * MOST_NEEDS).flat_map(|_| wire::encode(&many)).collect()),
    ];
    for (name, bytes) in cases {
        let error = forged(bytes).await.expect_err(name);
        assert!(matches!(error, SessionError::Lost { .. }), "{name}: {error:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_falls_silent_is_lost_after_half_a_minute() {
    let (ours, theirs) = tokio::io::duplex(1 << 20);
    let (from, to) = tokio::io::split(ours);
    let (mut their_reader, mut their_writer) = tokio::io::split(theirs);
    their_writer.write_all(&hello("n0")).await.unwrap();
    let started = Instant::now();
    let words = LastWords::default();
    let session = AgentSession::start(from, to, (), "n0", Contents::default(), words, Duration::from_secs(5)).await.unwrap();
    let agent = tokio::spawn(async move {
        // Heartbeats for a minute, then silence; what the controller sends is read.
        for _ in 0..12 {
            tokio::time::sleep(Duration::from_secs(5)).await;
            their_writer.write_all(&wire::encode(&Reply::Working { id: 1 })).await.unwrap();
        }
        let mut sent = Vec::new();
        their_reader.read_to_end(&mut sent).await.unwrap();
        drop(their_writer);
    });
    let error = session.run(task("echo", &[])).await.unwrap_err();
    assert!(error.to_string().contains("nothing was heard from the agent for 30 s"), "{error}");
    assert_eq!(started.elapsed().as_secs(), 90);
    let after = session.run(task("echo", &[])).await.unwrap_err();
    assert!(matches!(after, SessionError::Unreachable { .. }), "{after:?}");
    agent.abort();
}
