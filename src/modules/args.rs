//! Arguments of modules: one declaration gives the struct, its coercions and its manual.
//!
//! Playbooks are lax about types (`yes` in quotes for a boolean, `"80"` for a number, `a,b` for a
//! list); [`Arg`] accepts what Ansible's documented argument types accept and says clearly what it
//! does not. The same table serves the check before a run, `stead docs` and the host.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;
use serde_json::{Map, Value};

/// The type of an option, in the words of Ansible's module documentation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ArgKind {
    /// Text; numbers and booleans are turned into text.
    Str,
    /// A boolean; also `yes`, `no`, `on`, `off`, `1`, `0`, `true`, `false` as text.
    Bool,
    /// A whole number, also as text.
    Int,
    /// A number, also as text.
    Float,
    /// A path on the host (`~` is the login user's home directory).
    Path,
    /// A file mode: octal text, a number, or symbolic (`u=rw,g=r`).
    Mode,
    /// A list; text is split at commas.
    List(Box<ArgKind>),
    /// A mapping.
    Dict,
    /// Any value.
    Raw,
    /// One of a fixed set of words.
    Choice(&'static [&'static str]),
}

impl ArgKind {
    /// The type as the manual prints it, e.g. `list of str`.
    pub fn describe(&self) -> String {
        match self {
            Self::Str => "str".into(),
            Self::Bool => "bool".into(),
            Self::Int => "int".into(),
            Self::Float => "float".into(),
            Self::Path => "path".into(),
            Self::Mode => "mode".into(),
            Self::List(of) => format!("list of {}", of.describe()),
            Self::Dict => "dict".into(),
            Self::Raw => "any".into(),
            Self::Choice(choices) => format!("one of {}", choices.join(", ")),
        }
    }
}

/// Whether an option must be given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Presence {
    /// Missing is an error.
    Required,
    /// Missing means "leave it alone".
    Optional,
    /// Missing means this value (as written in the source).
    Default(&'static str),
}

/// One option of a module.
#[derive(Debug, Clone, Serialize)]
pub struct Field {
    /// The name in playbooks.
    pub name: &'static str,
    /// Other accepted names.
    pub aliases: &'static [&'static str],
    /// The type.
    pub kind: ArgKind,
    /// Whether it must be given.
    pub presence: Presence,
    /// The manual's text (empty in the agent, which has no manual).
    pub doc: &'static str,
}

/// An option's value could not be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("option `{option}`: {problem}")]
pub struct ArgError {
    /// Name of the option.
    pub option: String,
    /// What is wrong with the value, e.g. "expected a boolean, found `maybe`".
    pub problem: String,
}

/// A type that an option can have.
pub trait Arg: Sized {
    /// True for `Option`: the option may be missing.
    const OPTIONAL: bool = false;
    /// The documented type.
    fn kind() -> ArgKind;
    /// Reads a value; the error says what was expected and what was found.
    fn parse(value: &Value) -> Result<Self, String>;
    /// What a missing option means; `None` where it is an error.
    fn missing() -> Option<Self> {
        None
    }
}

/// What the [`args!`](crate::args!) macro implements.
pub trait Arguments: Sized {
    /// The options, in the order of the manual.
    fn fields() -> Vec<Field>;
    /// Reads the options; unknown names, missing and ill-typed ones are all reported.
    fn parse(options: &Map<String, Value>) -> Result<Self, Vec<ArgError>>;
    /// The module's own text in the manual.
    fn doc() -> &'static str;
}

/// Keeps manual text out of the agent.
pub const fn doc(text: &'static str) -> &'static str {
    if cfg!(any(feature = "docs", test)) { text } else { "" }
}

/// Takes an option out of `options` by its name or an alias. Used by [`args!`](crate::args!).
pub fn take<'a>(options: &'a Map<String, Value>, field: &str, aliases: &[&str]) -> Option<&'a Value> {
    options.get(field).or_else(|| aliases.iter().find_map(|alias| options.get(*alias)))
}

/// Declares a module's arguments: struct, coercion, schema and manual in one place.
///
/// ```ignore
/// args! {
///     /// Manages one widget.
///     pub struct Args {
///         /// Path of the widget.
///         path ("dest", "name"): PathBuf,        // required, with aliases
///         /// Mode of the widget.
///         mode: Option<Mode>,                     // optional
///         /// Whether parents are made.
///         parents: bool = false,                  // with a default
///     }
/// }
/// ```
#[macro_export]
macro_rules! args {
    (
        $(#[doc = $doc:literal])*
        $vis:vis struct $name:ident {
            $(
                $(#[doc = $fdoc:literal])*
                $field:ident $( ( $($alias:literal),+ $(,)? ) )? : $ty:ty $( = $default:expr )?
            ),* $(,)?
        }
    ) => {
        $(#[doc = $doc])*
        #[derive(Debug, Clone)]
        $vis struct $name {
            $( $(#[doc = $fdoc])* pub $field: $ty, )*
        }
        impl $crate::args::Arguments for $name {
            fn fields() -> ::std::vec::Vec<$crate::args::Field> {
                ::std::vec![ $( $crate::args::Field {
                    name: $crate::args::plain(stringify!($field)),
                    aliases: &[ $( $($alias),+ )? ],
                    kind: <$ty as $crate::args::Arg>::kind(),
                    presence: $crate::args!(@presence $ty $(, $default)?),
                    doc: const { $crate::args::doc(concat!($($fdoc, "\n"),*)) },
                } ),* ]
            }
            fn parse(options: &::serde_json::Map<::std::string::String, ::serde_json::Value>)
                -> ::std::result::Result<Self, ::std::vec::Vec<$crate::args::ArgError>>
            {
                const NAMES: &[(&str, &[&str])] = &[ $( (stringify!($field), &[ $( $($alias),+ )? ]) ),* ];
                #[allow(unused_mut, reason = "a module without options reads none")]
                let mut errors = $crate::args::unknown_options(options, NAMES);
                $(
                    let $field: ::std::option::Option<$ty> = $crate::args::read(
                        options,
                        $crate::args::plain(stringify!($field)),
                        &[ $( $($alias),+ )? ],
                        $crate::args!(@default $ty $(, $default)?),
                        &mut errors,
                    );
                )*
                if !errors.is_empty() {
                    return Err(errors);
                }
                Ok(Self { $( $field: $field.expect("an option without a value was reported"), )* })
            }
            fn doc() -> &'static str {
                const { $crate::args::doc(concat!($($doc, "\n"),*)) }
            }
        }
    };
    (@presence $ty:ty) => {
        if <$ty as $crate::args::Arg>::OPTIONAL { $crate::args::Presence::Optional } else { $crate::args::Presence::Required }
    };
    (@presence $ty:ty, $default:expr) => { $crate::args::Presence::Default(stringify!($default)) };
    (@default $ty:ty) => { <$ty as $crate::args::Arg>::missing };
    (@default $ty:ty, $default:expr) => { || ::std::option::Option::Some($default) };
}

/// `r#type` is written `type` in a playbook.
pub fn plain(name: &'static str) -> &'static str {
    name.strip_prefix("r#").unwrap_or(name)
}

/// The options that no field knows. Used by [`args!`](crate::args!).
pub fn unknown_options(options: &Map<String, Value>, names: &[(&'static str, &[&str])]) -> Vec<ArgError> {
    options
        .keys()
        .filter(|key| !names.iter().any(|(name, aliases)| plain(name) == key.as_str() || aliases.contains(&key.as_str())))
        .map(|key| ArgError { option: key.clone(), problem: "is not an option of this module".into() })
        .collect()
}

/// Reads one option or its default. Used by [`args!`](crate::args!).
pub fn read<T: Arg>(
    options: &Map<String, Value>,
    name: &str,
    aliases: &[&str],
    default: impl FnOnce() -> Option<T>,
    errors: &mut Vec<ArgError>,
) -> Option<T> {
    let value = take(options, name, aliases).filter(|value| !value.is_null());
    let Some(value) = value else {
        let default = default();
        if default.is_none() {
            errors.push(ArgError { option: name.into(), problem: "is required".into() });
        }
        return default;
    };
    match T::parse(value) {
        Ok(value) => Some(value),
        Err(problem) => {
            errors.push(ArgError { option: name.into(), problem });
            None
        }
    }
}

/// A value as an error message shows it: short, on one line.
pub fn shown(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let mut short: String = text.chars().take(60).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    format!("`{}`", short.replace('\n', "\\n"))
}

impl Arg for String {
    fn kind() -> ArgKind {
        ArgKind::Str
    }
    fn parse(value: &Value) -> Result<Self, String> {
        match value {
            Value::String(text) => Ok(text.clone()),
            // Ansible writes Python's spelling when it turns a boolean into text.
            Value::Bool(true) => Ok("True".into()),
            Value::Bool(false) => Ok("False".into()),
            Value::Number(number) => Ok(number.to_string()),
            // Ansible accepts a structure where text is wanted and writes it as JSON-like text.
            Value::Array(_) | Value::Object(_) => Ok(value.to_string()),
            Value::Null => Ok(String::new()),
        }
    }
}

impl Arg for bool {
    fn kind() -> ArgKind {
        ArgKind::Bool
    }
    fn parse(value: &Value) -> Result<Self, String> {
        let word = match value {
            Value::Bool(is) => return Ok(*is),
            Value::String(text) => text.trim().to_lowercase(),
            Value::Number(number) => match number.as_f64() {
                Some(1.0) => return Ok(true),
                Some(0.0) => return Ok(false),
                _ => String::new(),
            },
            _ => String::new(),
        };
        match word.as_str() {
            "y" | "yes" | "on" | "1" | "true" | "t" | "1.0" => Ok(true),
            "n" | "no" | "off" | "0" | "false" | "f" | "0.0" => Ok(false),
            _ => Err(format!("expected a boolean, found {}", shown(value))),
        }
    }
}

impl Arg for i64 {
    fn kind() -> ArgKind {
        ArgKind::Int
    }
    fn parse(value: &Value) -> Result<Self, String> {
        let parsed = match value {
            Value::Number(number) => number.as_i64().or_else(|| number.as_f64().filter(|n| n.fract() == 0.0).map(|n| n as i64)),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        parsed.ok_or_else(|| format!("expected a whole number, found {}", shown(value)))
    }
}

macro_rules! small_integers {
    ($($ty:ty),*) => { $( impl Arg for $ty {
        fn kind() -> ArgKind {
            ArgKind::Int
        }
        fn parse(value: &Value) -> Result<Self, String> {
            let wide = i64::parse(value)?;
            <$ty>::try_from(wide).map_err(|_| format!("{wide} is out of range"))
        }
    } )* };
}
small_integers!(u16, u32, u64, usize);

impl Arg for f64 {
    fn kind() -> ArgKind {
        ArgKind::Float
    }
    fn parse(value: &Value) -> Result<Self, String> {
        let parsed = match value {
            Value::Number(number) => number.as_f64(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        parsed.ok_or_else(|| format!("expected a number, found {}", shown(value)))
    }
}

impl Arg for PathBuf {
    fn kind() -> ArgKind {
        ArgKind::Path
    }
    fn parse(value: &Value) -> Result<Self, String> {
        let text = String::parse(value)?;
        if text.is_empty() {
            return Err("expected a path, found nothing".into());
        }
        if text.contains('\0') {
            return Err("a path cannot contain a NUL byte".into());
        }
        Ok(PathBuf::from(text))
    }
}

impl Arg for Value {
    fn kind() -> ArgKind {
        ArgKind::Raw
    }
    fn parse(value: &Value) -> Result<Self, String> {
        Ok(value.clone())
    }
}

impl Arg for Map<String, Value> {
    fn kind() -> ArgKind {
        ArgKind::Dict
    }
    fn parse(value: &Value) -> Result<Self, String> {
        match value {
            Value::Object(map) => Ok(map.clone()),
            other => Err(format!("expected a mapping, found {}", shown(other))),
        }
    }
}

impl Arg for BTreeMap<String, String> {
    fn kind() -> ArgKind {
        ArgKind::Dict
    }
    fn parse(value: &Value) -> Result<Self, String> {
        let map = Map::parse(value)?;
        map.iter().map(|(key, value)| Ok((key.clone(), String::parse(value)?))).collect()
    }
}

impl<T: Arg> Arg for Vec<T> {
    fn kind() -> ArgKind {
        ArgKind::List(Box::new(T::kind()))
    }
    fn parse(value: &Value) -> Result<Self, String> {
        match value {
            Value::Array(items) => items.iter().map(T::parse).collect(),
            Value::String(text) => text.split(',').map(str::trim).map(|item| T::parse(&Value::String(item.to_owned()))).collect(),
            Value::Number(_) | Value::Bool(_) => Ok(vec![T::parse(value)?]),
            other => Err(format!("expected a list, found {}", shown(other))),
        }
    }
}

impl<T: Arg> Arg for Option<T> {
    const OPTIONAL: bool = true;
    fn kind() -> ArgKind {
        T::kind()
    }
    fn parse(value: &Value) -> Result<Self, String> {
        T::parse(value).map(Some)
    }
    fn missing() -> Option<Self> {
        Some(None)
    }
}

/// Declares an enum whose variants are the words of a choice.
///
/// ```ignore
/// choice! {
///     /// What the path should be.
///     pub enum State { Present = "present" | "installed", Absent = "absent" }
/// }
/// ```
#[macro_export]
macro_rules! choice {
    (
        $(#[$meta:meta])*
        $vis:vis enum $name:ident { $( $(#[$vmeta:meta])* $variant:ident = $word:literal $( | $other:literal )* ),* $(,)? }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        $vis enum $name { $( $(#[$vmeta])* #[doc = concat!("`", $word, "`")] $variant ),* }
        impl $name {
            /// The word for this choice.
            #[allow(dead_code, reason = "not every module prints its choice")]
            $vis fn word(self) -> &'static str {
                match self { $( Self::$variant => $word ),* }
            }
        }
        impl $crate::args::Arg for $name {
            fn kind() -> $crate::args::ArgKind {
                $crate::args::ArgKind::Choice(&[ $( $word $( , $other )* ),* ])
            }
            fn parse(value: &::serde_json::Value) -> ::std::result::Result<Self, ::std::string::String> {
                let text = <::std::string::String as $crate::args::Arg>::parse(value)?;
                match text.as_str() {
                    $( $word $( | $other )* => Ok(Self::$variant), )*
                    _ => Err(::std::format!("expected {}, found `{}`", Self::kind().describe(), text)),
                }
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    crate::args! {
        /// A widget.
        struct Sample {
            /// Where it is.
            path ("dest"): PathBuf,
            /// How often.
            count: Option<u32>,
            /// Whether.
            r#type: bool = false,
        }
    }

    fn parse(value: Value) -> Result<Sample, Vec<ArgError>> {
        Sample::parse(value.as_object().expect("an object"))
    }

    #[test]
    fn lax_values_are_coerced() {
        let sample = parse(json!({"dest": "/x", "count": "3", "type": "yes"})).unwrap();
        assert_eq!((sample.path, sample.count, sample.r#type), (PathBuf::from("/x"), Some(3), true));
    }

    #[test]
    fn every_problem_is_reported_at_once() {
        let errors = parse(json!({"count": "many", "typo": 1})).unwrap_err();
        let text: Vec<_> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(
            text,
            [
                "option `typo`: is not an option of this module",
                "option `path`: is required",
                "option `count`: expected a whole number, found `many`",
            ]
        );
    }
}
