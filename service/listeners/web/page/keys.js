/**
 * The keys of the page: the same as the full-screen terminal's where both have them. shortcuts.js lists them.
 */
import { byId } from './dom.js';

/** @typedef {import("./main.js").App} App */

const TYPES_WITH_ALT = /Mac|iP(hone|ad)/.test(navigator.platform);

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
    if (isWriting && TYPES_WITH_ALT && key.length === 1) {
      return; // brackets, @ and many letters are typed so
    }
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
  return { '?': () => app.dialogs.shortcuts(), End: () => app.talk.toNewest() }[key];
}
