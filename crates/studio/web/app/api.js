// Questions to the server. The token is in the address that the command printed, and goes with each of them.

/** @typedef {import("./types.js").Fault} Fault */

const token = new URLSearchParams(location.search).get("token") ?? "";

/** Which tab asks: a newer evaluation of the same tab ends the one before. */
export const tab = crypto.randomUUID();

/** What went wrong, in the server's words. */
export class ApiError extends Error {
  /** @param {Fault} fault */
  constructor(fault) {
    super(fault.message);
    this.hint = fault.hint;
  }
}

/** @param {unknown} error @returns {Fault} */
export function faultOf(error) {
  if (error instanceof ApiError) return { message: error.message, hint: error.hint };
  if (error instanceof TypeError) {
    return { message: "weir studio does not answer any more", hint: "start it again, and open the address that it prints" };
  }
  return { message: error instanceof Error ? error.message : String(error), hint: null };
}

/** @param {unknown} error */
export const isAbort = (error) => error instanceof DOMException && error.name === "AbortError";

/**
 * @param {string} method @param {string} path @param {unknown} [body] @param {AbortSignal} [signal]
 * @returns {Promise<Response>}
 */
async function send(method, path, body, signal) {
  /** @type {Record<string, string>} */
  const headers = { "x-weir-token": token };
  if (body !== undefined) headers["content-type"] = "application/json";
  const answer = await fetch(`/api/${path}`, { method, headers, signal, body: body === undefined ? undefined : JSON.stringify(body) });
  if (answer.ok) return answer;
  const text = await answer.text();
  /** @type {Fault} */
  let fault = { message: text || `the server answered ${answer.status}`, hint: null };
  try {
    fault = JSON.parse(text);
  } catch {
    // Not in its own words: a limit of the connection, say.
  }
  throw new ApiError(fault);
}

/** @template T @param {string} path @param {AbortSignal} [signal] @returns {Promise<T>} */
export const get = async (path, signal) => (await send("GET", path, undefined, signal)).json();

/** @template T @param {string} path @param {unknown} body @param {AbortSignal} [signal] @returns {Promise<T>} */
export const post = async (path, body, signal) => (await send("POST", path, body, signal)).json();

/** @template T @param {string} path @param {unknown} body @returns {Promise<T>} */
export const put = async (path, body) => (await send("PUT", path, body)).json();

/** @template T @param {string} path @param {unknown} [body] @returns {Promise<T>} */
export const remove = async (path, body) => (await send("DELETE", path, body)).json();

/**
 * Every line of an answer that goes on.
 * @template T
 * @param {string} method @param {string} path @param {unknown} body @param {(line: T) => void} take @param {AbortSignal} [signal]
 */
export async function each(method, path, body, take, signal) {
  const answer = await send(method, path, body, signal);
  if (!answer.body) return;
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const lines = (rest + value).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) if (line) take(JSON.parse(line));
  }
}

/**
 * An answer that tells of its progress.
 * @template T
 * @param {string} path @param {unknown} body
 * @param {(share: number | null, doing: string) => void} [tell] @param {AbortSignal} [signal]
 * @returns {Promise<T>}
 */
export async function progress(path, body, tell, signal) {
  /** @type {T | undefined} */
  let result;
  /** @type {Fault | undefined} */
  let fault;
  await each("POST", path, body, (/** @type {import("./types.js").Progress<T>} */ line) => {
    if (line.state === "running") tell?.(line.share, line.doing);
    else if (line.state === "done") result = line.result;
    else fault = line;
  }, signal);
  if (fault) throw new ApiError(fault);
  if (result === undefined) throw new ApiError({ message: "the answer broke off", hint: "try again" });
  return result;
}
