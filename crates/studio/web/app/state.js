// What is looked at stands in the address, so that a link shows the same to somebody else on this machine.

/** @typedef {Record<string, string>} Place */

/** @returns {Place} */
export function read() {
  return Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
}

/**
 * Changes parts of the address; what is null goes.
 * @param {Record<string, string | number | null | undefined>} changes
 * @param {boolean} [push] makes it a step that the browser's back button takes back
 */
export function write(changes, push) {
  const place = new URLSearchParams(location.hash.slice(1));
  for (const [name, value] of Object.entries(changes)) {
    if (value === null || value === undefined || value === "") place.delete(name);
    else place.set(name, String(value));
  }
  const url = `${location.pathname}${location.search}#${place}`;
  if (push) history.pushState(null, "", url);
  else history.replaceState(null, "", url);
}

/** The parameters that the address sets, by name. @param {Place} place */
export function parametersOf(place) {
  /** @type {Record<string, string>} */
  const set = {};
  for (const [name, value] of Object.entries(place)) {
    if (name.startsWith("set.")) set[name.slice(4)] = value;
  }
  return set;
}

/** Puts the parameters into the address. @param {Record<string, string>} set */
export function writeParameters(set) {
  /** @type {Record<string, string | null>} */
  const changes = {};
  for (const name of Object.keys(read())) if (name.startsWith("set.")) changes[name] = null;
  for (const [name, value] of Object.entries(set)) changes[`set.${name}`] = value;
  write(changes);
}
