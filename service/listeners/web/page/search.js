/**
 * Looks for words in all that one may read, and shows a match in its place.
 */
import { dialog, form } from './dialog.js';
import { fill, h } from './dom.js';
import { moment } from './format.js';
import { prompts } from './prompts.js';
import { titleOf } from './rows.js';
import { excerpt, oneLine } from './text.js';

/** @typedef {import("./main.js").App} App */

const EXCERPT = 300; // characters of a match; in its place all of it stands

/** @param {App} app */
export function openSearch(app) {
  const { session, target } = app;
  const { store } = session;
  const here = store.get(target);
  const results = h('div', { id: 'results', role: 'region', 'aria-label': prompts.searchTitle, 'aria-live': 'polite' });
  const more = h('button', { type: 'button', hidden: true, onclick: () => app.perform(load()) }, prompts.more);
  let asked = { query: '', target: '', before: 0 };

  async function load() {
    const { query, target: only, before } = asked;
    const page = await session.search(query, { ...(only && { target: only }), ...(before && { before }) });
    asked.before = page.messages.at(-1)?.id ?? 0;
    more.hidden = !page.more;
    results.append(...page.messages.map((/** @type {any} */ message) => hit(message, query)));
    results.childElementCount || fill(results, h('p', { class: 'quiet' }, prompts.nothing(query)));
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
        title: prompts.inPlace,
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
    prompts.find,
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
        'aria-label': prompts.searchFor,
        placeholder: prompts.searchFor,
        required: true,
        autofocus: true,
        enterkeyhint: 'search',
      },
    ),
    here && h(
      'select',
      { name: 'scope', 'aria-label': prompts.where },
      h('option', { value: '' }, prompts.everywhere),
      h('option', { value: target }, prompts.onlyHere(titleOf(here, store.mainRoom))),
    ),
  );
  asking.classList.add('flat');
  const shown = dialog(prompts.searchTitle, asking, results, more);
}

/** Sets off the words that were looked for. @param {string} text @param {string} query @returns {(Node | string)[]} */
function marked(text, query) {
  return partsOf(text, query).map((part, index) => (index % 2 ? h('mark', {}, part) : part));
}

/** A text in parts: each second one is a word that was looked for. @param {string} text @param {string} query */
export function partsOf(text, query) {
  const words = query.split(/\s+/).filter(Boolean).map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return words.length ? text.split(new RegExp(`(${words.join('|')})`, 'giu')) : [text];
}
