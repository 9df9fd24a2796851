/**
 * The dialog about many lines that were pasted. Nothing of them is sent before the user has said how.
 */
import { dialog } from './dialog.js';
import { h } from './dom.js';
import { prompts } from './prompts.js';

/** @param {import("./composer.js").Composer} composer @param {string} text @param {number} most characters of a message, if it has more */
export function openPaste(composer, text, most) {
  const isLong = most < Infinity;
  const lines = text.split('\n').length;
  const isFenced = text.includes('```');
  const put = (/** @type {string} */ words) => {
    shown.close();
    composer.put(words);
  };
  const parts = isLong ? split(text, most) : [];
  const sendAll = () => {
    shown.close();
    composer.focus();
    const failed = parts.findIndex((part) => !composer.sendText(part));
    failed >= 0 && composer.put(parts.slice(failed).join('\n'));
  };
  const way = (/** @type {string} */ label, /** @type {() => void} */ deed, isMain = false) =>
    h('button', { type: 'button', class: isMain && 'main', autofocus: isMain, onclick: deed }, label);
  const shown = dialog(
    prompts.pasteTitle(lines),
    isLong && h('p', {}, prompts.pasteLong(most)),
    h('pre', { class: 'preview scroll', tabindex: '0' }, text.slice(0, most)),
    h(
      'div',
      { class: 'ends' },
      way(prompts.cancel, () => shown.close()),
      !isLong && !isFenced && way(prompts.pasteCode, () => put(`\`\`\`\n${text}\n\`\`\``)),
      isLong ? way(prompts.pasteSplit(parts.length), sendAll, true) : way(prompts.pasteBox, () => put(text), true),
    ),
  );
}

/** Parts of a text of at most so many characters, cut at line ends where there are some. @param {string} text @param {number} most */
export function split(text, most) {
  /** @type {string[]} */
  const parts = [];
  let part = '';
  for (const line of text.split('\n')) {
    if (part && [...part].length + 1 + [...line].length > most) {
      parts.push(part);
      part = '';
    }
    const characters = [...line];
    while (characters.length > most) {
      parts.push(characters.splice(0, most).join(''));
    }
    part = part ? `${part}\n${characters.join('')}` : characters.join('');
  }
  return part.trim() ? [...parts, part] : parts;
}
