//! The key of an anomaly: what is anomalous. A long one is cut so that no two keys become one.

use std::borrow::Cow;

use sha2::{Digest, Sha256};

/// Bytes of the longest key. DynamoDB allows 2048 for a partition key; half of it leaves room for the alert's own id, which
/// holds the key.
pub const MAX_KEY_BYTES: usize = 1024;

/// Characters that are kept of a key that is cut. A character has at most four bytes: 960 of them, the mark and the digits
/// stay under [`MAX_KEY_BYTES`].
pub const KEY_HEAD_CHARS: usize = 240;

/// Stands between what is kept of a key and the hash of the whole.
pub const KEY_CUT_MARK: char = '~';

/// Hex digits of the whole key's SHA-256 in a key that was cut: 128 bits, beyond any chance of a collision.
pub const KEY_CUT_DIGITS: usize = 32;

/// What stands for a key that is missing or empty.
pub const NO_KEY: &str = "(none)";

/// Characters of every key that was cut.
pub const CUT_KEY_CHARS: usize = KEY_HEAD_CHARS + 1 + KEY_CUT_DIGITS;

/// The key as records carry it and the table stores it: itself up to [`MAX_KEY_BYTES`] bytes; of a longer one its first
/// [`KEY_HEAD_CHARS`] characters, `~`, and the first [`KEY_CUT_DIGITS`] hex digits of the SHA-256 of all of it.
///
/// A key that has the form of a cut one is cut, too, so no key stands for another.
///
/// ```
/// use weir_anomaly::key::stored_key;
/// assert_eq!(stored_key("pump-7/temperature"), "pump-7/temperature");
/// assert_eq!(stored_key(""), "(none)");
/// let long = "a".repeat(2000);
/// assert!(stored_key(&long).starts_with(&format!("{}~", "a".repeat(240))));
/// assert_ne!(stored_key(&long), stored_key(&"a".repeat(2001)));
/// ```
///
/// Written once more in SQL (`weir_rules::compile`); a test holds them equal.
#[must_use]
pub fn stored_key(key: &str) -> Cow<'_, str> {
    if key.is_empty() {
        return Cow::Borrowed(NO_KEY);
    }
    let looks_cut = || key.chars().nth(KEY_HEAD_CHARS) == Some(KEY_CUT_MARK) && key.chars().count() == CUT_KEY_CHARS;
    if key.len() <= MAX_KEY_BYTES && !looks_cut() {
        return Cow::Borrowed(key);
    }
    let mut cut: String = key.chars().take(KEY_HEAD_CHARS).collect();
    cut.push(KEY_CUT_MARK);
    cut.extend(Sha256::digest(key).iter().take(KEY_CUT_DIGITS / 2).map(|byte| format!("{byte:02x}")));
    Cow::Owned(cut)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_key_is_whole_up_to_the_limit_whatever_its_characters() {
        for (unit, most) in [("a", 1024), ("é", 512), ("㋡", 341), ("🌊", 256), (" ", 1024), ("\0", 1024), ("~", 1024)]
        {
            for count in [1, 240, 255, 256, 257, 274, most - 1, most] {
                let key = unit.repeat(count.min(most));
                assert_eq!(stored_key(&key), key, "{count} times {unit:?}");
            }
            let key = unit.repeat(most + 1);
            let cut = stored_key(&key);
            assert_ne!(cut, key, "{} bytes of {unit:?}", key.len());
            assert!(cut.len() <= MAX_KEY_BYTES && cut.chars().count() == CUT_KEY_CHARS, "{cut}");
            assert!(cut.starts_with(&unit.repeat(KEY_HEAD_CHARS)), "{cut}");
        }
        assert_eq!(stored_key(""), NO_KEY);
    }

    #[test]
    fn a_key_that_looks_cut_is_not_taken_for_the_one_that_was() {
        let long = "k".repeat(1025);
        let cut = stored_key(&long).into_owned();
        assert_eq!(cut.len(), CUT_KEY_CHARS);
        let again = stored_key(&cut);
        assert_ne!(again, cut, "a source may be called what another's key was cut to");
        assert_ne!(stored_key(&again), again);
    }

    /// Keys around every edge. Many share a long beginning.
    fn keys() -> impl Strategy<Value = String> {
        let unit = prop::sample::select(vec!["a", "é", "㋡", "🌊", " ", "\0", "~"]);
        let count = prop_oneof![
            0..4_usize,
            238..243_usize,
            254..258_usize,
            270..276_usize,
            339..343_usize,
            510..514_usize,
            1022..1027_usize
        ];
        let cut = any::<bool>();
        (unit, count, "[a~\0é]{0,2}", cut).prop_map(|(unit, count, end, cut)| {
            let key = unit.repeat(count) + &end;
            if cut { stored_key(&key).into_owned() } else { key }
        })
    }

    proptest! {
        #[test]
        fn no_two_keys_become_one(a in keys(), b in keys()) {
            let same = |key: &str| if key.is_empty() { NO_KEY.to_owned() } else { key.to_owned() };
            prop_assert_eq!(stored_key(&a) == stored_key(&b), same(&a) == same(&b));
        }

        #[test]
        fn what_is_stored_is_within_the_limit(key in keys()) {
            prop_assert!((1..=MAX_KEY_BYTES).contains(&stored_key(&key).len()));
        }
    }
}
