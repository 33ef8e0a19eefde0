//! Group keys: each distinct combination of values that an operator holds gets a dense number, the same in all its bins.

use std::hash::BuildHasher;

use arrow::array::{Array, ArrayRef, UInt32Array};
use arrow::compute::{concat, take};
use arrow::row::{RowConverter, Rows};
use datafusion::common::Result;
use hashbrown::{DefaultHashBuilder, HashTable};

/// No number.
const NONE: u32 = u32::MAX;
/// Numbers are given anew when so many, and twice as many as are in use, were given.
const COLLECT_FROM: usize = 8192;

/// The distinct keys of an operator, numbered in the order in which they came.
#[derive(Debug)]
pub(super) struct Keys {
    /// `None` where there are no key columns: then every row has key 0.
    encoded: Option<Encoded>,
}

#[derive(Debug)]
struct Encoded {
    converter: RowConverter,
    hasher: DefaultHashBuilder,
    slots: HashTable<(u64, u32)>,
    rows: Rows,
    /// The first keys as columns; the rest is decoded when it is asked for.
    columns: Vec<ArrayRef>,
    decoded: usize,
}

impl Keys {
    /// No keys yet; `converter` encodes them.
    pub(super) fn new(converter: Option<RowConverter>) -> Self {
        let encoded = converter.map(|converter| {
            let rows = converter.empty_rows(0, 0);
            let (hasher, slots) = (DefaultHashBuilder::default(), HashTable::new());
            Encoded { converter, hasher, slots, rows, columns: Vec::new(), decoded: 0 }
        });
        Self { encoded }
    }

    /// How many numbers were given.
    pub(super) fn len(&self) -> usize {
        self.encoded.as_ref().map_or(1, |e| e.rows.num_rows())
    }

    /// Numbers the rows of key columns.
    pub(super) fn number(&mut self, columns: &[ArrayRef], rows: usize, numbers: &mut Vec<u32>) -> Result<()> {
        numbers.clear();
        numbers.reserve(rows);
        let Some(own) = &mut self.encoded else {
            numbers.resize(rows, 0);
            return Ok(());
        };
        let keys = own.converter.convert_columns(columns)?;
        for key in &keys {
            let hash = own.hasher.hash_one(key.as_ref());
            let known = own.slots.find(hash, |(h, at)| *h == hash && own.rows.row(*at as usize) == key);
            numbers.push(match known {
                Some((_, number)) => *number,
                None => {
                    let number = u32::try_from(own.rows.num_rows()).unwrap_or(NONE);
                    own.rows.push(key);
                    own.slots.insert_unique(hash, (hash, number), |(h, _)| *h);
                    number
                }
            });
        }
        Ok(())
    }

    /// The keys of these numbers as columns.
    pub(super) fn columns(&mut self, numbers: &[u32]) -> Result<Vec<ArrayRef>> {
        let Some(own) = &mut self.encoded else { return Ok(Vec::new()) };
        own.decode()?;
        let picked = UInt32Array::from(numbers.to_vec());
        own.columns.iter().map(|c| Ok(take(c, &picked, None)?)).collect()
    }

    /// Gives numbers anew when most are out of use: `in_use` is called with a marker for every number that is used, and the
    /// new number of each old one comes back.
    pub(super) fn collect(&mut self, held: usize, in_use: impl FnOnce(&mut dyn FnMut(&[u32]))) -> Option<Vec<u32>> {
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
    pub(super) fn size(&self) -> usize {
        self.encoded.as_ref().map_or(0, |own| {
            let columns: usize = own.columns.iter().map(|c| c.get_array_memory_size()).sum();
            own.slots.capacity() * size_of::<(u64, u32)>() + own.rows.size() + columns
        })
    }
}

impl Encoded {
    fn decode(&mut self) -> Result<()> {
        if self.decoded == self.rows.num_rows() {
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
pub(super) struct GroupMap {
    /// The key of each group.
    numbers: Vec<u32>,
    table: Vec<u32>,
    map: HashTable<(u32, u32)>,
}

/// From one key in so many on, a table is kept.
const SPARSE: usize = 32;

impl GroupMap {
    pub(super) fn len(&self) -> usize {
        self.numbers.len()
    }

    /// The key of each group.
    pub(super) fn numbers(&self) -> &[u32] {
        &self.numbers
    }

    pub(super) fn into_numbers(self) -> Vec<u32> {
        self.numbers
    }

    /// The groups of keys of which `known` were numbered so far; new keys get new groups.
    pub(super) fn groups(&mut self, keys: impl Iterator<Item = u32>, known: usize, groups: &mut Vec<usize>) {
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
    pub(super) fn renumber(&mut self, renumbered: &[u32], known: usize) {
        let numbers = std::mem::take(self).numbers;
        let renewed = numbers.into_iter().map(|n| renewed(n, renumbered));
        self.groups(renewed, known, &mut Vec::new());
    }

    /// Bytes held.
    pub(super) fn size(&self) -> usize {
        (self.numbers.capacity() + self.table.capacity() + 2 * self.map.capacity()) * size_of::<u32>()
    }
}

/// The new number of an old one.
pub(super) fn renewed(number: u32, renumbered: &[u32]) -> u32 {
    renumbered.get(number as usize).copied().unwrap_or(NONE)
}

/// Some or all rows of a batch.
#[derive(Debug, Clone, Copy)]
pub(super) enum Picked<'a> {
    All,
    Some(&'a [u32]),
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{AsArray, StringArray};
    use arrow::datatypes::DataType;
    use arrow::row::SortField;

    use super::*;

    fn of_text() -> Keys {
        Keys::new(Some(RowConverter::new(vec![SortField::new(DataType::Utf8)]).unwrap()))
    }

    fn texts(values: &[Option<&str>]) -> Vec<ArrayRef> {
        vec![Arc::new(StringArray::from(values.to_vec())) as ArrayRef]
    }

    #[test]
    fn equal_keys_have_one_number_and_come_back_as_columns() {
        let mut keys = of_text();
        let mut numbers = Vec::new();
        keys.number(&texts(&[Some("a"), None, Some("b"), Some("a")]), 4, &mut numbers).unwrap();
        assert_eq!(numbers, [0, 1, 2, 0]);
        let columns = keys.columns(&[2, 1]).unwrap();
        assert_eq!(columns[0].as_string::<i32>().iter().collect::<Vec<_>>(), [Some("b"), None]);
        keys.number(&texts(&[Some("c"), None]), 2, &mut numbers).unwrap();
        assert_eq!(numbers, [3, 1]);
        assert_eq!(keys.columns(&[3, 0]).unwrap()[0].as_string::<i32>().value(0), "c");
    }

    #[test]
    fn without_key_columns_every_row_has_one_key() {
        let mut keys = Keys::new(None);
        let mut numbers = Vec::new();
        keys.number(&[], 3, &mut numbers).unwrap();
        assert_eq!((numbers.as_slice(), keys.len()), (&[0, 0, 0][..], 1));
        assert!(keys.columns(&numbers).unwrap().is_empty());
    }

    #[test]
    fn keys_out_of_use_are_forgotten_and_the_rest_keeps_its_groups() {
        let names: Vec<String> = (0..COLLECT_FROM).map(|n| format!("k{n}")).collect();
        let column = texts(&names.iter().map(|n| Some(n.as_str())).collect::<Vec<_>>());
        let mut keys = of_text();
        let mut numbers = Vec::new();
        keys.number(&column, names.len(), &mut numbers).unwrap();
        let mut bin = GroupMap::default();
        let mut groups = Vec::new();
        bin.groups([70, 5000, 3].into_iter(), keys.len(), &mut groups);
        assert!(keys.collect(keys.len(), |_| ()).is_none(), "all are held");
        let renumbered = keys.collect(bin.len(), |mark| mark(bin.numbers())).unwrap();
        bin.renumber(&renumbered, keys.len());
        assert_eq!(keys.len(), 3);
        let left = keys.columns(bin.numbers()).unwrap();
        assert_eq!(left[0].as_string::<i32>().iter().flatten().collect::<Vec<_>>(), ["k70", "k5000", "k3"]);
        keys.number(&texts(&[Some("k5000"), Some("new")]), 2, &mut numbers).unwrap();
        bin.groups(numbers.iter().copied(), keys.len(), &mut groups);
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
}
