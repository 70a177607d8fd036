//! The attributes of serde that the binary wire can take.
use farcall::prelude::*;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

#[derive(Serialize, Deserialize, RpcValue)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[derive(Default)]
pub struct Settings {
    #[serde(rename = "type")]
    pub kind: u8,
    #[serde(alias = "size", default = "three")]
    pub max_size: u32,
    #[serde(skip)]
    pub cached: Option<std::sync::Arc<String>>,
    #[serde(skip_serializing, skip_deserializing)]
    _also: u8,
    #[serde(with = "as_text")]
    #[rpc(schema = "String")]
    pub number: i64,
    #[serde(rename(serialize = "last", deserialize = "last"))]
    pub last_one: u8,
}

fn three() -> u32 {
    3
}

mod as_text {
    use super::*;

    pub fn serialize<S: Serializer>(number: &i64, serializer: S) -> Result<S::Ok, S::Error> {
        number.to_string().serialize(serializer)
    }
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[derive(Serialize, Deserialize, RpcValue)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE", rename_all_fields = "camelCase")]
pub enum Event {
    #[serde(rename = "start", alias = "begin")]
    Started,
    #[serde(rename_all = "kebab-case")]
    KeyPressed { key_code: u32 },
    Resized(u32, u32),
    #[serde(skip)]
    #[allow(dead_code)]
    Internal(std::sync::Arc<String>),
}

#[derive(Serialize, Deserialize, RpcValue)]
pub enum Level {
    Low,
    #[serde(other)]
    Unknown,
}

#[derive(Clone, Serialize, Deserialize, RpcValue)]
#[serde(try_from = "String", into = "String")]
pub struct Email {
    text: String,
}

impl TryFrom<String> for Email {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Self, &'static str> {
        if text.contains('@') { Ok(Self { text }) } else { Err("no @") }
    }
}

impl From<Email> for String {
    fn from(email: Email) -> String {
        email.text
    }
}

#[derive(Serialize, Deserialize, RpcValue)]
#[serde(transparent)]
pub struct Meters {
    pub value: f64,
}

pub struct Api;

#[rpc_target]
impl Api {
    pub fn settings(&self, email: Email, meters: Meters) -> Settings {
        let _ = (email.text, meters.value);
        Settings::default()
    }
    pub fn event(&self, _level: Level) -> Event {
        Event::Started
    }
}

async fn caller(api: ApiStub, email: Email) -> Result<(), Error> {
    let kind: u8 = api.settings(&email, Meters { value: 1.0 }).kind().await?;
    let size: u32 = api.settings(email, Meters { value: 1.0 }).max_size().await?;
    let event: Event = api.event(Level::Low).await?;
    drop((kind, size, event));
    Ok(())
}

fn main() {
    let _ = caller;
}
