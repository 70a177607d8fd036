use std::borrow::Cow;

use bytes::Bytes;

use super::{Arg, ArgDecoder, ArgEncoder, ArgList, IntoArg, PROMISE_OF_SOME, ParamList};
use crate::codec::{CapTable, Encoded, FilledArg};
use crate::error::{Error, ErrorKind};
use crate::function::RpcFn;
use crate::handle::Handle;
use crate::promise::{Pipeline, Promise};
use crate::schema::Schema;
use crate::value::RpcValue;

fn handle() -> Handle {
    Handle::broken(Error::new(ErrorKind::Cancelled, "a test"))
}

fn promise<T: RpcValue>() -> Promise<T> {
    Promise::from_handle(handle())
}

/// What `args` are on the wire, and how many of them.
fn encode<P: ParamList>(args: impl ArgList<P>) -> (Encoded, usize) {
    let mut encoded = Encoded::default();
    let mut encoder = ArgEncoder::new(&mut encoded, true);
    args.encode(&mut encoder).unwrap();
    let present = encoder.finish();
    (encoded, present)
}

fn decode<P: ParamList>(body: &[u8], present: usize, mut filled: Vec<FilledArg>) -> Result<P, Error> {
    Schema::describe(P::describe).check_args(body, present, &filled)?;
    let mut caps = CapTable::default();
    let mut decoder = ArgDecoder::new(body, &mut caps, None, present, &mut filled, true);
    let params = P::decode(&mut decoder)?;
    decoder.finish()?;
    Ok(params)
}

fn filled(param: u8, body: &'static [u8]) -> FilledArg {
    FilledArg { param, body: Bytes::from_static(body), caps: Vec::new() }
}

/// `arg` is `value`, on the wire and in process.
#[allow(clippy::needless_pass_by_value, reason = "a reference would be no better to read")]
fn is<T: RpcValue + PartialEq + std::fmt::Debug>(arg: impl IntoArg<T> + Clone, value: T) {
    let wire = encode::<(T,)>((arg.clone(),)).0;
    assert_eq!(wire.to_bytes(), encode::<(T,)>((value_arg(&value),)).0.to_bytes());
    match arg.into_arg() {
        Arg::Value(arg) => assert_eq!(arg, value),
        other => panic!("{other:?}"),
    }
}

/// A value by way of its bytes, so that nothing needs `Clone`.
fn value_arg<T: RpcValue>(value: &T) -> T {
    let mut encoded = Encoded::default();
    let mut encoder = ArgEncoder::new(&mut encoded, false);
    encoder.value(value).unwrap();
    decode::<(T,)>(&encoded.to_bytes(), 1, Vec::new()).unwrap().0
}

#[test]
fn t10_what_may_be_passed_for_what() {
    is(5, 5i64);
    is(&5u8, 5u8);
    is("text", "text".to_owned());
    is(&"text".to_owned(), "text".to_owned());
    is(Cow::Borrowed("text"), "text".to_owned());
    is("text", Some("text".to_owned()));
    is(3, Some(3u16));
    is(None, None::<u16>);
    is([1, 2], vec![1u32, 2]);
    is(&[1, 2], vec![1u32, 2]);
    is(&[1, 2][..], vec![1u32, 2]);
    is(vec![], Vec::<u32>::new());
    is(["a", "b"], vec!["a".to_owned(), "b".to_owned()]);
    is(&["a", "b"][..], vec!["a".to_owned(), "b".to_owned()]);
    is(vec![1, 2], Bytes::from_static(&[1, 2]));
    is(b"ab", Bytes::from_static(b"ab"));
    is(&b"ab"[..], Bytes::from_static(b"ab"));
}

#[test]
fn r123_promises_are_left_to_the_callee() {
    let (encoded, present) = encode::<(u8, String, u8)>((1, promise::<String>(), &promise::<u8>()));
    assert_eq!((encoded.to_bytes().as_ref(), present), (&[1][..], 3));
    assert_eq!(encoded.promises.iter().map(|promise| promise.param).collect::<Vec<_>>(), [1, 2]);
    let params: (u8, String, u8) = decode(&[1], 3, vec![filled(2, &[9]), filled(1, b"\x02ab")]).unwrap();
    assert_eq!(params, (1, "ab".to_owned(), 9));
}

#[test]
fn a_promise_of_what_an_option_holds_becomes_some() {
    let (encoded, present) = encode::<(Option<u8>, Option<u8>)>((promise::<u8>(), promise::<Option<u8>>()));
    assert_eq!((encoded.len(), present), (0, 2));
    assert_eq!(encoded.promises[0].param, PROMISE_OF_SOME);
    assert_eq!(encoded.promises[1].param, 1);
    let params =
        decode::<(Option<u8>, Option<u8>)>(&[], 2, vec![filled(PROMISE_OF_SOME, &[7]), filled(1, &[1, 8])]);
    assert_eq!(params, Ok((Some(7), Some(8))));
}

#[test]
fn r3_a_promise_of_a_function_is_that_function() {
    type Function = RpcFn<fn(u8) -> u8>;
    let (function, promised) = (Function::from_handle(handle()), promise::<Function>());
    assert!(matches!(IntoArg::<Function>::into_arg(promise::<Function>()), Arg::Value(_)));
    assert!(matches!(IntoArg::<Function>::into_arg(&promised), Arg::Value(_)));
    assert!(matches!(IntoArg::<Option<Function>>::into_arg(promise::<Function>()), Arg::Value(Some(_))));
    assert!(matches!(IntoArg::<Function>::into_arg(&function), Arg::Value(_)));
    let (encoded, present) = encode::<(Function,)>((promise::<Function>(),));
    assert_eq!((encoded.caps.len(), encoded.promises.len(), present), (1, 0, 1));
}

#[test]
fn r10_trailing_nones_stay_off_the_wire() {
    type Params = (u8, Option<u8>, Option<String>);
    assert_eq!(Params::required(), 1);
    assert_eq!(<(Option<u8>, u8)>::required(), 2);
    for (args, body, present) in [
        ((1, None, None), &[1][..], 1),
        ((1, Some(2), None), &[1, 1, 2], 2),
        ((1, None, Some("c".to_owned())), &[1, 0, 1, 1, b'c'], 3),
    ] {
        let (encoded, count) = encode::<Params>(args.clone());
        assert_eq!((encoded.to_bytes().as_ref(), count), (body, present));
        assert_eq!(decode::<Params>(body, present, Vec::new()), Ok(args));
    }
    let (encoded, present) = encode::<Params>((1, None, promise::<Option<String>>()));
    assert_eq!((encoded.to_bytes().as_ref(), present), (&[1, 0][..], 3));
}

#[test]
fn gathering_gives_values_or_writes_all() {
    let mut encoded = Encoded::default();
    let mut encoder = ArgEncoder::new(&mut encoded, false);
    let gathered = <_ as ArgList<(String, u8)>>::gather(("a", 1), &mut encoder).unwrap();
    assert_eq!(gathered, Some(("a".to_owned(), 1)));
    assert_eq!(encoder.finish(), 0);
    assert_eq!(encoded.len(), 0);
    let mut encoder = ArgEncoder::new(&mut encoded, false);
    let gathered = <_ as ArgList<(String, u8)>>::gather(("a", promise::<u8>()), &mut encoder).unwrap();
    assert_eq!((gathered, encoder.finish()), (None, 2));
    assert_eq!((encoded.to_bytes().as_ref(), encoded.promises.len()), (&b"\x01a"[..], 1));
    let mut encoder = ArgEncoder::new(&mut encoded, false);
    assert_eq!(<() as ArgList<()>>::gather((), &mut encoder).unwrap(), Some(()));
}

#[test]
fn r52_arguments_that_do_not_fit_are_refused() {
    let refused = |result: Result<(u8, Option<u8>), Error>| {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BadArguments);
        assert!(!error.may_have_run());
    };
    refused(decode(&[], 1, vec![]));
    refused(decode(&[1, 2], 1, vec![]));
    refused(decode(&[], 0, vec![]));
    refused(decode(&[1], 1, vec![filled(1, &[0])]));
    refused(decode(&[1], 1, vec![filled(7, &[0])]));
    refused(decode(&[], 1, vec![filled(0, &[1]), filled(0, &[2])]));
    refused(decode(&[], 1, vec![filled(0, &[1, 2])]));
    assert_eq!(decode(&[], 1, vec![filled(0, &[1])]), Ok((1u8, None::<u8>)));
}

#[test]
fn r11_arguments_are_checked_wherever_they_stand() {
    let four_billion = b"\xff\xff\xff\xff\x0f";
    let limit = |result: Result<(u8, Option<Vec<()>>), Error>| {
        assert_eq!(result.unwrap_err().kind(), ErrorKind::Limit);
    };
    limit(decode(b"\x00\x01\xff\xff\xff\xff\x0f", 2, vec![]));
    limit(decode(&[0], 2, vec![filled(1, b"\x01\xff\xff\xff\xff\x0f")]));
    limit(decode(&[0], 2, vec![filled(1 | PROMISE_OF_SOME, four_billion)]));
    limit(decode(b"\x01\xff\xff\xff\xff\x0f", 2, vec![filled(0, &[0])]));
}
