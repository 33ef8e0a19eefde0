import { html } from "./html.js";

/** @param {{ project: import("./types.js").Project }} props */
export const LiveView = ({ project }) => html`<p class="pad muted">${project.running ?? "Start with --stack NAME or --env NAME to see what runs."}</p>`;
