//! `docker_container`: a container, from its image to whether it runs.

use std::path::PathBuf;

use serde_json::{Map, Value, json};

use super::asked::{self, Comparison};
use super::engine::docker_args;
use super::rows::ROWS;
use super::{health, images, lifecycle, networks, words::map};
use crate::change::{self, Change, ResourceState};
use crate::choice;
use crate::claims::Claims;
use crate::host::{Host, Inspect};
use crate::object::{Object, properties};
use crate::outcome::Failure;
use crate::resource::{self, Prepared, Resource, Step, Written};
use crate::system::tool::plain_word;

choice! {
    /// What a container should be.
    pub enum Wanted {
        /// It runs.
        Started = "started",
        /// It is there.
        Present = "present",
        /// It is there and does not run.
        Stopped = "stopped",
        /// It runs, and its check of health says that it is well.
        Healthy = "healthy",
        /// It is not there.
        Absent = "absent",
    }
}

choice! {
    /// When an image is pulled.
    pub enum Pull {
        /// Where it is not there.
        Missing = "missing" | "false" | "False" | "no",
        /// Every time.
        Always = "always" | "true" | "True" | "yes",
        /// Never.
        Never = "never",
    }
}

choice! {
    /// What a plan says of an image that is pulled every time.
    pub enum PlannedPull {
        /// A change where it is not there.
        Missing = "image_not_present",
        /// A change every time.
        Always = "always",
    }
}

choice! {
    /// When an engine starts a container again.
    pub enum Restart {
        /// Never.
        No = "no" | "false" | "False",
        /// Where it failed.
        OnFailure = "on-failure",
        /// Always.
        Always = "always",
        /// Unless somebody stopped it.
        UnlessStopped = "unless-stopped",
    }
}

choice! {
    /// What options that are not given mean.
    pub enum Defaults {
        /// Nothing.
        None = "no_defaults",
        /// What they meant in old versions: switches are off.
        Compatibility = "compatibility",
    }
}

choice! {
    /// How `command` is read.
    pub enum CommandHandling {
        /// As it is written.
        Correct = "correct",
        /// As old versions did it; not supported.
        Compatibility = "compatibility",
    }
}

choice! {
    /// Whether something is passed over.
    pub enum ImageName {
        /// The container is made anew.
        Recreate = "recreate",
        /// It is passed over.
        Ignore = "ignore",
    }
}

choice! {
    /// What is done about labels of the image that are not asked for.
    pub enum ImageLabels {
        /// Nothing.
        Ignore = "ignore",
        /// It is an error.
        Fail = "fail",
    }
}

choice! {
    /// Whose variables and labels count as given where properties are compared strictly.
    pub enum ImageComparison {
        /// Those of the image that is asked for.
        Desired = "desired-image",
        /// Those of the image that the container has.
        Current = "current-image",
    }
}

choice! {
    /// Where control groups are seen from.
    pub enum CgroupNs {
        /// From the host.
        Host = "host",
        /// From the container.
        Private = "private",
    }
}

docker_args! {
    /// Manages a container: its image, all its properties, and whether it runs.
    ///
    /// What cannot be changed in a container (most of it) makes it be removed and made anew, with only what the options say.
    /// Limits of resources, the restart policy and networks are changed in place.
    pub struct Args {
        /// Name of the container.
        name: String,
        /// What it should be.
        state: Wanted = Wanted::Started,
        /// The image, by name or id.
        image: Option<String>,
        /// Whether the container is made anew where the image is the same by another name.
        image_name_mismatch: ImageName = ImageName::Recreate,
        /// What is done about labels of the image that are not asked for.
        image_label_mismatch: ImageLabels = ImageLabels::Ignore,
        /// Whose variables and labels count as given where properties are compared strictly.
        image_comparison: ImageComparison = ImageComparison::Desired,
        /// When the image is pulled; true: `always`, false: `missing`.
        pull: Pull = Pull::Missing,
        /// What a plan says of an image that is pulled every time.
        pull_check_mode_behavior: PlannedPull = PlannedPull::Missing,
        /// Platform of the image. Not compared.
        platform: Option<String>,
        /// The command, as a list of words or one line.
        command: Option<Value>,
        /// How `command` is read.
        command_handling: CommandHandling = CommandHandling::Correct,
        /// The program that gets the command.
        entrypoint: Option<Vec<String>>,
        /// How properties are compared: `strict`, `ignore`, or `allow_more_present` for lists and mappings; `*` for all of them.
        comparisons: Map<String, Value> = Map::new(),
        /// Whether it is made anew every time.
        recreate: bool = false,
        /// Whether it is started again where it runs already.
        restart: bool = false,
        /// Whether its processes are frozen.
        paused: Option<bool>,
        /// Whether its end is not waited for. If it is, its output is in the result, and its exit status must be 0.
        detach: Option<bool>,
        /// Whether it is removed at its end, without `detach`.
        cleanup: bool = false,
        /// Accepted: without `detach` the output is always in the result.
        output_logs: bool = false,
        /// Whether it is killed rather than stopped.
        force_kill ("forcekill"): bool = false,
        /// Signal for that.
        kill_signal: Option<String>,
        /// Whether its nameless volumes stay when it is removed.
        keep_volumes: bool = true,
        /// Seconds that an engine has to be done with removing it.
        removal_wait_timeout: Option<f64>,
        /// Seconds that it has to become healthy; 0 or less: forever.
        healthy_wait_timeout: f64 = 300.0,
        /// What options that are not given mean.
        container_default_behavior: Defaults = Defaults::None,
        /// Variables; their values are not in the list of processes, and not shown.
        env: Option<Map<String, Value>>,
        /// File on the host with further variables.
        env_file: Option<PathBuf>,
        /// Ports: `8080:80`, `127.0.0.1::53/udp`, ranges.
        published_ports ("ports"): Option<Vec<String>>,
        /// Address of the host for ports that name none.
        default_host_ip: Option<String>,
        /// Ports that other containers may use.
        exposed_ports ("exposed", "expose"): Option<Vec<String>>,
        /// Whether all exposed ports are published.
        publish_all_ports: Option<bool>,
        /// Volumes: `SOURCE:TARGET:MODES`.
        volumes: Option<Vec<String>>,
        /// Mounts.
        mounts: Option<Vec<Map<String, Value>>>,
        /// File systems in memory: `TARGET:OPTIONS`.
        tmpfs: Option<Vec<String>>,
        /// Containers whose volumes it has too.
        volumes_from: Option<Vec<String>>,
        /// Driver of its volumes.
        volume_driver: Option<String>,
        /// Networks: each with `name`, and `ipv4_address`, `ipv6_address`, `aliases`, `links`; `mac_address` only for the first.
        networks: Option<Vec<Map<String, Value>>>,
        /// Whether it is in no other network than `networks`.
        networks_cli_compatible: bool = true,
        /// `bridge`, `host`, `none`, `container:NAME` or a network.
        network_mode: Option<String>,
        /// Name of its host.
        hostname: Option<String>,
        /// Its domain.
        domainname: Option<String>,
        /// Hardware address.
        mac_address: Option<String>,
        /// Servers of names.
        dns_servers: Option<Vec<String>>,
        /// Options of the resolver.
        dns_opts: Option<Vec<String>>,
        /// Domains that are searched.
        dns_search_domains: Option<Vec<String>>,
        /// Further hosts: names and addresses.
        etc_hosts: Option<Map<String, Value>>,
        /// Links to other containers: `NAME:ALIAS`.
        links: Option<Vec<String>>,
        /// Labels.
        labels: Option<Map<String, Value>>,
        /// When the engine starts it again.
        restart_policy: Option<Restart>,
        /// How many times, with `on-failure`.
        restart_retries: Option<i64>,
        /// User that it runs as.
        user: Option<String>,
        /// Further groups.
        groups: Option<Vec<String>>,
        /// Directory where it runs.
        working_dir: Option<String>,
        /// Whether it may do all that the host may.
        privileged: Option<bool>,
        /// Whether its root is read-only.
        read_only: Option<bool>,
        /// Capabilities that it gets.
        capabilities: Option<Vec<String>>,
        /// Capabilities that it loses.
        cap_drop: Option<Vec<String>>,
        /// Options of security modules.
        security_opts: Option<Vec<String>>,
        /// Devices: `HOST:CONTAINER:MODES`.
        devices: Option<Vec<String>>,
        /// Rules of device control groups.
        device_cgroup_rules: Option<Vec<String>>,
        /// Devices by capability, as for graphics cards.
        device_requests: Option<Vec<Map<String, Value>>>,
        /// Limits: `path` and `rate` in bytes.
        device_read_bps: Option<Vec<Map<String, Value>>>,
        /// Limits: `path` and `rate` in bytes.
        device_write_bps: Option<Vec<Map<String, Value>>>,
        /// Limits: `path` and `rate` in operations.
        device_read_iops: Option<Vec<Map<String, Value>>>,
        /// Limits: `path` and `rate` in operations.
        device_write_iops: Option<Vec<Map<String, Value>>>,
        /// Memory, e.g. `512M`.
        memory: Option<String>,
        /// Memory below which it is not pressed.
        memory_reservation: Option<String>,
        /// Memory with swap; `unlimited`.
        memory_swap: Option<String>,
        /// How readily it swaps.
        memory_swappiness: Option<i64>,
        /// Memory of the kernel.
        kernel_memory: Option<String>,
        /// Processors, e.g. 1.5.
        cpus: Option<f64>,
        /// Period of the scheduler.
        cpu_period: Option<i64>,
        /// Quota of it.
        cpu_quota: Option<i64>,
        /// Share of processors.
        cpu_shares: Option<i64>,
        /// Processors that it may use.
        cpuset_cpus: Option<String>,
        /// Memory nodes that it may use.
        cpuset_mems: Option<String>,
        /// Weight of its input and output.
        blkio_weight: Option<i64>,
        /// Number of processes.
        pids_limit: Option<i64>,
        /// Whether it is not killed where memory runs out.
        oom_killer: Option<bool>,
        /// How readily it is killed then.
        oom_score_adj: Option<i64>,
        /// Size of `/dev/shm`.
        shm_size: Option<String>,
        /// Limits: `NAME:SOFT:HARD`.
        ulimits: Option<Vec<String>>,
        /// Settings of the kernel.
        sysctls: Option<Map<String, Value>>,
        /// Options of the storage.
        storage_opts: Option<Map<String, Value>>,
        /// Driver of its log.
        log_driver: Option<String>,
        /// Options of that.
        log_options ("log_opt"): Option<Map<String, Value>>,
        /// Check of health: `test`, `interval`, `timeout`, `retries`, `start_period`, `start_interval`.
        healthcheck: Option<Map<String, Value>>,
        /// Signal that stops it.
        stop_signal: Option<String>,
        /// Seconds that it has to stop. Not compared, unless `comparisons` says so.
        stop_timeout: Option<i64>,
        /// Whether the engine removes it at its end.
        auto_remove: Option<bool>,
        /// Whether an init process is in it.
        init: Option<bool>,
        /// Whether its standard input stays open.
        interactive: Option<bool>,
        /// Whether it has a terminal.
        tty: Option<bool>,
        /// Shared memory: `host`, `private`, `container:NAME` ...
        ipc_mode: Option<String>,
        /// Processes: `host` or `container:NAME`.
        pid_mode: Option<String>,
        /// Names of the host: `host`.
        uts: Option<String>,
        /// Users: `host`.
        userns_mode: Option<String>,
        /// Where control groups are seen from.
        cgroupns_mode: Option<CgroupNs>,
        /// Control group above it.
        cgroup_parent: Option<String>,
        /// What runs it.
        runtime: Option<String>,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: A web server
  docker_container:
    name: web
    image: nginx:1.27
    restart_policy: unless-stopped
    ports: ['8080:80']
    volumes: ['/srv/www:/usr/share/nginx/html:ro']
    env:
      TZ: UTC
- name: In two networks
  docker_container:
    name: app
    image: registry.example.org/app:2
    networks:
      - name: backend
        aliases: [api]
      - name: frontend
    memory: 512M
    healthcheck:
      test: [CMD, curl, --fail, http://localhost]
      interval: 30s
- name: No container
  docker_container:
    name: old
    state: absent
";

/// The module.
pub struct DockerContainer;

/// The container, its image, and what is asked of it.
#[derive(Debug, Clone)]
pub struct State {
    pub(super) container: Object,
    pub(super) raw: Value,
    pub(super) asked: Map<String, Value>,
    image_id: Value,
    /// What the image that counts says of itself.
    image: Value,
}

const HIDDEN: &str = "env";

impl resource::State for State {
    fn resources(&self) -> Vec<ResourceState> {
        let shown: Vec<&'static str> =
            ROWS.iter().map(|row| row.name).filter(|name| *name != HIDDEN).chain(["running", "paused", "healthy"]).collect();
        let mut state = self.container.resource(&shown);
        if !self.container.get(HIDDEN).is_null() {
            state = state.with_secret(HIDDEN, self.container.get(HIDDEN).clone());
        }
        vec![state]
    }
}

fn observed(raw: &Value) -> Map<String, Value> {
    let mut all: Map<String, Value> = ROWS.iter().map(|row| (row.name.to_owned(), row.observed(raw))).collect();
    all.extend(properties([
        ("running", json!(raw["State"]["Running"] == true)),
        ("paused", json!(raw["State"]["Paused"] == true)),
        ("healthy", json!(raw["State"]["Health"]["Status"] == "healthy")),
    ]));
    all
}

/// What the image says where containers say the same property.
fn of_image(config: &Value, name: &str) -> Value {
    match name {
        "env" => json!(super::environment::listed(&config["Env"])),
        "labels" => map(&config["Labels"]).into(),
        "exposed_ports" => json!(map(&config["ExposedPorts"]).keys().collect::<Vec<_>>()),
        "volumes" => json!(map(&config["Volumes"]).keys().collect::<Vec<_>>()),
        _ => Value::Null,
    }
}

impl State {
    /// Values that are asked for in the form in which the container has them, where they mean the same.
    fn alike(&self, name: &str) -> Value {
        let (asked, now) = (&self.asked[name], self.container.get(name));
        let words = |properties: &dyn Fn(&str) -> Value| {
            ["entrypoint", "command"]
                .iter()
                .flat_map(|name| properties(name).as_array().cloned().unwrap_or_default())
                .collect::<Vec<_>>()
        };
        match name {
            "network_mode" if [asked, now].iter().all(|mode| **mode == "default" || **mode == "bridge") => now.clone(),
            "healthcheck" if health::same_test(&asked["test"], &now["test"]) => {
                let mut same = map(asked);
                same.insert("test".into(), now["test"].clone());
                same.into()
            }
            "entrypoint" | "command" if self.asked.contains_key("entrypoint") && self.container.exists() => {
                let asked_words = words(&|name| self.asked.get(name).cloned().unwrap_or_default());
                if asked_words == words(&|name| self.container.get(name).clone()) { now.clone() } else { asked.clone() }
            }
            _ => asked.clone(),
        }
    }
}

impl Resource for DockerContainer {
    type Args = Args;
    type State = State;

    fn prepare(args: &Args, host: &mut dyn Host) -> Result<Prepared, Failure> {
        asked::check(&args.comparisons)?;
        if args.command_handling == CommandHandling::Compatibility {
            return Err(Failure::new("`command_handling`: `compatibility` is not supported"));
        }
        let engine = args.engine()?;
        plain_word("name", &args.name)?;
        let mut prepared = Prepared::default();
        let Some(image) = args.image.as_deref().filter(|_| args.state != Wanted::Absent) else { return Ok(prepared) };
        plain_word("image", image)?;
        if args.pull == Pull::Never || images::is_id(image) {
            return Ok(prepared);
        }
        let name = images::named(image);
        let before = images::look(&engine, &name, host.inspect())?;
        if before.exists() && args.pull == Pull::Missing {
            return Ok(prepared);
        }
        if before.exists() && !host.acts() {
            let said = args.pull_check_mode_behavior == PlannedPull::Always;
            prepared.changes.extend(said.then(|| Change::run(before.id.clone())));
            return Ok(prepared);
        }
        let after = images::pull(&engine, &before, &name, args.platform.as_deref(), host)?;
        prepared.changes = change::compare(&[before.resource(&["id"])], &[after.resource(&["id"])]);
        Ok(prepared)
    }

    fn read(args: &Args, host: &dyn Inspect) -> Result<State, Failure> {
        let engine = args.engine()?;
        let mut asked = asked::properties(args, host)?;
        for mode in ["network_mode", "ipc_mode", "pid_mode"] {
            let other = asked.get(mode).and_then(Value::as_str).and_then(|mode| mode.strip_prefix("container:"));
            if let Some(found) = other.map(|name| engine.inspect("container", name, host)).transpose()?.flatten() {
                asked.insert(mode.into(), format!("container:{}", super::words::scalar(&found["Id"])).into());
            }
        }
        let id = engine.id("container", &args.name);
        let (container, raw) = match Object::planned(&id, host) {
            Some(container) => (container, Value::Null),
            None => match engine.inspect("container", &args.name, host)? {
                None => (Object::absent(id), Value::Null),
                Some(raw) => (Object::present(id, observed(&raw)), raw),
            },
        };
        let mut state = State { container, raw, asked, image_id: Value::Null, image: Value::Null };
        if args.state == Wanted::Absent {
            return Ok(state);
        }
        if let Some(name) = &args.image {
            let image = images::look(&engine, &images::named(name), host)?;
            state.image_id = image.get("id").clone();
            state.image = image.get("config").clone();
        }
        let current = args.image_comparison == ImageComparison::Current || args.image.is_none();
        if let Some(id) = state.container.get("image_id").as_str().filter(|_| current) {
            state.image = images::look(&engine, id, host)?.get("config").clone();
        }
        Ok(state)
    }

    fn want(args: &Args, now: &State) -> Result<State, Failure> {
        let mut want = now.clone();
        let id = now.container.id.clone();
        if args.state == Wanted::Absent {
            want.container = Object::absent(id);
            return Ok(want);
        }
        if args.image_label_mismatch == ImageLabels::Fail {
            let asked = map(now.asked.get("labels").unwrap_or(&Value::Null));
            if let Some(label) = map(&now.image["Labels"]).keys().find(|label| !asked.contains_key(*label)) {
                return Err(Failure::new(format!("the image has the label `{label}`, which `labels` does not name")));
            }
        }
        let how = |name: &str| {
            let kind = ROWS.iter().find(|row| row.name == name).map_or(super::rows::Kind::Value, |row| row.kind);
            asked::comparison(&args.comparisons, name, kind)
        };
        let mut wanted = Map::new();
        for row in ROWS.iter().filter(|row| now.asked.contains_key(row.name)) {
            let how = how(row.name)?;
            if how != Comparison::Ignore || !now.container.exists() {
                let there = now.container.get(row.name);
                wanted.insert(
                    row.name.into(),
                    asked::wanted(row.kind, how, &now.alike(row.name), there, &of_image(&now.image, row.name)),
                );
            }
        }
        if let Some(image) = &args.image {
            let compared = how("image")? != Comparison::Ignore || !now.container.exists();
            let named = compared && !images::is_id(image) && args.image_name_mismatch == ImageName::Recreate;
            wanted.extend(properties([
                ("image", if named { json!(images::named(image)) } else { Value::Null }),
                ("image_id", if compared { now.image_id.clone() } else { Value::Null }),
            ]));
        } else if !now.container.exists() {
            return Err(Failure::new(format!("there is no container `{}`, and no `image` to make one of", args.name)));
        }
        if let Some(list) = asked::networks(args)? {
            let how = how("networks")?;
            if how != Comparison::Ignore {
                wanted
                    .insert("networks".into(), networks::merged(now.container.get("networks"), &list, how == Comparison::Strict));
            }
        }
        let runs = match args.state {
            Wanted::Started | Wanted::Healthy => json!(true),
            Wanted::Stopped => json!(false),
            _ => Value::Null,
        };
        let paused = args.paused.filter(|_| runs == true);
        let healthy = (args.state == Wanted::Healthy).then_some(true);
        wanted.extend(properties([("running", runs), ("paused", json!(paused)), ("healthy", json!(healthy))]));
        want.container = Object::present(id, wanted);
        Ok(want)
    }

    fn runs(args: &Args, now: &State, want: &State) -> Vec<Change> {
        let again = args.restart && now.container.get("running") == true && want.container.get("running") == true;
        let acts = (args.recreate || again) && now.container.exists() && want.container.exists();
        if acts { vec![Change::run(now.container.id.clone())] } else { Vec::new() }
    }

    fn write(args: &Args, step: &Step<'_, State>, host: &mut dyn Host) -> Result<Written, Failure> {
        lifecycle::write(args, step, host)
    }

    fn settled(args: &Args, _: &State) -> bool {
        args.detach == Some(false)
    }

    fn result(_: &Args, _: &State, after: &State) -> Map<String, Value> {
        properties([("container", after.raw.clone())])
    }

    fn claims(args: &Args) -> Claims {
        let networks = args.networks.iter().flatten().filter_map(|network| network.get("name").map(super::words::scalar));
        let image = args.image.as_ref().map(|image| args.claimed("image", &images::named(image)));
        Claims::provides([args.claimed("container", &args.name)])
            .needing(networks.map(|name| args.claimed("network", &name)).chain(image))
    }
}
