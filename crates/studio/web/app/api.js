// Questions to the server. The token is in the address that the command printed, and goes with each of them. The browser keeps it for
// this origin, so that the link in an alert, which has none, opens while the same page is served.

/** @typedef {import("./types.js").Fault} Fault */

const TOKEN = "weir-token";
const given = new URLSearchParams(location.search).get("token");
if (given) localStorage.setItem(TOKEN, given);
const token = given ?? localStorage.getItem(TOKEN) ?? "";

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
 * Every event of an answer that goes on. Server-Sent Events, read here and not by the browser's EventSource: that one sends no header,
 * so the token would stand in the address, and it cannot ask with a body.
 * @template T
 * @param {string} method @param {string} path @param {unknown} body @param {(data: T) => void} take @param {AbortSignal} [signal]
 */
export async function each(method, path, body, take, signal) {
  const answer = await send(method, path, body, signal);
  if (!answer.body) return;
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const events = (rest + value).split("\n\n");
    rest = events.pop() ?? "";
    for (const event of events) {
      const data = event.split("\n").filter((line) => line.startsWith("data: ")).map((line) => line.slice(6));
      if (data.length > 0) take(JSON.parse(data.join("\n")));
    }
  }
}

/**
 * The events of an answer that never ends. Where it breaks off it is asked for anew, as the browser's EventSource does, until the
 * server itself says that it failed.
 * @template T
 * @param {string} path @param {(data: import("./types.js").Progress<T>) => void} take
 * @param {() => void} broken @param {AbortSignal} signal
 */
export async function follow(path, take, broken, signal) {
  for (let failed = false; !failed; ) {
    try {
      await each("GET", path, undefined, (/** @type {import("./types.js").Progress<T>} */ event) => {
        failed = event.state === "failed";
        take(event);
      }, signal);
    } catch (error) {
      // A refusal is an answer; what broke is asked again.
      if (isAbort(error) || error instanceof ApiError) throw error;
    }
    if (signal.aborted) return;
    if (!failed) {
      broken();
      await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN));
    }
  }
}

/** Milliseconds before a stream that broke off is asked for again: what the server says in `retry`. */
const ASK_AGAIN = 2000;

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
  await each("POST", path, body, (/** @type {import("./types.js").Progress<T>} */ event) => {
    if (event.state === "running") tell?.(event.share, event.doing);
    else if (event.state === "done") result = event.result;
    else fault = event;
  }, signal);
  if (fault) throw new ApiError(fault);
  if (result === undefined) throw new ApiError({ message: "the answer broke off", hint: "try again" });
  return result;
}
