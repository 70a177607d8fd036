//! A contract of plain methods stays an ordinary trait: `dyn`, generic, with defaults.
use farcall::prelude::*;

#[rpc_target]
pub trait Shape {
    fn area(&self) -> f64;
    fn double(&self) -> f64 {
        self.area() * 2.0
    }
}

pub struct Square(f64);

#[rpc_target]
impl Shape for Square {
    fn area(&self) -> f64 {
        self.0 * self.0
    }
}

fn total(shapes: &[Box<dyn Shape>]) -> f64 {
    shapes.iter().map(|shape| shape.double()).sum()
}

fn one<S: Shape>(shape: &S) -> f64 {
    shape.area()
}

fn main() {
    assert_eq!(total(&[Box::new(Square(1.0))]), 2.0);
    assert_eq!(one(&Square(2.0)), 4.0);
}
