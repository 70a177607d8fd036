//! What is printed after a mistake: always the user's item, so that one typo does not take the type away and
//! with it every line that names it. A method with a mistake leaves a skeleton on the stub (`model::Skeleton`).

use proc_macro2::{Group, TokenStream, TokenTree};

/// Prints the item as it came, without the attributes that only this macro knows: rustc would report each of them.
pub(crate) fn untouched(item: TokenStream) -> TokenStream {
    let mut printed = Vec::new();
    let mut trees = item.into_iter().peekable();
    while let Some(tree) = trees.next() {
        let is_attribute = matches!(&tree, TokenTree::Punct(punct) if punct.as_char() == '#')
            && matches!(trees.peek(), Some(TokenTree::Group(group)) if is_rpc(group));
        if is_attribute {
            trees.next();
            continue;
        }
        printed.push(match tree {
            TokenTree::Group(group) => {
                let mut inside = Group::new(group.delimiter(), untouched(group.stream()));
                inside.set_span(group.span());
                TokenTree::Group(inside)
            }
            other => other,
        });
    }
    printed.into_iter().collect()
}

/// Whether this is `[rpc(…)]`.
fn is_rpc(group: &Group) -> bool {
    matches!(group.stream().into_iter().next(), Some(TokenTree::Ident(name)) if name == "rpc")
}
