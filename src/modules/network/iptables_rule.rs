//! The words of one rule of iptables, from the options of a task.

use serde_json::Value;

use super::iptables::{Args, Syn};
use crate::outcome::Failure;

/// Options that do not go together.
pub(super) fn check(args: &Args) -> Result<(), Failure> {
    let fail = |text: &str| Err(Failure::new(text));
    if args.chain.is_none() && !args.flush {
        return fail("Either chain or flush parameter must be specified.");
    }
    if args.flush && args.policy.is_some() {
        return fail("parameters are mutually exclusive: flush|policy");
    }
    if args.jump.is_some() && args.goto.is_some() {
        return fail("parameters are mutually exclusive: jump|goto");
    }
    if args.set_dscp_mark.is_some() && args.set_dscp_mark_class.is_some() {
        return fail("parameters are mutually exclusive: set_dscp_mark|set_dscp_mark_class");
    }
    if args.match_set.is_some() != args.match_set_flags.is_some() {
        return fail("`match_set` and `match_set_flags` belong together");
    }
    let jumps = |target: &str| args.jump.as_deref().is_some_and(|jump| jump.eq_ignore_ascii_case(target));
    if (args.log_prefix.is_some() || args.log_level.is_some()) && args.jump.is_some() && !jumps("LOG") {
        return fail("Logging options can only be used with the LOG jump target.");
    }
    if args.gateway.is_some() != jumps("TEE") {
        return fail("`gateway` and `jump: TEE` belong together");
    }
    if args.policy.is_some() && args.chain.is_none() {
        return fail("`policy` needs `chain`");
    }
    Ok(())
}

/// A rule in the making.
struct Rule(Vec<String>);

impl Rule {
    fn words(&mut self, words: &[&str]) {
        self.0.extend(words.iter().map(|word| (*word).to_owned()));
    }

    /// An option with its value; `!` before the value stands before the option.
    fn option(&mut self, name: &str, value: Option<&str>) {
        match value.map(|value| (value, value.strip_prefix('!'))) {
            None => {}
            Some((_, Some(inverted))) => self.words(&["!", name, inverted.trim_start()]),
            Some((value, None)) => self.words(&[name, value]),
        }
    }

    /// Loads an extension unless the task does so itself.
    fn load(&mut self, args: &Args, extension: &str) {
        if !args.r#match.iter().any(|name| name == extension) {
            self.words(&["-m", extension]);
        }
    }
}

fn list(value: Option<&Value>) -> String {
    match value {
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(","),
        Some(Value::String(text)) => text.clone(),
        _ => String::new(),
    }
}

/// The rule for one protocol (`ipv4` or `ipv6`).
pub(super) fn rule(args: &Args, family: &str) -> Vec<String> {
    let mut rule = Rule(Vec::new());
    rule.option("-p", args.protocol.as_deref());
    rule.option("-s", args.source.as_deref());
    rule.option("-d", args.destination.as_deref());
    for extension in &args.r#match {
        rule.option("-m", Some(extension));
    }
    if let Some(flags) = &args.tcp_flags {
        rule.words(&["--tcp-flags", &list(flags.get("flags")), &list(flags.get("flags_set"))]);
    }
    let logs = args.log_prefix.is_some() || args.log_level.is_some();
    let marks = args.set_dscp_mark.is_some() || args.set_dscp_mark_class.is_some();
    let jump = args.jump.as_deref();
    let jump = jump.or(logs.then_some("LOG")).or(marks.then_some("DSCP")).or(args.reject_with.is_some().then_some("REJECT"));
    rule.option("-j", jump.filter(|_| args.goto.is_none()));
    rule.option("--gateway", args.gateway.as_deref());
    rule.option("--log-prefix", args.log_prefix.as_deref());
    rule.option("--log-level", args.log_level.as_deref());
    rule.option("--to-destination", args.to_destination.as_deref());
    if !args.destination_ports.is_empty() {
        rule.load(args, "multiport");
        rule.words(&["--dports", &args.destination_ports.join(",")]);
    }
    rule.option("--to-source", args.to_source.as_deref());
    rule.option("-g", args.goto.as_deref());
    rule.option("-i", args.in_interface.as_deref());
    rule.option("-o", args.out_interface.as_deref());
    match args.fragment.as_deref().map(|text| text.trim_start().starts_with('!')) {
        None => {}
        Some(true) => rule.words(&["!", "-f"]),
        Some(false) => rule.words(&["-f"]),
    }
    if let Some(counters) = &args.set_counters {
        rule.words(&["-c"]);
        rule.words(&counters.split([' ', ',']).filter(|word| !word.is_empty()).collect::<Vec<_>>());
    }
    rule.option("--source-port", args.source_port.as_deref());
    rule.option("--destination-port", args.destination_port.as_deref());
    rule.option("--to-ports", args.to_ports.as_deref());
    rule.option("--set-dscp", args.set_dscp_mark.as_deref());
    rule.option("--set-dscp-class", args.set_dscp_mark_class.as_deref());
    match args.syn {
        Syn::Ignore => {}
        Syn::Match => rule.words(&["--syn"]),
        Syn::Negate => rule.words(&["!", "--syn"]),
    }
    matches(args, family, &mut rule);
    rule.0
}

/// What extensions look at.
fn matches(args: &Args, family: &str, rule: &mut Rule) {
    if !args.ctstate.is_empty() {
        let states = args.ctstate.join(",");
        if args.r#match.iter().any(|name| name == "state") && !args.r#match.iter().any(|name| name == "conntrack") {
            rule.option("--state", Some(&states));
        } else {
            rule.load(args, "conntrack");
            rule.option("--ctstate", Some(&states));
        }
    }
    if args.src_range.is_some() || args.dst_range.is_some() {
        rule.load(args, "iprange");
        rule.option("--src-range", args.src_range.as_deref());
        rule.option("--dst-range", args.dst_range.as_deref());
    }
    if let (Some(set), Some(flags)) = (&args.match_set, &args.match_set_flags) {
        rule.load(args, "set");
        rule.option("--match-set", Some(set));
        rule.words(&[flags]);
    }
    if args.limit.is_some() || args.limit_burst.is_some() {
        rule.load(args, "limit");
        rule.option("--limit", args.limit.as_deref());
        rule.option("--limit-burst", args.limit_burst.as_deref());
    }
    if args.uid_owner.is_some() || args.gid_owner.is_some() {
        rule.load(args, "owner");
        rule.option("--uid-owner", args.uid_owner.as_deref());
        rule.option("--gid-owner", args.gid_owner.as_deref());
    }
    rule.option("--reject-with", args.reject_with.as_deref());
    rule.option(if family == "ipv6" { "--icmpv6-type" } else { "--icmp-type" }, args.icmp_type.as_deref());
    if let Some(comment) = &args.comment {
        rule.load(args, "comment");
        // A comment may begin with `!`.
        rule.words(&["--comment", comment]);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::args::Arguments as _;

    #[test]
    fn options_become_words() {
        for (options, family, expected) in [
            (json!({"protocol": "!tcp", "source": "! 10.0.0.0/8", "jump": "DROP"}), "ipv4", "! -p tcp ! -s 10.0.0.0/8 -j DROP"),
            (
                json!({"ctstate": "ESTABLISHED,RELATED", "jump": "ACCEPT"}),
                "ipv4",
                "-j ACCEPT -m conntrack --ctstate ESTABLISHED,RELATED",
            ),
            (json!({"match": ["state"], "ctstate": ["NEW"]}), "ipv4", "-m state --state NEW"),
            (
                json!({"protocol": "tcp", "tcp_flags": {"flags": "ALL", "flags_set": ["ACK", "SYN"]}, "jump": "DROP"}),
                "ipv4",
                "-p tcp --tcp-flags ALL ACK,SYN -j DROP",
            ),
            (json!({"protocol": "tcp", "reject_with": "tcp-reset"}), "ipv4", "-p tcp -j REJECT --reject-with tcp-reset"),
            (
                json!({"limit": "2/second", "limit_burst": 20, "log_prefix": "IPT: ", "log_level": "info"}),
                "ipv4",
                "-j LOG --log-prefix IPT:  --log-level info -m limit --limit 2/second --limit-burst 20",
            ),
            (
                json!({"protocol": "icmpv6", "icmp_type": "echo-request", "goto": "X"}),
                "ipv6",
                "-p icmpv6 -g X --icmpv6-type echo-request",
            ),
            (
                json!({"src_range": "10.0.0.1-10.0.0.9", "match_set": "!bad", "match_set_flags": "src,dst"}),
                "ipv4",
                "-m iprange --src-range 10.0.0.1-10.0.0.9 -m set ! --match-set bad src,dst",
            ),
            (
                json!({"jump": "TEE", "gateway": "10.0.0.1", "uid_owner": "!root", "comment": "!x"}),
                "ipv4",
                "-j TEE --gateway 10.0.0.1 -m owner ! --uid-owner root -m comment --comment !x",
            ),
            (
                json!({"set_dscp_mark": 8, "protocol": "tcp", "syn": "negate", "fragment": "!"}),
                "ipv4",
                "-p tcp -j DSCP ! -f --set-dscp 8 ! --syn",
            ),
        ] {
            let mut options = options.as_object().unwrap().clone();
            options.insert("chain".into(), "INPUT".into());
            let args = Args::parse(&options).unwrap();
            assert_eq!(check(&args), Ok(()), "{options:?}");
            assert_eq!(rule(&args, family).join(" "), expected);
        }
    }

    #[test]
    fn what_does_not_go_together_is_said() {
        for options in [
            json!({}),
            json!({"chain": "A", "jump": "B", "goto": "C"}),
            json!({"chain": "A", "log_prefix": "x", "jump": "DROP"}),
            json!({"chain": "A", "match_set": "x"}),
            json!({"chain": "A", "gateway": "10.0.0.1"}),
            json!({"flush": true, "policy": "DROP", "chain": "A"}),
        ] {
            assert!(check(&Args::parse(options.as_object().unwrap()).unwrap()).is_err(), "{options}");
        }
    }
}
