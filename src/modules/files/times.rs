//! Access and modification times as options: `preserve`, `now` or a moment.

use crate::host::FileStat;
use crate::outcome::Failure;

/// Times closer than this (seconds) are equal: not every file system keeps more.
const CLOSE: f64 = 0.001;

/// What a time should be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Time {
    /// As it is.
    Preserve,
    /// Not before the moment at which the task began.
    Now,
    /// This moment, seconds since the epoch.
    At(f64),
}

impl Time {
    /// Reads an option; `missing` is what its absence means.
    pub(crate) fn parse(text: Option<&str>, format: &str, missing: Self) -> Result<Self, Failure> {
        match text {
            None => Ok(missing),
            Some("preserve") => Ok(Self::Preserve),
            Some("now") => Ok(Self::Now),
            Some(text) => jiff::fmt::strtime::parse(format, text)
                .and_then(|parsed| parsed.to_datetime())
                .and_then(|moment| moment.to_zoned(jiff::tz::TimeZone::system()))
                .map(|moment| Self::At(moment.timestamp().as_second() as f64))
                .map_err(|error| {
                    Failure::new(format!("Error while obtaining timestamp for time {text} using format {format}: {error}"))
                }),
        }
    }

    /// The wanted time; `None` where it may stay.
    fn wanted(self, current: Option<f64>, began: f64) -> Option<f64> {
        match (self, current) {
            (Self::Preserve, _) => None,
            (Self::Now, Some(current)) => (current < began - CLOSE).then_some(began),
            (Self::Now, None) => Some(began),
            (Self::At(moment), current) => current.is_none_or(|current| (current - moment).abs() > CLOSE).then_some(moment),
        }
    }
}

/// Access and modification time that are asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Times {
    pub(crate) access: Time,
    pub(crate) modification: Time,
    /// When the task began.
    pub(crate) began: f64,
}

impl Times {
    /// What must be set on something with this stat: access and modification time.
    pub(crate) fn to_set(self, now: Option<&FileStat>) -> (Option<f64>, Option<f64>) {
        (
            self.access.wanted(now.map(|stat| stat.atime), self.began),
            self.modification.wanted(now.map(|stat| stat.mtime), self.began),
        )
    }

    /// Whether both may stay as they are.
    pub(crate) fn are_kept(self) -> bool {
        self.access == Time::Preserve && self.modification == Time::Preserve
    }
}

/// A moment as changes show it.
pub(crate) fn shown(seconds: f64) -> String {
    jiff::Timestamp::from_millisecond((seconds * 1000.0) as i64).map_or_else(|_| seconds.to_string(), |moment| moment.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_wanted_only_where_they_differ() {
        assert_eq!(Time::Now.wanted(Some(5.0), 10.0), Some(10.0));
        assert_eq!(Time::Now.wanted(Some(10.0), 10.0), None);
        assert_eq!(Time::Preserve.wanted(Some(5.0), 10.0), None);
        assert_eq!(Time::At(5.0).wanted(Some(5.0), 10.0), None);
        assert_eq!(Time::At(5.0).wanted(Some(6.0), 10.0), Some(5.0));
        let parsed = Time::parse(Some("202501020304.05"), "%Y%m%d%H%M.%S", Time::Now).unwrap();
        assert!(matches!(parsed, Time::At(moment) if (moment - 1_735_787_045.0).abs() < 86_400.0));
        assert!(Time::parse(Some("yesterday"), "%Y%m%d%H%M.%S", Time::Now).is_err());
    }
}
