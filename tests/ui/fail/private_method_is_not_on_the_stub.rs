mod counting {
    use farcall::prelude::*;

    pub struct Counter;

    #[rpc_target]
    impl Counter {
        pub fn value(&self) -> i64 {
            0
        }
        fn audit(&self) {}
        pub(crate) fn inspect(&self) {}
        pub(super) fn peek(&self) {}
        #[rpc(skip)]
        pub fn hidden(&self) {}
    }

    impl Counter {
        pub fn unmarked(&self) {}
    }
}

fn caller(counter: counting::CounterStub) {
    counter.audit();
    counter.inspect();
    counter.peek();
    counter.hidden();
    counter.unmarked();
}

fn main() {}
