/**
 * The list of keys that `?` shows. keys.js does what they say.
 */
import { dialog } from './dialog.js';
import { h } from './dom.js';
import { prompts } from './prompts.js';

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
