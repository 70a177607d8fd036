//! TLS: who is believed, who is served, and what both are told.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use farcall::prelude::*;
use farcall::{Caller, Endpoint, Peer, Running, Tls};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::kit::in_time;

/// Says who called.
pub struct Who {
    ctx: Ctx,
}

#[entrypoint]
impl Who {
    fn new(_env: Arc<()>, ctx: Ctx) -> Self {
        Self { ctx }
    }

    /// The names in the caller's certificate.
    pub fn calls(&self) -> Option<Vec<String>> {
        match self.ctx.caller() {
            Caller::Peer(Peer::Tls { certificate, .. }) => {
                certificate.as_ref().map(|certificate| certificate.names().to_vec())
            }
            _ => None,
        }
    }

    pub fn length(&self, bytes: Bytes) -> u64 {
        bytes.len() as u64
    }
}

#[derive(Env)]
pub struct Env {
    who: Service<WhoStub>,
}

pub struct Front {
    env: Arc<Env>,
}

#[entrypoint]
impl Front {
    fn new(env: Arc<Env>, _ctx: Ctx) -> Self {
        Self { env }
    }

    pub async fn calls(&self) -> Result<Option<Vec<String>>, Error> {
        self.env.who.calls().await
    }
}

/// An authority, and the certificates of it.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for these names, and its key.
    fn issue(&self, names: &[&str]) -> (String, String) {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &self.0).unwrap();
        (certificate.pem(), key.serialize_pem())
    }
}

/// A folder with files, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = super::socket().with_extension("tls");
        std::fs::create_dir(&folder).unwrap();
        for (name, text) in files {
            std::fs::write(folder.join(name), text).unwrap();
        }
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What the tests serve and connect with: one authority of servers, one of clients.
struct Files {
    servers: Authority,
    clients: Authority,
    folder: Folder,
}

impl Files {
    fn new() -> Self {
        let (servers, clients) = (Authority::new("servers"), Authority::new("clients"));
        let (cert, key) = servers.issue(&["localhost", "127.0.0.1"]);
        let (client_cert, client_key) = clients.issue(&["front.example", "other.example"]);
        let folder = Folder::new(&[
            ("server.pem", &cert),
            ("server.key", &key),
            ("servers.pem", &servers.pem()),
            ("client.pem", &client_cert),
            ("client.key", &client_key),
            ("clients.pem", &clients.pem()),
            ("empty.pem", ""),
        ]);
        Self { servers, clients, folder }
    }

    async fn serve(&self, client_ca: Option<&str>) -> Running {
        let client_ca = client_ca.map_or_else(String::new, |file| format!(", client_ca = \"{file}\""));
        let listen = format!(
            "{{ address = \"tls://127.0.0.1:0\", cert = \"server.pem\", key = \"server.key\"{client_ca} }}"
        );
        let file = self.folder.path("who.toml");
        std::fs::write(&file, format!("name = \"who\"\nlisten = [{listen}]")).unwrap();
        Host::from_file(file).unwrap().environment([]).worker::<Who>().start().await.unwrap()
    }

    /// A host whose binding leads to the address, with these keys beside it.
    async fn front(&self, address: &str, keys: &str) -> Result<Running, farcall::StartError> {
        let binding = format!("{{ binding = \"who\", service = \"who\", address = \"{address}\"{keys} }}");
        let file = self.folder.path("front.toml");
        std::fs::write(&file, format!("name = \"front\"\nservices = [{binding}]")).unwrap();
        Host::from_file(file).unwrap().environment([]).worker::<Front>().start().await
    }

    async fn ask(&self, address: &str, keys: &str) -> Result<Option<Vec<String>>, Error> {
        let front = self.front(address, keys).await.unwrap();
        match front.service::<FrontStub>("front").calls().await {
            Ok(names) => Ok(names),
            Err(error) => Err(error.user().unwrap().clone()),
        }
    }
}

fn port(host: &Running) -> &str {
    host.addresses()[0].rsplit_once(':').unwrap().1
}

const CLIENT: &str = ", ca = \"servers.pem\", cert = \"client.pem\", key = \"client.key\"";

#[tokio::test]
async fn service_is_reached_over_tls_and_its_server_is_known() {
    in_time(async {
        let files = Files::new();
        let host = files.serve(None).await;
        assert!(host.addresses()[0].starts_with("tls://127.0.0.1:"), "{:?}", host.addresses());
        let localhost = format!("tls://localhost:{}", port(&host));
        for address in [host.addresses()[0].as_str(), &localhost] {
            // Nobody was asked for a certificate, so that nobody is known.
            assert_eq!(files.ask(address, ", ca = \"servers.pem\"").await.unwrap(), None);
            assert_eq!(files.ask(address, CLIENT).await.unwrap(), None);
        }
    })
    .await;
}

#[tokio::test]
async fn caller_is_known_by_the_certificate_that_it_shows() {
    in_time(async {
        let files = Files::new();
        let host = files.serve(Some("clients.pem")).await;
        let names = files.ask(&host.addresses()[0], CLIENT).await.unwrap().unwrap();
        assert_eq!(names, ["front.example", "other.example"]);
    })
    .await;
}

#[tokio::test]
async fn large_values_cross_tls_in_both_directions() {
    in_time(async {
        let files = Files::new();
        let host = files.serve(None).await;
        let tls = Tls::new().trust_servers(files.servers.pem().as_bytes()).unwrap();
        let endpoint = Endpoint::new().tls(tls);
        let who: Service<WhoStub> = Service::by(endpoint, "who", host.addresses().to_vec());
        let large = Bytes::from(vec![7; 5 << 20]);
        let calls: Vec<_> = (0..3).map(|_| who.length(large.clone())).collect();
        for call in calls {
            assert_eq!(call.await.unwrap(), 5 << 20);
        }
    })
    .await;
}

#[tokio::test]
async fn server_of_an_unknown_authority_is_not_believed() {
    in_time(async {
        let files = Files::new();
        let host = files.serve(None).await;
        let error = files.ask(&host.addresses()[0], ", ca = \"clients.pem\"").await.unwrap_err();
        assert_eq!((error.kind(), error.may_have_run()), (ErrorKind::Disconnected, false));
        assert!(error.message().contains("invalid peer certificate: UnknownIssuer"), "{error}");
        // The host goes on.
        assert_eq!(files.ask(&host.addresses()[0], ", ca = \"servers.pem\"").await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn server_of_another_name_is_not_believed() {
    in_time(async {
        let files = Files::new();
        let (cert, key) = files.servers.issue(&["elsewhere.example"]);
        std::fs::write(files.folder.path("server.pem"), cert).unwrap();
        std::fs::write(files.folder.path("server.key"), key).unwrap();
        let host = files.serve(None).await;
        let address = format!("tls://localhost:{}", port(&host));
        let error = files.ask(&address, ", ca = \"servers.pem\"").await.unwrap_err();
        assert_eq!((error.kind(), error.may_have_run()), (ErrorKind::Disconnected, false));
        assert!(error.message().contains("certificate not valid for name \"localhost\""), "{error}");
        assert!(error.message().contains("elsewhere.example"), "{error}");
    })
    .await;
}

#[tokio::test]
async fn client_without_a_certificate_or_with_another_authoritys_is_refused() {
    in_time(async {
        let files = Files::new();
        let host = files.serve(Some("clients.pem")).await;
        let error = files.ask(&host.addresses()[0], ", ca = \"servers.pem\"").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Disconnected);
        assert!(error.message().contains("CertificateRequired"), "{error}");

        let (cert, key) = files.servers.issue(&["front.example"]);
        std::fs::write(files.folder.path("wrong.pem"), cert).unwrap();
        std::fs::write(files.folder.path("wrong.key"), key).unwrap();
        let keys = ", ca = \"servers.pem\", cert = \"wrong.pem\", key = \"wrong.key\"";
        let error = files.ask(&host.addresses()[0], keys).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Disconnected);
        assert!(error.message().contains("received fatal alert"), "{error}");

        assert!(files.ask(&host.addresses()[0], CLIENT).await.unwrap().is_some());
    })
    .await;
}

/// Those who connect and speak no TLS, or nothing, are in nobody's way.
#[tokio::test]
async fn peers_that_do_not_greet_in_tls_hold_up_nobody() {
    in_time(async {
        let files = Files::new();
        let host = files.serve(None).await;
        let plain = format!("127.0.0.1:{}", port(&host));
        let mut silent = Vec::new();
        for _ in 0..20 {
            silent.push(TcpStream::connect(&plain).await.unwrap());
        }
        let mut rude = TcpStream::connect(&plain).await.unwrap();
        rude.write_all(b"FARC this is no TLS, and it is long enough to be looked at\r\n\r\n").await.unwrap();
        // And one that takes the host for one without TLS.
        let adder: Service<WhoStub> = Service::at("who", [format!("tcp://{plain}")]);
        let error = adder.calls().await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Protocol | ErrorKind::Disconnected), "{error}");
        assert_eq!(files.ask(&host.addresses()[0], ", ca = \"servers.pem\"").await.unwrap(), None);
    })
    .await;
}

async fn refused(file: &Path) -> String {
    let host = Host::from_file(file).unwrap().environment([]).worker::<Who>();
    match host.start().await {
        Ok(running) => panic!("{running:?}"),
        Err(error) => error.to_string(),
    }
}

#[tokio::test]
async fn certificates_that_cannot_be_used_are_errors_at_the_start() {
    in_time(async {
        let files = Files::new();
        let (_, other_key) = files.clients.issue(&["localhost"]);
        std::fs::write(files.folder.path("other.key"), other_key).unwrap();
        let listens = [
            ("\"tls://127.0.0.1:0\"", "write `cert` and `key`"),
            ("{ address = \"tls://127.0.0.1:0\", cert = \"server.pem\" }", "write `cert` and `key`"),
            ("{ address = \"tls://127.0.0.1:0\", cert = \"none.pem\", key = \"server.key\" }", "none.pem: No such file"),
            ("{ address = \"tls://127.0.0.1:0\", cert = \"empty.pem\", key = \"server.key\" }", "there is no certificate in the PEM"),
            ("{ address = \"tls://127.0.0.1:0\", cert = \"server.pem\", key = \"empty.pem\" }", "the private key cannot be used"),
            ("{ address = \"tls://127.0.0.1:0\", cert = \"server.pem\", key = \"other.key\" }", "the certificate and its key cannot be used"),
            ("{ address = \"tls://127.0.0.1:0\", cert = \"server.pem\", key = \"server.key\", client_ca = \"empty.pem\" }", "empty.pem: there is no certificate in the PEM"),
        ];
        for (listen, expected) in listens {
            let file = files.folder.path("refused.toml");
            std::fs::write(&file, format!("name = \"who\"\nlisten = [{listen}]")).unwrap();
            let said = refused(&file).await;
            assert!(said.contains("refused.toml: listen \"tls://127.0.0.1:0\": "), "{said}");
            assert!(said.contains(expected), "{said}");
        }
        for (keys, expected) in [
            ("", "write `ca`"),
            (", ca = \"none.pem\"", "none.pem: No such file"),
            (", ca = \"server.key\"", "there is no certificate in the PEM"),
            (", ca = \"servers.pem\", cert = \"client.pem\"", "write `key`"),
        ] {
            let said = files.front("tls://localhost:1", keys).await.unwrap_err().to_string();
            assert!(said.contains("front.toml: services.who: ") && said.contains(expected), "{said}");
        }
    })
    .await;
}
