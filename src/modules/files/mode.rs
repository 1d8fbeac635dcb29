//! File modes as playbooks write them: octal text, a number, or symbolic changes.

use serde_json::Value;

use crate::args::{Arg, ArgKind, shown};

/// A mode as written; what it means can depend on the mode that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mode(Written);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Written {
    Bits(u32),
    Clauses(Vec<Clause>),
    Preserve,
}

/// One clause of a symbolic mode: whom, and what is done to their bits.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Clause {
    /// Bits of those who are meant: `0o700`, `0o070`, `0o007` or several.
    who: u32,
    /// Whether somebody was named (`u+w`) or everybody is meant (`+w`).
    named: bool,
    steps: Vec<(char, String)>,
}

impl Mode {
    /// The permission bits for something that now has `current`.
    pub fn bits(&self, current: u32, is_directory: bool) -> u32 {
        match &self.0 {
            Written::Bits(bits) => *bits,
            Written::Preserve => current,
            Written::Clauses(clauses) => clauses.iter().fold(current, |mode, clause| clause.apply(mode, current, is_directory)),
        }
    }

    /// `preserve`: the mode of the source.
    pub fn is_preserve(&self) -> bool {
        self.0 == Written::Preserve
    }

    /// These permission bits.
    pub fn of(bits: u32) -> Self {
        Self(Written::Bits(bits & 0o7777))
    }
}

/// A mode as results show it: octal with a leading zero (`0644`, `02775`).
pub fn octal(mode: u32) -> String {
    format!("0{mode:03o}")
}

impl Arg for Mode {
    fn kind() -> ArgKind {
        ArgKind::Mode
    }

    fn parse(value: &Value) -> Result<Self, String> {
        let problem = || format!("expected a mode such as 0644 or u=rw,g=r, found {}", shown(value));
        let text = match value {
            // YAML has read the digits already: `0644` arrives as the number 420.
            Value::Number(number) => {
                let bits = number.as_u64().filter(|bits| *bits <= 0o7777).ok_or_else(problem)?;
                return Ok(Self::of(bits as u32));
            }
            Value::String(text) => text.trim(),
            _ => return Err(problem()),
        };
        if text == "preserve" {
            return Ok(Self(Written::Preserve));
        }
        if let Ok(bits) = u32::from_str_radix(text.trim_start_matches("0o"), 8) {
            return if bits <= 0o7777 { Ok(Self::of(bits)) } else { Err(problem()) };
        }
        let clauses: Option<Vec<Clause>> = text.split(',').map(|clause| Clause::parse(clause.trim())).collect();
        clauses.map(|clauses| Self(Written::Clauses(clauses))).ok_or_else(problem)
    }
}

impl Clause {
    fn parse(text: &str) -> Option<Self> {
        let end = text.find(['+', '-', '='])?;
        let (people, rest) = text.split_at(end);
        let mut who = 0;
        for person in people.chars() {
            who |= match person {
                'u' => 0o700,
                'g' => 0o070,
                'o' => 0o007,
                'a' => 0o777,
                _ => return None,
            };
        }
        let mut steps: Vec<(char, String)> = Vec::new();
        for letter in rest.chars() {
            match letter {
                '+' | '-' | '=' => steps.push((letter, String::new())),
                'r' | 'w' | 'x' | 'X' | 's' | 't' | 'u' | 'g' | 'o' => steps.last_mut()?.1.push(letter),
                _ => return None,
            }
        }
        Some(Self { who: if who == 0 { 0o777 } else { who }, named: who != 0, steps })
    }

    fn apply(&self, mode: u32, before: u32, is_directory: bool) -> u32 {
        self.steps.iter().fold(mode, |mode, (operator, letters)| {
            let bits = letters.chars().fold(0, |bits, letter| bits | self.letter(letter, mode, before, is_directory));
            match operator {
                '+' => mode | bits,
                '-' => mode & !bits,
                _ => (mode & !self.cleared()) | bits,
            }
        })
    }

    /// The bits that `=` takes away before it sets some.
    fn cleared(&self) -> u32 {
        let special = [(0o700, 0o4000), (0o070, 0o2000), (0o007, 0o1000)];
        special.iter().filter(|(who, _)| self.who & who != 0).fold(self.who, |bits, (_, bit)| bits | bit)
    }

    fn letter(&self, letter: char, mode: u32, before: u32, is_directory: bool) -> u32 {
        // The bits of one class of people, given to those who are meant.
        let spread = |bits: u32| ((bits << 6) | (bits << 3) | bits) & self.who;
        match letter {
            'r' => spread(4),
            'w' if !self.named => spread(2) & !0o022,
            'w' => spread(2),
            'x' => spread(1),
            'X' if is_directory || before & 0o111 != 0 => spread(1),
            's' => (if self.who & 0o700 != 0 { 0o4000 } else { 0 }) | (if self.who & 0o070 != 0 { 0o2000 } else { 0 }),
            't' if self.who & 0o007 != 0 => 0o1000,
            'u' => spread((mode >> 6) & 7),
            'g' => spread((mode >> 3) & 7),
            'o' => spread(mode & 7),
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn bits(mode: Value, current: u32, is_directory: bool) -> String {
        octal(Mode::parse(&mode).unwrap().bits(current, is_directory))
    }

    #[test]
    fn modes_mean_what_they_mean_elsewhere() {
        // `named`: these were checked against chmod and against Ansible's own module.
        for (mode, current, is_directory, expected) in [
            (json!("0644"), 0, false, "0644"),
            (json!("644"), 0, false, "0644"),
            (json!(420), 0, false, "0644"),
            (json!("01777"), 0, true, "01777"),
            (json!("u=rw,g=r,o="), 0o777, false, "0640"),
            (json!("u=rwX,g=rX,o="), 0o600, false, "0640"),
            (json!("u=rwX,g=rX,o="), 0o600, true, "0750"),
            (json!("a+X"), 0o644, false, "0644"),
            (json!("a+X"), 0o744, false, "0755"),
            (json!("u+x"), 0o640, false, "0740"),
            (json!("go-rwx"), 0o777, true, "0700"),
            (json!("u+s,g+s"), 0o755, false, "06755"),
            (json!("+t"), 0o777, true, "01777"),
            (json!("o=g"), 0o750, false, "0755"),
            (json!("ug+rw-x"), 0o711, false, "0661"),
            (json!("+w"), 0o444, false, "0644"),
        ] {
            assert_eq!(bits(mode.clone(), current, is_directory), expected, "{mode} on {current:o}");
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for mode in [json!("rw"), json!("u=q"), json!("99"), json!(8_000_000), json!(true), json!(""), json!("+rw,")] {
            assert!(Mode::parse(&mode).is_err(), "{mode}");
        }
    }
}
