//! The page's files, as they stand in `web/app`, embedded.

use axum::{
    Extension,
    extract::Path,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};

use crate::server::Nonce;

/// Embeds files by name.
macro_rules! embed {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/web/app/", $name)))),*]
    };
}

/// Every file of the page but its HTML.
const FILES: &[(&str, &[u8])] = embed![
    "api.js",
    "app.js",
    "chart.js",
    "editor.js",
    "format.js",
    "history.js",
    "historyview.js",
    "html.js",
    "lane.js",
    "liveview.js",
    "main.js",
    "panels.js",
    "ruleview.js",
    "state.js",
    "style.css",
    "tree.js",
    "types.js",
    "uplot.css",
    "vendor.js",
];

const PAGE: &str = include_str!("../web/app/index.html");

/// The page itself.
pub(crate) async fn page(Extension(Nonce(nonce)): Extension<Nonce>) -> Response {
    ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], PAGE.replace("{{nonce}}", &nonce)).into_response()
}

/// One of its files.
pub(crate) async fn file(Path(name): Path<String>) -> Response {
    let Some((name, bytes)) = FILES.iter().find(|(known, _)| *known == name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let kind = if name.ends_with(".css") { "text/css; charset=utf-8" } else { "text/javascript; charset=utf-8" };
    ([(header::CONTENT_TYPE, kind)], *bytes).into_response()
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::PathBuf};

    use super::*;

    /// What libraries may weigh, bytes: the page is to be there before anyone waits.
    const VENDOR_MOST: usize = 500_000;
    /// What all of it may weigh in the binary.
    const ALL_MOST: usize = 1_000_000;

    #[test]
    fn every_file_of_the_page_is_embedded_and_they_are_small() {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("web/app");
        let there: BTreeSet<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name != "index.html" && !name.ends_with(".d.ts"))
            .collect();
        let embedded: BTreeSet<String> = FILES.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(there, embedded);
        let size = |wanted: &dyn Fn(&str) -> bool| -> usize {
            FILES.iter().filter(|(name, _)| wanted(name)).map(|(_, bytes)| bytes.len()).sum()
        };
        assert!(size(&|name| name == "vendor.js" || name == "uplot.css") <= VENDOR_MOST);
        assert!(size(&|_| true) + PAGE.len() <= ALL_MOST);
    }

    #[test]
    fn the_page_asks_nobody_else_for_anything() {
        for (name, bytes) in
            FILES.iter().filter(|(name, _)| *name != "vendor.js").chain([&("index.html", PAGE.as_bytes())])
        {
            let text = std::str::from_utf8(bytes).unwrap();
            for line in text.lines().filter(|line| line.contains("http://") || line.contains("https://")) {
                assert!(line.contains("http://www.w3.org/"), "{name}: {line}");
            }
        }
    }
}
