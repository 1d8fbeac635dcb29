//! Keywords that plays, roles, blocks and tasks share, and how they are inherited.

use std::sync::Arc;

use crate::source::{Diagnostic, Diagnostics, Mapping, Node, NodeValue};
use crate::vars::{Definition, Origin, Variable, Variables};

/// Keywords that may stand on a play, a role, a block or a task. After [`Keywords::under`] they
/// hold everything that is inherited.
#[derive(Debug, Clone, Default)]
pub struct Keywords {
    /// Conditions, outermost first: all must hold.
    pub when: Vec<Node>,
    /// Tags, inherited ones included.
    pub tags: Vec<Arc<str>>,
    /// Variables of blocks (outermost first) and of the task itself (last).
    pub vars: Vec<Arc<Variables>>,
    /// Environments, outermost first; the innermost wins.
    pub environment: Vec<Node>,
    /// Default options of modules, outermost first.
    pub module_defaults: Vec<Node>,
    /// Become another user.
    pub r#become: Option<Node>,
    /// Which user.
    pub become_user: Option<Node>,
    /// By which method.
    pub become_method: Option<Node>,
    /// Further flags of the method.
    pub become_flags: Option<Node>,
    /// Go on after a failure.
    pub ignore_errors: Option<Node>,
    /// Go on when the host cannot be reached.
    pub ignore_unreachable: Option<Node>,
    /// Show nothing of options and results.
    pub no_log: Option<Node>,
    /// Act on another host.
    pub delegate_to: Option<Node>,
    /// Facts belong to the other host.
    pub delegate_facts: Option<Node>,
    /// Plan even in an apply, or apply even in a plan.
    pub check_mode: Option<Node>,
    /// Show differences.
    pub diff: Option<Node>,
    /// Once for all hosts.
    pub run_once: Option<Node>,
    /// At most so many hosts at once.
    pub throttle: Option<Node>,
    /// Seconds.
    pub timeout: Option<Node>,
    /// A failure stops all hosts.
    pub any_errors_fatal: Option<Node>,
    /// How the host is reached.
    pub connection: Option<Node>,
    /// As whom.
    pub remote_user: Option<Node>,
    /// At which port.
    pub port: Option<Node>,
    /// Collections in which modules without one in their name are looked for.
    pub collections: Option<Node>,
    /// Handlers to run when a task changed something (tasks and blocks).
    pub notify: Option<Node>,
}

/// Shared keywords that a play does not have.
pub const NOT_OF_PLAYS: &[&str] = &["when", "delegate_to", "delegate_facts"];

/// Names of the shared keywords.
pub const SHARED: &[&str] = &[
    "name",
    "when",
    "tags",
    "vars",
    "environment",
    "module_defaults",
    "become",
    "become_user",
    "become_method",
    "become_flags",
    "become_exe",
    "ignore_errors",
    "ignore_unreachable",
    "no_log",
    "delegate_to",
    "delegate_facts",
    "check_mode",
    "diff",
    "run_once",
    "throttle",
    "timeout",
    "any_errors_fatal",
    "connection",
    "remote_user",
    "port",
    "collections",
    "debugger",
];

impl Keywords {
    /// Reads the shared keywords of a mapping.
    pub fn read(map: &Mapping, diagnostics: &mut Diagnostics) -> Self {
        let get = |name: &str| map.get(name).filter(|node| !node.is_null()).cloned();
        if let Some(node) = get("debugger") {
            diagnostics.push(
                Diagnostic::error("unsupported-keyword", "`debugger` is not supported")
                    .at(node.span, "used here")
                    .hint("remove it; `stead plan -v` shows what a task sees"),
            );
        }
        if let Some(node) = get("become_exe") {
            diagnostics.push(
                Diagnostic::error("unsupported-keyword", "`become_exe` is not supported")
                    .at(node.span, "used here")
                    .hint("put the program into the host's PATH"),
            );
        }
        Self {
            when: get("when").into_iter().collect(),
            tags: get("tags").map(|node| tags(&node, diagnostics)).unwrap_or_default(),
            vars: get("vars").map(|node| Arc::new(variables(&node, diagnostics))).into_iter().collect(),
            environment: get("environment").into_iter().collect(),
            module_defaults: get("module_defaults").into_iter().collect(),
            r#become: get("become"),
            become_user: get("become_user"),
            become_method: get("become_method"),
            become_flags: get("become_flags"),
            ignore_errors: get("ignore_errors"),
            ignore_unreachable: get("ignore_unreachable"),
            no_log: get("no_log"),
            delegate_to: get("delegate_to"),
            delegate_facts: get("delegate_facts"),
            check_mode: get("check_mode"),
            diff: get("diff"),
            run_once: get("run_once"),
            throttle: get("throttle"),
            timeout: get("timeout"),
            any_errors_fatal: get("any_errors_fatal"),
            connection: get("connection"),
            remote_user: get("remote_user"),
            port: get("port"),
            collections: get("collections"),
            notify: get("notify"),
        }
    }

    /// These keywords, with what the surrounding block, role or play gives them.
    pub fn under(&self, outer: &Self) -> Self {
        fn both<T: Clone>(outer: &[T], inner: &[T]) -> Vec<T> {
            outer.iter().chain(inner).cloned().collect()
        }
        fn nearest(inner: Option<&Node>, outer: Option<&Node>) -> Option<Node> {
            inner.or(outer).cloned()
        }
        let mut tags = outer.tags.clone();
        tags.extend(self.tags.iter().filter(|tag| !outer.tags.contains(tag)).cloned());
        macro_rules! nearest_of {
            ($($field:ident),* $(,)?) => { Self {
                when: both(&outer.when, &self.when),
                tags,
                vars: both(&outer.vars, &self.vars),
                environment: both(&outer.environment, &self.environment),
                module_defaults: both(&outer.module_defaults, &self.module_defaults),
                $( $field: nearest(self.$field.as_ref(), outer.$field.as_ref()), )*
            } };
        }
        nearest_of!(
            r#become,
            become_user,
            become_method,
            become_flags,
            ignore_errors,
            ignore_unreachable,
            no_log,
            delegate_to,
            delegate_facts,
            check_mode,
            diff,
            run_once,
            throttle,
            timeout,
            any_errors_fatal,
            connection,
            remote_user,
            port,
            collections,
            notify,
        )
    }
}

/// Tags: a list, or text with commas.
pub fn tags(node: &Node, diagnostics: &mut Diagnostics) -> Vec<Arc<str>> {
    let mut tags: Vec<Arc<str>> = Vec::new();
    let items: &[Node] = node.as_list().unwrap_or(std::slice::from_ref(node));
    for item in items {
        match &item.value {
            NodeValue::Str(text, _) | NodeValue::Unsafe(text) => {
                tags.extend(text.split(',').map(str::trim).filter(|tag| !tag.is_empty()).map(Arc::from));
            }
            NodeValue::Int(number) => tags.push(number.to_string().into()),
            NodeValue::Bool(is) => tags.push(if *is { "True" } else { "False" }.into()),
            _ => diagnostics.push(
                Diagnostic::error("bad-tags", format!("`tags` must be text or a list of text, found {}", item.kind()))
                    .at(item.span, "here"),
            ),
        }
    }
    tags
}

/// `vars:`: a mapping (or a list of mappings, as Ansible still takes).
pub fn variables(node: &Node, diagnostics: &mut Diagnostics) -> Variables {
    let mut variables = Variables::new();
    let maps: Vec<&Node> = node.as_list().map_or_else(|| vec![node], |items| items.iter().collect());
    for map in maps {
        let Some(entries) = map.as_map() else {
            if !map.is_null() {
                diagnostics.push(
                    Diagnostic::error("bad-vars", format!("variables must be a mapping, found {}", map.kind()))
                        .at(map.span, "here"),
                );
            }
            continue;
        };
        for (key, value) in &entries.entries {
            let Some(name) = key.as_str() else {
                diagnostics.push(
                    Diagnostic::error("bad-vars", format!("a variable's name must be text, found {}", key.kind()))
                        .at(key.span, "here"),
                );
                continue;
            };
            variables
                .insert(name.into(), Variable { definition: Definition::Source(value.clone()), origin: Origin::File(key.span) });
        }
    }
    variables
}
