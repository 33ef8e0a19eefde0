// Markup without a compiler: htm over Preact. What is put into it is text, never markup.
import { h, htm } from "./vendor.js";

export const html = htm.bind(h);
