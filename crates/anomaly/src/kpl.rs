//! The Kinesis Producer Library's aggregation: many user records in one Kinesis record.
//!
//! Layout, from the library's `aggregation-format.md`: four magic bytes, a protobuf `AggregatedRecord`, the MD5 of the
//! protobuf. Producers choose it to save puts, so every consumer that reads records for itself must take it apart.

use md5::{Digest, Md5};

const MAGIC: [u8; 4] = [0xF3, 0x89, 0x9A, 0xC2];
const DIGEST_BYTES: usize = 16;

/// One user record of an aggregated Kinesis record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UserRecord<'a> {
    /// Its own partition key.
    pub partition_key: &'a str,
    /// Its own explicit hash key.
    pub explicit_hash_key: Option<&'a str>,
    /// Its bytes.
    pub data: &'a [u8],
}

/// Takes an aggregated record apart. `None`: the bytes are an ordinary record, which is also what Amazon's own consumer
/// makes of a record whose magic fits and whose digest or protobuf does not.
#[must_use]
pub fn deaggregate(bytes: &[u8]) -> Option<Vec<UserRecord<'_>>> {
    let rest = bytes.strip_prefix(&MAGIC)?;
    let (message, digest) = rest.split_at_checked(rest.len().checked_sub(DIGEST_BYTES)?)?;
    if Md5::digest(message).as_slice() != digest {
        return None;
    }
    let mut partition_keys = Vec::new();
    let mut hash_keys = Vec::new();
    let mut raw = Vec::new();
    let mut reader = Reader(message);
    while let Some((number, field)) = reader.next_field()? {
        match (number, field) {
            (1, Field::Bytes(key)) => partition_keys.push(std::str::from_utf8(key).ok()?),
            (2, Field::Bytes(key)) => hash_keys.push(std::str::from_utf8(key).ok()?),
            (3, Field::Bytes(record)) => raw.push(RawRecord::read(record)?),
            _ => {}
        }
    }
    raw.into_iter()
        .map(|record| {
            let explicit_hash_key = match record.hash_key {
                Some(index) => Some(*hash_keys.get(index)?),
                None => None,
            };
            Some(UserRecord {
                partition_key: partition_keys.get(record.partition_key)?,
                explicit_hash_key,
                data: record.data,
            })
        })
        .collect()
}

struct RawRecord<'a> {
    partition_key: usize,
    hash_key: Option<usize>,
    data: &'a [u8],
}

impl<'a> RawRecord<'a> {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let (mut partition_key, mut hash_key, mut data) = (None, None, None);
        let mut reader = Reader(bytes);
        while let Some((number, field)) = reader.next_field()? {
            match (number, field) {
                (1, Field::Number(index)) => partition_key = usize::try_from(index).ok(),
                (2, Field::Number(index)) => hash_key = usize::try_from(index).ok(),
                (3, Field::Bytes(bytes)) => data = Some(bytes),
                _ => {}
            }
        }
        Some(Self { partition_key: partition_key?, hash_key, data: data? })
    }
}

enum Field<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    Skipped,
}

/// Reads the protobuf wire format: as much of it as these two messages need.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// The next field; `Some(None)` at the end, `None` when the bytes are no protobuf.
    fn next_field(&mut self) -> Option<Option<(u64, Field<'a>)>> {
        if self.0.is_empty() {
            return Some(None);
        }
        let tag = self.varint()?;
        let field = match tag & 7 {
            0 => Field::Number(self.varint()?),
            1 => self.take(8).map(|_| Field::Skipped)?,
            2 => {
                let length = usize::try_from(self.varint()?).ok()?;
                Field::Bytes(self.take(length)?)
            }
            5 => self.take(4).map(|_| Field::Skipped)?,
            _ => return None,
        };
        Some(Some((tag >> 3, field)))
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let (&byte, rest) = self.0.split_first()?;
            self.0 = rest;
            value |= u64::from(byte & 0x7F).checked_shl(shift)?;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn varint(mut value: u64, out: &mut Vec<u8>) {
        while value >= 0x80 {
            out.push(u8::try_from(value & 0x7F).unwrap() | 0x80);
            value >>= 7;
        }
        out.push(u8::try_from(value).unwrap());
    }

    fn bytes_field(number: u64, bytes: &[u8], out: &mut Vec<u8>) {
        varint(number << 3 | 2, out);
        varint(bytes.len() as u64, out);
        out.extend_from_slice(bytes);
    }

    fn aggregate(records: &[(String, Vec<u8>)]) -> Vec<u8> {
        let mut message = Vec::new();
        for (key, _) in records {
            bytes_field(1, key.as_bytes(), &mut message);
        }
        bytes_field(2, b"12345", &mut message);
        for (index, (_, data)) in records.iter().enumerate() {
            let mut record = Vec::new();
            varint(1 << 3, &mut record);
            varint(index as u64, &mut record);
            if index == 0 {
                varint(2 << 3, &mut record);
                varint(0, &mut record);
            }
            bytes_field(3, data, &mut record);
            bytes_field(3, &record, &mut message);
        }
        let digest = Md5::digest(&message);
        [MAGIC.as_slice(), &message, &digest].concat()
    }

    proptest! {
        #[test]
        fn takes_apart_what_was_put_together(
            records in proptest::collection::vec((".{0,12}", proptest::collection::vec(any::<u8>(), 0..300)), 0..20)
        ) {
            let bytes = aggregate(&records);
            let read = deaggregate(&bytes).unwrap();
            prop_assert_eq!(read.len(), records.len());
            for (index, (user, (key, data))) in read.iter().zip(&records).enumerate() {
                prop_assert_eq!(user.partition_key, key);
                prop_assert_eq!(user.data, data.as_slice());
                prop_assert_eq!(user.explicit_hash_key, (index == 0).then_some("12345"));
            }
        }

        #[test]
        fn damage_makes_it_an_ordinary_record(at in any::<prop::sample::Index>(), flip in 1..=255_u8) {
            let mut bytes = aggregate(&[("k".to_owned(), b"data".to_vec()), ("l".to_owned(), b"more".to_vec())]);
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
            prop_assert_eq!(deaggregate(&bytes), None);
        }

        #[test]
        fn no_protobuf_makes_it_panic(message in proptest::collection::vec(any::<u8>(), 0..100)) {
            let digest = Md5::digest(&message);
            let _ = deaggregate(&[MAGIC.as_slice(), &message, &digest].concat());
        }
    }

    #[test]
    fn json_is_an_ordinary_record() {
        assert_eq!(deaggregate(br#"{"timestamp":1,"value":2}"#), None);
        assert_eq!(deaggregate(&MAGIC), None);
    }
}
