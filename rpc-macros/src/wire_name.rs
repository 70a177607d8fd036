//! The hash by which methods are named on the binary wire.

/// FNV-1a of 64 bits over the bytes of the name, its halves folded into 32.
///
/// The library computes the same; here it is only for telling at compile time that two names meet.
pub(crate) fn hash(name: &str) -> u32 {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in name.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    ((hash >> 32) ^ (hash & 0xffff_ffff)) as u32
}

#[cfg(test)]
mod tests {
    use super::hash;

    #[test]
    fn hashes_of_known_names() {
        // FNV-1a 64 of "" is its offset basis, of "a" it is af63dc4c8601ec8c.
        assert_eq!(hash(""), 0xcbf2_9ce4 ^ 0x8422_2325);
        assert_eq!(hash("a"), 0xaf63_dc4c ^ 0x8601_ec8c);
    }
}
