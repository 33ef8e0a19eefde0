//! What others scored, as published by Numenta for all 58 files: standard, low false positives, low false negatives.

/// A detector's published scores; those that only the standard profile is quoted of have no others.
pub(crate) const PUBLISHED: [(&str, f64, Option<(f64, f64)>); 15] = [
    ("ARTime", 74.85, Some((65.2, 80.4))),
    ("HTM (numenta)", 70.10, Some((63.1, 74.3))),
    ("CAD OSE", 69.90, Some((67.0, 73.2))),
    ("htmjava", 65.55, None),
    ("numentaTM", 64.55, None),
    ("earthgecko Skyline", 58.20, None),
    ("KNN-CAD", 57.99, None),
    ("relative entropy", 54.64, None),
    ("Random Cut Forest (AWS)", 51.72, None),
    ("Twitter ADVec", 47.06, None),
    ("windowed Gaussian", 39.65, None),
    ("Etsy Skyline", 35.69, None),
    ("Bayesian change point", 17.7, None),
    ("random", 16.8, None),
    ("EXPoSE", 16.4, None),
];
