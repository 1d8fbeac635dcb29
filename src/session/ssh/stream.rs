//! The byte stream under a connection: TCP, a proxy command, or a channel through a jump host.

use std::pin::Pin;
use std::process::Stdio;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::config::Options;

/// A byte stream in both directions.
pub(super) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// Connects by TCP.
pub(super) async fn tcp(options: &Options) -> std::io::Result<Box<dyn Duplex>> {
    let stream = TcpStream::connect((options.hostname.as_str(), options.port)).await?;
    stream.set_nodelay(true)?;
    Ok(Box::new(stream))
}

/// Starts a proxy command, which is the user's own configuration, in a shell.
pub(super) fn proxy(command: &str, options: &Options, alias: &str) -> std::io::Result<Box<dyn Duplex>> {
    let mut line = String::from("exec ");
    let mut chars = command.chars();
    while let Some(c) = chars.next() {
        match (c, if c == '%' { chars.next() } else { None }) {
            ('%', Some('h')) => line.push_str(&options.hostname),
            ('%', Some('n')) => line.push_str(alias),
            ('%', Some('p')) => line.push_str(&options.port.to_string()),
            ('%', Some('r')) => line.push_str(&options.user),
            ('%', Some(other)) if other != '%' => line.extend(['%', other]),
            (c, _) => line.push(c),
        }
    }
    let mut child = Command::new("/bin/sh")
        .args(["-c", &line])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    let stdin = child.stdin.take().expect("it was asked for");
    let stdout = child.stdout.take().expect("it was asked for");
    Ok(Box::new(Proxy { stdin, stdout, _child: child }))
}

struct Proxy {
    stdin: ChildStdin,
    stdout: ChildStdout,
    _child: Child,
}

impl AsyncRead for Proxy {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stdout).poll_read(cx, buf)
    }
}

impl AsyncWrite for Proxy {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stdin).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stdin).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stdin).poll_shutdown(cx)
    }
}
