// What was found: the store's anomalies by rule or key over time, down to one of them and why it is one.
import { useEffect, useMemo, useState } from "./vendor.js";
import { html } from "./html.js";
import { faultOf, get, isAbort, progress } from "./api.js";
import { counted, number, time } from "./format.js";
import { LaneView } from "./lane.js";
import { Entries } from "./liveview.js";
import { FaultLine } from "./panels.js";
import * as place from "./state.js";

/** @typedef {import("./types.js").StoredEntry} StoredEntry */

/** Parts into which the lane cuts the time, and how many rows it has. */
const PARTS = 120;
const ROWS = 24;
/** Rows of the table. */
const LISTED = 200;

/** @param {{ project: import("./types.js").Project }} props */
export function HistoryView({ project }) {
  const start = useMemo(place.read, []);
  const [by, setBy] = useState(/** @type {{ rule: string | null, key: string | null }} */ ({ rule: start.of ?? null, key: start.key ?? null }));
  const [entries, setEntries] = useState(/** @type {StoredEntry[] | null} */ (null));
  const [older, setOlder] = useState(/** @type {Record<string, number>} */ ({}));
  const [range, setRange] = useState(/** @type {{ from: number, to: number } | null} */ (null));
  const [severity, setSeverity] = useState("");
  const [fault, setFault] = useState(/** @type {import("./types.js").Fault | null} */ (null));
  const [chosen, setChosen] = useState(/** @type {string | null} */ (start.anomaly ?? null));
  const rules = by.rule ? [by.rule] : project.rules.map((rule) => rule.name);

  useEffect(() => {
    const moved = () => setChosen(place.read().anomaly ?? null);
    addEventListener("popstate", moved);
    return () => removeEventListener("popstate", moved);
  }, []);

  const load = async (/** @type {boolean} */ more) => {
    const questions = by.key ? [`key=${encodeURIComponent(by.key)}`] : rules.map((rule) => `rule=${encodeURIComponent(rule)}`);
    const asked = more ? questions.filter((one) => older[one] !== undefined) : questions;
    try {
      const pages = await Promise.all(asked.map((one) => get(`stored?${one}&most=2000${more ? `&before=${older[one]}` : ""}`)));
      const next = /** @type {Record<string, number>} */ ({});
      asked.forEach((one, at) => { if (pages[at].next !== null) next[one] = pages[at].next; });
      setOlder(next);
      const found = pages.flatMap((page) => page.anomalies);
      setEntries((before) => {
        const all = new Map((more ? before ?? [] : []).concat(found).map((one) => [one.id, one]));
        return [...all.values()].sort((a, b) => b.time - a.time);
      });
      setFault(null);
    } catch (error) {
      setFault(faultOf(error));
    }
  };
  useEffect(() => {
    if (project.running) load(false);
  }, [by.rule, by.key]);

  const wanted = useMemo(() => (entries ?? []).filter((one) => (severity === "" || one.severity === severity) && (!by.key || !by.rule || one.rule === by.rule)), [entries, severity, by]);
  const lane = useMemo(() => laneOf(wanted, by.rule || by.key ? (one) => one.key : (one) => one.rule), [wanted, by]);
  const listed = wanted.filter((one) => !range || (one.time >= range.from && one.time <= range.to));
  const choose = (/** @type {string | null} */ id) => {
    setChosen(id);
    place.write({ anomaly: id });
  };
  const go = (/** @type {{ rule: string | null, key: string | null }} */ next) => {
    setBy(next);
    setRange(null);
    place.write({ of: next.rule, key: next.key }, true);
  };

  if (!project.running) {
    return html`<section class="pad empty-view"><h2>Nothing that runs was named</h2>
      <p class="muted">Start with <code>weir studio --stack NAME</code> for a local stack, or <code>--env NAME</code> for what was deployed.</p></section>`;
  }
  return html`<div class="stored" id="stored" data-anomalies=${entries ? wanted.length : null}>
    <header class="bar">
      <nav class="crumbs" aria-label="Where you are"><button class="link" onClick=${() => go({ rule: null, key: null })}>all rules</button>
        ${by.rule && html` › <button class="link" onClick=${() => go({ rule: by.rule, key: null })}>${by.rule}</button>`}${by.key && html` › <b>${by.key}</b>`}
        ${range && html` › <span>${time(range.from)} to ${time(range.to)}</span> <button class="quiet" onClick=${() => setRange(null)}>all times</button>`}</nav>
      <span class="grow"></span>
      <label class="switch">severity <select value=${severity} onChange=${(/** @type {any} */ event) => setSeverity(event.target.value)}><option value="">all</option><option>info</option><option>warning</option><option>critical</option></select></label>
      <button class="quiet" onClick=${() => load(false)}>Look again</button>
    </header>
    ${fault && html`<${FaultLine} fault=${fault} id="stored-fault" />`}
    ${chosen && html`<${Explain} key=${chosen} id=${chosen} onClose=${() => choose(null)} />`}
    ${entries && wanted.length === 0 && html`<p class="pad muted">The store has no anomalies here.</p>`}
    ${lane && html`<${LaneView} lane=${lane} chosen=${by.key ?? by.rule} view=${range ?? { from: lane.from, to: lane.to }}
      onChoose=${(/** @type {string} */ name, /** @type {number} */ from, /** @type {number} */ to) => {
        const whole = from <= lane.from && to >= lane.to;
        if (by.rule || by.key) setBy({ ...by, key: name });
        else setBy({ rule: name, key: null });
        place.write(by.rule || by.key ? { key: name } : { of: name }, true);
        setRange(whole ? null : { from, to });
      }} />`}
    ${listed.length > 0 && html`<section class="card"><header><h2>${counted(listed.length, "anomaly", "anomalies")}</h2><span class="grow"></span>
      ${Object.keys(older).length > 0 && html`<button class="quiet" id="older" onClick=${() => load(true)}>Load older ones</button>`}</header>
      <div class="scroll tall"><${Entries} entries=${listed.slice(0, LISTED)} chosen=${chosen} onChoose=${choose} /></div>
      ${listed.length > LISTED && html`<p class="muted">the newest ${LISTED} are listed; choose a cell of the lane to see others</p>`}</section>`}
  </div>`;
}

/** @param {StoredEntry[]} entries @param {(one: StoredEntry) => string} row @returns {import("./types.js").Lane | null} */
function laneOf(entries, row) {
  if (entries.length === 0) return null;
  const [from, to] = [entries[entries.length - 1].time, entries[0].time + 1000];
  /** @type {Map<string, number[]>} */
  const rows = new Map();
  for (const one of entries) {
    const counts = rows.get(row(one)) ?? new Array(PARTS).fill(0);
    counts[Math.min(Math.floor(((one.time - from) / (to - from)) * PARTS), PARTS - 1)] += 1;
    rows.set(row(one), counts);
  }
  const sum = (/** @type {number[]} */ counts) => counts.reduce((a, b) => a + b, 0);
  return { from, to, rows: [...rows].sort((a, b) => sum(b[1]) - sum(a[1])).slice(0, ROWS) };
}

/** An anomaly, the rule of its version, and the same computed again. @param {{ id: string, onClose: () => void }} props */
function Explain({ id, onClose }) {
  const [known, setKnown] = useState(/** @type {import("./types.js").Explanation | null} */ (null));
  const [again, setAgain] = useState(/** @type {import("./types.js").Recomputation | null} */ (null));
  const [doing, setDoing] = useState("");
  const [fault, setFault] = useState(/** @type {import("./types.js").Fault | null} */ (null));
  useEffect(() => {
    const ended = new AbortController();
    get(`stored/${encodeURIComponent(id)}`, ended.signal).then(setKnown, (error) => isAbort(error) || setFault(faultOf(error)));
    return () => ended.abort();
  }, [id]);
  const compute = async () => {
    setFault(null);
    try {
      setAgain(await progress(`stored/${encodeURIComponent(id)}`, null, (_, said) => setDoing(said)));
    } catch (error) {
      setFault(faultOf(error));
    } finally {
      setDoing("");
    }
  };
  const one = known?.anomaly;
  const row = (/** @type {string} */ name, /** @type {any} */ value) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`;
  return html`<section class="card explain" id="explain" aria-label="Anomaly" data-id=${id} data-known=${known !== null} data-same=${again?.same}>
    <header><h2>${one ? html`${one.rule} · ${one.key}` : id}</h2><span class="grow"></span>
      <button id="compute-again" disabled=${doing !== ""} onClick=${compute}>${doing || "Compute it again"}</button><button class="quiet" onClick=${onClose}>Close</button></header>
    ${fault && html`<${FaultLine} fault=${fault} />`}
    ${one && html`<p>${one.description}</p><dl class="facts">
      ${row("severity", one.severity)}
      ${row(one.window_start === null ? "time" : "window", one.window_start === null ? time(one.time) : `${time(one.window_start)} to ${time(Number(one.window_end))}`)}
      ${row("value", number(one.value))}${row("expected", number(one.expected))}${row("score", number(one.score))}
      ${row("alert", `${(one.disposition ?? "").replace("_", " ")}${one.alert_id ? ` ${one.alert_id}` : ""}`)}
      ${row("seen", `${time(Number(one.first_seen))}, ${counted(Number(one.times_seen), "time", "times")}`)}
      ${row("owner", one.owner)}${row("runbook", one.runbook)}${row("version", one.rule_version)}
      ${Object.entries(one.details).map(([name, value]) => row(name, typeof value === "string" ? value : JSON.stringify(value)))}</dl>`}
    ${again && html`<p id="computed">${again.said}</p>${again.series.map((series) => html`<${Spark} key=${series.name} series=${series} one=${one} />`)}`}
    ${known && (known.rule_text
      ? html`<details><summary>The rule as it was (${known.found_in}${known.environments.length ? `, environment ${known.environments.join(", ")}` : ""})</summary>
          <p class="muted">${known.parameters.map(([name, value]) => `\${${name}} = ${value}`).join("   ")}</p><pre>${known.rule_text}</pre></details>`
      : html`<p class="muted">The rule's text of this version is neither in this checkout nor in its history.</p>`)}
  </section>`;
}

/** The events of a series around an anomaly. @param {{ series: import("./types.js").ExplainedSeries, one: StoredEntry | undefined }} props */
function Spark({ series, one }) {
  if (series.x.length === 0) return html`<p class="muted">${series.name}: no events are kept of this time</p>`;
  const [x0, x1] = [series.x[0], series.x[series.x.length - 1]];
  const [low, high] = [Math.min(...series.y), Math.max(...series.y)];
  const x = (/** @type {number} */ at) => Math.min(Math.max(((at - x0) / (x1 - x0 || 1)) * 600, 0), 600);
  const y = (/** @type {number} */ value) => 100 - ((value - low) / (high - low || 1)) * 92;
  return html`<figure class="spark"><figcaption>${series.name}: ${counted(series.x.length, "event", "events")}, ${number(low)} to ${number(high)}</figcaption>
    <svg viewBox="0 0 600 104" preserveAspectRatio="none" role="img" aria-label=${`${series.name} around the anomaly`}>
      ${one && one.window_start !== null && html`<rect class="label" x=${x(one.window_start)} y="0" width=${x(Number(one.window_end)) - x(one.window_start)} height="104" />`}
      <polyline points=${series.x.map((at, n) => `${x(at)},${y(series.y[n])}`).join(" ")} /></svg></figure>`;
}
