// The types of what crosses the wire: crates/studio/src/api/contract.rs in the page's words. A test in Rust holds the names of
// the fields equal.

/** @typedef {{ message: string, hint: string | null }} Fault */
/**
 * @template T
 * @typedef {{ state: "running", share: number | null, doing: string } | { state: "done", result: T } | ({ state: "failed" } & Fault)} Progress
 */
/** @typedef {{ name: string, environment: string, running: string | null, rules: RuleEntry[], streams: string[], history: HistorySummary | null, open: string | null, evaluations: number }} Project */
/** @typedef {{ name: string, path: string, tests_path: string, cases: string[], severity: string | null, stage: string | null, description: string }} RuleEntry */
/** @typedef {{ path: string, text: string, version: string, head: string | null }} FileText */
/** @typedef {{ state: "saved", version: string } | { state: "conflict", text: string, version: string | null }} Saved */
/** @typedef {{ findings: FindingEntry[], parameters: ParameterEntry[] }} Checked */
/** @typedef {{ code: string, level: string, line: number, column: number, message: string, hint: string | null }} FindingEntry */
/** @typedef {{ name: string, kind: string, default: string, set: string | null, min: number | null, max: number | null, description: string }} ParameterEntry */
/** @typedef {{ views: ViewEntry[], functions: FunctionEntry[] }} Vocabulary */
/** @typedef {{ name: string, columns: [string, string][] }} ViewEntry */
/** @typedef {{ name: string, kind: string, syntax: string, description: string }} FunctionEntry */
/** @typedef {{ name: string, events: number, first: number, last: number, days: number, sampling: number, series: number, labels: number, labels_file: string, notes: string[] }} HistorySummary */
/** @typedef {{ tab: string, path: string, text: string, parameters: Record<string, string>, compare: boolean }} EvaluateRequest */
/** @typedef {{ evaluation: number, rule: string, took: number, figures: Figures, comparison: ComparisonFigures | null, comparison_fault: Fault | null, keys: KeyEntry[], lane: Lane, starved: Fault[], warnings: string[], report: unknown }} Evaluated */
/** @typedef {{ anomalies: number, alerts: number, anomalies_a_week: number, alerts_a_week: number, on_trial: boolean, labels: number | null, found: number | null, precision: number | null, recall: number | null, delay_seconds: number | null, cost_usd_a_month: number }} Figures */
/** @typedef {{ gained: number, lost: number, alerts_before: number, precision_before: number | null, recall_before: number | null }} ComparisonFigures */
/** @typedef {{ key: string, readings: number | null, anomalies: number, alerts: number, gained: number, lost: number }} KeyEntry */
/** @typedef {{ from: number, to: number, rows: [string, number[]][] }} Lane */
/** @typedef {{ key: string, is_series: boolean, x: number[], y: (number | null)[], readings: number, expected: ExpectedLine[] | null, marks: Mark[], labels: LabelEntry[] }} Chart */
/** @typedef {{ name: string, x: number[], expected: number[], lower: (number | null)[], upper: (number | null)[], value: (number | null)[] }} ExpectedLine */
/** @typedef {{ id: string, key: string, time: number, x: number, y: number | null, window_start: number | null, window_end: number | null, value: number | null, expected: number | null, score: number, alert: string, change: string, right: boolean | null, details: Record<string, unknown> }} Mark */
/** @typedef {{ all: number, anomalies: Mark[] }} Anomalies */
/** @typedef {{ index: number, kind: string, source: string, metric: string | null, start: number, end: number, own: boolean }} LabelEntry */
/** @typedef {{ value: string, figures: Figures | null, fault: Fault | null }} SweepRow */
/** @typedef {{ path: string, text: string, records: number, of: number, expects: number }} CaseMade */
/** @typedef {{ case: string, passed: boolean, took: number, said: string | null }} TestOutcome */

export {};

/** @typedef {{ name: string, status: { stack: string, well: boolean, parts: { part: string, state: string, well: boolean, said: string }[] } | null, pipelines: any[] | null, pipelines_fault: Fault | null, fault: Fault | null }} RunningStatus */
/** @typedef {{ id: string, rule: string, rule_version: string, severity: string, key: string, time: number, window_start: number | null, window_end: number | null, value: number | null, expected: number | null, score: number, description: string, owner: string, runbook: string, details: Record<string, unknown>, disposition: string | null, first_seen: number | null, times_seen: number | null, alert_id: string | null }} StoredEntry */
/** @typedef {{ anomalies: StoredEntry[], next: number | null }} StoredPage */
/** @typedef {{ anomaly: StoredEntry, rule_text: string | null, found_in: string | null, environments: string[], parameters: [string, string][] }} Explanation */
/** @typedef {{ series: ExplainedSeries[], said: string, same: boolean }} Recomputation */
/** @typedef {{ name: string, x: number[], y: number[] }} ExplainedSeries */
/** @typedef {{ id: string, rule: string, key: string, severity: string, state: string, since: number, until: number, first_id: string }} OpenAlert */
/** @typedef {{ id: string, rule: string, key: string, until: number, who: string, why: string }} SilenceEntry */
