//! gzip, within limits.

use std::io::Read;

use flate2::read::MultiGzDecoder;

use crate::{
    limits::MAX_UNPACKED_BYTES,
    reason::{Poison, Reason},
};

/// RFC 1952, section 2.3.1.
pub(crate) const MAGIC: [u8; 2] = [0x1F, 0x8B];

/// Unpacks all members of a gzip text, up to `most` bytes: memory stays within them for any size that the text promises.
pub(crate) fn unpack(bytes: &[u8], most: usize) -> Result<Vec<u8>, Poison> {
    let mut unpacked = Vec::new();
    let limit = u64::try_from(most).unwrap_or(u64::MAX);
    let read = MultiGzDecoder::new(bytes).take(limit.saturating_add(1)).read_to_end(&mut unpacked);
    if unpacked.len() > most {
        return Err(Poison::new(Reason::TooLarge, format!("more than {MAX_UNPACKED_BYTES} bytes when unpacked")));
    }
    match read {
        Ok(_) => Ok(unpacked),
        Err(error) => Err(Poison::new(Reason::BadEnvelope, format!("damaged gzip: {error}"))),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::io::Write;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    pub(crate) fn pack(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn members_follow_one_another() {
        assert_eq!(unpack(&[pack(b"one "), pack(b"two")].concat(), MAX_UNPACKED_BYTES).unwrap(), b"one two");
    }

    #[test]
    fn damage_is_a_bad_envelope() {
        let packed = pack(b"some text that is long enough to be cut");
        for bytes in [&packed[..packed.len() - 1], &packed[..5], &[packed.as_slice(), b"x"].concat()] {
            assert_eq!(unpack(bytes, MAX_UNPACKED_BYTES).unwrap_err().reason, Reason::BadEnvelope);
        }
    }

    #[test]
    fn a_bomb_is_refused_not_unpacked() {
        let bomb = pack(&vec![b' '; 200_000_000]);
        assert!(bomb.len() < 1024 * 1024, "200 MB in {} bytes", bomb.len());
        assert_eq!(unpack(&bomb, MAX_UNPACKED_BYTES).unwrap_err().reason, Reason::TooLarge);
    }
}
