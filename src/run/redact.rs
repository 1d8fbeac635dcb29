//! Takes known secrets out of events: out of every text that a user or a host wrote, never out of
//! names of hosts and modules or of how something ended.

use std::sync::Arc;

use stead_modules::change::{Change, Observed};

use super::event::{Event, TaskInfo};
use crate::vault::Redactor;

/// The event without any known secret.
pub fn event(redactor: &Redactor, mut event: Event) -> Event {
    if redactor.is_empty() {
        return event;
    }
    match &mut event {
        Event::RunStarted { .. } => {}
        Event::PlayStarted { play, .. } => text(redactor, play),
        Event::TaskStarted { task, .. } => name(redactor, task),
        Event::ItemEnded { task, item, changes, message, result, .. } => {
            name(redactor, task);
            text(redactor, item);
            self::changes(redactor, changes);
            message.iter_mut().for_each(|message| text(redactor, message));
            redactor.json(result);
        }
        Event::TaskEnded { task, changes, wanted, message, hint, result, .. } => {
            name(redactor, task);
            self::changes(redactor, changes);
            wanted.iter_mut().for_each(|wanted| observed(redactor, wanted));
            message.iter_mut().chain(hint).for_each(|words| text(redactor, words));
            redactor.json(result);
        }
        Event::Note { text: words, .. } => text(redactor, words),
        Event::RunEnded { recap, .. } => {
            recap.iter_mut().filter_map(|line| line.why.as_mut()).for_each(|why| text(redactor, why));
        }
    }
    event
}

fn text(redactor: &Redactor, text: &mut String) {
    *text = redactor.text(text);
}

fn name(redactor: &Redactor, task: &mut Arc<TaskInfo>) {
    let name = redactor.text(&task.name);
    if name != task.name {
        Arc::make_mut(task).name = name;
    }
}

fn changes(redactor: &Redactor, changes: &mut [Change]) {
    for change in changes {
        text(redactor, &mut change.resource.name);
        for difference in &mut change.differences {
            redactor.json(&mut difference.before);
            redactor.json(&mut difference.after);
            difference.diff.iter_mut().for_each(|diff| text(redactor, diff));
        }
    }
}

fn observed(redactor: &Redactor, observed: &mut Observed) {
    text(redactor, &mut observed.resource.name);
    observed.properties.iter_mut().for_each(|(_, value)| redactor.json(value));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::event::{NoteLevel, TaskEnding};

    fn redactor(secret: &str) -> Redactor {
        let redactor = Redactor::default();
        redactor.learn(secret);
        redactor
    }

    #[test]
    fn an_event_is_searched_to_its_depth() {
        let note = Event::Note { level: NoteLevel::Info, host: None, text: "the password is hunter22".into() };
        let Event::Note { text, .. } = event(&redactor("hunter22"), note) else { panic!("a note stays a note") };
        assert_eq!(text, "the password is ********");
    }

    #[test]
    fn a_secret_that_is_a_word_of_ours_changes_no_ending_and_no_name() {
        let task = TaskInfo {
            id: 1,
            name: "changed by me".into(),
            role: None,
            module: "changed".into(),
            place: "a.yml:1".into(),
            handler: false,
        };
        let ended = Event::TaskEnded {
            task: Arc::new(task),
            host: "changed".into(),
            ending: TaskEnding::Changed,
            changes: Vec::new(),
            wanted: Vec::new(),
            message: Some("changed".into()),
            hint: None,
            result: serde_json::json!({"changed": true, "stdout": "it changed"}),
            seconds: 0.0,
        };
        let Event::TaskEnded { task, host, ending, message, result, .. } = event(&redactor("changed"), ended) else {
            panic!("an end stays an end")
        };
        assert_eq!((&*host, ending, &*task.module), ("changed", TaskEnding::Changed, "changed"));
        assert_eq!((task.name.as_str(), message.as_deref()), ("******** by me", Some("********")));
        assert_eq!(result, serde_json::json!({"changed": true, "stdout": "it ********"}));
    }
}
