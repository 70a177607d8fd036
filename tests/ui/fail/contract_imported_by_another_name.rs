use farcall::prelude::*;

mod papi {
    use farcall::prelude::*;

    #[rpc_target]
    pub trait Counter {
        fn value(&self) -> i64;
    }
}

use papi::Counter as C;

pub struct Mine;

#[rpc_target]
impl C for Mine {
    fn value(&self) -> i64 {
        0
    }
}

fn main() {}
