// The types of vendor.js, as the libraries have them.
export { h, render, Fragment } from "../vendor/node_modules/preact";
export { useState, useEffect, useLayoutEffect, useMemo, useRef, useCallback, useReducer } from "../vendor/node_modules/preact/hooks";
export { default as htm } from "../vendor/node_modules/htm";
export { default as uPlot } from "../vendor/node_modules/uplot";
export { EditorState, Compartment, StateEffect, StateField } from "../vendor/node_modules/@codemirror/state";
export type { Text } from "../vendor/node_modules/@codemirror/state";
export {
  EditorView, keymap, lineNumbers, highlightActiveLine, highlightActiveLineGutter, drawSelection, hoverTooltip, Decoration, placeholder,
} from "../vendor/node_modules/@codemirror/view";
export { defaultKeymap, history, historyKeymap } from "../vendor/node_modules/@codemirror/commands";
export { sql, PostgreSQL, SQLDialect } from "../vendor/node_modules/@codemirror/lang-sql";
export { syntaxHighlighting, HighlightStyle, bracketMatching, StreamLanguage, indentOnInput } from "../vendor/node_modules/@codemirror/language";
export { linter, lintGutter, setDiagnostics, lintKeymap } from "../vendor/node_modules/@codemirror/lint";
export { autocompletion, completionKeymap, closeBrackets, closeBracketsKeymap, startCompletion } from "../vendor/node_modules/@codemirror/autocomplete";
export type { CompletionContext } from "../vendor/node_modules/@codemirror/autocomplete";
export { tags } from "../vendor/node_modules/@lezer/highlight";
