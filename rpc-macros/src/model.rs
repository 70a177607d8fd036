//! What `#[rpc_target]` knows of a target once it has been read: the one model from which everything is printed.

use proc_macro2::TokenStream;
use quote::{ToTokens, format_ident, quote};
use syn::ext::IdentExt;
use syn::{Attribute, FnArg, Generics, Ident, Pat, Path, ReturnType, Type, Visibility};

use crate::attr::{Carried, MethodOptions};
use crate::parse::{Function, Member};
use crate::report::Errors;
use crate::types::{self, Ends, Lend};
use crate::valid;

/// A target, or the contract of any number of them.
pub(crate) struct Target {
    /// The path of the library's `__private`.
    pub(crate) private: TokenStream,
    /// `Counter`
    pub(crate) name: Ident,
    /// `CounterStub`
    pub(crate) stub: Ident,
    pub(crate) vis: Visibility,
    /// The parameters of the impl or of the trait, which the stub repeats.
    pub(crate) generics: Generics,
    pub(crate) owner: Owner,
    pub(crate) methods: Vec<Method>,
    /// Methods with a mistake in their signature.
    pub(crate) skeletons: Vec<Skeleton>,
    /// What runs when the last stub is gone: under different conditions there may be several.
    pub(crate) hooks: Vec<Hook>,
}

/// A method that is `#[rpc(on_release)]`.
pub(crate) struct Hook {
    pub(crate) ident: Ident,
    pub(crate) carried: Carried,
    pub(crate) receiver: Receiver,
    pub(crate) is_async: bool,
}

/// What a target's members come to.
#[derive(Default)]
pub(crate) struct Members {
    pub(crate) methods: Vec<Method>,
    pub(crate) skeletons: Vec<Skeleton>,
    pub(crate) hooks: Vec<Hook>,
}

/// Whose methods they are.
pub(crate) enum Owner {
    /// Those of this type.
    Inherent(Type),
    /// Those of every type that implements the trait; it may extend another contract.
    Contract { extends: Option<Parent> },
}

/// The contract that a contract extends.
pub(crate) struct Parent {
    /// As it stands among the supertraits.
    pub(crate) path: Path,
    /// The name under which it was declared.
    pub(crate) name: Ident,
}

/// An exported method.
pub(crate) struct Method {
    /// Its name in the user's item.
    pub(crate) ident: Ident,
    /// Its name on the stub.
    pub(crate) stub_ident: Ident,
    pub(crate) wire_name: String,
    pub(crate) carried: Carried,
    pub(crate) receiver: Receiver,
    pub(crate) is_async: bool,
    pub(crate) params: Vec<Param>,
    /// What it returns, or what its future does.
    pub(crate) ret: Type,
    pub(crate) role: Role,
    pub(crate) spawned: bool,
}

/// How a method takes its target.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Receiver {
    /// `&self`
    Shared,
    /// `&mut self`
    Exclusive,
}

/// What a method is to the caller.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Role {
    Method,
    /// `#[rpc(get)]`
    Property,
    /// `#[rpc(call)]`
    Call,
}

/// A parameter of an exported method.
pub(crate) struct Param {
    /// Its name on the stub.
    pub(crate) name: Ident,
    /// As it was declared.
    pub(crate) declared: Type,
    pub(crate) lend: Lend,
}

/// What remains of a method that cannot be exported, so that its callers get no second error for the same mistake.
pub(crate) struct Skeleton {
    pub(crate) ident: Ident,
    pub(crate) cfgs: Vec<Attribute>,
    pub(crate) arity: usize,
    /// What it returns, unless the mistake may be there.
    pub(crate) ret: Option<Type>,
}

impl Target {
    /// Whether its methods run one after another.
    pub(crate) fn is_serial(&self) -> bool {
        self.methods.iter().any(|method| method.receiver == Receiver::Exclusive)
    }

    /// Whether threads share the target: its methods run side by side, or a future holds a `&self`.
    pub(crate) fn needs_sync(&self) -> bool {
        let holds = |method: &Method| method.is_async && method.receiver == Receiver::Shared;
        let hook_holds = |hook: &Hook| hook.is_async && hook.receiver == Receiver::Shared;
        !self.is_serial() || self.methods.iter().any(holds) || self.hooks.iter().any(hook_holds)
    }

    /// `CounterStub<T>`
    pub(crate) fn stub_type(&self) -> TokenStream {
        let (stub, (_, arguments, _)) = (&self.stub, self.generics.split_for_impl());
        quote!(#stub #arguments)
    }

    /// Whether the stub is a different type for different arguments.
    pub(crate) fn is_generic(&self) -> bool {
        !self.generics.params.is_empty()
    }

    /// The type whose methods a table calls: `Counter`, or the parameter `__T` of a contract's table.
    pub(crate) fn target_type(&self) -> TokenStream {
        match &self.owner {
            Owner::Inherent(ty) => ty.to_token_stream(),
            Owner::Contract { .. } => quote!(__T),
        }
    }
}

/// Reads the exported methods among `members`, and the release hook; the methods with a mistake become skeletons.
pub(crate) fn members(members: &[Member], owner: &Owner, errors: &mut Errors) -> Members {
    let Members { mut methods, mut skeletons, mut hooks } = Members::default();
    for member in members {
        let function = match member {
            Member::Function(function) => function,
            Member::Macro(call) => {
                valid::opaque_member(call, errors);
                continue;
            }
            Member::Other(_) => continue,
        };
        let before = errors.count();
        let options = MethodOptions::read(&function.attrs, errors);
        if options.on_release.is_some() {
            let carried = Carried::read(&function.attrs, errors);
            valid::hook(function, &options, errors);
            if errors.count() == before {
                hooks.push(Hook::read(function, carried));
            }
            continue;
        }
        if !is_exported(function, &options, owner, errors) {
            continue;
        }
        let carried = Carried::read(&function.attrs, errors);
        valid::method(function, &options, owner, errors);
        if errors.count() == before {
            methods.push(Method::read(function, options, carried, owner));
        } else {
            skeletons.push(Skeleton::read(function, carried));
        }
    }
    valid::wire_names(&methods, errors);
    valid::one_hook(&hooks, errors);
    Members { methods, skeletons, hooks }
}

fn is_exported(function: &Function, options: &MethodOptions, owner: &Owner, errors: &mut Errors) -> bool {
    if options.skip.is_some() {
        valid::skipped(options, errors);
        return false;
    }
    let public = matches!(owner, Owner::Contract { .. }) || matches!(function.vis, Visibility::Public(_));
    if !public {
        valid::private(function, errors);
    }
    public
}

impl Hook {
    /// `function` has passed `valid::hook`.
    fn read(function: &Function, carried: Carried) -> Self {
        let future = match &function.sig.output {
            ReturnType::Default => None,
            ReturnType::Type(_, ty) => types::future_output(ty),
        };
        Self {
            ident: function.sig.ident.clone(),
            carried,
            receiver: receiver(function),
            is_async: function.sig.asyncness.is_some() || future.is_some(),
        }
    }
}

impl Method {
    /// `function` has passed `valid::method`.
    fn read(function: &Function, options: MethodOptions, carried: Carried, owner: &Owner) -> Self {
        let sig = &function.sig;
        let declared = match &sig.output {
            ReturnType::Default => types::unit(),
            ReturnType::Type(_, ty) => owner.spell_out(ty),
        };
        let future = types::future_output(&declared);
        let role = match (&options.get, &options.call) {
            (Some(_), _) => Role::Property,
            (_, Some(_)) => Role::Call,
            _ => Role::Method,
        };
        let stub_ident = match role {
            Role::Call => Ident::new("call", sig.ident.span()),
            _ => sig.ident.clone(),
        };
        let wire_name = match options.rename {
            Some(name) => name.value(),
            None => stub_ident.unraw().to_string(),
        };
        Self {
            ident: sig.ident.clone(),
            stub_ident,
            wire_name,
            carried,
            receiver: receiver(function),
            is_async: sig.asyncness.is_some() || future.is_some(),
            params: params(function, owner),
            ret: future.unwrap_or(declared),
            role,
            spawned: options.spawn.is_some(),
        }
    }

    /// Where its result is declared; for one that returns nothing, where its name is.
    pub(crate) fn ret_ends(&self) -> Ends {
        match &self.ret {
            Type::Tuple(unit) if unit.elems.is_empty() => Ends::of(&self.ident),
            ret => Ends::of(ret),
        }
    }
}

impl Param {
    /// The type of the argument that travels.
    pub(crate) fn wire_type(&self, private: &TokenStream) -> TokenStream {
        let declared = &self.declared;
        match &self.lend {
            Lend::Owned => quote!(#declared),
            Lend::Reference(lent) => owned(private, lent),
            Lend::OptionalReference(lent) => {
                let owned = owned(private, lent);
                quote!(#private::Option<#owned>)
            }
        }
    }
}

/// What travels for a `lent`: `String` for `str`, `Vec<T>` for `[T]`, and for most types the type itself.
fn owned(private: &TokenStream, lent: &Type) -> TokenStream {
    match types::plain(lent) {
        Type::Path(path) if path.path.is_ident("str") => quote!(#private::String),
        Type::Slice(slice) => {
            let element = &slice.elem;
            quote!(#private::Vec<#element>)
        }
        _ => quote!(<#lent as #private::ToOwned>::Owned),
    }
}

impl Skeleton {
    fn read(function: &Function, carried: Carried) -> Self {
        let ret = match &function.sig.output {
            ReturnType::Default => Some(types::unit()),
            ReturnType::Type(..) => None,
        };
        let arity = typed_params(function).count();
        Self { ident: function.sig.ident.clone(), cfgs: carried.cfgs, arity, ret }
    }
}

impl Owner {
    /// The type with `Self` spelled out, where it has another name.
    fn spell_out(&self, ty: &Type) -> Type {
        match self {
            Self::Inherent(own) => types::replace_self(ty, own),
            Self::Contract { .. } => ty.clone(),
        }
    }
}

fn receiver(function: &Function) -> Receiver {
    match function.sig.receiver().map(|receiver| types::plain(&receiver.ty)) {
        Some(Type::Reference(reference)) if reference.mutability.is_some() => Receiver::Exclusive,
        _ => Receiver::Shared,
    }
}

/// The parameters without the receiver.
pub(crate) fn typed_params(function: &Function) -> impl Iterator<Item = &syn::PatType> {
    function.sig.inputs.iter().filter_map(|input| match input {
        FnArg::Typed(param) => Some(param),
        FnArg::Receiver(_) => None,
    })
}

fn params(function: &Function, owner: &Owner) -> Vec<Param> {
    let named = |param: &syn::PatType| match &*param.pat {
        Pat::Ident(pat) if pat.subpat.is_none() => Some(pat.ident.clone()),
        _ => None,
    };
    let taken: Vec<String> = typed_params(function).filter_map(named).map(|name| name.to_string()).collect();
    let fresh = |index: usize| {
        let names = (0..).map(|tries| format_ident!("arg{index}{}", "_".repeat(tries)));
        names.into_iter().find(|name| !taken.contains(&name.to_string()))
    };
    let read = |(index, param): (usize, &syn::PatType)| {
        let declared = owner.spell_out(&param.ty);
        let name = named(param).or_else(|| fresh(index))?;
        Some(Param { name, lend: Lend::of(&declared), declared })
    };
    typed_params(function).enumerate().filter_map(read).collect()
}
