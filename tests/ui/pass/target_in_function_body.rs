//! Items in a function: everything that is printed stays there.
use farcall::prelude::*;
use serde::{Deserialize, Serialize};

fn main() {
    #[derive(Serialize, Deserialize, RpcValue)]
    struct Note {
        pub text: String,
    }
    struct Notes;
    #[rpc_target]
    impl Notes {
        pub fn last(&self) -> Note {
            Note { text: String::new() }
        }
    }
    #[rpc_target]
    trait Shelf {
        fn book(&self) -> Note;
    }
    #[rpc_target(secondary)]
    impl Shelf for Notes {
        fn book(&self) -> Note {
            self.last()
        }
    }
    let _ = |notes: NotesStub, shelf: ShelfStub| {
        Promise::detach(notes.last().text());
        Promise::detach(shelf.book().text());
    };
}
