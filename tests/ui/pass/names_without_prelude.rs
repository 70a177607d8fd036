//! What is printed needs nothing in scope.
#![no_implicit_prelude]
#![allow(dead_code)]

struct Option;
struct Result;
struct Some;
struct Send;
struct Clone;
struct String;
struct Vec;
struct Box;

mod targets {
    pub struct Counter {
        pub value: i64,
    }

    #[::farcall::rpc_target]
    impl Counter {
        pub fn increment(&mut self, amount: i64) -> i64 {
            self.value += amount;
            self.value
        }
        pub async fn name(&mut self, part: &str) -> ::std::string::String {
            ::std::borrow::ToOwned::to_owned(part)
        }
        #[rpc(call)]
        pub fn run(&self, n: i64) -> i64 {
            n
        }
    }

    pub struct Cell<T>(pub T);

    #[::farcall::rpc_target]
    impl<T: ::farcall::RpcValue + ::std::clone::Clone> Cell<T> {
        pub fn get(&mut self) -> T {
            ::std::clone::Clone::clone(&self.0)
        }
    }
}

mod api {
    #[::farcall::rpc_target]
    pub trait Shop {
        async fn buy(&self, item: ::std::string::String) -> bool;
        fn open(&self) -> bool {
            true
        }
    }

    #[::farcall::rpc_target]
    pub trait Admin: Shop {
        fn close(&self);
    }
}

struct Mine;

#[::farcall::rpc_target]
impl api::Shop for Mine {
    async fn buy(&self, item: ::std::string::String) -> bool {
        item.is_empty()
    }
}

#[::farcall::rpc_target(secondary)]
impl api::Admin for Mine {
    fn close(&self) {}
}

#[derive(::serde::Serialize, ::serde::Deserialize, ::farcall::RpcValue)]
pub struct Item {
    pub name: ::std::string::String,
    pub parts: ::std::vec::Vec<Item>,
}

#[derive(::serde::Serialize, ::serde::Deserialize, ::farcall::RpcValue)]
pub enum Shape {
    Point,
    Circle(f64),
    Rectangle { width: f64, height: f64 },
}

fn main() {}
