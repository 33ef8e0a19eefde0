//! JSON rows: bytes to columns ([`JsonDecoder`]) and columns to bytes ([`JsonEncoder`]).
//!
//! Reading is one hand-written pass from the bytes into the columns, because it is most of what a filter over a stream
//! costs. Writing is arrow-json with Arroyo's own choices, so that rows come out byte for byte as Arroyo writes them.
//!
//! Where this differs from Arroyo 0.15:
//!
//! | Arroyo | here | why |
//! |---|---|---|
//! | a broken record under `bad_data = 'drop'` wedges the source | only that record is refused | Arroyo's issue 891 |
//! | commas, numbers and control characters are read loosely | strict JSON (RFC 8259) | a broken record must be visible |
//! | two objects in one record, or none, end the worker | refused, as any other bad record | one record is one row |
//! | JSON columns: strings are written back without their escapes | escapes are kept | `\"` would break the text |
//! | JSON columns: text that is not JSON writes nothing on the way out | it is written as a JSON string | a row must stay JSON |

mod column;
mod decode;
mod encode;
mod error;
mod number;
mod rows;
mod scan;
mod timestamp;

pub use decode::{DecodeOptions, JsonDecoder};
pub use encode::{EncodeOptions, JsonEncoder, TimestampFormat};
pub use error::{DecodeError, UnsupportedColumn};

use arrow::datatypes::{DataType, Field};

/// The key of a field's metadata that marks an extension type.
pub const EXTENSION_KEY: &str = "ARROW:extension:name";
/// The extension type of SQL's `JSON`: a text column that holds JSON, as Arroyo names it.
pub const JSON_EXTENSION: &str = "arroyo.json";

/// Whether a column is SQL's `JSON`: text on the inside, nested JSON on the outside.
#[must_use]
pub fn is_json(field: &Field) -> bool {
    *field.data_type() == DataType::Utf8
        && field.metadata().get(EXTENSION_KEY).is_some_and(|name| name == JSON_EXTENSION)
}
