/**
 * What is typed on the page's line: a text, or what somebody does. There are no other operations.
 * @module
 */

import { words } from './words.js';

/**
 * What a typed text says: `/me waves` is an action, `//` begins with a slash. Other operations there are none.
 * @param {string} typed
 * @returns {{ text: string, kind: '' | 'action' } | { error: string }}
 */
export function parseLine(typed) {
  const text = typed.trimEnd();
  if (text.startsWith('//')) return { text: text.slice(1), kind: '' };
  const operation = /^\/([a-z]+)(?:\s+([^]+))?$/i.exec(text);
  if (!operation) return { text, kind: '' };
  if (operation[1].toLowerCase() !== 'me') return { error: words.noOperation(operation[1]) };
  return operation[2] ? { text: operation[2], kind: 'action' } : { error: words.emptyAction };
}
