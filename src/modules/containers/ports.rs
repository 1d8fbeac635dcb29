//! Published and exposed ports of containers.

use serde_json::{Map, Value};

use crate::outcome::Failure;

/// A port or a range, and its protocol: `80`, `80-81/udp`.
fn port(text: &str) -> Result<(Vec<u16>, String), Failure> {
    let bad = || Failure::new(format!("`{text}` is no port, range of ports, or one with a protocol"));
    let (numbers, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let (first, last) = numbers.split_once('-').unwrap_or((numbers, numbers));
    let (first, last): (u16, u16) = (first.parse().map_err(|_| bad())?, last.parse().map_err(|_| bad())?);
    if last < first || !["tcp", "udp", "sctp"].contains(&protocol.to_lowercase().as_str()) {
        return Err(bad());
    }
    Ok(((first..=last).collect(), protocol.to_lowercase()))
}

/// Splits at colons outside brackets.
fn parts(text: &str) -> Vec<String> {
    let mut list = vec![String::new()];
    let mut inside = false;
    for c in text.chars() {
        match c {
            '[' => inside = true,
            ']' => inside = false,
            ':' if !inside => list.push(String::new()),
            other => list.last_mut().expect("it begins with one").push(other),
        }
    }
    list
}

/// Where a port of a container is published: address and port of the host. All addresses are no address.
fn place(address: &str, port: &str) -> String {
    let address = if matches!(address, "0.0.0.0" | "::") { "" } else { address };
    format!("{address}|{}", if port == "0" { "" } else { port })
}

/// What is asked: for each port of the container (`80/tcp`) the places where it is published.
pub(super) fn published(list: &[String], default_address: &str) -> Result<Map<String, Value>, Failure> {
    let mut map: Map<String, Value> = Map::new();
    for text in list {
        let parts = parts(text.trim());
        let (address, host, container) = match parts.as_slice() {
            [container] => (default_address, "", container),
            [host, container] => (default_address, host.as_str(), container),
            [address, host, container] => (address.as_str(), host.as_str(), container),
            _ => return Err(Failure::new(format!("`published_ports`: `{text}` is not ADDRESS:PORT:PORT"))),
        };
        let (numbers, protocol) = port(container)?;
        let hosts: Vec<String> = if host.is_empty() {
            numbers.iter().map(|_| String::new()).collect()
        } else {
            let (all, _) = port(host.split('/').next().unwrap_or(host))?;
            if all.len() == numbers.len() {
                all.iter().map(ToString::to_string).collect()
            } else if numbers.len() == 1 {
                // One of these, as the engine chooses.
                vec![host.to_owned()]
            } else {
                return Err(Failure::new(format!("`published_ports`: the ranges of `{text}` are not of the same length")));
            }
        };
        for (number, host) in numbers.iter().zip(hosts) {
            let places = map.entry(format!("{number}/{protocol}")).or_insert_with(|| Value::Array(Vec::new()));
            if let Value::Array(places) = places {
                places.push(place(address, &host).into());
            }
        }
    }
    Ok(map)
}

/// What `inspect` says is published, in the same form.
pub(super) fn bindings(found: &Value) -> Map<String, Value> {
    let binding = |one: &Value| place(one["HostIp"].as_str().unwrap_or_default(), one["HostPort"].as_str().unwrap_or_default());
    let ports = found.as_object().into_iter().flatten();
    ports
        .filter_map(|(port, places)| Some((port, places.as_array()?)))
        .map(|(port, places)| (port.clone(), places.iter().map(binding).collect::<Vec<_>>().into()))
        .collect()
}

/// The values of `--publish`.
pub(super) fn words(map: &Map<String, Value>) -> Vec<String> {
    let mut list = Vec::new();
    for (port, places) in map {
        for place in places.as_array().into_iter().flatten().filter_map(Value::as_str) {
            let (address, host) = place.split_once('|').unwrap_or(("", place));
            let address = if address.contains(':') { format!("[{address}]") } else { address.to_owned() };
            list.push(match (address.as_str(), host) {
                ("", "") => port.clone(),
                ("", host) => format!("{host}:{port}"),
                (address, host) => format!("{address}:{host}:{port}"),
            });
        }
    }
    list
}

/// Exposed ports, each with its protocol.
pub(super) fn exposed(list: &[String]) -> Result<Vec<String>, Failure> {
    let mut all = Vec::new();
    for text in list {
        let (numbers, protocol) = port(text.trim())?;
        all.extend(numbers.iter().map(|number| format!("{number}/{protocol}")));
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn ports_are_what_the_engine_makes_of_them() {
        let cases = [
            ("8080:80", json!({"80/tcp": ["|8080"]}), "8080:80/tcp"),
            ("0.0.0.0:8080:80", json!({"80/tcp": ["|8080"]}), "8080:80/tcp"),
            ("80", json!({"80/tcp": ["|"]}), "80/tcp"),
            ("127.0.0.1::53/udp", json!({"53/udp": ["127.0.0.1|"]}), "127.0.0.1::53/udp"),
            ("[::1]:8443:443", json!({"443/tcp": ["::1|8443"]}), "[::1]:8443:443/tcp"),
            ("9000-9001:80-81/UDP", json!({"80/udp": ["|9000"], "81/udp": ["|9001"]}), "9000:80/udp 9001:81/udp"),
            ("8000-8010:80", json!({"80/tcp": ["|8000-8010"]}), "8000-8010:80/tcp"),
        ];
        for (text, expected, said) in cases {
            let map = published(&[text.into()], "").unwrap();
            assert_eq!(Value::Object(map.clone()), expected, "{text}");
            assert_eq!(words(&map).join(" "), said);
        }
        assert_eq!(words(&published(&["80:80".into()], "10.0.0.1").unwrap()), ["10.0.0.1:80:80/tcp"]);
        for bad in ["x", "1-3:1-2", "1:2:3:4", "80/foo", "70000", "9-8", ""] {
            assert!(published(&[bad.into()], "").is_err(), "{bad}");
        }
        assert_eq!(exposed(&["80".into(), "90-91/udp".into()]).unwrap(), ["80/tcp", "90/udp", "91/udp"]);
    }

    #[test]
    fn what_is_published_reads_back() {
        let found = json!({"80/tcp": [{"HostIp": "", "HostPort": "8080"}], "53/udp": [{"HostIp": "127.0.0.1", "HostPort": "53"}], "99/tcp": null});
        assert_eq!(bindings(&found), published(&["8080:80".into(), "127.0.0.1:53:53/udp".into()], "").unwrap());
    }
}
