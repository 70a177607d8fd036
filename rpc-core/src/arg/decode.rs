//! Reading arguments.

use bytes::{BufMut, Bytes, BytesMut};

use super::PROMISE_OF_SOME;
use crate::codec::{CapTable, FilledArg, ValueDecoder};
use crate::error::{Error, ErrorKind};
use crate::schema::Schema;
use crate::value::RpcValue;

/// Reads the arguments of one call, one after the other.
#[derive(Debug)]
pub struct ArgDecoder<'a> {
    values: ValueDecoder<'a>,
    /// How many arguments the call has: those behind are `None`.
    present: usize,
    /// How many were read.
    params: usize,
    /// Arguments that were promises.
    filled: &'a mut Vec<FilledArg>,
    with_caps: bool,
}

impl<'a> ArgDecoder<'a> {
    /// Reads the arguments of a call which [`Interface::find`](crate::interface::Interface::find) says to have
    /// `present` of them. Where the schema needs it, [`Schema::check_args`] comes first.
    #[inline]
    pub(crate) fn new(
        body: &'a [u8],
        caps: &'a mut CapTable,
        owner: Option<&'a Bytes>,
        present: usize,
        filled: &'a mut Vec<FilledArg>,
        with_caps: bool,
    ) -> Self {
        ArgDecoder {
            values: ValueDecoder::new(body, caps, owner, with_caps),
            present,
            params: 0,
            filled,
            with_caps,
        }
    }

    /// Reads the next argument.
    #[inline]
    pub fn read<T: RpcValue>(&mut self) -> Result<T, Error> {
        let param = self.params;
        self.params += 1;
        if param >= self.present {
            return T::absent().ok_or_else(|| missing(param));
        }
        if !self.filled.is_empty()
            && let Some(arg) = self.take_filled(param)
        {
            return filled(arg, self.with_caps);
        }
        T::decode(&mut self.values)
    }

    #[cold]
    fn take_filled(&mut self, param: usize) -> Option<FilledArg> {
        let place = self.filled.iter().position(|arg| arg.is_for(param))?;
        // The order of the others stays, so that of two for one parameter the one is used that was checked.
        Some(self.filled.remove(place))
    }

    /// An error if anything is left over.
    #[inline]
    pub fn finish(self) -> Result<(), Error> {
        match self.filled.first() {
            Some(arg) => {
                let param = usize::from(arg.param & !PROMISE_OF_SOME) + 1;
                Err(bad(format!(
                    "a promise is given for argument {param}, which there is not or was given already"
                )))
            }
            None => self.values.finish(),
        }
    }
}

impl FilledArg {
    pub(crate) fn is_for(&self, param: usize) -> bool {
        usize::from(self.param & !PROMISE_OF_SOME) == param
    }

    pub(crate) fn is_inside_option(&self) -> bool {
        self.param & PROMISE_OF_SOME != 0
    }
}

/// Reads an argument that was a promise from the result that it became.
fn filled<T: RpcValue>(arg: FilledArg, with_caps: bool) -> Result<T, Error> {
    let body = if arg.is_inside_option() {
        let mut body = BytesMut::with_capacity(1 + arg.body.len());
        body.put_u8(1);
        body.put_slice(&arg.body);
        body.freeze()
    } else {
        arg.body
    };
    let mut caps = CapTable::new(arg.caps);
    let mut values = ValueDecoder::new(&body, &mut caps, Some(&body), with_caps);
    let value = T::decode(&mut values)?;
    values.finish()?;
    Ok(value)
}

impl Schema {
    /// [`check`](Self::check) for the arguments of a call, of which this is the schema.
    pub(crate) fn check_args(&self, body: &[u8], present: usize, filled: &[FilledArg]) -> Result<(), Error> {
        let mut rest = body;
        for param in 0..present.min(self.count()) {
            match filled.iter().find(|arg| arg.is_for(param)) {
                Some(arg) => self.check_element(param, arg.is_inside_option(), &arg.body)?,
                None => {
                    let used = self.check_element(param, false, rest)?;
                    rest = &rest[used..];
                    used
                }
            };
        }
        Ok(())
    }
}

#[cold]
fn missing(param: usize) -> Error {
    bad(format!("argument {} is missing", param + 1))
}

#[cold]
fn bad(text: String) -> Error {
    Error::new(ErrorKind::BadArguments, text)
}
