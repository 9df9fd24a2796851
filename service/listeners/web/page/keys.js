/**
 * The keys of the page, and the list of them that `?` shows. The same as the full-screen terminal's where both have them.
 */
import { byId, dialog, h } from './dom.js';
import { prompts } from './prompts.js';

/** @typedef {import("./main.js").App} App */

const WORDS = [
  ['Enter', 'send'],
  ['Shift Enter', 'a new line of the message'],
  ['Up', 'in an empty box: to the messages; Up and Down go on, Delete deletes'],
  ['Esc', 'back to the box; closes what is open'],
  ['End', 'outside the box: the newest message'],
  ['Page Up, Page Down', 'older, newer'],
  ['Alt 1 to Alt 9', 'that conversation'],
  ['Alt A', 'the next with something new'],
  ['Alt Up, Alt Down', 'previous, next conversation'],
  ['Ctrl K', 'search'],
  ['Ctrl B', 'hide or show the members'],
  ['?', 'outside the box: this list'],
];

export function openKeys() {
  const { inside } = dialog(
    prompts.shortcuts,
    h(
      'dl',
      { class: 'pair' },
      ...WORDS.flatMap(([key, what]) => [
        h('dt', {}, ...key.split(', ').flatMap((one, index) => [index > 0 && ' ', h('kbd', {}, one)])),
        h('dd', {}, what),
      ]),
    ),
  );
  inside.tabIndex = 0; // nothing in it takes the focus, and it may be longer than the screen
}

/** @param {App} app */
export function bindKeys(app) {
  addEventListener('keydown', (event) => {
    if (event.isComposing || app.session.phase !== 'in' || document.querySelector('dialog[open]')) {
      return;
    }
    const deed = deedOf(event, app);
    if (deed) {
      event.preventDefault();
      deed();
    }
  });
}

/** @param {KeyboardEvent} event @param {App} app @returns {(() => void) | undefined | false} */
function deedOf({ key, code, altKey, ctrlKey, metaKey, target }, app) {
  const element = /** @type {HTMLElement} */ (target);
  const isWriting = element.matches('input, textarea, select');
  const isBox = element.id === 'text';
  if (altKey && !ctrlKey && !metaKey) {
    const digit = /^Digit([1-9])$/.exec(code)?.[1];
    if (digit) {
      return () => app.turn(Number(digit) - 1);
    }
    return { KeyA: () => app.turnToNew(), ArrowUp: () => app.step(-1), ArrowDown: () => app.step(1) }[code];
  }
  if ((ctrlKey || metaKey) && !altKey) {
    return { k: () => app.dialogs.search(), b: () => app.toggleMembers() }[key.toLowerCase()];
  }
  if (key === 'Escape') {
    return () => app.escape();
  }
  if (key === 'PageUp' || key === 'PageDown') {
    const isEmpty = isBox && !(/** @type {HTMLTextAreaElement} */ (element).value);
    const scroller = byId('scroll');
    return (isEmpty || !isWriting) &&
      (() => scroller.scrollBy(0, (key === 'PageUp' ? -0.9 : 0.9) * scroller.clientHeight));
  }
  if (isWriting) {
    return;
  }
  return { '?': openKeys, End: () => app.talk.toNewest() }[key];
}
