// The project's rules and their tests.
import { useState } from "./vendor.js";
import { html } from "./html.js";

/**
 * @param {{ rules: import("./types.js").RuleEntry[], chosen: string | null, dirty: Set<string>, onChoose: (name: string) => void, outcomes: import("./types.js").TestOutcome[] | null }} props
 */
export function Tree({ rules, chosen, dirty, onChoose, outcomes }) {
  const [wanted, setWanted] = useState("");
  const shown = rules.filter((rule) => rule.name.includes(wanted.toLowerCase()));
  return html`<nav class="tree" aria-label="Rules">
    <input type="search" placeholder="Find a rule" aria-label="Find a rule" value=${wanted}
      onInput=${(/** @type {any} */ event) => setWanted(event.target.value)} />
    <ul>
      ${shown.map((rule) => html`<li key=${rule.path}>
        <button class="rule" data-rule=${rule.name} aria-current=${rule.name === chosen} title=${rule.description} onClick=${() => onChoose(rule.name)}>
          <i class="dot" data-severity=${rule.severity ?? "broken"}></i>
          <span>${rule.name}</span>
          ${dirty.has(rule.path) && html`<em title="not saved">●</em>`}
          ${rule.stage && rule.stage !== "active" && html`<small>${rule.stage}</small>`}
          ${!rule.severity && html`<small class="bad">unread</small>`}
        </button>
        ${rule.name === chosen && html`<ul class="cases" aria-label="Tests">
          ${rule.cases.length === 0 && html`<li class="none">no tests yet</li>`}
          ${rule.cases.map((name) => {
            const outcome = outcomes?.find((one) => one.case === name);
            const state = outcome ? (outcome.passed ? "passed" : "failed") : "not run";
            return html`<li key=${name} data-case=${name} data-outcome=${state} title=${outcome?.said ?? state}>
              <i aria-label=${state}>${outcome ? (outcome.passed ? "✓" : "✗") : "·"}</i>${name}</li>`;
          })}
        </ul>`}
      </li>`)}
      ${shown.length === 0 && html`<li class="none">no rule has this in its name</li>`}
    </ul>
  </nav>`;
}
