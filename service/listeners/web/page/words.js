/**
 * All English texts of the page's model: errors say what to do next. It decides nothing.
 * @module
 */

/** @typedef {import('./protocol.js').ErrorReply} ErrorReply */

/** Why something was not done, to be shown as it is. `retryAfter` is in seconds. */
export class Refusal extends Error {
  /**
   * @param {string} text
   * @param {string} [code]
   * @param {number} [retryAfter]
   */
  constructor(text, code = '', retryAfter) {
    super(text);
    this.name = 'Refusal';
    this.text = text;
    this.code = code;
    this.retryAfter = retryAfter;
  }
}

/**
 * @param {number} number
 * @param {string} noun
 */
export function counted(number, noun) {
  return `${number.toLocaleString('en')} ${noun}${number === 1 ? '' : 's'}`;
}

/**
 * @param {number} seconds
 */
export function spanOf(seconds) {
  if (seconds < 90) return counted(Math.max(1, Math.ceil(seconds)), 'second');
  if (seconds < 90 * 60) return counted(Math.ceil(seconds / 60), 'minute');
  if (seconds < 36 * 3600) return counted(Math.ceil(seconds / 3600), 'hour');
  return counted(Math.ceil(seconds / 86400), 'day');
}

/**
 * @param {string} text
 */
function sentence(text) {
  const line = text.replace(/\.+$/, '');
  return line && `${line[0].toUpperCase()}${line.slice(1)}.`;
}

export const words = {
  noOperation: (/** @type {string} */ name) => `There is no /${name} here. To send a slash, begin with two.`,
  emptyAction: 'Say what you do: /me waves.',
};
export { sentence };
