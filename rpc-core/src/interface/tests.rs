use super::{Interface, MethodId, Sig, generic_interface, name_hash};
use crate::error::ErrorKind;
use crate::fault::Fault;
use crate::value::Plain;

const SIGS: &[Sig] = &[
    Sig::method::<(i64,), i64>("increment"),
    Sig::property::<i64>("value"),
    Sig::method::<(String, Option<u32>, Option<u8>), Result<Plain<u8>, Fault>>("find"),
    Sig::method::<(Option<u8>, u8), ()>("none_in_front"),
];

#[test]
fn r10_name_hashes_are_what_the_macros_compute() {
    assert_eq!(name_hash(""), 0x4fd0_bfc1);
    assert_eq!(name_hash("a"), 0x2962_30c0);
    assert_eq!(name_hash("foobar"), 0x72ad_2699);
    assert_eq!(name_hash("increment"), 0xbf86_b555);
}

#[test]
fn r10_methods_are_found_by_name_and_signature() {
    let interface = Interface::new("Counter", SIGS);
    for (index, method) in interface.methods().iter().enumerate() {
        let all = method.params_count();
        assert_eq!(interface.find(method.id(all)), Ok((index, all)));
        assert_eq!(method.id(all).name(), name_hash(method.name));
    }
    assert!(interface.method(1).unwrap().is_property);
    assert_eq!(interface.method(4).map(|method| method.name), None);
    assert!(!interface.method(2).unwrap().result_moves);
    assert!(interface.method(2).unwrap().user_moves);
}

#[test]
fn r10_trailing_options_may_be_left_out() {
    let interface = Interface::new("Counter", SIGS);
    let find = interface.method(2).unwrap();
    let ids = [find.id(1), find.id(2), find.id(3)];
    for (index, id) in ids.into_iter().enumerate() {
        assert_eq!(interface.find(id), Ok((2, index + 1)));
    }
    assert_eq!(find.id(0), find.id(1), "the first cannot be left out");
    assert_eq!(find.id(9), find.id(3));
    let in_front = interface.method(3).unwrap();
    assert_eq!(in_front.id(0), in_front.id(2), "only trailing ones can");
}

#[test]
fn r10_an_older_caller_is_understood_as_long_as_it_sends_no_more_than_it_knows() {
    let id = |sig: Sig, present| Interface::new("Api", &[sig]).methods()[0].id(present);
    let old = Sig::method::<(u8,), u8>("f");
    let new = Sig::method::<(u8, Option<u32>), u8>("f");
    let other = Sig::method::<(u8, Option<i32>), u8>("f");
    assert_eq!(id(old, 1), id(new, 1));
    assert_eq!(id(new, 1), id(other, 1));
    assert_ne!(id(new, 2), id(other, 2));
    assert_ne!(id(old, 1), id(new, 2));
}

#[test]
fn r79_unknown_names_and_other_signatures_are_told_apart() {
    let interface = Interface::new("Counter", SIGS);
    let error = interface.find(MethodId(u64::from(name_hash("decrement")) << 32)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnknownMethod);
    assert!(error.message().contains("`Counter`"), "{error}");
    let other = Interface::new("Counter", &[Sig::method::<(i32,), i64>("increment")]);
    let error = interface.find(other.methods()[0].id(1)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SignatureMismatch);
    assert!(error.message().contains("`Counter::increment`"), "{error}");
    assert!(!error.may_have_run());
}

#[test]
fn r10_results_and_errors_are_part_of_the_signature() {
    let ids = [
        Sig::method::<(), u8>("f"),
        Sig::method::<(), u16>("f"),
        Sig::method::<(), Result<u8, Fault>>("f"),
        Sig::method::<(), Option<u8>>("f"),
    ]
    .map(|sig| Interface::new("Api", &[sig]).methods()[0].id(0));
    assert_eq!(std::collections::HashSet::from(ids).len(), ids.len());
}

#[test]
fn t12_a_generic_interface_is_made_once_for_each_type() {
    struct Stub<T>(std::marker::PhantomData<T>);
    let first = generic_interface::<Stub<u8>>("Stub", SIGS);
    assert!(std::ptr::eq(first, generic_interface::<Stub<u8>>("Stub", SIGS)));
    assert!(!std::ptr::eq(first, generic_interface::<Stub<u16>>("Stub", SIGS)));
}
