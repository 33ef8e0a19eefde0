// What the page uses of each library, and nothing more.
export { h, render, Fragment } from "preact";
export { useState, useEffect, useLayoutEffect, useMemo, useRef, useCallback, useReducer } from "preact/hooks";
export { default as htm } from "htm";
export { default as uPlot } from "uplot";
export { EditorState, Compartment, StateEffect, StateField } from "@codemirror/state";
export {
  EditorView, keymap, lineNumbers, highlightActiveLine, highlightActiveLineGutter, drawSelection, hoverTooltip, Decoration, placeholder,
} from "@codemirror/view";
export { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
export { sql, PostgreSQL, SQLDialect } from "@codemirror/lang-sql";
export { syntaxHighlighting, HighlightStyle, bracketMatching, StreamLanguage, indentOnInput } from "@codemirror/language";
export { linter, lintGutter, setDiagnostics, lintKeymap } from "@codemirror/lint";
export { autocompletion, completionKeymap, closeBrackets, closeBracketsKeymap, startCompletion } from "@codemirror/autocomplete";
export { tags } from "@lezer/highlight";
