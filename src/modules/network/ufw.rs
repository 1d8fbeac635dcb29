//! `ufw`: the uncomplicated firewall.

use std::path::Path;

use serde_json::{Map, Value, json};

use crate::change::{Action, Change, Difference, ResourceId, ResourceState};
use crate::claims::Claims;
use crate::host::{Effect, Host, Inspect, Thing};
use crate::outcome::Failure;
use crate::resource::{self, Resource, Step, Written};
use crate::system::text_file::TextFile;
use crate::system::tool::Tool;
use crate::{args, choice};

choice! {
    /// What the firewall should be, or what is done to it.
    pub enum Activity {
        /// Off, also at boot.
        Disabled = "disabled",
        /// On, also at boot.
        Enabled = "enabled",
        /// Read again, every time.
        Reloaded = "reloaded",
        /// Off and without rules, every time.
        Reset = "reset",
    }
}

choice! {
    /// What happens to packets that no rule decides about.
    pub enum Policy {
        /// They pass.
        Allow = "allow",
        /// They are dropped.
        Deny = "deny",
        /// They are rejected.
        Reject = "reject",
    }
}

choice! {
    /// Which way packets go.
    pub enum Direction {
        /// Into the host.
        In = "in",
        /// Into the host.
        Incoming = "incoming",
        /// Out of the host.
        Out = "out",
        /// Out of the host.
        Outgoing = "outgoing",
        /// Through the host.
        Routed = "routed",
    }
}

choice! {
    /// How much is logged.
    pub enum Logging {
        /// Something.
        On = "on",
        /// Nothing.
        Off = "off",
        /// A little.
        Low = "low",
        /// More.
        Medium = "medium",
        /// Much.
        High = "high",
        /// Everything.
        Full = "full",
    }
}

choice! {
    /// What a rule does.
    pub enum Rule {
        /// Lets pass.
        Allow = "allow",
        /// Drops.
        Deny = "deny",
        /// Lets pass, but not too often.
        Limit = "limit",
        /// Rejects.
        Reject = "reject",
    }
}

choice! {
    /// From where `insert` counts.
    pub enum Relative {
        /// The first IPv4 rule.
        FirstIpv4 = "first-ipv4",
        /// The first IPv6 rule.
        FirstIpv6 = "first-ipv6",
        /// The last IPv4 rule.
        LastIpv4 = "last-ipv4",
        /// The last IPv6 rule.
        LastIpv6 = "last-ipv6",
        /// Nothing: it is the number itself.
        Zero = "zero",
    }
}

choice! {
    /// A protocol.
    pub enum Protocol {
        /// Any.
        Any = "any",
        /// TCP.
        Tcp = "tcp",
        /// UDP.
        Udp = "udp",
        /// IPv6 in IPv4.
        Ipv6 = "ipv6",
        /// Encapsulated payload of IPsec.
        Esp = "esp",
        /// Authentication header of IPsec.
        Ah = "ah",
        /// Generic encapsulation.
        Gre = "gre",
        /// Groups.
        Igmp = "igmp",
        /// Redundant routers.
        Vrrp = "vrrp",
    }
}

args! {
    /// Manages the uncomplicated firewall: whether it is on, its policies, its log and its rules.
    ///
    /// Whether a rule is there is what `ufw --dry-run` says. It is switched on after everything else, so that a host does
    /// not lock its administrator out in between.
    pub struct Args {
        /// Whether it is on, or what is done to it.
        state: Option<Activity>,
        /// Policy for packets that no rule decides about, by `direction` (`incoming` if none is given).
        default ("policy"): Option<Policy>,
        /// Which way packets go.
        direction: Option<Direction>,
        /// How much is logged.
        logging: Option<Logging>,
        /// Number that a new rule gets; see `insert_relative_to`.
        insert: Option<i64>,
        /// From where `insert` counts.
        insert_relative_to: Relative = Relative::Zero,
        /// What the rule does.
        rule: Option<Rule>,
        /// Whether connections that match are logged.
        log: bool = false,
        /// Source address.
        from_ip ("from", "src"): String = "any".into(),
        /// Source port.
        from_port: Option<String>,
        /// Destination address.
        to_ip ("dest", "to"): String = "any".into(),
        /// Destination port or range `FROM:TO`.
        to_port ("port"): Option<String>,
        /// Protocol.
        proto ("protocol"): Option<Protocol>,
        /// Name of an application's profile in `/etc/ufw/applications.d`.
        name ("app"): Option<String>,
        /// Whether the rule is removed.
        delete: bool = false,
        /// Interface, for `direction`.
        interface ("if"): Option<String>,
        /// Interface by which packets come.
        interface_in ("if_in"): Option<String>,
        /// Interface by which they leave.
        interface_out ("if_out"): Option<String>,
        /// Whether the rule is for packets that pass through the host.
        route: bool = false,
        /// Comment of the rule.
        comment: Option<String>,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: SSH, not too often
  ufw:
    rule: limit
    port: ssh
    proto: tcp
- name: From one network
  ufw:
    rule: allow
    src: 10.0.0.0/8
    port: '5432'
    proto: tcp
    comment: database
- name: No rule
  ufw:
    rule: allow
    name: OpenSSH
    delete: true
- name: Nothing else, and on
  ufw:
    state: enabled
    policy: deny
    logging: low
";

const UFW: Tool = Tool::new("ufw", "ufw");
const DEFAULTS: &str = "/etc/default/ufw";
const SETTINGS: &str = "/etc/ufw/ufw.conf";
const RULES: [&str; 2] = ["/etc/ufw/user.rules", "/etc/ufw/user6.rules"];

/// The module.
pub struct Ufw;

/// The firewall as it is or should be; `None` = not managed.
#[derive(Debug, Clone)]
pub struct State {
    active: Option<bool>,
    policy: Option<String>,
    logging: Option<String>,
    /// The rule's words and whether it is there.
    rule: Option<(Vec<String>, bool)>,
    policy_name: &'static str,
    status: String,
}

impl resource::State for State {
    fn resources(&self) -> Vec<ResourceState> {
        let mut list = vec![
            ResourceState::present(firewall())
                .with("logging", json!(self.logging))
                .with(self.policy_name, json!(self.policy))
                .with("active", json!(self.active)),
        ];
        if let Some((words, there)) = &self.rule {
            let id = rule_id(words);
            list.push(if *there { ResourceState::present(id) } else { ResourceState::absent(id) });
        }
        list
    }
}

fn firewall() -> ResourceId {
    ResourceId::new("firewall", "ufw")
}

fn rule_id(words: &[String]) -> ResourceId {
    ResourceId::new("ufw rule", words.join(" "))
}

/// A setting of a file of shell variables.
fn setting(file: &TextFile, name: &str) -> Option<String> {
    let value =
        file.lines().filter(|line| line.split_once('=').is_some_and(|(key, _)| key.trim() == name)).last()?.split_once('=')?.1;
    Some(value.trim().trim_matches(['"', '\'']).to_owned())
}

fn with_setting(file: &TextFile, name: &str, value: &str) -> Effect {
    let is = |line: &str| line.split_once('=').is_some_and(|(key, _)| key.trim() == name);
    let mut lines: Vec<String> = file.lines().filter(|line| !is(line)).map(str::to_owned).collect();
    lines.push(format!("{name}={value}"));
    Effect::File(file.path.clone(), (lines.join("\n") + "\n").into_bytes(), 0o644)
}

/// Name of the policy's variable, of the property, and the word that `ufw default` takes.
fn policy_names(args: &Args) -> (&'static str, &'static str, &'static str) {
    match args.direction {
        Some(Direction::Out | Direction::Outgoing) => ("DEFAULT_OUTPUT_POLICY", "default outgoing", "outgoing"),
        Some(Direction::Routed) => ("DEFAULT_FORWARD_POLICY", "default routed", "routed"),
        _ => ("DEFAULT_INPUT_POLICY", "default incoming", "incoming"),
    }
}

/// The words of the rule, without `delete` and `insert`.
fn rule(args: &Args, rule: Rule) -> Result<Vec<String>, Failure> {
    let direction = match args.direction {
        None => None,
        Some(Direction::In | Direction::Incoming) => Some("in"),
        Some(Direction::Out | Direction::Outgoing) => Some("out"),
        Some(Direction::Routed) => return Err(Failure::new("`direction: routed` is for policies; a rule has `route: true`")),
    };
    if args.interface.is_some() && direction.is_none() {
        return Err(Failure::new("Direction must be specified when creating a rule on an interface."));
    }
    let between = args.interface_in.is_some() || args.interface_out.is_some();
    if between && (args.interface.is_some() || args.direction.is_some()) {
        return Err(Failure::new("`interface_in` and `interface_out` do not go together with `interface` and `direction`"));
    }
    if !args.route && args.interface_in.is_some() && args.interface_out.is_some() {
        return Err(Failure::new("Only route rules can combine interface_in and interface_out"));
    }
    let mut words: Vec<String> = Vec::new();
    let mut add = |list: &[&str]| words.extend(list.iter().map(|word| (*word).to_owned()));
    if args.route {
        add(&["route"]);
    }
    add(&[rule.word()]);
    direction.into_iter().for_each(|direction| add(&[direction]));
    args.interface.iter().for_each(|name| add(&["on", name]));
    args.interface_in.iter().for_each(|name| add(&["in", "on", name]));
    args.interface_out.iter().for_each(|name| add(&["out", "on", name]));
    if args.log {
        add(&["log"]);
    }
    add(&["from", &args.from_ip]);
    args.from_port.iter().for_each(|port| add(&["port", port]));
    add(&["to", &args.to_ip]);
    args.to_port.iter().for_each(|port| add(&["port", port]));
    args.proto.iter().for_each(|proto| add(&["proto", proto.word()]));
    args.name.iter().for_each(|name| add(&["app", name]));
    args.comment.iter().filter(|comment| !comment.is_empty()).for_each(|comment| add(&["comment", comment]));
    Ok(words)
}

/// The lines of a rule file that say what was asked for.
fn tuples(text: &str) -> Vec<&str> {
    text.lines().filter_map(|line| line.strip_prefix("### tuple ### ")).collect()
}

/// Whether a dry run would leave the rules as they are. It prints the files as they would be.
fn leaves_alone(said: &str, rules: &[TextFile; 2]) -> bool {
    said.split("*filter").skip(1).all(|file| {
        let now = &rules[usize::from(file.contains(":ufw6-"))];
        tuples(file) == tuples(now.text.as_deref().unwrap_or_default())
    })
}

/// The number for `insert`, as `ufw` counts: IPv4 rules first. A number past the end is left out.
fn position(args: &Args, [v4, v6]: [i64; 2]) -> Option<i64> {
    let insert = args.insert.filter(|_| !args.delete)?;
    let last = v4 + v6;
    let start = match args.insert_relative_to {
        Relative::Zero => return Some(insert),
        Relative::FirstIpv4 => 1,
        Relative::LastIpv4 => v4.max(1),
        Relative::FirstIpv6 => v4 + 1,
        Relative::LastIpv6 => {
            if v6 > 0 {
                last
            } else {
                last + 1
            }
        }
    };
    Some(start + insert).filter(|number| *number <= last)
}

fn with_position(args: &Args, words: &[String], rules: &[TextFile; 2]) -> Vec<String> {
    let count = |file: &TextFile| tuples(file.text.as_deref().unwrap_or_default()).len() as i64;
    let (route, rest) = words.split_at(usize::from(args.route));
    let mut line = route.to_vec();
    if args.delete {
        line.push("delete".into());
    }
    if let Some(number) = position(args, [count(&rules[0]), count(&rules[1])]) {
        line.extend(["insert".into(), number.to_string()]);
    }
    line.extend_from_slice(rest);
    line
}

fn rule_files(host: &dyn Inspect) -> Result<[TextFile; 2], Failure> {
    Ok([TextFile::read(Path::new(RULES[0]), host)?, TextFile::read(Path::new(RULES[1]), host)?])
}

fn has_rule(args: &Args, words: &[String], host: &dyn Inspect) -> Result<bool, Failure> {
    let reset = resets(host);
    match host.thing(&rule_id(words)) {
        Some(Thing::Gone) => return Ok(false),
        Some(Thing::There(when)) => return Ok(when.parse() == Ok(reset)),
        None if reset > 0 => return Ok(false),
        None => {}
    }
    let rules = rule_files(host)?;
    let dry = std::iter::once("--dry-run".to_owned()).chain(with_position(args, words, &rules));
    let Some(said) = UFW.answer(dry, host)? else { return Ok(false) };
    // Adding what is there changes nothing; removing it does.
    Ok(leaves_alone(&said, &rules) != args.delete)
}

/// How often a plan has reset the firewall: rules from before are gone.
fn resets(host: &dyn Inspect) -> usize {
    match host.thing(&ResourceId::new("ufw", "resets")) {
        Some(Thing::There(count)) => count.parse().unwrap_or(0),
        _ => 0,
    }
}

impl Resource for Ufw {
    type Args = Args;
    type State = State;

    fn read(args: &Args, host: &dyn Inspect) -> Result<State, Failure> {
        let rule = match args.rule {
            None => None,
            Some(kind) => {
                let words = rule(args, kind)?;
                let there = has_rule(args, &words, host)?;
                Some((words, there))
            }
        };
        let status = UFW.answer(["status"], host)?.unwrap_or_default();
        let active = match host.thing(&firewall()) {
            Some(thing) => thing != Thing::Gone,
            None => status.lines().any(|line| line == "Status: active"),
        };
        let settings = TextFile::read(Path::new(SETTINGS), host)?;
        let defaults = TextFile::read(Path::new(DEFAULTS), host)?;
        let (variable, policy_name, _) = policy_names(args);
        let policy = match setting(&defaults, variable).as_deref() {
            Some("ACCEPT") => "allow",
            Some("REJECT") => "reject",
            _ => "deny",
        };
        Ok(State {
            active: Some(active && setting(&settings, "ENABLED").is_none_or(|word| word.eq_ignore_ascii_case("yes"))),
            policy: Some(policy.to_owned()),
            logging: Some(setting(&settings, "LOGLEVEL").unwrap_or_else(|| "low".into())),
            rule,
            policy_name,
            status,
        })
    }

    fn want(args: &Args, now: &State) -> Result<State, Failure> {
        if args.state.is_none() && args.default.is_none() && args.rule.is_none() && args.logging.is_none() {
            return Err(Failure::new("one of the following is required: default, logging, rule, state"));
        }
        let logging = match (args.logging, now.logging.as_deref()) {
            (Some(Logging::On), Some("off") | None) => Some("low".to_owned()),
            (Some(Logging::On), Some(level)) => Some(level.to_owned()),
            (logging, _) => logging.map(|logging| logging.word().to_owned()),
        };
        Ok(State {
            active: match args.state {
                Some(Activity::Enabled) => Some(true),
                Some(Activity::Disabled) => Some(false),
                _ => None,
            },
            policy: args.default.map(|policy| policy.word().to_owned()),
            logging,
            rule: now.rule.as_ref().map(|(words, _)| (words.clone(), !args.delete)),
            ..now.clone()
        })
    }

    fn runs(args: &Args, _: &State, _: &State) -> Vec<Change> {
        let Some(activity @ (Activity::Reloaded | Activity::Reset)) = args.state else { return Vec::new() };
        let difference = Difference { property: "state".into(), before: Value::Null, after: activity.word().into(), diff: None };
        vec![Change { resource: firewall(), action: Action::Run, differences: vec![difference] }]
    }

    fn write(args: &Args, step: &Step<'_, State>, host: &mut dyn Host) -> Result<Written, Failure> {
        let mut commands = Vec::new();
        let mut run = |words: Vec<String>, effects: &[Effect], host: &mut dyn Host| -> Result<(), Failure> {
            commands.push(format!("ufw {}", words.join(" ")));
            UFW.act(words, effects, host).map(|_| ())
        };
        let words = |list: &[&str]| list.iter().map(|word| (*word).to_owned()).collect::<Vec<String>>();
        let settings = TextFile::read(Path::new(SETTINGS), host.inspect())?;
        if args.state == Some(Activity::Reset) {
            let count = (resets(host.inspect()) + 1).to_string();
            let effects =
                [Effect::Thing(ResourceId::new("ufw", "resets"), Thing::There(count)), Effect::Thing(firewall(), Thing::Gone)];
            run(words(&["--force", "reset"]), &effects, host)?;
        }
        if let Some(policy) = args.default.filter(|_| step.differs(step.want.policy_name)) {
            let (variable, _, direction) = policy_names(args);
            let value = match policy {
                Policy::Allow => "\"ACCEPT\"",
                Policy::Deny => "\"DROP\"",
                Policy::Reject => "\"REJECT\"",
            };
            let defaults = TextFile::read(Path::new(DEFAULTS), host.inspect())?;
            run(words(&["default", policy.word(), direction]), &[with_setting(&defaults, variable, value)], host)?;
        }
        if let Some(level) = step.want.logging.as_ref().filter(|_| step.differs("logging")) {
            run(words(&["logging", level]), &[with_setting(&settings, "LOGLEVEL", level)], host)?;
        }
        if let Some((rule, there)) = step.want.rule.as_ref().filter(|_| step.now.rule != step.want.rule) {
            let thing = if *there { Thing::There(resets(host.inspect()).to_string()) } else { Thing::Gone };
            let line = with_position(args, rule, &rule_files(host.inspect())?);
            run(line, &[Effect::Thing(rule_id(rule), thing)], host)?;
        }
        if step.differs("active") {
            let on = step.want.active == Some(true);
            let thing = if on { Thing::There(String::new()) } else { Thing::Gone };
            let settings = TextFile::read(Path::new(SETTINGS), host.inspect())?;
            let effects = [Effect::Thing(firewall(), thing), with_setting(&settings, "ENABLED", if on { "yes" } else { "no" })];
            run(words(&["--force", if on { "enable" } else { "disable" }]), &effects, host)?;
        }
        if args.state == Some(Activity::Reloaded) {
            run(words(&["--force", "reload"]), &[], host)?;
        }
        Ok(Written::quiet().with("commands", commands))
    }

    fn result(_: &Args, _: &State, after: &State) -> Map<String, Value> {
        Map::from_iter([("commands".to_owned(), json!([])), ("msg".to_owned(), after.status.trim_end().into())])
    }

    fn claims(_: &Args) -> Claims {
        // Rules stand in an order: tasks keep theirs.
        Claims::provides([firewall()]).needing([ResourceId::new("package", "ufw")])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Arguments as _;
    use crate::host::memory::MemoryHost;
    use crate::outcome::Ending;

    fn args(options: &Value) -> Args {
        Args::parse(options.as_object().unwrap()).unwrap()
    }

    #[test]
    fn options_become_a_rule() {
        for (options, expected) in [
            (json!({"rule": "allow", "port": 80, "proto": "tcp"}), "allow from any to any port 80 proto tcp"),
            (json!({"rule": "limit", "name": "WWW Full", "log": true}), "limit log from any to any app WWW Full"),
            (
                json!({"rule": "allow", "interface": "eth0", "direction": "in", "src": "1.2.3.5", "from_port": 1, "dest": "1.2.3.4", "comment": "a b"}),
                "allow in on eth0 from 1.2.3.5 port 1 to 1.2.3.4 comment a b",
            ),
            (
                json!({"rule": "deny", "route": true, "if_in": "eth0", "if_out": "eth1"}),
                "route deny in on eth0 out on eth1 from any to any",
            ),
        ] {
            let args = args(&options);
            assert_eq!(rule(&args, args.rule.unwrap()).unwrap().join(" "), expected);
        }
        for options in [
            json!({"rule": "allow", "interface": "eth0"}),
            json!({"rule": "allow", "interface_in": "a", "interface_out": "b"}),
            json!({"rule": "allow", "direction": "routed"}),
        ] {
            let args = args(&options);
            assert!(rule(&args, Rule::Allow).is_err(), "{options}");
        }
    }

    #[test]
    fn a_new_rule_is_put_where_it_is_asked_for() {
        for (insert, relative, [v4, v6], expected) in [
            (3, "zero", [0, 0], Some(3)),
            (0, "first-ipv4", [2, 2], Some(1)),
            (0, "first-ipv6", [2, 2], Some(3)),
            (-1, "last-ipv4", [2, 2], Some(1)),
            (0, "last-ipv6", [2, 2], Some(4)),
            (0, "first-ipv6", [2, 0], None),
        ] {
            let args = args(&json!({"rule": "allow", "insert": insert, "insert_relative_to": relative}));
            assert_eq!(position(&args, [v4, v6]), expected, "{insert} {relative}");
        }
    }

    #[test]
    fn a_dry_run_tells_whether_a_rule_is_there() {
        let mut host = MemoryHost::default();
        host.add_file(RULES[0], "*filter\n### tuple ### allow tcp 22 0.0.0.0/0 any 0.0.0.0/0 in\n");
        host.add_file(RULES[1], "*filter\n:ufw6-x\n### tuple ### allow tcp 22 ::/0 any ::/0 in\n");
        host.add_file(SETTINGS, "ENABLED=no\nLOGLEVEL=low\n");
        host.answer(&["ufw", "status"], 0, "Status: inactive\n");
        host.answer(
            &["ufw", "--dry-run", "*"],
            0,
            "*filter\n### tuple ### allow tcp 22 0.0.0.0/0 any 0.0.0.0/0 in\nRules updated\n",
        );
        let module = crate::registry::find("ufw").unwrap();
        let run = |options: Value, host: &mut MemoryHost| (module.run)(options.as_object().unwrap(), host);
        let options = json!({"rule": "allow", "port": "22", "proto": "tcp"});
        assert_eq!(run(options.clone(), &mut host).ending, Ending::Ok);
        host.answer(
            &["ufw", "--dry-run", "*"],
            0,
            "*filter\n:ufw6-x\n### tuple ### deny tcp 25 ::/0 any ::/0 in\nRules updated\n",
        );
        let outcome = run(options, &mut host);
        assert_eq!(
            (outcome.ending, &outcome.result["commands"]),
            (Ending::Changed, &json!(["ufw allow from any to any port 22 proto tcp"]))
        );
        assert_eq!(run(json!({"logging": "on"}), &mut host).ending, Ending::Ok);
        assert_eq!(run(json!({"state": "reloaded"}), &mut host).ending, Ending::Changed);
    }
}
