// The history that rules are tried on: chosen once, read once.
import { useEffect, useRef, useState } from "./vendor.js";
import { html } from "./html.js";
import { faultOf, isAbort, progress } from "./api.js";
import { FaultLine } from "./panels.js";

/** @typedef {import("./types.js").HistorySummary} HistorySummary */

/** @param {{ summary: HistorySummary | null, streams: string[], onOpen: (summary: HistorySummary) => void, onClose: () => void }} props */
export function HistoryDialog({ summary, streams, onOpen, onClose }) {
  const dialog = useRef(/** @type {HTMLDialogElement | null} */ (null));
  const [from, setFrom] = useState("inputs");
  const [stream, setStream] = useState("");
  const [doing, setDoing] = useState(/** @type {string | null} */ (null));
  const [fault, setFault] = useState(/** @type {import("./types.js").Fault | null} */ (null));
  // Reading ends with the dialog: what nobody waits for is not read to its end.
  const reading = useRef(new AbortController());
  useEffect(() => (dialog.current?.showModal(), () => reading.current.abort()), []);

  /** @param {SubmitEvent} event */
  const submit = async (event) => {
    event.preventDefault();
    const form = new FormData(/** @type {HTMLFormElement} */ (event.target));
    const text = (/** @type {string} */ name) => String(form.get(name) ?? "").trim() || null;
    const inputs = (text("inputs") ?? "").split("\n").map((line) => line.trim()).filter(Boolean);
    const request = from === "generated"
      ? { from, seed: Number(form.get("seed")) || 0 }
      : stream
      ? { from: "records", inputs, stream }
      : { from, inputs,
          timestamp: text("timestamp"), value: text("value"), source: text("source"), metric: text("metric") };
    setFault(null);
    setDoing("opening");
    try {
      onOpen(await progress("history", request, (_, said) => setDoing(said), reading.current.signal));
    } catch (error) {
      if (isAbort(error)) return;
      setFault(faultOf(error));
      setDoing(null);
    }
  };
  const column = (/** @type {string} */ name) => html`<label>${name}<input name=${name} placeholder=${name} /></label>`;
  return html`<dialog ref=${dialog} class="dialog" id="history-dialog" aria-labelledby="history-title" onClose=${onClose}>
    <form onSubmit=${submit}>
      <h2 id="history-title">History</h2>
      ${summary && html`<p class="muted">Open: ${summary.name}.${summary.notes.map((note) => html`<br />${note}`)}</p>`}
      <fieldset class="choice"><legend>Read from</legend>
        <label><input type="radio" name="from" checked=${from === "inputs"} onChange=${() => setFrom("inputs")} /> files, a folder, S3 or a stream</label>
        <label><input type="radio" name="from" checked=${from === "generated"} onChange=${() => setFrom("generated")} /> generated events with labelled faults</label>
      </fieldset>
      ${from === "inputs"
        ? html`<label>One a line<textarea name="inputs" rows="3" required placeholder=${"history/readings.csv\ns3://bucket/readings/2026/\nkinesis://weir-events"}></textarea></label>
          ${streams.length > 0 && html`<label>What they are<select id="history-stream" value=${stream} onChange=${(/** @type {any} */ event) => setStream(event.target.value)}>
            <option value="">events: JSON, CSV or Parquet</option>
            ${streams.map((name) => html`<option key=${name} value=${name}>raw records of the stream ${name}</option>`)}</select></label>`}
          ${!stream && html`<details><summary>Columns of other names</summary><div class="columns">${["timestamp", "value", "source", "metric"].map(column)}</div></details>`}`
        : html`<label>Seed<input name="seed" type="number" min="0" step="1" value="7" /></label>`}
      ${fault && html`<${FaultLine} fault=${fault} id="history-fault" />`}
      <footer>
        <span class="muted" aria-live="polite">${doing ?? ""}</span>
        <button type="button" class="quiet" onClick=${() => dialog.current?.close()}>Cancel</button>
        <button type="submit" class="primary" disabled=${doing !== null}>Open</button>
      </footer>
    </form>
  </dialog>`;
}
