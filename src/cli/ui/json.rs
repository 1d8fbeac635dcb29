//! One event a line, as JSON.

use std::io::Write;

use stead::run::event::{Event, EventSink};

/// Writes events as they come; a reader at the other end of a pipe sees each at once.
pub(crate) struct Json<W: Write + Send> {
    out: W,
}

impl<W: Write + Send> Json<W> {
    /// Writes to `out`.
    pub(crate) fn new(out: W) -> Self {
        Self { out }
    }
}

impl<W: Write + Send> EventSink for Json<W> {
    fn event(&mut self, event: &Event) {
        let mut line = serde_json::to_vec(event).expect("events hold nothing that JSON cannot");
        line.push(b'\n');
        // Nobody reads any more: the run goes on and is recorded all the same.
        let _ = self.out.write_all(&line).and_then(|()| self.out.flush());
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn every_event_is_a_line_that_can_be_read_back() {
        let mut out = Vec::new();
        let events = samples::run();
        let mut sink = Json::new(&mut out);
        for event in &events {
            sink.event(event);
        }
        let text = String::from_utf8(out).unwrap();
        let back: Vec<Event> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(back, events);
    }
}
