//! What others scored, as published by Numenta for all 58 files: standard, low false positives, low false negatives.

/// A detector's published scores.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Published {
    pub(crate) name: &'static str,
    pub(crate) standard: f64,
    /// Low false positives and low false negatives, where they are at hand.
    pub(crate) others: Option<(f64, f64)>,
}

const fn published(name: &'static str, standard: f64, others: Option<(f64, f64)>) -> Published {
    Published { name, standard, others }
}

/// From the best down.
pub(crate) const PUBLISHED: [Published; 15] = [
    published("ARTime", 74.85, Some((65.2, 80.4))),
    published("HTM (numenta)", 70.10, Some((63.1, 74.3))),
    published("CAD OSE", 69.90, Some((67.0, 73.2))),
    published("htmjava", 65.55, None),
    published("numentaTM", 64.55, None),
    published("earthgecko Skyline", 58.20, None),
    published("KNN-CAD", 57.99, None),
    published("relative entropy", 54.64, None),
    published("Random Cut Forest (AWS)", 51.72, None),
    published("Twitter ADVec", 47.06, None),
    published("windowed Gaussian", 39.65, None),
    published("Etsy Skyline", 35.69, None),
    published("Bayesian change point", 17.7, None),
    published("random", 16.8, None),
    published("EXPoSE", 16.4, None),
];
