// The editor: CodeMirror on the text of a file, with findings at their place, completion, and what a word means.
import {
  EditorState, EditorView, HighlightStyle, Compartment, PostgreSQL, StreamLanguage, autocompletion, bracketMatching, closeBrackets,
  closeBracketsKeymap, completionKeymap, defaultKeymap, drawSelection, highlightActiveLine, highlightActiveLineGutter, history,
  historyKeymap, hoverTooltip, indentOnInput, keymap, lineNumbers, lintGutter, lintKeymap, setDiagnostics, sql, syntaxHighlighting,
  tags, useEffect, useRef,
} from "./vendor.js";
import { html } from "./html.js";

/** @typedef {import("./types.js").FindingEntry} FindingEntry */
/** @typedef {import("./types.js").Vocabulary} Vocabulary */
/** @typedef {import("./types.js").ParameterEntry} ParameterEntry */

const nonce = document.querySelector('meta[name="style-nonce"]')?.getAttribute("content") ?? "";

const look = EditorView.theme({
  "&": { height: "100%", fontSize: "13px", backgroundColor: "var(--surface)", color: "var(--ink)" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.55" },
  ".cm-content": { caretColor: "var(--ink)", padding: "8px 0" },
  ".cm-cursor": { borderLeftColor: "var(--ink)" },
  ".cm-gutters": { backgroundColor: "var(--surface)", color: "var(--faint)", border: "none" },
  ".cm-activeLine": { backgroundColor: "var(--hover)" },
  ".cm-activeLineGutter": { backgroundColor: "var(--hover)", color: "var(--muted)" },
  "&.cm-focused .cm-selectionBackground, .cm-selectionBackground": { backgroundColor: "var(--select) !important" },
  "&.cm-focused": { outline: "none" },
  ".cm-tooltip": { backgroundColor: "var(--raised)", color: "var(--ink)", border: "1px solid var(--line)", borderRadius: "6px" },
  ".cm-tooltip-autocomplete ul li[aria-selected]": { backgroundColor: "var(--accent)", color: "var(--on-accent)" },
  ".cm-matchingBracket": { backgroundColor: "var(--select) !important" },
  ".cm-diagnostic": { padding: "6px 10px", maxWidth: "48em" },
  ".cm-diagnostic-error": { borderLeft: "3px solid var(--bad)" },
  ".cm-diagnostic-warning": { borderLeft: "3px solid var(--warn)" },
  ".cm-diagnostic-info": { borderLeft: "3px solid var(--accent)" },
});

const colours = HighlightStyle.define([
  { tag: [tags.keyword, tags.operatorKeyword], color: "var(--code-keyword)" },
  { tag: [tags.string, tags.special(tags.string)], color: "var(--code-string)" },
  { tag: [tags.number, tags.bool, tags.null], color: "var(--code-number)" },
  { tag: tags.comment, color: "var(--muted)" },
  { tag: [tags.typeName, tags.standard(tags.name)], color: "var(--code-type)" },
  { tag: tags.propertyName, color: "var(--code-keyword)" },
  { tag: tags.heading, color: "var(--code-type)", fontWeight: "600" },
]);

/** Enough of TOML to see what is a name, a text and a comment. */
const toml = StreamLanguage.define({
  name: "toml",
  token(stream) {
    if (stream.eatSpace()) return null;
    if (stream.match(/^#.*/)) return "comment";
    if (stream.sol() && stream.match(/^\[\[?[^\]]*\]\]?/)) return "heading";
    if (stream.match(/^"(?:[^"\\]|\\.)*"?/) || stream.match(/^'[^']*'?/)) return "string";
    if (stream.match(/^[\w.-]+(?=\s*=)/)) return "propertyName";
    if (stream.match(/^(?:true|false)\b/)) return "bool";
    if (stream.match(/^[+-]?\d[\d_.eE+-]*/)) return "number";
    stream.next();
    return null;
  },
});

/** What a name in the text stands for. @param {string} word @param {Vocabulary | null} words @param {ParameterEntry[]} parameters */
function meaning(word, words, parameters) {
  const parameter = parameters.find((one) => one.name === word);
  if (parameter) {
    const range = [parameter.min !== null && `at least ${parameter.min}`, parameter.max !== null && `at most ${parameter.max}`];
    const said = [parameter.description, range.filter(Boolean).join(", ")].filter(Boolean).join(". ");
    return { title: `\${${word}}`, kind: `${parameter.kind}, default ${parameter.default}`, text: said };
  }
  const called = words?.functions.find((one) => one.name === word.toLowerCase());
  if (called) return { title: called.syntax, kind: called.kind, text: called.description };
  for (const view of words?.views ?? []) {
    const column = view.columns.find(([name]) => name === word);
    if (column) return { title: `${view.name}.${word}`, kind: column[1], text: COLUMNS[word] ?? "" };
    if (view.name === word) return { title: word, kind: "view", text: view.columns.map(([name]) => name).join(", ") };
  }
  return null;
}

/** @type {Record<string, string>} */
const COLUMNS = {
  event_time: "The clock that windows go by.",
  timestamp: "What the event says of its time.",
  value: "The reading.",
  source: "Where it was read.",
  metric: "What was read.",
  series: "The metric of a source: source/metric.",
  id: "What the event calls itself.",
  tags: "Further words that it carries.",
  event: "The whole JSON text: event ->> 'field' reaches every further field.",
};

/** @param {{ title: string, kind: string, text: string }} what */
function card(what) {
  const dom = document.createElement("div");
  dom.className = "meaning";
  for (const [tag, text] of [["code", what.title], ["small", what.kind], ["p", what.text]]) {
    if (!text) continue;
    const line = document.createElement(tag);
    line.textContent = text;
    dom.append(line);
  }
  return dom;
}

/**
 * @param {{
 *   path: string, text: string, stamp: number, label: string, findings: FindingEntry[], words: Vocabulary | null, parameters: ParameterEntry[],
 *   onChange: (text: string) => void, onSave: () => void, onRun?: () => void
 * }} props
 */
export function Editor(props) {
  const host = useRef(/** @type {HTMLDivElement | null} */ (null));
  const view = useRef(/** @type {EditorView | null} */ (null));
  const latest = useRef(props);
  latest.current = props;

  useEffect(() => {
    if (!host.current) return undefined;
    const language = new Compartment();
    const made = new EditorView({
      parent: host.current,
      state: EditorState.create({
        doc: latest.current.text,
        extensions: [
          EditorView.cspNonce.of(nonce),
          lineNumbers(), highlightActiveLine(), highlightActiveLineGutter(), history(), drawSelection(), indentOnInput(),
          bracketMatching(), closeBrackets(), lintGutter(), look, syntaxHighlighting(colours), EditorView.lineWrapping,
          language.of(props.path.endsWith(".toml") ? toml : sql({ dialect: PostgreSQL, upperCaseKeywords: true })),
          autocompletion({ override: [(context) => complete(context, latest.current)], icons: false }),
          hoverTooltip((of, at) => hover(of, at, latest.current)),
          EditorView.contentAttributes.of({ "aria-label": latest.current.label }),
          keymap.of([
            { key: "Mod-s", preventDefault: true, run: () => (latest.current.onSave(), true) },
            { key: "Mod-Enter", run: () => (latest.current.onRun?.(), true) },
            ...closeBracketsKeymap, ...defaultKeymap, ...historyKeymap, ...completionKeymap, ...lintKeymap,
          ]),
          EditorView.updateListener.of((update) => {
            if (update.docChanged) latest.current.onChange(update.state.doc.toString());
          }),
        ],
      }),
    });
    view.current = made;
    return () => made.destroy();
  }, [props.path]);

  // What comes from elsewhere (another version of the file, a slider that writes its value) goes into the editor.
  useEffect(() => {
    const now = view.current;
    const text = props.text;
    if (!now || now.state.doc.toString() === text) return;
    const at = Math.min(now.state.selection.main.head, text.length);
    now.dispatch({ changes: { from: 0, to: now.state.doc.length, insert: text }, selection: { anchor: at } });
  }, [props.stamp, props.path]);

  useEffect(() => {
    const now = view.current;
    if (!now) return;
    const marks = props.findings.map((finding) => mark(now.state.doc, finding)).sort((a, b) => a.from - b.from);
    now.dispatch(setDiagnostics(now.state, marks));
  }, [props.findings, props.path]);

  return html`<div class="editor" ref=${host} data-path=${props.path}></div>`;
}

/** A finding where it is. @param {import("./vendor.js").Text} doc @param {FindingEntry} finding */
function mark(doc, finding) {
  const line = doc.line(Math.min(Math.max(finding.line, 1), doc.lines));
  const from = Math.min(line.from + Math.max(finding.column - 1, 0), line.to);
  const word = /^[\w$]+|^\S/.exec(doc.sliceString(from, line.to));
  const to = finding.column > 0 ? Math.min(from + (word ? word[0].length : 1), line.to) : line.to;
  const severity = /** @type {"info" | "warning" | "error"} */ (finding.level);
  const hint = finding.hint ? `\nhint: ${finding.hint}` : "";
  return { from, to: Math.max(to, from), severity, source: finding.code, message: `${finding.message}${hint}` };
}

/** @param {import("./vendor.js").CompletionContext} context @param {{ path: string, words: Vocabulary | null, parameters: ParameterEntry[] }} known */
function complete(context, { path, words, parameters }) {
  if (path.endsWith(".toml")) return null;
  const parameter = context.matchBefore(/\$\{\w*/);
  if (parameter) {
    const options = parameters.map((one) => ({ label: `\${${one.name}}`, detail: one.kind, info: one.description, type: "variable" }));
    return { from: parameter.from, options };
  }
  const word = context.matchBefore(/\w+/);
  if (!word && !context.explicit) return null;
  // The header is comments.
  if (/^\s*--/.test(context.state.doc.lineAt(context.pos).text)) return null;
  const options = [];
  for (const view of words?.views ?? []) {
    options.push({ label: view.name, type: "class", detail: "view", boost: 1 });
    for (const [name, type] of view.columns) {
      if (!options.some((one) => one.label === name)) options.push({ label: name, type: "property", detail: type, info: COLUMNS[name], boost: 2 });
    }
  }
  for (const one of parameters) options.push({ label: `\${${one.name}}`, detail: "parameter", type: "variable", info: one.description });
  for (const one of words?.functions ?? []) {
    const info = () => card({ title: one.syntax, kind: one.kind, text: one.description });
    options.push({ label: one.name, apply: `${one.name}(`, detail: one.kind, type: "function", info, boost: -1 });
  }
  for (const one of KEYWORDS) options.push({ label: one, type: "keyword", boost: -2 });
  return { from: word ? word.from : context.pos, options, validFor: /^\w*$/ };
}

const KEYWORDS = [
  "SELECT", "FROM", "WHERE", "GROUP BY", "HAVING", "AS", "AND", "OR", "NOT", "CASE", "WHEN", "THEN", "ELSE", "END", "BETWEEN", "IN",
  "IS NULL", "IS NOT NULL", "INTERVAL", "FILTER (WHERE", "ORDER BY", "OVER", "PARTITION BY", "JOIN", "LEFT JOIN", "ON", "UNION ALL",
  "CAST", "TRY_CAST", "DISTINCT", "LIKE", "TRUE", "FALSE", "NULL",
];

/** @param {EditorView} view @param {number} at @param {{ words: Vocabulary | null, parameters: ParameterEntry[] }} known */
function hover(view, at, { words, parameters }) {
  const line = view.state.doc.lineAt(at);
  let [from, to] = [at, at];
  while (from > line.from && /\w/.test(line.text[from - line.from - 1])) from -= 1;
  while (to < line.to && /\w/.test(line.text[to - line.from])) to += 1;
  const what = from < to ? meaning(line.text.slice(from - line.from, to - line.from), words, parameters) : null;
  return what ? { pos: from, end: to, above: true, create: () => ({ dom: card(what) }) } : null;
}
