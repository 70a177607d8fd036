//! Calls under way: one slot for each, which holds first the waker of its caller, then the answer.
//!
//! Slots are taken from and given back to a list threaded through the free ones. Once there are as many as
//! calls under way, nothing is allocated.

use std::io;
use std::task::{Context, Poll, Waker};

use super::wire::malformed;

/// The calls under way on one connection.
#[derive(Debug)]
pub(super) struct Slots<A> {
    slots: Vec<Slot<A>>,
    first_free: usize,
}

#[derive(Debug)]
enum Slot<A> {
    Free { next: usize },
    Waiting(Waker),
    Answered(A),
}

impl<A> Slots<A> {
    pub(super) fn new() -> Self {
        Self { slots: Vec::new(), first_free: 0 }
    }

    /// Takes a slot for a call whose caller waits.
    #[inline]
    pub(super) fn take(&mut self, waker: Waker) -> u32 {
        let taken = self.first_free;
        match self.slots.get_mut(taken) {
            Some(slot) => {
                if let Slot::Free { next } = *slot {
                    self.first_free = next;
                }
                *slot = Slot::Waiting(waker);
            }
            None => {
                self.slots.push(Slot::Waiting(waker));
                self.first_free = self.slots.len();
            }
        }
        taken as u32
    }

    /// Keeps an answer for its caller and returns the waker that tells them.
    #[inline]
    pub(super) fn answer(&mut self, slot: u32, answer: A) -> io::Result<Waker> {
        match self.slots.get_mut(slot as usize) {
            Some(slot @ Slot::Waiting(_)) => match std::mem::replace(slot, Slot::Answered(answer)) {
                Slot::Waiting(waker) => Ok(waker),
                Slot::Free { .. } | Slot::Answered(_) => Err(malformed()),
            },
            _ => Err(malformed()),
        }
    }

    /// The answer, if it is here; the slot is free then.
    #[inline]
    pub(super) fn poll(&mut self, slot: u32, cx: &Context<'_>) -> Poll<A> {
        let place = &mut self.slots[slot as usize];
        if let Slot::Waiting(waker) = place {
            waker.clone_from(cx.waker());
            return Poll::Pending;
        }
        match std::mem::replace(place, Slot::Free { next: self.first_free }) {
            Slot::Answered(answer) => {
                self.first_free = slot as usize;
                Poll::Ready(answer)
            }
            Slot::Free { .. } | Slot::Waiting(_) => Poll::Pending,
        }
    }

    /// The wakers of all who wait.
    pub(super) fn waiting(&self) -> impl Iterator<Item = Waker> {
        self.slots.iter().filter_map(|slot| match slot {
            Slot::Waiting(waker) => Some(waker.clone()),
            Slot::Free { .. } | Slot::Answered(_) => None,
        })
    }
}
