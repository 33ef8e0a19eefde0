// The history that rules are tried on: chosen once, read once.
import { useEffect, useRef, useState } from "./vendor.js";
import { html } from "./html.js";
import { faultOf, progress } from "./api.js";
import { FaultLine } from "./panels.js";

/** @typedef {import("./types.js").HistorySummary} HistorySummary */

/** @param {{ summary: HistorySummary | null, onOpen: (summary: HistorySummary) => void, onClose: () => void }} props */
export function HistoryDialog({ summary, onOpen, onClose }) {
  const dialog = useRef(/** @type {HTMLDialogElement | null} */ (null));
  const [from, setFrom] = useState("inputs");
  const [doing, setDoing] = useState(/** @type {string | null} */ (null));
  const [fault, setFault] = useState(/** @type {import("./types.js").Fault | null} */ (null));
  useEffect(() => dialog.current?.showModal(), []);

  /** @param {SubmitEvent} event */
  const submit = async (event) => {
    event.preventDefault();
    const form = new FormData(/** @type {HTMLFormElement} */ (event.target));
    const text = (/** @type {string} */ name) => String(form.get(name) ?? "").trim() || null;
    const request = from === "generated"
      ? { from, seed: Number(form.get("seed")) || 0 }
      : { from, inputs: (text("inputs") ?? "").split("\n").map((line) => line.trim()).filter(Boolean),
          timestamp: text("timestamp"), value: text("value"), source: text("source"), metric: text("metric") };
    setFault(null);
    setDoing("opening");
    try {
      onOpen(await progress("history", request, (_, said) => setDoing(said)));
    } catch (error) {
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
          <details><summary>Columns of other names</summary><div class="columns">${["timestamp", "value", "source", "metric"].map(column)}</div></details>`
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
