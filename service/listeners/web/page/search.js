/**
 * Looks for words in all that one may read, and shows a match in its place.
 */
import { dialog, fill, form, h } from './dom.js';
import { moment } from './format.js';
import { labels } from './labels.js';
import { titleOf } from './rows.js';
import { excerpt, oneLine } from './text.js';

/** @typedef {import("./main.js").App} App */

const EXCERPT = 300; // characters of a match; in its place all of it stands

/** @param {App} app */
export function openSearch(app) {
  const { session, target } = app;
  const { store } = session;
  const here = store.get(target);
  const results = h('div', { id: 'results', role: 'region', 'aria-label': labels.searchTitle, 'aria-live': 'polite' });
  const more = h('button', { type: 'button', hidden: true, onclick: () => app.perform(load()) }, labels.more);
  let asked = { query: '', target: '', before: 0 };

  async function load() {
    const { query, target: only, before } = asked;
    const page = await session.search(query, { ...(only && { target: only }), ...(before && { before }) });
    asked.before = page.messages.at(-1)?.id ?? 0;
    more.hidden = !page.more;
    results.append(...page.messages.map((/** @type {any} */ message) => hit(message, query)));
    results.childElementCount || fill(results, h('p', { class: 'quiet' }, labels.nothing(query)));
  }

  /** @param {any} message @param {string} query */
  function hit(message, query) {
    const conversation = store.get(message.target);
    const place = conversation ? titleOf(conversation, store.mainRoom) : oneLine(message.target);
    return h(
      'button',
      {
        type: 'button',
        class: 'hit',
        title: labels.inPlace,
        onclick: () => {
          shown.close();
          app.go(message.target, message.id);
        },
      },
      h(
        'span',
        { class: 'who' },
        h('b', { dir: 'auto' }, oneLine(message.from)),
        h('span', { class: 'quiet' }, `${place}, ${moment(message.time)}`),
      ),
      h('span', { class: 'text', dir: 'auto' }, ...marked(excerpt(message.text, EXCERPT), query)),
    );
  }

  const asking = form(
    labels.find,
    async (fields) => {
      const query = String(fields.get('query')).trim();
      if (query) {
        asked = { query, target: String(fields.get('scope') ?? ''), before: 0 };
        results.replaceChildren();
        await load();
      }
    },
    h(
      'input',
      {
        name: 'query',
        type: 'search',
        'aria-label': labels.searchFor,
        placeholder: labels.searchFor,
        required: true,
        autofocus: true,
        enterkeyhint: 'search',
      },
    ),
    here && h(
      'select',
      { name: 'scope', 'aria-label': labels.where },
      h('option', { value: '' }, labels.everywhere),
      h('option', { value: target }, labels.onlyHere(titleOf(here, store.mainRoom))),
    ),
  );
  asking.classList.add('flat');
  const shown = dialog(labels.searchTitle, asking, results, more);
}

/** Sets off the words that were looked for. @param {string} text @param {string} query @returns {(Node | string)[]} */
export function marked(text, query) {
  const words = query.split(/\s+/).filter(Boolean).map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  if (!words.length) {
    return [text];
  }
  return text.split(new RegExp(`(${words.join('|')})`, 'giu')).map((
    part,
    index,
  ) => (index % 2 ? h('mark', {}, part) : part));
}
