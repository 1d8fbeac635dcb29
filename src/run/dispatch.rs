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
use crate::vars::{Definition, Origin, Variable};

/// A list of tasks, drawn as a graph.
#[derive(Debug)]
pub struct TaskList {
    /// Tasks by the numbers in the graph.
    pub tasks: Vec<Arc<Task>>,
    /// The graph.
    pub graph: Arc<Graph>,
}

impl TaskList {
    /// Draws the graph of these items.
    pub fn new(run: &RunState, items: &[Item], strategy: Strategy, any_errors_fatal: bool) -> (Self, Diagnostics) {
        let (tasks, outline) = outline::outline(items, strategy, any_errors_fatal, run.loader.catalog());
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
struct NodeDone {
    node: NodeId,
    host: usize,
    info: Option<Arc<TaskInfo>>,
    report: Option<TaskReport>,
    finish: Finish,
    ended: Option<Ended>,
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
                    let job = Job {
                        run: Arc::clone(&run),
                        play: Arc::clone(&play),
                        host: Arc::clone(&hosts[first]),
                        task,
                        nested: nested.clone(),
                    };
                    running.spawn(async move { job.run(node, first, others).await });
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
                let rescued = verdict == Verdict::Rescued || nested.rescued_outside;
                let ending = if report.ending == TaskEnding::Failed && rescued { TaskEnding::Rescued } else { report.ending };
                run.emit(report.event(&info, &hosts[done.host].name, ending));
            }
            if nested.depth == 0 {
                let live = scheduler.live_hosts().into_iter().map(|index| Arc::clone(&hosts[index].name)).collect();
                *play.live.write().expect("no thread panics here") = live;
            }
        }
        let stopped = run.stop.is_asked();
        (0..hosts.len())
            .map(|index| match scheduler.host_state(index) {
                Walked::Failed => Walk::Failed,
                Walked::Dead => Walk::Dead,
                _ if ended[index].is_some() => Walk::Ended(ended[index].expect("just checked")),
                Walked::Done | Walked::Ended => Walk::Done,
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
        let plain = |finish, ended| NodeDone { node, host, info: None, report: None, finish, ended };
        let (first, result) = match &*module {
            "meta" => {
                let (finish, ended) = self.meta().await;
                (plain(finish, ended), None)
            }
            "include_tasks" | "include_role" => {
                let this = self.task_run();
                let info = Arc::clone(&this.info);
                let (finish, ended, report) = include::perform(&this).await;
                (NodeDone { report, info: Some(info), ..plain(finish, ended) }, None)
            }
            _ => {
                let this = self.task_run();
                let report = this.perform().await;
                let mut finish = finish(&report);
                if finish == Finish::Failed {
                    self.note_failure(&this, &report);
                    if this.flag(self.task.keywords.any_errors_fatal.as_ref(), &this.scope()).unwrap_or(false) {
                        finish = Finish::FailedForAll;
                    }
                }
                if report.ending == TaskEnding::Changed {
                    self.notify(&this);
                }
                let info = Arc::clone(&this.info);
                let copy = report.clone();
                (NodeDone { report: Some(report), info: Some(info), ..plain(finish, None) }, Some(copy))
            }
        };
        // What ran once counts for the others too: they get its result.
        for other in others {
            let Some(report) = &result else { continue };
            if let Some(name) = &self.task.register {
                let variable =
                    Variable { definition: Definition::Data(report.result.clone()), origin: Origin::Task(self.task.span) };
                other.set([(Arc::clone(name), variable)]);
            }
            if &*module == "set_fact" {
                let scope = self.task_run().scope();
                for (name, _) in &self.task.action.options {
                    if let Some((variable, _)) = scope.lookup(name) {
                        other.set([(Arc::clone(name), variable.clone())]);
                    }
                }
            }
        }
        first
    }

    fn task_run(&self) -> TaskRun {
        let info = info(&self.run, &self.play, &self.host, &self.task, &self.nested);
        TaskRun {
            run: Arc::clone(&self.run),
            play: Arc::clone(&self.play),
            host: Arc::clone(&self.host),
            task: Arc::clone(&self.task),
            info,
            nested: self.nested.clone(),
        }
    }

    /// `ansible_failed_task` and `ansible_failed_result`, for a rescue.
    fn note_failure(&self, this: &TaskRun, report: &TaskReport) {
        use crate::vars::{Key, Map, Value};
        let about = Map::from_iter([
            (Key::from("name"), Value::from(this.info.name.as_str())),
            (Key::from("action"), Value::from(this.task.action.written.as_str())),
        ]);
        self.host.set([
            (Arc::from("ansible_failed_task"), super::scope::data(about)),
            (Arc::from("ansible_failed_result"), super::scope::data(report.result.clone())),
        ]);
    }

    /// Notes the handlers that the task names.
    fn notify(&self, this: &TaskRun) {
        let Some(node) = &self.task.notify else { return };
        let scope = this.scope();
        let items: Vec<Node> = node.as_list().map_or_else(|| vec![node.clone()], <[Node]>::to_vec);
        let handlers = self.play.handlers.read().expect("no thread panics here").clone();
        for item in &items {
            let names = match self.run.renderer.value(item, &scope) {
                Ok(crate::vars::Value::List(list)) => list.iter().map(ToString::to_string).collect(),
                Ok(value) => vec![value.to_string()],
                Err(_) => continue,
            };
            for name in names {
                let chosen = super::handlers::answering(&handlers, &name);
                if chosen.is_empty() {
                    self.run.emit(super::event::Event::Note {
                        level: super::event::NoteLevel::Warning,
                        host: Some(Arc::clone(&self.host.name)),
                        text: format!("no handler is named or listens to `{name}` ({})", self.run.map.place(item.span)),
                    });
                }
                self.host.notified.lock().expect("no thread panics here").extend(chosen);
            }
        }
    }

    /// `meta`.
    async fn meta(&self) -> (Finish, Option<Ended>) {
        let this = self.task_run();
        let scope = this.scope();
        match this.conditions(&scope) {
            Ok(None) => {}
            Ok(Some(_)) => return (Finish::Done, None),
            Err((error, node)) => {
                let report = this.template_failure(&error, node.span);
                self.run.emit(super::event::Event::Note {
                    level: super::event::NoteLevel::Warning,
                    host: Some(Arc::clone(&self.host.name)),
                    text: report.message.unwrap_or_default(),
                });
                return (Finish::Failed, None);
            }
        }
        let what = self.task.action.option("_raw_params").and_then(Node::as_str).unwrap_or("noop");
        match what.trim() {
            "flush_handlers" => (super::handlers::flush(&self.run, &self.play, &self.host, &self.nested).await, None),
            "end_host" => (Finish::EndHost, Some(Ended::Host)),
            "end_play" => (Finish::EndPlay, Some(Ended::Play)),
            "end_batch" => (Finish::EndPlay, Some(Ended::Batch)),
            "clear_facts" => {
                super::facts::clear(&self.host);
                (Finish::Done, None)
            }
            "noop" | "clear_host_errors" => (Finish::Done, None),
            "reset_connection" => {
                let session = self.host.session.lock().await.take();
                if let Some(Ok(session)) = session {
                    session.close().await;
                }
                *self.host.locked.lock().await = false;
                (Finish::Done, None)
            }
            other => {
                self.run.emit(super::event::Event::Note {
                    level: super::event::NoteLevel::Warning,
                    host: Some(Arc::clone(&self.host.name)),
                    text: format!("`meta: {other}` is not supported ({})", self.run.map.place(self.task.span)),
                });
                (Finish::Failed, None)
            }
        }
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
