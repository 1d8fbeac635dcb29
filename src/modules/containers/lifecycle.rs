//! What is done to a container to bring it to its wanted state.

use std::time::Duration;

use serde_json::Value;

use super::docker_container::{Args, State, Wanted};
use super::engine::Engine;
use super::environment::Given;
use super::networks::endpoint_words;
use super::rows::ROWS;
use super::words::{map, scalar};
use super::{asked, health, images};
use crate::host::{Effect, Host};
use crate::object::Object;
use crate::outcome::Failure;
use crate::resource::{Step, Written};

/// Properties that are changed apart from the others.
const APART: &[&str] = &["networks", "running", "paused", "healthy"];

struct Acting<'a> {
    args: &'a Args,
    engine: Engine,
    /// What the container becomes.
    effect: Effect,
}

impl Acting<'_> {
    fn act(&self, words: &[&str], host: &mut dyn Host) -> Result<String, Failure> {
        let effect = std::slice::from_ref(&self.effect);
        Ok(self.engine.act(words.iter().copied(), effect, host)?.text())
    }

    fn stop(&self, host: &mut dyn Host) -> Result<(), Failure> {
        let name = self.args.name.as_str();
        let signal = self.args.kill_signal.as_deref().unwrap_or("KILL");
        let time = self.args.stop_timeout.map(|time| time.to_string());
        match (self.args.force_kill, &time) {
            (true, _) => self.act(&["kill", "--signal", signal, name], host)?,
            (false, Some(time)) => self.act(&["stop", "-t", time, name], host)?,
            (false, None) => self.act(&["stop", name], host)?,
        };
        Ok(())
    }

    fn remove(&self, now: &State, host: &mut dyn Host) -> Result<(), Failure> {
        let gone = Object::absent(now.container.id.clone()).effect(&now.container);
        if now.container.get("paused") == true {
            self.act(&["unpause", &self.args.name], host)?;
        }
        let leaves = now.container.get("auto_remove") == true && now.container.get("running") == true;
        if now.container.get("running") == true {
            self.stop(host)?;
        }
        if leaves && host.acts() {
            // The engine removes it by itself.
            let mut left = self.args.removal_wait_timeout.unwrap_or(300.0);
            while self.engine.inspect("container", &self.args.name, host.inspect())?.is_some() {
                if left <= 0.0 {
                    return Err(Failure::new(format!("the container `{}` was not removed in time", self.args.name)));
                }
                host.pause(Duration::from_millis(500));
                left -= 0.5;
            }
            return Ok(());
        }
        let mut words = vec!["rm", "--force"];
        words.extend((!self.args.keep_volumes).then_some("--volumes"));
        words.push(&self.args.name);
        self.engine.act(words, &[gone], host)?;
        Ok(())
    }

    fn create(&self, step: &Step<'_, State>, host: &mut dyn Host) -> Result<(), Failure> {
        let asked = &step.want.asked;
        let mut words = vec!["create".to_owned(), "--name".into(), self.args.name.clone()];
        for row in ROWS {
            words.extend(asked.get(row.name).into_iter().flat_map(|value| row.words(value)));
        }
        words.extend(asked.get("healthcheck").into_iter().flat_map(health::words));
        words.extend(self.args.platform.iter().flat_map(|platform| ["--platform".to_owned(), platform.clone()]));
        if let Some(mode) = asked::network_mode(self.args) {
            words.extend(["--network".to_owned(), mode.clone()]);
            for (_, endpoint) in asked::networks(self.args)?.unwrap_or_default().into_iter().filter(|(name, _)| *name == mode) {
                let address = endpoint.get("mac_address").map(scalar);
                words.extend(address.into_iter().flat_map(|address| ["--mac-address".to_owned(), address]));
                words.extend(endpoint_words(&endpoint.into(), "--network-alias"));
            }
        }
        let list = |name: &str| asked.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
        if asked.contains_key("entrypoint") {
            words.extend(["--entrypoint".to_owned(), list("entrypoint").first().map(scalar).unwrap_or_default()]);
        } else if asked.contains_key("command") && list("command").is_empty() {
            return Err(Failure::new("`command`: the docker client cannot say an empty command without `entrypoint`"));
        }
        let variables = map(asked.get("env").unwrap_or(&Value::Null));
        let given = Given::of(&super::environment::texts(&variables)?, true)?;
        words.extend(given.words.iter().cloned());
        let image = self.args.image.as_deref().map_or_else(|| scalar(step.now.container.get("image")), images::named);
        words.push(image);
        words.extend(list("command").iter().map(scalar));
        let mut line = self.engine.line(words);
        given.add(&mut line);
        self.engine.run(&line, std::slice::from_ref(&self.effect), host)?;
        Ok(())
    }

    /// Connects and disconnects networks; a new container has only those that it was made with.
    fn connect(&self, now: &Value, step: &Step<'_, State>, host: &mut dyn Host) -> Result<(), Failure> {
        let name = self.args.name.as_str();
        let wanted = map(step.want.container.get("networks"));
        let there = map(now);
        for (network, endpoint) in &there {
            if wanted.get(network) != Some(endpoint) {
                self.act(&["network", "disconnect", network, name], host)?;
            }
        }
        for (network, endpoint) in wanted.iter().filter(|(network, endpoint)| there.get(*network) != Some(endpoint)) {
            let asked = asked::networks(self.args)?.unwrap_or_default();
            if asked.iter().any(|(name, endpoint)| name == network && endpoint.contains_key("mac_address")) {
                return Err(Failure::new("`networks`: the docker client can say `mac_address` only for the first network"));
            }
            let mut words: Vec<String> = ["network", "connect"].map(str::to_owned).into();
            words.extend(endpoint_words(endpoint, "--alias"));
            words.extend([network.clone(), name.to_owned()]);
            self.engine.act(words, std::slice::from_ref(&self.effect), host)?;
        }
        Ok(())
    }

    /// Waits for its end: exit status and output.
    fn finish(&self, host: &mut dyn Host) -> Result<Written, Failure> {
        let name = self.args.name.as_str();
        let status: i64 = self.act(&["wait", name], host)?.trim().parse().unwrap_or_default();
        let mut container = self.engine.inspect("container", name, host.inspect())?.unwrap_or_default();
        let logs = self.engine.ask(["logs", name], host.inspect())?.filter(|output| output.rc == 0);
        let output = logs.map_or(String::new(), |logs| format!("{}{}", logs.text(), logs.error_text()));
        if let Some(container) = container.as_object_mut() {
            container.insert("Output".into(), output.clone().into());
        }
        if self.args.cleanup {
            self.act(&["rm", "--force", name], host)?;
        }
        if status != 0 {
            return Err(Failure::new(format!("the container `{name}` ended with status {status}: {}", output.trim()))
                .with("status", status)
                .with("container", container));
        }
        Ok(Written::quiet().with("status", status).with("container", container))
    }

    fn await_health(&self, host: &dyn Host) -> Result<(), Failure> {
        let name = self.args.name.as_str();
        let mut waited = 0.0;
        loop {
            let found = self.engine.inspect("container", name, host.inspect())?.unwrap_or_default();
            let problem = match found["State"]["Health"]["Status"].as_str() {
                Some("healthy") => return Ok(()),
                Some("unhealthy") => "is not healthy".to_owned(),
                None | Some("none") => "has no check of health".to_owned(),
                _ if self.args.healthy_wait_timeout > 0.0 && waited >= self.args.healthy_wait_timeout => {
                    format!("did not become healthy in {waited} seconds")
                }
                _ => {
                    host.pause(Duration::from_secs(1));
                    waited += 1.0;
                    continue;
                }
            };
            return Err(Failure::new(format!("the container `{name}` {problem}")));
        }
    }
}

/// Brings it to its wanted state.
pub(super) fn write(args: &Args, step: &Step<'_, State>, host: &mut dyn Host) -> Result<Written, Failure> {
    let (now, want) = (&step.now.container, &step.want.container);
    let acting = Acting { args, engine: args.engine()?, effect: want.effect(now) };
    if !want.exists() {
        acting.remove(step.now, host)?;
        return Ok(Written::quiet());
    }
    let row = |name: &str| ROWS.iter().find(|row| row.name == name);
    let differ: Vec<&str> = step.changes.iter().flat_map(|change| &change.differences).map(|one| one.property.as_str()).collect();
    let fixed = |name: &&&str| !APART.contains(*name) && row(name).is_none_or(|row| !row.live);
    let anew = now.exists() && (args.recreate || differ.iter().any(|name| fixed(&name)));
    if anew {
        acting.remove(step.now, host)?;
    }
    let created = anew || !now.exists();
    if created {
        acting.create(step, host)?;
    } else {
        let words: Vec<String> = differ
            .iter()
            .filter_map(|name| row(name).filter(|row| row.live))
            .flat_map(|row| row.words(want.get(row.name)))
            .collect();
        if !words.is_empty() {
            let all = std::iter::once("update").chain(words.iter().map(String::as_str)).chain([args.name.as_str()]);
            acting.act(&all.collect::<Vec<_>>(), host)?;
        }
    }
    if !want.get("networks").is_null() {
        let there = if created {
            let mode = asked::network_mode(args).unwrap_or_default();
            map(want.get("networks")).into_iter().filter(|(name, _)| *name == mode).collect::<serde_json::Map<_, _>>().into()
        } else {
            now.get("networks").clone()
        };
        acting.connect(&there, step, host)?;
    }
    let running = now.get("running") == true && !created;
    let mut written = Written::quiet();
    match (running, want.get("running").as_bool()) {
        (false, Some(true)) => {
            acting.act(&["start", &args.name], host)?;
            if args.detach == Some(false) && host.acts() {
                written = acting.finish(host)?;
            }
        }
        (true, Some(false)) => acting.stop(host)?,
        (true, Some(true)) if args.restart => {
            let time = args.stop_timeout.map(|time| time.to_string());
            let mut words = vec!["restart"];
            words.extend(time.iter().flat_map(|time| ["-t", time]));
            words.push(&args.name);
            acting.act(&words, host)?;
        }
        _ => {}
    }
    match (want.get("paused").as_bool(), running && now.get("paused") == true) {
        (Some(true), false) => drop(acting.act(&["pause", &args.name], host)?),
        (Some(false), true) => drop(acting.act(&["unpause", &args.name], host)?),
        _ => {}
    }
    if args.state == Wanted::Healthy && host.acts() {
        acting.await_health(host)?;
    }
    Ok(written)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Arguments as _;
    use crate::containers::docker_container::DockerContainer;
    use crate::host::memory::MemoryHost;
    use crate::outcome::Outcome;
    use crate::resource;
    use serde_json::json;

    fn there() -> Value {
        json!([{
            "Id": "c1", "Name": "/web", "Image": "sha256:aa",
            "State": {"Running": true, "Paused": false, "Status": "running"},
            "Config": {
                "Image": "nginx:1", "Env": ["A=1", "PATH=/bin"], "Cmd": ["nginx", "-g"], "Entrypoint": null, "Labels": {"x": "y"},
                "Healthcheck": {"Test": ["CMD", "curl", "a b"]}, "User": "", "StopTimeout": 10,
            },
            "HostConfig": {
                "Binds": ["/srv:/data:rw"], "NetworkMode": "bridge", "Memory": 536_870_912, "RestartPolicy": {"Name": "always"},
                "PortBindings": {"80/tcp": [{"HostIp": "", "HostPort": "8080"}]}, "CapAdd": ["CAP_NET_ADMIN"],
            },
            "NetworkSettings": {"Networks": {"bridge": {"Aliases": null}, "back": {"Aliases": ["web"]}}},
        }])
    }

    fn apply(options: &Value, found: Option<&Value>) -> (Result<Outcome, Failure>, MemoryHost) {
        let args = Args::parse(options.as_object().unwrap()).unwrap();
        let mut host = MemoryHost::default();
        crate::containers::fixture::answers(&mut host);
        let config = json!([{"Id": "sha256:aa", "Config": {"Env": ["PATH=/bin"]}}]);
        host.answer(&["docker", "image", "inspect", "nginx:1"], 0, &config.to_string());
        host.answer(&["docker", "image", "inspect", "sha256:aa"], 0, &config.to_string());
        if let Some(found) = found {
            host.answer(&["docker", "container", "inspect", "web"], 0, &found.to_string());
        }
        (resource::converge::<DockerContainer>(&args, &mut host), host)
    }

    fn ran(host: &MemoryHost) -> Vec<String> {
        host.ran.iter().map(|line| line.argv[1..].join(" ")).collect()
    }

    #[test]
    fn what_is_as_it_should_be_is_left_alone() {
        let same = json!({
            "name": "web", "image": "nginx:1", "env": {"A": 1}, "labels": {"x": "y"}, "command": "nginx -g", "volumes": ["/srv:/data"],
            "ports": ["8080:80"], "memory": "512M", "restart_policy": "always", "capabilities": ["net_admin"], "stop_timeout": 3,
            "healthcheck": {"test": ["CMD", "curl", "a b"]}, "networks": [{"name": "back"}], "network_mode": "default",
            "comparisons": {"labels": "strict", "env": "strict"},
        });
        let (outcome, host) = apply(&same, Some(&there()));
        assert!(outcome.unwrap().changes.is_empty());
        assert!(host.ran.is_empty());
    }

    #[test]
    fn only_what_cannot_be_changed_makes_a_container_anew() {
        let anew = |create: &str| ["stop web", "rm --force web", create, "start web"].map(str::to_owned).to_vec();
        let cases = [
            (json!({"state": "stopped"}), vec!["stop web".to_owned()]),
            (json!({"state": "stopped", "force_kill": true}), vec!["kill --signal KILL web".into()]),
            (
                json!({"state": "absent", "keep_volumes": false, "stop_timeout": 5}),
                vec!["stop -t 5 web".into(), "rm --force --volumes web".into()],
            ),
            (json!({"restart": true}), vec!["restart web".into()]),
            (json!({"paused": true}), vec!["pause web".into()]),
            (json!({"memory": "1G", "restart_policy": "no"}), vec!["update --restart no --memory 1073741824 web".into()]),
            (
                json!({"network_mode": "bridge", "networks": [{"name": "back", "aliases": ["api"]}, {"name": "front"}]}),
                vec![
                    "network disconnect back web".into(),
                    "network connect --alias web --alias api back web".into(),
                    "network connect front web".into(),
                ],
            ),
            (
                json!({"network_mode": "bridge", "networks": [{"name": "bridge"}], "comparisons": {"networks": "strict"}}),
                vec!["network disconnect back web".into()],
            ),
            (json!({"image": "nginx:1", "recreate": true}), anew("create --name web nginx:1")),
            (json!({"user": "app", "memory": "1G"}), anew("create --name web --user app --memory 1073741824 nginx:1")),
            (json!({"env": {"A": "2"}}), anew("create --name web --env-file /dev/stdin nginx:1")),
            (
                json!({"command": ["sh", "-c", "a b"], "entrypoint": ["x", "y"]}),
                anew("create --name web --entrypoint x nginx:1 y sh -c a b"),
            ),
            (json!({"user": "app", "comparisons": {"user": "ignore"}}), vec![]),
            (json!({"labels": {}, "comparisons": {"labels": "strict"}}), anew("create --name web nginx:1")),
        ];
        for (options, expected) in cases {
            let mut options = options.clone();
            options["name"] = json!("web");
            // What the engine says stays the same here, so that only what is run can be looked at.
            let (_, host) = apply(&options, Some(&there()));
            assert_eq!(ran(&host), expected, "{options}");
        }
    }

    #[test]
    fn a_new_container_is_made_with_all_that_is_asked() {
        let options = json!({
            "name": "web", "image": "app", "env": {"SECRET": "s3cret"}, "ports": ["127.0.0.1:80:80"], "ulimits": ["nofile:1:2"],
            "devices": ["/dev/x"], "networks": [{"name": "a", "ipv4_address": "10.0.0.2"}, {"name": "b"}], "cpus": 1.5,
            "etc_hosts": {"h": "10.0.0.3"}, "healthcheck": {"test": "true"}, "tty": false,
        });
        let (outcome, host) = apply(&options, None);
        let outcome = outcome.unwrap();
        assert_eq!(
            ran(&host),
            [
                "image pull --quiet app:latest",
                "create --name web --publish 127.0.0.1:80:80/tcp --add-host h:10.0.0.3 --device /dev/x:/dev/x:rwm --cpus 1.5 \
                 --ulimit nofile=1:2 --tty=false --health-cmd true --network a --ip 10.0.0.2 --env-file /dev/stdin app:latest",
                "network connect b web",
                "start web",
            ]
        );
        assert_eq!(host.ran[1].stdin.as_deref(), Some(b"SECRET=s3cret\n".as_slice()));
        assert!(!format!("{:?}", outcome.changes).contains("s3cret"));
        for bad in [
            json!({"name": "web"}),
            json!({"name": "-x", "image": "a"}),
            json!({"name": "web", "image": "a", "comparisons": {"odd": "strict"}}),
            json!({"name": "web", "image": "a", "command": []}),
            json!({"name": "web", "image": "a", "command_handling": "compatibility"}),
            json!({"name": "web", "image": "nginx:1", "networks": [{"name": "a"}, {"name": "b", "mac_address": "00:11:22:33:44:55"}]}),
        ] {
            assert!(apply(&bad, None).0.is_err(), "{bad}");
        }
    }
}
