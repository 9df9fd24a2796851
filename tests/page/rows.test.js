import assert from 'node:assert/strict';
import { MAIN, Store } from '../../service/listeners/web/page/store.js';
import { page } from '../../service/listeners/web/page/pages.js';
import { Entries } from '../../service/listeners/web/page/rows.js';

/** @param {[string, string][]} said from whom, at which minute @param {boolean} [more] */
function entriesOf(said, more = false) {
  const store = new Store(() => {});
  store.start(
    { type: 'login_ok', username: 'alice', users: ['alice'], missed: 0, unread: 0, last_id: 100, time: '' },
    'all',
  );
  const messages = said.map(([from, minute], index) => (
    { id: 10 + index, time: `2026-11-21T09:${minute}:00.000Z`, from, message: 'hi' }
  ));
  page(store, MAIN, {}, { messages, more });
  const conversation = store.get(MAIN);
  assert.ok(conversation);
  return new Entries(store, conversation);
}

/** @param {Entries} entries */
const keysOf = (entries) => entries.rows(0, entries.count()).map(({ key }) => key);

/** Whether each message stands under a name of its own. @param {Entries} entries */
const firsts = (entries) =>
  entries.rows(0, entries.count()).filter(({ key }) => key[0] === 'm').map(({ sign }) => sign.split(' ')[1] === 'true');

Deno.test('a conversation that is whole begins with its beginning and a day', () => {
  assert.deepEqual(keysOf(entriesOf([['bob', '00'], ['bob', '01']])), ['start', 'd10', 'm10', 'm11']);
  assert.deepEqual(keysOf(entriesOf([['bob', '00']], true)), ['d10', 'm10']);
});

Deno.test('messages of one sender within five minutes stand under one name', () => {
  const said = /** @type {[string, string][]} */ ([['bob', '00'], ['bob', '04'], ['bob', '09'], ['carol', '09']]);
  assert.deepEqual(firsts(entriesOf(said)), [true, false, true, true]);
});

Deno.test('the divider stands once, before the first unread message of somebody else', () => {
  const entries = entriesOf([['bob', '00'], ['alice', '01'], ['bob', '02'], ['bob', '03']]);
  entries.divider = { after: 10, count: 2 };
  assert.deepEqual(keysOf(entries).slice(2), ['m10', 'm11', 'divider', 'm12', 'm13']);
  entries.divider = { after: 10, count: 0 };
  assert.ok(!keysOf(entries).includes('divider'));
});

Deno.test('an entry is found by its key, or the next one behind it', () => {
  const entries = entriesOf([['bob', '00'], ['bob', '01']]);
  assert.deepEqual(['m1', 'm10', 'm11', 'm12', 'px'].map((key) => entries.find(key)), [0, 0, 1, -1, -1]);
  assert.equal(entries.keyAt(1), 'm11');
});

Deno.test('what happened is drawn also where nobody said when, and in a conversation without messages', () => {
  const entries = entriesOf([]);
  entries.conversation.note('', 'The topic is now: tea');
  entries.conversation.note('2026-11-21T09:00:00.000Z', 'bob silenced carol.');
  const rows = entries.rows(0, 0);
  assert.deepEqual(rows.map(({ key }) => key), ['start', 'n1', 'n2']);
  /** @type {string[]} */
  const titles = [];
  const scope = /** @type {any} */ (globalThis);
  scope.document = { // as much of one as it takes
    createElement: () => ({
      setAttribute: (/** @type {string} */ name, /** @type {any} */ value) => name === 'title' && titles.push(value),
      append: () => {},
    }),
  };
  try {
    for (const row of rows.slice(1)) row.make();
  } finally {
    delete scope.document;
  }
  assert.equal(titles.length, 1); // of the one with a time
});
