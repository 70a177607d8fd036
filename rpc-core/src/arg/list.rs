//! Lists of parameters, and lists of arguments for them.

use super::{Arg, ArgDecoder, ArgEncoder, IntoArg};
use crate::error::Error;
use crate::schema::SchemaBuilder;
use crate::value::RpcValue;

/// The parameters of a method: a tuple of up to twelve values.
pub trait ParamList: Sized + Send + 'static {
    /// How many there are.
    const COUNT: usize;

    /// The number of parameters up to the last that is no `Option`: these cannot be left out.
    fn required() -> usize;

    /// Says what their encoding looks like.
    fn describe(schema: &mut SchemaBuilder);

    /// Reads them.
    fn decode(decoder: &mut ArgDecoder<'_>) -> Result<Self, Error>;

    /// Writes them.
    fn encode(&self, encoder: &mut ArgEncoder<'_>) -> Result<(), Error>;
}

/// Arguments for the parameters `P`: a tuple of as many things that fit them.
pub trait ArgList<P: ParamList>: Sized {
    /// Writes them, from references where they are references.
    fn encode(self, encoder: &mut ArgEncoder<'_>) -> Result<(), Error>;

    /// The arguments as typed values, if none of them is a promise, and then nothing is written. Else writes them
    /// all and gives `None`.
    fn gather(self, encoder: &mut ArgEncoder<'_>) -> Result<Option<P>, Error>;
}

macro_rules! lists {
    ($($count:literal: $($T:ident $G:ident $index:tt),*;)*) => {$(
        impl<$($T: RpcValue),*> ParamList for ($($T,)*) {
            const COUNT: usize = $count;

            fn required() -> usize {
                let absent: [bool; $count] = [$($T::absent().is_some()),*];
                absent.iter().rposition(|absent| !absent).map_or(0, |last| last + 1)
            }

            fn describe(schema: &mut SchemaBuilder) {
                schema.tuple_record::<Self>(|elements| {
                    let _ = &elements;
                    $(elements.element::<$T>();)*
                });
            }

            #[inline]
            fn decode(decoder: &mut ArgDecoder<'_>) -> Result<Self, Error> {
                let _ = &decoder;
                Ok(($(decoder.read::<$T>()?,)*))
            }

            fn encode(&self, encoder: &mut ArgEncoder<'_>) -> Result<(), Error> {
                let _ = &encoder;
                $(encoder.value(&self.$index)?;)*
                Ok(())
            }
        }

        impl<$($T: RpcValue, $G: IntoArg<$T>),*> ArgList<($($T,)*)> for ($($G,)*) {
            #[inline]
            fn encode(self, encoder: &mut ArgEncoder<'_>) -> Result<(), Error> {
                let _ = &encoder;
                $(self.$index.encode(encoder)?;)*
                Ok(())
            }

            fn gather(self, encoder: &mut ArgEncoder<'_>) -> Result<Option<($($T,)*)>, Error> {
                let _ = &encoder;
                match ($(self.$index.into_arg(),)*) {
                    #[allow(non_snake_case, reason = "a variable for each type parameter, by its name")]
                    ($(Arg::Value($T),)*) => Ok(Some(($($T,)*))),
                    #[allow(unreachable_patterns, reason = "an empty list has no promises")]
                    args => {
                        let _ = &args;
                        $(encoder.arg(args.$index)?;)*
                        Ok(None)
                    }
                }
            }
        }
    )*};
}

lists! {
    0: ;
    1: A A1 0;
    2: A A1 0, B B1 1;
    3: A A1 0, B B1 1, C C1 2;
    4: A A1 0, B B1 1, C C1 2, D D1 3;
    5: A A1 0, B B1 1, C C1 2, D D1 3, E E1 4;
    6: A A1 0, B B1 1, C C1 2, D D1 3, E E1 4, F F1 5;
    7: A A1 0, B B1 1, C C1 2, D D1 3, E E1 4, F F1 5, G G1 6;
    8: A A1 0, B B1 1, C C1 2, D D1 3, E E1 4, F F1 5, G G1 6, H H1 7;
    9: A A1 0, B B1 1, C C1 2, D D1 3, E E1 4, F F1 5, G G1 6, H H1 7, I I1 8;
    10: A A1 0, B B1 1, C C1 2, D D1 3, E E1 4, F F1 5, G G1 6, H H1 7, I I1 8, J J1 9;
    11: A A1 0, B B1 1, C C1 2, D D1 3, E E1 4, F F1 5, G G1 6, H H1 7, I I1 8, J J1 9, K K1 10;
    12: A A1 0, B B1 1, C C1 2, D D1 3, E E1 4, F F1 5, G G1 6, H H1 7, I I1 8, J J1 9, K K1 10, L L1 11;
}
