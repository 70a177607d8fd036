//! The limit in one process: an async method called through `Arc<dyn Trait>`, which needs a boxed future, and
//! awaited before the next call. Whoever hides the callee behind a stub without knowing its type pays this
//! much.

use std::hint::black_box;
use std::pin::Pin;
use std::sync::Arc;

use crate::measure::{Plan, Sample, workers};
use crate::{Outcome, check};

trait Service: Send + Sync {
    fn add(&self, a: i64, b: i64) -> Pin<Box<dyn Future<Output = i64> + Send + '_>>;
}

struct Adder;

impl Service for Adder {
    fn add(&self, a: i64, b: i64) -> Pin<Box<dyn Future<Output = i64> + Send + '_>> {
        Box::pin(async move { a + b })
    }
}

/// Calls `add`, one call after the other.
pub(super) async fn add(plan: &Plan) -> Outcome<Sample> {
    // Unknown to the optimiser, or it would see through the trait object.
    let service: Arc<dyn Service> = black_box(Arc::new(Adder));
    plan.measure(async |stop| {
        let caller = |_| {
            let (service, stop) = (service.clone(), stop.clone());
            async move {
                let mut calls = 0;
                while !stop.is_due() {
                    let operands = check::operands(calls);
                    check::sum(operands, service.add(operands.0, operands.1).await)?;
                    calls += 1;
                }
                Ok(calls)
            }
        };
        workers(1, caller).await
    })
    .await
}
