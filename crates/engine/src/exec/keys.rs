//! Group keys: each distinct combination of values gets a dense number.

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use arrow::row::{RowConverter, Rows, SortField};
use datafusion::common::Result;
use hashbrown::{DefaultHashBuilder, HashTable};
use std::hash::BuildHasher;

/// Encodes key columns; shared by all bins of an operator.
#[derive(Debug)]
pub(super) struct KeyEncoder {
    converter: Option<RowConverter>,
    hasher: DefaultHashBuilder,
}

impl KeyEncoder {
    pub(super) fn new(types: &[DataType]) -> Result<Self> {
        let converter = if types.is_empty() {
            None
        } else {
            Some(RowConverter::new(types.iter().cloned().map(SortField::new).collect())?)
        };
        Ok(Self { converter, hasher: DefaultHashBuilder::default() })
    }

    /// Encodes key columns row by row; nothing when there are no keys.
    pub(super) fn encode(&self, columns: &[ArrayRef]) -> Result<Option<Rows>> {
        Ok(match &self.converter {
            Some(converter) => Some(converter.convert_columns(columns)?),
            None => None,
        })
    }

    /// The columns of encoded rows.
    pub(super) fn decode<'a>(&self, rows: impl IntoIterator<Item = arrow::row::Row<'a>>) -> Result<Vec<ArrayRef>> {
        Ok(match &self.converter {
            Some(converter) => converter.convert_rows(rows)?,
            None => Vec::new(),
        })
    }
}

/// The distinct keys of one bin, numbered in the order in which they came.
#[derive(Debug)]
pub(super) struct KeyTable {
    slots: HashTable<(u64, usize)>,
    rows: Option<Rows>,
    any: bool,
}

impl KeyTable {
    pub(super) fn new(encoder: &KeyEncoder) -> Self {
        Self { slots: HashTable::new(), rows: encoder.converter.as_ref().map(|c| c.empty_rows(0, 0)), any: false }
    }

    pub(super) fn len(&self) -> usize {
        match &self.rows {
            Some(rows) => rows.num_rows(),
            None => usize::from(self.any),
        }
    }

    /// Numbers the given rows of encoded keys into `groups`.
    pub(super) fn intern(
        &mut self,
        encoder: &KeyEncoder,
        keys: Option<&Rows>,
        picked: Picked<'_>,
        groups: &mut Vec<usize>,
    ) {
        groups.clear();
        let (Some(rows), Some(keys)) = (&mut self.rows, keys) else {
            self.any = true;
            groups.resize(picked.len(), 0);
            return;
        };
        groups.reserve(picked.len());
        for index in picked.iter() {
            let row = keys.row(index);
            let hash = encoder.hasher.hash_one(row.as_ref());
            let slot = self.slots.entry(hash, |(h, at)| *h == hash && rows.row(*at) == row, |(h, _)| *h);
            let group = match slot {
                hashbrown::hash_table::Entry::Occupied(entry) => entry.get().1,
                hashbrown::hash_table::Entry::Vacant(entry) => {
                    let group = rows.num_rows();
                    rows.push(row);
                    entry.insert((hash, group));
                    group
                }
            };
            groups.push(group);
        }
    }

    /// The distinct keys as columns.
    pub(super) fn columns(&self, encoder: &KeyEncoder) -> Result<Vec<ArrayRef>> {
        match &self.rows {
            Some(rows) => encoder.decode(rows.iter()),
            None => Ok(Vec::new()),
        }
    }

    pub(super) fn size(&self) -> usize {
        self.slots.capacity() * size_of::<(u64, usize)>() + self.rows.as_ref().map_or(0, Rows::size)
    }
}

/// Some or all rows of a batch.
#[derive(Debug, Clone, Copy)]
pub(super) enum Picked<'a> {
    All(usize),
    Some(&'a [u32]),
}

impl Picked<'_> {
    fn len(self) -> usize {
        match self {
            Self::All(count) => count,
            Self::Some(rows) => rows.len(),
        }
    }

    fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        let (all, some) = match self {
            Self::All(count) => (*count, &[][..]),
            Self::Some(rows) => (0, *rows),
        };
        (0..all).chain(some.iter().map(|r| *r as usize))
    }
}
