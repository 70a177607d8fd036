//! What a configuration file says. The keys are those of Workers, and where things are.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use crate::certificates::Certificates;
use crate::problem::Problem;

/// A configuration file that was read.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    /// Where it was read, for error messages.
    pub(crate) file: PathBuf,
    pub(crate) said: File,
}

/// The file itself.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct File {
    /// The service that the worker is.
    pub(crate) name: String,
    /// Where the host serves.
    #[serde(default)]
    pub(crate) listen: Vec<Listen>,
    /// Seconds that running calls and waiting tasks have when the host stops, and waiting tasks after their call.
    pub(crate) grace_seconds: Option<f64>,
    #[serde(default)]
    pub(crate) vars: toml::Table,
    #[serde(default)]
    pub(crate) services: Vec<Binding>,
}

/// An address to serve at.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, expecting = "expected an address, as in \"tcp://127.0.0.1:7000\", or a table with one")]
pub(crate) enum Listen {
    Address(String),
    Table(ListenTable),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListenTable {
    pub(crate) address: String,
    /// Whether those who connect here may say with which props they are bound: they are then hosts of the same people.
    #[serde(default)]
    pub(crate) trust_props: bool,
    /// With TLS: the certificate that is shown, and its private key.
    pub(crate) cert: Option<PathBuf>,
    pub(crate) key: Option<PathBuf>,
    /// With TLS: the authority of those who are served; all others are refused.
    pub(crate) client_ca: Option<PathBuf>,
}

impl Listen {
    pub(crate) fn address(&self) -> &str {
        match self {
            Self::Address(address) => address,
            Self::Table(table) => &table.address,
        }
    }

    pub(crate) fn certificates(&self, config: &Path) -> Certificates {
        match self {
            Self::Address(_) => Certificates::default(),
            Self::Table(table) => {
                let (cert, key, client_ca) = (table.cert.clone(), table.key.clone(), table.client_ca.clone());
                Certificates { cert, key, ca: None, client_ca }.beside(config)
            }
        }
    }

    pub(crate) fn trusts_props(&self) -> bool {
        matches!(self, Self::Table(ListenTable { trust_props: true, .. }))
    }
}

/// A binding to a service.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Binding {
    pub(crate) binding: String,
    pub(crate) service: String,
    pub(crate) entrypoint: Option<String>,
    #[serde(default)]
    pub(crate) props: toml::Table,
    /// Where it is; without one, in this host.
    pub(crate) address: Option<Addresses>,
    /// With TLS: the authority of the server's certificate.
    pub(crate) ca: Option<PathBuf>,
    /// With TLS: the certificate that is shown to the server, and its private key.
    pub(crate) cert: Option<PathBuf>,
    pub(crate) key: Option<PathBuf>,
}

impl Binding {
    pub(crate) fn certificates(&self, config: &Path) -> Certificates {
        let (cert, key, ca) = (self.cert.clone(), self.key.clone(), self.ca.clone());
        Certificates { cert, key, ca, client_ca: None }.beside(config)
    }
}

/// One address or several.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, expecting = "expected an address, as in \"tcp://127.0.0.1:7000\", or a list of them")]
pub(crate) enum Addresses {
    One(String),
    Several(Vec<String>),
}

impl Addresses {
    pub(crate) fn list(&self) -> Vec<String> {
        match self {
            Self::One(address) => vec![address.clone()],
            Self::Several(addresses) => addresses.clone(),
        }
    }
}

impl Config {
    pub(crate) fn read(file: &Path) -> Result<Self, Problem> {
        match std::fs::read_to_string(file) {
            Ok(text) => Self::parse(file, &text),
            Err(error) => Err(problem(file, "", format!("it cannot be read: {error}"))),
        }
    }

    pub(crate) fn parse(file: &Path, text: &str) -> Result<Self, Problem> {
        let said: File = toml::from_str(text)
            .map_err(|error| problem(file, "", error.to_string().trim_end().to_owned()))?;
        let config = Self { file: file.to_owned(), said };
        if config.said.name.is_empty() || config.said.name.contains('/') {
            let text = "the name of a service is not empty and has no `/`".to_owned();
            return Err(problem(file, "name", text));
        }
        if config.said.name == crate::health::SERVICE {
            let text = format!("`{}` is the host's own service: choose another name", crate::health::SERVICE);
            return Err(problem(file, "name", text));
        }
        if let Some(seconds) = config.said.grace_seconds
            && Duration::try_from_secs_f64(seconds).is_err()
        {
            return Err(problem(file, "grace_seconds", format!("{seconds} is no number of seconds")));
        }
        Ok(config)
    }

    pub(crate) fn grace(&self) -> Option<Duration> {
        Duration::try_from_secs_f64(self.said.grace_seconds?).ok()
    }

    /// The environment variable that overrides a variable or, with `__ADDRESS` behind it, where a binding leads.
    pub(crate) fn override_name(&self, path: &str) -> String {
        let upper = |text: &str| -> String {
            text.chars()
                .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' })
                .collect()
        };
        let path: Vec<String> = path.split('.').map(upper).collect();
        format!("FARCALL_{}_{}", upper(&self.said.name), path.join("__"))
    }
}

pub(crate) fn problem(file: &Path, key: &str, text: String) -> Problem {
    Problem { file: file.to_owned(), key: key.to_owned(), text }
}
