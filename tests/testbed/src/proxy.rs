//! A forward proxy that clients are configured with: HTTP CONNECT with basic authentication, and SOCKS5 with a user name and a
//! password, on one port. Reverse proxies are in [`crate::gateway`].

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::error::Result;
use crate::service::Service;

/// A proxy that runs on a thread of this process.
#[derive(Debug)]
pub struct Proxy {
    state: Arc<State>,
    service: Service,
}

#[derive(Debug)]
struct State {
    user: String,
    password: String,
    connections: AtomicUsize,
    refused: AtomicUsize,
}

impl Proxy {
    /// Starts one that asks for this user and password.
    pub fn start(user: &str, password: &str) -> Result<Self> {
        let state = Arc::new(State {
            user: user.to_owned(),
            password: password.to_owned(),
            connections: AtomicUsize::default(),
            refused: AtomicUsize::default(),
        });
        let service = Service::start("proxy", |listener| accept(listener, Arc::clone(&state)))?;
        Ok(Self { state, service })
    }

    /// Returns its address, such as `127.0.0.1:3128`.
    #[must_use]
    pub fn address(&self) -> String {
        format!("{}:{}", Ipv4Addr::LOCALHOST, self.service.port())
    }

    /// Returns how many connections it has made.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.state.connections.load(Ordering::Relaxed)
    }

    /// Returns how many clients it has refused.
    #[must_use]
    pub fn refused(&self) -> usize {
        self.state.refused.load(Ordering::Relaxed)
    }
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    while let Ok((connection, _)) = listener.accept().await {
        let state = Arc::clone(&state);
        // A client that goes away is its own to report.
        tokio::spawn(async move {
            let _ = state.serve(connection).await;
        });
    }
}

impl State {
    async fn serve(&self, connection: TcpStream) -> std::io::Result<()> {
        let mut client = BufReader::new(connection);
        let upstream = match client.fill_buf().await?.first() {
            Some(5) => self.socks(&mut client).await?,
            Some(_) => self.connect(&mut client).await?,
            None => None,
        };
        let Some(mut upstream) = upstream else {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return client.shutdown().await;
        };
        self.connections.fetch_add(1, Ordering::Relaxed);
        tokio::io::copy_bidirectional(&mut client, &mut upstream).await.map(drop)
    }

    /// Answers `CONNECT HOST:PORT`.
    async fn connect(&self, client: &mut BufReader<TcpStream>) -> std::io::Result<Option<TcpStream>> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if client.read_line(&mut head).await? == 0 {
                return Ok(None);
            }
        }
        let login = BASE64_STANDARD.encode(format!("{}:{}", self.user, self.password));
        let mut lines = head.lines();
        let target = lines.next().and_then(|line| line.strip_prefix("CONNECT ")?.split(' ').next());
        let is_known = lines.any(|line| {
            line.split_once(": ").is_some_and(|(name, value)| {
                name.eq_ignore_ascii_case("proxy-authorization") && value == format!("Basic {login}")
            })
        });
        let (answer, upstream) = match target {
            Some(_) if !is_known => ("407 Proxy Authentication Required", None),
            Some(target) => match TcpStream::connect(target).await {
                Ok(upstream) => ("200 Connection established", Some(upstream)),
                Err(_) => ("502 Bad Gateway", None),
            },
            None => ("405 Method Not Allowed", None),
        };
        client.write_all(format!("HTTP/1.1 {answer}\r\n\r\n").as_bytes()).await?;
        Ok(upstream)
    }

    /// Answers a request of SOCKS5 (RFC 1928), after a login (RFC 1929).
    async fn socks(&self, client: &mut BufReader<TcpStream>) -> std::io::Result<Option<TcpStream>> {
        let _version = client.read_u8().await?;
        let methods = text(client).await?;
        if !methods.contains(&2) {
            client.write_all(&[5, 0xff]).await?;
            return Ok(None);
        }
        client.write_all(&[5, 2]).await?;
        let _version = client.read_u8().await?;
        let (user, password) = (text(client).await?, text(client).await?);
        let is_known = user == self.user.as_bytes() && password == self.password.as_bytes();
        client.write_all(&[1, u8::from(!is_known)]).await?;
        if !is_known {
            return Ok(None);
        }
        let mut request = [0; 4];
        client.read_exact(&mut request).await?;
        let host = match request[3] {
            1 => Ipv4Addr::from(client.read_u32().await?).to_string(),
            3 => String::from_utf8_lossy(&text(client).await?).into_owned(),
            _ => return Ok(None),
        };
        let port = client.read_u16().await?;
        let upstream = TcpStream::connect((host, port)).await.ok();
        client.write_all(&[5, u8::from(upstream.is_none()), 0, 1, 0, 0, 0, 0, 0, 0]).await?;
        Ok(upstream)
    }
}

/// Reads a text that its length precedes.
async fn text(client: &mut BufReader<TcpStream>) -> std::io::Result<Vec<u8>> {
    let mut text = vec![0; client.read_u8().await?.into()];
    client.read_exact(&mut text).await?;
    Ok(text)
}
