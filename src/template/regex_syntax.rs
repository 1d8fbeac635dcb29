//! Python's syntax of regular expressions, translated into that of the engines.

/// A pattern in the engines' syntax.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Translated {
    pub(super) text: String,
    /// Look-around, back-references and the like: nothing for an engine in linear time.
    pub(super) backtracks: bool,
    /// It has a `$` that also matches before a newline at the end.
    pub(super) dollar: bool,
}

/// For which engine is translated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Engine {
    /// Linear time; `$` is the very end.
    Plain,
    /// With backtracking; `$` is what it is in Python.
    Backtracking,
}

/// What a quantifier would apply to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    Nothing,
    Item,
    Quantifier,
    /// A quantifier with its `?` or `+`.
    Closed,
}

struct Translator<'p> {
    rest: std::iter::Peekable<std::str::Chars<'p>>,
    engine: Engine,
    out: String,
    before: Before,
    backtracks: bool,
    dollar: bool,
    multiline: bool,
    verbose: bool,
    ascii: bool,
}

/// Translates; the error says what Python, too, would refuse.
pub(super) fn translate(pattern: &str, multiline: bool, engine: Engine) -> Result<Translated, String> {
    let mut translator = Translator {
        rest: pattern.chars().peekable(),
        engine,
        out: String::with_capacity(pattern.len() + 8),
        before: Before::Nothing,
        backtracks: false,
        dollar: false,
        multiline,
        verbose: false,
        ascii: false,
    };
    translator.run()?;
    let Translator { out, backtracks, dollar, .. } = translator;
    Ok(Translated { text: out, backtracks, dollar })
}

impl Translator<'_> {
    fn run(&mut self) -> Result<(), String> {
        while let Some(c) = self.rest.next() {
            match c {
                '\\' => self.escape(false)?,
                '[' => self.class()?,
                '(' => self.open()?,
                ')' => self.item(")"),
                '|' => {
                    self.out.push('|');
                    self.before = Before::Nothing;
                }
                '$' if !self.multiline => {
                    self.dollar = true;
                    let end = if self.engine == Engine::Backtracking { "(?=\\n?\\z)" } else { "$" };
                    self.item(end);
                }
                '#' if self.verbose => while self.rest.next().is_some_and(|c| c != '\n') {},
                c if self.verbose && c.is_ascii_whitespace() => {}
                '*' | '+' | '?' => self.quantifier(c)?,
                '{' => match self.repetition() {
                    Some(repetition) => {
                        self.quantified()?;
                        self.out.push_str(&repetition);
                    }
                    None => self.item("\\{"),
                },
                '}' => self.item("\\}"),
                c => {
                    self.out.push(c);
                    self.before = Before::Item;
                }
            }
        }
        Ok(())
    }

    fn item(&mut self, text: &str) {
        self.out.push_str(text);
        self.before = Before::Item;
    }

    fn quantified(&mut self) -> Result<(), String> {
        match self.before {
            Before::Nothing => Err("nothing to repeat".to_owned()),
            Before::Item => {
                self.before = Before::Quantifier;
                Ok(())
            }
            Before::Quantifier | Before::Closed => Err("multiple repeat".to_owned()),
        }
    }

    fn quantifier(&mut self, c: char) -> Result<(), String> {
        if self.before == Before::Quantifier && c != '*' {
            // Lazy, or possessive.
            self.backtracks |= c == '+';
            self.before = Before::Closed;
        } else {
            self.quantified()?;
        }
        self.out.push(c);
        Ok(())
    }

    /// The rest of `{3}`, `{3,}`, `{,3}` or `{3,5}`, if the brace begins one.
    fn repetition(&mut self) -> Option<String> {
        let inside: String = self.rest.clone().take_while(|c| *c != '}').collect();
        let closed = self.rest.clone().nth(inside.chars().count()) == Some('}');
        let digits = |part: &str| part.chars().all(|c| c.is_ascii_digit());
        let (low, high) = match inside.split_once(',') {
            Some((low, high)) => (low, Some(high)),
            None => (&*inside, None),
        };
        let meant = closed && digits(low) && high.is_none_or(digits) && !(low.is_empty() && high.is_none_or(str::is_empty));
        if !meant {
            return None;
        }
        self.rest.nth(inside.chars().count());
        let low = if low.is_empty() { "0" } else { low };
        Some(high.map_or_else(|| format!("{{{low}}}"), |high| format!("{{{low},{high}}}")))
    }

    /// What follows an opening bracket.
    fn open(&mut self) -> Result<(), String> {
        self.before = Before::Nothing;
        if self.rest.next_if_eq(&'?').is_none() {
            self.out.push('(');
            return Ok(());
        }
        match self.rest.peek() {
            Some('#') => {
                self.before = Before::Item;
                return self.rest.find(|c| *c == ')').map(drop).ok_or_else(|| "a comment has no end".to_owned());
            }
            Some('=' | '!' | '>' | '(') => {
                self.backtracks = true;
                self.out.push_str("(?");
                if self.rest.next_if_eq(&'(').is_some() {
                    // The condition: a group's number or name.
                    let name: String = self.rest.by_ref().take_while(|c| *c != ')').collect();
                    let number = name.bytes().all(|byte| byte.is_ascii_digit());
                    self.out.push_str(&if number { format!("({name})") } else { format!("(<{name}>)") });
                } else {
                    self.out.extend(self.rest.next());
                }
            }
            Some('<') => {
                self.rest.next();
                let Some(kind) = self.rest.next_if(|c| matches!(c, '=' | '!')) else {
                    return Err("`(?<` begins a look-behind only: a named group is `(?P<name>...)`".to_owned());
                };
                self.backtracks = true;
                self.out.push_str("(?<");
                self.out.push(kind);
            }
            Some('P') => self.named()?,
            _ => self.flags()?,
        }
        Ok(())
    }

    fn named(&mut self) -> Result<(), String> {
        self.rest.next();
        match self.rest.next() {
            Some('<') => {
                let name: String = self.rest.by_ref().take_while(|c| *c != '>').collect();
                if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
                    return Err(format!("`{name}` cannot be a group's name"));
                }
                self.out.push_str(&format!("(?P<{name}>"));
            }
            Some('=') => {
                let name: String = self.rest.by_ref().take_while(|c| *c != ')').collect();
                self.backtracks = true;
                self.item(&format!("(?P={name})"));
            }
            _ => return Err("`(?P` is followed by `<name>` or `=name`".to_owned()),
        }
        Ok(())
    }

    /// `(?im)` for everything, `(?i-s:` for a group.
    fn flags(&mut self) -> Result<(), String> {
        let (mut on, mut off, mut negative) = (String::new(), String::new(), false);
        let end = loop {
            match self.rest.next() {
                Some(end @ (')' | ':')) => break end,
                Some('-') => negative = true,
                Some(c @ ('i' | 'm' | 's')) => if negative { &mut off } else { &mut on }.push(c),
                Some('u') => {}
                Some('a') => self.ascii = true,
                // White space and comments are left out here, so the engine need not know.
                Some('x') if end_is(&self.rest, ')') => self.verbose = true,
                Some(other) => return Err(format!("`{other}` is not a flag")),
                None => return Err("a group has no end".to_owned()),
            }
        };
        if end == ')' {
            self.multiline |= on.contains('m');
            if !on.is_empty() {
                self.out.push_str(&format!("(?{on})"));
            }
        } else if off.is_empty() {
            self.out.push_str(&format!("(?{on}:"));
        } else {
            self.out.push_str(&format!("(?{on}-{off}:"));
        }
        Ok(())
    }

    fn escape(&mut self, in_class: bool) -> Result<(), String> {
        let Some(c) = self.rest.next() else { return Err("it ends with a backslash".to_owned()) };
        self.before = Before::Item;
        match c {
            '0'..='9' => self.digits(c, in_class)?,
            'b' if in_class => self.out.push_str("\\x08"),
            'Z' if !in_class => self.out.push_str("\\z"),
            'A' | 'B' | 'b' if !in_class => {
                self.out.push('\\');
                self.out.push(c);
            }
            'd' | 's' | 'w' if self.ascii => {
                let set = match c {
                    'd' => "0-9",
                    's' => " \\t\\n\\r\\f\\v",
                    _ => "0-9A-Za-z_",
                };
                self.out.push_str(&if in_class { set.to_owned() } else { format!("[{set}]") });
            }
            'd' | 'D' | 's' | 'S' | 'w' | 'W' | 'a' | 'f' | 'n' | 'r' | 't' | 'v' => {
                self.out.push('\\');
                self.out.push(c);
            }
            'x' | 'u' | 'U' => {
                let digits = match c {
                    'x' => 2,
                    'u' => 4,
                    _ => 8,
                };
                let code: String = self.rest.by_ref().take(digits).collect();
                let valid =
                    code.len() == digits && u32::from_str_radix(&code, 16).is_ok_and(|code| char::from_u32(code).is_some());
                if !valid {
                    return Err(format!("`\\{c}{code}` is no character"));
                }
                self.out.push_str(&format!("\\x{{{code}}}"));
            }
            c if c.is_ascii_alphabetic() => return Err(format!("`\\{c}` means nothing")),
            // Word boundaries there, plain characters in Python; and what needs no backslash.
            '<' | '>' | '_' => self.out.push(c),
            c if c.is_ascii_punctuation() || c.is_ascii_whitespace() => {
                self.out.push('\\');
                self.out.push(c);
            }
            c => self.out.push(c),
        }
        Ok(())
    }

    /// A character by its octal number, or a back-reference.
    fn digits(&mut self, first: char, in_class: bool) -> Result<(), String> {
        let mut digits = first.to_string();
        let octal = |c: &char| ('0'..='7').contains(c);
        let three: Vec<char> = self.rest.clone().take(2).collect();
        let is_octal = first == '0' || in_class || (octal(&first) && three.len() == 2 && three.iter().all(octal));
        if is_octal {
            while digits.len() < 3
                && let Some(c) = self.rest.next_if(octal)
            {
                digits.push(c);
            }
            let code = u32::from_str_radix(&digits, 8).map_err(|_| format!("`\\{digits}` means nothing in a set"))?;
            self.out.push_str(&format!("\\x{{{code:x}}}"));
            return Ok(());
        }
        digits.extend(self.rest.next_if(char::is_ascii_digit));
        self.backtracks = true;
        // A digit that follows is not part of it.
        self.out.push_str(&format!("(?:\\{digits})"));
        Ok(())
    }

    /// A set of characters.
    fn class(&mut self) -> Result<(), String> {
        self.before = Before::Item;
        self.out.push('[');
        if self.rest.next_if_eq(&'^').is_some() {
            self.out.push('^');
        }
        // A bracket right after the opening one is a character.
        if self.rest.next_if_eq(&']').is_some() {
            self.out.push_str("\\]");
        }
        loop {
            match self.rest.next() {
                Some(']') => break,
                Some('\\') => self.escape(true)?,
                Some(c @ ('[' | '&' | '~')) => {
                    self.out.push('\\');
                    self.out.push(c);
                }
                Some('-') if self.rest.peek() == Some(&'-') => self.out.push_str("\\-"),
                Some(c) => self.out.push(c),
                None => return Err("a set of characters has no end".to_owned()),
            }
        }
        self.out.push(']');
        self.before = Before::Item;
        Ok(())
    }
}

/// Whether the flags that are being read are for everything.
fn end_is(rest: &std::iter::Peekable<std::str::Chars<'_>>, end: char) -> bool {
    rest.clone().find(|c| matches!(c, ')' | ':')) == Some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(pattern: &str) -> Result<(String, bool), String> {
        translate(pattern, false, Engine::Plain).map(|translated| (translated.text, translated.backtracks))
    }

    #[test]
    fn pythons_syntax_is_translated() {
        for (python, ours) in [
            ("a{", "a\\{"),
            ("a{2,3}", "a{2,3}"),
            ("a{,3}", "a{0,3}"),
            ("[[a&&b]", "[\\[a\\&\\&b]"),
            ("[]a]", "[\\]a]"),
            ("\\Z", "\\z"),
            ("\\<x\\>", "<x>"),
            ("{{ x }}", "\\{\\{ x \\}\\}"),
            ("\\_", "_"),
            ("a(?#comment)b", "ab"),
            ("(?x) a b # it's (\nc", "abc"),
            ("\\101\\0", "\\x{41}\\x{0}"),
            ("(?u)a(?i:b)", "a(?i:b)"),
            ("(?a)\\w", "[0-9A-Za-z_]"),
        ] {
            assert_eq!(plain(python), Ok((ours.to_owned(), false)), "{python}");
            assert!(regex::Regex::new(ours).is_ok(), "{python}");
        }
    }

    #[test]
    fn what_needs_backtracking_is_recognised() {
        for (python, ours) in [
            ("a(?=b)", "a(?=b)"),
            ("(?<!a)b", "(?<!a)b"),
            ("(a)\\10", "(a)(?:\\10)"),
            ("(?P<q>a)(?P=q)", "(?P<q>a)(?P=q)"),
            ("a++", "a++"),
            ("(?>a)", "(?>a)"),
            ("(a)?(?(1)b|c)", "(a)?(?(1)b|c)"),
        ] {
            assert_eq!(plain(python), Ok((ours.to_owned(), true)), "{python}");
        }
    }

    #[test]
    fn what_python_refuses_is_refused() {
        for python in ["x**", "*x", "a|+", "\\p{L}", "(?<n>a)", "(?P<1>a)", "[a", "\\", "(?#", "\\u12", "(?q)"] {
            assert!(plain(python).is_err(), "{python}");
        }
    }
}
