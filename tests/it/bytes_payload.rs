//! Large payloads: intact at every size, several at once, and in every place where bytes can stand.

use farcall::prelude::*;
use serde::{Deserialize, Serialize};

use crate::kit::{Transport, behaviours, open};

const KIB: usize = 1024;

/// A payload of this length that shows where a part of it is missing or in the wrong place.
fn payload(length: usize, seed: u32) -> Bytes {
    // A prime number of words, so that no two pages are alike.
    let words = (0..1021).flat_map(|n: u32| n.wrapping_mul(2_654_435_761).wrapping_add(seed).to_le_bytes());
    let block: Vec<u8> = words.collect();
    let mut payload = block.repeat(length / block.len() + 1);
    payload.truncate(length);
    payload.into()
}

#[derive(Serialize, Deserialize, RpcValue)]
pub struct Parcel {
    pub label: String,
    pub content: Bytes,
    pub more: Vec<Bytes>,
}

pub struct Post;

#[rpc_target]
impl Post {
    pub fn echo(&self, bytes: Bytes) -> Bytes {
        bytes
    }

    pub async fn echo_later(&self, bytes: Bytes) -> Bytes {
        tokio::task::yield_now().await;
        bytes
    }

    pub fn make(&self, length: usize, seed: u32) -> Bytes {
        payload(length, seed)
    }

    pub fn length(&self, bytes: Bytes) -> usize {
        bytes.len()
    }

    pub fn swap(
        &self,
        a: Bytes,
        number: i64,
        b: Option<Bytes>,
        text: &str,
    ) -> (Bytes, String, Option<Bytes>) {
        (b.unwrap_or_default(), format!("{text}{number}"), Some(a))
    }

    pub fn parcel(&self, parcel: Parcel) -> Parcel {
        Parcel { label: parcel.label + "!", ..parcel }
    }
}

behaviours! {
    async fn payloads_of_every_size_come_back_whole(transport: Transport) {
        let (stub, _link) = open(transport, Post).await;
        let sizes = [
            0, 1, 127, 128, 4095, 4096, 16 * KIB - 9, 16 * KIB - 1, 16 * KIB, 16 * KIB + 1, 64 * KIB - 1, 64 * KIB,
            64 * KIB + 1, 1000 * KIB, 4096 * KIB,
        ];
        for (seed, size) in (0..).zip(sizes) {
            let sent = payload(size, seed);
            let back = stub.echo(sent.clone()).await.unwrap();
            assert!(back == sent, "{size} bytes came back as {}", back.len());
            assert!(stub.make(size, seed).await.unwrap() == sent, "{size}");
            assert_eq!(stub.length(sent).await.unwrap(), size);
        }
    }

    async fn several_payloads_travel_at_once(transport: Transport) {
        let (stub, _link) = open(transport, Post).await;
        let sizes = [KIB, 1024 * KIB, 16 * KIB, 3, 4096 * KIB, 64 * KIB, 0, 300 * KIB, 16 * KIB + 1, 4096 * KIB];
        let calls: Vec<_> = (0..)
            .zip(sizes)
            .map(|(seed, size)| {
                let sent = payload(size, seed);
                let back = if seed % 2 == 0 { stub.echo(sent.clone()) } else { stub.echo_later(sent.clone()) };
                (sent, back, stub.make(size, seed + 100))
            })
            .collect();
        for (seed, (sent, back, made)) in (100..).zip(calls) {
            assert!(made.await.unwrap() == payload(sent.len(), seed));
            assert!(back.await.unwrap() == sent, "{} bytes", sent.len());
        }
    }

    async fn payloads_stand_beside_other_values(transport: Transport) {
        let (stub, _link) = open(transport, Post).await;
        for (a, b) in [(20 * KIB, 64 * KIB), (3, 100 * KIB), (100 * KIB, 0), (16 * KIB, 16 * KIB)] {
            let (a, b) = (payload(a, 1), payload(b, 2));
            let swapped = stub.swap(a.clone(), 7, b.clone(), "n").await.unwrap();
            assert!(swapped == (b, "n7".to_owned(), Some(a)));
        }
        let (first, second) = (payload(40 * KIB, 3), payload(17 * KIB, 4));
        let more = vec![second.clone(), Bytes::new(), first.clone()];
        let parcel = Parcel { label: "x".to_owned(), content: first.clone(), more: more.clone() };
        let parcel = stub.parcel(parcel).await.unwrap();
        assert!(parcel.label == "x!" && parcel.content == first && parcel.more == more);
    }

    async fn payloads_are_passed_on_as_promises(transport: Transport) {
        let (stub, _link) = open(transport, Post).await;
        for size in [1, 16 * KIB, 200 * KIB, 1024 * KIB] {
            let sent = payload(size, 5);
            assert!(stub.echo(stub.echo_later(sent.clone())).await.unwrap() == sent, "{size}");
            assert_eq!(stub.length(stub.make(size, 6)).await.unwrap(), size);
            let swapped = stub.swap(stub.make(size, 7), 1, stub.make(30 * KIB, 8), "n");
            let third = stub.swap(vec![], 0, swapped._2(), "")._0();
            assert!(swapped._0().await.unwrap() == payload(30 * KIB, 8), "{size}");
            assert!(third.await.unwrap() == payload(size, 7), "{size}");
        }
    }
}
