impl papi::Counter for MyCounter {
    async fn increment(&mut self, amount: i64) -> i64 {
        amount
    }
}
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
    #[allow(type_alias_bounds, dead_code, private_bounds, private_interfaces)]
    type __Stub<__T: papi::Counter> = __T::__CounterStub;
    #[automatically_derived]
    impl __farcall::IntoStub<__Stub<MyCounter>> for MyCounter {
        fn into_stub(self) -> __Stub<MyCounter> {
            __farcall::StubOf::serve(self)
        }
    }
    #[automatically_derived]
    impl __farcall::IntoArg<__Stub<MyCounter>> for MyCounter {
        fn into_arg(self) -> __farcall::Arg<__Stub<MyCounter>> {
            __farcall::Arg::Value(__farcall::StubOf::serve(self))
        }
    }
    #[automatically_derived]
    impl __farcall::IntoArg<__farcall::Option<__Stub<MyCounter>>> for MyCounter {
        fn into_arg(self) -> __farcall::Arg<__farcall::Option<__Stub<MyCounter>>> {
            __farcall::Arg::Value(
                __farcall::Option::Some(__farcall::StubOf::serve(self)),
            )
        }
    }
    #[automatically_derived]
    impl __farcall::IntoValue for MyCounter {
        type Value = __Stub<MyCounter>;
        fn into_value(self) -> __Stub<MyCounter> {
            __farcall::StubOf::serve(self)
        }
    }
    #[automatically_derived]
    impl __farcall::Entrypoint for MyCounter {
        const NAME: &'static str = "Main";
        const DEFAULT: bool = false;
        type Stub = __Stub<MyCounter>;
        type Env = Env;
        type Props = __farcall::NoProps;
        fn make(
            env: __farcall::Arc<Self::Env>,
            ctx: __farcall::Ctx,
        ) -> __farcall::Result<Self, __farcall::Error> {
            __farcall::Made::<Self>::made(<MyCounter>::new(env, ctx))
        }
    }
};
