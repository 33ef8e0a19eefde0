//! What the alerts would cost in a month.

use serde::Serialize;

/// Days in a month, on average.
const DAYS: f64 = 30.44;
/// Where the prices are from. USD, list, us-east-1, without free tiers; SMS in one part and without the carrier's fee.
pub(super) const PRICES: &str = "list prices of us-east-1, June 2026, without free tiers; SMS to the US in one part, without carrier fees, from memory";
const PUBLISH: f64 = 0.50 / 1e6;
const EMAIL: f64 = 2.00 / 1e5;
const HTTP: f64 = 0.60 / 1e6;
const SMS_US: f64 = 0.006_45;
const DYNAMODB_WRITE: f64 = 0.625 / 1e6;
/// The item and its two indexes.
const WRITES_PER_ANOMALY: f64 = 3.0;
/// Put as due, marked sent, closed with the count: each the item and one index, which moves by a delete and a put.
const WRITES_PER_ALERT: f64 = 8.0;

/// USD a month, for one subscriber of each kind.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Cost {
    pub(super) alerts_a_month: f64,
    pub(super) email: f64,
    pub(super) sms_us: f64,
    pub(super) http: f64,
    pub(super) store: f64,
}

impl Cost {
    /// From what `days` of history gave.
    pub(super) fn of(anomalies: usize, alerts: usize, days: f64) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "an estimate")]
        let a_month = |count: usize| count as f64 / days * DAYS;
        let (anomalies, alerts) = (a_month(anomalies), a_month(alerts));
        Self {
            alerts_a_month: alerts,
            email: alerts * (PUBLISH + EMAIL),
            sms_us: alerts * (PUBLISH + SMS_US),
            http: alerts * (PUBLISH + HTTP),
            store: (anomalies * WRITES_PER_ANOMALY + alerts * WRITES_PER_ALERT) * DYNAMODB_WRITE,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_alerts_a_month_cost_what_the_price_list_says() {
        let cost = Cost::of(3000, 1000, DAYS);
        assert!((cost.alerts_a_month - 1000.0).abs() < 1e-9);
        assert!((cost.email - 0.0205).abs() < 1e-9);
        assert!((cost.sms_us - 6.4505).abs() < 1e-9);
        assert!((cost.store - 17_000.0 * 0.625 / 1e6).abs() < 1e-9);
    }
}
