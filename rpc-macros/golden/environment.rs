#[allow(
    dead_code,
    deprecated,
    missing_debug_implementations,
    private_bounds,
    private_interfaces,
    unreachable_pub,
    unused_qualifications,
    rustdoc::private_intra_doc_links,
    clippy::all,
    clippy::nursery,
    clippy::pedantic
)]
const _: () = {
    use ::farcall::__private as __farcall;
    #[automatically_derived]
    impl __farcall::Env for Env {
        fn read(__reader: &mut __farcall::EnvReader<'_>) -> __farcall::Option<Self> {
            let greeting = __farcall::EnvReader::field::<
                String,
                _,
            >(__reader, "greeting");
            let kind = __farcall::EnvReader::field::<Option<u32>, _>(__reader, "TYPE");
            let counter = __farcall::EnvReader::field::<
                farcall::Service<CounterStub>,
                _,
            >(__reader, "counter");
            __farcall::Option::Some(Self {
                greeting: greeting?,
                kind: kind?,
                counter: counter?,
            })
        }
    }
};
