import { html } from "./html.js";

/** @param {{ project: import("./types.js").Project, theme: string }} props */
export const HistoryView = ({ project }) => html`<p class="pad muted">${project.running ?? "Start with --stack NAME or --env NAME to see what was found."}</p>`;
