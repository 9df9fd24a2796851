/**
 * Dialogs, and the forms in them: what is asked for, done once, and what went wrong.
 */
import { h, iconButton } from './dom.js';
import { Presses } from './press.js';

/** @typedef {import('./dom.js').Child} Child */

/**
 * Opens a dialog over the page; Escape, the cross and a press beside it close it.
 * @param {string} title @param {...Child} children
 * @returns {{ close: () => void, inside: HTMLElement, root: HTMLDialogElement }}
 */
export function dialog(title, ...children) {
  for (const other of document.querySelectorAll('dialog[open]')) { // a second press, while the first was on its way
    other.querySelector('h2')?.textContent === title && /** @type {HTMLDialogElement} */ (other).close();
  }
  const id = `title${++dialogs}`;
  const inside = h('div', { class: 'inside scroll' }, ...children);
  const close = () => root.close();
  const root = h(
    'dialog',
    {
      tabindex: '-1',
      'aria-labelledby': id,
      onclose: () => root.remove(),
      onpointerdown: (/** @type {Event} */ event) => presses.down(event),
    },
    h('header', {}, h('h2', { id }, title), iconButton('close', 'Close', close)),
    inside,
  );
  const presses = new Presses(root);
  root.addEventListener('click', (/** @type {MouseEvent} */ event) => {
    const meaning = presses.click(event);
    if (meaning === 'nothing') {
      event.preventDefault();
      event.stopPropagation();
    }
    meaning === 'beside' && close();
  }, true);
  document.body.append(root);
  root.showModal();
  (inside.querySelector('[autofocus]') ?? root).focus(); // a field that is not the point would bring up a phone's keyboard
  return { close, inside, root };
}
let dialogs = 0;

/**
 * A form whose button is pressed once: it waits for the deed and shows what went wrong.
 * @param {string} label of the button
 * @param {(fields: FormData) => Promise<void>} deed throws an Error whose message is for the user
 * @param {...Child} children
 */
export function form(label, deed, ...children) {
  const wrong = h('p', { class: 'fail', role: 'alert' });
  const button = h('button', { class: 'main' }, label);
  const root = h(
    'form',
    {
      onsubmit: async (/** @type {Event} */ event) => {
        event.preventDefault();
        if (button.disabled) {
          return;
        }
        button.disabled = true;
        wrong.textContent = '';
        try {
          await deed(new FormData(root));
        } catch (error) {
          wrong.textContent = error instanceof Error ? error.message : String(error);
        }
        button.disabled = false;
      },
    },
    ...children,
    wrong,
    h('div', { class: 'ends' }, button),
  );
  return root;
}

/** Asks before something that cannot be undone. @param {string} title @param {string} text @param {string} label @param {() => Promise<void>} deed */
export function confirm(title, text, label, deed) {
  const shown = dialog(
    title,
    h('p', {}, text),
    form(label, async () => {
      await deed();
      shown.close();
    }),
  );
}
