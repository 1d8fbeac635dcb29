//! What a person reads: one block per task, equal results of several hosts folded, failures at once.

use std::collections::HashMap;
use std::io::Write;
use std::sync::Arc;

use anstyle::{AnsiColor, Style};
use stead::run::escape::{escape_line, escape_text};
use stead::run::event::{Event, EventSink, NoteLevel, RunMode, TaskEnding, TaskInfo};
use stead::run::summary::Summary;
use stead_modules::change::Change;

use super::grouped::{Finished, Grouped};
use super::progress::Progress;
use super::recap::{self, Look};
use super::{diff, wording};

/// How much is said, and how.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HumanOptions {
    /// 0: what changed and what went wrong; 1: also what was fine, with diffs; 2: also results.
    pub(crate) verbosity: u8,
    /// Only what went wrong, and the end.
    pub(crate) quiet: bool,
    /// Diffs of text; plans show them anyway.
    pub(crate) diffs: bool,
    /// How the recap is drawn.
    pub(crate) look: Look,
}

impl HumanOptions {
    /// The usual: tables where standard output is a terminal.
    pub(crate) fn new(verbosity: u8) -> Self {
        use std::io::IsTerminal as _;
        let look = if std::io::stdout().is_terminal() { Look::Drawn } else { Look::Plain };
        Self { verbosity, quiet: false, diffs: verbosity > 0, look }
    }
}

/// Changes of one task on one host that are told one by one; of more, only the first few are, and the
/// rest is counted.
const MANY: usize = 40;
const SHOWN_OF_MANY: usize = 10;

/// Something to say of a task on a host: a sentence, and text below it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Piece {
    sentence: String,
    below: String,
}

/// The reporter for people.
pub(crate) struct Human {
    out: Box<dyn Write + Send>,
    err: Box<dyn Write + Send>,
    progress: Progress,
    options: HumanOptions,
    summary: Summary,
    grouped: Grouped<Vec<Piece>>,
    items: HashMap<(u64, Arc<str>), Vec<Piece>>,
    heading: Option<u64>,
}

impl Human {
    /// Prints to standard output, talks and draws progress on standard error.
    pub(crate) fn new(options: HumanOptions) -> Self {
        let progress = if options.quiet { Progress::hidden() } else { Progress::on_stderr() };
        let out = Box::new(anstream::AutoStream::auto(std::io::stdout()));
        Self::with(options, out, Box::new(anstream::AutoStream::auto(std::io::stderr())), progress)
    }

    fn with(options: HumanOptions, out: Box<dyn Write + Send>, err: Box<dyn Write + Send>, progress: Progress) -> Self {
        Self {
            out,
            err,
            progress,
            options,
            summary: Summary::default(),
            grouped: Grouped::default(),
            items: HashMap::new(),
            heading: None,
        }
    }

    fn mode(&self) -> RunMode {
        self.summary.mode.unwrap_or(RunMode::Apply)
    }

    fn print(&mut self, text: &str) {
        let out = &mut self.out;
        // A closed pipe must not end the run: it is recorded all the same.
        self.progress.suspend(|| {
            let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        });
    }

    fn talk(&mut self, text: &str) {
        let err = &mut self.err;
        self.progress.suspend(|| {
            let _ = err.write_all(text.as_bytes()).and_then(|()| err.flush());
        });
    }

    fn play_started(&mut self, play: &str, hosts: &[Arc<str>], tasks: usize) {
        self.flush_all();
        self.grouped.play(hosts);
        self.items.clear();
        self.heading = None;
        self.progress.play(hosts.len(), tasks);
        if !self.options.quiet {
            let bold = Style::new().bold();
            let head = format!("{bold}play {}{bold:#} on {}\n", escape_line(play), recap::hosts(hosts.len()));
            self.print(&head);
        }
    }

    fn task_started(&mut self, task: &Arc<TaskInfo>, host: &Arc<str>) {
        let finished = self.grouped.started(task, host);
        self.progress.task_started(task, host);
        self.tell(finished);
    }

    fn task_ended(&mut self, task: &Arc<TaskInfo>, host: &Arc<str>, ending: TaskEnding, pieces: Vec<Piece>) {
        self.progress.task_ended(task, host);
        let bad = is_bad(self.mode(), ending);
        let leaves = bad && self.mode() == RunMode::Apply && !matches!(ending, TaskEnding::Rescued);
        let mut kept = None;
        if bad {
            self.print_group(task, &[(vec![Arc::clone(host)], pieces)]);
        } else if !pieces.is_empty() {
            kept = Some(pieces);
        }
        let finished = self.grouped.ended(task, host, kept, leaves);
        self.tell(finished);
    }

    fn flush_all(&mut self) {
        let rest = self.grouped.rest();
        self.tell(rest);
    }

    /// Prints tasks that all hosts have passed; equal pieces of several hosts once.
    fn tell(&mut self, finished: Vec<Finished<Vec<Piece>>>) {
        for Finished { task, said } in finished {
            let mut same: Vec<(Vec<Arc<str>>, Vec<Piece>)> = Vec::new();
            let mut places: HashMap<Vec<Piece>, usize> = HashMap::new();
            for (host, pieces) in said {
                let place = *places.entry(pieces.clone()).or_insert_with(|| {
                    same.push((Vec::new(), pieces));
                    same.len() - 1
                });
                same[place].0.push(host);
            }
            if !same.is_empty() && !self.options.quiet {
                self.print_group(&task, &same);
            }
        }
    }

    fn print_group(&mut self, task: &Arc<TaskInfo>, said: &[(Vec<Arc<str>>, Vec<Piece>)]) {
        let mut text = String::new();
        if self.heading != Some(task.id) {
            self.heading = Some(task.id);
            let (bold, dim) = (Style::new().bold(), Style::new().dimmed());
            let role = task.role.as_ref().map(|role| format!("{}: ", escape_line(role))).unwrap_or_default();
            let kind = if task.handler { "handler" } else { "task" };
            let (name, place) = (escape_line(&task.name), escape_line(&task.place));
            text.push_str(&format!("\n{bold}{kind} {role}{name}{bold:#} {dim}({place}){dim:#}\n"));
        }
        for (hosts, pieces) in said {
            let who = folded(hosts);
            for piece in pieces {
                text.push_str(&format!("{who}: {}\n{}", piece.sentence, piece.below));
            }
        }
        self.print(&text);
    }

    /// What is to be said of one ending, of a task or of an item.
    fn pieces(&self, told: &Told<'_>) -> Vec<Piece> {
        let (mode, ending) = (self.mode(), told.ending);
        let style = wording::task_style(ending);
        let paint = |text: &str| format!("{style}{text}{style:#}");
        let item = told.item.map(|item| format!(" [{}]", escape_line(item))).unwrap_or_default();
        let mut pieces = Vec::new();
        let diffs = self.options.diffs || mode != RunMode::Apply;
        let verbose = self.options.verbosity > 0;
        let length = if verbose { diff::Length::Whole } else { diff::Length::Short };
        let shown = if verbose || told.changes.len() <= MANY { told.changes.len() } else { SHOWN_OF_MANY };
        for change in &told.changes[..shown] {
            let below = if diffs { diff::diffs(change, length) } else { String::new() };
            pieces.push(Piece { sentence: format!("{}{item}", paint(&wording::change(mode, change))), below });
        }
        if let Some(rest) = wording::rest(mode, &told.changes[shown..]) {
            pieces.push(Piece { sentence: format!("{}{item}", paint(&rest)), below: String::new() });
        }
        let word = wording::task_ending(mode, ending);
        let message = told.message.filter(|message| !message.is_empty());
        let sentence = match (ending, message) {
            (TaskEnding::Ok, Some(message)) if told.says || verbose => Some(said(message)),
            (TaskEnding::Ok, _) if verbose && told.ends => Some((paint(word), String::new())),
            (TaskEnding::Ok, _) => None,
            (TaskEnding::Skipped, Some(reason)) if verbose => {
                Some((format!("{} ({})", paint(word), escape_line(reason)), String::new()))
            }
            (TaskEnding::Skipped, None) if verbose => Some((paint(word), String::new())),
            (TaskEnding::Skipped, _) => None,
            (TaskEnding::Changed, Some(message)) => Some(said(message)),
            (TaskEnding::Changed, None) if told.changes.is_empty() && told.ends => Some((paint(word), String::new())),
            (TaskEnding::Changed, None) => None,
            (TaskEnding::Unknown, Some(reason)) if mode != RunMode::Apply => {
                Some((format!("{} ({})", paint(word), escape_line(reason)), String::new()))
            }
            (_, Some(message)) => {
                let (first, below) = said(message);
                Some((format!("{}: {first}", paint(word)), below))
            }
            (_, None) => Some((paint(word), String::new())),
        };
        if let Some((sentence, mut below)) = sentence {
            if let Some(hint) = told.hint {
                let cyan = AnsiColor::Cyan.on_default();
                below.push_str(&format!("  {cyan}hint{cyan:#}: {}\n", escape_line(hint)));
            }
            pieces.push(Piece { sentence: format!("{sentence}{item}"), below });
        }
        if self.options.verbosity > 1 && !told.result.is_null() && told.result.as_object().is_none_or(|map| !map.is_empty()) {
            let result = serde_json::to_string_pretty(told.result).expect("a JSON value can be written");
            pieces.push(Piece { sentence: "result".into(), below: indented(&escape_text(&result)) });
        }
        pieces
    }
}

/// How something ended, as the event says it.
struct Told<'a> {
    ending: TaskEnding,
    item: Option<&'a str>,
    changes: &'a [Change],
    message: Option<&'a str>,
    hint: Option<&'a str>,
    result: &'a serde_json::Value,
    /// Its message is what it is for (debug).
    says: bool,
    /// Nothing else was said of it, so its ending is.
    ends: bool,
}

impl EventSink for Human {
    fn event(&mut self, event: &Event) {
        self.summary.event(event);
        match event {
            Event::RunStarted { .. } => {}
            Event::PlayStarted { play, hosts, tasks } => self.play_started(play, hosts, *tasks),
            Event::TaskStarted { task, host } => self.task_started(task, host),
            Event::ItemEnded { task, host, item, ending, changes, message, result } => {
                let told = Told {
                    ending: *ending,
                    item: Some(item),
                    changes,
                    message: message.as_deref(),
                    hint: None,
                    result,
                    says: says(task),
                    ends: true,
                };
                let pieces = self.pieces(&told);
                if is_bad(self.mode(), *ending) {
                    self.print_group(task, &[(vec![Arc::clone(host)], pieces)]);
                } else {
                    self.items.entry((task.id, Arc::clone(host))).or_default().extend(pieces);
                }
            }
            Event::TaskEnded { task, host, ending, changes, message, hint, result, .. } => {
                let items = self.items.remove(&(task.id, Arc::clone(host)));
                let told = Told {
                    ending: *ending,
                    item: None,
                    changes,
                    message: message.as_deref(),
                    hint: hint.as_deref(),
                    result,
                    says: says(task),
                    ends: items.as_ref().is_none_or(Vec::is_empty),
                };
                let mut pieces = items.unwrap_or_default();
                pieces.extend(self.pieces(&told));
                self.task_ended(task, host, *ending, pieces);
            }
            Event::Note { level, host, text } => {
                let who = host.as_ref().map(|host| format!("{}: ", escape_line(host))).unwrap_or_default();
                let text = escape_text(text);
                match level {
                    NoteLevel::Warning => {
                        let style = AnsiColor::Yellow.on_default();
                        self.talk(&format!("{style}warning{style:#}: {who}{text}\n"));
                    }
                    NoteLevel::Info if self.options.quiet => {}
                    NoteLevel::Info => self.talk(&format!("{who}{text}\n")),
                }
            }
            Event::RunEnded { .. } => {
                self.flush_all();
                self.progress.finish();
                let text = recap::recap(self.mode(), &self.summary, self.options.look);
                let text = if self.options.quiet {
                    text.lines().last().map(|line| format!("{line}\n")).unwrap_or_default()
                } else {
                    format!("\n{text}")
                };
                self.print(&text);
            }
        }
    }
}

fn says(task: &TaskInfo) -> bool {
    matches!(task.module.as_str(), "debug" | "assert")
}

/// Endings that are told at once.
fn is_bad(mode: RunMode, ending: TaskEnding) -> bool {
    match ending {
        TaskEnding::Failed | TaskEnding::Unreachable | TaskEnding::Rescued => true,
        TaskEnding::Unknown => mode == RunMode::Apply,
        _ => false,
    }
}

/// A message's first line, and the rest below it.
fn said(message: &str) -> (String, String) {
    let text = escape_text(message);
    match text.split_once('\n') {
        Some((first, rest)) => (first.to_owned(), indented(rest)),
        None => (text, String::new()),
    }
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}\n")).collect()
}

/// "web1", or "3 hosts: web1, web2, web3"; of many hosts the first ones.
fn folded(hosts: &[Arc<str>]) -> String {
    const NAMED: usize = 10;
    let bold = Style::new().bold();
    let names: Vec<String> = hosts.iter().take(NAMED).map(|host| escape_line(host)).collect();
    match hosts.len() {
        1 => format!("{bold}{}{bold:#}", names[0]),
        count if count > NAMED => format!("{bold}{count} hosts{bold:#}: {} and {} more", names.join(", "), count - NAMED),
        count => format!("{bold}{count} hosts{bold:#}: {}", names.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::super::samples::{self, begins, ends, started};
    use super::*;

    #[derive(Clone, Default)]
    struct Screen(Arc<Mutex<Vec<u8>>>);

    impl Write for Screen {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl Screen {
        fn text(&self) -> String {
            anstream::adapter::strip_str(&String::from_utf8(self.0.lock().unwrap().clone()).unwrap()).to_string()
        }
    }

    fn human(verbosity: u8, quiet: bool) -> (Human, Screen) {
        let screen = Screen::default();
        let options = HumanOptions { verbosity, quiet, diffs: verbosity > 0, look: Look::Plain };
        (Human::with(options, Box::new(screen.clone()), Box::new(screen.clone()), Progress::hidden()), screen)
    }

    fn shown(events: &[Event], verbosity: u8, quiet: bool) -> String {
        let (mut human, screen) = human(verbosity, quiet);
        for event in events {
            human.event(event);
        }
        screen.text()
    }

    #[test]
    fn equal_results_are_folded_and_failures_come_at_once() {
        insta::assert_snapshot!(shown(&samples::run(), 0, false), @r#"
        play web servers on 3 hosts

        task message of the day (site.yml:10)
        web3: failed: no space left on "/"\u{1b}[2J
        2 hosts: web1, web2: changed file /etc/motd mode 0644 -> 0600, content

        host  ending   ok  changed  skipped  failed  ignored  rescued  unreachable  unknown
        web1  changed   1        1        1       0        0        0            0        0
        web2  changed   2        1        0       0        0        0            0        0
        web3  failed    0        0        0       1        0        0            0        0
        web3: message of the day: no space left
        3 hosts: 0 ok, 2 changed, 1 failed, 0 unreachable, 0 unknown, 0 not run, 0 locked
        Applied: 2 changed, 1 failed, 0 unknown, 1 unchanged on 3 hosts
        "#);
    }

    #[test]
    fn more_words_show_what_was_fine_and_diffs() {
        insta::assert_snapshot!(shown(&samples::run(), 1, false), @r#"
        play web servers on 3 hosts

        task message of the day (site.yml:10)
        web3: failed: no space left on "/"\u{1b}[2J
        2 hosts: web1, web2: changed file /etc/motd mode 0644 -> 0600, content
        --- /etc/motd
        +++ /etc/motd
        @@ -1 +1 @@
        -old
        +new

        task check <it> (site.yml:20)
        web1: skipped (`is_special` is false)
        web2: ok

        host  ending   ok  changed  skipped  failed  ignored  rescued  unreachable  unknown
        web1  changed   1        1        1       0        0        0            0        0
        web2  changed   2        1        0       0        0        0            0        0
        web3  failed    0        0        0       1        0        0            0        0
        web3: message of the day: no space left
        3 hosts: 0 ok, 2 changed, 1 failed, 0 unreachable, 0 unknown, 0 not run, 0 locked
        Applied: 2 changed, 1 failed, 0 unknown, 1 unchanged on 3 hosts
        "#);
    }

    #[test]
    fn quiet_shows_failures_and_the_end() {
        insta::assert_snapshot!(shown(&samples::run(), 0, true), @r#"
        task message of the day (site.yml:10)
        web3: failed: no space left on "/"\u{1b}[2J
        Applied: 2 changed, 1 failed, 0 unknown, 1 unchanged on 3 hosts
        "#);
    }

    #[test]
    fn a_plan_says_will_and_why_it_cannot_know() {
        let (first, second) = (samples::task(1, "message of the day"), samples::task(2, "look"));
        let mut events = started(RunMode::Plan, &["web1"]);
        events.push(ends(&first, "web1", TaskEnding::Changed, vec![samples::motd()], None));
        events.push(ends(&second, "web1", TaskEnding::Unknown, vec![], Some("the command is not run in a plan")));
        insta::assert_snapshot!(shown(&events, 0, false), @r"
        play web servers on 1 host

        task message of the day (site.yml:10)
        web1: will change file /etc/motd mode 0644 -> 0600, content
        --- /etc/motd
        +++ /etc/motd
        @@ -1 +1 @@
        -old
        +new

        task look (site.yml:20)
        web1: cannot be known until applied (the command is not run in a plan)
        ");
    }

    #[test]
    fn a_task_is_told_as_soon_as_all_hosts_have_passed_it_and_not_before() {
        let (first, second) = (samples::task(1, "one"), samples::task(2, "two"));
        let (mut human, screen) = human(0, false);
        let changed = |task, host| ends(task, host, TaskEnding::Changed, vec![], None);
        for event in started(RunMode::Apply, &["a", "b"]) {
            human.event(&event);
        }
        human.event(&changed(&first, "a"));
        human.event(&changed(&second, "a"));
        assert!(!screen.text().contains("changed"), "b has not passed it");
        // Host b skips the first task without a word (a bypassed section) and begins the second.
        human.event(&begins(&second, "b"));
        assert!(screen.text().contains("a: changed"), "{}", screen.text());
        human.event(&changed(&second, "b"));
        assert!(screen.text().ends_with("2 hosts: a, b: changed\n"), "{}", screen.text());
    }

    #[test]
    fn items_are_told_with_their_task() {
        let task = samples::task(1, "files");
        let mut events = started(RunMode::Apply, &["a"]);
        for (item, ending) in [("x\u{202e}", TaskEnding::Changed), ("y", TaskEnding::Ok)] {
            events.push(Event::ItemEnded {
                task: Arc::clone(&task),
                host: "a".into(),
                item: item.into(),
                ending,
                changes: if ending == TaskEnding::Changed { vec![samples::motd()] } else { vec![] },
                message: None,
                result: serde_json::Value::Null,
            });
        }
        events.push(ends(&task, "a", TaskEnding::Changed, vec![], None));
        insta::assert_snapshot!(shown(&events, 0, false), @r"
        play web servers on 1 host

        task files (site.yml:10)
        a: changed file /etc/motd mode 0644 -> 0600, content [x\u{202e}]
        ");
    }

    #[test]
    fn debug_is_heard() {
        let mut task = (*samples::task(1, "say")).clone();
        task.module = "debug".into();
        let mut events = started(RunMode::Apply, &["a"]);
        events.push(ends(&Arc::new(task), "a", TaskEnding::Ok, vec![], Some("hello\nworld\u{7}")));
        assert!(shown(&events, 0, false).ends_with("a: hello\n  world\\u{7}\n"));
    }

    #[test]
    fn of_many_changes_the_rest_is_counted() {
        use stead_modules::change::{Content, ResourceId, ResourceState, compare};
        let task = samples::task(1, "tree");
        let file = |at: usize| {
            let id = ResourceId::new("file", format!("/srv/{at}"));
            ResourceState::present(id)
                .with("state", if at.is_multiple_of(10) { "directory" } else { "file" })
                .with_content(Content::of(b"x"))
        };
        let changes: Vec<Change> = compare(&[], &(0..500).map(file).collect::<Vec<_>>());
        let mut events = started(RunMode::Apply, &["a"]);
        events.push(ends(&task, "a", TaskEnding::Changed, changes, None));
        let text = shown(&events, 0, false);
        assert!(text.contains("a: created directory /srv/0 (content)\n"), "{text}");
        assert!(text.ends_with("a: and 490 more: created directory 49, created file 441 (-v shows all)\n"), "{text}");
        assert_eq!(text.lines().filter(|line| line.starts_with("a: ")).count(), 11);
        assert_eq!(shown(&events, 1, false).lines().filter(|line| line.starts_with("a: ")).count(), 500);
    }
}
