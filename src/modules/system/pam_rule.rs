//! Lines of PAM's configuration.

/// A line as a rule: type, control, module and its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rule {
    pub kind: String,
    pub control: String,
    pub module: String,
    pub arguments: Vec<String>,
}

/// A word, or what stands in brackets, and the rest.
fn word(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start();
    let end = if text.starts_with('[') {
        text.char_indices().find(|(at, c)| *c == ']' && !text[..*at].ends_with('\\')).map(|(at, _)| at + 1)?
    } else {
        text.find(char::is_whitespace).unwrap_or(text.len())
    };
    (end > 0).then(|| text.split_at(end))
}

impl Rule {
    /// A line that is one; comments, `@include` and lines that go on are none.
    pub(super) fn parse(line: &str) -> Option<Self> {
        if line.trim_start().starts_with(['#', '@']) || line.ends_with('\\') {
            return None;
        }
        let line = line.split_once(" #").map_or(line, |(rule, _)| rule);
        let (kind, rest) = word(line)?;
        let (control, rest) = word(rest)?;
        let (module, rest) = word(rest)?;
        Some(Self { kind: kind.into(), control: control.into(), module: module.into(), arguments: arguments(rest) })
    }

    /// Whether type, control and module are the same.
    pub(super) fn is(&self, kind: &str, control: &str, module: &str) -> bool {
        self.kind == kind && self.control == control && self.module == module
    }

    /// The line.
    pub(super) fn line(&self) -> String {
        let rest: String = self.arguments.iter().fold(String::new(), |text, argument| text + " " + argument);
        format!("{:<11} {} {}{rest}", self.kind, self.control, self.module)
    }

    /// Takes arguments out; whether any was there.
    pub(super) fn without(&mut self, gone: &[String]) -> bool {
        let before = self.arguments.len();
        self.arguments.retain(|argument| !gone.contains(argument));
        self.arguments.len() != before
    }

    /// Adds arguments; of one that has a value, the value becomes this one. Whether any was not there.
    pub(super) fn with(&mut self, added: &[String]) -> bool {
        let mut changed = false;
        for argument in added {
            if self.arguments.contains(argument) {
                continue;
            }
            changed = true;
            let key = argument.split_once('=').filter(|_| !argument.starts_with('[')).map(|(key, _)| format!("{key}="));
            match key.and_then(|key| self.arguments.iter_mut().find(|other| other.starts_with(&key))) {
                Some(other) => other.clone_from(argument),
                None => self.arguments.push(argument.clone()),
            }
        }
        changed
    }
}

/// Words; what stands in brackets is one.
pub(super) fn arguments(text: &str) -> Vec<String> {
    let mut rest = text;
    let mut list = Vec::new();
    while let Some((found, after)) = word(rest) {
        list.push(found.to_owned());
        rest = after;
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_rules() {
        for (line, expected) in [
            ("auth required pam_env.so", Some("auth        required pam_env.so")),
            (
                "-session\t[success=1 default=ignore]  pam_x.so [a b] c=1 # why",
                Some("-session    [success=1 default=ignore] pam_x.so [a b] c=1"),
            ),
            ("# auth required pam_env.so", None),
            ("@include common-auth", None),
            ("auth required", None),
            ("auth [open pam_env.so", None),
            ("", None),
        ] {
            assert_eq!(Rule::parse(line).map(|rule| rule.line()).as_deref(), expected, "{line}");
        }
    }

    #[test]
    fn arguments_come_and_go() {
        let words = |text: &str| arguments(text);
        for (before, added, gone, expected) in
            [("a b=1", "b=2 c", "", "a b=2 c"), ("a b=1", "a b=1", "", "a b=1"), ("a b=1 c", "", "b=1 c d", "a")]
        {
            let mut rule = Rule { kind: String::new(), control: String::new(), module: String::new(), arguments: words(before) };
            let changed = [rule.with(&words(added)), rule.without(&words(gone))];
            assert_eq!(rule.arguments, words(expected));
            assert_eq!(changed.contains(&true), before != expected);
        }
    }
}
