//! Where a bucket and its objects are.

use std::fmt::Write as _;

/// The bucket as a host name on AWS, where its certificate allows it; as the path's first part elsewhere.
pub(crate) fn of(bucket: &str, region: &str, endpoint: Option<&str>, key: &str, query: &[(&str, &str)]) -> String {
    let domain = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    let mut address = match endpoint {
        Some(endpoint) => format!("{endpoint}/{bucket}/"),
        // A dot in the name does not match the certificate of the bucket's own host.
        None if bucket.contains('.') => format!("https://s3.{region}.{domain}/{bucket}/"),
        None => format!("https://{bucket}.s3.{region}.{domain}/"),
    };
    encode(&mut address, key, b"/");
    for (index, (name, value)) in query.iter().enumerate() {
        address.push(if index == 0 { '?' } else { '&' });
        let _ = write!(address, "{name}=");
        encode(&mut address, value, b"");
    }
    address
}

/// Percent-encodes all but RFC 3986's unreserved characters, and what is kept besides.
fn encode(to: &mut String, text: &str, kept: &[u8]) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) || kept.contains(&byte) {
            to.push(char::from(byte));
        } else {
            let _ = write!(to, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_has_its_own_host() {
        let of = |bucket, region| of(bucket, region, None, "weir/checkpoint", &[]);
        assert_eq!(of("b", "eu-west-1"), "https://b.s3.eu-west-1.amazonaws.com/weir/checkpoint");
        assert_eq!(of("b.c", "eu-west-1"), "https://s3.eu-west-1.amazonaws.com/b.c/weir/checkpoint");
        assert_eq!(of("b", "cn-north-1"), "https://b.s3.cn-north-1.amazonaws.com.cn/weir/checkpoint");
    }

    #[test]
    fn keys_and_queries_are_encoded_once() {
        let endpoint = Some("http://127.0.0.1:4566");
        assert_eq!(of("b", "r", endpoint, "a b/ü+1", &[]), "http://127.0.0.1:4566/b/a%20b/%C3%BC%2B1");
        assert_eq!(
            of("b", "r", endpoint, "", &[("prefix", "a/"), ("t", "1+")]),
            "http://127.0.0.1:4566/b/?prefix=a%2F&t=1%2B"
        );
    }
}
