//! One task on one host: conditions, loops, retries, the work itself, and what is registered.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use serde_json::{Map as JsonMap, Value as Json};
use stead_agent::wire;
use stead_modules::change::{Change, Observed};
use stead_modules::outcome::{Ending, Failure, Outcome};

use super::connection;
use super::event::{Event, NoteLevel, RunMode, TaskEnding, TaskInfo};
use super::facts;
use super::looping::{self, Items};
use super::result::{self, ItemReport};
use super::scope::{host_scope, task_scope};
use super::state::{HostState, Nested, PlayState, RunState};
use crate::actions::{self, ActionContext, ActionError, Agent, Done};
use crate::playbook::Task;
use crate::session::{HostSession, Identity, RawOutput, SessionError, Target, Transport};
use crate::source::{Node, NodeValue};
use crate::template::{TemplateError, TemplateErrorKind, Truth};
use crate::vars::{Definition, Key, Layer, Map, Origin, Precedence, Scope, Value, Variable, Variables};

/// Where and as part of what a task runs.
#[derive(Debug, Clone)]
pub struct TaskRun {
    /// The run.
    pub run: Arc<RunState>,
    /// The batch of the play.
    pub play: Arc<PlayState>,
    /// The host.
    pub host: Arc<HostState>,
    /// The task.
    pub task: Arc<Task>,
    /// How events name it.
    pub info: Arc<TaskInfo>,
    /// What includes around it add.
    pub nested: Nested,
    /// Other hosts for which it runs once.
    pub others: Vec<Arc<HostState>>,
}

/// How a task ended, before it is known whether a `rescue` takes it over.
#[derive(Debug, Clone)]
pub struct TaskReport {
    /// How it ended.
    pub ending: TaskEnding,
    /// What was (or would be) changed; of a loop: empty.
    pub changes: Vec<Change>,
    /// What was asked for.
    pub wanted: Vec<Observed>,
    /// For people.
    pub message: Option<String>,
    /// What can be done about it.
    pub hint: Option<String>,
    /// What was registered.
    pub result: Value,
    /// Nothing of options and results may be shown.
    pub hide: bool,
    /// The host is gone.
    pub lost: bool,
    /// Seconds.
    pub seconds: f64,
    /// Handlers that it named because it changed something.
    pub notified: Vec<String>,
}

impl TaskReport {
    /// The report of a task that got no further than deciding that there is nothing to do, or that failed there.
    pub fn without_work(item: ItemReport) -> Self {
        Self {
            ending: item.ending,
            changes: Vec::new(),
            wanted: Vec::new(),
            message: item.message,
            hint: item.hint,
            result: item.result,
            hide: false,
            lost: false,
            seconds: 0.0,
            notified: Vec::new(),
        }
    }

    /// Its event.
    pub fn event(&self, info: &Arc<TaskInfo>, host: &Arc<str>, ending: TaskEnding) -> Event {
        let hide = self.hide;
        Event::TaskEnded {
            task: Arc::clone(info),
            host: Arc::clone(host),
            ending,
            changes: if hide { result::hidden(self.changes.clone()) } else { self.changes.clone() },
            wanted: if hide { Vec::new() } else { self.wanted.clone() },
            message: if hide && self.message.is_some() { Some("(hidden by no_log)".to_owned()) } else { self.message.clone() },
            hint: if hide { None } else { self.hint.clone() },
            result: result::shown(&self.result, hide),
            seconds: self.seconds,
        }
    }
}

/// The host's agent, as the task's actions call it.
pub(super) struct HostAgent<'a> {
    run: &'a RunState,
    /// The session; none until it is first needed.
    session: std::sync::Mutex<Option<Arc<HostSession>>>,
    target: Target,
    identity: Identity,
    environment: JsonMap<String, Json>,
    timeout: Option<u64>,
    mode: wire::Mode,
    host: &'a HostState,
}

#[async_trait]
impl Agent for HostAgent<'_> {
    async fn module(&self, name: &str, options: JsonMap<String, Json>) -> Result<Outcome, SessionError> {
        self.perform(name, options, None).await
    }

    async fn raw(&self, command: &str) -> Result<RawOutput, SessionError> {
        self.session().await?.raw(&self.identity, command, self.timeout.map(Duration::from_secs)).await
    }

    async fn reconnect(&self, within: Option<Duration>) -> Result<(), SessionError> {
        let session = connection::reconnect(self.run, self.host, self.target.clone(), within).await?;
        *self.session.lock().expect("no thread panics here") = Some(session);
        Ok(())
    }

    fn is_controller(&self) -> bool {
        self.target.transport == Transport::Local
    }
}

impl HostAgent<'_> {
    async fn session(&self) -> Result<Arc<HostSession>, SessionError> {
        let known = self.session.lock().expect("no thread panics here").clone();
        if let Some(session) = known {
            return Ok(session);
        }
        self.reconnect(None).await?;
        let connected = self.session.lock().expect("no thread panics here").clone();
        Ok(connected.expect("it was connected a moment ago"))
    }

    /// Runs a module, or starts it as a job.
    pub(super) async fn perform(
        &self,
        name: &str,
        options: JsonMap<String, Json>,
        job: Option<wire::Job>,
    ) -> Result<Outcome, SessionError> {
        let session = self.session().await?;
        self.lock(&session).await?;
        let task = wire::Task {
            id: 0,
            module: name.to_owned(),
            options,
            mode: self.mode,
            in_doubt: self.host.in_doubt.load(Ordering::Relaxed),
            environment: self.environment.clone(),
            timeout: self.timeout,
            job,
        };
        match session.run(&self.identity, task).await {
            Err(SessionError::Refused { message, .. }) if self.may_come() => {
                Ok(Outcome::failed(Failure::unknown(format!("{message}; an earlier task of the plan may change that"))))
            }
            done => done,
        }
    }

    /// Whether this is a plan, and the account that the task is for may be made by an earlier task.
    fn may_come(&self) -> bool {
        let has_plans = || self.host.changed.load(Ordering::Relaxed) || self.host.in_doubt.load(Ordering::Relaxed);
        let is_root = !matches!(&self.identity, Identity::Become(how) if how.user != "root");
        self.mode == wire::Mode::Plan && !is_root && has_plans()
    }

    /// An apply takes the host's lock before its first change.
    async fn lock(&self, session: &HostSession) -> Result<(), SessionError> {
        if self.run.settings.mode != RunMode::Apply {
            return Ok(());
        }
        let mut locked = self.host.locked.lock().await;
        if *locked {
            return Ok(());
        }
        let owner = &self.run.settings.owner;
        let until = Instant::now() + Duration::from_secs(self.run.settings.lock_wait);
        let mut wait = Duration::ZERO;
        loop {
            let holder = match session.lock(&self.identity, owner, wait).await? {
                None => break,
                // Two names of one machine: this run holds it already.
                Some(holder) if holder.starts_with(owner) => break,
                Some(holder) => holder,
            };
            // In short turns, so that another name of this machine that gets it is noticed.
            wait = until.saturating_duration_since(Instant::now()).min(Duration::from_secs(1));
            if wait.is_zero() {
                *self.host.locked_by.lock().expect("no thread panics here") = Some(holder.clone());
                return Err(SessionError::Unreachable {
                    message: format!("locked by another run: {holder}"),
                    hint: Some("wait for it with `--lock-wait SECONDS`".into()),
                });
            }
        }
        *locked = true;
        Ok(())
    }
}

/// An agent for actions that need no host.
struct NoAgent;

#[async_trait]
impl Agent for NoAgent {
    async fn module(&self, name: &str, _options: JsonMap<String, Json>) -> Result<Outcome, SessionError> {
        Err(SessionError::Refused { message: format!("`{name}` needs a host"), hint: None })
    }

    async fn raw(&self, _command: &str) -> Result<RawOutput, SessionError> {
        Err(SessionError::Refused { message: "a raw command needs a host".into(), hint: None })
    }

    async fn reconnect(&self, _within: Option<Duration>) -> Result<(), SessionError> {
        Err(SessionError::Refused { message: "there is no host to connect to".into(), hint: None })
    }

    fn is_controller(&self) -> bool {
        true
    }
}

/// Actions that never talk to the host.
const CONTROLLER_ONLY: &[&str] =
    &["add_host", "assert", "debug", "fail", "group_by", "include_vars", "pause", "set_fact", "validate_argument_spec"];

fn timed_out(seconds: f64) -> Done {
    let mut done = Done::failed(format!("Timed out after {seconds} second(s)."));
    done.result.insert("timedout".into(), Value::from(Map::from_iter([(Key::from("period"), Value::Float(seconds))])));
    done
}

impl TaskRun {
    /// The variables that the task sees.
    pub fn scope(&self) -> Scope {
        task_scope(&self.run, &self.play, &self.host, &self.task, &self.nested)
    }

    /// Runs it, sends its items' events, registers its result.
    pub async fn perform(&self) -> TaskReport {
        let begun = Instant::now();
        self.run.emit(Event::TaskStarted { task: Arc::clone(&self.info), host: Arc::clone(&self.host.name) });
        let scope = self.scope();
        let hide = self.flag(self.task.keywords.no_log.as_ref(), &scope).unwrap_or(true);
        let mut report = match &self.task.r#loop {
            Some(spec) => match looping::items(&self.run, &self.task, &spec.list, spec.lookup.as_deref(), &scope) {
                Ok(Items::Known(items)) => self.each(&items, &scope, hide).await,
                Ok(Items::Unknown(reason)) => self.of(ItemReport::unknown(reason), hide),
                // A loop over something undefined is no error where the condition already says no.
                Err(error) => match self.conditions(&scope) {
                    Ok(Some(report)) => self.of(report, hide),
                    _ => self.of(self.template_failure(&error, spec.list.span), hide),
                },
            },
            None => {
                let report = self.one(&scope).await;
                self.apply_effects(&report, &scope);
                self.of(report, hide)
            }
        };
        if report.ending == TaskEnding::Failed && self.flag(self.task.keywords.ignore_errors.as_ref(), &scope).unwrap_or(false) {
            report.ending = TaskEnding::Ignored;
        }
        report.seconds = begun.elapsed().as_secs_f64();
        if let Some(name) = &self.task.register {
            let variable = Variable { definition: Definition::Data(report.result.clone()), origin: Origin::Task(self.task.span) };
            for host in self.hosts() {
                host.set([(Arc::clone(name), variable.clone())]);
            }
        }
        report
    }

    /// After a task of which nobody knows what it does, later ones of its hosts know less.
    pub(super) fn doubt(&self) {
        self.hosts().for_each(|host| host.in_doubt.store(true, Ordering::Relaxed));
    }

    /// Something was changed there.
    pub(super) fn note_change(&self) {
        self.hosts().for_each(|host| host.changed.store(true, Ordering::Relaxed));
    }

    /// The hosts for which it runs.
    fn hosts(&self) -> impl Iterator<Item = &Arc<HostState>> {
        std::iter::once(&self.host).chain(&self.others)
    }

    fn of(&self, item: ItemReport, hide: bool) -> TaskReport {
        let (changes, wanted) = item.done.map(|done| (done.changes, done.wanted)).unwrap_or_default();
        TaskReport {
            ending: item.ending,
            changes,
            wanted,
            message: item.message,
            hint: item.hint,
            result: item.result,
            hide,
            lost: item.lost,
            seconds: 0.0,
            notified: item.notified,
        }
    }

    /// All items, one after another.
    async fn each(&self, items: &[Value], scope: &Scope, hide: bool) -> TaskReport {
        let control = &self.task.loop_control;
        let extended = self.extended(scope);
        let (mut ended, mut wanted, mut lost, mut notified) = (Vec::new(), Vec::new(), false, Vec::new());
        let (mut message, mut hint) = (None, None);
        for index in 0..items.len() {
            let mut inner = self.scope();
            inner.push(looping::item_layer(&self.task, items, index, extended));
            let mut item = self.one(&inner).await;
            self.apply_effects(&item, &inner);
            let label = self.label(&items[index], &inner);
            if let Value::Map(map) = &item.result {
                let mut map = (**map).clone();
                let name = control.loop_var.as_deref().unwrap_or("item");
                map.insert(Key::from(name), items[index].clone());
                map.insert(Key::from("ansible_loop_var"), Value::from(name));
                if let Some(counter) = &control.index_var {
                    map.insert(Key::Str(Arc::clone(counter)), Value::Int(index as i64));
                    map.insert(Key::from("ansible_index_var"), Value::from(&**counter));
                }
                if let Some((about, _)) = inner.lookup("ansible_loop").filter(|_| extended != looping::Extended::No)
                    && let Definition::Data(about) = &about.definition
                {
                    map.insert(Key::from("ansible_loop"), about.clone());
                }
                map.insert(Key::from("_ansible_item_label"), Value::from(label.as_str()));
                item.result = Value::from(map);
            }
            let (changes, record) = item.done.take().map(|done| (done.changes, done.wanted)).unwrap_or_default();
            wanted.extend(record);
            self.tell(label, &item, changes, hide);
            if matches!(item.ending, TaskEnding::Failed | TaskEnding::Unreachable | TaskEnding::Unknown) && message.is_none() {
                message.clone_from(&item.message);
                hint.clone_from(&item.hint);
            }
            notified.append(&mut item.notified);
            lost |= item.lost;
            ended.push((item.ending, item.result));
            if lost || self.stops_after(&inner, &ended) {
                break;
            }
            if let Some(seconds) =
                self.number(control.pause.as_ref(), scope).filter(|seconds| *seconds > 0.0 && !self.run.plans())
            {
                tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
            }
        }
        let all = |wanted: TaskEnding| !ended.is_empty() && ended.iter().all(|(ending, _)| *ending == wanted);
        let any = |wanted: TaskEnding| ended.iter().any(|(ending, _)| *ending == wanted);
        let ending = if any(TaskEnding::Unreachable) {
            TaskEnding::Unreachable
        } else if lost {
            TaskEnding::Unknown
        } else if any(TaskEnding::Failed) {
            TaskEnding::Failed
        } else if any(TaskEnding::Unknown) {
            TaskEnding::Unknown
        } else if any(TaskEnding::Changed) {
            TaskEnding::Changed
        } else if ended.is_empty() || all(TaskEnding::Skipped) {
            TaskEnding::Skipped
        } else {
            TaskEnding::Ok
        };
        if ending == TaskEnding::Skipped && message.is_none() {
            message = Some(if ended.is_empty() { "no items in the list" } else { "all items skipped" }.to_owned());
        }
        let result = Value::from(result::of_loop(&ended));
        TaskReport { ending, changes: Vec::new(), wanted, message, hint, result, hide, lost, seconds: 0.0, notified }
    }

    /// What `loop_control` wants to know of the whole loop.
    pub(super) fn extended(&self, scope: &Scope) -> looping::Extended {
        let control = &self.task.loop_control;
        if !self.flag(control.extended.as_ref(), scope).unwrap_or(false) {
            return looping::Extended::No;
        }
        let all = control.extended_allitems.is_none() || self.flag(control.extended_allitems.as_ref(), scope).unwrap_or(true);
        if all { looping::Extended::WithItems } else { looping::Extended::WithoutItems }
    }

    /// `break_when`.
    fn stops_after(&self, scope: &Scope, ended: &[(TaskEnding, Value)]) -> bool {
        let (Some(node), Some((_, result))) = (&self.task.loop_control.break_when, ended.last()) else { return false };
        let scope = self.with_result(scope, result);
        let conditions = node.as_list().unwrap_or(std::slice::from_ref(node));
        conditions.iter().all(|node| matches!(self.run.renderer.condition(node, &scope), Ok(Truth::Yes)))
    }

    pub(super) fn label(&self, item: &Value, scope: &Scope) -> String {
        let label = self.task.loop_control.label.as_ref().and_then(|node| self.run.renderer.value(node, scope).ok());
        label.as_ref().unwrap_or(item).to_string()
    }

    /// Tells how an item of a loop ended.
    pub(super) fn tell(&self, label: String, item: &ItemReport, changes: Vec<Change>, hide: bool) {
        self.run.emit(Event::ItemEnded {
            task: Arc::clone(&self.info),
            host: Arc::clone(&self.host.name),
            item: if hide { "(hidden)".to_owned() } else { label },
            ending: item.ending,
            changes: if hide { result::hidden(changes) } else { changes },
            message: if hide && item.message.is_some() { Some("(hidden by no_log)".to_owned()) } else { item.message.clone() },
            result: result::shown(&item.result, hide),
        });
    }

    /// One item, or the task without a loop: condition, attempts, judgement.
    async fn one(&self, scope: &Scope) -> ItemReport {
        match self.conditions(scope) {
            Ok(None) => {}
            Ok(Some(report)) => return report,
            Err((error, node)) => return self.template_failure(&error, node.span),
        }
        let retries = match &self.task.until {
            None if self.task.retries.is_none() => 0,
            // Three attempts where nothing is said, else one more than the number of retries.
            _ => self.number(self.task.retries.as_ref(), scope).map_or(2, |number| number.max(0.0) as u64),
        };
        let delay = self.number(self.task.delay.as_ref(), scope).unwrap_or(5.0).max(0.0);
        let mut attempts = 0;
        loop {
            attempts += 1;
            let mut report = match self.attempt(scope).await {
                Ok(done) => self.judge(done, scope, attempts),
                Err(report) => return report,
            };
            if retries == 0 {
                return report;
            }
            let satisfied = match &self.task.until {
                Some(node) => match self.run.renderer.condition(node, &self.with_result(scope, &report.result)) {
                    Ok(Truth::Yes) => true,
                    Ok(Truth::No) => false,
                    Ok(Truth::Unknown(_)) => true,
                    Err(error) => return self.template_failure(&error, node.span),
                },
                None => report.ending != TaskEnding::Failed,
            };
            if satisfied || self.run.plans() {
                return report;
            }
            if attempts > retries || self.run.stop.is_asked() {
                if report.ending != TaskEnding::Failed {
                    report.ending = TaskEnding::Failed;
                    report.message = Some(format!("its `until` did not hold after {attempts} attempts"));
                }
                if let Value::Map(map) = &report.result {
                    let mut map = (**map).clone();
                    map.insert(Key::from("failed"), Value::Bool(true));
                    // As Ansible counts: the retries, not the first attempt.
                    map.insert(Key::from("attempts"), Value::Int(retries as i64));
                    report.result = Value::from(map);
                }
                report.notified.clear();
                return report;
            }
            self.run.emit(Event::Note {
                level: NoteLevel::Info,
                host: Some(Arc::clone(&self.host.name)),
                text: format!("{}: attempt {attempts} of {} was not enough, next in {delay} s", self.info.name, retries + 1),
            });
            tokio::time::sleep(Duration::from_secs_f64(delay)).await;
        }
    }

    /// Whether its conditions hold: `None` if they do, else how it ends.
    pub(super) fn conditions(&self, scope: &Scope) -> Result<Option<ItemReport>, (TemplateError, Node)> {
        for node in &self.task.keywords.when {
            match self.run.renderer.condition(node, scope).map_err(|error| (error, node.clone()))? {
                Truth::Yes => {}
                Truth::No => {
                    let text = node.as_str().map_or_else(|| literal(node), str::to_owned);
                    let written = match &node.value {
                        NodeValue::Bool(is) => Value::Bool(*is),
                        _ => Value::from(text.as_str()),
                    };
                    let result = Value::from(result::skipped(written));
                    return Ok(Some(ItemReport::plain(TaskEnding::Skipped, result, Some(format!("`{text}` does not hold")))));
                }
                Truth::Unknown(reason) => return Ok(Some(ItemReport::unknown(reason))),
            }
        }
        Ok(None)
    }

    /// Does the work once.
    async fn attempt(&self, scope: &Scope) -> Result<Done, ItemReport> {
        let options = match self.options(scope) {
            Ok(options) => options,
            Err((error, span)) => return Err(self.template_failure(&error, span)),
        };
        match self.call(options, scope).await {
            Ok(done) => Ok(done),
            Err(ActionError::Template(error, span)) => Err(self.template_failure(&error, span)),
            Err(ActionError::Unknown(reason)) => Err(ItemReport::unknown(reason)),
            Err(ActionError::Session(error)) => Err(self.session_failure(error, scope)),
        }
    }

    fn session_failure(&self, error: SessionError, scope: &Scope) -> ItemReport {
        let (ending, message, hint, lost) = match error {
            SessionError::Unreachable { message, hint } => (TaskEnding::Unreachable, message, hint, true),
            SessionError::Lost { message } => (
                TaskEnding::Unknown,
                message,
                Some("what came of this task is not known: look at the host, then apply again".to_owned()),
                true,
            ),
            SessionError::Refused { message, hint } => return ItemReport::failed(message, hint),
        };
        let ignored = lost && self.flag(self.task.keywords.ignore_unreachable.as_ref(), scope).unwrap_or(false);
        let (lost, ending) = if ignored { (false, TaskEnding::Ignored) } else { (lost, ending) };
        let result = Map::from_iter([
            (Key::from("changed"), Value::Bool(false)),
            (Key::from("unreachable"), Value::Bool(true)),
            (Key::from("msg"), Value::from(message.as_str())),
        ]);
        ItemReport { hint, lost, ..ItemReport::plain(ending, Value::from(result), Some(message)) }
    }

    /// The options, rendered: `module_defaults`, then the task's own.
    fn options(&self, scope: &Scope) -> Result<Map, (TemplateError, crate::source::Span)> {
        let action = &self.task.action;
        let mut options = Map::new();
        let render = |node: &Node| self.run.renderer.value(node, scope).map_err(|error| (error, node.span));
        let defaults = self.task.keywords.module_defaults.iter();
        let maps = defaults.flat_map(|node| node.as_list().unwrap_or(std::slice::from_ref(node))).filter_map(Node::as_map);
        for map in maps {
            for (name, node) in &map.entries {
                let same = name.as_str().is_some_and(|name| match name.strip_prefix("group/") {
                    Some(group) => self.run.loader.module_group(&self.play.play.directory, group).contains(&*action.module),
                    None => crate::ansible::names::plain(name) == &*action.module,
                });
                if !same {
                    continue;
                }
                if let Value::Map(values) = render(node)? {
                    options.extend(values.iter().map(|(name, value)| (name.clone(), value.clone())));
                }
            }
        }
        if let Some(node) = &action.template {
            match render(node)? {
                Value::Map(values) => options.extend(values.iter().map(|(name, value)| (name.clone(), value.clone()))),
                other => {
                    let message = format!("options must be a mapping, found {}", other.type_name());
                    let error = TemplateError {
                        kind: TemplateErrorKind::Failed,
                        message,
                        span: Some(node.span),
                        defined: None,
                        hint: None,
                    };
                    return Err((error, node.span));
                }
            }
        }
        for (name, node) in &action.options {
            // Conditions and names of variables are no templates.
            let late = &*action.module == "assert" && &**name == "that";
            if late {
                continue;
            }
            let name = match &*action.module {
                "set_fact" if name.contains("{{") => render(&Node::str(node.span, name))?.to_string().into(),
                _ => Arc::clone(name),
            };
            match render(node)? {
                Value::Omit => {
                    options.shift_remove(&*name);
                }
                value => {
                    options.insert(Key::Str(name), value);
                }
            }
        }
        Ok(options)
    }

    async fn call(&self, options: Map, scope: &Scope) -> Result<Done, ActionError> {
        let module = &*self.task.action.module;
        let plan = self.plans(scope)?;
        let session = &self.run.settings.session;
        let mut context = ActionContext {
            action: &self.task.action,
            options,
            scope,
            renderer: &self.run.renderer,
            map: &self.run.map,
            search: &scope.search,
            host: &self.host.name,
            delegate: None,
            plan,
            verbosity: self.run.settings.verbosity,
            agent: &NoAgent,
            contents: &self.run.contents,
            digests: &self.run.digests,
            ask: session.ask.as_ref(),
        };
        let seconds = self.number(self.task.keywords.timeout.as_ref(), scope).filter(|seconds| *seconds > 0.0);
        let job = self.number(self.task.r#async.as_ref(), scope).filter(|seconds| *seconds > 0.0 && !plan);
        let needs_controller = actions::is_action(module) && !actions::sent::needs_nothing(module, &context.options);
        if job.is_some() && (needs_controller || self.task.action.foreign.is_some()) {
            return Ok(Done::failed(format!("`{}` cannot be run with `async`", self.task.action.written)));
        }
        if CONTROLLER_ONLY.contains(&module) {
            let mut done = match seconds {
                Some(seconds) => {
                    let whole = actions::run(module, &context);
                    match tokio::time::timeout(Duration::from_secs_f64(seconds), whole).await {
                        Ok(done) => done?,
                        Err(_) => timed_out(seconds),
                    }
                }
                None => actions::run(module, &context).await?,
            };
            if let Some(addition) = done.added.take() {
                match self.run.roster.add(addition) {
                    Ok(true) => done.ending = Ending::Changed,
                    Ok(false) => {}
                    Err(problem) => done = Done::failed(problem),
                }
            }
            return Ok(done);
        }
        let (host, its_scope) = self.acting_host(scope)?;
        let keywords = &self.task.keywords;
        let template = |error: TemplateError| {
            let span = error.span.unwrap_or(self.task.span);
            ActionError::Template(error, span)
        };
        let target = connection::target(&self.run, &host, &its_scope, keywords).map_err(template)?;
        // Whoever waits for a connection begins without one.
        let session = if module == "wait_for_connection" {
            None
        } else {
            Some(connection::session(&self.run, &host, || Ok(target.clone())).await.map_err(template)??)
        };
        let agent = HostAgent {
            run: &self.run,
            session: std::sync::Mutex::new(session),
            target,
            identity: connection::identity(&self.run, &its_scope, keywords).map_err(template)?,
            environment: self.environment(scope)?,
            timeout: seconds.map(|seconds| seconds.ceil() as u64),
            mode: if plan { wire::Mode::Plan } else { wire::Mode::Apply },
            host: &host,
        };
        context.agent = &agent;
        context.delegate = keywords.delegate_to.is_some().then_some(&*host.name);
        let begun = Instant::now();
        let done = if let Some(limit) = job {
            self.as_job(&agent, context.json_options()?, limit, scope).await?
        } else if let (Some(foreign), Some(plugins)) = (&self.task.action.foreign, self.run.loader.foreign()) {
            let packed = match actions::bridge::packed(plugins, foreign).await {
                Ok(packed) => packed,
                Err(done) => return Ok(done),
            };
            self.run.bridged.lock().expect("no thread panics here").insert(foreign.name.clone());
            let variable = Node::str(self.task.span, "{{ ansible_python_interpreter | default(omit) }}");
            let interpreter = self.run.renderer.value(&variable, &its_scope).map_err(template)?;
            let interpreter = (!matches!(interpreter, Value::Omit | Value::Null)).then_some(&interpreter);
            let hide = self.flag(keywords.no_log.as_ref(), scope).unwrap_or(true);
            let request = actions::bridge::request(foreign, &packed, &context, interpreter, hide)?;
            Done::from(agent.module("bridge", request).await?)
        } else if actions::is_action(module) {
            actions::run(module, &context).await?
        } else {
            Done::from(agent.module(module, context.json_options()?).await?)
        };
        // What was ended by the deadline failed because of it.
        match seconds {
            Some(limit) if done.ending == Ending::Failed && begun.elapsed().as_secs_f64() >= limit => Ok(timed_out(limit)),
            _ => Ok(done),
        }
    }

    /// The host that acts: the task's own, or the one it is delegated to, and its variables.
    pub(super) fn acting_host(&self, scope: &Scope) -> Result<(Arc<HostState>, Scope), ActionError> {
        let Some(node) = &self.task.keywords.delegate_to else { return Ok((Arc::clone(&self.host), scope.clone())) };
        let value = self.run.renderer.value(node, scope).map_err(|error| ActionError::Template(error, node.span))?;
        match value {
            Value::Unknown(reason) => Err(ActionError::Unknown(reason)),
            Value::Omit | Value::Null => Ok((Arc::clone(&self.host), scope.clone())),
            name => {
                let name: Arc<str> = name.to_string().into();
                if name == self.host.name {
                    return Ok((Arc::clone(&self.host), scope.clone()));
                }
                let other = self.run.host(&name);
                let its = host_scope(&self.run, &other);
                Ok((other, its))
            }
        }
    }

    /// Whether this task only plans: the run's mode, unless `check_mode` says otherwise.
    fn plans(&self, scope: &Scope) -> Result<bool, ActionError> {
        let Some(node) = &self.task.keywords.check_mode else { return Ok(self.run.plans()) };
        let value = self.run.renderer.value(node, scope).map_err(|error| ActionError::Template(error, node.span))?;
        Ok(connection::is_true(&value).unwrap_or_else(|| self.run.plans()))
    }

    fn environment(&self, scope: &Scope) -> Result<JsonMap<String, Json>, ActionError> {
        let mut all = JsonMap::new();
        for node in &self.task.keywords.environment {
            let value = self.run.renderer.value(node, scope).map_err(|error| ActionError::Template(error, node.span))?;
            let maps = match value {
                Value::List(items) => (*items).clone(),
                one => vec![one],
            };
            for map in maps {
                if let Value::Map(map) = map {
                    for (name, value) in map.iter() {
                        all.insert(name.to_string(), Json::String(value.to_string()));
                    }
                }
            }
        }
        Ok(all)
    }

    /// What the attempt counts as, by `changed_when` and `failed_when`.
    fn judge(&self, mut done: Done, scope: &Scope, attempts: u64) -> ItemReport {
        let task = &self.task;
        let not_run = done.ending == Ending::Unknown;
        let mut map = result::registered(&done);
        if task.until.is_some() || task.retries.is_some() {
            map.insert(Key::from("attempts"), Value::Int(attempts as i64));
        }
        let mut ending = match done.ending {
            Ending::Ok => TaskEnding::Ok,
            Ending::Changed => TaskEnding::Changed,
            Ending::Skipped => TaskEnding::Skipped,
            Ending::Failed => TaskEnding::Failed,
            Ending::Unknown => TaskEnding::Unknown,
        };
        let mut message = done.message.clone();
        let mut value = if not_run {
            self.doubt();
            let what = done.changes.first().map_or_else(|| task.title().to_owned(), |change| change.resource.name.clone());
            let reason: Arc<str> = format!("the result of `{}`, which a plan does not run", short(&what)).into();
            // That it will run is known; what comes of it is not.
            if done.changes.is_empty() {
                message.get_or_insert_with(|| reason.to_string());
            } else {
                ending = TaskEnding::Changed;
            }
            Value::Unknown(reason)
        } else {
            Value::from(map.clone())
        };
        if ending == TaskEnding::Skipped {
            return ItemReport { hint: done.hint.clone(), done: Some(done), ..ItemReport::plain(ending, value, message) };
        }
        // A failed command has run, too: whether something changed is another question.
        let mut changed = ending == TaskEnding::Changed || map.get("changed") == Some(&Value::Bool(true));
        let mut failed = ending == TaskEnding::Failed;
        let mut unclear = None;
        if let Some(node) = &task.changed_when {
            match self.run.renderer.condition(node, &self.with_result(scope, &value)) {
                Ok(Truth::Yes) => changed = true,
                Ok(Truth::No) => {
                    changed = false;
                    if !failed {
                        done.changes.retain(|change| change.action != stead_modules::change::Action::Run);
                    }
                }
                Ok(Truth::Unknown(reason)) => unclear = Some(reason),
                Err(error) => return self.template_failure(&error, node.span),
            }
            if !not_run {
                map.insert(Key::from("changed"), Value::Bool(changed));
            }
        }
        if let Some(node) = &task.failed_when {
            let seen = if not_run { value.clone() } else { Value::from(map.clone()) };
            match self.run.renderer.condition(node, &self.with_result(scope, &seen)) {
                Ok(truth @ (Truth::Yes | Truth::No)) => {
                    let was = std::mem::replace(&mut failed, truth == Truth::Yes);
                    map.insert(Key::from("failed"), Value::Bool(failed));
                    map.insert(Key::from("failed_when_result"), Value::Bool(failed));
                    if failed && !was {
                        let text = node.as_str().unwrap_or("failed_when");
                        message = Some(message.unwrap_or_else(|| format!("`{text}` holds")));
                    } else if !failed && was {
                        message = None;
                    }
                }
                // A command that is not run is not expected to fail.
                Ok(Truth::Unknown(_)) => {}
                Err(error) => return self.template_failure(&error, node.span),
            }
        }
        ending = match unclear {
            _ if failed => TaskEnding::Failed,
            Some(reason) => {
                message = Some(reason.to_string());
                TaskEnding::Unknown
            }
            None if changed => TaskEnding::Changed,
            None if ending == TaskEnding::Unknown => ending,
            None => TaskEnding::Ok,
        };
        if !not_run {
            value = Value::from(map);
        }
        if ending == TaskEnding::Failed && message.is_none() {
            message = Some("it failed and said no more".to_owned());
        }
        for warning in &done.warnings {
            self.run.emit(Event::Note {
                level: NoteLevel::Warning,
                host: Some(Arc::clone(&self.host.name)),
                text: warning.clone(),
            });
        }
        let notified = match self.task.notify.as_ref().filter(|_| ending == TaskEnding::Changed) {
            Some(node) => match self.notified(node, scope) {
                Ok(names) => names,
                Err(error) => return self.template_failure(&error, node.span),
            },
            None => Vec::new(),
        };
        ItemReport { hint: done.hint.clone(), done: Some(done), notified, ..ItemReport::plain(ending, value, message) }
    }

    /// The handlers that the task (or an item of its loop) names.
    fn notified(&self, node: &Node, scope: &Scope) -> Result<Vec<String>, TemplateError> {
        let mut names = Vec::new();
        for item in node.as_list().unwrap_or(std::slice::from_ref(node)) {
            match self.run.renderer.value(item, scope)? {
                Value::List(list) => names.extend(list.iter().map(ToString::to_string)),
                Value::Omit | Value::Null => {}
                value => names.push(value.to_string()),
            }
        }
        Ok(names)
    }

    /// The scope with the result under the name that the task registers.
    fn with_result(&self, scope: &Scope, result: &Value) -> Scope {
        let mut scope = scope.clone();
        if let Some(name) = &self.task.register {
            let variable = Variable { definition: Definition::Data(result.clone()), origin: Origin::Task(self.task.span) };
            let variables = Variables::from_iter([(Arc::clone(name), variable)]);
            scope.push(Layer { precedence: Precedence::Loop, variables: Arc::new(variables) });
        }
        scope
    }

    /// Facts and variables that the work brought.
    fn apply_effects(&self, report: &ItemReport, scope: &Scope) {
        let Some(done) = &report.done else { return };
        if matches!(report.ending, TaskEnding::Failed | TaskEnding::Unreachable) {
            return;
        }
        let delegated = self.fact_host(scope);
        let hosts: Vec<&Arc<HostState>> = match &delegated {
            Some(host) => vec![host],
            None => self.hosts().collect(),
        };
        for host in hosts {
            host.set(done.set.iter().map(|(name, value)| {
                (Arc::clone(name), Variable { definition: Definition::Data(value.clone()), origin: Origin::Task(self.task.span) })
            }));
            if let Some(variables) = &done.included {
                host.include(variables);
            }
            if (done.set.is_empty() || done.cacheable)
                && let Some(Value::Map(found)) = done.result.get("ansible_facts")
                && let Err(text) = facts::add(host, found, &Origin::Task(self.task.span), &self.run.settings.language)
            {
                self.run.emit(Event::Note { level: NoteLevel::Warning, host: Some(Arc::clone(&host.name)), text });
            }
            if &*self.task.action.module == "setup" {
                host.gathered.store(true, std::sync::atomic::Ordering::SeqCst);
            }
        }
    }

    /// Whose facts are set, with `delegate_facts`: those of the host that the task is delegated to.
    fn fact_host(&self, scope: &Scope) -> Option<Arc<HostState>> {
        let delegates = self.flag(self.task.keywords.delegate_facts.as_ref(), scope).unwrap_or(false);
        if !delegates || self.task.keywords.delegate_to.is_none() {
            return None;
        }
        self.acting_host(scope).ok().map(|(host, _)| host)
    }

    pub(super) fn flag(&self, node: Option<&Node>, scope: &Scope) -> Result<bool, TemplateError> {
        let Some(node) = node else { return Ok(false) };
        let value = self.run.renderer.value(node, scope)?;
        Ok(connection::is_true(&value).unwrap_or(false))
    }

    pub(super) fn number(&self, node: Option<&Node>, scope: &Scope) -> Option<f64> {
        let value = self.run.renderer.value(node?, scope).ok()?;
        value.to_string().trim().parse().ok()
    }

    pub(super) fn template_failure(&self, error: &TemplateError, fallback: crate::source::Span) -> ItemReport {
        let place = self.run.map.place(error.span.unwrap_or(fallback));
        let mut hint = error.hint.clone();
        if let Some(defined) = error.defined {
            let text = format!("it is defined at {}", self.run.map.place(defined));
            hint = Some(hint.map_or(text.clone(), |hint| format!("{hint}; {text}")));
        }
        ItemReport::failed(format!("{} ({place})", error.message), hint)
    }
}

/// A condition that is no text, as it is written.
fn literal(node: &Node) -> String {
    crate::playbook::outline::literal(node).map_or_else(|| "a condition".to_owned(), |value| value.to_string())
}

/// The first line of a command, cut where it is long.
fn short(text: &str) -> String {
    let line = text.lines().next().unwrap_or("");
    let mut cut: String = line.chars().take(60).collect();
    if cut.len() < text.len() {
        cut.push('…');
    }
    cut
}
