//! Pages of a listing, in S3's XML.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html>

use aws_smithy_xml::decode::{Document, ScopedDecoder, XmlDecodeError, try_data};

use super::Object;

/// A page of a listing.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) objects: Vec<Object>,
    /// What the next page is asked for with, when there is one.
    pub(super) next: Option<String>,
}

pub(super) fn parse(body: &str) -> Result<Page, String> {
    read(body).map_err(|e| format!("no listing was answered: {e}"))
}

fn read(body: &str) -> Result<Page, XmlDecodeError> {
    let mut document = Document::new(body);
    let mut root = document.root_element()?;
    if root.start_el().local() != "ListBucketResult" {
        return Err(XmlDecodeError::custom(format!("<{}>", root.start_el().local())));
    }
    let mut page = Page::default();
    let mut truncated = false;
    while let Some(mut element) = root.next_tag() {
        match element.start_el().local() {
            "Contents" => page.objects.push(object(&mut element)?),
            "IsTruncated" => truncated = try_data(&mut element)? == "true",
            "NextContinuationToken" => page.next = Some(try_data(&mut element)?.into_owned()),
            _ => {}
        }
    }
    page.next = page.next.filter(|_| truncated);
    Ok(page)
}

fn object(contents: &mut ScopedDecoder<'_, '_>) -> Result<Object, XmlDecodeError> {
    let mut object = Object { key: String::new(), size: 0 };
    while let Some(mut element) = contents.next_tag() {
        match element.start_el().local() {
            "Key" => object.key = try_data(&mut element)?.into_owned(),
            "Size" => object.size = try_data(&mut element)?.parse().map_err(XmlDecodeError::unhandled)?,
            _ => {}
        }
    }
    Ok(object)
}
