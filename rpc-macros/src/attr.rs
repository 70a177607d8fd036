//! What the attributes say: `#[rpc_target(…)]`, `#[rpc(…)]` on methods, types and fields, and which attributes of
//! the user's own go along to what is printed.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Attribute, Ident, LitStr, Meta, Path, Token, Type, WherePredicate};

use crate::report::Errors;

/// `#[rpc_target(crate = path, stub = "Name", contract = "Name", extends = "Name", secondary)]`
#[derive(Default)]
pub(crate) struct TargetOptions {
    pub(crate) krate: Option<Path>,
    pub(crate) stub: Option<Ident>,
    /// The name under which the contract was declared, where it is imported under another one.
    pub(crate) contract: Option<Ident>,
    pub(crate) extends: Option<Extends>,
    pub(crate) secondary: Option<Ident>,
}

/// `#[entrypoint(name = "Admin", default, env = Env, props = Props, …)]`, and the options of a target.
#[derive(Default)]
pub(crate) struct EntrypointOptions {
    pub(crate) target: TargetOptions,
    pub(crate) name: Option<LitStr>,
    pub(crate) default: Option<Ident>,
    /// The environment that `new` takes, where `new` stands in another `impl`.
    pub(crate) env: Option<Type>,
    pub(crate) props: Option<Type>,
}

/// `#[env(crate = path)]` on an environment, `#[env(name = "…")]` on a field of it.
#[derive(Default)]
pub(crate) struct EnvOptions {
    pub(crate) krate: Option<Path>,
    pub(crate) name: Option<LitStr>,
}

/// Which of a trait's supertraits is the contract that it extends.
pub(crate) enum Extends {
    /// `extends = ""`
    Nothing,
    /// `extends = "Counter"`
    Contract(Ident),
}

/// `#[rpc(get, rename = "…", skip, call, spawn, on_release)]` on a method.
#[derive(Default)]
pub(crate) struct MethodOptions {
    pub(crate) get: Option<Ident>,
    pub(crate) rename: Option<LitStr>,
    pub(crate) skip: Option<Ident>,
    pub(crate) call: Option<Ident>,
    pub(crate) spawn: Option<Ident>,
    pub(crate) on_release: Option<Ident>,
}

/// `#[rpc(crate = path, bound = "…", pipeline = "Name")]` on a value.
#[derive(Default)]
pub(crate) struct ValueOptions {
    pub(crate) krate: Option<Path>,
    pub(crate) bound: Option<Vec<WherePredicate>>,
    pub(crate) pipeline: Option<Ident>,
}

/// `#[rpc(schema = "Type")]` on a field.
#[derive(Default)]
pub(crate) struct FieldOptions {
    pub(crate) schema: Option<Type>,
}

impl TargetOptions {
    pub(crate) fn read(tokens: TokenStream, errors: &mut Errors) -> Self {
        let mut options = Self::default();
        let parser = |input: ParseStream<'_>| {
            each_option(input, |name, input| {
                if options.take(&name, input)? {
                    return Ok(());
                }
                Err(unknown(&name, "crate, stub, contract, extends, secondary"))
            })
        };
        if let Err(error) = parser.parse2(tokens) {
            errors.push(error);
        }
        options
    }

    /// Reads the option of this name; `false` if there is none.
    fn take(&mut self, name: &Ident, input: ParseStream<'_>) -> syn::Result<bool> {
        match name.to_string().as_str() {
            "crate" => self.krate = Some(path(input)?),
            "stub" => self.stub = Some(ident(input)?),
            "contract" => self.contract = Some(ident(input)?),
            "extends" => self.extends = Some(extends(input)?),
            "secondary" => self.secondary = Some(name.clone()),
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl EntrypointOptions {
    pub(crate) fn read(tokens: TokenStream, errors: &mut Errors) -> Self {
        let mut options = Self::default();
        let parser = |input: ParseStream<'_>| {
            each_option(input, |name, input| {
                match name.to_string().as_str() {
                    "name" => options.name = Some(value(input)?),
                    "default" => options.default = Some(name),
                    "env" => options.env = Some(value(input)?),
                    "props" => options.props = Some(value(input)?),
                    _ if options.target.take(&name, input)? => {}
                    _ => {
                        let known = "name, default, env, props, crate, stub, contract, secondary";
                        return Err(unknown(&name, known));
                    }
                }
                Ok(())
            })
        };
        if let Err(error) = parser.parse2(tokens) {
            errors.push(error);
        }
        options
    }
}

impl EnvOptions {
    /// The options of the struct, or of one of its fields, which has no `crate`.
    pub(crate) fn read(attrs: &[Attribute], of_field: bool, errors: &mut Errors) -> Self {
        let mut options = Self::default();
        each_attribute("env", attrs, errors, |name, input| {
            match name.to_string().as_str() {
                "crate" if !of_field => options.krate = Some(path(input)?),
                "name" if of_field => options.name = Some(value(input)?),
                _ => return Err(unknown(&name, if of_field { "name" } else { "crate" })),
            }
            Ok(())
        });
        options
    }
}

impl MethodOptions {
    pub(crate) fn read(attrs: &[Attribute], errors: &mut Errors) -> Self {
        let mut options = Self::default();
        each_rpc_attribute(attrs, errors, |name, input| {
            match name.to_string().as_str() {
                "get" => options.get = Some(name),
                "rename" => options.rename = Some(value(input)?),
                "skip" => options.skip = Some(name),
                "call" => options.call = Some(name),
                "spawn" => options.spawn = Some(name),
                "on_release" => options.on_release = Some(name),
                _ => return Err(unknown(&name, "get, rename, skip, call, spawn, on_release")),
            }
            Ok(())
        });
        options
    }
}

impl ValueOptions {
    pub(crate) fn read(attrs: &[Attribute], errors: &mut Errors) -> Self {
        let mut options = Self::default();
        each_rpc_attribute(attrs, errors, |name, input| {
            match name.to_string().as_str() {
                "crate" => options.krate = Some(path(input)?),
                "bound" => options.bound = Some(bounds(&value(input)?)?),
                "pipeline" => options.pipeline = Some(ident(input)?),
                _ => return Err(unknown(&name, "crate, bound, pipeline")),
            }
            Ok(())
        });
        options
    }
}

impl FieldOptions {
    pub(crate) fn read(attrs: &[Attribute], errors: &mut Errors) -> Self {
        let mut options = Self::default();
        each_rpc_attribute(attrs, errors, |name, input| {
            match name.to_string().as_str() {
                "schema" => options.schema = Some(value::<LitStr>(input)?.parse()?),
                _ => return Err(unknown(&name, "schema")),
            }
            Ok(())
        });
        options
    }
}

fn each_rpc_attribute(
    attrs: &[Attribute],
    errors: &mut Errors,
    take: impl FnMut(Ident, ParseStream<'_>) -> syn::Result<()>,
) {
    each_attribute("rpc", attrs, errors, take);
}

fn each_attribute(
    path: &str,
    attrs: &[Attribute],
    errors: &mut Errors,
    mut take: impl FnMut(Ident, ParseStream<'_>) -> syn::Result<()>,
) {
    for attr in attrs.iter().filter(|attr| attr.path().is_ident(path)) {
        let read = match &attr.meta {
            Meta::List(list) => {
                (|input: ParseStream<'_>| each_option(input, &mut take)).parse2(list.tokens.clone())
            }
            _ => {
                let message = format!("expected `#[{path}(…)]` with options between the brackets");
                Err(syn::Error::new_spanned(attr, message))
            }
        };
        if let Err(error) = read {
            errors.push(error);
        }
    }
}

fn each_option(
    input: ParseStream<'_>,
    mut take: impl FnMut(Ident, ParseStream<'_>) -> syn::Result<()>,
) -> syn::Result<()> {
    while !input.is_empty() {
        take(input.call(Ident::parse_any)?, input)?;
        if !input.is_empty() {
            input.parse::<Token![,]>()?;
        }
    }
    Ok(())
}

fn unknown(name: &Ident, expected: &str) -> syn::Error {
    syn::Error::new_spanned(name, format!("there is no option `{name}` here; the options are: {expected}"))
}

fn value<T: Parse>(input: ParseStream<'_>) -> syn::Result<T> {
    input.parse::<Token![=]>()?;
    input.parse()
}

/// `= path` or `= "path"`
fn path(input: ParseStream<'_>) -> syn::Result<Path> {
    input.parse::<Token![=]>()?;
    if input.peek(LitStr) {
        return input.parse::<LitStr>()?.parse_with(Path::parse_mod_style);
    }
    input.call(Path::parse_mod_style)
}

/// `= "Name"` or `= Name`
fn ident(input: ParseStream<'_>) -> syn::Result<Ident> {
    input.parse::<Token![=]>()?;
    if input.peek(LitStr) { input.parse::<LitStr>()?.parse() } else { input.parse() }
}

fn extends(input: ParseStream<'_>) -> syn::Result<Extends> {
    let name: LitStr = value(input)?;
    if name.value().is_empty() { Ok(Extends::Nothing) } else { name.parse().map(Extends::Contract) }
}

fn bounds(text: &LitStr) -> syn::Result<Vec<WherePredicate>> {
    let predicates = text.parse_with(Punctuated::<WherePredicate, Token![,]>::parse_terminated)?;
    Ok(predicates.into_iter().collect())
}

/// The path under which printed code finds the library: `<crate>::__private`.
pub(crate) fn private(krate: Option<&Path>) -> TokenStream {
    match krate {
        Some(path) => quote!(#path::__private),
        None => quote!(::farcall::__private),
    }
}

/// The user's attributes that go along to what is printed for a method or a field.
#[derive(Default)]
pub(crate) struct Carried {
    /// `#[cfg]`: on each piece that is printed for the method.
    pub(crate) cfgs: Vec<Attribute>,
    /// `#[doc]`, `#[deprecated]` and `#[must_use]`: on the stub's method.
    pub(crate) shown: Vec<Attribute>,
}

impl Carried {
    pub(crate) fn read(attrs: &[Attribute], errors: &mut Errors) -> Self {
        let mut carried = Self::default();
        for attr in attrs {
            if attr.path().is_ident("cfg") {
                carried.cfgs.push(attr.clone());
            } else if is_shown(attr.path()) {
                carried.shown.push(attr.clone());
            } else if attr.path().is_ident("cfg_attr") {
                carried.read_conditional(attr, errors);
            }
        }
        carried
    }

    /// `#[cfg_attr(condition, …)]` goes where the attributes in it would go.
    fn read_conditional(&mut self, attr: &Attribute, errors: &mut Errors) {
        let paths = conditional_paths(attr);
        if paths.iter().any(|path| path.is_ident("rpc")) {
            errors.at(
                attr,
                "#[rpc] cannot hang on a condition: write the method twice, each under its own #[cfg]",
            );
        } else if paths.iter().any(|path| path.is_ident("cfg")) {
            self.cfgs.push(attr.clone());
        } else if !paths.is_empty() && paths.iter().all(is_shown) {
            self.shown.push(attr.clone());
        }
    }

    /// Whether the docs are the user's own.
    pub(crate) fn has_docs(&self) -> bool {
        self.shown.iter().any(|attr| attr.path().is_ident("doc") || attr.path().is_ident("cfg_attr"))
    }

    /// The conditions as text, to compare two of them.
    pub(crate) fn condition(&self) -> String {
        self.cfgs.iter().map(|attr| attr.to_token_stream().to_string()).collect()
    }
}

fn is_shown(path: &Path) -> bool {
    ["doc", "deprecated", "must_use"].iter().any(|name| path.is_ident(name))
}

/// The paths of the attributes in `#[cfg_attr(condition, first, second(…))]`.
fn conditional_paths(attr: &Attribute) -> Vec<Path> {
    let Meta::List(list) = &attr.meta else { return Vec::new() };
    let mut tokens = list.tokens.clone().into_iter();
    let is_comma = |tree: proc_macro2::TokenTree| tree.to_string() == ",";
    if !tokens.any(is_comma) {
        return Vec::new();
    }
    let metas = Punctuated::<Meta, Token![,]>::parse_terminated.parse2(tokens.collect());
    metas.map(|metas| metas.iter().map(|meta| meta.path().clone()).collect()).unwrap_or_default()
}
