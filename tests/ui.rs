//! Programs that must compile, and programs that must not and what rustc says of them. Each file is named after its
//! rule. `TRYBUILD=overwrite cargo test --test ui` writes the `.stderr` files anew, which belong to one toolchain.

#[test]
fn programs() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui/pass/*.rs");
    cases.compile_fail("tests/ui/fail/*.rs");
}
