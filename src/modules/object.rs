//! A thing that only its tool knows, as named properties: a database, a container, a virtual host.

use serde_json::{Map, Value};

use crate::change::{ResourceId, ResourceState};
use crate::host::{Effect, Inspect, Thing};

/// Such a thing as it is, or as it should be.
///
/// A wanted one names the properties that are managed; [`Object::effect`] keeps the others.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Object {
    /// Which thing.
    pub(crate) id: ResourceId,
    /// Its properties; `None` where it is not there.
    pub(crate) there: Option<Map<String, Value>>,
}

impl Object {
    /// One that is not there.
    pub(crate) fn absent(id: ResourceId) -> Self {
        Self { id, there: None }
    }

    /// One that is there.
    pub(crate) fn present(id: ResourceId, properties: Map<String, Value>) -> Self {
        Self { id, there: Some(properties) }
    }

    /// What earlier tasks of a plan make of it; `None` where the tool has to be asked.
    pub(crate) fn planned(id: &ResourceId, host: &dyn Inspect) -> Option<Self> {
        Some(match host.thing(id)? {
            Thing::Gone => Self::absent(id.clone()),
            Thing::There(text) => {
                let properties = serde_json::from_str(&text).ok().and_then(|value: Value| value.as_object().cloned());
                Self::present(id.clone(), properties.unwrap_or_default())
            }
        })
    }

    /// Whether it is there.
    pub(crate) fn exists(&self) -> bool {
        self.there.is_some()
    }

    /// A property; null where there is none.
    pub(crate) fn get(&self, name: &str) -> &Value {
        self.there.as_ref().and_then(|properties| properties.get(name)).unwrap_or(&Value::Null)
    }

    /// A property as text; empty where there is none.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.get(name).as_str().unwrap_or_default()
    }

    /// What leads from `now` to this: unmanaged properties stay.
    pub(crate) fn effect(&self, now: &Self) -> Effect {
        let thing = match &self.there {
            None => Thing::Gone,
            Some(wanted) => {
                let mut properties = now.there.clone().unwrap_or_default();
                properties.extend(wanted.clone());
                Thing::There(Value::Object(properties).to_string())
            }
        };
        Effect::Thing(self.id.clone(), thing)
    }

    /// The state that is compared and shown: these properties, in this order.
    pub(crate) fn resource(&self, names: &[&'static str]) -> ResourceState {
        match &self.there {
            None => ResourceState::absent(self.id.clone()),
            Some(properties) => names.iter().fold(ResourceState::present(self.id.clone()), |state, name| {
                state.with(name, properties.get(*name).cloned().unwrap_or_default())
            }),
        }
    }
}

/// Properties by name; nulls are left out.
pub(crate) fn properties<const N: usize>(list: [(&str, Value); N]) -> Map<String, Value> {
    list.into_iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| (name.to_owned(), value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::memory::MemoryHost;
    use crate::host::{CommandLine, Host as _};
    use serde_json::json;

    #[test]
    fn what_is_not_managed_stays() {
        let id = ResourceId::new("database", "app");
        let now = Object::present(id.clone(), properties([("owner", json!("a")), ("encoding", json!("UTF8"))]));
        let want = Object::present(id.clone(), properties([("owner", json!("b")), ("comment", Value::Null)]));
        let mut host = MemoryHost::default();
        assert_eq!(Object::planned(&id, &host), None);
        host.act(&CommandLine::new(["x"]), &[want.effect(&now)]).unwrap();
        let then = Object::planned(&id, &host).unwrap();
        assert_eq!((then.text("owner"), then.text("encoding"), then.get("comment")), ("b", "UTF8", &Value::Null));
        host.act(&CommandLine::new(["x"]), &[Object::absent(id.clone()).effect(&now)]).unwrap();
        assert!(!Object::planned(&id, &host).unwrap().exists());
    }
}
