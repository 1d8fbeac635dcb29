//! Reporters: folds of a run's events into what people and other programs read.

mod ansible;
mod diff;
mod grouped;
mod human;
mod json;
mod junit;
mod progress;
mod recap;
mod wording;

use stead::run::event::{Event, EventSink};

pub(crate) use ansible::{AdHoc, Ansible, AnsibleOptions, indented_json};
pub(crate) use diff::unified;
pub(crate) use human::{Human, HumanOptions};
pub(crate) use json::Json;
pub(crate) use junit::Junit;

/// Hands every event to several sinks, in order.
#[derive(Default)]
pub(crate) struct Sinks(pub(crate) Vec<Box<dyn EventSink>>);

impl EventSink for Sinks {
    fn event(&mut self, event: &Event) {
        self.0.iter_mut().for_each(|sink| sink.event(event));
    }
}

#[cfg(test)]
pub(crate) mod samples;
