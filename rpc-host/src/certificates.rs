//! [`Certificates`]: the files of a configuration that TLS needs.

use std::path::{Path, PathBuf};

use farcall_transport::{Endpoint, Uri};

/// The files that stand beside an address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Certificates {
    /// What is shown, as PEM, and its private key.
    pub(crate) cert: Option<PathBuf>,
    pub(crate) key: Option<PathBuf>,
    /// Whose servers are believed.
    pub(crate) ca: Option<PathBuf>,
    /// Whose clients are served.
    pub(crate) client_ca: Option<PathBuf>,
}

impl Certificates {
    /// The same files, seen from the folder of the configuration.
    pub(crate) fn beside(self, config: &Path) -> Self {
        let folder = config.parent().unwrap_or(Path::new(""));
        let at = |file: Option<PathBuf>| file.map(|file| folder.join(file));
        Self { cert: at(self.cert), key: at(self.key), ca: at(self.ca), client_ca: at(self.client_ca) }
    }

    /// An endpoint that serves at the address with them.
    pub(crate) fn serving(&self, endpoint: Endpoint, address: &Uri) -> Result<Endpoint, String> {
        if let Uri::Tls(_) = address
            && (self.cert.is_none() || self.key.is_none())
        {
            return Err("serving with TLS needs a certificate and its key: write `cert` and `key`".to_owned());
        }
        self.apply(endpoint)
    }

    /// An endpoint that connects to the addresses with them.
    pub(crate) fn connecting(&self, endpoint: Endpoint, addresses: &[Uri]) -> Result<Endpoint, String> {
        let tls = addresses.iter().any(|address| matches!(address, Uri::Tls(_)));
        if tls && self.ca.is_none() {
            return Err(
                "a `tls://` address needs the authority that its server's certificate is of: write `ca`"
                    .to_owned(),
            );
        }
        self.apply(endpoint)
    }

    #[cfg(feature = "tls")]
    fn apply(&self, endpoint: Endpoint) -> Result<Endpoint, String> {
        use farcall_transport::Tls;

        if *self == Self::default() {
            return Ok(endpoint);
        }
        let read = |key: &str, file: &Path| {
            std::fs::read(file).map_err(|error| format!("`{key}`: {}: {error}", file.display()))
        };
        let mut tls = Tls::new();
        tls = match (&self.cert, &self.key) {
            (Some(cert), Some(key)) => {
                let presented = tls.present(&read("cert", cert)?, &read("key", key)?);
                presented.map_err(|error| format!("{}: {error}", cert.display()))?
            }
            (None, None) => tls,
            (Some(_), None) => return Err("`cert` needs its private key: write `key`".to_owned()),
            (None, Some(_)) => return Err("`key` needs its certificate: write `cert`".to_owned()),
        };
        if let Some(ca) = &self.ca {
            let trusted = tls.trust_servers(&read("ca", ca)?);
            tls = trusted.map_err(|error| format!("{}: {error}", ca.display()))?;
        }
        if let Some(ca) = &self.client_ca {
            let required = tls.require_clients(&read("client_ca", ca)?);
            tls = required.map_err(|error| format!("{}: {error}", ca.display()))?;
        }
        Ok(endpoint.tls(tls))
    }

    #[cfg(not(feature = "tls"))]
    fn apply(&self, endpoint: Endpoint) -> Result<Endpoint, String> {
        if *self == Self::default() {
            return Ok(endpoint);
        }
        Err("certificates need the feature `tls` of farcall".to_owned())
    }
}
