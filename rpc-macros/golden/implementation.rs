impl<K: RpcValue + Ord, B: Backend> papi::Store<K> for Mirror<K, B> {
    async fn get(&self, key: K) -> Option<String> {
        None
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
    type __Stub<K: RpcValue + Ord, __T: papi::Store<K>> = __T::__StoreStub<K>;
    #[automatically_derived]
    impl<K: RpcValue + Ord, B: Backend> __farcall::IntoStub<__Stub<K, Mirror<K, B>>>
    for Mirror<K, B> {
        fn into_stub(self) -> __Stub<K, Mirror<K, B>> {
            __farcall::StubOf::serve(self)
        }
    }
    #[automatically_derived]
    impl<K: RpcValue + Ord, B: Backend> __farcall::IntoArg<__Stub<K, Mirror<K, B>>>
    for Mirror<K, B> {
        fn into_arg(self) -> __farcall::Arg<__Stub<K, Mirror<K, B>>> {
            __farcall::Arg::Value(__farcall::StubOf::serve(self))
        }
    }
    #[automatically_derived]
    impl<
        K: RpcValue + Ord,
        B: Backend,
    > __farcall::IntoArg<__farcall::Option<__Stub<K, Mirror<K, B>>>> for Mirror<K, B> {
        fn into_arg(self) -> __farcall::Arg<__farcall::Option<__Stub<K, Mirror<K, B>>>> {
            __farcall::Arg::Value(
                __farcall::Option::Some(__farcall::StubOf::serve(self)),
            )
        }
    }
    #[automatically_derived]
    impl<K: RpcValue + Ord, B: Backend> __farcall::IntoValue for Mirror<K, B> {
        type Value = __Stub<K, Mirror<K, B>>;
        fn into_value(self) -> __Stub<K, Mirror<K, B>> {
            __farcall::StubOf::serve(self)
        }
    }
};
