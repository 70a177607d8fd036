//! Golden tests: what the macros print, pretty-printed, against the files in `golden/`. A change of the expansion
//! shows as a change of those files. `BLESS=1 cargo test -p farcall-macros` writes them anew.

use proc_macro2::TokenStream;
use quote::quote;

use crate::entrypoint::entrypoint;
use crate::env::env;
use crate::target::rpc_target;
use crate::value::rpc_value;

/// Compares `printed` with `golden/<name>.rs`.
fn compare(name: &str, printed: &TokenStream) {
    let file = syn::parse2(printed.clone()).unwrap_or_else(|error| panic!("{name}: {error} in {printed}"));
    let printed = prettyplease::unparse(&file);
    let path = format!("{}/golden/{name}.rs", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, &printed).expect("the folder of the golden files is there");
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(printed == expected, "{path} differs; BLESS=1 writes it anew. Printed was:\n{printed}");
}

/// The texts of the errors that were printed.
fn errors(printed: TokenStream) -> Vec<String> {
    let file: syn::File = syn::parse2(printed).expect("the expansion is Rust");
    let texts = file.items.iter().filter_map(|item| match item {
        syn::Item::Macro(call) if call.mac.path.segments.last()?.ident == "compile_error" => {
            Some(call.mac.parse_body::<syn::LitStr>().ok()?.value())
        }
        _ => None,
    });
    texts.collect()
}

#[test]
fn serial_target() {
    let item = quote! {
        impl Counter {
            /// Adds to the value.
            pub fn increment(&mut self, amount: i64) -> i64 { self.value += amount; self.value }
            #[rpc(get)]
            pub fn value(&self) -> i64 { self.value }
            fn audit(&self) {}
        }
    };
    compare("serial_target", &rpc_target(quote!(), item));
}

#[test]
fn shared_target() {
    let item = quote! {
        impl Directory {
            pub async fn find(&self, name: &str, limit: Option<u32>) -> Result<Vec<Company>, NotFound> { todo() }
            #[must_use = "the ticket is the only way back"]
            #[rpc(rename = "leave", spawn)]
            pub fn exit(&self, (x, y): (i64, i64), mut note: Option<&str>) -> Self { todo() }
            #[rpc(skip)]
            pub fn database(&self) -> &Database { &self.database }
        }
    };
    compare("shared_target", &rpc_target(quote!(crate = crate::rpc, stub = "DirectoryClient"), item));
}

#[test]
fn generic_target() {
    let item = quote! {
        impl<T: RpcValue + Clone, const N: usize> Ring<T, N> where T: Sync {
            pub fn push(&mut self, item: T) {}
            pub async fn last(&mut self) -> Option<T> { None }
        }
    };
    compare("generic_target", &rpc_target(quote!(), item));
}

#[test]
fn callable_target_with_conditions() {
    let item = quote! {
        impl Adder {
            #[cfg(feature = "debug")]
            pub fn dump(&self) -> String { String::new() }
            #[rpc(call)]
            pub fn add(&self, a: i64, b: i64) -> i64 { a + b }
            #[cfg(unix)]
            #[deprecated]
            pub fn sync(&self) {}
        }
    };
    compare("callable_target_with_conditions", &rpc_target(quote!(), item));
}

#[test]
fn release_hooks() {
    let item = quote! {
        impl Session {
            pub fn ping(&mut self) {}
            #[cfg(unix)]
            #[rpc(on_release)]
            async fn log_out(&mut self) { self.store.remove(self.id).await; }
            #[cfg(not(unix))]
            #[rpc(on_release)]
            fn forget(&self) {}
        }
    };
    compare("release_hooks", &rpc_target(quote!(), item));
}

#[test]
fn contract() {
    let item = quote! {
        /// Counts.
        pub trait Counter: Debug {
            async fn increment(&mut self, amount: i64) -> i64;
            /// The value.
            #[rpc(get)]
            fn value(&self) -> i64 { 0 }
            async fn reset(&mut self) { self.increment(-self.value()).await; }
        }
    };
    compare("contract", &rpc_target(quote!(), item));
}

#[test]
fn contract_that_extends_another() {
    let item = quote! {
        pub(crate) trait Admin<K: RpcValue>: papi::Store<K> + Send {
            async fn compact(&self, keys: Vec<K>) -> Result<(), Refused>;
        }
    };
    compare("contract_that_extends_another", &rpc_target(quote!(), item));
}

#[test]
fn implementation() {
    let item = quote! {
        impl<K: RpcValue + Ord, B: Backend> papi::Store<K> for Mirror<K, B> {
            async fn get(&self, key: K) -> Option<String> { None }
        }
    };
    compare("implementation", &rpc_target(quote!(), item));
    let item = quote! { impl C for Mine { fn value(&self) -> i64 { 0 } } };
    compare("implementation_secondary", &rpc_target(quote!(contract = "Counter", secondary), item));
}

#[test]
fn record() {
    let item = quote! {
        #[serde(rename_all = "camelCase")]
        pub struct Company {
            /// Its name.
            pub name: String,
            #[serde(skip)]
            pub cached: bool,
            row_id: u64,
            pub r#type: Kind,
            #[serde(rename = "box")]
            pub mailbox: Option<MailboxStub>,
            pub parent: Option<Box<Self>>,
        }
    };
    compare("record", &rpc_value(item));
}

#[test]
fn generic_record() {
    let item = quote! {
        pub struct Page<T = String> where T: Clone { pub items: Vec<T>, pub next: Option<Box<Page<T>>> }
    };
    compare("generic_record", &rpc_value(item));
}

#[test]
fn other_values() {
    let items = [
        quote!(
            pub struct Id(pub u64);
        ),
        quote!(
            struct Hidden(u64);
        ),
        quote!(
            pub struct Point(pub f64, pub f64, u8);
        ),
        quote!(
            struct Nothing;
        ),
        quote! {
            enum Shape { Point, Circle(f64), Line(f64, f64), #[serde(rename = "rect")] Rectangle { width: f64 }, #[serde(skip)] Cached(Cache) }
        },
        quote!(
            #[serde(try_from = "String", into = "String")]
            #[rpc(crate = rpc)]
            pub struct Email {
                text: String,
            }
        ),
        quote!(
            #[rpc(bound = "")]
            struct Key<K> {
                #[serde(with = "hex")]
                #[rpc(schema = "String")]
                pub bytes: [u8; 32],
                kind: PhantomData<K>,
            }
        ),
    ];
    compare("other_values", &items.into_iter().map(rpc_value).collect());
}

#[test]
fn all_mistakes_are_reported_at_once_and_the_item_survives() {
    let item = quote! {
        impl Bad {
            pub fn new() -> Self { Self }
            pub fn generic<T>(&self, item: T) -> &str { "" }
            pub fn fine(&self, amount: i64) -> i64 { amount }
            pub fn into(&self) {}
        }
    };
    let printed = rpc_target(quote!(stubb = "X"), item);
    let errors = errors(printed.clone());
    assert_eq!(errors.len(), 5, "{errors:#?}");
    compare("mistakes", &printed);
}

#[test]
fn names_with_the_same_hash_are_refused() {
    // Found by search: both hash to the same 32 bits.
    let item = quote! {
        impl Clash {
            #[rpc(rename = "lock_gift_page1")]
            pub fn first(&self) {}
            #[rpc(rename = "leave_cell_item2")]
            pub fn second(&self) {}
        }
    };
    let errors = errors(rpc_target(quote!(), item));
    assert!(errors.iter().any(|error| error.contains("have the same hash")), "{errors:#?}");
}

#[test]
fn the_macros_never_panic() {
    let items = [
        quote!(),
        quote!(
            fn f() {}
        ),
        quote!(
            struct S {}
        ),
        quote!(impl),
        quote!(impl X { pub fn }),
        quote!(impl X { pub fn f(&self, ) -> ; }),
        quote!(impl X { #[rpc] pub fn f(&self) {} }),
        quote!(impl X { #[rpc(=)] pub fn f(&self) {} }),
        quote!(impl r#X { pub fn r#in(&self, r#type: u8, self_: r#try) -> r#fn {} #[rpc(get)] pub fn r#dyn(&self) {} }),
        quote!(
            trait r#trait<r#enum>: r#mod {
                fn r#in(&self, r#type: u8) -> r#fn;
            }
        ),
        quote!(impl r#trait for r#mod {}),
        quote!(
            pub struct r#struct {
                pub r#type: r#in,
                pub r#into: u8,
            }
        ),
        quote!(
            enum r#enum {
                r#type,
                r#in(u8),
            }
        ),
        quote!(impl &X { pub fn f(&self) {} }),
        quote!(impl !Send for X {}),
        quote!(
            impl<'a> X<'a> {
                pub fn f(&self) {}
            }
        ),
        quote!(
            trait T {
                const N: usize;
                type X;
                fn f(self);
            }
        ),
        quote!(
            trait T: A + B {}
        ),
        quote!(union U { a: u8 }),
        quote!(
            enum E {}
        ),
        quote!(
            #[rpc(bound)]
            struct S<'a>(&'a str);
        ),
    ];
    for item in items {
        rpc_target(quote!(), item.clone());
        rpc_target(quote!(stub =), item.clone());
        rpc_value(item);
    }
}

#[test]
fn entrypoint_with_env() {
    let item = quote! {
        impl Greeter {
            fn new(env: Arc<Env>, ctx: Ctx) -> Result<Self, Closed> { Ok(Self { env, ctx }) }
            pub fn greet(&self, name: String) -> String { name }
        }
    };
    compare("entrypoint_with_env", &entrypoint(quote!(default, props = Scope), item));
}

#[test]
fn entrypoint_of_a_contract() {
    let item = quote! {
        impl papi::Counter for MyCounter {
            async fn increment(&mut self, amount: i64) -> i64 { amount }
        }
    };
    compare("entrypoint_of_a_contract", &entrypoint(quote!(name = "Main", env = Env), item));
}

#[test]
fn environment() {
    let item = quote! {
        struct Env {
            greeting: String,
            #[env(name = "TYPE")]
            kind: Option<u32>,
            counter: farcall::Service<CounterStub>,
        }
    };
    compare("environment", &env(item));
}

#[test]
fn mistakes_of_entrypoints_are_reported_at_once() {
    let item = quote! {
        impl<T> Greeter<T> {
            async fn new(env: Arc<Env>) {}
            pub fn fetch(&self) {}
            #[rpc(rename = "scheduled")]
            pub fn plan(&self) {}
            fn connect(&self) {}
        }
    };
    let texts = errors(entrypoint(quote!(names = "x"), item));
    let expected =
        ["there is no option `names`", "cannot be generic", "`fetch` on an entrypoint", "`scheduled` on an"];
    for (text, expected) in texts.iter().zip(expected) {
        assert!(text.contains(expected), "{text}");
    }
    assert_eq!(texts.len(), 7, "{texts:#?}");
}
