//! What an endpoint offers: one main object, or one for each name.

use std::fmt;
use std::sync::Arc;

use farcall_core::connection::{Connection, Greeting, MainObject, Offer};
use farcall_core::error::Error;

use crate::peer::Peer;

/// What a peer asks for when it connects.
#[derive(Debug)]
pub struct Asked<'a> {
    /// Its connection.
    pub connection: &'a Connection,
    /// What it wants.
    pub wanted: &'a Greeting,
    /// Who it is.
    pub peer: &'a Peer,
}

type LookUp = dyn Fn(&Asked<'_>) -> Result<MainObject, Error> + Send + Sync;

/// What an endpoint offers.
#[derive(Clone, Default)]
pub(crate) enum Offered {
    #[default]
    Nothing,
    Main(MainObject),
    ByName(Arc<LookUp>),
}

impl fmt::Debug for Offered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nothing => "Nothing",
            Self::Main(_) => "Main",
            Self::ByName(_) => "ByName",
        })
    }
}

impl Offered {
    /// The offer to one peer.
    pub(crate) fn to(&self, peer: Peer) -> Offer {
        match self {
            Self::Nothing => Offer::Nothing,
            Self::Main(main) => Offer::Main(main.clone()),
            Self::ByName(look_up) => {
                let look_up = Arc::clone(look_up);
                Offer::ByName(Box::new(move |connection, wanted| {
                    look_up(&Asked { connection, wanted, peer: &peer })
                }))
            }
        }
    }
}
