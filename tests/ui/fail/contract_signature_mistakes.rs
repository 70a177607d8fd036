use farcall::prelude::*;

#[rpc_target]
pub unsafe trait Counter<'a, T = u8> {
    fn value(&self) -> T;
}

#[rpc_target]
pub trait Shape {
    fn new() -> Self
    where
        Self: Sized;
    fn like(&self, other: Option<Self>) -> Self
    where
        Self: Sized;
    fn area<T>(&self, scale: T) -> f64;
    fn fine(&self) -> f64;
}

#[rpc_target]
pub trait Store<K, V = String> {
    fn get(&self) -> u8;
}

fn caller(shape: ShapeStub) -> Promise<f64> {
    shape.fine()
}

fn main() {}
