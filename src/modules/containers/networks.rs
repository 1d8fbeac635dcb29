//! Networks that a container is connected to.

use serde_json::{Map, Value, json};

use super::words::{each, map, scalar};
use crate::outcome::Failure;
use crate::system::tool::plain_word;

/// The networks by name, each with its addresses, aliases and links, as `inspect` says them.
pub(super) fn observed(container: &Value) -> Value {
    let id = scalar(&container["Id"]);
    let one = |found: &Value| {
        let texts = |value: &Value| -> Vec<String> {
            value
                .as_array()
                .into_iter()
                .flatten()
                .map(scalar)
                .filter(|alias| alias.is_empty() || !id.starts_with(alias.as_str()))
                .collect()
        };
        let mut endpoint = Map::new();
        for (name, field) in [("ipv4_address", "IPv4Address"), ("ipv6_address", "IPv6Address")] {
            if let Some(address) = found["IPAMConfig"][field].as_str().filter(|address| !address.is_empty()) {
                endpoint.insert(name.into(), address.into());
            }
        }
        for (name, field) in [("aliases", "Aliases"), ("links", "Links")] {
            let list = texts(&found[field]);
            if !list.is_empty() {
                endpoint.insert(name.into(), list.into());
            }
        }
        if let Some(address) = found["MacAddress"].as_str().filter(|address| !address.is_empty()) {
            endpoint.insert("mac_address".into(), address.into());
        }
        Value::Object(endpoint)
    };
    map(&container["NetworkSettings"]["Networks"])
        .iter()
        .map(|(name, found)| (name.clone(), one(found)))
        .collect::<Map<_, _>>()
        .into()
}

/// The hardware address that was asked for.
pub(super) fn hardware(container: &Value) -> Value {
    let own = &container["Config"]["MacAddress"];
    if own.as_str().is_some_and(|address| !address.is_empty()) {
        return own.clone();
    }
    let networks = map(&container["NetworkSettings"]["Networks"]);
    networks.values().map(|network| network["MacAddress"].clone()).find(|address| *address != "").unwrap_or(json!(""))
}

/// Networks that are asked for, each with what is said of it.
pub(super) type Asked = Vec<(String, Map<String, Value>)>;

/// The networks that are asked for, in their order.
pub(super) fn asked(list: &[Map<String, Value>]) -> Result<Asked, Failure> {
    let mut wanted = Vec::new();
    for given in list {
        let name = given.get("name").map(scalar).unwrap_or_default();
        plain_word("networks", &name)?;
        let mut endpoint = Map::new();
        for (option, value) in given.iter().filter(|(option, value)| *option != "name" && !value.is_null()) {
            let value = match option.as_str() {
                "ipv4_address" | "ipv6_address" | "mac_address" => json!(scalar(value)),
                "aliases" | "links" => {
                    let list = <Vec<String> as crate::args::Arg>::parse(value);
                    json!(list.map_err(|problem| Failure::new(format!("`networks`: `{option}`: {problem}")))?)
                }
                _ => return Err(Failure::new(format!("`networks`: `{option}` is not an option of a network"))),
            };
            endpoint.insert(option.clone(), value);
        }
        wanted.push((name, endpoint));
    }
    Ok(wanted)
}

/// The networks as they should be: what is connected and not named stays, unless they are compared strictly.
pub(super) fn merged(now: &Value, asked: &[(String, Map<String, Value>)], strict: bool) -> Value {
    let mut all = if strict { Map::new() } else { map(now) };
    for (name, endpoint) in asked {
        let there = map(&now[name]);
        let mut wanted = there.clone();
        for (option, value) in endpoint {
            let value = match (there.get(option), value) {
                (Some(Value::Array(there)), Value::Array(named)) => {
                    let new = named.iter().filter(|one| !there.contains(one));
                    there.iter().chain(new).cloned().collect::<Vec<_>>().into()
                }
                (None, Value::Array(named)) if named.is_empty() => continue,
                _ => value.clone(),
            };
            wanted.insert(option.clone(), value);
        }
        all.insert(name.clone(), wanted.into());
    }
    all.into()
}

/// The words that say how a container is connected to one network.
pub(super) fn endpoint_words(endpoint: &Value, alias: &str) -> Vec<String> {
    let some = |name: &str| endpoint[name].as_str().map(str::to_owned);
    let list = |name: &str| endpoint[name].as_array().into_iter().flatten().map(scalar).collect::<Vec<_>>();
    let mut words = each("--ip", some("ipv4_address"));
    words.extend(each("--ip6", some("ipv6_address")));
    words.extend(each(alias, list("aliases")));
    words.extend(each("--link", list("links")));
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_connected_stays_unless_compared_strictly() {
        let now = json!({"bridge": {}, "back": {"ipv4_address": "10.0.0.2", "aliases": ["db"]}});
        let asked = |value: Value| asked(&[value.as_object().unwrap().clone()]).unwrap();
        let same = asked(json!({"name": "back", "ipv4_address": "10.0.0.2", "aliases": ["db"], "links": []}));
        assert_eq!(merged(&now, &same, false), now);
        assert_eq!(merged(&now, &same, true), json!({"back": {"ipv4_address": "10.0.0.2", "aliases": ["db"]}}));
        let more = asked(json!({"name": "back", "aliases": ["pg"]}));
        assert_eq!(merged(&now, &more, false)["back"]["aliases"], json!(["db", "pg"]));
        assert_eq!(
            endpoint_words(&merged(&now, &more, true)["back"], "--alias").join(" "),
            "--ip 10.0.0.2 --alias db --alias pg"
        );
    }

    #[test]
    fn an_alias_that_is_the_containers_id_is_the_engines() {
        let found = json!({"Id": "abcdef", "NetworkSettings": {"Networks": {"n": {
            "IPAMConfig": null, "Aliases": ["abc", "db"], "Links": null, "MacAddress": "",
        }}}});
        assert_eq!(observed(&found), json!({"n": {"aliases": ["db"]}}));
    }
}
