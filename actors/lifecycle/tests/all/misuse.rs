//! Misuse that must not compile. Renew the expected messages with `TRYBUILD=overwrite`, and read them before committing.

#[test]
fn misuse_does_not_compile() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
