//! What a value may not be.

use syn::ext::IdentExt;
use syn::{Fields, Generics, Ident};

use super::is_reserved;
use crate::attr::FieldOptions;
use crate::report::Errors;
use crate::serde_attr;

/// A value owns its data.
pub(crate) fn lifetimes(generics: &Generics, errors: &mut Errors) {
    for lifetime in generics.lifetimes() {
        errors.at(
            lifetime,
            "a value comes over a wire and cannot borrow: let it own its data, as `String` for `&str`",
        );
    }
}

/// serde writes the field of a newtype also where it is told to skip it, but does not read it.
pub(crate) fn newtype_is_written(fields: &Fields, errors: &mut Errors) {
    for field in fields {
        if serde_attr::Field::read(&field.attrs, &mut Errors::default()).skip {
            errors.at(field, "serde writes the only field of a tuple struct even with `skip`, and does not read it: give it a name");
        }
    }
}

/// serde writes variants by the place where they are declared and reads them by the place among those it does not skip.
pub(crate) fn skipped_variant(variant: &syn::Variant, errors: &mut Errors) {
    let message = format!(
        "a variant after `{}` would be read as another one: move the variants that are skipped to the end",
        variant.ident,
    );
    errors.at(&variant.ident, message);
}

/// The schema of a field is that of its type, unless a function of the user's writes it.
pub(crate) fn field_schema(serde: &serde_attr::Field, options: &FieldOptions, errors: &mut Errors) {
    match (&serde.with, &options.schema) {
        (Some(with), None) => {
            let message = "the schema does not know what this writes: name the type whose encoding it is with \
                           #[rpc(schema = \"…\")], as in #[rpc(schema = \"String\")]";
            errors.at(with, message);
        }
        (None, Some(schema)) => {
            errors.at(schema, "the schema of a field is that of its type; `schema` is for fields with #[serde(with = \"…\")]");
        }
        _ => {}
    }
}

/// Accessors may not have the names that every promise has.
pub(crate) fn accessor(name: &Ident, errors: &mut Errors) {
    if is_reserved(name) {
        let name_text = name.unraw();
        let message = format!(
            "the accessor `{name_text}` would not be reached: std or farcall gives every promise or stub a method of \
             that name, which takes it by value and so comes first; choose another one, and keep this on the wire \
             with #[serde(rename = \"{name_text}\")]",
        );
        errors.at(name, message);
    }
}
