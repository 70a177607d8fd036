//! [`Path`]: the way from a result to a part of it.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

const INLINE: usize = 6;

/// Field indexes that lead from a value to a part of it. Short ones need no allocation.
#[derive(Clone, Debug)]
pub(crate) struct Path(Repr);

#[derive(Clone, Debug)]
enum Repr {
    Inline {
        len: u8,
        steps: [u16; INLINE],
    },
    /// By a thin pointer: a path is a part of every handle.
    Shared(Arc<Box<[u16]>>),
}

impl Path {
    /// The path to the value itself.
    pub(crate) const EMPTY: Self = Self(Repr::Inline { len: 0, steps: [0; INLINE] });

    #[inline]
    pub(crate) fn from_steps(steps: &[u16]) -> Self {
        if steps.len() > INLINE {
            return Self(Repr::Shared(Arc::new(steps.into())));
        }
        let mut inline = [0; INLINE];
        inline[..steps.len()].copy_from_slice(steps);
        Self(Repr::Inline { len: steps.len() as u8, steps: inline })
    }

    /// The path that goes one field further.
    pub(crate) fn then(&self, step: u16) -> Self {
        let mut steps = self.steps().to_vec();
        steps.push(step);
        Self::from_steps(&steps)
    }

    #[inline]
    pub(crate) fn steps(&self) -> &[u16] {
        match &self.0 {
            Repr::Inline { len, steps } => &steps[..usize::from(*len)],
            Repr::Shared(steps) => steps,
        }
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        matches!(self.0, Repr::Inline { len: 0, .. })
    }
}

impl PartialEq for Path {
    fn eq(&self, other: &Self) -> bool {
        self.steps() == other.steps()
    }
}

impl Eq for Path {}

impl Hash for Path {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.steps().hash(state);
    }
}
