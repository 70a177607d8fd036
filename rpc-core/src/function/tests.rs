use super::{FnSignature, RpcFn};
use crate::arg::{Arg, IntoArg};
use crate::codec::{CapTable, Encoded, ValueDecoder, ValueEncoder};
use crate::error::{CallError, Error, ErrorKind};
use crate::fault::Fault;
use crate::handle::Handle;
use crate::promise::{Pipeline, Promise};
use crate::schema::Schema;
use crate::value::RpcValue;

type Add = RpcFn<fn(i64, Option<i64>) -> i64>;
type Measure = RpcFn<fn(String) -> Result<u8, Fault>>;

fn handle() -> Handle {
    Handle::broken(Error::new(ErrorKind::Cancelled, "a test"))
}

#[test]
fn r60_a_function_has_one_method() {
    let interface = <fn(i64, Option<i64>) -> i64>::interface();
    assert!(std::ptr::eq(interface, <fn(i64, Option<i64>) -> i64>::interface()));
    let names: Vec<_> = interface.methods().iter().map(|method| method.name).collect();
    assert_eq!((interface.name, names), ("RpcFn", vec!["call"]));
    assert_eq!(interface.find(interface.methods()[0].id(1)), Ok((0, 1)));
    assert_eq!(<fn()>::interface().methods()[0].params_count(), 0);
}

#[test]
fn a_function_travels_as_a_capability() {
    assert!(Schema::of::<Add>().has_caps());
    let mut encoded = Encoded::default();
    let pair = (Add::from_handle(handle()), Add::from_handle(handle()));
    RpcValue::encode(&pair, &mut ValueEncoder::new(&mut encoded, true)).unwrap();
    assert_eq!((encoded.to_bytes().as_ref(), encoded.caps.len()), (&[0, 1][..], 2));
    let mut caps = CapTable::new(encoded.caps);
    <(Add, Add) as RpcValue>::decode(&mut ValueDecoder::new(&encoded.bytes, &mut caps, None, true)).unwrap();
    let again =
        <(Add, Add) as RpcValue>::decode(&mut ValueDecoder::new(&encoded.bytes, &mut caps, None, true));
    assert_eq!(again.unwrap_err().kind(), ErrorKind::BadArguments);
}

#[test]
fn calls_have_the_types_of_the_signature() {
    // Not called: only types are tested here.
    fn types(add: &Add, measure: &Measure, promised: &Promise<Add>) {
        let _: Promise<i64> = add.call(1, None);
        let _: Promise<i64> = promised.call(add.call(1, 2), Some(2));
        let _: Promise<u8, CallError<Fault>> = measure.call("text");
    }

    let _: fn(&Add, &Measure, &Promise<Add>) = types;
}

#[test]
fn t13_closures_are_functions() {
    // Not called either. They capture, change what they capture, take nothing, fail, and are async.
    fn closures(mut count: i64) {
        fn argument<S>(_: impl IntoArg<RpcFn<S>>)
        where
            RpcFn<S>: RpcValue,
        {
        }
        argument::<fn(i64) -> i64>(move |n: i64| {
            count += n;
            count
        });
        argument::<fn(i64) -> i64>(|n| n + 1);
        argument::<fn(i64) -> i64>(i64::abs);
        argument::<fn()>(|| {});
        argument::<fn(u8) -> Result<u8, Fault>>(|n: u8| n.checked_add(1).ok_or_else(|| "too large".into()));
        argument::<fn(i64) -> i64>(RpcFn::new(|n: i64| n));
        argument::<fn(i64) -> i64>(RpcFn::new_async(async |n: i64| n));
        let _: RpcFn<fn(i64, u8) -> i64> = RpcFn::new_async(move |n: i64, _| async move { n + count });
    }

    let _: fn(i64) = closures;
}

#[test]
fn clones_are_references_to_the_same_function() {
    let add = Add::from_handle(handle());
    let again = add.clone();
    assert_eq!(format!("{add:?}"), format!("{again:?}"));
    assert!(matches!(IntoArg::<Add>::into_arg(&add), Arg::Value(_)));
}
