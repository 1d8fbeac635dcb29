//! `.netrc`: names and passwords by machine.

/// User and password for a machine.
pub(super) fn find(text: &str, machine: &str) -> Option<(String, String)> {
    let mut words = text.lines().map(|line| line.split('#').next().unwrap_or_default()).flat_map(str::split_whitespace);
    let mut is_it = false;
    let (mut user, mut password) = (None, None);
    while let Some(word) = words.next() {
        match word {
            "machine" | "default" if is_it && user.is_some() => break,
            "machine" => is_it = words.next() == Some(machine),
            "default" => is_it = true,
            "login" | "password" | "account" => {
                let value = words.next()?;
                match word {
                    "login" if is_it => user = Some(value.to_owned()),
                    "password" if is_it => password = Some(value.to_owned()),
                    _ => {}
                }
            }
            _ => {}
        }
    }
    Some((user?, password.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_or_the_default_is_found() {
        let text =
            "machine a login x password 1\n# machine b login z\nmachine b\n  login y\n  password 2\ndefault login d password 3\n";
        for (machine, expected) in [("a", ("x", "1")), ("b", ("y", "2")), ("c", ("d", "3"))] {
            assert_eq!(find(text, machine), Some((expected.0.to_owned(), expected.1.to_owned())), "{machine}");
        }
        assert_eq!(find("machine a login x password 1", "b"), None);
    }
}
