//! HTTP over the network or a socket of the host: the only file that names the library for it.

/// Sends nothing: this agent cannot.
#[cfg(not(feature = "web"))]
pub(crate) fn send(
    request: &crate::host::http::Request,
    _: &dyn crate::host::Inspect,
) -> Result<crate::host::http::Reply, crate::outcome::Failure> {
    let url = crate::host::http::without_secret(&request.url);
    Err(crate::outcome::Failure::new(format!(
        "cannot ask `{url}`: this agent was built without HTTP, for want of a C compiler for its architecture\nhint: run the task on the controller (`delegate_to: localhost`), or use `curl` with `command`"
    )))
}

#[cfg(feature = "web")]
pub(crate) use with_ureq::send;

#[cfg(feature = "web")]
mod with_ureq {
    use std::collections::BTreeMap;
    use std::error::Error as _;
    use std::io::{Read as _, Write as _};
    use std::net::{IpAddr, SocketAddr};
    use std::os::unix::net::UnixStream;
    use std::path::PathBuf;
    use std::sync::Arc;
    use std::time::Duration;

    use ureq::config::{AutoHeaderValue, Config};
    use ureq::http::Uri;
    use ureq::tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, parse_pem};
    use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
    use ureq::unversioned::transport::{
        Buffers, ConnectionDetails, Connector, DefaultConnector, LazyBuffers, NextTimeout, Transport,
    };
    use ureq::{Agent, Body, Error, Proxy};

    use crate::commands::resolve::resolve;
    use crate::host::Inspect;
    use crate::host::http::{Reply, Request, Trust, reason, without_secret};
    use crate::outcome::Failure;
    use crate::web::url::Url;

    /// How long connecting may take where nothing is said.
    const TIMEOUT: Duration = Duration::from_secs(30);

    /// Sends a request and gives the answer, whatever its status. Redirections are not followed.
    pub(crate) fn send(request: &Request, host: &dyn Inspect) -> Result<Reply, Failure> {
        let said =
            |error: &dyn std::fmt::Display| Failure::new(format!("cannot ask `{}`: {error}", without_secret(&request.url)));
        let url = Url::parse(&request.url)?;
        let names: Vec<String> = match (&request.socket, &request.proxy) {
            (Some(_), _) => Vec::new(),
            (None, Some(proxy)) => vec![Url::parse(proxy)?.host],
            (None, None) => vec![url.host.clone()],
        };
        let known = names.into_iter().map(|name| (name.clone(), resolve(&name, host))).collect();
        let timeout = Some(request.timeout.unwrap_or(TIMEOUT));
        let proxy = request.proxy.as_deref().filter(|_| request.socket.is_none()).map(Proxy::new).transpose();
        let mut config = Config::builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .allow_non_standard_methods(true)
            .user_agent(AutoHeaderValue::None)
            .accept_encoding(AutoHeaderValue::None)
            .timeout_connect(timeout)
            .timeout_recv_response(timeout)
            .timeout_per_read(timeout)
            .timeout_per_write(timeout)
            .proxy(proxy.map_err(|error| said(&error))?);
        if url.scheme == "https" {
            config = config.tls_config(trust(&request.trust).map_err(|problem| said(&problem))?);
        }
        let config = config.build();
        let agent = match &request.socket {
            Some(socket) if url.scheme == "http" => Agent::with_parts(config, OverSocket(socket.clone()), Known(known)),
            Some(_) => return Err(said(&"a socket of the host is spoken to with `http`")),
            None => Agent::with_parts(config, DefaultConnector::default(), Known(known)),
        };
        let mut builder = ureq::http::Request::builder().method(request.method.as_str()).uri(&request.url);
        for (name, value) in &request.headers {
            builder = builder.header(name, value);
        }
        let answer = match &request.body {
            Some(body) => agent.run(builder.body(body.clone()).map_err(|error| said(&error))?),
            None => agent.run(builder.body(()).map_err(|error| said(&error))?),
        };
        Ok(reply(answer.map_err(|error| said(&in_words(&error)))?))
    }

    fn reply(answer: ureq::http::Response<Body>) -> Reply {
        let (head, body) = answer.into_parts();
        let text = |value: &ureq::http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let status = head.status.as_u16();
        let known = head.status.canonical_reason().unwrap_or(reason(status));
        Reply {
            status,
            reason: if reason(status) == "Unknown" { known } else { reason(status) }.to_owned(),
            headers: head.headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect(),
            body: Box::new(body.into_reader()),
        }
    }

    /// An error with what caused it.
    fn in_words(error: &Error) -> String {
        let mut text = match error {
            Error::Io(error) => error.to_string(),
            Error::HostNotFound => "its name could not be resolved".into(),
            other => other.to_string(),
        };
        let mut cause = error.source();
        while let Some(deeper) = cause {
            let more = deeper.to_string();
            if !text.contains(&more) {
                text = format!("{text}: {more}");
            }
            cause = deeper.source();
        }
        text
    }

    /// Whose certificates are believed, and our own.
    fn trust(trust: &Trust) -> Result<TlsConfig, String> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut tls = TlsConfig::builder().unversioned_rustls_crypto_provider(provider).disable_verification(trust.anybody);
        if !trust.anybody {
            let authorities: Vec<Certificate<'static>> = match &trust.authorities {
                Some(pem) => certificates(pem)?,
                None => {
                    let native = rustls_native_certs::load_native_certs();
                    native.certs.iter().map(|der| Certificate::from_der(der).to_owned()).collect()
                }
            };
            if authorities.is_empty() {
                return Err(
                    "there are no certificates of authorities to trust\nhint: they are in the package `ca-certificates`".into()
                );
            }
            tls = tls.root_certs(RootCerts::new_with_certs(&authorities));
        }
        if let Some((certificate, key)) = &trust.identity {
            let key = PrivateKey::from_pem(key).map_err(|error| format!("`client_key`: {error}"))?;
            tls = tls.client_cert(Some(ClientCert::new_with_certs(&certificates(certificate)?, key)));
        }
        Ok(tls.build())
    }

    fn certificates(pem: &[u8]) -> Result<Vec<Certificate<'static>>, String> {
        let mut found = Vec::new();
        for item in parse_pem(pem) {
            if let PemItem::Certificate(certificate) = item.map_err(|error| error.to_string())? {
                found.push(certificate);
            }
        }
        if found.is_empty() { Err("there is no certificate in PEM form".into()) } else { Ok(found) }
    }

    /// Addresses that were looked up beforehand.
    #[derive(Debug)]
    struct Known(BTreeMap<String, Vec<IpAddr>>);

    impl Resolver for Known {
        fn resolve(&self, uri: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
            let mut found = self.empty();
            let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 });
            let addresses = self.0.get(uri.host().unwrap_or_default());
            for address in addresses.into_iter().flatten().take(16) {
                found.push(SocketAddr::new(*address, port));
            }
            // A socket of the host has no address; anything stands for it.
            if self.0.is_empty() {
                found.push(SocketAddr::from(([127, 0, 0, 1], port)));
            }
            if found.is_empty() { Err(Error::HostNotFound) } else { Ok(found) }
        }
    }

    /// Connects to a socket of the host, whatever the address says.
    #[derive(Debug)]
    struct OverSocket(PathBuf);

    impl Connector<()> for OverSocket {
        type Out = SocketTransport;

        fn connect(&self, details: &ConnectionDetails<'_>, _: Option<()>) -> Result<Option<SocketTransport>, Error> {
            let stream = UnixStream::connect(&self.0)?;
            let buffers = LazyBuffers::new(details.config.input_buffer_size(), details.config.output_buffer_size());
            Ok(Some(SocketTransport { stream, buffers }))
        }
    }

    struct SocketTransport {
        stream: UnixStream,
        buffers: LazyBuffers,
    }

    impl std::fmt::Debug for SocketTransport {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("SocketTransport")
        }
    }

    impl Transport for SocketTransport {
        fn buffers(&mut self) -> &mut dyn Buffers {
            &mut self.buffers
        }

        fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
            self.stream.set_write_timeout(timeout.not_zero().map(|left| *left))?;
            self.stream.write_all(&self.buffers.output()[..amount])?;
            Ok(())
        }

        fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
            self.stream.set_read_timeout(timeout.not_zero().map(|left| *left))?;
            let count = self.stream.read(self.buffers.input_append_buf())?;
            self.buffers.input_appended(count);
            Ok(count > 0)
        }

        fn is_open(&mut self) -> bool {
            false
        }
    }
}

#[cfg(all(test, feature = "web"))]
mod tests {
    use std::io::{BufRead as _, BufReader, Read as _, Write};

    use super::send;
    use crate::host::http::Request;
    use crate::host::memory::MemoryHost;

    /// Reads one request and answers it; what was asked.
    fn answer<S: std::io::Read + Write>(stream: S) -> String {
        let mut stream = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(stream.read_line(&mut head).unwrap() > 0, "the request ended early");
        }
        let length =
            head.to_lowercase().split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next()?.parse().ok());
        let mut body = vec![0; length.unwrap_or(0)];
        stream.read_exact(&mut body).unwrap();
        let answer = b"HTTP/1.1 302 Found\r\nLocation: /x\r\nX-Y: z\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello";
        stream.get_mut().write_all(answer).unwrap();
        head + &String::from_utf8(body).unwrap()
    }

    fn ask(request: &Request) -> (u16, String, String) {
        let mut reply = send(request, &MemoryHost::default()).unwrap();
        let mut text = String::new();
        reply.body.read_to_string(&mut text).unwrap();
        (reply.status, reply.header("x-y").unwrap().to_owned(), text)
    }

    #[test]
    fn a_server_on_this_machine_is_asked() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://localhost:{}/a?b", listener.local_addr().unwrap().port());
        let server = std::thread::spawn(move || [(); 2].map(|()| answer(listener.accept().unwrap().0)));
        let headers = vec![("X-Token".to_owned(), "secret".to_owned())];
        let get = Request { method: "GET".into(), url, headers, ..Request::default() };
        let expected = (302, "z".to_owned(), "hello".to_owned());
        assert_eq!(ask(&get), expected);
        assert_eq!(ask(&Request { method: "PATCH".into(), body: Some(b"sent".to_vec()), ..get }), expected);
        let [first, second] = server.join().unwrap();
        assert!(first.starts_with("GET /a?b HTTP/1.1\r\n") && first.contains("x-token: secret\r\n"), "{first}");
        assert!(second.starts_with("PATCH /a?b HTTP/1.1\r\n") && second.ends_with("\r\n\r\nsent"), "{second}");
    }

    #[test]
    fn a_socket_of_the_host_is_asked() {
        let place = tempfile::tempdir().unwrap();
        let socket = place.path().join("socket");
        let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let server = std::thread::spawn(move || answer(listener.accept().unwrap().0));
        let url = "http://anything/v1".to_owned();
        let request = Request { method: "DELETE".into(), url, socket: Some(socket), ..Request::default() };
        assert_eq!(ask(&request).0, 302);
        assert!(server.join().unwrap().starts_with("DELETE /v1 HTTP/1.1\r\n"));
    }

    #[test]
    fn who_does_not_answer_is_named_without_secrets() {
        let request = Request { method: "GET".into(), url: "http://u:p@127.0.0.1:1/".into(), ..Request::default() };
        let failure = send(&request, &MemoryHost::default()).unwrap_err();
        assert!(failure.message.contains("127.0.0.1:1") && !failure.message.contains("u:p"), "{failure}");
    }
}
