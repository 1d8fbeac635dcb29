//! A JUnit report: one suite per play and host, one case per task.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use stead::run::event::{Event, EventSink, RunMode, TaskEnding};

use super::wording;

/// Collects cases; writes the file when the run ends.
pub(crate) struct Junit {
    path: PathBuf,
    mode: RunMode,
    play: String,
    plays: usize,
    /// By play number and host, in order of the first case.
    suites: Vec<Suite>,
    index: BTreeMap<(usize, Arc<str>), usize>,
}

struct Suite {
    name: String,
    cases: Vec<Case>,
}

struct Case {
    name: String,
    class: String,
    seconds: f64,
    ending: TaskEnding,
    message: String,
}

impl Junit {
    /// Writes to `path` at the end.
    pub(crate) fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            mode: RunMode::Apply,
            play: String::new(),
            plays: 0,
            suites: Vec::new(),
            index: BTreeMap::new(),
        }
    }

    fn add(&mut self, host: &Arc<str>, case: Case) {
        let at = *self.index.entry((self.plays, Arc::clone(host))).or_insert_with(|| {
            self.suites.push(Suite { name: format!("{}: {host}", self.play), cases: Vec::new() });
            self.suites.len() - 1
        });
        self.suites[at].cases.push(case);
    }

    fn xml(&self) -> String {
        let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
        for suite in &self.suites {
            let count = |wanted: fn(TaskEnding) -> Kind, kind: Kind| {
                suite.cases.iter().filter(|case| wanted(case.ending) == kind).count()
            };
            xml.push_str(&format!(
                "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\" time=\"{:.3}\">\n",
                attribute(&suite.name),
                suite.cases.len(),
                count(kind, Kind::Failure),
                count(kind, Kind::Error),
                count(kind, Kind::Skipped),
                suite.cases.iter().map(|case| case.seconds).sum::<f64>(),
            ));
            for case in &suite.cases {
                xml.push_str(&self.case(case));
            }
            xml.push_str("  </testsuite>\n");
        }
        xml.push_str("</testsuites>\n");
        xml
    }

    fn case(&self, case: &Case) -> String {
        let head = format!(
            "    <testcase name=\"{}\" classname=\"{}\" time=\"{:.3}\"",
            attribute(&case.name),
            attribute(&case.class),
            case.seconds
        );
        let word = wording::task_ending(self.mode, case.ending);
        let message = attribute(if case.message.is_empty() { word } else { &case.message });
        match kind(case.ending) {
            Kind::Passed if case.ending == TaskEnding::Ok => format!("{head}/>\n"),
            Kind::Passed => format!("{head}>\n      <system-out>{}</system-out>\n    </testcase>\n", attribute(word)),
            Kind::Skipped => format!("{head}>\n      <skipped message=\"{message}\"/>\n    </testcase>\n"),
            Kind::Failure => format!("{head}>\n      <failure message=\"{message}\" type=\"{word}\"/>\n    </testcase>\n"),
            Kind::Error => format!("{head}>\n      <error message=\"{message}\" type=\"{word}\"/>\n    </testcase>\n"),
        }
    }

    /// Old or new, never in between: other programs wait for this file.
    fn write(&self) -> std::io::Result<()> {
        let directory = self.path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        let staged = directory.join(format!(".{name}.{}.tmp", std::process::id()));
        let mut file = std::fs::File::create(&staged)?;
        file.write_all(self.xml().as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&staged, &self.path)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Passed,
    Skipped,
    Failure,
    Error,
}

fn kind(ending: TaskEnding) -> Kind {
    match ending {
        TaskEnding::Ok | TaskEnding::Changed | TaskEnding::Ignored | TaskEnding::Rescued => Kind::Passed,
        TaskEnding::Skipped => Kind::Skipped,
        TaskEnding::Failed => Kind::Failure,
        TaskEnding::Unreachable | TaskEnding::Unknown => Kind::Error,
    }
}

impl EventSink for Junit {
    fn event(&mut self, event: &Event) {
        match event {
            Event::RunStarted { mode, .. } => self.mode = *mode,
            Event::PlayStarted { play, .. } => {
                self.play.clone_from(play);
                self.plays += 1;
            }
            Event::TaskEnded { task, host, ending, message, seconds, .. } => {
                let case = Case {
                    name: task.name.clone(),
                    class: task.place.clone(),
                    seconds: *seconds,
                    ending: *ending,
                    message: message.clone().unwrap_or_default(),
                };
                self.add(host, case);
            }
            Event::RunEnded { .. } => {
                if let Err(error) = self.write() {
                    anstream::eprintln!("warning: cannot write the JUnit report {}: {error}", self.path.display());
                }
            }
            _ => {}
        }
    }
}

/// Text for an attribute or an element; characters that XML does not know are shown as `?`.
fn attribute(text: &str) -> String {
    text.chars()
        .map(|char| match char {
            '&' => "&amp;".to_owned(),
            '<' => "&lt;".to_owned(),
            '>' => "&gt;".to_owned(),
            '"' => "&quot;".to_owned(),
            '\n' => "&#10;".to_owned(),
            '\t' => "&#9;".to_owned(),
            char if char.is_control() || matches!(char, '\u{fffe}' | '\u{ffff}') => "?".to_owned(),
            char => char.to_string(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn the_report_counts_and_quotes() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("report.xml");
        let mut sink = Junit::new(&path);
        for event in &samples::run() {
            sink.event(event);
        }
        let xml = std::fs::read_to_string(&path).unwrap();
        insta::assert_snapshot!(xml, @r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <testsuites>
          <testsuite name="web servers: web2" tests="2" failures="0" errors="0" skipped="0" time="1.000">
            <testcase name="message of the day" classname="site.yml:10" time="0.500">
              <system-out>changed</system-out>
            </testcase>
            <testcase name="check &lt;it&gt;" classname="site.yml:20" time="0.500"/>
          </testsuite>
          <testsuite name="web servers: web3" tests="1" failures="1" errors="0" skipped="0" time="0.500">
            <testcase name="message of the day" classname="site.yml:10" time="0.500">
              <failure message="no space left on &quot;/&quot;?[2J" type="failed"/>
            </testcase>
          </testsuite>
          <testsuite name="web servers: web1" tests="2" failures="0" errors="0" skipped="1" time="1.000">
            <testcase name="message of the day" classname="site.yml:10" time="0.500">
              <system-out>changed</system-out>
            </testcase>
            <testcase name="check &lt;it&gt;" classname="site.yml:20" time="0.500">
              <skipped message="`is_special` is false"/>
            </testcase>
          </testsuite>
        </testsuites>
        "#);
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1, "nothing else is left");
    }
}
