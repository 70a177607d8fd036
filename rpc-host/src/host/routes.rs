//! From what a peer asks for in its greeting to an object.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use farcall_core::connection::MainObject;
use farcall_core::error::{Error, ErrorKind};
use farcall_transport::{Asked, Endpoint};
use tokio::sync::watch;

use crate::caller::Caller;
use crate::props::Props;
use crate::site::{Opening, Site, stopped};

/// An endpoint that offers the workers of a site by name: `service`, or `service/Entrypoint`; empty, the sole one.
pub(super) fn endpoint(site: &Arc<Site>, trusts_props: bool) -> Endpoint {
    let site = Arc::downgrade(site);
    Endpoint::new().offer_by_name(move |asked| look_up(&site, trusts_props, asked))
}

fn look_up(site: &Weak<Site>, trusts_props: bool, asked: &Asked<'_>) -> Result<MainObject, Error> {
    let found = find(site, trusts_props, asked);
    if let Err(error) = &found {
        tracing::warn!(wanted = asked.wanted.name, peer = ?asked.peer, %error, "a peer was refused");
    }
    found
}

fn find(site: &Weak<Site>, trusts_props: bool, asked: &Asked<'_>) -> Result<MainObject, Error> {
    let site = site.upgrade().ok_or_else(stopped)?;
    let (service, entrypoint) = match asked.wanted.name.split_once('/') {
        Some((service, entrypoint)) => (service, Some(entrypoint)),
        None => (asked.wanted.name.as_str(), None),
    };
    let service = match (service, site.workers()) {
        ("", [sole]) => sole.name.as_str(),
        (named, _) => named,
    };
    let (gone, is_gone) = watch::channel(None);
    let connection = asked.connection.clone();
    site.connections.fetch_add(1, Ordering::Relaxed);
    let counted = Arc::downgrade(&site);
    tokio::spawn(async move {
        let reason = connection.closed().await;
        if let Some(site) = counted.upgrade() {
            site.connections.fetch_sub(1, Ordering::Relaxed);
        }
        gone.send_replace(Some(reason));
    });
    if !trusts_props && !asked.wanted.props.is_empty() {
        let text = "this address takes no props of those who connect: bind where `trust_props` is set";
        return Err(Error::new(ErrorKind::Unsupported, text));
    }
    let opening = Opening {
        caller: Caller::Peer(asked.peer.clone()),
        connection: Some(asked.connection.clone()),
        gone: Some(is_gone),
        props: Props::from_text(&asked.wanted.props)?,
    };
    site.open(service, entrypoint, opening)
}
