/**
 * Makes what people wrote harmless, and cuts a text into pieces to show. Pure: it gives pieces, never HTML.
 *
 * service/visible.py has the same rules for terminals.
 * @module
 */

/**
 * `text` is harmless and may have line ends; of a link `href` is http or https. A block stands by itself.
 * @typedef {{ type: 'text' | 'link' | 'code' | 'block' | 'mention', text: string, href?: string }} Piece
 */

const MARKS = 8; // marks on one character; real scripts use five at most
const INVISIBLE =
  '\\u00AD\\u034F\\u061C\\u115F\\u1160\\u17B4\\u17B5\\u180B-\\u180F\\u200B-\\u200F\\u2060-\\u2065\\u206A-\\u206F\\u3164' +
  '\\uFE00-\\uFE0F\\uFEFF\\uFFA0\\uFFF9-\\uFFFB\\u{E0100}-\\u{E01EF}';
// What reorders a line, ends one, or is half a character; C0 and DEL have pictures.
// deno-lint-ignore no-control-regex -- those are what it is about
const HARMFUL = /[\0-\x08\x0B-\x1F\x7F-\x9F\u202A-\u202E\u2066-\u2069\u2028\u2029\p{Cs}]/gu;
const HARMFUL_IN_LINE = new RegExp(`${HARMFUL.source.slice(0, -1)}\t\n${INVISIBLE}]`, 'gu');
const TAGS = /[\u{E0000}-\u{E007F}]/gu; // invisible, used to hide text
const PILES = new RegExp(`[\\p{Mn}\\p{Me}\\p{Cf}]{${MARKS + 1},}`, 'gu'); // they would cover the lines above and below
const ORDINARY = /^[\n\x20-\x7E]*$/;
const SHOWS_NOTHING = new RegExp(`^[\\s\\p{M}\\p{Cf}${INVISIBLE}]*$`, 'u');

const CODE = /```([^]+?)```\n?|(?<!`)`(?!`)([^`\n]+)`(?!`)/g;
const LINK = /(?<![\p{L}\p{N}_])https?:\/\/[^\s\p{C}<>"`]+/giu;
const AFTER_LINK = new Set('.,;:!?\'"*_~…'); // belongs to the sentence round a link, not to it
const WORD = '[\\p{L}\\p{N}\\p{M}_]';
const LONGEST_LINE = 1000; // characters of a name, a topic or an error

/** @param {string} char */
function visible(char) {
  const point = /** @type {number} */ (char.codePointAt(0));
  if (point < 0x20) return String.fromCodePoint(0x2400 + point);
  if (point === 0x7f) return '\u2421';
  return `<U+${point.toString(16).toUpperCase().padStart(4, '0')}>`;
}

/**
 * A text in which nothing is left that moves or hides other text; line ends and tabs stay.
 * @param {string} text
 */
export function safe(text) {
  if (ORDINARY.test(text)) return text;
  if (SHOWS_NOTHING.test(text)) return oneLine(text);
  return thin(text.replaceAll('\r\n', '\n').replace(HARMFUL, visible).replace(TAGS, ''));
}

/**
 * The same for what is one line: a name, a topic, an error. All that is invisible is made visible.
 * @param {string} text
 */
export function oneLine(text) {
  if (ORDINARY.test(text) && !text.includes('\n') && text.length <= LONGEST_LINE) return text;
  const cut = text.length > LONGEST_LINE ? `${text.slice(0, LONGEST_LINE)}…` : text;
  return thin(cut.replace(HARMFUL_IN_LINE, visible).replace(TAGS, ''));
}

/** @param {string} text */
function thin(text) {
  return text.replace(PILES, (run) => {
    const marks = [...run];
    return `${marks.slice(0, MARKS).join('')}<${marks.length - MARKS} marks>`;
  });
}

/**
 * One line with at most so many characters of a text: for a notification or a title.
 * @param {string} text
 * @param {number} most
 */
export function excerpt(text, most) {
  const line = oneLine(text.slice(0, 4 * most).replace(/\s+/g, ' ').trim());
  const chars = [...line];
  return chars.length > most ? `${chars.slice(0, most).join('')}…` : line;
}

/**
 * The number of characters as the service counts them: code points.
 * @param {string} text
 */
export function countOf(text) {
  let number = 0;
  for (const _ of text) number++;
  return number;
}

/**
 * The bytes that a text takes in a line.
 * @param {string} text
 */
export function bytesOf(text) {
  return new TextEncoder().encode(JSON.stringify(text)).length;
}

/**
 * A text without halves of characters, which no line can say.
 * @param {string} text
 */
export function wellFormed(text) {
  return text.replace(/\p{Cs}/gu, '\uFFFD');
}

/**
 * Finds a name as a word, in any case; null for no name.
 * @param {string} name
 * @returns {RegExp | null}
 */
export function finderOf(name) {
  if (!name) return null;
  const escaped = name.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
  return new RegExp(`(?<!${WORD})${escaped}(?!${WORD})`, 'iu');
}

/**
 * The pieces of a message, in order. `me` is whose mentions are set off.
 * @param {string} text
 * @param {string} [me]
 * @returns {Piece[]}
 */
export function pieces(text, me = '') {
  const shown = safe(text);
  const finder = finderOf(me);
  /** @type {Piece[]} */
  const found = [];
  let end = 0;
  for (const match of shown.matchAll(CODE)) {
    addLinks(found, shown.slice(end, match.index), finder);
    if (match[1] !== undefined) found.push({ type: 'block', text: match[1].replace(/^\n|\n$/g, '') });
    else found.push({ type: 'code', text: match[2] });
    end = match.index + match[0].length;
  }
  addLinks(found, shown.slice(end), finder);
  return found;
}

/**
 * @param {Piece[]} found
 * @param {string} text
 * @param {RegExp | null} finder
 */
function addLinks(found, text, finder) {
  let end = 0;
  for (const match of text.matchAll(LINK)) {
    const link = withoutEnd(match[0]);
    const href = addressOf(link);
    if (!href) continue;
    addMentions(found, text.slice(end, match.index), finder);
    found.push({ type: 'link', text: link, href });
    end = match.index + link.length;
  }
  addMentions(found, text.slice(end), finder);
}

/**
 * @param {Piece[]} found
 * @param {string} text
 * @param {RegExp | null} finder
 */
function addMentions(found, text, finder) {
  let rest = text;
  for (let match = finder?.exec(rest); match; match = finder?.exec(rest)) {
    if (match.index) found.push({ type: 'text', text: rest.slice(0, match.index) });
    found.push({ type: 'mention', text: match[0] });
    rest = rest.slice(match.index + match[0].length);
  }
  if (rest) found.push({ type: 'text', text: rest });
}

/** @param {string} link */
function withoutEnd(link) {
  let end = link.length;
  for (;;) {
    const last = link[end - 1];
    const opening = { ')': '(', ']': '[', '}': '{' }[last];
    const closes = opening !== undefined && !link.slice(0, end).includes(opening);
    if (!closes && !AFTER_LINK.has(last)) return link.slice(0, end);
    end--;
  }
}

/**
 * Where a link goes; empty if it must not be one. One with a user name looks as if it went elsewhere.
 * @param {string} link
 */
function addressOf(link) {
  try {
    const url = new URL(link);
    const isPlain = (url.protocol === 'https:' || url.protocol === 'http:') && !url.username && !url.password;
    return isPlain ? url.href : '';
  } catch {
    return '';
  }
}

/**
 * One of eight colours for a name; it never changes.
 * @param {string} name
 */
export function colour(name) {
  let hash = 0x811c9dc5; // FNV-1a
  for (let place = 0; place < name.length; place++) {
    hash = Math.imul(hash ^ name.charCodeAt(place), 0x01000193);
  }
  return (hash >>> 0) % 8;
}
