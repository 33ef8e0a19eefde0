//! Whom the server answers: this page, in this browser, opened by the person who started the command.
//!
//! Another site's page in the same browser can send requests to loopback. It cannot choose their `Host`, `Origin` and
//! `Sec-Fetch-Site`, nor does it know the token, which is in the address that the command printed and in no cookie.

use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::fault::ApiError;

/// The header that carries the token.
pub(crate) const TOKEN: &str = "x-weir-token";
/// Bytes of a token, and of the nonce of a page's styles.
const SECRET_BYTES: usize = 24;

/// What the server knows its own requests by.
#[derive(Debug, Clone)]
pub(crate) struct Guard {
    token: String,
    /// `127.0.0.1:PORT` and `localhost:PORT`.
    hosts: [String; 2],
}

impl Guard {
    pub(crate) fn new(port: u16) -> anyhow::Result<Self> {
        Ok(Self { token: secret()?, hosts: [format!("127.0.0.1:{port}"), format!("localhost:{port}")] })
    }

    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// Refuses what is not this page's own.
    pub(crate) fn check(&self, method: &Method, path: &str, headers: &HeaderMap) -> Result<(), ApiError> {
        let refuse = |what: &str| Err(ApiError::new(StatusCode::FORBIDDEN, what));
        let text = |name: header::HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or_default());
        match text(header::HOST) {
            Some(host) if self.hosts.iter().any(|own| own == host) => {}
            _ => return refuse("this page is not served under that name"),
        }
        if text(header::ORIGIN).is_some_and(|origin| !self.hosts.iter().any(|own| origin == format!("http://{own}"))) {
            return refuse("another site asks");
        }
        let is_api = path.starts_with("/api/");
        let site = headers.get("sec-fetch-site").map(|site| site.to_str().unwrap_or_default());
        match site {
            None | Some("same-origin") => {}
            // Typed, or opened from outside the browser: the page itself, never its API.
            Some("none") if !is_api && method == Method::GET => {}
            // The link in an alert, clicked in a mail on another site: the page alone, as the whole window.
            Some("cross-site" | "same-site") if path == "/" && method == Method::GET && is_opened(headers) => {}
            Some(_) => return refuse("another site asks"),
        }
        if is_api && !headers.get(TOKEN).is_some_and(|given| same(given.as_bytes(), self.token.as_bytes())) {
            return Err(ApiError::new(StatusCode::UNAUTHORIZED, "the token is missing or wrong")
                .hint("open the address that `weir studio` printed"));
        }
        Ok(())
    }
}

/// Whether the browser opens what it asks for as a page of its own, in no frame.
fn is_opened(headers: &HeaderMap) -> bool {
    let is = |name: &str, wanted: &str| headers.get(name).is_some_and(|value| value == wanted);
    is("sec-fetch-mode", "navigate") && is("sec-fetch-dest", "document")
}

/// Compares in the same time, wherever the first difference lies.
fn same(given: &[u8], own: &[u8]) -> bool {
    given.len() == own.len() && given.iter().zip(own).fold(0, |differences, (a, b)| differences | (a ^ b)) == 0
}

/// A secret that nobody can guess.
pub(crate) fn secret() -> anyhow::Result<String> {
    let mut bytes = [0; SECRET_BYTES];
    getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("the system gives no random numbers: {error}"))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// What every answer says of how it may be used: nothing of it leaves this page, and nothing foreign comes into it. CodeMirror's
/// styles are made while the page runs and carry the nonce.
pub(crate) fn harden(headers: &mut HeaderMap, nonce: &str) {
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-{nonce}'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    let fixed = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (header::HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(guard: &Guard, path: &str, headers: &[(&'static str, &str)]) -> bool {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, HeaderValue::from_str(value).unwrap());
        }
        guard.check(&Method::GET, path, &map).is_ok()
    }

    #[test]
    fn only_this_page_with_its_token_is_answered() {
        let guard = Guard::new(8200).unwrap();
        let token = guard.token().to_owned();
        let own = ("host", "127.0.0.1:8200");
        let (with, longer) = ((TOKEN, token.as_str()), format!("{token}x"));
        assert!(asked(&guard, "/", &[own]), "the page is no secret");
        assert!(asked(&guard, "/", &[own, ("sec-fetch-site", "none")]), "typed");
        assert!(asked(&guard, "/api/project", &[own, with]));
        assert!(asked(&guard, "/api/project", &[("host", "localhost:8200"), with, ("sec-fetch-site", "same-origin")]));
        let link = [("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];
        assert!(asked(&guard, "/", &[&[own][..], &link].concat()), "a link in a mail");
        assert!(!asked(&guard, "/app/main.js", &[&[own][..], &link].concat()), "the page alone");
        assert!(!asked(&guard, "/api/project", &[&[own, with][..], &link].concat()));
        assert!(!asked(&guard, "/", &[own, link[0], link[1], ("sec-fetch-dest", "iframe")]), "in no frame");
        assert!(!asked(&guard, "/", &[own, link[0]]), "read by a script");
        for headers in [
            vec![own],
            vec![own, (TOKEN, "")],
            vec![own, (TOKEN, longer.as_str())],
            vec![own, with, ("sec-fetch-site", "cross-site")],
            vec![own, with, ("sec-fetch-site", "none")],
            vec![own, with, ("origin", "http://127.0.0.1:8201")],
            vec![own, with, ("origin", "null")],
            vec![("host", "evil.example:8200"), with],
            vec![("host", "127.0.0.1:8201"), with],
            vec![with],
        ] {
            assert!(!asked(&guard, "/api/project", &headers), "{headers:?}");
        }
    }

    #[test]
    fn two_secrets_differ() {
        let (one, other) = (secret().unwrap(), secret().unwrap());
        assert_ne!(one, other);
        assert_eq!(one.len(), 32);
    }
}
