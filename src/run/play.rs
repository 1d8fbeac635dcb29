//! Plays: which hosts, in which batches, with which variables; and the run as a list of plays.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, RwLock};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use rand::RngExt as _;

use super::dispatch::{Ended, TaskList, Walk, walk};
use super::event::{Event, HostEnding, HostRecap, NoteLevel};
use super::scheduler::Limits;
use super::scope;
use super::state::{HostState, Nested, PlayState, RunState, RunWorld};
use crate::playbook::play::Prompt;
use crate::playbook::{Item, Keywords, Play, Playbook, Task};
use crate::session::Echo;
use crate::source::{Diagnostic, Diagnostics, Node, NodeValue, Severity, Span};
use crate::template::TemplateError;
use crate::vars::{Definition, Layer, Origin, Precedence, Scope, Value, Variable, Variables};

/// What a run came to.
#[derive(Debug)]
pub struct Finished {
    /// Every selected host once.
    pub recap: Vec<HostRecap>,
    /// It was interrupted.
    pub interrupted: bool,
    /// Problems that stopped it before any host was contacted.
    pub diagnostics: Diagnostics,
}

/// A play with its hosts.
struct Chosen {
    play: Arc<Play>,
    hosts: Vec<Arc<str>>,
    /// An earlier play may change which hosts these are.
    open: bool,
}

/// Runs playbooks.
pub async fn run(state: &Arc<RunState>, playbooks: &[Playbook], warnings: &mut Diagnostics) -> Finished {
    let begun = Instant::now();
    let mut problems = Diagnostics::default();
    let mut chosen = Vec::new();
    // Whether an earlier play may change which hosts there are.
    let mut open = false;
    for play in playbooks.iter().flat_map(|playbook| &playbook.plays) {
        let mut found = Diagnostics::default();
        match hosts_of(state, play, &mut found) {
            Ok(hosts) => chosen.push(Chosen { play: Arc::clone(play), hosts, open }),
            Err(_) if open || (!chosen.is_empty() && is_template(&play.hosts)) => {
                chosen.push(Chosen { play: Arc::clone(play), hosts: Vec::new(), open: true });
            }
            Err(wrong) => problems.extend(wrong),
        }
        if !open {
            warnings.extend(found);
        }
        open |= changes_inventory(play);
    }
    if !open && !state.settings.allow_no_hosts && chosen.iter().all(|one| one.hosts.is_empty()) && !chosen.is_empty() {
        // A run without any host is a mistake, not a success.
        for warning in std::mem::take(warnings).iter() {
            problems.push(Diagnostic { severity: Severity::Error, ..warning.clone() });
        }
        if !problems.has_errors() {
            problems.push(
                Diagnostic::error("no-hosts", "no play selects a host")
                    .hint("`stead inventory` lists the hosts that there are; `-i` names an inventory"),
            );
        }
    }
    let needed: Vec<Arc<str>> =
        chosen.iter().flat_map(|one| one.hosts.iter().cloned()).collect::<BTreeSet<_>>().into_iter().collect();
    problems.extend(state.roster.view().closed_files(&needed));
    problems.extend(super::sealed::check(state, chosen.iter().map(|one| (&one.play, one.hosts.as_slice()))));
    if problems.has_errors() {
        return Finished { recap: Vec::new(), interrupted: false, diagnostics: problems };
    }
    let mut selected: BTreeSet<Arc<str>> = chosen.iter().flat_map(|one| one.hosts.iter().cloned()).collect();
    state.emit(Event::RunStarted {
        run: state.settings.run.clone(),
        mode: state.settings.mode,
        playbooks: playbooks.iter().map(|playbook| playbook.path.display().to_string()).collect(),
        hosts: selected.len(),
        at: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64()),
    });
    let mut gone: BTreeMap<Arc<str>, Walk> = BTreeMap::new();
    for one in &mut chosen {
        if state.stop.is_asked() {
            break;
        }
        if one.open {
            match hosts_of(state, &one.play, warnings) {
                Ok(hosts) => one.hosts = hosts,
                Err(found) => {
                    problems.extend(found);
                    break;
                }
            }
            selected.extend(one.hosts.iter().cloned());
        }
        let left: Vec<Arc<str>> = one.hosts.iter().filter(|host| !gone.contains_key(*host)).cloned().collect();
        if one.hosts.is_empty() {
            state.emit(Event::PlayStarted { play: one.play.title(), hosts: Vec::new(), tasks: 0 });
        }
        if left.is_empty() {
            continue;
        }
        let go_on = run_play(state, &one.play, &one.hosts, left, &mut gone).await;
        if !go_on {
            break;
        }
    }
    close(state).await;
    let bridged: Vec<String> = state.bridged.lock().expect("no thread panics here").iter().cloned().collect();
    if !bridged.is_empty() {
        let text = format!("on the hosts' Python ran what stead does not have itself: {}", bridged.join(", "));
        state.emit(Event::Note { level: NoteLevel::Info, host: None, text });
    }
    let interrupted = state.stop.is_asked();
    let recap = recap(state, &selected, &gone);
    state.emit(Event::RunEnded { recap: recap.clone(), seconds: begun.elapsed().as_secs_f64(), interrupted });
    Finished { recap, interrupted, diagnostics: problems }
}

fn is_template(node: &Node) -> bool {
    node.as_list().unwrap_or(std::slice::from_ref(node)).iter().any(|node| node.as_str().is_some_and(|text| text.contains("{{")))
}

/// Whether tasks of a play may add hosts or groups; what it includes cannot be known.
fn changes_inventory(play: &Play) -> bool {
    let mut tasks = Vec::new();
    crate::playbook::load::collect_tasks(&play.items, &mut tasks);
    tasks.iter().chain(&play.handlers).any(|task| {
        matches!(&*task.action.module, "add_host" | "group_by" | "include_tasks" | "include_role")
            || task.meta() == Some("refresh_inventory")
    })
}

/// Says goodbye to all hosts, at once.
async fn close(state: &RunState) {
    let hosts: Vec<Arc<HostState>> = state.hosts.read().expect("no thread panics here").values().cloned().collect();
    let sessions = futures::future::join_all(hosts.iter().map(|host| async { host.session.lock().await.take() })).await;
    futures::future::join_all(sessions.into_iter().flatten().flatten().map(|session| async move { session.close().await })).await;
}

fn recap(state: &RunState, selected: &BTreeSet<Arc<str>>, gone: &BTreeMap<Arc<str>, Walk>) -> Vec<HostRecap> {
    let tally = state.tally.lock().expect("no thread panics here");
    let hosts = state.hosts.read().expect("no thread panics here");
    selected
        .iter()
        .map(|name| {
            let mut recap = tally.recap(name);
            if let Some(holder) = hosts.get(name).and_then(|host| host.locked_by.lock().expect("no thread panics here").clone()) {
                recap.ending = HostEnding::Locked;
                recap.why = Some(holder);
            } else if gone.get(name) == Some(&Walk::Failed)
                && matches!(recap.ending, HostEnding::Ok | HostEnding::Changed | HostEnding::NotRun)
            {
                recap.ending = HostEnding::Failed;
            }
            recap
        })
        .collect()
}

fn extra_scope(state: &RunState) -> Scope {
    let mut scope = Scope::default();
    scope.push(Layer { precedence: Precedence::ExtraVars, variables: Arc::clone(&state.settings.extra_vars) });
    scope
}

/// What a play's own keywords see: no host yet.
fn level_scope(state: &Arc<RunState>, play: &Play) -> Scope {
    let mut scope = extra_scope(state);
    scope.world = Some(Arc::new(RunWorld(Arc::downgrade(state))));
    scope.search = Arc::from(vec![play.directory.clone()]);
    scope.push(Layer { precedence: Precedence::PlayVars, variables: Arc::clone(&play.vars) });
    scope.push(Layer { precedence: Precedence::Magic, variables: state.roster.groups() });
    scope
}

/// Renders tags that are templates, in a scope.
pub(super) fn tags_of<'a>(state: &'a RunState, scope: &'a Scope, span: Span) -> impl Fn(&str) -> Vec<Arc<str>> + 'a {
    move |tag| match state.renderer.value(&Node::str(span, tag), scope) {
        Ok(Value::List(items)) => items.iter().map(|item| item.to_string().into()).collect(),
        Ok(value) => value.to_string().split(',').map(|tag| tag.trim().into()).collect(),
        Err(_) => vec![tag.into()],
    }
}

fn problem(error: &TemplateError, node: &Node) -> Diagnostics {
    let mut diagnostics = Diagnostics::default();
    diagnostics.push(error.diagnostic(node.span));
    diagnostics
}

/// The hosts that a play selects, in its order.
fn hosts_of(state: &Arc<RunState>, play: &Play, warnings: &mut Diagnostics) -> Result<Vec<Arc<str>>, Diagnostics> {
    let scope = level_scope(state, play);
    let value = state.renderer.value(&play.hosts, &scope).map_err(|error| problem(&error, &play.hosts))?;
    let patterns = match value {
        Value::List(items) => items.iter().map(ToString::to_string).collect(),
        other => vec![other.to_string()],
    };
    let placed = |problem: &Diagnostic| match problem.span {
        Some(_) => problem.clone(),
        None => problem.clone().at(play.hosts.span, "here"),
    };
    let selected = state.roster.view().select_all(&patterns, state.settings.limit.as_deref()).map_err(|found| {
        let mut diagnostics = Diagnostics::default();
        found.iter().for_each(|problem| diagnostics.push(placed(problem)));
        diagnostics
    })?;
    selected.warnings.iter().for_each(|problem| warnings.push(placed(problem)));
    // Whether there is such an order is said before anything runs.
    let mut sorted = selected.hosts.clone();
    if let Some(node) = &play.order {
        let order = state.renderer.value(node, &scope).map_err(|error| problem(&error, node))?;
        if !sort(&mut sorted, &order.to_string()) {
            let mut diagnostics = Diagnostics::default();
            diagnostics.push(
                Diagnostic::error("bad-order", format!("no order named `{order}`"))
                    .at(node.span, "here")
                    .hint("inventory, reverse_inventory, sorted, reverse_sorted and shuffle are"),
            );
            return Err(diagnostics);
        }
    }
    Ok(selected.hosts)
}

/// Puts hosts in the order that `order` asks for; false if there is no such order.
fn sort(hosts: &mut [Arc<str>], order: &str) -> bool {
    match order {
        "inventory" | "" => {}
        "reverse_inventory" => hosts.reverse(),
        "sorted" => hosts.sort(),
        "reverse_sorted" => {
            hosts.sort();
            hosts.reverse();
        }
        "shuffle" => {
            use rand::seq::SliceRandom as _;
            hosts.shuffle(&mut rand::rng());
        }
        _ => return false,
    }
    true
}

/// Sizes of the batches: `serial` as a number, a percentage, or a list of them (the last repeats).
fn batches(serial: &Value, hosts: usize) -> Result<Vec<usize>, String> {
    let entries = match serial {
        Value::List(items) => (**items).clone(),
        one => vec![one.clone()],
    };
    let mut sizes = Vec::new();
    for entry in &entries {
        let text = entry.to_string();
        let text = text.trim();
        let size = match text.strip_suffix('%') {
            Some(percent) => percent.trim().parse::<f64>().ok().map(|percent| ((hosts as f64 * percent / 100.0) as usize).max(1)),
            None => text.parse::<usize>().ok(),
        };
        match size {
            // 0 means "all the rest", as in Ansible.
            Some(0) => sizes.push(hosts.max(1)),
            Some(size) => sizes.push(size),
            None => return Err(format!("`serial` must be a number or a percentage, found `{text}`")),
        }
    }
    let mut list = Vec::new();
    let (mut left, mut index) = (hosts, 0);
    while left > 0 {
        let size = sizes.get(index).or_else(|| sizes.last()).copied().unwrap_or(left).min(left);
        list.push(size);
        left -= size;
        index += 1;
    }
    Ok(list)
}

fn warn(state: &RunState, text: String) {
    state.emit(Event::Note { level: NoteLevel::Warning, host: None, text });
}

/// Runs a play on those of `all` its hosts that are left; false when the run must not go on.
async fn run_play(
    state: &Arc<RunState>,
    play: &Arc<Play>,
    all: &[Arc<str>],
    mut hosts: Vec<Arc<str>>,
    gone: &mut BTreeMap<Arc<str>, Walk>,
) -> bool {
    let scope = level_scope(state, play);
    if let Some(Ok(order)) = play.order.as_ref().map(|node| state.renderer.value(node, &scope)) {
        sort(&mut hosts, &order.to_string());
    }
    let render = |node: Option<&Node>| {
        node.map(|node| state.renderer.value(node, &scope).map_err(|error| (error, node.clone()))).transpose()
    };
    let settings = (|| {
        Ok::<_, (TemplateError, Node)>((
            render(play.serial.as_ref())?,
            render(play.max_fail_percentage.as_ref())?,
            render(play.keywords.any_errors_fatal.as_ref())?,
            render(play.force_handlers.as_ref())?,
        ))
    })();
    let (serial, most_failed, fatal, force) = match settings {
        Ok(settings) => settings,
        Err((error, node)) => {
            warn(state, format!("{} ({})", error.message, state.map.place(node.span)));
            return false;
        }
    };
    let sizes = match serial.map_or(Ok(vec![hosts.len()]), |serial| batches(&serial, hosts.len())) {
        Ok(sizes) => sizes,
        Err(message) => {
            warn(state, message);
            return false;
        }
    };
    let truth = |value: Option<Value>| value.is_some_and(|value| super::connection::is_true(&value).unwrap_or(false));
    let (fatal, force) = (truth(fatal), truth(force) || state.settings.language.force_handlers);
    let most_failed = most_failed.and_then(|value| value.to_string().trim_end_matches('%').trim().parse::<f64>().ok());
    let prompted = match prompt(state, play, &scope) {
        Ok(prompted) => Arc::new(prompted),
        Err(message) => {
            warn(state, message);
            return false;
        }
    };
    let items = state.settings.tags.apply(&with_facts(state, play), &tags_of(state, &scope, play.span));
    let known = |node: &Node| state.renderer.value(node, &scope).ok();
    let barriers = fatal || most_failed.is_some();
    let (list, diagnostics) = TaskList::new(state, &items, play.strategy, barriers, &known);
    if let Some(found) = diagnostics.iter().next() {
        warn(state, found.message.clone());
        return false;
    }
    let list = Arc::new(list);
    state.emit(Event::PlayStarted { play: play.title(), hosts: hosts.clone(), tasks: list.tasks.len() });
    let removed: BTreeSet<Arc<str>> = all.iter().filter(|host| gone.contains_key(*host)).cloned().collect();
    let removed = Arc::new(RwLock::new(removed));
    let mut rest = hosts.as_slice();
    for size in sizes {
        let (names, later) = rest.split_at(size);
        rest = later;
        let batch: Vec<Arc<HostState>> = names.iter().map(|name| state.host(name)).collect();
        let mut play_state = PlayState {
            play: Arc::clone(play),
            all: all.to_vec(),
            removed: Arc::clone(&removed),
            handlers: RwLock::new(play.handlers.clone()),
            prompted: Arc::clone(&prompted),
            public_roles: RwLock::default(),
            vars_files: BTreeMap::new(),
            magic: Arc::new(scope::play_magic(state, play, all)),
            batch: batch.clone(),
        };
        for host in &batch {
            match vars_files(state, &play_state, host) {
                Ok(Some(variables)) => {
                    play_state.vars_files.insert(Arc::clone(&host.name), Arc::new(variables));
                }
                Ok(None) => {}
                Err(message) => {
                    warn(state, message);
                    return false;
                }
            }
        }
        let play_state = Arc::new(play_state);
        let limits = Limits { forks: state.settings.forks, any_errors_fatal: fatal, max_fail_percentage: most_failed };
        let ended =
            walk(Arc::clone(state), Arc::clone(&play_state), Arc::clone(&list), batch.clone(), limits, Nested::default()).await;
        if force {
            for (host, _) in batch.iter().zip(&ended).filter(|(_, walk)| matches!(walk, Walk::Failed | Walk::Stopped)) {
                super::handlers::flush(state, &play_state, host, &Nested { depth: 1, ..Nested::default() }).await;
            }
        }
        for (host, walk) in batch.iter().zip(&ended) {
            host.notified.lock().expect("no thread panics here").clear();
            if matches!(walk, Walk::Failed | Walk::Dead) {
                gone.insert(Arc::clone(&host.name), *walk);
            }
        }
        let failed = ended.iter().filter(|walk| matches!(walk, Walk::Failed | Walk::Dead)).count();
        let too_many = most_failed.is_some_and(|most| failed as f64 * 100.0 / batch.len() as f64 > most);
        if (fatal && failed > 0) || too_many {
            // The hosts of this batch that did not fail are out of the run too.
            return false;
        }
        if failed == batch.len() {
            // Nobody of this batch is left: neither the other batches nor later plays are started.
            if !rest.is_empty() {
                warn(state, "no host of this batch is left: the other batches are not started".to_owned());
            }
            return false;
        }
        if ended.contains(&Walk::Ended(Ended::Play)) {
            break;
        }
    }
    true
}

/// The play's items, with the gathering of facts in front.
fn with_facts(state: &Arc<RunState>, play: &Play) -> Vec<Item> {
    let wanted = match play.gather_facts.as_ref().map(|node| state.renderer.value(node, &level_scope(state, play))) {
        None => true,
        Some(Ok(value)) => super::connection::is_true(&value).unwrap_or(true),
        Some(Err(_)) => true,
    };
    let mut items = Vec::new();
    if wanted {
        let span = play.gather_facts.as_ref().map_or(play.span, |node| node.span);
        let mut keywords: Keywords = play.keywords.clone();
        if !keywords.tags.iter().any(|tag| &**tag == "always") {
            keywords.tags.push(Arc::from("always"));
        }
        keywords.when.clear();
        let mut task = Task::implied(0, span, "setup", play.gather_options.clone(), play.directory.clone());
        task.name = Some(Node::str(span, "Gathering Facts"));
        task.own_vars = keywords.vars.len();
        task.keywords = keywords;
        items.push(Item::Task(Arc::new(task)));
    }
    items.extend(play.items.iter().cloned());
    items
}

/// How often a confirmed prompt is asked again when the answers differ.
const MOST_ANSWERS: usize = 3;

/// Asks for `vars_prompt`; what `-e` gave is not asked.
fn prompt(state: &Arc<RunState>, play: &Play, scope: &Scope) -> Result<Variables, String> {
    let mut variables = Variables::new();
    for prompt in &play.vars_prompt {
        if state.settings.extra_vars.contains_key(&prompt.name) {
            continue;
        }
        let failed = |error: TemplateError, span| format!("{} ({})", error.message, state.map.place(span));
        let default = match &prompt.default {
            Some(node) => Some(state.renderer.value(node, scope).map_err(|error| failed(error, node.span))?),
            None => None,
        };
        let text = answer(state, prompt, default.as_ref());
        let mut value = match text.filter(|text| !text.is_empty()) {
            Some(text) => Value::from(text),
            None => default.unwrap_or_else(|| Value::from("")),
        };
        if prompt.private {
            state.redactor.learn(&value.to_string());
        }
        if let Some((scheme, span)) = &prompt.encrypt {
            value = encrypted(state, prompt, (scheme, *span), value).map_err(|error| failed(error, *span))?;
        }
        variables.insert(Arc::clone(&prompt.name), Variable { definition: Definition::Data(value), origin: Origin::CommandLine });
    }
    Ok(variables)
}

/// What is answered to a prompt; nothing where nobody can be asked.
fn answer(state: &RunState, prompt: &Prompt, default: Option<&Value>) -> Option<String> {
    let shown = default.filter(|_| !prompt.private).map(|value| format!(" [{value}]")).unwrap_or_default();
    let echo = if prompt.private { Echo::Hidden } else { Echo::Shown };
    let ask = |text: &str| {
        let asked = state.settings.session.ask.as_ref().and_then(|ask| ask.ask(text, echo));
        asked.map(|answer| answer.reveal().to_owned())
    };
    for _ in 0..MOST_ANSWERS {
        let first = ask(&format!("{}{shown}: ", prompt.text))?;
        if !prompt.confirm || ask(&format!("confirm {}{shown}: ", prompt.text))? == first {
            return Some(first);
        }
        warn(state, format!("the two answers to `{}` differ: asking again", prompt.name));
    }
    None
}

/// The answer's hash, by the filter that playbooks use for it.
fn encrypted(state: &RunState, prompt: &Prompt, (scheme, span): (&str, Span), value: Value) -> Result<Value, TemplateError> {
    let scheme = scheme.strip_suffix("_crypt").unwrap_or(scheme);
    let mut scope = extra_scope(state);
    let mut variables =
        Variables::from_iter([(Arc::from("stead_answer"), scope::data(value)), (Arc::from("stead_scheme"), scope::data(scheme))]);
    let mut call = String::from("stead_answer | password_hash(stead_scheme");
    if let Some(salt) = &prompt.salt {
        variables.insert(Arc::from("stead_salt"), scope::data(salt.as_str()));
        call.push_str(", salt=stead_salt");
    } else if let Some(size) = prompt.salt_size {
        let letters = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789./";
        let mut random = rand::rng();
        let salt: String = (0..size.min(64)).map(|_| char::from(letters[random.random_range(0..letters.len())])).collect();
        variables.insert(Arc::from("stead_salt"), scope::data(salt));
        call.push_str(", salt=stead_salt");
    }
    call.push(')');
    scope.push(Layer { precedence: Precedence::Loop, variables: Arc::new(variables) });
    state.renderer.expression(&call, span, &scope)
}

/// Variables of `vars_files` for one host; an inner list means "the first that exists".
fn vars_files(state: &Arc<RunState>, play: &PlayState, host: &HostState) -> Result<Option<Variables>, String> {
    if play.play.vars_files.is_empty() {
        return Ok(None);
    }
    let mut all = Variables::new();
    for entry in &play.play.vars_files {
        let mut scope = scope::play_scope(state, play, host);
        scope.push(Layer { precedence: Precedence::PlayVarsFiles, variables: Arc::new(all.clone()) });
        let several = matches!(entry.value, NodeValue::List(_));
        let candidates: &[Node] = entry.as_list().unwrap_or(std::slice::from_ref(entry));
        let mut found = None;
        for node in candidates {
            let name = state
                .renderer
                .value(node, &scope)
                .map_err(|error| format!("{} ({})", error.message, state.map.place(node.span)))?;
            let path = play.play.directory.join(name.to_string());
            let nearer = play.play.directory.join("vars").join(name.to_string());
            if let Some(path) = [path, nearer].into_iter().find(|path| path.is_file()) {
                found = Some((path, node.span));
                break;
            }
        }
        let Some((path, span)) = found else {
            if several {
                continue;
            }
            return Err(format!("no file of variables for this entry ({})", state.map.place(entry.span)));
        };
        let mut diagnostics = Diagnostics::default();
        all.extend(state.loader.variables_file(&path, Some(span), &mut diagnostics));
        if let Some(found) = diagnostics.iter().find(|found| found.severity == Severity::Error) {
            return Err(found.message.clone());
        }
    }
    Ok(Some(all))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serial_makes_batches() {
        let cases: &[(Value, usize, &[usize])] = &[
            (Value::Int(2), 5, &[2, 2, 1]),
            (Value::from("30%"), 10, &[3, 3, 3, 1]),
            (Value::from(vec![Value::Int(1), Value::from("50%")]), 6, &[1, 3, 2]),
            (Value::Int(0), 3, &[3]),
            (Value::from("10%"), 3, &[1, 1, 1]),
        ];
        for (serial, hosts, expected) in cases {
            assert_eq!(batches(serial, *hosts).unwrap(), *expected, "{serial:?}");
        }
        assert!(batches(&Value::from("many"), 3).is_err());
    }
}
