//! The WebSocket interface as a program of a user's would speak it.

use crate::patience::PATIENCE;
use crate::rest_client::install_crypto;
use anyhow::{Context, Result, bail};
use futures::{SinkExt, StreamExt};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{Connector, MaybeTlsStream, WebSocketStream, connect_async_tls_with_config};

/// One connection.
#[derive(Debug)]
pub struct WsClient {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl WsClient {
    /// Connects with what `credentials.json` in `home` says; the token travels in the `Authorization` header.
    ///
    /// # Errors
    /// When the file does not hold what it should, or the connection is refused.
    pub async fn connect(home: &Path) -> Result<Self> {
        install_crypto();
        let credentials: Value = serde_json::from_slice(&std::fs::read(home.join("credentials.json"))?)?;
        let url = credentials["ws_url"].as_str().context("credentials.json has no ws_url")?;
        let url = if url.ends_with("/ws") { url.to_owned() } else { format!("{}/ws", url.trim_end_matches('/')) };
        let mut request = url.into_client_request()?;
        let token = credentials["token"].as_str().context("credentials.json has no token")?;
        request.headers_mut().insert("authorization", format!("Bearer {token}").parse()?);
        let mut roots = rustls::RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(credentials["ca"].as_str().unwrap_or_default().as_bytes()) {
            roots.add(certificate?)?;
        }
        let config = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let connector = Connector::Rustls(Arc::new(config));
        let (socket, _) = connect_async_tls_with_config(request, None, false, Some(connector)).await?;
        Ok(Self { socket })
    }

    /// Sends one frame.
    ///
    /// # Errors
    /// Those of the connection.
    pub async fn send(&mut self, frame: &Value) -> Result<()> {
        Ok(self.socket.send(Message::text(frame.to_string())).await?)
    }

    /// The next frame.
    ///
    /// # Errors
    /// When the connection ends, or nothing comes in time.
    pub async fn receive(&mut self) -> Result<Value> {
        loop {
            let frame = tokio::time::timeout(PATIENCE, self.socket.next()).await.context("no frame came in time")?;
            match frame.context("the connection has ended")?? {
                Message::Text(text) => return Ok(serde_json::from_str(&text)?),
                Message::Close(frame) => bail!("the node closed the connection: {frame:?}"),
                Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
            }
        }
    }

    /// The first frame from here on that `wanted` accepts.
    ///
    /// # Errors
    /// As [`WsClient::receive`]; also when an `error` frame comes that was not wanted.
    pub async fn until(&mut self, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
        loop {
            let frame = self.receive().await?;
            if wanted(&frame) {
                return Ok(frame);
            }
            if frame["op"] == "error" {
                bail!("the node answered with an error: {frame:#}");
            }
        }
    }
}
