//! Where the bytes of an archive come from: the host, the controller, or a web service.

use std::cell::RefCell;
use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use crate::files::offer::Offer;
use crate::files::paths::expand;
use crate::files::tempfile::random_word;
use crate::host::http::without_secret;
use crate::host::{Attributes, FileWrite, Host, Source, Stream};
use crate::outcome::Failure;
use crate::web::exchange::{Connection, Follow};

/// An archive that can be read from its beginning again and again.
#[derive(Clone)]
pub(crate) struct Shared(Arc<Mutex<Box<dyn Stream>>>);

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Shared")
    }
}

impl Shared {
    fn new(stream: Box<dyn Stream>) -> Self {
        Self(Arc::new(Mutex::new(stream)))
    }

    fn stream(&self) -> MutexGuard<'_, Box<dyn Stream>> {
        self.0.lock().expect("no thread panics while reading")
    }

    /// The archive, from its beginning.
    pub(crate) fn rewound(&self) -> Result<Box<dyn Stream>, Failure> {
        self.stream().seek(SeekFrom::Start(0)).map_err(super::read::broken)?;
        Ok(Box::new(self.clone()))
    }
}

impl Read for Shared {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream().read(buffer)
    }
}

impl Seek for Shared {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.stream().seek(to)
    }
}

/// Opens what the controller offers, or else what this path or address of the host leads to.
pub(crate) fn open(src: &str, offered: Option<&Offer>, validate_certs: bool, host: &mut dyn Host) -> Result<Shared, Failure> {
    if let Some(offered) = offered {
        return Ok(Shared::new(Box::new(Cursor::new(host.blob(&offered.sha256)?))));
    }
    if src.contains("://") {
        return fetch(src, validate_certs, host);
    }
    let path = expand(Path::new(src), host.inspect());
    if !crate::commands::glob::exists(&path, host.inspect()) {
        return Err(Failure::new(format!("Source '{}' does not exist", path.display())));
    }
    host.open(&path).map(Shared::new)
}

fn fetch(url: &str, validate: bool, host: &mut dyn Host) -> Result<Shared, Failure> {
    let connection = Connection {
        user: None,
        password: None,
        force_basic: false,
        use_netrc: true,
        use_proxy: true,
        validate,
        authorities: None,
        certificate: None,
        key: None,
        socket: None,
        agent: "ansible-httpget",
        timeout: 10,
        follow: Follow::Urllib2,
        decompress: false,
        unredirected: &[],
        fresh: false,
    };
    let failed = |why: &str| Failure::new(format!("Failure downloading {}, {why}", without_secret(url)));
    let answer = connection.ask("GET", url, &[], None, host);
    let answer = answer.map_err(|failure| if failure.unknown { failure } else { failed(&failure.message) })?;
    if answer.reply.status != 200 {
        return Err(failed(&format!("HTTP Error {}: {}", answer.reply.status, answer.reply.reason)));
    }
    let path = Path::new("/tmp").join(format!(".unarchive-{}", random_word(12)));
    let attributes = Attributes { mode: Some(0o600), ..Attributes::default() };
    let body = RefCell::new(answer.reply.body);
    host.write_from(&Source::Stream(&body), &FileWrite { path: &path, content: b"", attributes, validate: None })?;
    let stream = host.open(&path);
    // What is open can be read when its name is gone, and nothing is left behind however this ends.
    host.remove(&path)?;
    stream.map(Shared::new)
}
