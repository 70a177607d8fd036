//! Environments: variables and bindings as typed fields.

use std::sync::Arc;

use farcall::Running;
use farcall::prelude::*;
use serde::Deserialize;

use super::listings::{WorkerB, WorkerBStub};

#[derive(Env)]
pub struct Everything {
    greeting: String,
    limit: u32,
    ratio: f64,
    hosts: Vec<String>,
    colour: Colour,
    token: Secret<String>,
    nickname: Option<String>,
    missing: Option<i64>,
    adder: Service<WorkerBStub>,
    other: Option<Service<WorkerBStub>>,
    backend: Backend,
    #[env(name = "TYPE")]
    kind: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Colour {
    Red,
    Green,
}

#[derive(Env)]
pub struct Backend {
    url: String,
    adder: Service<WorkerBStub>,
}

pub struct Reader {
    env: Arc<Everything>,
}

#[entrypoint]
impl Reader {
    fn new(env: Arc<Everything>, _ctx: Ctx) -> Self {
        Self { env }
    }

    pub fn said(&self) -> Vec<String> {
        let env = &self.env;
        vec![
            env.greeting.clone(),
            env.limit.to_string(),
            env.ratio.to_string(),
            env.hosts.join("+"),
            format!("{:?}", env.colour),
            format!("{:?} {}", env.token, env.token.expose().len()),
            format!("{:?} {:?}", env.nickname, env.missing),
            env.backend.url.clone(),
            env.kind.clone(),
            env.other.is_some().to_string(),
        ]
    }

    pub async fn sums(&self) -> (i64, i64) {
        let (first, second) = (self.env.adder.add(1, 2), self.env.backend.adder.add(3, 4));
        (first.await.unwrap(), second.await.unwrap())
    }
}

const FILE: &str = r#"
name = "reader"
vars = { GREETING = "Hello", limit = 5, ratio = 0.5, hosts = ["a", "b"], colour = "green", token = "hunter2", TYPE = "t", backend = { url = "db://" } }
services = [
    { binding = "ADDER", service = "b" },
    { binding = "backend.adder", service = "b", entrypoint = "WorkerB" },
]
"#;

async fn start(variables: &[(&str, &str)]) -> Running {
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let host = Host::from_texts([("reader.toml", FILE), ("b.toml", "name = \"b\"")]).unwrap();
    let host = host.environment(variables.collect::<Vec<_>>());
    host.worker_of::<Reader>("reader").worker_of::<WorkerB>("b").start().await.unwrap()
}

#[tokio::test]
async fn r10_variables_and_bindings_are_typed_fields() {
    let host = start(&[]).await;
    let reader = host.service::<ReaderStub>("reader");
    let said = reader.said().await.unwrap();
    let expected = ["Hello", "5", "0.5", "a+b", "Green", "Secret(…) 7", "None None", "db://", "t", "false"];
    assert_eq!(said, expected);
    assert_eq!(reader.sums().await.unwrap(), (3, 7));
}

#[tokio::test]
async fn variables_of_the_process_come_before_the_file() {
    let host = start(&[
        ("FARCALL_READER_GREETING", "5"),
        ("FARCALL_READER_LIMIT", "6"),
        ("FARCALL_READER_HOSTS", "[\"c\"]"),
        ("FARCALL_READER_TOKEN", "longer than before"),
        ("FARCALL_READER_NICKNAME", "x"),
        ("FARCALL_READER_BACKEND__URL", "other://"),
        ("GREETING", "not this one"),
    ])
    .await;
    let said = host.service::<ReaderStub>("reader").said().await.unwrap();
    let expected =
        ["5", "6", "0.5", "c", "Green", "Secret(…) 18", "Some(\"x\") None", "other://", "t", "false"];
    assert_eq!(said, expected);
}

#[test]
fn r10_secret_does_not_print_itself() {
    let secret = Secret::new("hunter2");
    assert_eq!(format!("{secret:?}"), "Secret(…)");
    assert_eq!(*secret.expose(), "hunter2");
}
