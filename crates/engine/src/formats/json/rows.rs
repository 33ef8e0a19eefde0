//! An object's fields as columns: a row, or a STRUCT in a row.

use std::collections::HashMap;

use arrow::array::ArrayRef;
use arrow::datatypes::{Field, FieldRef, Fields};

use super::error::{DecodeError, UnsupportedColumn};
use super::scan::{Cursor, check_depth};

/// From this many columns on, a name that is not where the last record had it is looked up in a map.
const MAP_FROM_COLUMNS: usize = 12;

/// A column that grows value by value, and can give back the last ones.
pub(super) trait Growing: Sized {
    fn new(field: &Field) -> Result<Self, UnsupportedColumn>;

    fn len(&self) -> usize;

    /// Reads one value of any kind. Nothing is added when it fails.
    fn read(
        &mut self,
        nullable: bool,
        cursor: &mut Cursor<'_>,
        scratch: &mut Vec<u8>,
        depth: usize,
    ) -> Result<(), DecodeError>;

    /// Adds a text as it is; only where the column is text.
    fn push_text(&mut self, text: &[u8]) -> Result<(), DecodeError>;

    fn push_null(&mut self);

    fn truncate(&mut self, len: usize);

    /// The column so far; it starts anew.
    fn finish(&mut self) -> Result<ArrayRef, DecodeError>;
}

/// An object's fields as columns: a row, or a STRUCT.
#[derive(Debug)]
pub(super) struct Rows<C> {
    fields: Fields,
    /// Each name as JSON writes it, quotes included: one comparison recognises it.
    quoted: Vec<Box<[u8]>>,
    by_name: Option<HashMap<Box<[u8]>, usize>>,
    columns: Vec<C>,
    /// Which column is expected next: records of one stream have their fields in one order.
    next: usize,
    len: usize,
}

impl<C: Growing> Rows<C> {
    pub(super) fn new(fields: &Fields) -> Result<Self, UnsupportedColumn> {
        let name_of = |field: &FieldRef| Box::<[u8]>::from(field.name().as_bytes());
        Ok(Self {
            fields: fields.clone(),
            quoted: fields.iter().map(|field| quote(field.name()).into()).collect(),
            by_name: (fields.len() >= MAP_FROM_COLUMNS)
                .then(|| fields.iter().enumerate().map(|(index, field)| (name_of(field), index)).collect()),
            columns: fields.iter().map(|field| C::new(field)).collect::<Result<_, _>>()?,
            next: 0,
            len: 0,
        })
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn fields(&self) -> &Fields {
        &self.fields
    }

    /// Reads an object whose `{` is next. After an error the columns may be of different lengths: truncate them.
    #[inline]
    pub(super) fn read(
        &mut self,
        cursor: &mut Cursor<'_>,
        scratch: &mut Vec<u8>,
        depth: usize,
    ) -> Result<(), DecodeError> {
        cursor.take();
        check_depth(depth)?;
        let mut filled = 0;
        if cursor.next_token()? == b'}' {
            cursor.take();
        } else {
            loop {
                let index = self.name(cursor, scratch)?;
                cursor.expect(b':', "expected a colon")?;
                match index {
                    Some(index) => filled += self.value(index, cursor, scratch, depth)?,
                    None => cursor.skip(depth + 1)?,
                }
                if !cursor.more(b'}')? {
                    break;
                }
            }
        }
        if filled < self.columns.len() {
            for (column, field) in self.columns.iter_mut().zip(&self.fields) {
                if column.len() == self.len {
                    if !field.is_nullable() {
                        return Err(DecodeError::Missing { column: field.name().clone() });
                    }
                    column.push_null();
                }
            }
        }
        self.len += 1;
        Ok(())
    }

    /// Reads a field's name, and finds its column.
    #[inline]
    fn name(&mut self, cursor: &mut Cursor<'_>, scratch: &mut Vec<u8>) -> Result<Option<usize>, DecodeError> {
        cursor.next_token()?;
        if let Some(expected) = self.quoted.get(self.next)
            && cursor.take_exact(expected)
        {
            let index = self.next;
            self.next = if index + 1 == self.quoted.len() { 0 } else { index + 1 };
            return Ok(Some(index));
        }
        let text = cursor.string()?;
        let name = text.resolve(scratch);
        let index = match &self.by_name {
            Some(map) => map.get(name).copied(),
            None => self.fields.iter().position(|field| field.name().as_bytes() == name),
        };
        if let Some(index) = index {
            self.next = (index + 1) % self.quoted.len();
        }
        Ok(index)
    }

    /// Reads a field's value; returns how many columns got their first value of this row.
    #[inline]
    fn value(
        &mut self,
        index: usize,
        cursor: &mut Cursor<'_>,
        scratch: &mut Vec<u8>,
        depth: usize,
    ) -> Result<usize, DecodeError> {
        let (Some(column), Some(field)) = (self.columns.get_mut(index), self.fields.get(index)) else { return Ok(0) };
        let mut filled = 1;
        if column.len() > self.len {
            // The name came before in this object: the last one wins.
            column.truncate(self.len);
            filled = 0;
        }
        column.read(field.is_nullable(), cursor, scratch, depth + 1).map_err(|error| error.in_column(field.name()))?;
        Ok(filled)
    }

    /// A row whose every column is `text` (there is one, of text, where this is used).
    pub(super) fn push_text(&mut self, text: &[u8]) -> Result<(), DecodeError> {
        for column in &mut self.columns {
            column.push_text(text)?;
        }
        self.len += 1;
        Ok(())
    }

    /// A row of nulls, under a STRUCT that is null.
    pub(super) fn push_null(&mut self) {
        self.columns.iter_mut().for_each(C::push_null);
        self.len += 1;
    }

    pub(super) fn truncate(&mut self, len: usize) {
        self.columns.iter_mut().for_each(|column| column.truncate(len));
        self.len = len;
    }

    pub(super) fn finish(&mut self) -> Result<Vec<ArrayRef>, DecodeError> {
        self.len = 0;
        self.columns.iter_mut().map(C::finish).collect()
    }
}

/// A name as compact JSON writes it.
fn quote(name: &str) -> Vec<u8> {
    serde_json::Value::from(name).to_string().into_bytes()
}
