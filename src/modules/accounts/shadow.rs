//! Ages of passwords: the columns of `/etc/shadow` that an account does not carry itself.

use std::path::Path;

use crate::host::{Effect, Inspect};

/// Where the ages stand.
const SHADOW: &str = "/etc/shadow";

/// Days that only `/etc/shadow` knows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Ages {
    /// Days of warning before expiry.
    pub warn: Option<i64>,
    /// Days after expiry until the account is disabled.
    pub inactive: Option<i64>,
}

fn text(host: &dyn Inspect) -> String {
    host.read(Path::new(SHADOW), 64 << 20).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

/// The ages of an account; nothing where they may not be read.
pub(super) fn read(host: &dyn Inspect, name: &str) -> Ages {
    let text = text(host);
    let Some(line) = text.lines().find(|line| line.split(':').next() == Some(name)) else { return Ages::default() };
    let columns: Vec<&str> = line.split(':').collect();
    let number = |at: usize| columns.get(at).and_then(|text| text.parse().ok());
    Ages { warn: number(5), inactive: number(6) }
}

/// What setting the ages does to the file, for a plan.
pub(super) fn effect(host: &dyn Inspect, name: &str, ages: Ages) -> Effect {
    let mut lines: Vec<String> = text(host).lines().map(str::to_owned).collect();
    if !lines.iter().any(|line| line.split(':').next() == Some(name)) {
        lines.push(format!("{name}:!:::::::"));
    }
    for line in &mut lines {
        let mut columns: Vec<String> = line.split(':').map(str::to_owned).collect();
        if columns[0] != name {
            continue;
        }
        columns.resize(9, String::new());
        for (at, days) in [(5, ages.warn), (6, ages.inactive)] {
            if let Some(days) = days {
                columns[at] = days.to_string();
            }
        }
        *line = columns.join(":");
    }
    Effect::File(SHADOW.into(), format!("{}\n", lines.join("\n")).into_bytes(), 0o640)
}

/// Days since the epoch as a date, or `never`.
pub(super) fn date(days: Option<i64>) -> String {
    let Some(days) = days.filter(|days| *days >= 0) else { return "never".into() };
    jiff::Timestamp::from_second(days * 86_400)
        .map_or_else(|_| format!("day {days}"), |time| time.strftime("%Y-%m-%d").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_dates() {
        assert_eq!(date(Some(18_993)), "2022-01-01");
        assert_eq!((date(None), date(Some(-1))), ("never".into(), "never".into()));
    }
}
