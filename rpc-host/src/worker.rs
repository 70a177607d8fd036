//! [`Worker`]: the entrypoints that belong together.

use crate::entrypoint::{Class, Entrypoint};

/// The entrypoints of one worker: one, or a tuple of up to eight.
pub trait Worker {
    #[doc(hidden)]
    fn classes() -> Classes;
}

/// The entrypoints of a worker without their types.
#[doc(hidden)]
#[allow(missing_debug_implementations, reason = "not a part of the library")]
pub struct Classes(pub(crate) Vec<Class>);

impl<T: Entrypoint> Worker for T {
    fn classes() -> Classes {
        Classes(vec![Class::of::<T>()])
    }
}

macro_rules! tuples {
    ($(($($T:ident)+))+) => {
        $(impl<$($T: Entrypoint),+> Worker for ($($T,)+) {
            fn classes() -> Classes {
                Classes(vec![$(Class::of::<$T>()),+])
            }
        })+
    };
}

tuples! {
    (A)
    (A B)
    (A B C)
    (A B C D)
    (A B C D E)
    (A B C D E F)
    (A B C D E F G)
    (A B C D E F G H)
}
