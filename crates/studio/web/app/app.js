// The page: what is on top of every view, and which view is shown.
import { useCallback, useEffect, useState } from "./vendor.js";
import { html } from "./html.js";
import { faultOf, get, progress } from "./api.js";
import { counted } from "./format.js";
import { HistoryDialog } from "./history.js";
import { FaultLine } from "./panels.js";
import { RuleView } from "./ruleview.js";
import { LiveView } from "./liveview.js";
import { HistoryView } from "./historyview.js";
import * as place from "./state.js";

/** @typedef {import("./types.js").Project} Project */
/** @typedef {import("./types.js").HistorySummary} HistorySummary */

/** @returns {"light" | "dark"} */
const usualTheme = () => {
  const kept = localStorage.getItem("weir-theme");
  if (kept === "light" || kept === "dark") return kept;
  return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
};

const VIEWS = /** @type {const} */ ([["rule", "Rules"], ["live", "Live"], ["history", "History"]]);

export function App() {
  const [project, setProject] = useState(/** @type {Project | null} */ (null));
  const [summary, setSummary] = useState(/** @type {HistorySummary | null} */ (null));
  const [opened, setOpened] = useState(0);
  const [fault, setFault] = useState(/** @type {import("./types.js").Fault | null} */ (null));
  const [doing, setDoing] = useState(/** @type {string | null} */ (null));
  const [choosing, setChoosing] = useState(false);
  const [theme, setTheme] = useState(usualTheme);
  const [view, setView] = useState(place.read().view ?? "rule");
  const [copied, setCopied] = useState(false);

  const load = useCallback(async () => {
    try {
      const found = await get("project");
      setProject(found);
      return found;
    } catch (error) {
      setFault(faultOf(error));
      return null;
    }
  }, []);

  useEffect(() => {
    (async () => {
      const found = await load();
      if (!found) return;
      try {
        setSummary(found.history ?? (await progress("history", null, (_, said) => setDoing(said))));
        setOpened((n) => n + 1);
      } catch (error) {
        setFault(faultOf(error));
      } finally {
        setDoing(null);
      }
    })();
    const moved = () => setView(place.read().view ?? "rule");
    addEventListener("popstate", moved);
    addEventListener("hashchange", moved);
    return () => (removeEventListener("popstate", moved), removeEventListener("hashchange", moved));
  }, []);

  useEffect(() => {
    document.documentElement.dataset.theme = theme;
  }, [theme]);

  const turn = () => {
    const next = theme === "dark" ? "light" : "dark";
    localStorage.setItem("weir-theme", next);
    setTheme(next);
  };
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(location.href);
      setCopied(true);
      setTimeout(() => setCopied(false), 2000);
    } catch {
      // The address bar has the same.
      prompt("The link to this view", location.href);
    }
  };

  return html`<div class="page" data-view=${view}>
    <a class="skip" href="#main" onClick=${(/** @type {Event} */ event) => { event.preventDefault(); document.getElementById("main")?.focus(); }}>Skip to the content</a>
    <header class="top">
      <span class="brand"><svg width="22" height="18" viewBox="0 0 22 18" aria-hidden="true"><path d="M1 5 q3 -3 6 0 t6 0 q2 -2 3 0 v9" /><path d="M1 10 q3 -3 6 0 t6 0" /><path d="M13 16 q2 -2 4 0 t4 0" /></svg>Weir studio</span>
      ${project && html`<span class="project" title="The project, and the environment whose parameters are used">${project.name} <small>${project.environment}</small></span>`}
      <nav aria-label="Views">${VIEWS.map(([name, title]) => html`<button key=${name} class="tab" data-view=${name} aria-current=${view === name ? "page" : null}
        onClick=${() => { place.write({ view: name === "rule" ? null : name }, true); setView(name); }}>${title}</button>`)}</nav>
      <span class="grow"></span>
      <button class="history" id="choose-history" onClick=${() => setChoosing(true)} title="The history that rules are tried on">
        ${doing ?? (summary ? html`<b>${summary.name}</b> <span class="muted">${counted(summary.events, "event", "events")}, ${counted(summary.series, "series", "series")}</span>` : "Choose a history")}</button>
      <button class="quiet" id="copy-link" onClick=${copy}>${copied ? "Copied" : "Copy link"}</button>
      <button class="quiet" id="theme" onClick=${turn} aria-label=${theme === "dark" ? "Light colours" : "Dark colours"}>${theme === "dark" ? "☀" : "☾"}</button>
    </header>
    ${fault && html`<${FaultLine} fault=${fault} id="page-fault" />`}
    <main id="main" tabindex="-1">
      ${project && view === "rule" && html`<${RuleView} project=${project} summary=${summary} opened=${opened} theme=${theme} onProject=${load}
        onSummary=${setSummary} />`}
      ${project && view === "live" && html`<${LiveView} project=${project} />`}
      ${project && view === "history" && html`<${HistoryView} project=${project} theme=${theme} />`}
    </main>
    ${choosing && html`<${HistoryDialog} summary=${summary} streams=${project?.streams ?? []} onClose=${() => setChoosing(false)}
      onOpen=${(/** @type {HistorySummary} */ found) => { setSummary(found); setOpened((n) => n + 1); setFault(null); setChoosing(false); }} />`}
  </div>`;
}
