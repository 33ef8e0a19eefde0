// The chart of a key: readings on a canvas; what a person or a test looks for (labels, anomalies, alerts) as SVG over it.
import { uPlot, useEffect, useLayoutEffect, useRef, useState } from "./vendor.js";
import { html } from "./html.js";
import { duration, number, time } from "./format.js";

/** @typedef {import("./types.js").Chart} ChartData */
/** @typedef {import("./types.js").Mark} Mark */
/** @typedef {{ from: number, to: number }} Range */

const HEIGHT = 300;
/** Pixels above the plot where alerts fly their flags. */
const FLAGS = 22;

/** @param {string} name */
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** A flag, a cross, a triangle: shapes tell what colours tell. @param {string} change @param {number} x @param {number} y */
function shape(change, x, y) {
  if (change === "gained") return `M${x} ${y - 6} L${x + 6} ${y + 4.5} L${x - 6} ${y + 4.5} Z`;
  if (change === "lost") return `M${x - 4.5} ${y - 4.5} L${x + 4.5} ${y + 4.5} M${x - 4.5} ${y + 4.5} L${x + 4.5} ${y - 4.5}`;
  return `M${x - 4.5} ${y} a4.5 4.5 0 1 0 9 0 a4.5 4.5 0 1 0 -9 0`;
}

/** @param {Mark} mark */
const isSuppressed = (mark) => mark.alert === "suppressed" || mark.alert === "would_suppress";

/** What becomes of an alert, for people. @type {Record<string, string>} */
export const ALERTS = {
  sent: "alert sent",
  suppressed: "part of an alert that was sent",
  would_send: "on trial: would be sent",
  would_suppress: "on trial: part of an alert",
  silenced: "silenced",
};

/** @param {Mark} mark */
export const told = (mark) =>
  `${mark.key}\n${time(mark.time)} UTC\nvalue ${number(mark.value)}, expected ${number(mark.expected)}, score ${number(mark.score)}\n${ALERTS[mark.alert] ?? mark.alert}${mark.change === "same" ? "" : `\n${mark.change}`}`;

/** The span of values that is drawn: all readings, and bands as far as they do not squeeze these. @param {ChartData} data */
function valueRange(data) {
  const values = [...data.y, ...data.marks.map((mark) => mark.y)].filter((y) => y !== null && Number.isFinite(y));
  if (!data.is_series) for (const line of data.expected ?? []) values.push(...line.value.filter((y) => y !== null), ...line.expected);
  let [low, high] = [Math.min(...values.map(Number)), Math.max(...values.map(Number))];
  if (!Number.isFinite(low)) [low, high] = [0, 1];
  const room = (high - low) * 0.5 || Math.abs(high) * 0.1 || 1;
  for (const line of data.expected ?? []) {
    for (const end of [...line.lower, ...line.upper]) {
      if (end !== null && end >= low - room && end <= high + room) [low, high] = [Math.min(low, end), Math.max(high, end)];
    }
  }
  const pad = (high - low) * 0.06 || Math.abs(high) * 0.05 || 1;
  return /** @type {[number, number]} */ ([low - pad, high + pad]);
}

/**
 * @param {{
 *   data: ChartData | null, view: Range, whole: Range, selection: Range | null, chosen: string | null, theme: string,
 *   onView: (view: Range) => void, onSelect: (selection: Range | null) => void, onChoose: (id: string | null) => void,
 *   onWidth: (width: number) => void
 * }} props
 */
export function Chart(props) {
  const host = useRef(/** @type {HTMLDivElement | null} */ (null));
  const plot = useRef(/** @type {uPlot | null} */ (null));
  const latest = useRef(props);
  latest.current = props;
  const [box, setBox] = useState(/** @type {{ left: number, top: number, width: number, height: number } | null} */ (null));

  useLayoutEffect(() => {
    if (!host.current) return undefined;
    const made = create(host.current, latest, () => {
      const { left, top, width, height } = made.bbox;
      const ratio = devicePixelRatio || 1;
      setBox({ left: left / ratio, top: top / ratio, width: width / ratio, height: height / ratio });
    });
    plot.current = made;
    const watcher = new ResizeObserver(([entry]) => {
      const width = Math.max(Math.round(entry.contentRect.width), 200);
      made.setSize({ width, height: HEIGHT });
      latest.current.onWidth(width);
    });
    watcher.observe(host.current);
    return () => (watcher.disconnect(), made.destroy());
  }, [props.theme]);

  const { data, view } = props;
  useEffect(() => {
    const now = plot.current;
    if (!now) return;
    now.batch(() => {
      now.setData(data ? /** @type {any} */ ([data.x, data.y]) : [[], []], false);
      now.setScale("x", { min: view.from, max: view.to });
      const [min, max] = data ? valueRange(data) : [0, 1];
      now.setScale("y", { min, max });
    });
    now.redraw(true, true);
  }, [data, view.from, view.to, props.theme]);

  /** @param {KeyboardEvent} event */
  const key = (event) => {
    const span = view.to - view.from;
    const move = (/** @type {number} */ by) => props.onView(within({ from: view.from + by, to: view.to + by }, props.whole));
    const zoom = (/** @type {number} */ factor) => {
      const middle = (view.from + view.to) / 2;
      props.onView(within({ from: middle - (span * factor) / 2, to: middle + (span * factor) / 2 }, props.whole));
    };
    const select = (/** @type {number} */ by) => {
      const now = props.selection ?? { from: view.from + span * 0.4, to: view.from + span * 0.5 };
      props.onSelect(event.altKey ? { ...now, from: Math.min(now.from + by, now.to) } : { ...now, to: Math.max(now.to + by, now.from) });
    };
    /** @type {Record<string, () => void>} */
    const keys = {
      ArrowLeft: () => (event.shiftKey ? select(-span / 50) : move(-span / 10)),
      ArrowRight: () => (event.shiftKey ? select(span / 50) : move(span / 10)),
      "+": () => zoom(0.5), "=": () => zoom(0.5), "-": () => zoom(2), "0": () => props.onView(props.whole),
      Escape: () => props.onSelect(null),
    };
    const act = keys[event.key];
    if (act && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      act();
    }
  };

  return html`<div class="chart" tabindex="0" role="group" onKeyDown=${key}
      aria-label=${`Chart of ${data?.key ?? "nothing yet"}. Arrow keys move, plus and minus zoom, 0 shows all, shift and arrows select.`}>
    <div ref=${host}></div>
    ${box && data && html`<${Overlay} box=${box} data=${data} view=${view} plot=${plot.current} selection=${props.selection}
      chosen=${props.chosen} onChoose=${props.onChoose} />`}
  </div>`;
}

/** @param {Range} view @param {Range} whole @returns {Range} */
export function within(view, whole) {
  const span = Math.max(Math.min(view.to - view.from, whole.to - whole.from), 1000);
  const from = Math.min(Math.max(view.from, whole.from), whole.to - span);
  return { from, to: from + span };
}

/** @param {HTMLDivElement} host @param {{ current: any }} latest @param {() => void} placed */
function create(host, latest, placed) {
  const axis = { stroke: colour("--muted"), grid: { stroke: colour("--grid"), width: 1 }, ticks: { stroke: colour("--grid"), width: 1, size: 4 }, font: `12px ${colour("--sans")}` };
  return new uPlot({
    width: Math.max(host.clientWidth, 200),
    height: HEIGHT,
    ms: 1,
    tzDate: (millis) => uPlot.tzDate(new Date(millis), "Etc/UTC"),
    padding: [FLAGS, 8, 0, 0],
    legend: { show: false },
    cursor: { drag: { x: true, y: false, setScale: false }, points: { size: 6 } },
    scales: { x: { time: true, auto: false }, y: { auto: false } },
    axes: [{ ...axis, space: 84, size: 28, values: (u, ticks, _, space) => ticks.map((at) => dateText(at, Number(u.scales.x.max) - Number(u.scales.x.min))) }, { ...axis, size: 56, values: (_, ticks) => ticks.map(number) }],
    series: [{}, { stroke: colour("--series"), width: 1.25, points: { show: false }, spanGaps: false }],
    hooks: {
      drawClear: [(u) => drawBand(u, latest.current.data)],
      drawSeries: [(u) => drawExpected(u, latest.current.data)],
      draw: [placed],
      setSelect: [(u) => {
        const { left, width } = u.select;
        if (width < 3) return;
        latest.current.onSelect({ from: u.posToVal(left, "x"), to: u.posToVal(left + width, "x") });
        u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
      }],
    },
  }, [[], []], host);
}

const SPAN_OF_DATES = 4 * 86_400_000;

/** A time on the axis, as exact as the span asks for. @param {number} at @param {number} span */
function dateText(at, span) {
  const text = new Date(at).toISOString();
  const [month, day] = [text.slice(5, 7), text.slice(8, 10)];
  const clock = text.slice(11, span < 600_000 ? 19 : 16);
  if (span > 300 * 86_400_000) return text.slice(0, 10);
  if (span > SPAN_OF_DATES) return `${month}-${day}`;
  return clock === "00:00" ? `${month}-${day}` : clock;
}

/** @param {any} u @param {(ctx: CanvasRenderingContext2D) => void} draw */
function clipped(u, draw) {
  const { ctx, bbox } = u;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  draw(ctx);
  ctx.restore();
}

/** @param {any} u @param {ChartData | null} data */
function drawBand(u, data) {
  for (const line of data?.expected ?? []) {
    const at = line.x.map((_, n) => n).filter((n) => line.lower[n] !== null && line.upper[n] !== null);
    if (at.length === 0) continue;
    clipped(u, (ctx) => {
      ctx.fillStyle = colour("--band");
      ctx.beginPath();
      for (const n of at) ctx.lineTo(u.valToPos(line.x[n], "x", true), u.valToPos(line.upper[n], "y", true));
      for (const n of at.reverse()) ctx.lineTo(u.valToPos(line.x[n], "x", true), u.valToPos(line.lower[n], "y", true));
      ctx.closePath();
      ctx.fill();
    });
  }
}

/** @param {any} u @param {ChartData | null} data */
function drawExpected(u, data) {
  for (const line of data?.expected ?? []) {
    clipped(u, (ctx) => {
      const path = (/** @type {(number | null)[]} */ values) => {
        ctx.beginPath();
        values.forEach((y, n) => y !== null && ctx.lineTo(u.valToPos(line.x[n], "x", true), u.valToPos(y, "y", true)));
        ctx.stroke();
      };
      ctx.lineWidth = 1.25 * (devicePixelRatio || 1);
      if (!data?.is_series) {
        ctx.strokeStyle = colour("--series");
        path(line.value);
      }
      ctx.strokeStyle = colour("--expected");
      ctx.setLineDash([5, 4].map((n) => n * (devicePixelRatio || 1)));
      path(line.expected);
    });
  }
}

/** @param {{ box: any, data: ChartData, view: Range, plot: any, selection: Range | null, chosen: string | null, onChoose: (id: string | null) => void }} props */
function Overlay({ box, data, view, plot, selection, chosen, onChoose }) {
  const x = (/** @type {number} */ at) => box.left + ((at - view.from) / (view.to - view.from)) * box.width;
  const inside = (/** @type {number} */ at) => at >= view.from && at <= view.to;
  const y = (/** @type {number | null} */ value) => (value === null || !plot ? box.top + box.height : box.top + plot.valToPos(value, "y"));
  const clip = (/** @type {number} */ at) => Math.min(Math.max(x(at), box.left), box.left + box.width);
  const marks = data.marks.filter((mark) => inside(mark.x));
  const flags = data.marks.filter((mark) => inside(mark.time) && mark.change !== "lost");
  // Many at one place hide each other: then they are small, and only flags that have room fly.
  const crowded = marks.length > box.width / 9;
  let last = -Infinity;
  const flying = new Set(flags.filter((mark) => !isSuppressed(mark) && x(mark.time) - last > 10 && (last = x(mark.time))).map((mark) => mark.id));
  return html`<svg class="overlay" data-crowded=${crowded} width="100%" height=${HEIGHT} role="img"
      aria-label=${`${marks.length} anomalies, ${data.labels.length} labels; the table below lists them`}>
    ${data.labels.map((label) => html`<rect key=${`l${label.index}`} id=${`label-${label.index}`} class="label" data-kind=${label.kind}
        x=${clip(label.start)} y=${box.top} width=${Math.max(clip(label.end) - clip(label.start), 3)} height=${box.height}>
      <title>${`${label.kind}\n${time(label.start)} to ${time(label.end)}`}</title></rect>`)}
    ${data.labels.map((label) => clip(label.end) - clip(label.start) > 56 && html`<text key=${`n${label.index}`} class="label-name"
        x=${clip(label.start) + 6} y=${box.top + 15}>${label.kind}</text>`)}
    ${selection && html`<rect id="selection" class="selection" x=${clip(selection.from)} y=${box.top}
        width=${Math.max(clip(selection.to) - clip(selection.from), 1)} height=${box.height}
        data-from=${Math.round(selection.from)} data-to=${Math.round(selection.to)} />`}
    ${flags.map((mark) => html`<g key=${`f${mark.id}`} id=${`alert-${mark.id}`} class="flag" data-alert=${mark.alert}>
      <title>${`${ALERTS[mark.alert]}, ${time(mark.time)}`}</title>
      ${!flying.has(mark.id)
        ? html`<path d=${`M${x(mark.time)} ${box.top - (isSuppressed(mark) ? 4 : 8)} v${isSuppressed(mark) ? 3 : 7}`} />`
        : html`<path d=${`M${x(mark.time)} ${box.top} v-16 l9 4 l-9 4`} />`}
    </g>`)}
    ${marks.map((mark) => html`<path key=${mark.id} id=${`anomaly-${mark.id}`} class="mark" data-id=${mark.id} data-key=${mark.key}
        data-change=${mark.change} data-alert=${mark.alert} data-chosen=${mark.id === chosen} d=${shape(mark.change, x(mark.x), y(mark.y))}
        onClick=${() => onChoose(mark.id)}><title>${told(mark)}</title></path>`)}
  </svg>`;
}

/** What the shapes and colours mean. @param {{ compare: boolean, trial: boolean, band: boolean, series: boolean }} props */
export function Legend({ compare, trial, band, series }) {
  const item = (/** @type {any} */ sign, /** @type {string} */ text) =>
    html`<li><svg width="18" height="14" aria-hidden="true">${sign}</svg>${text}</li>`;
  return html`<ul class="legend" aria-label="What the chart shows">
    ${item(html`<path class="line" d="M1 9 L6 4 L11 10 L17 5" />`, series ? "readings" : "what the rule looked at")}
    ${band && item(html`<g><rect class="band" y="2" width="18" height="10" /><path class="expected" d="M0 7 H18" /></g>`, "expected, and the band in which nothing is wrong")}
    ${item(html`<path class="mark" data-change="same" d=${shape("same", 9, 7)} />`, compare ? "found by both" : "anomaly")}
    ${compare && item(html`<path class="mark" data-change="gained" d=${shape("gained", 9, 7)} />`, "gained")}
    ${compare && item(html`<path class="mark" data-change="lost" d=${shape("lost", 9, 7)} />`, "lost")}
    ${item(html`<g class="flag" data-alert=${trial ? "would_send" : "sent"}><path d="M5 14 v-13 l9 4 l-9 4" /></g>`, trial ? "alert, were it not on trial" : "alert")}
    ${item(html`<g class="flag" data-alert="suppressed"><path d="M9 4 v6" /></g>`, "suppressed by dedup")}
    ${item(html`<rect class="label" y="1" width="18" height="12" />`, "label")}
  </ul>`;
}

/** @param {Range} range */
export const rangeText = (range) => `${time(Math.round(range.from / 1000) * 1000)} to ${time(Math.round(range.to / 1000) * 1000)} (${duration(Math.round((range.to - range.from) / 1000))})`;
