//! Writing arguments.

use serde::Serialize;

use super::{Arg, PROMISE_OF_SOME};
use crate::codec::{Encoded, PromiseArg, ValueEncoder};
use crate::error::Error;
use crate::handle::Handle;
use crate::schema::Schema;
use crate::value::RpcValue;

/// Writes the arguments of one call, one after the other.
#[derive(Debug)]
pub struct ArgEncoder<'a> {
    values: ValueEncoder<'a>,
    /// Arguments so far.
    params: u8,
    /// Arguments up to the last that is not `None`, and where their bytes end.
    present: u8,
    kept: usize,
}

impl<'a> ArgEncoder<'a> {
    #[inline]
    pub(crate) fn new(out: &'a mut Encoded, with_caps: bool) -> Self {
        let kept = out.bytes.len();
        ArgEncoder { values: ValueEncoder::new(out, with_caps), params: 0, present: 0, kept }
    }

    /// Writes the next argument.
    #[inline]
    pub fn arg<T: RpcValue>(&mut self, arg: Arg<T>) -> Result<(), Error> {
        match arg {
            Arg::Value(value) => return self.value(&value),
            Arg::Promise(handle) => self.promise(handle),
            Arg::PromiseOfSome(handle) => self.promise_of_some(handle),
        }
        Ok(())
    }

    /// Writes the next argument from its value.
    #[inline]
    pub fn value<T: RpcValue>(&mut self, value: &T) -> Result<(), Error> {
        value.encode(&mut self.values)?;
        self.params += 1;
        if !value.is_absent() {
            self.keep();
        }
        Ok(())
    }

    /// Writes the next argument from something that serde encodes in the same way as its value.
    pub(super) fn borrowed<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.values.serde(value)?;
        self.params += 1;
        self.keep();
        Ok(())
    }

    /// Leaves the next argument to a promise of it.
    pub fn promise(&mut self, handle: Handle) {
        self.promised(handle, 0);
    }

    /// Leaves the next argument, an `Option`, to a promise of what it holds.
    pub fn promise_of_some(&mut self, handle: Handle) {
        self.promised(handle, PROMISE_OF_SOME);
    }

    fn promised(&mut self, handle: Handle, flag: u8) {
        self.values.out.promises.push(PromiseArg { param: self.params | flag, handle });
        self.params += 1;
        self.keep();
    }

    fn keep(&mut self) {
        self.present = self.params;
        self.kept = self.values.out.bytes.len();
    }

    /// Takes trailing `None`s off the bytes and says how many arguments are left.
    #[inline]
    pub fn finish(self) -> usize {
        self.values.out.bytes.truncate(self.kept);
        usize::from(self.present)
    }
}

impl Schema {
    /// Whether the callee would take these arguments, of whose tuple this is the schema: what is nested too deep for it
    /// is not sent.
    pub(crate) fn check_sent(&self, encoded: &Encoded, present: usize) -> Result<(), Error> {
        let body = encoded.from(0);
        let mut rest = &body[..];
        for param in 0..present.min(self.count()) {
            let promised = |arg: &PromiseArg| usize::from(arg.param & !PROMISE_OF_SOME) == param;
            if !encoded.promises.iter().any(promised) {
                let used = self.check_element(param, false, rest)?;
                rest = &rest[used..];
            }
        }
        Ok(())
    }
}
