//! The alerter: persists each anomaly once and alerts what is new.
