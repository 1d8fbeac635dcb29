//! `iptables`: rules, chains and policies of the kernel's packet filter.

use serde_json::{Map, Value, json};

use super::iptables_rule;
use crate::accounts::group::Presence;
use crate::change::{Change, ResourceId, ResourceState};
use crate::claims::Claims;
use crate::host::{Effect, Host, Inspect, Thing};
use crate::outcome::Failure;
use crate::resource::{self, Resource, Step, Written};
use crate::system::tool::{Tool, plain_word};
use crate::{args, choice};

choice! {
    /// Which protocol a rule is for.
    pub enum Version {
        /// IPv4.
        Ipv4 = "ipv4",
        /// IPv6.
        Ipv6 = "ipv6",
        /// Both.
        Both = "both",
    }
}

choice! {
    /// A table of chains.
    pub enum Table {
        /// What may pass.
        Filter = "filter",
        /// Translation of addresses.
        Nat = "nat",
        /// Changes of packets.
        Mangle = "mangle",
        /// Before connections are tracked.
        Raw = "raw",
        /// Mandatory access control.
        Security = "security",
    }
}

choice! {
    /// Where a new rule goes.
    pub enum Action {
        /// To the end.
        Append = "append",
        /// To the beginning, or to `rule_num`.
        Insert = "insert",
    }
}

choice! {
    /// What a built-in chain does with packets that no rule decided about.
    pub enum Policy {
        /// Lets them pass.
        Accept = "ACCEPT",
        /// Drops them.
        Drop = "DROP",
        /// Hands them to a program.
        Queue = "QUEUE",
        /// Goes back to the calling chain.
        Return = "RETURN",
    }
}

choice! {
    /// Whether packets that open a TCP connection are meant.
    pub enum Syn {
        /// All are.
        Ignore = "ignore",
        /// Only those.
        Match = "match",
        /// All but those.
        Negate = "negate",
    }
}

args! {
    /// Manages rules, chains and policies of iptables and ip6tables in the running kernel; after the next boot they are
    /// gone unless something saves them.
    ///
    /// Whether a rule is there is what `iptables -C` says, so that its spelling does not matter.
    pub struct Args {
        /// Table.
        table: Table = Table::Filter,
        /// Whether the rule (or chain) is there.
        state: Presence = Presence::Present,
        /// Where a new rule goes.
        action: Action = Action::Append,
        /// Number that an inserted rule gets.
        rule_num: Option<String>,
        /// For which protocol.
        ip_version: Version = Version::Ipv4,
        /// Chain.
        chain: Option<String>,
        /// Protocol of the packet; `!` before it inverts, as in the following.
        protocol: Option<String>,
        /// Source address.
        source: Option<String>,
        /// Destination address.
        destination: Option<String>,
        /// TCP flags: `flags`, a list of what is looked at, and `flags_set`, what must be set.
        tcp_flags: Option<Map<String, Value>>,
        /// Extensions that are loaded.
        r#match: Vec<String> = Vec::new(),
        /// Target.
        jump: Option<String>,
        /// Target of `TEE`: where the copy goes.
        gateway: Option<String>,
        /// Text before a logged packet; `jump` is `LOG`.
        log_prefix: Option<String>,
        /// Level of a logged packet; `jump` is `LOG`.
        log_level: Option<String>,
        /// Chain in which it goes on without coming back.
        goto: Option<String>,
        /// Interface by which a packet came.
        in_interface: Option<String>,
        /// Interface by which it leaves.
        out_interface: Option<String>,
        /// Later fragments only.
        fragment: Option<String>,
        /// Counters of a new rule: packets and bytes.
        set_counters: Option<String>,
        /// Source port or range.
        source_port: Option<String>,
        /// Destination port or range.
        destination_port: Option<String>,
        /// Several destination ports and ranges.
        destination_ports: Vec<String> = Vec::new(),
        /// Port of `REDIRECT` and `MASQUERADE`.
        to_ports: Option<String>,
        /// Destination of `DNAT`.
        to_destination: Option<String>,
        /// Source of `SNAT`.
        to_source: Option<String>,
        /// Packets that open a TCP connection.
        syn: Syn = Syn::Ignore,
        /// Mark of `DSCP`.
        set_dscp_mark: Option<String>,
        /// Class of `DSCP`.
        set_dscp_mark_class: Option<String>,
        /// Comment of the rule.
        comment: Option<String>,
        /// States of the connection.
        ctstate: Vec<String> = Vec::new(),
        /// Range of source addresses, `FROM-TO`.
        src_range: Option<String>,
        /// Range of destination addresses.
        dst_range: Option<String>,
        /// Name of an ipset.
        match_set: Option<String>,
        /// What of a packet is looked up in it, e.g. `src` or `src,dst`.
        match_set_flags: Option<String>,
        /// Most matches, e.g. `5/second`.
        limit: Option<String>,
        /// Matches before the limit begins to count.
        limit_burst: Option<String>,
        /// Owner of the sending program.
        uid_owner: Option<String>,
        /// Group of the sending program.
        gid_owner: Option<String>,
        /// Answer to a rejected packet; `jump` is `REJECT`.
        reject_with: Option<String>,
        /// Type of an ICMP packet.
        icmp_type: Option<String>,
        /// Removes all rules of the chain (or table), every time.
        flush: bool = false,
        /// Policy of a built-in chain; nothing else is done then.
        policy: Option<Policy>,
        /// Seconds to wait for another program that changes rules.
        wait: Option<String>,
        /// Whether a missing chain is made; with `state: absent` and no rule: whether the chain is removed.
        chain_management: bool = false,
        /// No effect: names are never looked up.
        numeric: bool = false,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: Nothing from one address
  iptables:
    chain: INPUT
    source: 192.0.2.8
    jump: DROP
- name: Established connections
  iptables:
    chain: INPUT
    ctstate: ESTABLISHED,RELATED
    jump: ACCEPT
- name: Redirected
  iptables:
    table: nat
    chain: PREROUTING
    in_interface: eth0
    protocol: tcp
    match: tcp
    destination_port: 80
    jump: REDIRECT
    to_ports: 8600
    comment: Redirect web traffic
- name: On top, for both protocols
  iptables:
    action: insert
    chain: INPUT
    protocol: tcp
    destination_ports: ['80', '443', '8081:8083']
    jump: ACCEPT
    ip_version: both
- name: A chain of its own
  iptables:
    chain: ALLOWLIST
    chain_management: true
- name: What is not asked for is dropped
  iptables:
    chain: INPUT
    policy: DROP
- name: No rules
  iptables:
    chain: OUTPUT
    flush: true
";

/// The module.
pub struct Iptables;

/// One of the two programs, and what it says.
#[derive(Debug, Clone)]
struct Family {
    tool: Tool,
    word: &'static str,
    /// The rule, where there is one.
    rule: Vec<String>,
    chain: Option<bool>,
    has_rule: Option<bool>,
    policy: Option<String>,
}

/// What is there for one protocol or both.
#[derive(Debug, Clone)]
pub struct State {
    table: &'static str,
    chain: String,
    families: Vec<Family>,
}

impl resource::State for State {
    fn resources(&self) -> Vec<ResourceState> {
        let there = |id: ResourceId, is: bool| if is { ResourceState::present(id) } else { ResourceState::absent(id) };
        let mut list = Vec::new();
        for family in &self.families {
            list.extend(family.chain.map(|is| there(self.chain_id(family), is)));
            list.extend(family.has_rule.map(|is| there(self.rule_id(family), is)));
            let id = ResourceId::new("iptables policy", self.place(family));
            list.extend(family.policy.clone().map(|policy| ResourceState::present(id).with("policy", policy)));
        }
        list
    }
}

impl State {
    fn place(&self, family: &Family) -> String {
        [family.word, self.table, &self.chain].join(" ").trim_end().to_owned()
    }

    fn chain_id(&self, family: &Family) -> ResourceId {
        ResourceId::new("iptables chain", self.place(family))
    }

    fn rule_id(&self, family: &Family) -> ResourceId {
        ResourceId::new("iptables rule", format!("{} {}", self.place(family), family.rule.join(" ")))
    }

    /// How often a plan has flushed this chain, itself or with its table: rules from before are gone.
    fn flushes(&self, family: &Family, host: &dyn Inspect) -> usize {
        let table = format!("{} {}", family.word, self.table);
        [self.place(family), table].map(|place| flushed(&place, host)).iter().sum()
    }
}

fn flushed(place: &str, host: &dyn Inspect) -> usize {
    match host.thing(&ResourceId::new("iptables flush", place)) {
        Some(Thing::There(count)) => count.parse().unwrap_or(0),
        _ => 0,
    }
}

/// Words of a command: table, lock, what to do, chain.
fn words(args: &Args, verb: &str, rest: &[String]) -> Vec<String> {
    let mut words = vec!["-t".to_owned(), args.table.word().to_owned()];
    if let Some(seconds) = &args.wait {
        words.extend(["-w".into(), seconds.clone()]);
    }
    words.push(verb.to_owned());
    words.extend(args.chain.clone());
    words.extend_from_slice(rest);
    words
}

const PLANNED: Option<(bool, Option<String>)> = None;

/// Whether a chain is there, and its policy.
fn chain(tool: Tool, args: &Args, host: &dyn Inspect) -> Result<Option<(bool, Option<String>)>, Failure> {
    let Some(output) = tool.ask(words(args, "-S", &[]), host)? else { return Ok(PLANNED) };
    let text = output.text();
    let policy = text.lines().find_map(|line| line.strip_prefix("-P ")?.split(' ').nth(1).map(str::to_owned));
    Ok(Some((output.rc == 0, policy)))
}

/// Whether the task is about a chain alone.
fn only_chain(args: &Args, rule: &[String]) -> bool {
    rule.is_empty() && (args.chain_management || args.state == Presence::Absent)
}

impl Resource for Iptables {
    type Args = Args;
    type State = State;

    fn read(args: &Args, host: &dyn Inspect) -> Result<State, Failure> {
        iptables_rule::check(args)?;
        for (name, word) in [("chain", &args.chain), ("wait", &args.wait), ("rule_num", &args.rule_num)] {
            word.as_deref().map_or(Ok(()), |word| plain_word(name, word))?;
        }
        let families: &[(Tool, &'static str)] = match args.ip_version {
            Version::Ipv4 => &[(Tool::new("iptables", "iptables"), "ipv4")],
            Version::Ipv6 => &[(Tool::new("ip6tables", "iptables"), "ipv6")],
            Version::Both => &[(Tool::new("iptables", "iptables"), "ipv4"), (Tool::new("ip6tables", "iptables"), "ipv6")],
        };
        let mut state = State { table: args.table.word(), chain: args.chain.clone().unwrap_or_default(), families: Vec::new() };
        for &(tool, word) in families {
            let rule = iptables_rule::rule(args, word);
            let mut family = Family { tool, word, rule, chain: None, has_rule: None, policy: None };
            if args.flush {
                state.families.push(family);
                continue;
            }
            let seen = |id: ResourceId| host.thing(&id).map(|thing| thing != Thing::Gone);
            let (there, policy) = chain(tool, args, host)?.unwrap_or((!args.chain_management, Some("ACCEPT".into())));
            if args.policy.is_some() {
                let planned = host.thing(&ResourceId::new("iptables policy", state.place(&family)));
                family.policy = match planned {
                    Some(Thing::There(policy)) => Some(policy),
                    _ => Some(policy.ok_or_else(|| Failure::new(format!("{} has no policy", state.place(&family))))?),
                };
                state.families.push(family);
                continue;
            }
            family.chain = Some(seen(state.chain_id(&family)).unwrap_or(there));
            if !only_chain(args, &family.rule) {
                let flushes = state.flushes(&family, host);
                family.has_rule = Some(match host.thing(&state.rule_id(&family)) {
                    Some(Thing::Gone) => false,
                    Some(Thing::There(when)) => when.parse() == Ok(flushes),
                    None if flushes > 0 || family.chain == Some(false) => false,
                    None => tool.ask(words(args, "-C", &family.rule), host)?.is_some_and(|output| output.rc == 0),
                });
            }
            state.families.push(family);
        }
        Ok(state)
    }

    fn want(args: &Args, now: &State) -> Result<State, Failure> {
        let mut want = now.clone();
        let present = args.state == Presence::Present;
        for family in &mut want.families {
            family.policy = args.policy.map(|policy| policy.word().to_owned());
            if let Some(chain) = family.chain {
                family.has_rule = family.has_rule.map(|_| present);
                family.chain = match (only_chain(args, &family.rule), args.chain_management) {
                    (true, true) => Some(present),
                    // A rule needs its chain.
                    (false, true) if present => Some(true),
                    (false, false) if present && !chain => {
                        return Err(Failure::new(format!(
                            "there is no chain `{}` in table `{}`; `chain_management: true` makes it",
                            now.chain, now.table
                        )));
                    }
                    _ => None,
                };
            }
        }
        // A chain that is not managed is not compared.
        Ok(want)
    }

    fn runs(args: &Args, now: &State, _: &State) -> Vec<Change> {
        let flushes = now.families.iter().filter(|_| args.flush);
        flushes.map(|family| Change::run(ResourceId::new("iptables flush", now.place(family)))).collect()
    }

    fn write(args: &Args, step: &Step<'_, State>, host: &mut dyn Host) -> Result<Written, Failure> {
        for (now, want) in step.now.families.iter().zip(&step.want.families) {
            let tool = now.tool;
            if args.flush {
                let place = step.now.place(now);
                let count = (flushed(&place, host.inspect()) + 1).to_string();
                let effect = Effect::Thing(ResourceId::new("iptables flush", place), Thing::There(count));
                tool.act(words(args, "-F", &[]), &[effect], host)?;
                continue;
            }
            if let Some(policy) = want.policy.as_ref().filter(|policy| now.policy.as_ref() != Some(*policy)) {
                let id = ResourceId::new("iptables policy", step.now.place(now));
                tool.act(
                    words(args, "-P", std::slice::from_ref(policy)),
                    &[Effect::Thing(id, Thing::There(policy.clone()))],
                    host,
                )?;
            }
            if want.chain == Some(true) && now.chain == Some(false) {
                let effect = Effect::Thing(step.now.chain_id(now), Thing::There(String::new()));
                tool.act(words(args, "-N", &[]), &[effect], host)?;
            }
            if let Some(there) = want.has_rule.filter(|_| now.has_rule != want.has_rule) {
                let when = step.now.flushes(now, host.inspect()).to_string();
                let thing = if there { Thing::There(when) } else { Thing::Gone };
                let mut rest: Vec<String> =
                    args.rule_num.iter().filter(|_| there && args.action == Action::Insert).cloned().collect();
                rest.extend(now.rule.iter().cloned());
                let verb = match (there, args.action) {
                    (false, _) => "-D",
                    (true, Action::Append) => "-A",
                    (true, Action::Insert) => "-I",
                };
                tool.act(words(args, verb, &rest), &[Effect::Thing(step.now.rule_id(now), thing)], host)?;
            }
            if want.chain == Some(false) && now.chain == Some(true) {
                tool.act(words(args, "-X", &[]), &[Effect::Thing(step.now.chain_id(now), Thing::Gone)], host)?;
            }
        }
        Ok(Written::quiet())
    }

    fn result(args: &Args, before: &State, _: &State) -> Map<String, Value> {
        let rule = before.families.first().map(|family| family.rule.join(" ")).unwrap_or_default();
        let result = json!({
            "ip_version": args.ip_version.word(), "table": args.table.word(), "chain": args.chain, "flush": args.flush,
            "rule": rule, "state": args.state.word(), "chain_management": args.chain_management, "wait": args.wait,
        });
        result.as_object().cloned().unwrap_or_default()
    }

    fn claims(args: &Args) -> Claims {
        // Rules stand in an order: tasks about one table keep theirs.
        Claims::provides([ResourceId::new("iptables table", args.table.word())]).needing([ResourceId::new("package", "iptables")])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::memory::MemoryHost;
    use crate::host::overlay::Overlay;
    use crate::outcome::{Ending, Outcome};

    fn run(options: Value, host: &mut dyn Host) -> Outcome {
        let module = crate::registry::find("iptables").unwrap();
        (module.run)(options.as_object().unwrap(), host)
    }

    fn host() -> MemoryHost {
        let mut host = MemoryHost::default();
        host.answer(&["iptables", "-t", "filter", "-S", "*"], 1, "");
        host.answer(&["iptables", "-t", "filter", "-S", "INPUT"], 0, "-P INPUT ACCEPT\n-A INPUT -p tcp -j ACCEPT\n");
        host.answer(&["iptables", "-t", "filter", "-C", "*"], 1, "");
        host.answer(&["iptables", "-t", "filter", "-C", "INPUT", "-p", "tcp", "-j", "ACCEPT"], 0, "");
        host
    }

    #[test]
    fn a_plan_knows_that_a_flush_takes_rules_away() {
        let mut plan = Overlay::new(host());
        let rule = json!({"chain": "INPUT", "protocol": "tcp", "jump": "ACCEPT"});
        let other = json!({"chain": "INPUT", "protocol": "udp", "jump": "ACCEPT"});
        let ending = |options: &Value, plan: &mut Overlay<MemoryHost>| run(options.clone(), plan).ending;
        assert_eq!((ending(&rule, &mut plan), ending(&other, &mut plan)), (Ending::Ok, Ending::Changed));
        assert_eq!(ending(&other, &mut plan), Ending::Ok);
        assert_eq!(ending(&json!({"flush": true}), &mut plan), Ending::Changed);
        assert_eq!((ending(&rule, &mut plan), ending(&other, &mut plan)), (Ending::Changed, Ending::Changed));
        assert_eq!((ending(&rule, &mut plan), ending(&other, &mut plan)), (Ending::Ok, Ending::Ok));
    }

    #[test]
    fn chains_are_made_where_asked_for() {
        let mut host = host();
        let mut options = json!({"chain": "EDGE", "protocol": "tcp", "jump": "ACCEPT", "action": "insert", "rule_num": 2});
        assert_eq!(run(options.clone(), &mut host).ending, Ending::Failed);
        options["chain_management"] = json!(true);
        options["wait"] = json!(5);
        host.answer(&["iptables", "-t", "filter", "-w", "5", "-S", "EDGE"], 1, "");
        let outcome = run(options, &mut host);
        assert_eq!(outcome.ending, Ending::Changed, "{:?}", outcome.result);
        assert_eq!(outcome.result["rule"], "-p tcp -j ACCEPT");
        let ran: Vec<String> = host.ran.iter().map(|line| line.argv[5..].join(" ")).collect();
        assert_eq!(ran, ["-N EDGE", "-I EDGE 2 -p tcp -j ACCEPT"]);
        let outcome = run(json!({"chain": "INPUT", "policy": "ACCEPT"}), &mut host);
        assert_eq!(outcome.ending, Ending::Ok);
        assert_eq!(run(json!({"chain": "-X"}), &mut host).ending, Ending::Failed);
    }
}
