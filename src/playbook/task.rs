//! Tasks and blocks, resolved: everything inherited is in them.

use std::path::PathBuf;
use std::sync::Arc;

use super::keywords::Keywords;
use super::role::RoleInfo;
use crate::plugins::ForeignModule;
use crate::source::{Mapping, Node, Span};

/// A task, or a block of them.
#[derive(Debug, Clone)]
pub enum Item {
    /// One task.
    Task(Arc<Task>),
    /// A block.
    Block(Arc<Block>),
}

/// A block with its sections; what its tasks inherit is already in them.
#[derive(Debug, Clone)]
pub struct Block {
    /// Its place.
    pub span: Span,
    /// The body.
    pub body: Vec<Item>,
    /// Runs after the body failed.
    pub rescue: Vec<Item>,
    /// Runs in any case.
    pub always: Vec<Item>,
}

/// One task or handler.
#[derive(Debug, Clone)]
pub struct Task {
    /// Unique in the run.
    pub id: u64,
    /// Its place.
    pub span: Span,
    /// Its keys as written, for checks.
    pub written: Arc<Mapping>,
    /// Its name, possibly a template.
    pub name: Option<Node>,
    /// What is done.
    pub action: Action,
    /// Shared keywords, inherited ones included.
    pub keywords: Keywords,
    /// The task's own `vars` begin at this index of `keywords.vars`; before it are blocks'.
    pub own_vars: usize,
    /// Variable that gets the result.
    pub register: Option<Arc<str>>,
    /// What it is repeated over.
    pub r#loop: Option<LoopSpec>,
    /// How.
    pub loop_control: LoopControl,
    /// Repeat until this holds.
    pub until: Option<Node>,
    /// How often.
    pub retries: Option<Node>,
    /// Seconds in between.
    pub delay: Option<Node>,
    /// Overrides whether it counts as changed.
    pub changed_when: Option<Node>,
    /// Overrides whether it counts as failed.
    pub failed_when: Option<Node>,
    /// Handlers to run when it changed.
    pub notify: Option<Node>,
    /// Topics that a handler listens to.
    pub listen: Vec<Arc<str>>,
    /// Whether it is a handler.
    pub handler: bool,
    /// The role that it belongs to.
    pub role: Option<Arc<RoleInfo>>,
    /// The directory of the file that it stands in.
    pub directory: PathBuf,
    /// What is around it, without its own keywords: what the tasks that it includes inherit.
    pub around: Option<Arc<Keywords>>,
    /// Seconds that it may take while nobody waits for it.
    pub r#async: Option<Node>,
    /// Seconds between looks at an `async` task; 0: nobody looks.
    pub poll: Option<Node>,
}

impl Task {
    /// A task that nobody wrote.
    pub fn implied(id: u64, span: Span, module: &str, options: Vec<(Arc<str>, Node)>, directory: PathBuf) -> Self {
        Self {
            id,
            span,
            written: Arc::default(),
            name: None,
            action: Action {
                module: module.into(),
                written: module.to_owned(),
                shown: module.to_owned(),
                span,
                options,
                template: None,
                foreign: None,
            },
            keywords: Keywords::default(),
            own_vars: 0,
            register: None,
            r#loop: None,
            loop_control: LoopControl::default(),
            until: None,
            retries: None,
            delay: None,
            changed_when: None,
            failed_when: None,
            notify: None,
            listen: Vec::new(),
            handler: false,
            role: None,
            directory,
            around: None,
            r#async: None,
            poll: None,
        }
    }

    /// The name to be shown, before templates in it are rendered: `role : name`-less.
    pub fn title(&self) -> &str {
        self.name.as_ref().and_then(Node::as_str).unwrap_or(&self.action.shown)
    }

    /// What a `meta` task asks for.
    pub fn meta(&self) -> Option<&str> {
        let text = self.action.option("_raw_params").or_else(|| self.action.option("free_form"))?.as_str()?;
        (&*self.action.module == "meta").then(|| text.trim())
    }

    /// Whether it is `meta: flush_handlers`.
    pub fn is_flush(&self) -> bool {
        self.meta() == Some("flush_handlers")
    }

    /// The handlers that it names literally.
    pub fn notified(&self) -> Vec<String> {
        let Some(node) = &self.notify else { return Vec::new() };
        let items: &[Node] = node.as_list().unwrap_or(std::slice::from_ref(node));
        items.iter().filter_map(Node::as_str).filter(|name| !name.contains("{{")).map(str::to_owned).collect()
    }
}

/// A module and its options as written.
#[derive(Debug, Clone)]
pub struct Action {
    /// Plain module name.
    pub module: Arc<str>,
    /// The name as written.
    pub written: String,
    /// What stands for the task where it has no name: the module, of an included role its name too.
    pub shown: String,
    /// Where the name stands.
    pub span: Span,
    /// Options in written order.
    pub options: Vec<(Arc<str>, Node)>,
    /// Options given as one template (`args: "{{ x }}"`).
    pub template: Option<Node>,
    /// The module of somebody else that does it, on the host's Python.
    pub foreign: Option<Arc<ForeignModule>>,
}

impl Action {
    /// An option as written.
    pub fn option(&self, name: &str) -> Option<&Node> {
        self.options.iter().find(|(key, _)| &**key == name).map(|(_, node)| node)
    }
}

/// `loop`, or `with_NAME`.
#[derive(Debug, Clone)]
pub struct LoopSpec {
    /// The lookup of `with_NAME`; none for `loop`.
    pub lookup: Option<Arc<str>>,
    /// The list, or the lookup's terms.
    pub list: Node,
}

/// `loop_control`.
#[derive(Debug, Clone, Default)]
pub struct LoopControl {
    /// The item's name; default `item`.
    pub loop_var: Option<Arc<str>>,
    /// Variable that counts from 0.
    pub index_var: Option<Arc<str>>,
    /// What is shown for an item.
    pub label: Option<Node>,
    /// Seconds between items.
    pub pause: Option<Node>,
    /// Provide `ansible_loop`.
    pub extended: Option<Node>,
    /// Provide `ansible_loop.allitems`.
    pub extended_allitems: Option<Node>,
    /// Leave the loop when this holds.
    pub break_when: Option<Node>,
}
