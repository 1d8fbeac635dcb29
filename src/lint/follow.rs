//! A play with everything that it reaches: what it includes while running is read here too, where
//! its name is known.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::text;
use crate::playbook::load::collect_tasks;
use crate::playbook::role_load::RoleCall;
use crate::playbook::task_load::missing_file;
use crate::playbook::{Item, Keywords, Loader, Place, Play, RoleInfo, Task};
use crate::source::{Diagnostic, Diagnostics, Node, NodeValue};

/// Which includes are followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    /// Those that are reached for sure: before a run.
    Certain,
    /// All whose name is known.
    All,
}

/// A task as a play reaches it.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(super) task: Arc<Task>,
    /// Whether the run gets there for sure, and a failure of its condition is one of the run.
    pub(super) reached: bool,
    /// Whether it is reached and runs under no condition.
    pub(super) certain: bool,
    /// Whether a failure is perhaps what is wanted: it is ignored, or rescued.
    pub(super) tolerated: bool,
    /// Loop variables of the includes around it.
    pub(super) loops: Vec<Arc<str>>,
}

impl Seen {
    /// A task of which nothing is known but itself.
    pub(super) fn perhaps(task: &Arc<Task>) -> Self {
        Self { task: Arc::clone(task), reached: false, certain: false, tolerated: false, loops: Vec::new() }
    }
}

/// A play with what it reaches.
#[derive(Debug)]
pub(crate) struct PlayView {
    pub(super) play: Arc<Play>,
    /// Which playbook it belongs to.
    pub(super) playbook: usize,
    /// Whether somebody wrote it; otherwise it stands for who may use a role.
    pub(super) written: bool,
    /// Tasks in order, those of includes behind their include.
    pub(super) tasks: Vec<Seen>,
    pub(super) handlers: Vec<Arc<Task>>,
    pub(super) roles: Vec<Arc<RoleInfo>>,
    /// Something is included whose name is not known before a run.
    pub(super) open: bool,
}

impl PlayView {
    /// Tasks and handlers.
    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<Task>> {
        self.tasks.iter().map(|seen| &seen.task).chain(&self.handlers)
    }
}

/// Includes deeper than this are a circle.
const DEEPEST: usize = 40;

struct Follower<'a> {
    loader: &'a Loader,
    depth: Depth,
    directory: PathBuf,
    tasks: Vec<Seen>,
    handlers: Vec<Arc<Task>>,
    roles: Vec<Arc<RoleInfo>>,
    open: bool,
    stack: Vec<PathBuf>,
    diagnostics: &'a mut Diagnostics,
}

/// What is known of the way to a task.
#[derive(Clone)]
struct Way {
    certain: bool,
    tolerated: bool,
    loops: Vec<Arc<str>>,
}

/// Tasks by themselves, in a play that is known already; what they include is left to them.
pub(super) fn items(items: &[Item], play: &Arc<Play>) -> PlayView {
    let mut found = Vec::new();
    collect_tasks(items, &mut found);
    let tasks = found.into_iter().map(|task| Seen { tolerated: true, ..Seen::perhaps(&task) }).collect();
    PlayView { play: Arc::clone(play), playbook: 0, written: false, tasks, handlers: Vec::new(), roles: Vec::new(), open: true }
}

/// Follows a play.
pub(super) fn view(play: &Arc<Play>, playbook: usize, loader: &Loader, depth: Depth, diagnostics: &mut Diagnostics) -> PlayView {
    let mut follower = Follower {
        loader,
        depth,
        directory: play.directory.clone(),
        tasks: Vec::new(),
        handlers: Vec::new(),
        roles: play.roles.clone(),
        open: false,
        stack: Vec::new(),
        diagnostics,
    };
    follower.items(&play.items, &Way { certain: true, tolerated: false, loops: Vec::new() });
    for handler in &play.handlers {
        follower.handler(handler);
    }
    PlayView {
        play: Arc::clone(play),
        playbook,
        written: true,
        tasks: follower.tasks,
        handlers: follower.handlers,
        roles: follower.roles,
        open: follower.open,
    }
}

impl Follower<'_> {
    fn items(&mut self, items: &[Item], way: &Way) {
        for item in items {
            match item {
                Item::Task(task) => self.task(task, way),
                Item::Block(block) => {
                    let rescued = !block.rescue.is_empty();
                    let inner =
                        Way { certain: way.certain && !rescued, tolerated: way.tolerated || rescued, loops: way.loops.clone() };
                    self.items(&block.body, &inner);
                    self.items(&block.rescue, &Way { certain: false, ..way.clone() });
                    self.items(&block.always, &Way { certain: inner.certain, ..way.clone() });
                }
            }
        }
    }

    fn task(&mut self, task: &Arc<Task>, way: &Way) {
        let keywords = &task.keywords;
        let ignored = keywords.ignore_errors.as_ref().is_some_and(|node| !matches!(node.value, NodeValue::Bool(false)));
        let never = keywords.tags.iter().any(|tag| &**tag == "never");
        let reached = way.certain && !ignored && !never;
        let seen = Seen {
            task: Arc::clone(task),
            reached,
            certain: reached && keywords.when.is_empty(),
            tolerated: way.tolerated || ignored,
            loops: way.loops.clone(),
        };
        self.tasks.push(seen.clone());
        if is_include(task) {
            self.include(task, &seen);
        }
    }

    fn handler(&mut self, task: &Arc<Task>) {
        self.handlers.push(Arc::clone(task));
        if !is_include(task) {
            return;
        }
        // What a handler includes is found like any task; it can be notified by its name too.
        let first = self.tasks.len();
        self.include(task, &Seen::perhaps(task));
        let included: Vec<Arc<Task>> = self.tasks[first..].iter().map(|seen| Arc::clone(&seen.task)).collect();
        self.handlers.extend(included);
    }

    fn include(&mut self, task: &Arc<Task>, seen: &Seen) {
        if self.depth == Depth::Certain && !seen.certain {
            self.open = true;
            return;
        }
        let is_role = &*task.action.module == "include_role";
        let option = if is_role {
            task.action.option("name").or_else(|| task.action.option("role"))
        } else {
            task.action.option("_raw_params").or_else(|| task.action.option("file"))
        };
        let Some(node) = option else {
            self.open = true;
            return;
        };
        let Some(names) = text::each(self.loader, task, node) else {
            self.open = true;
            return;
        };
        if self.stack.len() > DEEPEST {
            return;
        }
        let place = self.place(task);
        let mut loops = seen.loops.clone();
        if task.r#loop.is_some() {
            loops.push(task.loop_control.loop_var.clone().unwrap_or_else(|| "item".into()));
        }
        let way = Way { certain: seen.certain && task.r#loop.is_none(), tolerated: seen.tolerated, loops };
        for name in names {
            if is_role {
                self.role(task, &name, node, &place, &way);
            } else {
                self.file(&name, node, &place, &way);
            }
        }
        self.handlers.append(&mut place.found_handlers.lock().expect("no reader panics"));
    }

    fn file(&mut self, name: &str, node: &Node, place: &Place, way: &Way) {
        let Some(path) = self.loader.find_tasks_file(name, place) else {
            self.open = true;
            if !way.tolerated {
                self.diagnostics.push(missing_file(name, node.span, place));
            }
            return;
        };
        if self.stack.contains(&path) {
            // Under a condition it may end; otherwise it never does.
            if way.certain {
                self.diagnostics.push(endless(&path, node));
            }
            return;
        }
        let items = self.loader.tasks_file(&path, node.span, place, self.diagnostics);
        self.stack.push(path);
        self.items(&items, way);
        self.stack.pop();
    }

    fn role(&mut self, task: &Task, name: &str, node: &Node, place: &Place, way: &Way) {
        let mut call = RoleCall::main(name, node.span);
        for (slot, option) in call.from.iter_mut().zip(["tasks_from", "vars_from", "defaults_from", "handlers_from"]) {
            match task.action.option(option).map(|node| (node.as_str(), node)) {
                Some((Some(text), _)) if !text.contains("{{") => *slot = text.to_owned(),
                Some(_) => {
                    self.open = true;
                    return;
                }
                None => {}
            }
        }
        let key = PathBuf::from(format!("role {name} {}", call.from[0]));
        if self.stack.contains(&key) {
            return;
        }
        let (roles, items, handlers) = self.loader.include_role(&call, place, self.diagnostics);
        self.open |= roles.is_empty();
        self.roles.extend(roles);
        self.stack.push(key);
        self.items(&items, way);
        self.stack.pop();
        self.handlers.extend(handlers);
    }

    /// The place that included tasks stand at, as a run gives it to them.
    fn place(&self, task: &Task) -> Place {
        let apply = task.action.option("apply").and_then(Node::as_map);
        let apply = apply.map(|map| Keywords::read(map, &mut Diagnostics::default())).unwrap_or_default();
        let around = Keywords { when: Vec::new(), tags: Vec::new(), ..task.keywords.clone() };
        Place {
            directory: task.directory.clone(),
            playbook: self.directory.clone(),
            role: task.role.clone(),
            outer: apply.under(&around),
            handlers: task.handler,
            stack: Vec::new(),
            vars: Vec::new(),
            collections: Vec::new(),
            found_handlers: Arc::default(),
        }
    }
}

fn is_include(task: &Task) -> bool {
    matches!(&*task.action.module, "include_tasks" | "include_role")
}

fn endless(path: &Path, node: &Node) -> Diagnostic {
    Diagnostic::error("include-cycle", format!("`{}` includes itself, and no condition ends that", path.display()))
        .at(node.span, "this closes the loop")
        .hint("give it a `when` that fails some time")
}
