//! Where random decisions come from.

/// A source of small choices; nothing but zeros when it is used up.
pub(super) struct Choices<'a>(pub(super) &'a [u8]);

impl Choices<'_> {
    pub(super) fn next(&mut self) -> u8 {
        match self.0.split_first() {
            Some((first, rest)) => {
                self.0 = rest;
                *first
            }
            None => 0,
        }
    }

    pub(super) fn below(&mut self, most: usize) -> usize {
        usize::from(self.next()) % most.max(1)
    }

    pub(super) fn one_of<T: Copy>(&mut self, all: &[T]) -> Option<T> {
        if all.is_empty() { None } else { Some(all[self.below(all.len())]) }
    }

    pub(super) fn path(&mut self) -> &'static [u16] {
        const PATHS: [&[u16]; 6] = [&[1], &[2], &[], &[0], &[9], &[1, 1]];
        PATHS[self.below(PATHS.len())]
    }
}

/// A run of random numbers (xorshift), for tests without a fuzzer.
#[derive(Debug)]
pub struct Random(u64);

impl Random {
    /// The run that a seed, which is not 0, begins.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// So many random bytes.
    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| (self.number() >> 32) as u8).collect()
    }
}
