impl C for Mine {
    fn value(&self) -> i64 {
        0
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
    type __Stub<__T: C> = __T::__CounterStub;
    #[automatically_derived]
    impl __farcall::IntoStub<__Stub<Mine>> for Mine {
        fn into_stub(self) -> __Stub<Mine> {
            __farcall::StubOf::serve(self)
        }
    }
    #[automatically_derived]
    impl __farcall::IntoArg<__Stub<Mine>> for Mine {
        fn into_arg(self) -> __farcall::Arg<__Stub<Mine>> {
            __farcall::Arg::Value(__farcall::StubOf::serve(self))
        }
    }
    #[automatically_derived]
    impl __farcall::IntoArg<__farcall::Option<__Stub<Mine>>> for Mine {
        fn into_arg(self) -> __farcall::Arg<__farcall::Option<__Stub<Mine>>> {
            __farcall::Arg::Value(
                __farcall::Option::Some(__farcall::StubOf::serve(self)),
            )
        }
    }
};
