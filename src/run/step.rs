//! `--step`: every task is asked about before it is run.

use std::collections::HashMap;
use std::sync::Arc;

use super::event::{Event, NoteLevel, TaskInfo};
use super::state::{PlayState, RunState};
use crate::session::Echo;

/// What was answered so far.
#[derive(Debug, Default)]
pub(super) struct Answers {
    /// Everything else is wanted, too.
    all: bool,
    /// The batch of hosts for which they were given.
    play: Option<Arc<PlayState>>,
    /// By task.
    given: HashMap<u64, bool>,
}

/// Whether the person at the terminal wants a task performed. Without an answer the run ends.
pub(super) async fn wants(run: &Arc<RunState>, play: &Arc<PlayState>, info: &Arc<TaskInfo>) -> bool {
    let mut answers = run.answers.lock().await;
    if run.stop.is_asked() {
        return false;
    }
    if !answers.play.as_ref().is_some_and(|known| Arc::ptr_eq(known, play)) {
        answers.given.clear();
        answers.play = Some(Arc::clone(play));
    }
    if answers.all {
        return true;
    }
    if let Some(wanted) = answers.given.get(&info.id) {
        return *wanted;
    }
    let kind = if info.handler { "HANDLER" } else { "TASK" };
    let role = info.role.as_ref().map(|role| format!("{role} : ")).unwrap_or_default();
    let question = format!("Perform task: {kind}: {role}{} (N)o/(y)es/(c)ontinue: ", info.name);
    let ask = run.settings.session.ask.clone();
    let answer = tokio::task::spawn_blocking(move || ask.and_then(|ask| ask.ask(&question, Echo::Shown))).await.ok().flatten();
    let Some(answer) = answer else {
        run.emit(Event::Note { level: NoteLevel::Warning, host: None, text: "nobody answers: the run ends here".to_owned() });
        run.stop.ask();
        return false;
    };
    let answer = answer.reveal().trim().to_lowercase();
    answers.all = matches!(&*answer, "c" | "continue");
    let wanted = answers.all || matches!(&*answer, "y" | "yes");
    answers.given.insert(info.id, wanted);
    wanted
}
