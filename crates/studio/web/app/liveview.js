// What runs: its parts, anomalies as they come, open alerts, silences and quarantine.
import { useCallback, useEffect, useRef, useState } from "./vendor.js";
import { html } from "./html.js";
import { faultOf, follow, get, isAbort, post, remove } from "./api.js";
import { counted, duration, number, time } from "./format.js";
import { FaultLine } from "./panels.js";
import * as place from "./state.js";

/** @typedef {import("./types.js").Fault} Fault */
/** @typedef {import("./types.js").StoredEntry} StoredEntry */

/** Anomalies of the tail that are kept on the page. */
const KEPT = 300;
/** How often what does not come by itself is asked for. */
const LOOK_EVERY = 5000;

/** A question that is asked again and again while the page is seen. @template T @param {string} path @returns {{ found: T | null, fault: Fault | null, look: () => Promise<void>, set: (found: T) => void }} */
function useLook(path) {
  const [found, setFound] = useState(/** @type {any} */ (null));
  const [fault, setFault] = useState(/** @type {Fault | null} */ (null));
  const busy = useRef(false);
  const look = useCallback(async () => {
    // One at a time: what is slow to answer is not asked again meanwhile.
    if (busy.current) return;
    busy.current = true;
    try {
      setFound(await get(path));
      setFault(null);
    } catch (error) {
      setFault(faultOf(error));
    } finally {
      busy.current = false;
    }
  }, [path]);
  useEffect(() => {
    look();
    const timer = setInterval(() => document.hidden || look(), LOOK_EVERY);
    return () => clearInterval(timer);
  }, [look]);
  return { found, fault, look, set: setFound };
}

/** @param {{ project: import("./types.js").Project }} props */
export function LiveView({ project }) {
  if (!project.running) {
    return html`<section class="pad empty-view"><h2>Nothing that runs was named</h2>
      <p class="muted">Start with <code>weir studio --stack NAME</code> for a local stack, or <code>--env NAME</code> for what was deployed.</p></section>`;
  }
  return html`<div class="cards" data-running=${project.running}>
    <${Parts} />
    <${Tail} />
    <${Alerts} />
    <${Silences} />
    <${Quarantine} />
  </div>`;
}

/** @param {{ id: string, title: string, tools?: any, children?: any, fault?: Fault | null, data?: Record<string, unknown> }} props */
const Card = ({ id, title, tools, children, fault, data }) => html`<section class="card" id=${id} aria-label=${title} ...${data}>
  <header><h2>${title}</h2><span class="grow"></span>${tools}</header>
  ${fault && html`<${FaultLine} fault=${fault} />`}${children}</section>`;

function Parts() {
  const { found, fault } = useLook("running");
  const status = /** @type {import("./types.js").RunningStatus | null} */ (found);
  return html`<${Card} id="parts" title=${status?.name ?? "What runs"} fault=${fault ?? status?.fault} data=${{ "data-well": status?.status?.well }}>
    ${status?.status && html`<ul class="parts">${status.status.parts.map((part) => html`<li key=${part.part} data-well=${part.well}>
      <i aria-label=${part.well ? "well" : "not well"}>${part.well ? "✓" : "!"}</i><b>${part.part}</b><span>${part.said}</span></li>`)}</ul>`}
    ${status?.pipelines && html`<ul class="parts" id="pipelines" data-pipelines=${status.pipelines.length}>${status.pipelines.map((one) => html`<li key=${one.id} data-well=${one.well}>
      <i aria-label=${one.well ? "well" : "not well"}>${one.well ? "✓" : "!"}</i><b>${one.name}</b><span>${pipelineText(one)}</span></li>`)}</ul>
      ${status.pipelines.length === 0 && html`<p class="muted">No rules are deployed: <code>weir apply</code> does.</p>`}`}
    ${status?.pipelines_fault && html`<${FaultLine} fault=${status.pipelines_fault} id="pipelines-fault" />`}
    ${status && !status.status && html`<p class="muted">Arroyo's own page: <code>weir ui</code>.</p>`}
  </${Card}>`;
}

/** What is known of a pipeline, in words. @param {any} one */
function pipelineText(one) {
  const known = [one.state, one.parallelism !== null && `parallelism ${one.parallelism}`,
    one.checkpoint_age_seconds !== null && `checkpoint ${duration(one.checkpoint_age_seconds)} ago`,
    one.events_per_second !== null && `${number(one.events_per_second)} events/s`,
    one.restarts > 0 && counted(one.restarts, "restart", "restarts"), ...one.problems, ...one.errors];
  return known.filter(Boolean).join(", ");
}

function Tail() {
  const [shown, setShown] = useState(/** @type {StoredEntry[]} */ ([]));
  const [held, setHeld] = useState(/** @type {StoredEntry[]} */ ([]));
  const [paused, setPaused] = useState(false);
  const [state, setState] = useState("connecting");
  const [fault, setFault] = useState(/** @type {Fault | null} */ (null));
  const [round, setRound] = useState(0);
  const isPaused = useRef(false);
  isPaused.current = paused;
  useEffect(() => {
    const ended = new AbortController();
    follow("tail", (/** @type {import("./types.js").Progress<StoredEntry>} */ event) => {
      if (event.state === "running") setState("listening");
      else if (event.state === "failed") setFault(event);
      else {
        const add = (/** @type {StoredEntry[]} */ all) => (all.some((one) => one.id === event.result.id) ? all : [event.result, ...all].slice(0, KEPT));
        if (isPaused.current) setHeld(add);
        else setShown(add);
      }
    }, () => setState("reconnecting"), ended.signal).then(() => setState("ended"), (error) => { if (!isAbort(error)) { setFault(faultOf(error)); setState("ended"); } });
    return () => ended.abort();
  }, [round]);
  const resume = () => {
    setShown((all) => [...held.filter((one) => !all.some((other) => other.id === one.id)), ...all].slice(0, KEPT));
    setHeld([]);
    setPaused(false);
  };
  const tools = html`<span class="muted" role="status">${paused ? `${counted(held.length, "new one", "new ones")} wait` : state}</span>
    ${state === "ended" && html`<button onClick=${() => { setFault(null); setState("connecting"); setRound(round + 1); }}>Listen again</button>`}
    <button id="pause" aria-pressed=${paused} onClick=${() => (paused ? resume() : setPaused(true))}>${paused ? "Go on" : "Pause"}</button>`;
  return html`<${Card} id="tail" title="Anomalies as they come" tools=${tools} fault=${fault} data=${{ "data-state": paused ? "paused" : state, "data-shown": shown.length, "data-held": held.length }}>
    ${shown.length === 0 ? html`<p class="muted">None since this page was opened.</p>` : html`<div class="scroll"><${Entries} entries=${shown} /></div>`}
  </${Card}>`;
}

/** @param {{ entries: StoredEntry[], chosen?: string | null, onChoose?: (id: string) => void }} props */
export function Entries({ entries, chosen, onChoose }) {
  const open = onChoose ?? ((id) => { place.write({ view: "history", anomaly: id }, true); dispatchEvent(new Event("popstate")); });
  return html`<table><thead><tr><th>time (UTC)</th><th>rule</th><th>key</th><th>value</th><th>expected</th><th>score</th><th>alert</th></tr></thead>
    <tbody>${entries.map((one) => html`<tr key=${one.id} data-id=${one.id} aria-current=${one.id === chosen}>
      <td><button class="link" onClick=${() => open(one.id)}>${time(one.time)}</button></td>
      <td class="left"><i class="dot" data-severity=${one.severity} title=${one.severity}></i> ${one.rule}</td><td class="left wide">${one.key}</td>
      <td>${number(one.value)}</td><td>${number(one.expected)}</td><td>${number(one.score)}</td><td>${(one.disposition ?? "").replace("_", " ")}</td></tr>`)}</tbody></table>`;
}

function Alerts() {
  const { found, fault } = useLook("alerts");
  const alerts = /** @type {import("./types.js").OpenAlert[]} */ (found ?? []);
  return html`<${Card} id="alerts" title=${`Open alerts${found ? ` (${alerts.length})` : ""}`} fault=${fault} data=${{ "data-alerts": found ? alerts.length : null }}>
    ${found && alerts.length === 0 && html`<p class="muted">None.</p>`}
    ${alerts.length > 0 && html`<div class="scroll"><table><thead><tr><th>since (UTC)</th><th>rule</th><th>key</th><th>state</th><th>period ends</th></tr></thead>
      <tbody>${alerts.map((one) => html`<tr key=${one.id}><td><button class="link" onClick=${() => { place.write({ view: "history", anomaly: one.first_id }, true); dispatchEvent(new Event("popstate")); }}>${time(one.since)}</button></td>
        <td class="left">${one.rule}</td><td class="left wide">${one.key}</td><td>${one.state}</td><td>${time(one.until)}</td></tr>`)}</tbody></table></div>`}
  </${Card}>`;
}

function Silences() {
  const { found, fault, set } = useLook("silences");
  const [asked, setAsked] = useState(/** @type {any} */ (null));
  const [refused, setRefused] = useState(/** @type {Fault | null} */ (null));
  const silences = /** @type {import("./types.js").SilenceEntry[]} */ (found ?? []);
  const act = async (/** @type {() => Promise<any>} */ doing) => {
    try {
      set(await doing());
      setRefused(null);
      setAsked(null);
    } catch (error) {
      setRefused(faultOf(error));
    }
  };
  /** @param {SubmitEvent} event */
  const submit = (event) => {
    event.preventDefault();
    const form = new FormData(/** @type {HTMLFormElement} */ (event.target));
    const text = (/** @type {string} */ name) => String(form.get(name) ?? "").trim();
    const wanted = { rule: text("rule") || "*", key: text("key") || "*", lasts: text("lasts"), why: text("why") };
    setAsked({ text: `Silence rule ${wanted.rule}, key ${wanted.key}, for ${wanted.lasts}? Anomalies are stored, nobody is alerted.`, doing: () => post("silences", wanted) });
  };
  return html`<${Card} id="silences" title=${`Silences${found ? ` (${silences.length})` : ""}`} fault=${refused ?? fault} data=${{ "data-silences": found ? silences.length : null }}>
    ${silences.map((one) => html`<p key=${one.id} class="silence" data-id=${one.id}><span><b>${one.rule}</b> ${one.key}<br /><small>until ${time(one.until)}, by ${one.who}: ${one.why}</small></span>
      <button class="quiet" onClick=${() => setAsked({ text: `End the silence of rule ${one.rule}, key ${one.key}?`, doing: () => remove(`silences/${encodeURIComponent(one.id)}`) })}>End</button></p>`)}
    <form class="silence-form" onSubmit=${submit}>
      <label>Rule<input name="rule" placeholder="*" /></label><label>Key<input name="key" placeholder="*" /></label>
      <label>For<input name="lasts" required placeholder="2h" /></label><label>Why<input name="why" required /></label>
      <button type="submit" id="silence">Silence</button></form>
    ${asked && html`<${Ask} asked=${asked} onYes=${() => act(asked.doing)} onNo=${() => setAsked(null)} />`}
  </${Card}>`;
}

/** Asked once, before anything changes. @param {{ asked: { text: string }, onYes: () => void, onNo: () => void }} props */
function Ask({ asked, onYes, onNo }) {
  const yes = useRef(/** @type {HTMLButtonElement | null} */ (null));
  useEffect(() => yes.current?.focus(), []);
  return html`<div class="ask" role="alertdialog" aria-label="Are you sure?"><p>${asked.text}</p>
    <button class="primary" id="yes" ref=${yes} onClick=${onYes}>Yes</button><button onClick=${onNo}>No</button></div>`;
}

function Quarantine() {
  const [found, setFound] = useState(/** @type {any[] | null} */ (null));
  const [fault, setFault] = useState(/** @type {Fault | null} */ (null));
  const [busy, setBusy] = useState(false);
  const [asked, setAsked] = useState(/** @type {any} */ (null));
  const act = async (/** @type {() => Promise<any>} */ doing) => {
    setBusy(true);
    try {
      setFound(await doing());
      setFault(null);
    } catch (error) {
      setFault(faultOf(error));
    } finally {
      setBusy(false);
      setAsked(null);
    }
  };
  // A look hides the messages from others for a moment: it is made when somebody asks, not again and again.
  const tools = html`<button id="look" disabled=${busy} onClick=${() => act(() => get("quarantine"))}>${busy ? "Looking …" : found ? "Look again" : "Look"}</button>`;
  return html`<${Card} id="quarantine" title="Quarantine" tools=${tools} fault=${fault} data=${{ "data-records": found ? found.length : null }}>
    ${found === null && html`<p class="muted">Records that were no events, with their bytes. Looking leaves them there.</p>`}
    ${found?.length === 0 && html`<p class="muted">It is empty.</p>`}
    ${found?.map((one) => html`<div key=${one.record_id ?? one.message_id} class="record" data-record=${one.record_id}>
      <p><b>${one.reason}</b> ${one.error}</p><pre>${one.text ?? one.base64}</pre>
      <p class="muted">${one.stream} ${one.quarantined_at}
        ${one.whole && html`<button class="quiet" data-send=${one.record_id} onClick=${() => setAsked({ text: `Put this record back on ${one.stream}?`, doing: () => post("quarantine", { record_id: one.record_id, stream: one.stream }) })}>Send again</button>`}</p></div>`)}
    ${asked && html`<${Ask} asked=${asked} onYes=${() => act(asked.doing)} onNo=${() => setAsked(null)} />`}
  </${Card}>`;
}
