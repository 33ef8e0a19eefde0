// The view on which a rule is written: the files, the editor, and what the rule would have found.
import { useCallback, useEffect, useMemo, useRef, useState } from "./vendor.js";
import { html } from "./html.js";
import { faultOf, get, isAbort, post, progress, put, tab } from "./api.js";
import { Chart, Legend, rangeText, within } from "./chart.js";
import { Editor } from "./editor.js";
import { count, counted, number } from "./format.js";
import { LaneView } from "./lane.js";
import { AnomalyTable, Difference, FaultLine, Figures, Findings, Keys, Parameters, Sweep } from "./panels.js";
import * as place from "./state.js";
import { Tree } from "./tree.js";

/** @typedef {import("./types.js").FileText} FileText */
/** @typedef {import("./types.js").Fault} Fault */
/** @typedef {{ base: FileText, text: string, stamp: number, theirs: { text: string, version: string | null } | null }} Buffer */

/** Somebody who types is not interrupted; somebody who stops sees the answer at once. Milliseconds. */
const PAUSE = 150;
/** How often the page looks whether another editor changed a file. */
const LOOK_EVERY = 2000;

/**
 * @param {{
 *   project: import("./types.js").Project, summary: import("./types.js").HistorySummary | null, opened: number, theme: string,
 *   onProject: () => void, onSummary: (summary: any) => void
 * }} props
 */
export function RuleView({ project, summary, opened, theme, onProject, onSummary }) {
  const start = useMemo(place.read, []);
  const [chosen, setChosen] = useState(project.rules.some((rule) => rule.name === start.rule) ? start.rule : (project.rules.find((rule) => rule.name === "zscore") ?? project.rules[0])?.name ?? null);
  const rule = project.rules.find((one) => one.name === chosen) ?? null;
  const [file, setFile] = useState(start.file ?? "rule");
  const [buffers, setBuffers] = useState(/** @type {Record<string, Buffer>} */ ({}));
  const [fault, setFault] = useState(/** @type {Fault | null} */ (null));
  const [note, setNote] = useState("");
  const [words, setWords] = useState(/** @type {import("./types.js").Vocabulary | null} */ (null));
  const [checked, setChecked] = useState(/** @type {import("./types.js").Checked} */ ({ findings: [], parameters: [] }));
  const [testFindings, setTestFindings] = useState(/** @type {import("./types.js").FindingEntry[]} */ ([]));
  const [set, setSet] = useState(place.parametersOf(start));
  const [compare, setCompare] = useState(start.compare === "1");
  const [outcomes, setOutcomes] = useState(/** @type {import("./types.js").TestOutcome[] | null} */ (null));
  const [testing, setTesting] = useState(false);
  const [sweep, setSweep] = useState(/** @type {{ name: string, rows: import("./types.js").SweepRow[] } | null} */ (null));
  const known = useRef(buffers);
  known.current = buffers;

  const path = rule?.path ?? null;
  const testsPath = rule?.tests_path ?? null;
  const shownPath = file === "tests" ? testsPath : path;
  const buffer = path ? buffers[path] : undefined;
  const shown = shownPath ? buffers[shownPath] : undefined;
  const text = buffer?.text;
  const dirty = new Set(Object.keys(buffers).filter((name) => buffers[name].text !== buffers[name].base.text));

  /** What is not typed gets a new stamp: the editor takes over such a text, and never one of its own that comes back late. */
  const change = useCallback((/** @type {string} */ name, /** @type {Partial<Buffer>} */ parts, /** @type {boolean} */ typed = false) =>
    setBuffers((all) => (all[name] ? { ...all, [name]: { ...all[name], stamp: all[name].stamp + (typed || parts.text === undefined ? 0 : 1), ...parts } } : all)), []);

  /** Reads a file that is not open yet. */
  const load = useCallback(async (/** @type {string} */ name) => {
    if (known.current[name]) return;
    try {
      const base = await get(`file?path=${encodeURIComponent(name)}`);
      setBuffers((all) => (all[name] ? all : { ...all, [name]: { base, text: base.text, stamp: 0, theirs: null } }));
    } catch (error) {
      setFault(faultOf(error));
    }
  }, []);

  useEffect(() => {
    setFault(null);
    if (path) load(path);
    if (testsPath) load(testsPath);
  }, [path, testsPath]);

  useEffect(() => {
    get("words").then(setWords, () => {});
  }, []);

  useEffect(() => {
    const warn = (/** @type {BeforeUnloadEvent} */ event) => dirty.size > 0 && event.preventDefault();
    addEventListener("beforeunload", warn);
    return () => removeEventListener("beforeunload", warn);
  });

  // Another editor may change the file meanwhile: taken over where nothing is lost by it, asked where something is.
  useEffect(() => {
    const look = async () => {
      if (document.hidden) return;
      for (const name of [path, testsPath]) {
        const now = name ? known.current[name] : undefined;
        if (!name || !now) continue;
        try {
          const version = await get(`version?path=${encodeURIComponent(name)}`);
          const same = known.current[name];
          if (version === same.base.version || version === same.theirs?.version) continue;
          const base = await get(`file?path=${encodeURIComponent(name)}`);
          // What was just saved here is no news.
          if (base.text === known.current[name].text) change(name, { base, theirs: null });
          else if (same.text === same.base.text) {
            change(name, { base, text: base.text, theirs: null });
            setNote(`${name} was changed by another editor and is read anew`);
          } else change(name, { theirs: { text: base.text, version: base.version } });
        } catch {
          // The next look says more; a server that is gone is told of by what the person does.
        }
      }
    };
    const timer = setInterval(look, LOOK_EVERY);
    addEventListener("focus", look);
    return () => (clearInterval(timer), removeEventListener("focus", look));
  }, [path, testsPath]);

  /** @param {string} name @param {string | null} [version] @returns {Promise<boolean>} */
  const save = async (name, version) => {
    const now = known.current[name];
    if (!now) return false;
    try {
      const saved = await put("file", { path: name, text: now.text, version: version === undefined ? now.base.version : version });
      if (saved.state === "conflict") {
        change(name, { theirs: saved });
        return false;
      }
      change(name, { base: { ...now.base, text: now.text, version: saved.version }, theirs: null });
      setNote(`${name} is saved`);
      onProject();
      return true;
    } catch (error) {
      setFault(faultOf(error));
      return false;
    }
  };

  useEffect(() => {
    if (path === null || text === undefined) return undefined;
    const ended = new AbortController();
    const timer = setTimeout(async () => {
      try {
        setChecked(await post("check", { path, text }, ended.signal));
      } catch (error) {
        if (!isAbort(error)) setFault(faultOf(error));
      }
    }, PAUSE);
    return () => (clearTimeout(timer), ended.abort());
  }, [path, text]);

  const testsText = testsPath ? buffers[testsPath]?.text : undefined;
  useEffect(() => {
    setOutcomes(null);
    if (testsPath === null || testsText === undefined) return undefined;
    const ended = new AbortController();
    const timer = setTimeout(() => post("check", { path: testsPath, text: testsText }, ended.signal).then((found) => setTestFindings(found.findings), () => {}), PAUSE);
    return () => (clearTimeout(timer), ended.abort());
  }, [testsPath, testsText, text]);

  const picture = usePicture({ path, text, set, compare, opened, ready: summary !== null });

  const choose = (/** @type {string} */ name) => {
    setChosen(name);
    setSet({});
    setSweep(null);
    setOutcomes(null);
    setFile("rule");
    place.writeParameters({});
    place.write({ rule: name, key: null, from: null, to: null, file: null }, true);
    picture.leave();
  };
  const put1 = (/** @type {string} */ name, /** @type {string | null} */ value) => {
    const next = { ...set };
    if (value === null) delete next[name];
    else next[name] = value;
    setSet(next);
    place.writeParameters(next);
  };
  /** Writes a parameter's value into the header of the text. @param {string} name @param {string} value */
  const keep = (name, value) => {
    if (!path || text === undefined) return;
    const one = checked.parameters.find((parameter) => parameter.name === name);
    const quoted = one && (one.kind === "text" || one.kind === "interval") ? JSON.stringify(value) : one?.kind === "double" && !/[.e]/.test(value) ? `${value}.0` : value;
    const block = new RegExp(`(--\\s*\\[parameters\\.${name}\\][\\s\\S]*?--\\s*default\\s*=\\s*)([^\\n]*)`);
    const inline = new RegExp(`(--\\s*parameters\\.${name}\\s*=\\s*\\{[^\\n]*?default\\s*=\\s*)("(?:[^"\\\\]|\\\\.)*"|[^,}\\s]+)`);
    const next = text.replace(block.test(text) ? block : inline, (_, before) => `${before}${quoted}`);
    if (next === text) return setNote(`no default of ${name} was found in the header`);
    change(path, { text: next });
    put1(name, null);
    if (one?.set) setNote(`the environment ${project.environment} sets ${name} to ${one.set}, over the rule's default`);
  };
  const runTests = async () => {
    if (!path || text === undefined) return;
    // What is tested is the file: the text of the rule is taken from the editor, its tests from where they are saved.
    if (testsPath && dirty.has(testsPath) && !(await save(testsPath))) return;
    setTesting(true);
    try {
      setOutcomes(await progress("tests", { path, text }));
    } catch (error) {
      setFault(faultOf(error));
    } finally {
      setTesting(false);
    }
  };
  const runSweep = async (/** @type {string} */ name, /** @type {string[]} */ values) => {
    if (!path || text === undefined) return;
    setNote(`sweeping ${name} …`);
    try {
      const draft = { tab, path, text, parameters: set, compare: false };
      setSweep({ name, rows: await progress("sweep", { draft, parameter: name, values }, (share, said) => setNote(`sweeping: ${said}`)) });
      setNote("");
    } catch (error) {
      setFault(faultOf(error));
      setNote("");
    }
  };
  const label = async (/** @type {string} */ key, /** @type {import("./chart.js").Range} */ range) => {
    try {
      const labels = await post("labels", { key, start: Math.round(range.from), end: Math.round(range.to) });
      onSummary((/** @type {any} */ now) => now && { ...now, labels: labels.length });
      setNote(`labelled; it is in ${summary?.labels_file}`);
      picture.again();
    } catch (error) {
      setFault(faultOf(error));
    }
  };
  const makeCase = async (/** @type {string} */ key, /** @type {import("./chart.js").Range} */ range, /** @type {string} */ name) => {
    if (!path || text === undefined || !testsPath) return false;
    if (dirty.has(testsPath) && !(await save(testsPath))) return false;
    try {
      const draft = { tab, path, text, parameters: set, compare: false };
      const made = await progress("case", { draft, key, from: Math.round(range.from), to: Math.round(range.to), name });
      const base = await get(`file?path=${encodeURIComponent(testsPath)}`);
      setBuffers((all) => ({ ...all, [testsPath]: { base, text: base.text, stamp: (all[testsPath]?.stamp ?? 0) + 1, theirs: null } }));
      setNote(`${made.path} has the case now: ${counted(made.records, "record", "records")} of ${count(made.of)} are enough, ${counted(made.expects, "anomaly", "anomalies")} expected`);
      setFile("tests");
      onProject();
      return true;
    } catch (error) {
      setFault(faultOf(error));
      return false;
    }
  };

  if (!rule || !path) return html`<p class="pad muted">This project has no rules yet: weir new NAME makes one.</p>`;
  const conflict = shown?.theirs;
  return html`<div class="rule-view" data-rule=${rule.name}>
    <${Tree} rules=${project.rules} chosen=${chosen} dirty=${dirty} onChoose=${choose} outcomes=${outcomes} />
    <section class="writing" aria-label="Editor">
      <header class="bar">
        <div class="tabs" role="group" aria-label="What is shown">${[["rule", "Rule"], ["tests", "Tests"], ["changes", "Changes"]].map(([name, title]) => html`
          <button key=${name} class="tab" data-file=${name} aria-pressed=${file === name}
            onClick=${() => { setFile(name); place.write({ file: name === "rule" ? null : name }); }}>${title}${name === "rule" && dirty.has(path) ? " ●" : ""}${name === "tests" && testsPath && dirty.has(testsPath) ? " ●" : ""}</button>`)}</div>
        <span class="grow"></span>
        <button class="quiet" id="run-tests" disabled=${testing} onClick=${runTests} title="Ctrl+Enter">${testing ? "Testing …" : "Run the tests"}</button>
        <button class="primary" id="save" disabled=${!shownPath || !dirty.has(shownPath)} onClick=${() => shownPath && save(shownPath)} title="Ctrl+S">Save</button>
      </header>
      ${conflict && html`<div class="conflict" role="alert" id="conflict"><p><b>${shownPath}</b> was changed by another editor meanwhile. Nothing was overwritten.</p>
        <button id="take-theirs" onClick=${() => shownPath && change(shownPath, { text: conflict.text, theirs: null, base: { ...shown.base, text: conflict.text, version: conflict.version ?? "" } })}>Take theirs</button>
        <button id="keep-mine" onClick=${() => shownPath && save(shownPath, conflict.version)}>Write mine over it</button></div>`}
      ${fault && html`<div class="dismiss"><${FaultLine} fault=${fault} id="fault" /><button class="quiet" onClick=${() => setFault(null)}>Close</button></div>`}
      <p class="note" id="note" role="status">${note}</p>
      <div class="sheet">${file === "changes"
        ? html`<${Difference} before=${buffer?.base.head ?? null} after=${text ?? ""} />`
        : shown && shownPath && html`<${Editor} key=${shownPath} path=${shownPath} text=${shown.text} label=${file === "tests" ? `Tests of ${rule.name}` : `Rule ${rule.name}`}
            findings=${file === "tests" ? testFindings : checked.findings} words=${words} parameters=${checked.parameters}
            stamp=${shown.stamp} onChange=${(/** @type {string} */ now) => change(shownPath, { text: now }, true)} onSave=${() => save(shownPath)} onRun=${runTests} />`}</div>
      ${outcomes && html`<section class="outcomes" id="outcomes" aria-label="Test results" data-passed=${outcomes.filter((one) => one.passed).length} data-failed=${outcomes.filter((one) => !one.passed).length}>
        <h2>${outcomes.every((one) => one.passed) ? `All ${counted(outcomes.length, "test passes", "tests pass")}` : `${counted(outcomes.filter((one) => !one.passed).length, "test fails", "tests fail")}`}</h2>
        ${outcomes.filter((one) => !one.passed).map((one) => html`<div key=${one.case} class="finding" data-level="error"><p><b>${one.case}</b></p><pre>${one.said}</pre></div>`)}</section>`}
      <${Findings} findings=${file === "tests" ? testFindings : checked.findings} />
      <${Parameters} parameters=${checked.parameters} set=${set} onSet=${put1} onKeep=${keep} onSweep=${runSweep} />
    </section>
    <${Picture} picture=${picture} theme=${theme} compare=${compare} sweep=${sweep} summary=${summary}
      now=${sweep ? set[sweep.name] ?? checked.parameters.find((one) => one.name === sweep.name)?.set ?? checked.parameters.find((one) => one.name === sweep.name)?.default ?? "" : ""}
      onCompare=${(/** @type {boolean} */ on) => { setCompare(on); place.write({ compare: on ? 1 : null }); }}
      onPick=${(/** @type {string} */ value) => sweep && put1(sweep.name, value)} onCloseSweep=${() => setSweep(null)} onLabel=${label} onCase=${makeCase} />
  </div>`;
}

/**
 * Evaluates the draft whenever something of it changes; an older evaluation ends.
 * @param {{ path: string | null, text: string | undefined, set: Record<string, string>, compare: boolean, opened: number, ready: boolean }} draft
 */
function usePicture({ path, text, set, compare, opened, ready }) {
  const [state, setState] = useState("empty");
  const [result, setResult] = useState(/** @type {import("./types.js").Evaluated | null} */ (null));
  const [share, setShare] = useState(/** @type {number | null} */ (null));
  const [fault, setFault] = useState(/** @type {Fault | null} */ (null));
  const [round, setRound] = useState(0);
  const [took, setTook] = useState(/** @type {number | null} */ (null));
  const parameters = JSON.stringify(set);
  const first = useRef(true);

  useEffect(() => {
    if (path === null || text === undefined || !ready) return undefined;
    const ended = new AbortController();
    setState((now) => (now === "empty" ? "empty" : "stale"));
    const began = performance.now();
    const timer = setTimeout(async () => {
      setState("running");
      setShare(0);
      try {
        const found = await progress("evaluate", { tab, path, text, parameters: JSON.parse(parameters), compare },
          (done) => ended.signal.aborted || setShare(done), ended.signal);
        if (ended.signal.aborted) return;
        setResult(found);
        setFault(null);
        setState("fresh");
        setTook(performance.now() - began);
      } catch (error) {
        if (ended.signal.aborted || isAbort(error)) return;
        setFault(faultOf(error));
        setState("invalid");
      }
    }, first.current ? 0 : PAUSE);
    first.current = false;
    return () => (clearTimeout(timer), ended.abort());
  }, [path, text, parameters, compare, opened, round, ready]);

  const leave = () => {
    setResult(null);
    setFault(null);
    setState("empty");
    first.current = true;
  };
  return { state, result, share, fault, took, again: () => setRound((n) => n + 1), leave };
}

/** What the states are called. @type {Record<string, string>} */
const STATES = { empty: "Waiting for a history", running: "Evaluating", fresh: "Up to date", stale: "Out of date", invalid: "Invalid draft" };

/**
 * @param {{
 *   picture: ReturnType<typeof usePicture>, theme: string, compare: boolean, summary: any, now: string,
 *   sweep: { name: string, rows: import("./types.js").SweepRow[] } | null,
 *   onCompare: (on: boolean) => void, onPick: (value: string) => void, onCloseSweep: () => void,
 *   onLabel: (key: string, range: import("./chart.js").Range) => void,
 *   onCase: (key: string, range: import("./chart.js").Range, name: string) => Promise<boolean>
 * }} props
 */
function Picture({ picture, theme, compare, summary, sweep, now, onCompare, onPick, onCloseSweep, onLabel, onCase }) {
  const { state, result, share, fault, took } = picture;
  const start = useMemo(place.read, []);
  const [key, setKey] = useState(/** @type {string | null} */ (start.key ?? null));
  const [view, setView] = useState(/** @type {import("./chart.js").Range | null} */ (start.from && start.to ? { from: Number(start.from), to: Number(start.to) } : null));
  const [selection, setSelection] = useState(/** @type {import("./chart.js").Range | null} */ (null));
  const [chosen, setChosen] = useState(/** @type {string | null} */ (null));
  const [width, setWidth] = useState(800);
  const [data, setData] = useState(/** @type {(import("./types.js").Chart & { evaluation: number }) | null} */ (null));
  const [naming, setNaming] = useState(/** @type {string | null} */ (null));
  const whole = useMemo(() => (result ? { from: result.lane.from, to: result.lane.to } : { from: 0, to: 1 }), [result?.lane.from, result?.lane.to]);
  const keys = result?.keys ?? [];
  const shownKey = keys.some((one) => one.key === key) ? key : keys[0]?.key ?? null;
  const seen = view ?? whole;

  useEffect(() => {
    if (!result || shownKey === null) return undefined;
    const ended = new AbortController();
    const ask = (/** @type {boolean} */ expected) => post("chart", { evaluation: result.evaluation, key: shownKey, from: seen.from, to: seen.to, width, expected }, ended.signal);
    const timer = setTimeout(async () => {
      try {
        const { evaluation } = result;
        const quick = await ask(false);
        setData((before) => ({ ...quick, evaluation, expected: quick.expected ?? (before?.key === quick.key ? before?.expected ?? null : null) }));
        if (!quick.expected) setData({ ...(await ask(true)), evaluation });
      } catch (error) {
        // A newer evaluation has taken its place; that one draws its own.
        if (!isAbort(error)) setData((before) => before && { ...before, expected: before.expected ?? [] });
      }
    }, data ? 40 : 0);
    return () => (clearTimeout(timer), ended.abort());
  }, [result?.evaluation, shownKey, seen.from, seen.to, width]);

  const look = (/** @type {import("./chart.js").Range | null} */ range) => {
    const next = range && within(range, whole);
    const all = !next || (next.from <= whole.from && next.to >= whole.to);
    setView(all ? null : next);
    place.write({ from: all || !next ? null : Math.round(next.from), to: all || !next ? null : Math.round(next.to) });
  };
  const choose = (/** @type {string} */ name) => {
    setKey(name);
    setChosen(null);
    setSelection(null);
    place.write({ key: name });
  };
  const figures = result?.figures;
  const counts = { "data-anomalies": figures?.anomalies, "data-alerts": figures?.alerts, "data-gained": result?.comparison?.gained, "data-lost": result?.comparison?.lost };
  const drawn = data && data.key === shownKey ? data : null;
  return html`<section class="picture" id="picture" aria-label="What the rule would have found" aria-busy=${state === "running"} data-state=${state}
      data-evaluation=${result?.evaluation} data-rule=${result?.rule} data-key=${shownKey} data-drawn=${drawn?.evaluation}
      data-expected=${drawn?.expected ? "known" : "unknown"} data-took=${took === null ? null : Math.round(took)} ...${counts}>
    <header class="bar">
      <span class="state" role="status" data-state=${state}><i></i>${state === "empty" && summary ? "Evaluating" : STATES[state]}${state === "fresh" && took !== null ? html` <small>${number(Math.round(took))} ms</small>` : ""}</span>
      <span class="grow"></span>
      <label class="switch"><input type="checkbox" id="compare" checked=${compare} onChange=${(/** @type {any} */ event) => onCompare(event.target.checked)} /> compare with the last commit</label>
    </header>
    <progress class="progress" hidden=${state !== "running"} value=${share ?? undefined} max="1" aria-label="Evaluation"></progress>
    ${state === "invalid" && fault && html`<${FaultLine} fault=${fault} id="invalid" />`}
    ${state === "invalid" && result && html`<p class="muted pad" id="last-good">Below is the last draft that could be evaluated.</p>`}
    ${result?.comparison_fault && compare && html`<${FaultLine} fault=${result.comparison_fault} id="comparison-fault" />`}
    ${result?.warnings.map((warning) => html`<p class="warning" key=${warning}>${warning}</p>`)}
    ${result && figures && html`<div class="good" data-faded=${state === "invalid" || state === "stale"}>
      <${Figures} result=${result} />
      ${figures.anomalies === 0 && html`<div class="nothing" id="nothing"><h2>Nothing found</h2>
        ${result.starved.length > 0 ? result.starved.map((one) => html`<${FaultLine} key=${one.message} fault=${one} />`)
          : html`<p class="muted">No reading of this history is far enough from what the rule expects. Move a parameter, or look at the band below.</p>`}</div>`}
      ${figures.anomalies > 0 && result.starved.map((one) => html`<${FaultLine} key=${one.message} fault=${one} />`)}
      ${sweep && html`<${Sweep} name=${sweep.name} rows=${sweep.rows} now=${now} onPick=${onPick} onClose=${onCloseSweep} />`}
      <div class="bar chart-bar">
        <h2 id="chart-key">${shownKey}</h2>
        <span class="grow"></span>
        <button class="quiet" id="zoom-out" aria-label="Zoom out" onClick=${() => { const span = seen.to - seen.from; look({ from: seen.from - span / 2, to: seen.to + span / 2 }); }}>−</button>
        <button class="quiet" id="zoom-in" aria-label="Zoom in" onClick=${() => { const span = seen.to - seen.from; look({ from: seen.from + span / 4, to: seen.to - span / 4 }); }}>+</button>
        <button class="quiet" id="zoom-all" disabled=${view === null} onClick=${() => look(null)}>All</button>
      </div>
      <${Legend} compare=${compare && result.comparison !== null} trial=${figures.on_trial} band=${(drawn?.expected ?? []).length > 0} series=${drawn?.is_series ?? true} />
      <${Chart} data=${drawn} view=${seen} whole=${whole} selection=${selection} chosen=${chosen} theme=${theme} onView=${look}
        onSelect=${setSelection} onChoose=${setChosen} onWidth=${setWidth} />
      <p class="muted axis-note">times are UTC; drag, or Shift and the arrow keys, select a range</p>
      ${selection && shownKey && html`<div class="selected" id="selected" role="group" aria-label="Selected range">
        <span>${rangeText(selection)}</span>
        <button id="zoom-selection" onClick=${() => { look(selection); setSelection(null); }}>Zoom in</button>
        <button id="label-selection" onClick=${() => { onLabel(shownKey, selection); setSelection(null); }}>Label it</button>
        <button id="case-selection" onClick=${() => setNaming(`${shownKey} of ${new Date(selection.from).toISOString().slice(0, 10)}`)}>Make a test case</button>
        <button class="quiet" onClick=${() => setSelection(null)}>Clear</button>
        ${naming !== null && html`<form class="naming" onSubmit=${async (/** @type {SubmitEvent} */ event) => {
          event.preventDefault();
          if (await onCase(shownKey, selection, naming)) (setNaming(null), setSelection(null));
        }}><label>What happens in it <input id="case-name" value=${naming} onInput=${(/** @type {any} */ event) => setNaming(event.target.value)} /></label>
          <button class="primary" id="case-make" type="submit">Write it into the tests</button></form>`}
      </div>`}
      ${drawn && shownKey && html`<${AnomalyTable} marks=${drawn.marks} keyName=${shownKey} chosen=${chosen} onChoose=${setChosen} />`}
      <${LaneView} lane=${result.lane} chosen=${shownKey} view=${seen} onChoose=${(/** @type {string} */ name, /** @type {number} */ from, /** @type {number} */ to) => { choose(name); look({ from, to }); }} />
      <${Keys} keys=${keys} chosen=${shownKey} compare=${compare && result.comparison !== null} onChoose=${choose} />
    </div>`}
  </section>`;
}
