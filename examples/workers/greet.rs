//! A variable of the callee, which no caller can set.

use std::sync::Arc;

use farcall::prelude::*;

use super::Outcome;

#[derive(Env)]
pub struct Variables {
    greeting: String,
}

pub struct Greeter {
    env: Arc<Variables>,
}

#[entrypoint]
impl Greeter {
    fn new(env: Arc<Variables>, _ctx: Ctx) -> Self {
        Self { env }
    }

    pub fn greet(&self, name: String) -> String {
        format!("{}, {name}!", self.env.greeting)
    }
}

#[derive(Env)]
pub struct Bindings {
    greeter: Service<GreeterStub>,
}

pub struct Visitor {
    env: Arc<Bindings>,
}

#[entrypoint]
impl Visitor {
    fn new(env: Arc<Bindings>, _ctx: Ctx) -> Self {
        Self { env }
    }

    pub async fn visit(&self) -> Result<String, Error> {
        self.env.greeter.greet("World").await
    }
}

const GREETER: &str = r#"
name = "greeter"
vars = { GREETING = "Hello" }
"#;

const VISITOR: &str = r#"
name = "visitor"
services = [{ binding = "GREETER", service = "greeter" }]
"#;

pub async fn run() -> Outcome<Vec<String>> {
    let host = Host::from_texts([("greeter.toml", GREETER), ("visitor.toml", VISITOR)])?;
    let host = host.worker_of::<Greeter>("greeter").worker_of::<Visitor>("visitor").start().await?;
    Ok(vec![host.service::<VisitorStub>("visitor").visit().await?])
}
