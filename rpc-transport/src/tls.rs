//! TLS on top of TCP: who shows which certificate, and whose are believed.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use farcall_core::connection::Connection;
use rustls::client::WebPkiServerVerifier;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::driver::Side;
use crate::endpoint::Endpoint;
use crate::peer::{Certificate, Peer};

/// What both sides say that they speak inside TLS (ALPN).
const PROTOCOL: &[u8] = b"farcall";

/// The certificates that an [`Endpoint`] shows and demands at `tls://` addresses. TLS 1.3 is spoken, with `ring`.
///
/// Nothing is believed unless it is said here: the authorities that a system or a browser trusts are not.
///
/// ```no_run
/// # fn example() -> std::io::Result<()> {
/// use farcall_transport::Tls;
///
/// // Who serves, only to those who have a certificate of `clients.pem`:
/// let server = Tls::new()
///     .present(&std::fs::read("server.pem")?, &std::fs::read("server.key")?)?
///     .require_clients(&std::fs::read("clients.pem")?)?;
/// // And who connects to it:
/// let client = Tls::new()
///     .trust_servers(&std::fs::read("servers.pem")?)?
///     .present(&std::fs::read("client.pem")?, &std::fs::read("client.key")?)?;
/// # drop((server, client));
/// # Ok(()) }
/// ```
#[derive(Clone, Default)]
pub struct Tls {
    presented: Option<Arc<SingleCertAndKey>>,
    servers: Option<Arc<RootCertStore>>,
    clients: Option<Arc<RootCertStore>>,
    /// Made once, so that a connection can resume the session of one before.
    client: Arc<OnceLock<Arc<ClientConfig>>>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("presents", &self.presented.is_some())
            .field("trusts_servers", &self.servers.is_some())
            .field("requires_clients", &self.clients.is_some())
            .finish()
    }
}

impl Tls {
    /// Shows nothing and believes nobody.
    pub fn new() -> Self {
        Self::default()
    }

    /// Shows this certificate: to those who connect, and to those it connects to if they ask. Both are PEM: the
    /// certificate and those between it and its authority, in this order, and the private key.
    ///
    /// # Errors
    /// The PEM holds no certificate or no key, or the key is not that of the certificate.
    pub fn present(mut self, certificates: &[u8], key: &[u8]) -> io::Result<Self> {
        let chain = read_certificates(certificates)?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| unfit("the private key", &error))?;
        let certified = CertifiedKey::from_der(chain, key, &provider());
        let certified = certified.map_err(|error| unfit("the certificate and its key", &error))?;
        self.presented = Some(Arc::new(SingleCertAndKey::from(certified)));
        self.client = Arc::default();
        Ok(self)
    }

    /// Believes the servers that it connects to if one of these authorities says who they are, as PEM.
    ///
    /// # Errors
    /// The PEM holds no certificate, or one that cannot be an authority.
    pub fn trust_servers(mut self, authorities: &[u8]) -> io::Result<Self> {
        self.servers = Some(roots(authorities)?);
        self.client = Arc::default();
        Ok(self)
    }

    /// Serves only those who show a certificate of one of these authorities, as PEM. Without it, whoever connects
    /// remains unknown.
    ///
    /// # Errors
    /// The PEM holds no certificate, or one that cannot be an authority.
    pub fn require_clients(mut self, authorities: &[u8]) -> io::Result<Self> {
        self.clients = Some(roots(authorities)?);
        Ok(self)
    }

    fn client(&self) -> io::Result<Arc<ClientConfig>> {
        if let Some(config) = self.client.get() {
            return Ok(Arc::clone(config));
        }
        let servers = self.servers.clone().ok_or_else(|| {
            invalid("nobody is trusted: a `tls://` address needs the authorities of its server".to_owned())
        })?;
        let verifier = WebPkiServerVerifier::builder_with_provider(servers, provider())
            .build()
            .map_err(|error| invalid(format!("the authorities of servers cannot be used: {error}")))?;
        let builder = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(io::Error::other)?
            .with_webpki_verifier(verifier);
        let mut config = match &self.presented {
            Some(presented) => builder.with_client_cert_resolver(Arc::<SingleCertAndKey>::clone(presented)),
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![PROTOCOL.to_vec()];
        Ok(Arc::clone(self.client.get_or_init(|| Arc::new(config))))
    }

    fn server(&self) -> io::Result<Arc<ServerConfig>> {
        let presented = self.presented.clone().ok_or_else(|| {
            invalid(
                "there is no certificate to show: serving at a `tls://` address needs one, with its key"
                    .to_owned(),
            )
        })?;
        let builder = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(io::Error::other)?;
        let builder = match &self.clients {
            Some(clients) => {
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::clone(clients), provider())
                    .build()
                    .map_err(|error| {
                        invalid(format!("the authorities of clients cannot be used: {error}"))
                    })?;
                builder.with_client_cert_verifier(verifier)
            }
            None => builder.with_no_client_auth(),
        };
        let mut config = builder.with_cert_resolver(presented);
        config.alpn_protocols = vec![PROTOCOL.to_vec()];
        Ok(Arc::new(config))
    }
}

fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    Arc::clone(PROVIDER.get_or_init(|| Arc::new(rustls::crypto::ring::default_provider())))
}

fn read_certificates(pem: &[u8]) -> io::Result<Vec<CertificateDer<'static>>> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match read {
        Ok(found) if found.is_empty() => Err(invalid("there is no certificate in the PEM".to_owned())),
        Ok(found) => Ok(found),
        Err(error) => Err(unfit("the certificate", &error)),
    }
}

fn roots(pem: &[u8]) -> io::Result<Arc<RootCertStore>> {
    let mut roots = RootCertStore::empty();
    for authority in read_certificates(pem)? {
        roots.add(authority).map_err(|error| unfit("the authority", &error))?;
    }
    Ok(Arc::new(roots))
}

fn unfit(what: &str, error: &dyn fmt::Display) -> io::Error {
    invalid(format!("{what} cannot be used: {error}"))
}

fn invalid(text: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, text)
}

/// Who is at the other end.
fn peer(address: SocketAddr, shown: Option<&[CertificateDer<'_>]>) -> Peer {
    let certificate = shown.and_then(<[_]>::first).map(|certificate| {
        let names = match webpki::EndEntityCert::try_from(certificate) {
            Ok(read) => read.valid_dns_names().chain(read.valid_uri_names()).map(str::to_owned).collect(),
            Err(_) => Vec::new(),
        };
        Certificate::new(certificate.to_vec(), names)
    });
    Peer::Tls { address, certificate }
}

pub(crate) async fn connect(endpoint: &Endpoint, address: &str) -> io::Result<Connection> {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned())
        .map_err(|_| invalid(format!("`{host}` is no name that a certificate can be for")))?;
    let config = endpoint.tls.client()?;
    let connecting = async {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let address = stream.peer_addr()?;
        Ok::<_, io::Error>((TlsConnector::from(config).connect(name, stream).await?, address))
    };
    let (stream, address) = in_time(endpoint, connecting).await?;
    let peer = peer(address, stream.get_ref().1.peer_certificates());
    Ok(endpoint.spawn(stream, Side::Connecting, peer))
}

/// Greetings of TLS have the time that those of farcall have.
async fn in_time<T>(endpoint: &Endpoint, greeting: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    let limit = endpoint.limits.handshake;
    if limit == Duration::MAX {
        return greeting.await;
    }
    match tokio::time::timeout(limit, greeting).await {
        Ok(greeted) => greeted,
        Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, format!("no TLS handshake within {limit:?}"))),
    }
}

/// Greets those who connect, each on a task of its own, so that a slow one holds up nobody.
pub(crate) struct Acceptor {
    acceptor: TlsAcceptor,
    greetings: JoinSet<Option<Connection>>,
}

impl fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acceptor").field("greetings", &self.greetings.len()).finish_non_exhaustive()
    }
}

impl Acceptor {
    pub(crate) fn new(endpoint: &Endpoint) -> io::Result<Self> {
        let acceptor = TlsAcceptor::from(endpoint.tls.server()?);
        Ok(Self { acceptor, greetings: JoinSet::new() })
    }

    pub(crate) fn begin(&mut self, endpoint: &Endpoint, stream: TcpStream, address: SocketAddr) {
        let (acceptor, endpoint) = (self.acceptor.clone(), endpoint.clone());
        self.greetings.spawn(async move {
            match in_time(&endpoint, acceptor.accept(stream)).await {
                Ok(stream) => {
                    let peer = peer(address, stream.get_ref().1.peer_certificates());
                    Some(endpoint.spawn(stream, Side::Accepting, peer))
                }
                Err(error) => {
                    tracing::warn!(%address, %error, "a TLS handshake failed");
                    None
                }
            }
        });
    }

    /// A greeting that has ended, and the connection that came of it.
    pub(crate) fn poll_made(&mut self, cx: &mut Context<'_>) -> Poll<Option<Connection>> {
        match self.greetings.poll_join_next(cx) {
            Poll::Ready(Some(ended)) => Poll::Ready(ended.ok().flatten()),
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }
}
