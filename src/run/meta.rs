//! `meta`: what a playbook tells the engine itself.

use std::sync::Arc;

use super::dispatch::{Ended, NodeDone};
use super::event::{Event, NoteLevel, TaskEnding};
use super::result::ItemReport;
use super::scheduler::Finish;
use super::state::HostState;
use super::task::{TaskReport, TaskRun};
use crate::graph::NodeId;

/// What a `meta` came to.
pub(super) struct MetaDone {
    finish: Finish,
    ended: Option<Ended>,
    report: Option<(TaskReport, TaskRun)>,
}

impl MetaDone {
    fn silent(finish: Finish) -> Self {
        Self { finish, ended: None, report: None }
    }

    fn ends(finish: Finish, ended: Ended) -> Self {
        Self { finish, ended: Some(ended), report: None }
    }

    fn told(this: &TaskRun, item: ItemReport) -> Self {
        let finish = if item.ending == TaskEnding::Failed { Finish::Failed } else { Finish::Done };
        let report = TaskReport::without_work(item);
        Self { finish, ended: None, report: Some((report, this.clone())) }
    }

    /// As the dispatcher takes it.
    pub(super) fn into_node(self, node: NodeId, host: usize) -> NodeDone {
        let (report, info) = self.report.map(|(report, this)| (report, this.info)).unzip();
        NodeDone { node, host, info, report, finish: self.finish, ended: self.ended }
    }
}

/// Does it, if its conditions hold.
pub(super) async fn perform(this: &TaskRun) -> MetaDone {
    if this.task.meta() == Some("noop") {
        return MetaDone::silent(Finish::Done);
    }
    match this.conditions(&this.scope()) {
        Ok(None) => {}
        Ok(Some(report)) => return MetaDone::told(this, report),
        Err((error, node)) => return MetaDone::told(this, this.template_failure(&error, node.span)),
    }
    let what = this.task.meta().unwrap_or("noop");
    let language = &this.run.settings.language;
    match what {
        "flush_handlers" => MetaDone::silent(super::handlers::flush(&this.run, &this.play, &this.host, &this.nested).await),
        "end_host" => MetaDone::ends(Finish::EndHost, Ended::Host),
        "end_play" => MetaDone::ends(Finish::EndPlay, Ended::Play),
        "end_batch" => MetaDone::ends(Finish::EndPlay, Ended::Batch),
        "end_role" => match this.task.role.as_ref().filter(|_| !this.task.handler) {
            Some(role) => {
                this.host.ended_roles.lock().expect("no thread panics here").push(Arc::clone(role));
                MetaDone::silent(Finish::Done)
            }
            None => MetaDone::told(this, ItemReport::failed("`meta: end_role` stands in no role", None)),
        },
        "clear_facts" => {
            this.play.batch.iter().for_each(|host| super::facts::clear(host, language));
            MetaDone::silent(Finish::Done)
        }
        "clear_host_errors" => {
            for host in &this.play.batch {
                forget_failure(host).await;
                this.run.tally.lock().expect("counting does not panic").forgive(&host.name);
            }
            MetaDone::silent(Finish::Forgive)
        }
        "refresh_inventory" => match this.run.roster.refresh() {
            Ok(()) => MetaDone::silent(Finish::Done),
            Err(problem) => {
                MetaDone::told(this, ItemReport::failed(format!("the inventory cannot be read again: {problem}"), None))
            }
        },
        "reset_connection" => {
            let session = this.host.session.lock().await.take();
            if let Some(Ok(session)) = session {
                session.close().await;
            }
            *this.host.locked.lock().await = false;
            MetaDone::silent(Finish::Done)
        }
        "noop" => MetaDone::silent(Finish::Done),
        other => {
            this.run.emit(Event::Note {
                level: NoteLevel::Warning,
                host: Some(Arc::clone(&this.host.name)),
                text: format!("`meta: {other}` is not supported ({})", this.run.map.place(this.task.span)),
            });
            MetaDone::silent(Finish::Failed)
        }
    }
}

/// A host that could not be reached is tried again.
async fn forget_failure(host: &HostState) {
    let mut session = host.session.lock().await;
    if matches!(&*session, Some(Err(_))) {
        *session = None;
    }
}
