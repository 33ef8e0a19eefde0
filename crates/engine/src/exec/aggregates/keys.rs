//! Group keys: each distinct combination of values that an operator holds gets a dense number, the same in all its bins.

use std::hash::BuildHasher;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, UInt32Array};
use arrow::compute::{concat, take};
use arrow::row::{Row, RowConverter, Rows};
use datafusion::common::Result;
use hashbrown::{DefaultHashBuilder, HashTable};

/// No number.
const NONE: u32 = u32::MAX;
/// Numbers are given anew when so many, and twice as many as are in use, were given.
const COLLECT_FROM: usize = 8192;

/// Encodes keys as comparable bytes.
#[derive(Debug, Clone)]
pub(crate) struct KeyEncoder {
    /// `None` where there are no key columns: then every row has the same key.
    converter: Option<Arc<RowConverter>>,
    hasher: DefaultHashBuilder,
}

/// The keys of a batch.
#[derive(Debug)]
pub(crate) struct EncodedKeys {
    rows: Option<Rows>,
    hashes: Vec<u64>,
}

impl KeyEncoder {
    pub(crate) fn new(converter: Option<RowConverter>) -> Self {
        Self { converter: converter.map(Arc::new), hasher: DefaultHashBuilder::default() }
    }

    pub(crate) fn has_columns(&self) -> bool {
        self.converter.is_some()
    }

    pub(crate) fn encode(&self, columns: &[ArrayRef]) -> Result<EncodedKeys> {
        let Some(converter) = &self.converter else { return Ok(EncodedKeys { rows: None, hashes: Vec::new() }) };
        let rows = converter.convert_columns(columns)?;
        let hashes = rows.iter().map(|row| self.hasher.hash_one(row.as_ref())).collect();
        Ok(EncodedKeys { rows: Some(rows), hashes })
    }

    /// A table for keys that this encodes.
    pub(crate) fn table(&self) -> Keys {
        let encoded = self.converter.as_ref().map(|converter| {
            let rows = converter.empty_rows(0, 0);
            let (converter, hasher) = (Arc::clone(converter), self.hasher);
            Encoded { converter, hasher, slots: HashTable::new(), rows, columns: Vec::new(), decoded: 0 }
        });
        Keys { encoded }
    }
}

impl EncodedKeys {
    /// Which of so many partitions each row belongs to: all rows of a key to one.
    pub(crate) fn partitions(&self, partitions: usize) -> impl Iterator<Item = usize> {
        // Not the bits by which the tables of the partitions find their slots.
        self.hashes.iter().map(move |hash| (hash >> 32) as u32 as usize % partitions.max(1))
    }
}

/// The distinct keys of an operator, numbered in the order in which they came.
#[derive(Debug)]
pub(crate) struct Keys {
    /// `None` where there are no key columns: then every row has key 0.
    encoded: Option<Encoded>,
}

#[derive(Debug)]
struct Encoded {
    converter: Arc<RowConverter>,
    hasher: DefaultHashBuilder,
    slots: HashTable<(u64, u32)>,
    rows: Rows,
    /// The first keys as columns; the rest is decoded when it is asked for.
    columns: Vec<ArrayRef>,
    decoded: usize,
}

impl Keys {
    /// How many numbers were given.
    pub(crate) fn len(&self) -> usize {
        self.encoded.as_ref().map_or(1, |e| e.rows.num_rows())
    }

    /// Numbers the keys of the picked rows of a batch.
    pub(crate) fn number(&mut self, keys: &EncodedKeys, rows: usize, picked: RowSelection<'_>, numbers: &mut Vec<u32>) {
        numbers.clear();
        let (Some(own), Some(encoded)) = (&mut self.encoded, &keys.rows) else {
            numbers.resize(picked.count(rows), 0);
            return;
        };
        match picked {
            RowSelection::All => {
                numbers.extend(encoded.iter().zip(&keys.hashes).map(|(key, hash)| own.number(key, *hash)))
            }
            RowSelection::Some(rows) => numbers.extend(rows.iter().map(|row| {
                let hash = keys.hashes.get(*row as usize).copied().unwrap_or_default();
                own.number(encoded.row(*row as usize), hash)
            })),
        }
    }

    /// The keys of these numbers as columns.
    pub(crate) fn columns(&mut self, numbers: &[u32]) -> Result<Vec<ArrayRef>> {
        let Some(own) = &mut self.encoded else { return Ok(Vec::new()) };
        own.decode()?;
        let picked = UInt32Array::from(numbers.to_vec());
        own.columns.iter().map(|c| Ok(take(c, &picked, None)?)).collect()
    }

    /// Gives numbers anew when most are out of use: `in_use` is called with a marker for every number that is used, and the
    /// new number of each old one comes back.
    pub(crate) fn collect(&mut self, held: usize, in_use: impl FnOnce(&mut dyn FnMut(&[u32]))) -> Option<Vec<u32>> {
        let own = self.encoded.as_mut()?;
        let count = own.rows.num_rows();
        if count < COLLECT_FROM || count < held.saturating_mul(2) {
            return None;
        }
        let mut renumbered = vec![NONE; count];
        in_use(&mut |numbers| {
            for number in numbers {
                if let Some(slot) = renumbered.get_mut(*number as usize) {
                    *slot = 0;
                }
            }
        });
        let old = std::mem::replace(&mut own.rows, own.converter.empty_rows(0, 0));
        own.slots.clear();
        for (nth, slot) in renumbered.iter_mut().enumerate() {
            if *slot == NONE {
                continue;
            }
            let key = old.row(nth);
            let hash = own.hasher.hash_one(key.as_ref());
            *slot = u32::try_from(own.rows.num_rows()).unwrap_or(NONE);
            own.rows.push(key);
            own.slots.insert_unique(hash, (hash, *slot), |(h, _)| *h);
        }
        own.slots.shrink_to(own.rows.num_rows(), |(h, _)| *h);
        own.columns.clear();
        own.decoded = 0;
        Some(renumbered)
    }

    /// Bytes held.
    pub(crate) fn size(&self) -> usize {
        self.encoded.as_ref().map_or(0, |own| {
            let columns: usize = own.columns.iter().map(|c| c.get_array_memory_size()).sum();
            own.slots.capacity() * size_of::<(u64, u32)>() + own.rows.size() + columns
        })
    }
}

impl Encoded {
    #[inline]
    fn number(&mut self, key: Row<'_>, hash: u64) -> u32 {
        match self.slots.find(hash, |(h, at)| *h == hash && self.rows.row(*at as usize) == key) {
            Some((_, number)) => *number,
            None => {
                let number = u32::try_from(self.rows.num_rows()).unwrap_or(NONE);
                self.rows.push(key);
                self.slots.insert_unique(hash, (hash, number), |(h, _)| *h);
                number
            }
        }
    }

    fn decode(&mut self) -> Result<()> {
        if self.decoded == self.rows.num_rows() && !self.columns.is_empty() {
            return Ok(());
        }
        let new = self.converter.convert_rows((self.decoded..self.rows.num_rows()).map(|nth| self.rows.row(nth)))?;
        self.columns = if self.columns.is_empty() {
            new
        } else {
            let joined = self.columns.iter().zip(&new).map(|(old, new)| Ok(concat(&[old.as_ref(), new.as_ref()])?));
            joined.collect::<Result<_>>()?
        };
        self.decoded = self.rows.num_rows();
        Ok(())
    }
}

/// Which group of a bin a key has: a table by number where many of the keys are there, else a map.
#[derive(Debug, Default)]
pub(crate) struct GroupMap {
    /// The key of each group.
    numbers: Vec<u32>,
    table: Vec<u32>,
    map: HashTable<(u32, u32)>,
}

/// From one key in so many on, a table is kept.
const SPARSE: usize = 32;

impl GroupMap {
    pub(crate) fn len(&self) -> usize {
        self.numbers.len()
    }

    /// The key of each group.
    pub(crate) fn numbers(&self) -> &[u32] {
        &self.numbers
    }

    pub(crate) fn into_numbers(self) -> Vec<u32> {
        self.numbers
    }

    /// The groups of keys. `known` of them are numbered already; new keys get new groups.
    pub(crate) fn groups(&mut self, keys: impl Iterator<Item = u32>, known: usize, groups: &mut Vec<usize>) {
        groups.clear();
        for key in keys {
            let group = if self.table.is_empty() { self.sparse(key, known) } else { self.dense(key, known) };
            groups.push(group as usize);
        }
    }

    fn next(&mut self, key: u32) -> u32 {
        let group = u32::try_from(self.numbers.len()).unwrap_or(NONE);
        self.numbers.push(key);
        group
    }

    #[inline]
    fn dense(&mut self, key: u32, known: usize) -> u32 {
        if key as usize >= self.table.len() {
            self.table.resize(known.max(key as usize + 1), NONE);
        }
        match self.table.get(key as usize) {
            Some(group) if *group != NONE => *group,
            _ => {
                let group = self.next(key);
                if let Some(slot) = self.table.get_mut(key as usize) {
                    *slot = group;
                }
                group
            }
        }
    }

    fn sparse(&mut self, key: u32, known: usize) -> u32 {
        let hash = |key: u32| u64::from(key).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        if let Some((_, group)) = self.map.find(hash(key), |(k, _)| *k == key) {
            return *group;
        }
        let group = self.next(key);
        if self.numbers.len() * SPARSE >= known {
            self.map = HashTable::new();
            self.table = vec![NONE; known.max(key as usize + 1)];
            for (group, key) in (0u32..).zip(&self.numbers) {
                if let Some(slot) = self.table.get_mut(*key as usize) {
                    *slot = group;
                }
            }
        } else {
            self.map.insert_unique(hash(key), (key, group), |(k, _)| hash(*k));
        }
        group
    }

    /// Takes the keys' new numbers.
    pub(crate) fn renumber(&mut self, renumbered: &[u32], known: usize) {
        let numbers = std::mem::take(self).numbers;
        let renewed = numbers.into_iter().map(|n| renewed(n, renumbered));
        self.groups(renewed, known, &mut Vec::new());
    }

    /// Bytes held.
    pub(crate) fn size(&self) -> usize {
        (self.numbers.capacity() + self.table.capacity() + 2 * self.map.capacity()) * size_of::<u32>()
    }
}

/// The new number of an old one.
pub(crate) fn renewed(number: u32, renumbered: &[u32]) -> u32 {
    renumbered.get(number as usize).copied().unwrap_or(NONE)
}

/// Some or all rows of a batch.
#[derive(Debug, Clone, Copy)]
pub(crate) enum RowSelection<'a> {
    All,
    Some(&'a [u32]),
}

impl RowSelection<'_> {
    /// How many rows of a batch of `all` these are.
    pub(crate) fn count(self, all: usize) -> usize {
        match self {
            Self::All => all,
            Self::Some(rows) => rows.len(),
        }
    }

    /// The place in the batch of the nth picked row.
    pub(crate) fn row(self, nth: usize) -> usize {
        match self {
            Self::All => nth,
            Self::Some(rows) => rows.get(nth).map_or(nth, |row| *row as usize),
        }
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{AsArray, StringArray};
    use arrow::datatypes::DataType;
    use arrow::row::SortField;

    use super::*;

    fn of_text() -> (KeyEncoder, Keys) {
        let encoder = KeyEncoder::new(Some(RowConverter::new(vec![SortField::new(DataType::Utf8)]).unwrap()));
        let keys = encoder.table();
        (encoder, keys)
    }

    fn number((encoder, keys): &mut (KeyEncoder, Keys), columns: &[ArrayRef]) -> Vec<u32> {
        let mut numbers = Vec::new();
        keys.number(&encoder.encode(columns).unwrap(), columns[0].len(), RowSelection::All, &mut numbers);
        numbers
    }

    fn texts(values: &[Option<&str>]) -> Vec<ArrayRef> {
        vec![Arc::new(StringArray::from(values.to_vec())) as ArrayRef]
    }

    #[test]
    fn equal_keys_have_one_number_and_come_back_as_columns() {
        let mut own = of_text();
        let numbers = number(&mut own, &texts(&[Some("a"), None, Some("b"), Some("a")]));
        assert_eq!(numbers, [0, 1, 2, 0]);
        let columns = own.1.columns(&[2, 1]).unwrap();
        assert_eq!(columns[0].as_string::<i32>().iter().collect::<Vec<_>>(), [Some("b"), None]);
        assert_eq!(number(&mut own, &texts(&[Some("c"), None])), [3, 1]);
        assert_eq!(own.1.columns(&[3, 0]).unwrap()[0].as_string::<i32>().value(0), "c");
    }

    #[test]
    fn without_key_columns_every_row_has_one_key() {
        let encoder = KeyEncoder::new(None);
        let mut keys = encoder.table();
        let mut numbers = Vec::new();
        keys.number(&encoder.encode(&[]).unwrap(), 3, RowSelection::All, &mut numbers);
        assert_eq!((numbers.as_slice(), keys.len()), (&[0, 0, 0][..], 1));
        assert!(keys.columns(&numbers).unwrap().is_empty());
    }

    #[test]
    fn keys_out_of_use_are_forgotten_and_the_rest_keeps_its_groups() {
        let names: Vec<String> = (0..COLLECT_FROM).map(|n| format!("k{n}")).collect();
        let column = texts(&names.iter().map(|n| Some(n.as_str())).collect::<Vec<_>>());
        let mut own = of_text();
        number(&mut own, &column);
        let keys = &mut own.1;
        let mut bin = GroupMap::default();
        let mut groups = Vec::new();
        bin.groups([70, 5000, 3].into_iter(), keys.len(), &mut groups);
        assert!(keys.collect(keys.len(), |_| ()).is_none(), "all are held");
        let renumbered = keys.collect(bin.len(), |mark| mark(bin.numbers())).unwrap();
        bin.renumber(&renumbered, keys.len());
        assert_eq!(keys.len(), 3);
        let left = keys.columns(bin.numbers()).unwrap();
        assert_eq!(left[0].as_string::<i32>().iter().flatten().collect::<Vec<_>>(), ["k70", "k5000", "k3"]);
        let numbers = number(&mut own, &texts(&[Some("k5000"), Some("new")]));
        bin.groups(numbers.iter().copied(), own.1.len(), &mut groups);
        assert_eq!(groups, [1, 3]);
    }

    #[test]
    fn a_bin_of_few_keys_among_many_and_of_many_give_the_same_groups() {
        let wanted = [7, 100_000, 7, 3, 50, 100_000, 8];
        let (mut sparse, mut dense, mut groups) = (GroupMap::default(), GroupMap::default(), Vec::new());
        sparse.groups(wanted.into_iter(), 1_000_000, &mut groups);
        assert_eq!(groups, [0, 1, 0, 2, 3, 1, 4]);
        assert!(sparse.size() < 4096);
        dense.groups(wanted.into_iter(), 1, &mut groups);
        assert_eq!(groups, [0, 1, 0, 2, 3, 1, 4]);
    }

    #[test]
    fn all_rows_of_a_key_belong_to_one_lane() {
        let encoder = of_text().0;
        let names: Vec<String> = (0..3000).map(|n| format!("k{}", n % 1000)).collect();
        let column = texts(&names.iter().map(|n| Some(n.as_str())).collect::<Vec<_>>());
        let partitions: Vec<usize> = encoder.encode(&column).unwrap().partitions(3).collect();
        assert_eq!(partitions[..1000], partitions[1000..2000]);
        assert!(
            (0..3).all(|partition| partitions.iter().filter(|l| **l == partition).count() > 600),
            "about a third each"
        );
    }
}
