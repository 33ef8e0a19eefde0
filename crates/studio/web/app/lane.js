// Anomalies by key and time: where to look.
import { html } from "./html.js";
import { counted, day } from "./format.js";

const ROW = 18;

/**
 * @param {{ lane: import("./types.js").Lane, chosen: string | null, view: { from: number, to: number }, onChoose: (key: string, from: number, to: number) => void }} props
 */
export function LaneView({ lane, chosen, view, onChoose }) {
  if (lane.rows.length === 0) return null;
  const most = Math.max(...lane.rows.flatMap(([, counts]) => counts), 1);
  const parts = lane.rows[0][1].length;
  const width = (lane.to - lane.from) / parts;
  const part = (/** @type {number} */ at) => ((at - lane.from) / (lane.to - lane.from)) * 100;
  return html`<section class="lane" aria-label="Anomalies by key and time">
    ${lane.rows.map(([key, counts]) => html`<button key=${key} class="lane-row" data-key=${key} aria-pressed=${key === chosen}
        title=${`${key}: ${counted(counts.reduce((a, b) => a + b, 0), "anomaly", "anomalies")}`}
        onClick=${(/** @type {MouseEvent} */ event) => {
          // A click by keyboard has no place: the key alone is chosen.
          const box = /** @type {HTMLElement} */ (event.currentTarget).querySelector("svg")?.getBoundingClientRect();
          const at = box && event.detail > 0 ? (event.clientX - box.left) / box.width : -1;
          if (at < 0 || at > 1) onChoose(key, lane.from, lane.to);
          else {
            const cell = Math.floor(at * parts);
            onChoose(key, lane.from + (cell - 4) * width, lane.from + (cell + 5) * width);
          }
        }}>
      <span class="lane-key">${key}</span>
      <svg viewBox=${`0 0 ${parts} 1`} preserveAspectRatio="none" height=${ROW - 4} aria-hidden="true">
        ${counts.map((n, at) => n > 0 && html`<rect key=${at} x=${at} y="0" width="1" height="1" style=${{ fillOpacity: 0.25 + (0.75 * n) / most }}><title>${counted(n, "anomaly", "anomalies")}</title></rect>`)}
      </svg>
    </button>`)}
    <div class="lane-axis" aria-hidden="true"><span>${day(lane.from)}</span>
      <i class="lane-view" style=${{ left: `${Math.max(part(view.from), 0)}%`, width: `${Math.min(part(view.to), 100) - Math.max(part(view.from), 0)}%` }}></i>
      <span>${day(lane.to)}</span></div>
  </section>`;
}
