//! What the manual knows of one module.

use stead_modules::args::{Arguments, Field};
use stead_modules::registry::{self, Contract, Module};

use crate::source::suggest;

/// One module in the manual.
#[derive(Debug, Clone)]
pub struct Page {
    /// Plain name.
    pub name: &'static str,
    /// Who does the work, and what a plan can say of it.
    pub performed: Performed,
    /// The text of the manual; its first sentence stands in lists.
    pub doc: &'static str,
    /// Options.
    pub fields: Vec<Field>,
    /// A YAML list of tasks; may be empty.
    pub examples: &'static str,
}

/// Who does the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Performed {
    /// The agent, on the host, by one of the three contracts.
    OnHost(Contract),
    /// The controller, by one of the three contracts.
    OnController(Contract),
}

impl Performed {
    /// What a plan can predict, in a sentence.
    pub fn in_a_plan(self) -> &'static str {
        match self {
            Self::OnHost(Contract::Resource) => {
                "Manages state: a plan shows exactly what would change, and a second apply changes nothing."
            }
            Self::OnController(Contract::Resource) => {
                "Manages state, with the controller's help: a plan shows exactly what would change, and a second apply changes nothing."
            }
            Self::OnHost(Contract::Query) => "Only looks: a plan runs it, and its result is known.",
            Self::OnController(Contract::Query) => {
                "Works on the controller and touches no host: a plan runs it, and its result is known."
            }
            Self::OnHost(Contract::Command) | Self::OnController(Contract::Command) => {
                "Does something once: a plan does not run it (unless it can tell that there is nothing to do); its result, and what \
                 depends on it, cannot be known until it is applied."
            }
        }
    }

    /// The word for it in lists.
    pub fn word(self) -> &'static str {
        match self {
            Self::OnHost(Contract::Resource) | Self::OnController(Contract::Resource) => "state",
            Self::OnHost(Contract::Query) => "query",
            Self::OnController(Contract::Query) => "controller",
            Self::OnHost(Contract::Command) | Self::OnController(Contract::Command) => "command",
        }
    }
}

impl Page {
    /// The page of something that has declared arguments (what the controller does itself).
    pub fn of<A: Arguments>(name: &'static str, performed: Performed, examples: &'static str) -> Self {
        Self { name, performed, doc: A::doc(), fields: A::fields(), examples }
    }

    /// The first sentence of its text.
    pub fn summary(&self) -> String {
        let paragraph = self.doc.trim().split("\n\n").next().unwrap_or_default();
        let line = paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
        let end = line.find(". ").map_or(line.len(), |at| at + 1);
        line[..end].trim_end_matches('.').to_owned()
    }
}

impl From<&Module> for Page {
    fn from(module: &Module) -> Self {
        Self {
            name: module.name,
            performed: Performed::OnHost(module.contract),
            doc: (module.doc)(),
            fields: (module.fields)(),
            examples: module.examples,
        }
    }
}

/// Pages of all modules that run on hosts, and of `others`, by name; of two with the same name the
/// one in `others` counts, which is how the controller's part of a module replaces the host's.
pub fn modules(others: Vec<Page>) -> Vec<Page> {
    let mut pages = others;
    for module in registry::all().iter().filter(|module| !registry::INTERNAL.contains(&module.name)) {
        if !pages.iter().any(|page| page.name == module.name) {
            pages.push(Page::from(*module));
        }
    }
    pages.sort_by_key(|page| page.name);
    pages
}

/// The page of a module, also by its full name in a collection; or the nearest name.
pub fn find<'a>(pages: &'a [Page], name: &str) -> Result<&'a Page, Option<String>> {
    let plain = name.rsplit('.').next().unwrap_or(name);
    pages.iter().find(|page| page.name == plain).ok_or_else(|| suggest::did_you_mean(plain, pages.iter().map(|page| page.name)))
}
