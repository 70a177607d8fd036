//! Tuples, and the view that a promise gives onto one.

use std::marker::PhantomData;

use super::{IntoValue, RpcValue};
use crate::codec::{ValueDecoder, ValueEncoder};
use crate::error::Error;
use crate::handle::Handle;
use crate::promise::{Pipeline, Promise};
use crate::schema::SchemaBuilder;

/// The view onto a promised tuple: `_0()`, `_1()` and so on are promises of its elements.
pub struct TuplePipeline<T> {
    handle: Handle,
    tuple: PhantomData<fn() -> T>,
}

impl<T: 'static> Pipeline for TuplePipeline<T> {
    fn from_handle(handle: Handle) -> Self {
        Self { handle, tuple: PhantomData }
    }

    fn handle(&self) -> &Handle {
        &self.handle
    }

    fn into_handle(self) -> Handle {
        self.handle
    }
}

macro_rules! tuples {
    ($($($T:ident $index:tt $accessor:ident),+;)*) => {$(
        impl<$($T: IntoValue),+> IntoValue for ($($T,)+) {
            type Value = ($($T::Value,)+);

            fn into_value(self) -> Self::Value {
                ($(self.$index.into_value(),)+)
            }
        }

        impl<$($T: RpcValue),+> RpcValue for ($($T,)+) {
            type Pipeline = TuplePipeline<Self>;

            fn describe(schema: &mut SchemaBuilder) {
                schema.tuple_record::<Self>(|elements| {
                    $(elements.element::<$T>();)+
                });
            }

            fn encode(&self, encoder: &mut ValueEncoder<'_>) -> Result<(), Error> {
                $(self.$index.encode(encoder)?;)+
                Ok(())
            }

            fn decode(decoder: &mut ValueDecoder<'_>) -> Result<Self, Error> {
                Ok(($($T::decode(decoder)?,)+))
            }
        }

        impl<$($T: RpcValue),+> TuplePipeline<($($T,)+)> {
            $(
                #[doc = concat!("Element ", stringify!($index), " of the tuple.")]
                pub fn $accessor(&self) -> Promise<$T> {
                    Promise::from_handle(self.handle.field($index))
                }
            )+
        }
    )*};
}

tuples! {
    A 0 _0;
    A 0 _0, B 1 _1;
    A 0 _0, B 1 _1, C 2 _2;
    A 0 _0, B 1 _1, C 2 _2, D 3 _3;
    A 0 _0, B 1 _1, C 2 _2, D 3 _3, E 4 _4;
    A 0 _0, B 1 _1, C 2 _2, D 3 _3, E 4 _4, F 5 _5;
    A 0 _0, B 1 _1, C 2 _2, D 3 _3, E 4 _4, F 5 _5, G 6 _6;
    A 0 _0, B 1 _1, C 2 _2, D 3 _3, E 4 _4, F 5 _5, G 6 _6, H 7 _7;
    A 0 _0, B 1 _1, C 2 _2, D 3 _3, E 4 _4, F 5 _5, G 6 _6, H 7 _7, I 8 _8;
    A 0 _0, B 1 _1, C 2 _2, D 3 _3, E 4 _4, F 5 _5, G 6 _6, H 7 _7, I 8 _8, J 9 _9;
    A 0 _0, B 1 _1, C 2 _2, D 3 _3, E 4 _4, F 5 _5, G 6 _6, H 7 _7, I 8 _8, J 9 _9, K 10 _10;
    A 0 _0, B 1 _1, C 2 _2, D 3 _3, E 4 _4, F 5 _5, G 6 _6, H 7 _7, I 8 _8, J 9 _9, K 10 _10, L 11 _11;
}
