//! Addresses: their parts, and where one leads from another.

use crate::outcome::Failure;

/// An address taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Url {
    /// Lower case.
    pub(crate) scheme: String,
    /// User and password, decoded.
    pub(crate) user: Option<(String, String)>,
    /// Name or address, without brackets.
    pub(crate) host: String,
    /// Port, where it is given.
    pub(crate) port: Option<u16>,
    /// Path, query and nothing else; begins with a slash.
    pub(crate) path: String,
}

impl Url {
    /// Takes an address apart; only `http` and `https`.
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        let bad = || Failure::new(format!("`{}` is not an address of a web service", crate::host::http::without_secret(text)));
        if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(bad());
        }
        let (scheme, rest) = text.split_once("://").ok_or_else(bad)?;
        let scheme = scheme.to_ascii_lowercase();
        if !["http", "https"].contains(&scheme.as_str()) {
            return Err(Failure::new(format!("addresses with `{scheme}` are not supported, only `http` and `https`")));
        }
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let (user, place) = match authority.rsplit_once('@') {
            Some((user, place)) => {
                let (name, password) = user.split_once(':').unwrap_or((user, ""));
                (Some((decode(name), decode(password))), place)
            }
            None => (None, authority),
        };
        let (host, port) = match place.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, rest)) => (host, rest.strip_prefix(':')),
            None => place.split_once(':').map_or((place, None), |(host, port)| (host, Some(port))),
        };
        let port = port.filter(|port| !port.is_empty()).map(|port| port.parse().map_err(|_| bad())).transpose()?;
        if host.is_empty() {
            return Err(bad());
        }
        let path = path.split('#').next().unwrap_or_default();
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Ok(Self { scheme, user, host: host.to_ascii_lowercase(), port, path })
    }

    /// The address without user and password.
    pub(crate) fn text(&self) -> String {
        format!("{}{}", self.origin(), self.path)
    }

    /// Scheme, host and port.
    pub(crate) fn origin(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        let port = self.port.map(|port| format!(":{port}")).unwrap_or_default();
        format!("{}://{host}{port}", self.scheme)
    }

    /// Where this text leads from here.
    pub(crate) fn join(&self, to: &str) -> Result<Self, Failure> {
        let to = to.replace(' ', "%20");
        let start = to.find(['/', '?', '#']).unwrap_or(to.len());
        if to[..start].contains(':') {
            return Self::parse(&to);
        }
        if let Some(rest) = to.strip_prefix("//") {
            return Self::parse(&format!("{}://{rest}", self.scheme));
        }
        let own = self.path.split('?').next().unwrap_or("/");
        let path = match to.as_bytes().first() {
            Some(b'/') => to.clone(),
            Some(b'?') => format!("{own}{to}"),
            _ => format!("{}/{to}", own.rsplit_once('/').map_or("", |(directory, _)| directory)),
        };
        Self::parse(&format!("{}{}", self.origin(), without_dots(&path)))
    }

    /// The last part of the path, decoded: the name of a file.
    pub(crate) fn file_name(&self) -> Option<String> {
        let path = self.path.split('?').next().unwrap_or_default();
        let name = decode(path.rsplit('/').next().unwrap_or_default());
        let usable = !name.is_empty() && !name.contains(['/', '\0']) && name != "." && name != "..";
        usable.then_some(name)
    }
}

fn without_dots(path: &str) -> String {
    let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
    let mut parts: Vec<&str> = Vec::new();
    let mut open = false;
    for part in path.split('/').skip(1) {
        open = matches!(part, "" | "." | "..");
        match part {
            "." | "" => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    let end = if open && !parts.is_empty() { "/" } else { "" };
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    format!("/{}{end}{query}", parts.join("/"))
}

/// `%41` -> `A`; what is no such sequence stays.
fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()).filter(|_| first == b'%') {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_apart() {
        for (text, shown, user, file) in [
            ("http://a.b", "http://a.b/", None, None),
            (
                "HTTPS://U%40x:p%3A@A.b:8443/x/y%20z.gz?q=1#f",
                "https://a.b:8443/x/y%20z.gz?q=1",
                Some(("U@x", "p:")),
                Some("y z.gz"),
            ),
            ("http://[::1]:80/..", "http://[::1]:80/..", None, None),
            ("http://a?q", "http://a/?q", None, None),
            ("http://a/%2e%2e%2fx", "http://a/%2e%2e%2fx", None, None),
        ] {
            let url = Url::parse(text).unwrap();
            assert_eq!(url.text(), shown, "{text}");
            assert_eq!(url.user.as_ref().map(|(name, word)| (name.as_str(), word.as_str())), user, "{text}");
            assert_eq!(url.file_name().as_deref(), file, "{text}");
        }
        for bad in ["a/b", "ftp://a/b", "http:///x", "http://a:99999/", "http://a b/", "file:///etc/passwd"] {
            assert!(Url::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn addresses_lead_to_others() {
        let url = Url::parse("http://u:p@a:81/x/y?q").unwrap();
        for (to, expected) in [
            ("https://b/z", "https://b/z"),
            ("//b/z", "http://b/z"),
            ("/z?w", "http://a:81/z?w"),
            ("z", "http://a:81/x/z"),
            ("../z/./", "http://a:81/z/"),
            ("?w", "http://a:81/x/y?w"),
            ("../../../z", "http://a:81/z"),
        ] {
            assert_eq!(url.join(to).unwrap().text(), expected, "{to}");
        }
        assert!(url.join("file:///etc/passwd").is_err());
    }
}
