//! The end of a report: a table of hosts whose sum is the number selected, and one last line.

use anstyle::Style;
use comfy_table::{CellAlignment, LineStyle, Table, TableStyle};
use stead::run::escape::escape_line;
use stead::run::event::{HostRecap, RunMode};
use stead::run::summary::Summary;

use super::wording;

/// Above this many hosts, hosts with equal rows share one.
const FOLDED: usize = 30;

/// Lines above, below, and under the names of columns.
const STYLE: TableStyle = TableStyle::new().top_border(LINE).header_separator(LINE).bottom_border(LINE);
const LINE: LineStyle = LineStyle::none().fill('─').junction('─');

/// How the table is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    /// With lines, for a terminal.
    Drawn,
    /// Aligned text, for a pipe.
    Plain,
}

/// The table, the line of endings and the last line.
pub(crate) fn recap(mode: RunMode, summary: &Summary, look: Look) -> String {
    let mut text = table(mode, summary, look);
    text.push_str(&endings(mode, summary));
    text.push('\n');
    text.push_str(&last_line(mode, summary));
    text.push('\n');
    text
}

fn table(mode: RunMode, summary: &Summary, look: Look) -> String {
    let mut rows: Vec<(Vec<String>, &HostRecap, usize)> = Vec::new();
    for host in &summary.hosts {
        let same = rows
            .iter_mut()
            .find(|(_, other, _)| other.ending == host.ending && other.counts == host.counts && other.why == host.why);
        match same {
            Some((_, _, count)) if summary.hosts.len() > FOLDED => *count += 1,
            _ => rows.push((cells(mode, host), host, 1)),
        }
    }
    for (cells, _, count) in &mut rows {
        if *count > 1 {
            cells[0] = format!("{} and {} more", cells[0], *count - 1);
        }
    }
    let changed = if mode == RunMode::Apply { "changed" } else { "to change" };
    let header = ["host", "ending", "ok", changed, "skipped", "failed", "ignored", "rescued", "unreachable", "unknown"];
    let mut text = match look {
        Look::Drawn => drawn(&header, &rows),
        Look::Plain => plain(&header, &rows),
    };
    for (cells, host, _) in &rows {
        if let Some(why) = &host.why {
            let style = wording::host_style(host.ending);
            text.push_str(&format!("{style}{}{style:#}: {}\n", cells[0], escape_line(why)));
        }
    }
    text
}

fn cells(mode: RunMode, host: &HostRecap) -> Vec<String> {
    let counts = &host.counts;
    let numbers = [
        counts.ok,
        counts.changed,
        counts.skipped,
        counts.failed,
        counts.ignored,
        counts.rescued,
        counts.unreachable,
        counts.unknown,
    ];
    let words = [escape_line(&host.host), wording::host_ending(mode, host.ending).to_owned()];
    words.into_iter().chain(numbers.iter().map(ToString::to_string)).collect()
}

fn drawn(header: &[&str], rows: &[(Vec<String>, &HostRecap, usize)]) -> String {
    let mut table = Table::new();
    table.load_style(STYLE).set_header(header.iter().copied());
    for (cells, _, _) in rows {
        table.add_row(cells.iter());
    }
    for at in 2..header.len() {
        if let Some(column) = table.column_mut(at) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.to_string().lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

fn plain(header: &[&str], rows: &[(Vec<String>, &HostRecap, usize)]) -> String {
    let width = |at: usize| {
        rows.iter().map(|(cells, _, _)| cells[at].chars().count()).chain([header[at].len()]).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let line = |cells: Vec<&str>, style: Style| {
        let mut line = String::new();
        for (at, cell) in cells.iter().enumerate() {
            let gap = " ".repeat(widths[at] - cell.chars().count());
            match at {
                0 => line.push_str(&format!("{cell}{gap}")),
                1 => line.push_str(&format!("  {style}{cell}{style:#}{gap}")),
                _ => line.push_str(&format!("  {gap}{cell}")),
            }
        }
        format!("{}\n", line.trim_end())
    };
    let mut text = line(header.to_vec(), Style::new());
    for (cells, host, _) in rows {
        text.push_str(&line(cells.iter().map(String::as_str).collect(), wording::host_style(host.ending)));
    }
    text
}

/// Every state with its number of hosts: the sum is the number of hosts.
fn endings(mode: RunMode, summary: &Summary) -> String {
    let list: Vec<String> =
        summary.endings().iter().map(|(ending, count)| format!("{count} {}", wording::host_ending(mode, *ending))).collect();
    format!("{}: {}", hosts(summary.hosts.len()), list.join(", "))
}

fn last_line(mode: RunMode, summary: &Summary) -> String {
    let counts = summary.counts();
    let unchanged = counts.ok.saturating_sub(counts.changed);
    let on = hosts(summary.hosts.len());
    let bold = Style::new().bold();
    let text = match mode {
        RunMode::Plan => format!("Plan: {} to change, {} unknown, {unchanged} unchanged on {on}", counts.changed, counts.unknown),
        RunMode::Drift => format!("Drift: {} differ, {} unknown, {unchanged} as wanted on {on}", counts.changed, counts.unknown),
        RunMode::Apply => format!(
            "Applied: {} changed, {} failed, {} unknown, {unchanged} unchanged on {on}",
            counts.changed, counts.failed, counts.unknown
        ),
    };
    let end = if summary.interrupted { " (interrupted)" } else { "" };
    format!("{bold}{text}{end}{bold:#}")
}

/// "1 host", "3 hosts".
pub(crate) fn hosts(count: usize) -> String {
    format!("{count} {}", if count == 1 { "host" } else { "hosts" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use stead::run::event::{Counts, EventSink as _, HostEnding};

    fn summary(hosts: usize) -> Summary {
        let mut summary = Summary::default();
        for event in &super::super::samples::run() {
            summary.event(event);
        }
        let host = |number: usize| HostRecap {
            host: format!("web{number:02}").into(),
            ending: HostEnding::Ok,
            counts: Counts { ok: 3, ..Counts::default() },
            why: None,
        };
        summary.hosts.extend((0..hosts).map(host));
        summary
    }

    fn text(mode: RunMode, hosts: usize, look: Look) -> String {
        anstream::adapter::strip_str(&recap(mode, &summary(hosts), look)).to_string()
    }

    #[test]
    fn a_pipe_gets_aligned_text() {
        insta::assert_snapshot!(text(RunMode::Apply, 0, Look::Plain), @r"
        host  ending   ok  changed  skipped  failed  ignored  rescued  unreachable  unknown
        web1  changed   1        1        1       0        0        0            0        0
        web2  changed   2        1        0       0        0        0            0        0
        web3  failed    0        0        0       1        0        0            0        0
        web3: message of the day: no space left
        3 hosts: 0 ok, 2 changed, 1 failed, 0 unreachable, 0 unknown, 0 not run, 0 locked
        Applied: 2 changed, 1 failed, 0 unknown, 1 unchanged on 3 hosts
        ");
    }

    #[test]
    fn a_terminal_gets_a_table() {
        insta::assert_snapshot!(text(RunMode::Plan, 0, Look::Drawn), @r"
        ──────────────────────────────────────────────────────────────────────────────────────────────────
         host   ending      ok   to change   skipped   failed   ignored   rescued   unreachable   unknown
        ──────────────────────────────────────────────────────────────────────────────────────────────────
         web1   to change    1           1         1        0         0         0             0         0
         web2   to change    2           1         0        0         0         0             0         0
         web3   failed       0           0         0        1         0         0             0         0
        ──────────────────────────────────────────────────────────────────────────────────────────────────
        web3: message of the day: no space left
        3 hosts: 0 unchanged, 2 to change, 1 failed, 0 unreachable, 0 unknown, 0 not run, 0 locked
        Plan: 2 to change, 0 unknown, 1 unchanged on 3 hosts
        ");
    }

    #[test]
    fn many_equal_hosts_share_a_row() {
        let text = text(RunMode::Apply, 40, Look::Plain);
        assert!(text.contains("web00 and 39 more  ok"), "{text}");
        assert!(text.contains("\n43 hosts: 40 ok, "), "{text}");
    }
}
