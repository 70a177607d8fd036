//! What a host logs: what it does, and what goes wrong in it, each once and with its fields.

use std::sync::Arc;

use farcall::prelude::*;
use farcall::{Endpoint, Greeting};

use super::socket;
use crate::kit::capture::Capture;
use crate::kit::{in_time, until};

pub struct Busy {
    ctx: Ctx,
}

#[entrypoint]
impl Busy {
    fn new(_env: Arc<()>, ctx: Ctx) -> Self {
        Self { ctx }
    }

    pub fn work(&self) -> bool {
        self.ctx.wait_until(async { Err::<(), _>("the disk is full") });
        true
    }
}

#[tokio::test]
async fn host_logs_what_it_does_and_what_goes_wrong() {
    let logged = Capture::default();
    // All that runs here runs on this thread.
    let _guard = tracing::subscriber::set_default(logged.clone());
    in_time(async {
        let address = format!("unix:{}", socket().display());
        let text = format!("name = \"busy\"\nlisten = [\"{address}\"]");
        let host = Host::from_texts([("busy.toml", text.as_str())]).unwrap().environment([]);
        let host = host.worker::<Busy>().start().await.unwrap();
        assert!(host.service::<BusyStub>("busy").work().await.unwrap());

        let wanted = Greeting { name: "idle".to_owned(), ..Greeting::default() };
        let connection = Endpoint::new().want(wanted).connect(&address).await.unwrap();
        let stranger: BusyStub = farcall::main_stub(&connection);
        assert_eq!(stranger.work().await.unwrap_err().kind(), ErrorKind::Unsupported);

        let nobody = format!("unix:{}", socket().display());
        let far: Service<BusyStub> = Service::at("far", [nobody.clone()]);
        assert_eq!(far.work().await.unwrap_err().kind(), ErrorKind::Disconnected);
        host.shutdown().await;

        let lines = || logged.lines();
        let said = |level: &str, parts: &[&str]| {
            lines().iter().any(|line| line.starts_with(level) && parts.iter().all(|part| line.contains(part)))
        };
        until(|| said("ERROR", &["a waiting task failed", "error=the disk is full"])).await;
        for (level, parts) in [
            ("INFO", &["a worker has started", "service=\"busy\"", "entrypoints=[\"Busy\"]"][..]),
            ("INFO", &["serving", &address]),
            ("WARN", &["a peer was refused", "wanted=\"idle\"", "there is no service `idle` in this host"]),
            ("WARN", &["a service could not be reached", "service=\"far\"", &nobody]),
            ("INFO", &["the host has stopped"]),
        ] {
            assert!(said(level, parts), "{parts:?} is not in {:#?}", lines());
        }
    })
    .await;
}
