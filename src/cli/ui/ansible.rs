//! The shape of `ansible-playbook`'s screen (PLAY, TASK, `ok: [host]`, PLAY RECAP), for scripts and
//! people that read it.

use std::collections::HashMap;
use std::io::Write;
use std::sync::Arc;

use anstyle::{AnsiColor, Style};
use serde_json::Value;
use stead::run::escape::{escape_line, escape_text};
use stead::run::event::{Counts, Event, EventSink, HostEnding, HostRecap, NoteLevel, RunMode, TaskEnding, TaskInfo};
use stead_modules::change::Change;

use super::diff;
use super::grouped::{Finished, Grouped};

/// Columns that a heading fills where the terminal's width is not known.
const COLUMNS: usize = 79;

/// How much is said, and how.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AnsibleOptions {
    /// `-v` count: from 1 on, results are printed.
    pub(crate) verbosity: u8,
    /// `--diff`.
    pub(crate) diffs: bool,
    /// `ANSIBLE_DISPLAY_SKIPPED_HOSTS`.
    pub(crate) shows_skipped: bool,
    /// Columns that headings fill.
    pub(crate) columns: usize,
}

impl AnsibleOptions {
    /// As wide as the terminal, if there is one.
    pub(crate) fn new(verbosity: u8, diffs: bool, shows_skipped: bool) -> Self {
        let width = rustix::termios::tcgetwinsize(std::io::stdout()).map_or(0, |size| usize::from(size.ws_col));
        Self { verbosity, diffs, shows_skipped, columns: COLUMNS.max(width.saturating_sub(1)) }
    }
}

/// The reporter.
pub(crate) struct Ansible {
    out: Box<dyn Write + Send>,
    err: Box<dyn Write + Send>,
    options: AnsibleOptions,
    mode: RunMode,
    grouped: Grouped<String>,
    items: HashMap<(u64, Arc<str>), String>,
    heading: Option<u64>,
}

impl Ansible {
    /// Prints to standard output; warnings to standard error.
    pub(crate) fn new(options: AnsibleOptions) -> Self {
        let out = Box::new(anstream::AutoStream::auto(std::io::stdout()));
        Self::with(options, out, Box::new(anstream::AutoStream::auto(std::io::stderr())))
    }

    fn with(options: AnsibleOptions, out: Box<dyn Write + Send>, err: Box<dyn Write + Send>) -> Self {
        Self { out, err, options, mode: RunMode::Apply, grouped: Grouped::default(), items: HashMap::new(), heading: None }
    }

    fn print(&mut self, text: &str) {
        // A closed pipe must not end the run.
        let _ = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush());
    }

    fn banner(&self, text: &str) -> String {
        let stars = self.options.columns.saturating_sub(text.chars().count()).max(3);
        format!("\n{text} {}\n", "*".repeat(stars))
    }

    fn tell(&mut self, finished: Vec<Finished<String>>) {
        for Finished { task, said } in finished {
            let shown = said.iter().any(|(_, text)| !text.is_empty());
            if !shown && !self.options.shows_skipped {
                continue;
            }
            if !said.is_empty() && self.heading != Some(task.id) {
                self.heading = Some(task.id);
                let role = task.role.as_ref().map(|role| format!("{} : ", escape_line(role))).unwrap_or_default();
                let kind = if task.handler { "RUNNING HANDLER" } else { "TASK" };
                let heading = self.banner(&format!("{kind} [{role}{}]", escape_line(&task.name)));
                self.print(&heading);
            }
            let text: String = said.into_iter().map(|(_, text)| text).collect();
            self.print(&text);
        }
    }

    /// The lines for one ending, of a task or of an item.
    fn lines(&self, told: &Told<'_>) -> String {
        let Told { task, host, item, ending, .. } = *told;
        let mut text = String::new();
        if self.options.diffs {
            for change in told.changes {
                text.push_str(&diff::diffs(change, diff::Length::Whole));
            }
        }
        let host = escape_line(host);
        let style = super::wording::task_style(ending);
        let says = task.module == "debug" && matches!(ending, TaskEnding::Ok | TaskEnding::Changed);
        let result = says || self.options.verbosity > 0;
        let line = match ending {
            TaskEnding::Ok | TaskEnding::Changed => {
                let word = if ending == TaskEnding::Ok { "ok" } else { "changed" };
                let item = item.map(|item| format!(" => (item={})", escape_line(item))).unwrap_or_default();
                let result = if result { format!(" => {}", told.result(says)) } else { String::new() };
                format!("{word}: [{host}]{item}{result}")
            }
            TaskEnding::Skipped | TaskEnding::Unknown if ending == TaskEnding::Skipped || self.mode != RunMode::Apply => {
                if !self.options.shows_skipped {
                    return text;
                }
                let item = item.map(|item| format!(" => (item={})", escape_line(item))).unwrap_or_default();
                let why = match (ending, told.message) {
                    (TaskEnding::Unknown, Some(why)) => format!(" (cannot be known until applied: {})", escape_line(why)),
                    _ => String::new(),
                };
                format!("skipping: [{host}]{item}{why}")
            }
            _ if item.is_some() => {
                let item = item.map(escape_line).unwrap_or_default();
                format!("failed: [{host}] (item={item}) => {}", told.result(false))
            }
            TaskEnding::Unreachable => format!("fatal: [{host}]: UNREACHABLE! => {}", told.result(false)),
            TaskEnding::Unknown => format!("fatal: [{host}]: UNKNOWN! => {}", told.result(false)),
            _ => format!("fatal: [{host}]: FAILED! => {}", told.result(false)),
        };
        text.push_str(&format!("{style}{line}{style:#}\n"));
        if ending == TaskEnding::Ignored && item.is_none() {
            text.push_str(&ignoring());
        }
        text
    }

    fn recap(&self, hosts: &[HostRecap]) -> String {
        let mut text = self.banner("PLAY RECAP");
        for recap in hosts.iter().filter(|recap| recap.ending != HostEnding::NotRun || recap.why.is_some()) {
            let style = host_style(recap);
            let Counts { ok, changed, skipped, failed, ignored, rescued, unreachable, unknown } = recap.counts;
            let number = |name: &str, count: u64, colour: Style| {
                let style = if count > 0 { colour } else { Style::new() };
                format!("{style}{:<width$}{style:#}", format!("{name}={count}"), width = name.len() + 5)
            };
            let (green, yellow, red) =
                (AnsiColor::Green.on_default(), AnsiColor::Yellow.on_default(), AnsiColor::Red.on_default());
            let (cyan, blue) = (AnsiColor::Cyan.on_default(), AnsiColor::Blue.on_default());
            let columns = [
                number("ok", ok, green),
                number("changed", changed, yellow),
                number("unreachable", unreachable, red),
                number("failed", failed, red),
                number("skipped", skipped, cyan),
                number("rescued", rescued, yellow),
                number("ignored", ignored, blue),
            ];
            let unknown = if unknown > 0 { format!(" unknown={unknown}") } else { String::new() };
            text.push_str(&format!("{style}{:<26}{style:#} : {}{unknown}\n", escape_line(&recap.host), columns.join(" ")));
            if let (Some(why), HostEnding::Locked | HostEnding::NotRun | HostEnding::Unknown) = (&recap.why, recap.ending) {
                text.push_str(&format!("  {}\n", escape_line(why)));
            }
        }
        text.push('\n');
        text
    }
}

fn ignoring() -> String {
    let cyan = AnsiColor::Cyan.on_default();
    format!("{cyan}...ignoring{cyan:#}\n")
}

fn host_style(recap: &HostRecap) -> Style {
    match recap.ending {
        HostEnding::Failed | HostEnding::Unreachable | HostEnding::Unknown | HostEnding::Locked => AnsiColor::Red.on_default(),
        _ if recap.counts.changed > 0 => AnsiColor::Yellow.on_default(),
        _ => AnsiColor::Green.on_default(),
    }
}

/// How something ended, as the event says it.
#[derive(Clone, Copy)]
struct Told<'a> {
    task: &'a TaskInfo,
    host: &'a str,
    item: Option<&'a str>,
    ending: TaskEnding,
    changes: &'a [Change],
    message: Option<&'a str>,
    result: &'a Value,
}

impl Told<'_> {
    /// The result as JSON, keys in order; on several lines where it is what the task is for.
    fn result(&self, wide: bool) -> String {
        let hidden = serde_json::json!({"censored": "hidden by no_log", "changed": self.ending == TaskEnding::Changed});
        let mut result = match self.result.as_object() {
            Some(map) if map.is_empty() => hidden,
            Some(map) => Value::Object(map.clone()),
            None => serde_json::json!({}),
        };
        if let (Some(map), Some(message)) = (result.as_object_mut(), self.message)
            && !map.contains_key("msg")
            && !map.contains_key("censored")
        {
            map.insert("msg".into(), message.into());
        }
        if wide && let Some(map) = result.as_object_mut() {
            // What a task that only speaks says is its message.
            map.retain(|name, _| !matches!(name.as_str(), "changed" | "failed" | "skipped"));
        }
        result.sort_all_objects();
        let text = if wide { indented_json(&result) } else { spaced(&result) };
        escape_text(&text)
    }
}

/// One line, with a space after commas and colons, as Python writes JSON.
fn spaced(value: &Value) -> String {
    struct Spaced;
    impl serde_json::ser::Formatter for Spaced {
        fn begin_array_value<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> std::io::Result<()> {
            if first { Ok(()) } else { out.write_all(b", ") }
        }
        fn begin_object_key<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> std::io::Result<()> {
            if first { Ok(()) } else { out.write_all(b", ") }
        }
        fn begin_object_value<W: ?Sized + Write>(&mut self, out: &mut W) -> std::io::Result<()> {
            out.write_all(b": ")
        }
    }
    written(value, Spaced)
}

/// Indented by four, as Python does.
pub(crate) fn indented_json(value: &Value) -> String {
    written(value, serde_json::ser::PrettyFormatter::with_indent(b"    "))
}

fn written(value: &Value, formatter: impl serde_json::ser::Formatter) -> String {
    let mut bytes = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, formatter);
    serde::Serialize::serialize(value, &mut serializer).expect("a JSON value can be written");
    String::from_utf8(bytes).expect("JSON is UTF-8")
}

impl EventSink for Ansible {
    fn event(&mut self, event: &Event) {
        match event {
            Event::RunStarted { mode, .. } => self.mode = *mode,
            Event::PlayStarted { play, hosts, .. } => {
                let rest = self.grouped.rest();
                self.tell(rest);
                self.grouped.play(hosts);
                self.items.clear();
                self.heading = None;
                let banner = self.banner(&format!("PLAY [{}]", escape_line(play)));
                self.print(&banner);
                if hosts.is_empty() {
                    self.print("skipping: no hosts matched\n");
                }
            }
            Event::TaskStarted { task, host } => {
                let finished = self.grouped.started(task, host);
                self.tell(finished);
            }
            Event::ItemEnded { task, host, item, ending, changes, message, result } => {
                let message = message.as_deref();
                let told = Told { task, host, item: Some(item), ending: *ending, changes, message, result };
                let lines = self.lines(&told);
                self.items.entry((task.id, Arc::clone(host))).or_default().push_str(&lines);
            }
            Event::TaskEnded { task, host, ending, changes, message, result, .. } => {
                let told = Told { task, host, item: None, ending: *ending, changes, message: message.as_deref(), result };
                let mut lines = self.items.remove(&(task.id, Arc::clone(host))).unwrap_or_default();
                let looped = !lines.is_empty();
                match ending {
                    TaskEnding::Ignored if looped => lines.push_str(&ignoring()),
                    // The items have said it.
                    TaskEnding::Ok | TaskEnding::Changed | TaskEnding::Failed | TaskEnding::Rescued if looped => {}
                    _ => lines.push_str(&self.lines(&told)),
                }
                let leaves = matches!(ending, TaskEnding::Failed | TaskEnding::Unreachable)
                    || (*ending == TaskEnding::Unknown && self.mode == RunMode::Apply);
                let finished = self.grouped.ended(task, host, Some(lines), leaves);
                self.tell(finished);
            }
            Event::Note { level, host, text } => {
                if *level == NoteLevel::Warning || self.options.verbosity > 0 {
                    let who = host.as_ref().map(|host| format!("{}: ", escape_line(host))).unwrap_or_default();
                    let style = AnsiColor::Magenta.on_default();
                    let line = format!("{style}[WARNING]: {who}{}{style:#}\n", escape_text(text));
                    let _ = self.err.write_all(line.as_bytes());
                }
            }
            Event::RunEnded { recap, .. } => {
                let rest = self.grouped.rest();
                self.tell(rest);
                let text = self.recap(recap);
                self.print(&text);
            }
        }
    }
}

/// One line or block per host, as `ansible` prints for a single module.
pub(crate) struct AdHoc {
    out: Box<dyn Write + Send>,
    one_line: bool,
    diffs: bool,
    plans: bool,
}

impl AdHoc {
    /// Prints to standard output. `one_line`: `-o`.
    pub(crate) fn new(one_line: bool, diffs: bool) -> Self {
        Self { out: Box::new(anstream::AutoStream::auto(std::io::stdout())), one_line, diffs, plans: false }
    }
}

impl EventSink for AdHoc {
    fn event(&mut self, event: &Event) {
        if let Event::RunStarted { mode, .. } = event {
            self.plans = *mode != RunMode::Apply;
        }
        let Event::TaskEnded { task, host, ending, changes, message, result, .. } = event else { return };
        let told = Told { task, host, item: None, ending: *ending, changes, message: message.as_deref(), result };
        let style = super::wording::task_style(*ending);
        let word = match ending {
            TaskEnding::Ok => "SUCCESS",
            TaskEnding::Changed => "CHANGED",
            TaskEnding::Skipped => "SKIPPED",
            TaskEnding::Unreachable => "UNREACHABLE!",
            // Only a plan does not know: nothing was run.
            TaskEnding::Unknown if self.plans => "SKIPPED",
            TaskEnding::Unknown => "UNKNOWN!",
            _ => "FAILED!",
        };
        let would_run = self.plans && changes.iter().any(|change| change.action == stead_modules::change::Action::Run);
        if word == "SKIPPED" || would_run {
            let text = format!("{style}{} | SKIPPED{style:#}\n", escape_line(host));
            let _ = self.out.write_all(text.as_bytes());
            return;
        }
        let host = escape_line(host);
        let speaks = matches!(task.module.as_str(), "command" | "shell" | "raw" | "script") && result.get("rc").is_some();
        let text = if speaks {
            let word = if *ending == TaskEnding::Failed { "FAILED" } else { word };
            let stream = |name: &str| escape_text(result[name].as_str().unwrap_or_default());
            let streams: Vec<String> =
                ["stdout", "stderr", "msg"].map(stream).into_iter().filter(|text| !text.is_empty()).collect();
            if self.one_line {
                let joined = streams.join("\\n").replace('\n', "\\n");
                format!("{style}{host} | {word} | rc={} | (stdout) {joined}{style:#}\n", result["rc"])
            } else {
                format!("{style}{host} | {word} | rc={} >>\n{}{style:#}\n", result["rc"], streams.concat())
            }
        } else {
            format!("{style}{host} | {word} => {}{style:#}\n", told.result(!self.one_line))
        };
        let diffs: String = if self.diffs {
            changes.iter().map(|change| diff::diffs(change, diff::Length::Whole)).collect()
        } else {
            String::new()
        };
        let _ = self.out.write_all(diffs.as_bytes()).and_then(|()| self.out.write_all(text.as_bytes()));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::super::samples::{self, ends, started};
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

    fn shown(mut sink: impl FnMut(Screen) -> Box<dyn EventSink>, events: &[Event]) -> String {
        let screen = Screen::default();
        let mut sink = sink(screen.clone());
        events.iter().for_each(|event| sink.event(event));
        drop(sink);
        let bytes = screen.0.lock().unwrap().clone();
        anstream::adapter::strip_str(&String::from_utf8(bytes).unwrap()).to_string()
    }

    fn screen(events: &[Event], shows_skipped: bool) -> String {
        let options = AnsibleOptions { verbosity: 0, diffs: false, shows_skipped, columns: 50 };
        shown(|screen| Box::new(Ansible::with(options, Box::new(screen.clone()), Box::new(screen))), events)
    }

    #[test]
    fn a_run_has_the_familiar_shape() {
        insta::assert_snapshot!(screen(&samples::run(), true), @r#"

        PLAY [web servers] ********************************

        TASK [message of the day] *************************
        changed: [web1]
        changed: [web2]
        fatal: [web3]: FAILED! => {"msg": "no space left on \"/\"\u001b[2J"}

        TASK [check <it>] *********************************
        skipping: [web1]
        ok: [web2]

        PLAY RECAP ****************************************
        web1                       : ok=1    changed=1    unreachable=0    failed=0    skipped=1    rescued=0    ignored=0   
        web2                       : ok=2    changed=1    unreachable=0    failed=0    skipped=0    rescued=0    ignored=0   
        web3                       : ok=0    changed=0    unreachable=0    failed=1    skipped=0    rescued=0    ignored=0   

        "#);
    }

    #[test]
    fn skipped_hosts_can_be_left_out() {
        assert!(!screen(&samples::run(), false).contains("skipping"));
    }

    #[test]
    fn a_single_module_says_a_block_for_each_host() {
        let mut task = (*samples::task(1, "command")).clone();
        task.module = "command".into();
        let mut ran = ends(&Arc::new(task), "a", TaskEnding::Changed, vec![], None);
        if let Event::TaskEnded { result, .. } = &mut ran {
            *result = serde_json::json!({"rc": 0, "stdout": "one\ntwo", "stderr": "", "changed": true});
        }
        let mut events = started(RunMode::Apply, &["a", "b"]);
        events.push(ran);
        events.push(ends(&samples::task(2, "ping"), "b", TaskEnding::Unreachable, vec![], Some("no route")));
        let sink = |screen: Screen| {
            Box::new(AdHoc { out: Box::new(screen), one_line: false, diffs: false, plans: false }) as Box<dyn EventSink>
        };
        insta::assert_snapshot!(shown(sink, &events), @r#"
        a | CHANGED | rc=0 >>
        one
        two
        b | UNREACHABLE! => {
            "msg": "no route"
        }
        "#);
    }
}
