//! Values as JSON for the program and back, with their types: what JSON cannot say is an object with
//! the key `$`.

use serde_json::{Map as Object, Value as Json, json};

use crate::vars::{Key, Map, Value};

/// A value for the program.
pub(super) fn encoded(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(value) => (*value).into(),
        Value::Int(number) => (*number).into(),
        Value::Float(number) if number.is_finite() => (*number).into(),
        Value::Float(number) => json!({"$": "float", "value": number.to_string()}),
        Value::Str(text) => (&**text).into(),
        Value::List(items) => items.iter().map(encoded).collect(),
        Value::Map(map) => {
            if map.keys().all(|key| key.as_str().is_some_and(|key| key != "$")) {
                let entry = |(key, value): (&Key, &Value)| (key.to_string(), encoded(value));
                return Json::Object(map.iter().map(entry).collect());
            }
            let item = |(key, value): (&Key, &Value)| json!([encoded(&Value::from(key.clone())), encoded(value)]);
            json!({"$": "map", "items": map.iter().map(item).collect::<Vec<_>>()})
        }
        // What is unknown is never sent; both read as "not given".
        Value::Omit | Value::Unknown(_) => json!({"$": "omit"}),
    }
}

/// A value from the program; none if it does not keep to the rules.
pub(super) fn decoded(json: Json) -> Option<Value> {
    Some(match json {
        Json::Object(object) if object.contains_key("$") => return special(object),
        Json::Object(object) => {
            let entry = |(key, value)| Some((Key::from(key), decoded(value)?));
            Value::from(object.into_iter().map(entry).collect::<Option<Map>>()?)
        }
        Json::Array(items) => Value::from(items.into_iter().map(decoded).collect::<Option<Vec<_>>>()?),
        plain => Value::from(plain),
    })
}

fn special(mut object: Object<String, Json>) -> Option<Value> {
    match object.get("$")?.as_str()? {
        "omit" => Some(Value::Omit),
        "float" => object.get("value")?.as_str()?.parse().ok().map(Value::Float),
        "map" => {
            let Json::Array(items) = object.remove("items")? else { return None };
            let entry = |item: Json| {
                let Json::Array(pair) = item else { return None };
                let [key, value] = <[Json; 2]>::try_from(pair).ok()?;
                let key = match decoded(key)? {
                    Value::Str(text) => Key::Str(text),
                    Value::Int(number) => Key::Int(number),
                    Value::Bool(value) => Key::Bool(value),
                    Value::Float(number) => Key::Float(number),
                    Value::Null => Key::Null,
                    _ => return None,
                };
                Some((key, decoded(value)?))
            };
            Some(Value::from(items.into_iter().map(entry).collect::<Option<Map>>()?))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back_as_they_were() {
        let odd = Map::from_iter([
            (Key::Int(1), Value::from("one")),
            (Key::Null, Value::Float(f64::INFINITY)),
            (Key::from("$"), Value::Omit),
        ]);
        for value in [
            Value::Null,
            Value::Bool(true),
            Value::Int(-5),
            Value::Float(1.0),
            Value::Float(1e300),
            Value::from("é\n"),
            Value::from(vec![Value::Int(1), Value::Float(1.5), Value::from(odd)]),
            Value::from(Map::from_iter([(Key::from("a"), Value::from(Vec::new())), (Key::from("$x"), Value::Omit)])),
        ] {
            let text = encoded(&value).to_string();
            assert_eq!(decoded(serde_json::from_str(&text).unwrap()), Some(value), "{text}");
        }
    }

    #[test]
    fn what_breaks_the_rules_is_refused() {
        for text in [r#"{"$": "what"}"#, r#"{"$": 5}"#, r#"{"$": "map", "items": [[1]]}"#, r#"{"$": "map", "items": [[[1], 2]]}"#]
        {
            assert_eq!(decoded(serde_json::from_str(text).unwrap()), None, "{text}");
        }
    }
}
