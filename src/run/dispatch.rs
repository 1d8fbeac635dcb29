//! The one loop that owns the truth of a walk: asks the scheduler what may run, runs it, tells the
//! scheduler how it ended, and sends the events in that order.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use tokio::task::JoinSet;

use super::event::{TaskEnding, TaskInfo};
use super::include;
use super::scheduler::{Finish, HostState as Walked, Limits, Scheduler, Step, Verdict};
use super::state::{HostState, Nested, PlayState, RunState};
use super::task::{TaskReport, TaskRun};
use crate::graph::{self, Graph, NodeId, Strategy};
use crate::playbook::{Item, Task, outline};
use crate::source::{Diagnostics, Node};
use crate::vars::{Key, Map, Value};

/// A list of tasks, drawn as a graph.
#[derive(Debug)]
pub struct TaskList {
    /// Tasks by the numbers in the graph.
    pub tasks: Vec<Arc<Task>>,
    /// The graph.
    pub graph: Arc<Graph>,
}

impl TaskList {
    /// Draws the graph of these items; `known` renders keywords that decide about it.
    pub fn new(
        run: &RunState,
        items: &[Item],
        strategy: Strategy,
        any_errors_fatal: bool,
        known: outline::Known<'_>,
    ) -> (Self, Diagnostics) {
        // Who is asked about every task sees them in the order in which they are written.
        let strategy = if run.settings.step { Strategy::Linear } else { strategy };
        let (tasks, outline) = outline::outline(items, strategy, any_errors_fatal, run.loader.catalog(), known);
        let (graph, diagnostics) = graph::build(&outline);
        (Self { tasks, graph: Arc::new(graph) }, diagnostics)
    }
}

/// How a walk ended on one host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Walk {
    /// It reached the end.
    Done,
    /// A failure that nothing rescued.
    Failed,
    /// The host is gone.
    Dead,
    /// `end_host`, `end_play`, `end_batch`.
    Ended(Ended),
    /// The run was stopped before the end.
    Stopped,
}

/// What a `meta` ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The host leaves the play.
    Host,
    /// All hosts leave the play.
    Play,
    /// All hosts of the batch leave the play.
    Batch,
}

/// What one node's work came to.
pub(super) struct NodeDone {
    pub(super) node: NodeId,
    pub(super) host: usize,
    pub(super) info: Option<Arc<TaskInfo>>,
    pub(super) report: Option<TaskReport>,
    pub(super) finish: Finish,
    pub(super) ended: Option<Ended>,
}

/// The host goes on without a word about the node.
fn passed_by(node: NodeId, host: usize) -> NodeDone {
    NodeDone { node, host, info: None, report: None, finish: Finish::Done, ended: None }
}

type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Walks a list of tasks over hosts.
pub fn walk(
    run: Arc<RunState>,
    play: Arc<PlayState>,
    list: Arc<TaskList>,
    hosts: Vec<Arc<HostState>>,
    limits: Limits,
    nested: Nested,
) -> Boxed<Vec<Walk>> {
    Box::pin(async move {
        let mut scheduler = Scheduler::new(&list.graph, hosts.len(), limits);
        let mut running: JoinSet<NodeDone> = JoinSet::new();
        let mut ended: Vec<Option<Ended>> = vec![None; hosts.len()];
        loop {
            if !run.stop.is_asked() {
                for step in scheduler.ready() {
                    let (node, first, all) = match step {
                        Step::Run { node, host } => (node, host, vec![host]),
                        Step::RunOnce { node, host, hosts } => (node, host, hosts),
                    };
                    let task = Arc::clone(&list.tasks[list.graph.task(node).expect("only task nodes are handed out")]);
                    let others: Vec<_> =
                        all.iter().filter(|index| **index != first).map(|index| Arc::clone(&hosts[*index])).collect();
                    let mut nested = nested.clone();
                    nested.rescued_outside |= scheduler.is_rescuable(node, first);
                    let job =
                        Job { run: Arc::clone(&run), play: Arc::clone(&play), host: Arc::clone(&hosts[first]), task, nested };
                    if job.is_wanted().await {
                        running.spawn(async move { job.run(node, first, others).await });
                    } else {
                        running.spawn(async move { passed_by(node, first) });
                    }
                }
            }
            let Some(joined) = running.join_next().await else { break };
            let done = joined.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
            if let Some(what) = done.ended {
                let whom: Vec<usize> = if what == Ended::Host { vec![done.host] } else { (0..hosts.len()).collect() };
                for index in whom {
                    ended[index].get_or_insert(what);
                }
            }
            let verdict = scheduler.finished(done.node, done.host, done.finish);
            if let (Some(report), Some(info)) = (done.report, done.info) {
                let rescued = verdict == Verdict::Rescued || (verdict == Verdict::Fails && nested.rescued_outside);
                let ending = if report.ending == TaskEnding::Failed && rescued { TaskEnding::Rescued } else { report.ending };
                run.emit(report.event(&info, &hosts[done.host].name, ending));
            }
            if nested.depth == 0 {
                play.set_live(&scheduler.live_hosts().into_iter().map(|index| &hosts[index].name).collect());
            }
        }
        let stopped = run.stop.is_asked();
        (0..hosts.len())
            .map(|index| match scheduler.host_state(index) {
                Walked::Failed => Walk::Failed,
                Walked::Dead => Walk::Dead,
                _ if ended[index].is_some() => Walk::Ended(ended[index].expect("just checked")),
                Walked::Done | Walked::Ended | Walked::Forgiven => Walk::Done,
                Walked::Running if stopped => Walk::Stopped,
                Walked::Running | Walked::Stopped => Walk::Stopped,
            })
            .collect()
    })
}

/// One task on one host, to be run.
struct Job {
    run: Arc<RunState>,
    play: Arc<PlayState>,
    host: Arc<HostState>,
    task: Arc<Task>,
    nested: Nested,
}

impl Job {
    async fn run(self, node: NodeId, host: usize, others: Vec<Arc<HostState>>) -> NodeDone {
        let module = Arc::clone(&self.task.action.module);
        let plain = |finish, ended| NodeDone { finish, ended, ..passed_by(node, host) };
        if self.is_passed_by() {
            return passed_by(node, host);
        }
        // What ran once by its nature, not because somebody said so, is one host's result.
        let others =
            if outline::bypasses_hosts(&self.task) && self.task.keywords.run_once.is_none() { Vec::new() } else { others };
        match &*module {
            "meta" => super::meta::perform(&self.task_run(others)).await.into_node(node, host),
            "include_tasks" | "include_role" => {
                let this = self.task_run(others);
                let info = Arc::clone(&this.info);
                let (finish, ended, report) = include::perform(&this).await;
                match report.as_ref().map(|report| (report.ending, report)) {
                    Some((TaskEnding::Failed, report)) => self.note_failure(&this, report),
                    Some((TaskEnding::Unknown, _)) => this.doubt(),
                    _ => {}
                }
                NodeDone { report, info: Some(info), ..plain(finish, ended) }
            }
            _ => {
                let this = self.task_run(others);
                let report = this.perform().await;
                match report.ending {
                    TaskEnding::Unknown => this.doubt(),
                    TaskEnding::Changed => this.note_change(),
                    _ => {}
                }
                self.note_role(&report);
                let mut finish = finish(&report);
                if finish == Finish::Failed {
                    self.note_failure(&this, &report);
                    if this.flag(self.task.keywords.any_errors_fatal.as_ref(), &this.scope()).unwrap_or(false) {
                        finish = Finish::FailedForAll;
                    }
                }
                if !self.notify(&report) {
                    finish = Finish::Failed;
                }
                let info = Arc::clone(&this.info);
                NodeDone { report: Some(report), info: Some(info), ..plain(finish, None) }
            }
        }
    }

    /// Whether the person at the terminal wants it, if every task is asked about.
    async fn is_wanted(&self) -> bool {
        if !self.run.settings.step || &*self.task.action.module == "meta" || self.is_passed_by() {
            return true;
        }
        let info = info(&self.run, &self.play, &self.host, &self.task, &self.nested);
        super::step::wants(&self.run, &self.play, &info).await
    }

    /// Whether the host passes the task by without a word: its role ran here already, or was ended,
    /// or facts that would be gathered are known.
    fn is_passed_by(&self) -> bool {
        // The setting `gathering`: once for every host.
        let smart = self.play.play.gather_facts.as_ref().and_then(Node::as_str) == Some("smart");
        if self.task.id == 0 && smart && self.host.gathered.load(std::sync::atomic::Ordering::SeqCst) {
            return true;
        }
        let Some(role) = self.task.role.as_ref().filter(|_| !self.task.handler) else { return false };
        if self.host.ended_roles.lock().expect("no thread panics here").iter().any(|ended| Arc::ptr_eq(ended, role)) {
            return true;
        }
        let ran = self.host.roles.lock().expect("no thread panics here");
        role.once && ran.get(&role.key).is_some_and(|other| !Arc::ptr_eq(other, role))
    }

    /// Notes that a role has run on the host.
    fn note_role(&self, report: &TaskReport) {
        let Some(role) = self.task.role.as_ref().filter(|_| report.ending != TaskEnding::Skipped && !self.task.handler) else {
            return;
        };
        self.host.roles.lock().expect("no thread panics here").entry(role.key.clone()).or_insert_with(|| Arc::clone(role));
    }

    fn task_run(&self, others: Vec<Arc<HostState>>) -> TaskRun {
        let info = info(&self.run, &self.play, &self.host, &self.task, &self.nested);
        TaskRun {
            run: Arc::clone(&self.run),
            play: Arc::clone(&self.play),
            host: Arc::clone(&self.host),
            task: Arc::clone(&self.task),
            info,
            nested: self.nested.clone(),
            others,
        }
    }

    /// `ansible_failed_task` and `ansible_failed_result`, for a rescue.
    fn note_failure(&self, this: &TaskRun, report: &TaskReport) {
        // Known only where a rescue section takes over: a failure in that section changes nothing.
        if !self.nested.rescued_outside {
            return;
        }
        let scope = this.scope();
        let shown = |node: &Node| this.run.renderer.value(node, &scope).unwrap_or(Value::Null);
        let options: Map =
            this.task.action.options.iter().map(|(name, node)| (Key::Str(Arc::clone(name)), shown(node))).collect();
        let texts = |list: &[Arc<str>]| Value::from(list.iter().map(|text| Value::from(&**text)).collect::<Vec<_>>());
        let keywords = &this.task.keywords;
        let mut about = Map::from_iter([
            (Key::from("name"), this.task.name.as_ref().map_or(Value::from(""), |_| Value::from(this.info.name.as_str()))),
            (Key::from("action"), Value::from(this.task.action.written.as_str())),
            (Key::from("args"), Value::from(options)),
            (Key::from("tags"), texts(&keywords.tags)),
            (
                Key::from("when"),
                keywords.when.iter().map(|node| node.as_str().map_or(Value::Null, Value::from)).collect::<Vec<_>>().into(),
            ),
        ]);
        for (name, node) in [
            ("delegate_to", &keywords.delegate_to),
            ("become", &keywords.r#become),
            ("become_user", &keywords.become_user),
            ("ignore_errors", &keywords.ignore_errors),
            ("check_mode", &keywords.check_mode),
            ("run_once", &keywords.run_once),
        ] {
            about.insert(Key::from(name), node.as_ref().map_or(Value::Null, shown));
        }
        about.insert(Key::from("register"), this.task.register.as_deref().map_or(Value::Null, Value::from));
        self.host.set([
            (Arc::from("ansible_failed_task"), super::scope::data(about)),
            (Arc::from("ansible_failed_result"), super::scope::data(report.result.clone())),
        ]);
    }

    /// Notes the handlers that the task named; false where there is none of a name.
    fn notify(&self, report: &TaskReport) -> bool {
        if report.notified.is_empty() {
            return true;
        }
        let handlers = super::handlers::Handlers::of(&self.run, &self.play, &self.host);
        let mut all_found = true;
        for name in &report.notified {
            let chosen = handlers.answering(name);
            if chosen.is_empty() {
                let place = self.task.notify.as_ref().map_or(self.task.span, |node| node.span);
                self.warn(format!("no handler is named or listens to `{name}` ({})", self.run.map.place(place)));
                all_found = false;
            }
            self.host.notified.lock().expect("no thread panics here").extend(chosen);
        }
        all_found
    }

    fn warn(&self, text: String) {
        self.run.emit(super::event::Event::Note {
            level: super::event::NoteLevel::Warning,
            host: Some(Arc::clone(&self.host.name)),
            text,
        });
    }
}

/// How events name a task: its name rendered where that is possible.
pub fn info(run: &Arc<RunState>, play: &PlayState, host: &HostState, task: &Task, nested: &Nested) -> Arc<TaskInfo> {
    let name = match &task.name {
        Some(node) if node.as_str().is_some_and(|text| text.contains("{{")) => {
            let scope = super::scope::task_scope(run, play, host, task, nested);
            run.renderer.value(node, &scope).ok().map_or_else(|| task.title().to_owned(), |value| value.to_string())
        }
        _ => task.title().to_owned(),
    };
    Arc::new(TaskInfo {
        id: task.id,
        name,
        role: task.role.as_ref().map(|role| role.name.to_string()),
        module: task.action.module.to_string(),
        place: run.map.place(task.span),
        handler: task.handler,
    })
}

/// What the scheduler is told.
fn finish(report: &TaskReport) -> Finish {
    match report.ending {
        _ if report.lost => Finish::Lost,
        TaskEnding::Failed => Finish::Failed,
        _ => Finish::Done,
    }
}
