// What stands beside the chart: figures, parameters, keys, anomalies, findings.
import { useState } from "./vendor.js";
import { html } from "./html.js";
import { count, counted, duration, number, percent, rate, time } from "./format.js";
import { ALERTS } from "./chart.js";

/** @typedef {import("./types.js").Evaluated} Evaluated */
/** @typedef {import("./types.js").ParameterEntry} ParameterEntry */
/** @typedef {import("./types.js").Fault} Fault */

/** @param {{ fault: Fault, id?: string }} props */
export const FaultLine = ({ fault, id }) => html`<div class="fault" role="alert" id=${id}>
  <p>${fault.message}</p>${fault.hint && html`<p class="hint">${fault.hint}</p>`}</div>`;

/** The figures that are always in sight. @param {{ result: Evaluated }} props */
export function Figures({ result }) {
  const { figures: now, comparison } = result;
  const moved = (/** @type {number | null | undefined} */ before, /** @type {string} */ text) =>
    comparison && html`<small class="before">${before === null || before === undefined ? "" : `${text} before`}</small>`;
  const figure = (/** @type {string} */ name, /** @type {string} */ title, /** @type {any} */ value, /** @type {any} */ below) =>
    html`<div class="figure" data-figure=${name}><dt>${title}</dt><dd>${value}${below && html`<small>${below}</small>`}</dd></div>`;
  return html`<dl class="figures" aria-label="Figures">
    ${figure("anomalies", "Anomalies/wk", rate(now.anomalies_a_week), html`${count(now.anomalies)} in all`)}
    ${figure("alerts", now.on_trial ? "Alerts/wk (trial)" : "Alerts/wk", rate(now.alerts_a_week), html`${count(now.alerts)} in all${comparison && ` · ${count(comparison.alerts_before)} before`}`)}
    ${comparison && figure("changes", "vs commit", html`<span class="gained">▲ ${count(comparison.gained)}</span> <span class="lost">✕ ${count(comparison.lost)}</span>`, "gained, lost")}
    ${figure("precision", "Precision", percent(now.precision), moved(comparison?.precision_before, percent(comparison?.precision_before)) || "of the alerts are right")}
    ${figure("recall", "Recall", percent(now.recall), moved(comparison?.recall_before, percent(comparison?.recall_before)) || (now.labels === null ? "no labels yet" : `${now.found} of ${counted(now.labels, "label", "labels")}`))}
    ${figure("delay", "Delay", duration(now.delay_seconds), "from a label's start")}
    ${figure("cost", "Cost/month", `$${now.cost_usd_a_month < 10 ? now.cost_usd_a_month.toFixed(2) : count(Math.round(now.cost_usd_a_month))}`, "email and store")}
  </dl>`;
}

/** The span of a slider: what the header says; where it leaves an end open, a few times the default. @param {ParameterEntry} one */
function span(one) {
  const usual = Number(one.set ?? one.default);
  const reach = Math.abs(usual) || 10;
  const min = one.min ?? usual - reach;
  const max = one.max ?? Math.max(usual + (one.min === null ? reach : 2 * reach), min + 1);
  const step = one.kind === "integer" ? 1 : 10 ** Math.floor(Math.log10((max - min) / 100));
  return { min, max, step };
}

/**
 * @param {{
 *   parameters: ParameterEntry[], set: Record<string, string>, onSet: (name: string, value: string | null) => void,
 *   onKeep: (name: string, value: string) => void, onSweep: (name: string, values: string[]) => void
 * }} props
 */
export function Parameters({ parameters, set, onSet, onKeep, onSweep }) {
  if (parameters.length === 0) return null;
  return html`<section class="parameters" aria-label="Parameters">
    <h2>Parameters</h2>
    ${parameters.map((one) => {
      const usual = one.set ?? one.default;
      const value = set[one.name] ?? usual;
      const changed = value !== usual;
      const id = `parameter-${one.name}`;
      const numeric = one.kind === "double" || one.kind === "integer";
      const { min, max, step } = numeric ? span(one) : { min: 0, max: 0, step: 1 };
      const input = (/** @type {any} */ event) => onSet(one.name, event.target.value === usual ? null : event.target.value);
      return html`<div key=${one.name} class="parameter" data-changed=${changed}>
        <label for=${id} title=${one.description}>${one.name}</label>
        ${numeric && html`<input type="range" class="slider" data-parameter=${one.name} min=${min} max=${max} step=${step} value=${value}
          aria-label=${`${one.name}, slider`} onInput=${input} />`}
        ${one.kind === "boolean"
          ? html`<input id=${id} type="checkbox" checked=${value === "true"} onChange=${(/** @type {any} */ event) => onSet(one.name, String(event.target.checked) === usual ? null : String(event.target.checked))} />`
          : html`<input id=${id} class="value" type=${numeric ? "number" : "text"} step="any" min=${one.min} max=${one.max} value=${value} onInput=${input} />`}
        <span class="tools">
          ${numeric && html`<button class="quiet" data-sweep=${one.name} title="Alerts, precision and recall over its values"
            onClick=${() => onSweep(one.name, sweepValues(one))}>Sweep</button>`}
          ${changed && html`<button class="quiet" data-keep=${one.name} title="Write it into the rule as its default" onClick=${() => onKeep(one.name, value)}>Keep</button>
            <button class="quiet" data-reset=${one.name} title=${`Back to ${usual}`} onClick=${() => onSet(one.name, null)}>Reset</button>`}
        </span>
        ${one.description && html`<small>${one.description}</small>`}
      </div>`;
    })}
  </section>`;
}

/** @param {ParameterEntry} one */
function sweepValues(one) {
  const { min, max } = span(one);
  const values = Array.from({ length: 11 }, (_, n) => min + ((max - min) * n) / 10);
  const text = (/** @type {number} */ n) => (one.kind === "integer" ? String(Math.round(n)) : String(Number(n.toPrecision(6))));
  return [...new Set(values.map(text))];
}

/** @param {{ name: string, rows: import("./types.js").SweepRow[], now: string, onPick: (value: string) => void, onClose: () => void }} props */
export function Sweep({ name, rows, now, onPick, onClose }) {
  const done = rows.filter((row) => row.figures);
  const most = Math.max(...done.map((row) => row.figures?.alerts_a_week ?? 0), 1);
  const values = done.map((row) => Number(row.value));
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const x = (/** @type {string} */ value) => 8 + ((Number(value) - low) / (high - low || 1)) * 284;
  const y = (/** @type {number} */ share) => 92 - share * 84;
  const line = (/** @type {(row: any) => number | null} */ of) =>
    done.map((row) => [x(row.value), of(row.figures)]).filter(([, share]) => share !== null).map(([at, share]) => `${at},${y(Number(share))}`).join(" ");
  return html`<section class="sweep" id="sweep" aria-label=${`Sweep of ${name}`} data-rows=${rows.length}>
    <header><h2>${name}: what each value gives</h2><button class="quiet" onClick=${onClose}>Close</button></header>
    <svg viewBox="0 0 300 100" role="img" aria-label="The table beside it has the same figures">
      <polyline class="alerts" points=${line((f) => f.alerts_a_week / most)} />
      <polyline class="precision" points=${line((f) => f.precision)} />
      <polyline class="recall" points=${line((f) => f.recall)} />
      ${values.includes(Number(now)) && html`<line class="now" x1=${x(now)} x2=${x(now)} y1="4" y2="96" />`}
    </svg>
    <table><thead><tr><th>${name}</th><th class="alerts">alerts a week</th><th class="precision">precision</th><th class="recall">recall</th><th></th></tr></thead>
      <tbody>${rows.map((row) => html`<tr key=${row.value} data-value=${row.value} aria-current=${row.value === now}>
        <td>${row.value}</td>
        ${row.figures
          ? html`<td>${rate(row.figures.alerts_a_week)}</td><td>${percent(row.figures.precision)}</td><td>${percent(row.figures.recall)}</td>`
          : html`<td colspan="3">${row.fault?.message}</td>`}
        <td><button class="quiet" onClick=${() => onPick(row.value)}>Set</button></td></tr>`)}
      </tbody></table>
  </section>`;
}

/** Rows of the table that are drawn before somebody scrolls. */
const PAGE = 60;

/** @param {{ keys: import("./types.js").KeyEntry[], chosen: string | null, compare: boolean, onChoose: (key: string) => void }} props */
export function Keys({ keys, chosen, compare, onChoose }) {
  const [wanted, setWanted] = useState("");
  const [most, setMost] = useState(PAGE);
  const found = keys.filter((one) => one.key.toLowerCase().includes(wanted.toLowerCase()));
  const shown = found.slice(0, most);
  return html`<section class="keys" aria-label="Series">
    <header><h2>Series</h2>
      <input type="search" placeholder=${`Find one of ${count(keys.length)}`} aria-label="Find a series" value=${wanted}
        onInput=${(/** @type {any} */ event) => setWanted(event.target.value)} /></header>
    <div class="scroll" tabindex="0" role="group" aria-label="Series, those with most anomalies first"
      onScroll=${(/** @type {any} */ event) => { const box = event.target; if (box.scrollTop + box.clientHeight > box.scrollHeight - 80 && most < found.length) setMost(most + PAGE); }}>
    <table><thead><tr><th>key</th><th>anomalies</th><th>alerts</th>${compare && html`<th>gained</th><th>lost</th>`}<th>readings</th></tr></thead>
      <tbody>${shown.map((one) => html`<tr key=${one.key} data-key=${one.key} aria-current=${one.key === chosen}>
        <td><button class="link" onClick=${() => onChoose(one.key)}>${one.key}</button></td>
        <td>${count(one.anomalies)}</td><td>${count(one.alerts)}</td>
        ${compare && html`<td class="gained">${one.gained || ""}</td><td class="lost">${one.lost || ""}</td>`}
        <td>${one.readings === null ? "–" : count(one.readings)}</td></tr>`)}
      </tbody></table></div>
  </section>`;
}

/** @param {{ marks: import("./types.js").Mark[], keyName: string, chosen: string | null, onChoose: (id: string | null) => void }} props */
export function AnomalyTable({ marks, keyName, chosen, onChoose }) {
  const shown = marks.slice(0, 200);
  return html`<details class="anomalies" open=${chosen !== null}>
    <summary>${counted(marks.length, "anomaly", "anomalies")} of ${keyName} in this range, as a table</summary>
    <table><thead><tr><th>time (UTC)</th><th>value</th><th>expected</th><th>score</th><th>alert</th><th>details</th></tr></thead>
      <tbody>${shown.map((mark) => html`<tr key=${mark.id} data-id=${mark.id} data-change=${mark.change} aria-current=${mark.id === chosen}>
        <td><button class="link" onClick=${() => onChoose(mark.id === chosen ? null : mark.id)}>${time(mark.time)}</button></td>
        <td>${number(mark.value)}</td><td>${number(mark.expected)}</td><td>${number(mark.score)}</td>
        <td>${mark.change === "lost" ? "lost" : ALERTS[mark.alert]}${mark.change === "gained" ? " · gained" : ""}${mark.right === null ? "" : mark.right ? " · labelled" : " · no label"}</td>
        <td class="details">${Object.entries(mark.details).map(([name, value]) => `${name} ${typeof value === "number" ? number(value) : typeof value === "string" ? value : JSON.stringify(value)}`).join(", ")}</td></tr>`)}
      </tbody></table>
    ${marks.length > shown.length && html`<p class="muted">and ${count(marks.length - shown.length)} more: zoom in to see them</p>`}
  </details>`;
}

/** @param {{ findings: import("./types.js").FindingEntry[] }} props */
export function Findings({ findings }) {
  const notes = findings.filter((one) => one.level === "info");
  const faults = findings.filter((one) => one.level !== "info");
  const line = (/** @type {import("./types.js").FindingEntry} */ one, /** @type {number} */ at) => html`<div key=${at} class="finding" data-level=${one.level} data-code=${one.code}>
      <p><b>${one.level}</b> ${one.line > 0 && html`<span class="muted">${one.line}:${one.column}</span> `}${one.message} <code>${one.code}</code></p>
      ${one.hint && html`<p class="hint">${one.hint}</p>`}</div>`;
  return html`<section class="findings" id="findings" aria-label="Findings" aria-live="polite" data-findings=${findings.length}
      data-errors=${findings.filter((one) => one.level === "error").length}>
    ${faults.length === 0 && html`<p class="well">weir check has nothing against it</p>`}
    ${faults.map(line)}
    ${notes.length > 0 && html`<details class="notes"><summary>${counted(notes.length, "note", "notes")}</summary>${notes.map(line)}</details>`}
  </section>`;
}

/** Lines that differ, with a few around them. @param {{ before: string | null, after: string }} props */
export function Difference({ before, after }) {
  if (before === null) return html`<p class="muted pad">The last commit does not have this file.</p>`;
  const rows = difference(before.split("\n"), after.split("\n"));
  if (rows.every(([sign]) => sign === " ")) return html`<p class="muted pad">The same as in the last commit.</p>`;
  const near = rows.map((_, at) => rows.slice(Math.max(at - 3, 0), at + 4).some(([sign]) => sign !== " "));
  return html`<pre class="difference" id="difference" tabindex="0">${rows.map(([sign, line], at) => near[at]
    ? html`<span key=${at} data-sign=${sign}>${sign} ${line}\n</span>` : !near[at - 1] ? null : html`<span key=${at} class="muted">…\n</span>`)}</pre>`;
}

/** The shortest way from one list of lines to another. @param {string[]} a @param {string[]} b @returns {[string, string][]} */
export function difference(a, b) {
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head += 1;
  let tail = 0;
  while (tail < a.length - head && tail < b.length - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail += 1;
  const [old, now] = [a.slice(head, a.length - tail), b.slice(head, b.length - tail)];
  const common = Array.from({ length: old.length + 1 }, () => new Uint32Array(now.length + 1));
  for (let i = old.length - 1; i >= 0; i -= 1) {
    for (let j = now.length - 1; j >= 0; j -= 1) {
      common[i][j] = old[i] === now[j] ? common[i + 1][j + 1] + 1 : Math.max(common[i + 1][j], common[i][j + 1]);
    }
  }
  /** @type {[string, string][]} */
  const rows = a.slice(0, head).map((line) => [" ", line]);
  let [i, j] = [0, 0];
  while (i < old.length || j < now.length) {
    if (i < old.length && j < now.length && old[i] === now[j]) rows.push([" ", old[(i += 1, j += 1, i - 1)]]);
    else if (j < now.length && (i >= old.length || common[i][j + 1] > common[i + 1][j])) rows.push(["+", now[j++]]);
    else rows.push(["−", old[i++]]);
  }
  for (const line of a.slice(a.length - tail)) rows.push([" ", line]);
  return rows;
}
