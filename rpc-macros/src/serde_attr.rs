//! What `#[serde(…)]` says of a value, and what of it cannot be.
//!
//! The binary wire is postcard, which writes no names and no lengths of structs: attributes that make serde leave a
//! field out, or look ahead, are read back as something else, without an error. They are refused here. Mistakes in
//! the use of an attribute are left to serde's own derive.
//!
//! | attribute | postcard | here |
//! |---|---|---|
//! | `skip` on a variant that is not last | reads another variant | error |
//! | `skip_serializing`, `skip_deserializing` alone | reads wrong values | error |
//! | `skip_serializing_if` | reads the next field's bytes | error |
//! | `flatten` | cannot write | error |
//! | `tag`, `content`, `untagged` | cannot read | error |
//! | `from`, `into` | fine if both are given | schema and pipeline of the type named |
//! | `with` | fine | needs `#[rpc(schema = "…")]` |
//! | `rename`, `alias`, `default`, `skip`, `transparent`, `other`, … | fine | `rename` enters the schema |

use quote::ToTokens;
use syn::meta::ParseNestedMeta;
use syn::{Attribute, Expr, LitStr, Token, Type};

use crate::rename::Rule;
use crate::report::Errors;

/// On a struct or an enum.
#[derive(Default)]
pub(crate) struct Container {
    pub(crate) rename_all: Option<Rule>,
    pub(crate) rename_all_fields: Option<Rule>,
    pub(crate) transparent: bool,
    /// The type through which it is written and read.
    pub(crate) through: Option<Type>,
}

/// On a variant.
#[derive(Default)]
pub(crate) struct Variant {
    pub(crate) rename: Option<String>,
    pub(crate) rename_all: Option<Rule>,
    pub(crate) skip: bool,
}

/// On a field.
#[derive(Default)]
pub(crate) struct Field {
    pub(crate) rename: Option<String>,
    pub(crate) skip: bool,
    /// Where a function of the user's writes or reads the field.
    pub(crate) with: Option<syn::Path>,
}

impl Container {
    pub(crate) fn read(attrs: &[Attribute], errors: &mut Errors) -> Self {
        let mut container = Self::default();
        let (mut from, mut into) = (None, None);
        each(attrs, |meta| {
            match name_of(meta).as_str() {
                "rename_all" => container.rename_all = rule(meta, errors)?,
                "rename_all_fields" => container.rename_all_fields = rule(meta, errors)?,
                "transparent" => container.transparent = true,
                "from" | "try_from" => from = Some(meta.value()?.parse::<LitStr>()?),
                "into" => into = Some(meta.value()?.parse::<LitStr>()?),
                name @ ("tag" | "content" | "untagged") => {
                    refuse(
                        meta,
                        errors,
                        &format!(
                            "`{name}` cannot be read back from the binary wire, which has no names to look for: leave it \
                         out, variants travel as a number",
                        ),
                    )?;
                }
                name @ ("remote" | "variant_identifier" | "field_identifier") => {
                    refuse(
                        meta,
                        errors,
                        &format!(
                            "a type with `{name}` is not a value by itself: derive RpcValue on the type that travels"
                        ),
                    )?;
                }
                _ => skip_value(meta)?,
            }
            Ok(())
        });
        container.through = through(from, into, errors);
        container
    }
}

/// Input: `from = "Wire"`, `into = "Wire"`, output: `Wire`.
fn through(from: Option<LitStr>, into: Option<LitStr>, errors: &mut Errors) -> Option<Type> {
    match (from, into) {
        (None, None) => None,
        (Some(from), Some(into)) if from.value() == into.value() => from.parse().ok(),
        (Some(one), Some(_)) => {
            errors.at(one, "what is written is what is read: `from` and `into` must name the same type");
            None
        }
        (Some(from), None) => {
            errors.at(from, "what is written is what is read: `from` needs `into` with the same type");
            None
        }
        (None, Some(into)) => {
            errors.at(
                into,
                "what is written is what is read: `into` needs `from` or `try_from` with the same type",
            );
            None
        }
    }
}

impl Variant {
    pub(crate) fn read(attrs: &[Attribute], errors: &mut Errors) -> Self {
        let mut variant = Self::default();
        let mut halves = Halves::default();
        each(attrs, |meta| {
            match name_of(meta).as_str() {
                "rename" => variant.rename = renamed(meta, errors)?,
                "rename_all" => variant.rename_all = rule(meta, errors)?,
                "skip" => variant.skip = true,
                "skip_serializing" => halves.serializing = Some(meta.path.clone()),
                "skip_deserializing" => halves.deserializing = Some(meta.path.clone()),
                "untagged" => {
                    refuse(meta, errors, "`untagged` cannot be read back from the binary wire: leave it out")?
                }
                name @ ("with" | "serialize_with" | "deserialize_with") => {
                    refuse(
                        meta,
                        errors,
                        &format!(
                            "the schema does not know what `{name}` writes: put it on a field, with #[rpc(schema = \"…\")]"
                        ),
                    )?;
                }
                _ => skip_value(meta)?,
            }
            Ok(())
        });
        variant.skip |= halves.both(errors);
        variant
    }
}

impl Field {
    pub(crate) fn read(attrs: &[Attribute], errors: &mut Errors) -> Self {
        let mut field = Self::default();
        let mut halves = Halves::default();
        each(attrs, |meta| {
            match name_of(meta).as_str() {
                "rename" => field.rename = renamed(meta, errors)?,
                "skip" => field.skip = true,
                "skip_serializing" => halves.serializing = Some(meta.path.clone()),
                "skip_deserializing" => halves.deserializing = Some(meta.path.clone()),
                "skip_serializing_if" => {
                    refuse(
                        meta,
                        errors,
                        "a field that is left out is read from the bytes of the next one: leave \
                                          `skip_serializing_if` out, `None` costs one byte",
                    )?;
                }
                "flatten" => {
                    refuse(
                        meta,
                        errors,
                        "`flatten` cannot be written to the binary wire, which has no names: make it an \
                                          ordinary field",
                    )?;
                }
                "borrow" => {
                    refuse(meta, errors, "a value owns its data: take the owned type and leave `borrow` out")?
                }
                "with" | "serialize_with" | "deserialize_with" => {
                    field.with = Some(meta.path.clone());
                    skip_value(meta)?;
                }
                _ => skip_value(meta)?,
            }
            Ok(())
        });
        field.skip |= halves.both(errors);
        field
    }
}

/// `skip_serializing` and `skip_deserializing`: together they are `skip`, one alone shifts all that follows.
#[derive(Default)]
struct Halves {
    serializing: Option<syn::Path>,
    deserializing: Option<syn::Path>,
}

impl Halves {
    fn both(self, errors: &mut Errors) -> bool {
        match (self.serializing, self.deserializing) {
            (Some(_), Some(_)) => true,
            (None, None) => false,
            (Some(half), None) | (None, Some(half)) => {
                errors
                    .at(half, "what is written must be read, byte for byte: use `skip`, which does neither");
                false
            }
        }
    }
}

fn each(attrs: &[Attribute], mut take: impl FnMut(&ParseNestedMeta<'_>) -> syn::Result<()>) {
    for attr in attrs.iter().filter(|attr| attr.path().is_ident("serde")) {
        // What cannot be parsed is reported by serde's derive.
        drop(attr.parse_nested_meta(|meta| take(&meta)));
    }
}

fn name_of(meta: &ParseNestedMeta<'_>) -> String {
    meta.path.get_ident().map(ToString::to_string).unwrap_or_default()
}

fn refuse(meta: &ParseNestedMeta<'_>, errors: &mut Errors, message: &str) -> syn::Result<()> {
    errors.at(&meta.path, message);
    skip_value(meta)
}

/// `name`, `name = value` or `name(…)`
fn skip_value(meta: &ParseNestedMeta<'_>) -> syn::Result<()> {
    if meta.input.peek(Token![=]) {
        meta.value()?.parse::<Expr>()?;
    } else if meta.input.peek(syn::token::Paren) {
        meta.input.parse::<proc_macro2::Group>()?;
    }
    Ok(())
}

/// `rename = "name"`, or `rename(serialize = "name", deserialize = "name")` with the same name twice.
fn renamed(meta: &ParseNestedMeta<'_>, errors: &mut Errors) -> syn::Result<Option<String>> {
    if meta.input.peek(Token![=]) {
        return Ok(Some(meta.value()?.parse::<LitStr>()?.value()));
    }
    let mut names = Vec::new();
    meta.parse_nested_meta(|direction| {
        names.push(direction.value()?.parse::<LitStr>()?.value());
        Ok(())
    })?;
    if let [first, second] = names.as_slice()
        && first == second
    {
        return Ok(names.pop());
    }
    one_name(&meta.path, errors);
    Ok(None)
}

fn rule(meta: &ParseNestedMeta<'_>, errors: &mut Errors) -> syn::Result<Option<Rule>> {
    Ok(renamed(meta, errors)?.and_then(|name| Rule::named(&name)))
}

fn one_name(path: impl ToTokens, errors: &mut Errors) {
    errors.at(path, "what is written is what is read: give one name for both directions");
}
