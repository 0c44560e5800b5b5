//! A call of an actor at another node, 64 bytes there and back: over a lane of the mesh, beside raw QUIC with a stream for each
//! call, and beside Erlang's distribution where it is installed.
//!
//! `remote_calls [--erlang DIR] [--seconds 3] [--repeat 3] [--json FILE]`
//!
//! Two processes on loopback, mutual TLS on both QUIC sides. `--erlang DIR` names a folder with a `run.sh WORKDIR REPEATS` that
//! starts two BEAM nodes and prints JSON lines (`name`, `p50_us`, `per_s`); without it that side is left out.

use anyhow::{Context, Result, ensure};
use async_trait::async_trait;
use bytes::Bytes;
use futures::future::BoxFuture;
use octopussy_benches::{Arguments, Report, Samples, median};
use octopussy_core::ids::NodeId;
use octopussy_core::ports::{Lane, LaneHandler, MeshPort};
use octopussy_mesh::{Mesh, MeshCertificates, MeshConfig, node_id};
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const BYTES: usize = 64;
const IN_FLIGHT: [usize; 2] = [256, 1_024];
const NAME: &str = "localhost";
const WITHIN: Duration = Duration::from_secs(10);

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<()> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let arguments = Arguments::parse(&["erlang", "seconds", "repeat", "json", "serve"])?;
    if let Some(folder) = arguments.text("serve") {
        return serve(Path::new(folder)).await;
    }
    let duration = Duration::from_secs(arguments.number("seconds", 3)?);
    let repeat: usize = arguments.number("repeat", 3)?;
    let report = Report::new("remote_calls", arguments.text("json"));
    let folder = tempfile::tempdir()?;
    Material::make(folder.path())?;
    let server = Server::start(folder.path())?;
    let mesh = bind(folder.path(), "client")?;
    mesh.learn(server.node, &[server.mesh]);
    octopussy_tests::eventually("the server is connected", || async { mesh.is_connected(server.node).then_some(()) })
        .await;
    let raw = raw_client(folder.path(), server.raw).await?;
    let lane: Caller = {
        let (mesh, node) = (Arc::clone(&mesh), server.node);
        Arc::new(move || {
            let call = mesh.call(node, Lane::Forward, Bytes::from_static(&[7; BYTES]), WITHIN);
            Box::pin(async move { Ok(call.await?.len()) })
        })
    };
    let stream: Caller = Arc::new(move || {
        let raw = raw.clone();
        Box::pin(async move {
            let (mut send, mut receive) = raw.open_bi().await?;
            send.write_all(&[7; BYTES]).await?;
            send.finish()?;
            Ok(receive.read_to_end(BYTES).await?.len())
        })
    });
    let erlang = arguments.text("erlang").map(|folder| erlang(Path::new(folder), repeat)).transpose()?;
    if erlang.is_none() {
        report.note("no --erlang: that side is left out")?;
    }
    let (mut alone, mut rates) = (Vec::new(), Vec::new());
    for (who, call) in [("lane to an actor", &lane), ("raw QUIC, a stream a call", &stream)] {
        let samples = sequence(call, repeat).await?;
        let p50 = samples.percentile_ms(50) * 1e3;
        report.row(&format!("{who}, alone"), &[("p50_us", p50), ("p99_us", samples.percentile_ms(99) * 1e3)])?;
        alone.push(p50);
        for in_flight in IN_FLIGHT {
            let mut measured = Vec::new();
            for _ in 0..repeat {
                measured.push(rate(call, in_flight, duration).await?);
            }
            let measured = median(measured);
            report.row(&format!("{who}, {in_flight} in flight"), &[("per_second", measured)])?;
            rates.push(measured);
        }
    }
    report.row(
        "ratio to raw QUIC",
        &[("p50_alone", alone[0] / alone[1]), ("rate_256", rates[0] / rates[2]), ("rate_1024", rates[1] / rates[3])],
    )?;
    if let Some(beam) = erlang {
        report.row(
            "Erlang's distribution, TCP without TLS",
            &[("p50_us", beam.p50), ("per_second_256", beam.rates[0]), ("per_second_1024", beam.rates[1])],
        )?;
        report.row(
            "ratio to Erlang",
            &[
                ("p50_alone", alone[0] / beam.p50),
                ("rate_256", rates[0] / beam.rates[0]),
                ("rate_1024", rates[1] / beam.rates[1]),
            ],
        )?;
    }
    mesh.close().await;
    Ok(())
}

type Caller = Arc<dyn Fn() -> BoxFuture<'static, Result<usize>> + Send + Sync>;

async fn sequence(call: &Caller, repeat: usize) -> Result<Samples> {
    for _ in 0..2_000 {
        call().await?;
    }
    let mut durations = Vec::new();
    for _ in 0..10_000 * repeat {
        let begun = Instant::now();
        ensure!(call().await? == BYTES, "an answer of another length");
        durations.push(begun.elapsed());
    }
    Ok(Samples::new(durations))
}

async fn rate(call: &Caller, in_flight: usize, duration: Duration) -> Result<f64> {
    let (begun, count) = (Instant::now(), Arc::new(AtomicU64::new(0)));
    let callers: Vec<_> = (0..in_flight)
        .map(|_| {
            let (call, count) = (Arc::clone(call), Arc::clone(&count));
            tokio::spawn(async move {
                while begun.elapsed() < duration {
                    call().await?;
                    count.fetch_add(1, Ordering::Relaxed);
                }
                anyhow::Ok(())
            })
        })
        .collect();
    for caller in callers {
        caller.await??;
    }
    Ok(count.load(Ordering::Relaxed) as f64 / begun.elapsed().as_secs_f64())
}

/// What two nodes of one cluster need, as files: an authority and a certificate for each.
struct Material;

impl Material {
    fn make(folder: &Path) -> Result<()> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = params.self_signed(&key)?;
        std::fs::write(folder.join("ca.der"), authority.der())?;
        let issuer = Issuer::new(params, key);
        for who in ["server", "client"] {
            let key = KeyPair::generate()?;
            let mut params = CertificateParams::new([NAME.to_owned()])?;
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
            let certificate = params.signed_by(&key, &issuer)?;
            std::fs::write(folder.join(format!("{who}.der")), certificate.der())?;
            std::fs::write(folder.join(format!("{who}.key")), key.serialize_der())?;
        }
        Ok(())
    }

    fn load(folder: &Path, who: &str) -> Result<MeshCertificates> {
        let read = |name: String| std::fs::read(folder.join(name));
        Ok(MeshCertificates {
            crosses: Vec::new(),
            authorities: vec![CertificateDer::from(read("ca.der".to_owned())?)],
            certificate: CertificateDer::from(read(format!("{who}.der"))?),
            key: PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(read(format!("{who}.key"))?)),
        })
    }
}

fn bind(folder: &Path, who: &str) -> Result<Arc<Mesh>> {
    let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
    let config = MeshConfig::new(loopback, "bench", 1, Material::load(folder, who)?);
    Ok(Mesh::bind(MeshConfig { guarded: false, ..config })?)
}

/// The other process.
struct Server {
    child: Child,
    node: NodeId,
    mesh: SocketAddr,
    raw: SocketAddr,
}

impl Server {
    fn start(folder: &Path) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("--serve").arg(folder).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("no output")?).read_line(&mut line)?;
        let mut words = line.split_whitespace();
        let mut next = || words.next().context("the server says too little");
        let (mesh, raw) = (next()?.parse()?, next()?.parse()?);
        let node = node_id(&Material::load(folder, "server")?.certificate).map_err(anyhow::Error::msg)?;
        Ok(Self { child, node, mesh, raw })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[expect(clippy::print_stdout, reason = "the parent reads where the server listens")]
async fn serve(folder: &Path) -> Result<()> {
    let mesh = bind(folder, "server")?;
    let (actor, _) = Actor::spawn(None, Echo, ()).await?;
    mesh.serve(Lane::Forward, Arc::new(ToActor(actor)));
    let endpoint = quinn::Endpoint::server(raw_server(folder)?, SocketAddr::from(([127, 0, 0, 1], 0)))?;
    println!("{} {}", mesh.local_addr()?, endpoint.local_addr()?);
    while let Some(incoming) = endpoint.accept().await {
        tokio::spawn(async move {
            let connection = incoming.await?;
            while let Ok((mut send, mut receive)) = connection.accept_bi().await {
                tokio::spawn(async move {
                    let request = receive.read_to_end(BYTES).await?;
                    send.write_all(&request).await?;
                    send.finish()?;
                    anyhow::Ok(())
                });
            }
            anyhow::Ok(())
        });
    }
    Ok(())
}

/// The actor that is called.
struct Echo;

#[async_trait]
impl Actor for Echo {
    type Msg = (Bytes, RpcReplyPort<Bytes>);
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Self::Msg>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(
        &self,
        _: ActorRef<Self::Msg>,
        (bytes, reply): Self::Msg,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        let _ = reply.send(bytes);
        Ok(())
    }
}

struct ToActor(ActorRef<(Bytes, RpcReplyPort<Bytes>)>);

impl LaneHandler for ToActor {
    fn handle(&self, _: NodeId, request: Bytes, _: Duration) -> BoxFuture<'static, Result<Bytes, Arc<str>>> {
        let (reply, answer) = tokio::sync::oneshot::channel();
        let sent = self.0.cast((request, reply.into()));
        Box::pin(async move {
            sent.map_err(|error| error.to_string())?;
            Ok(answer.await.map_err(|error| error.to_string())?)
        })
    }
}

fn raw_server(folder: &Path) -> Result<quinn::ServerConfig> {
    let material = Material::load(folder, "server")?;
    let mut roots = rustls::RootCertStore::empty();
    for authority in material.authorities {
        roots.add(authority)?;
    }
    let clients = rustls::server::WebPkiClientVerifier::builder(Arc::new(roots)).build()?;
    let tls = rustls::ServerConfig::builder_with_protocol_versions(&[&rustls::version::TLS13])
        .with_client_cert_verifier(clients)
        .with_single_cert(vec![material.certificate], material.key)?;
    let mut config = quinn::ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(tls)?));
    let mut transport = quinn::TransportConfig::default();
    transport.max_concurrent_bidi_streams(4_096_u32.into());
    config.transport_config(Arc::new(transport));
    Ok(config)
}

async fn raw_client(folder: &Path, server: SocketAddr) -> Result<quinn::Connection> {
    let material = Material::load(folder, "client")?;
    let mut roots = rustls::RootCertStore::empty();
    for authority in material.authorities {
        roots.add(authority)?;
    }
    let tls = rustls::ClientConfig::builder_with_protocol_versions(&[&rustls::version::TLS13])
        .with_root_certificates(roots)
        .with_client_auth_cert(vec![material.certificate], material.key)?;
    let mut endpoint = quinn::Endpoint::client(SocketAddr::from(([127, 0, 0, 1], 0)))?;
    let mut config = quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls)?));
    let mut transport = quinn::TransportConfig::default();
    // The other side is measured first.
    transport.keep_alive_interval(Some(Duration::from_secs(5)));
    config.transport_config(Arc::new(transport));
    endpoint.set_default_client_config(config);
    Ok(endpoint.connect(server, NAME)?.await?)
}

/// What the BEAM came to.
struct Beam {
    p50: f64,
    rates: [f64; 2],
}

fn erlang(folder: &Path, repeat: usize) -> Result<Beam> {
    let work = tempfile::tempdir()?;
    let script: PathBuf = folder.join("run.sh");
    let output =
        Command::new("bash").arg(&script).arg(work.path()).arg(repeat.to_string()).stderr(Stdio::inherit()).output()?;
    ensure!(output.status.success(), "{} failed", script.display());
    let rows: Vec<serde_json::Value> =
        String::from_utf8_lossy(&output.stdout).lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let of = |name: &str, field: &str| -> Result<f64> {
        let values: Vec<f64> =
            rows.iter().filter(|row| row["name"] == name).filter_map(|row| row[field].as_f64()).collect();
        ensure!(!values.is_empty(), "{} printed nothing called '{name}'", script.display());
        Ok(median(values))
    };
    Ok(Beam {
        p50: of("beam remote call_seq inflight=1 64B", "p50_us")?,
        rates: [of("beam remote call inflight=256 64B", "per_s")?, of("beam remote call inflight=1024 64B", "per_s")?],
    })
}
