//! The limits: for each workload a program written by hand that does this work and nothing else.
//!
//! A limit is what remains when a library costs nothing. It keeps what the work itself demands (sockets,
//! system calls, frames of the size that a real call has, answers matched to their callers and checked) and
//! drops all that a library adds: method tables, capabilities, cancellation, limits, back-pressure, errors
//! with a kind. It is held to the same conditions: tokio on one thread in each process, TCP_NODELAY, the same
//! load.
//!
//! - [`wire`]: the frames. [`inbox`]: whole frames out of a stream.
//! - [`raw`]: batch in, batch out, no future per call. It also serves [`fut`].
//! - [`slots`], [`fut`]: a future per call, the least that `connection.add(1, 2).await` can cost.
//! - [`owned`]: large payloads, each in a buffer of its own, through a [`pipe`].
//! - [`object`]: objects in a table, made, called and dropped.
//! - [`inproc`]: a call through `Arc<dyn Trait>`.

mod fut;
mod inbox;
mod inproc;
mod object;
mod owned;
mod pipe;
mod raw;
mod slots;
mod wire;

use std::net::Ipv4Addr;

use tokio::net::{TcpListener, TcpStream};

use crate::Outcome;
use crate::measure::{Plan, Sample};
use crate::workload::Work;

/// From this length on a payload is worth a buffer of its own.
const OWNED_FROM: usize = 16 * 1024;

/// Serves one connection after the other.
pub(crate) async fn serve(work: Work, announce: impl FnOnce(u16) -> Outcome<()>) -> Outcome<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    announce(listener.local_addr()?.port())?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        match work {
            Work::Echo { length, .. } if length >= OWNED_FROM => owned::serve(stream).await?,
            Work::Add { .. } | Work::Echo { .. } => raw::serve(stream).await?,
            Work::Object { .. } => object::serve(stream).await?,
            Work::InProcess => return Err("work in one process has no server".into()),
        }
    }
}

/// Makes calls as planned.
pub(crate) async fn call(work: Work, plan: &Plan) -> Outcome<Sample> {
    match work {
        Work::Add { outstanding: 1 } => raw::call(connect(plan).await?, plan).await,
        Work::Add { outstanding } => fut::add(connect(plan).await?, outstanding, plan).await,
        Work::Echo { length, outstanding } if length >= OWNED_FROM => {
            owned::echo(connect(plan).await?, length, outstanding, plan).await
        }
        Work::Echo { length, outstanding } => {
            fut::echo(connect(plan).await?, length, outstanding, plan).await
        }
        Work::Object { pipelined: true } => object::pipelined(connect(plan).await?, plan).await,
        Work::Object { pipelined: false } => object::stepwise(connect(plan).await?, plan).await,
        Work::InProcess => inproc::add(plan).await,
    }
}

async fn connect(plan: &Plan) -> Outcome<TcpStream> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, plan.port()?)).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}
