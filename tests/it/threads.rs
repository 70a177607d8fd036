//! One promise in the hands of several tasks, at the moment in which it settles.

use std::sync::{Arc, Mutex};

use farcall::prelude::*;

use crate::kit::{Transport, behaviours, open};

/// Writes down what it is told.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<u32>>>);

#[rpc_target]
impl Log {
    pub fn add(&self, n: u32) -> Vec<u32> {
        let mut log = self.0.lock().unwrap();
        log.push(n);
        log.clone()
    }
}

pub struct Maker;

#[rpc_target]
impl Maker {
    pub async fn pair(&self) -> (Log, Log) {
        tokio::task::yield_now().await;
        (Log::default(), Log::default())
    }

    pub async fn one(&self) -> Log {
        tokio::task::yield_now().await;
        Log::default()
    }
}

behaviours! {
    async fn promise_is_used_by_several_tasks_while_it_settles(transport: Transport) {
        let (stub, _link) = open(transport, Maker).await;
        for _ in 0..300 {
            let pair = stub.pair();
            let (left, right) = (pair._0().clone(), pair._1().clone());
            let left = tokio::spawn(async move { left.add(1).await });
            let right = tokio::spawn(async move { right.add(2).await });
            let (mine, _) = pair.await.unwrap();
            assert_eq!(left.await.unwrap().unwrap(), [1]);
            assert_eq!(right.await.unwrap().unwrap(), [2]);
            assert_eq!(mine.add(3).await.unwrap(), [1, 3]);
        }
    }

    async fn calls_keep_their_order_across_the_moment_of_settling(transport: Transport) {
        let (stub, _link) = open(transport, Maker).await;
        for _ in 0..300 {
            let promise = stub.one();
            let kept = promise.clone();
            let before = [promise.add(1), kept.add(2), promise.add(3)];
            let log = promise.await.unwrap();
            let after = [log.add(4), kept.add(5)];
            for call in before {
                call.await.unwrap();
            }
            let [fourth, fifth] = after;
            fourth.await.unwrap();
            assert_eq!(fifth.await.unwrap(), [1, 2, 3, 4, 5]);
        }
    }
}
