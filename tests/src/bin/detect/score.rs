//! What users feel of a detector: recall, false alerts and alerts a find, after deduplication.

/// A segment is found up to so many rows after its end.
const SLACK: usize = 12;
/// Alerts of one such aligned period of rows are one.
const DEDUP: usize = 72;
/// The share of a series that is not judged, and its bounds in rows: detectors learn from it.
const LEARNING: (f64, f64, f64) = (0.1, 300.0, 1000.0);

/// One series at one threshold.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Judged {
    segments: usize,
    found: usize,
    right: usize,
    wrong: usize,
    rows: usize,
}

/// What a row belongs to.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Place {
    Unjudged,
    Outside,
    Segment(usize),
}

#[expect(clippy::cast_precision_loss, reason = "rows of a file")]
fn number(count: usize) -> f64 {
    count as f64
}

/// Judges the scores of one series.
pub(crate) fn judge(scores: &[f64], labels: &[bool], threshold: f64) -> Judged {
    let rows = labels.len();
    let (share, least, most) = LEARNING;
    let learning = (share * number(rows)).clamp(least, most);
    let mut places = vec![Place::Outside; rows];
    let mut judged = Judged::default();
    let mut row = 0;
    while row < rows {
        let length = labels.iter().skip(row).take_while(|label| **label).count();
        if length > 0 {
            let place = if number(row) < learning.floor() {
                Place::Unjudged
            } else {
                judged.segments += 1;
                Place::Segment(judged.segments - 1)
            };
            places.iter_mut().skip(row).take(length + SLACK).for_each(|of| *of = place);
        }
        row += length.max(1);
    }
    for (row, place) in places.iter_mut().enumerate() {
        if number(row) < learning.floor() {
            *place = Place::Unjudged;
        }
    }
    judged.rows = places.iter().filter(|place| **place != Place::Unjudged).count();
    let mut found = vec![false; judged.segments];
    for (places, scores) in places.chunks(DEDUP).zip(scores.chunks(DEDUP)) {
        let alerts =
            || places.iter().zip(scores).filter(|(place, score)| **place != Place::Unjudged && **score >= threshold);
        let hits: Vec<usize> = alerts()
            .filter_map(|(place, _)| if let Place::Segment(segment) = place { Some(*segment) } else { None })
            .collect();
        for segment in &hits {
            if let Some(found) = found.get_mut(*segment) {
                *found = true;
            }
        }
        judged.right += usize::from(!hits.is_empty());
        judged.wrong += usize::from(hits.is_empty() && alerts().next().is_some());
    }
    judged.found = found.iter().filter(|found| **found).count();
    judged
}

/// Several series together.
pub(crate) struct Total {
    recall: f64,
    sum: Judged,
}

impl Total {
    pub(crate) fn of(judged: &[Judged]) -> Self {
        let recalls: Vec<f64> = judged
            .iter()
            .filter(|series| series.segments > 0)
            .map(|series| number(series.found) / number(series.segments))
            .collect();
        let sum = judged.iter().fold(Judged::default(), |sum, one| Judged {
            segments: sum.segments + one.segments,
            found: sum.found + one.found,
            right: sum.right + one.right,
            wrong: sum.wrong + one.wrong,
            rows: sum.rows + one.rows,
        });
        Total { recall: recalls.iter().sum::<f64>() / number(recalls.len()).max(1.0), sum }
    }

    /// The share of labelled segments that are found, mean over series.
    pub(crate) fn recall(&self) -> f64 {
        self.recall
    }

    /// Alerts that find nothing, per 1,000 judged rows.
    pub(crate) fn false_alerts(&self) -> f64 {
        1000.0 * number(self.sum.wrong) / number(self.sum.rows).max(1.0)
    }

    pub(crate) fn alerts_a_find(&self) -> f64 {
        number(self.sum.right + self.sum.wrong) / number(self.sum.found).max(1.0)
    }
}

/// The lowest of some hundred thresholds that stays within a budget of false alerts per 1,000 rows.
pub(crate) fn threshold(series: &[(&Vec<f64>, &Vec<bool>)], budget: f64) -> f64 {
    let mut scores: Vec<f64> =
        series.iter().flat_map(|(scores, _)| scores.iter().copied()).filter(|score| *score > 0.0).collect();
    scores.sort_by(f64::total_cmp);
    let mut best = f64::INFINITY;
    // Ever finer towards the greatest scores. Few of those are alerts.
    for step in 0..200 {
        let kept = number(scores.len()) * 0.5 * 0.95_f64.powi(step);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a number of rows")]
        let rank = scores.len().saturating_sub(kept as usize + 1);
        let Some(threshold) = scores.get(rank).copied() else { return best };
        let judged: Vec<Judged> = series.iter().map(|(scores, labels)| judge(scores, labels, threshold)).collect();
        if Total::of(&judged).false_alerts() <= budget {
            best = threshold;
            break;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_find_counts_once_a_segment_and_a_false_alert_once_a_period() {
        let mut labels = vec![false; 2000];
        labels[720..730].fill(true);
        labels[1200..1300].fill(true);
        labels[10..20].fill(true);
        let mut scores = vec![0.0; 2000];
        for row in [15, 100, 741, 1500, 1501, 1530, 1600] {
            scores[row] = 0.6;
        }
        let judged = judge(&scores, &labels, 0.5);
        // 741 is within twelve rows after the first segment; 1500 to 1511 are one period, 1530 and 1600 two more.
        assert_eq!(judged, Judged { segments: 2, found: 1, right: 1, wrong: 3, rows: 1700 });
        let total = Total::of(&[judged]);
        assert_eq!((total.recall(), total.alerts_a_find()), (0.5, 4.0));
    }

    #[test]
    fn a_threshold_keeps_to_its_budget() {
        let labels = vec![false; 10_000];
        let scores: Vec<f64> = (0..10_000_u32).map(|row| f64::from(row * 7919 % 10_007)).collect();
        let chosen = threshold(&[(&scores, &labels)], 1.0);
        let total = Total::of(&[judge(&scores, &labels, chosen)]);
        assert!(total.false_alerts() <= 1.0 && total.false_alerts() > 0.5, "{}", total.false_alerts());
    }
}
