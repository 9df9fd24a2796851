import assert from 'node:assert/strict';
import { forgetMessages, missed, page, since } from '../../service/listeners/web/page/pages.js';
import { KEPT, MAIN, Store } from '../../service/listeners/web/page/store.js';
import { loginOk, TIME } from './chat.js';

const test = Deno.test;

const row = (/** @type {number} */ id, /** @type {object} */ rest = {}) => ({
  id,
  time: TIME,
  from: 'bob',
  message: `text ${id}`,
  ...rest,
});
const rows = (/** @type {number[]} */ ...ids) => ids.map((id) => row(id));

/** A store of somebody who has logged in at the id 100. */
function setUp() {
  /** @type {any[]} */
  const told = [];
  const store = new Store((change) => told.push(change));
  store.cursor = 50;
  store.start(/** @type {any} */ (loginOk({ last_id: 100 })), 'all');
  const main = store.get(MAIN);
  assert.ok(main);
  told.length = 0;
  return { store, told, main };
}

test('a page downward says whether there is more, and joins what comes live', () => {
  const { store, main, told } = setUp();
  assert.equal(page(store, MAIN, {}, { messages: rows(90, 95), more: true }), 2);
  assert.deepEqual(main.spans.all, [[90, Infinity]]);
  assert.equal(main.isGap(0), true);
  assert.equal(page(store, MAIN, { before: 90 }, { messages: rows(80), more: false }), 1);
  assert.deepEqual(main.spans.all, [[1, Infinity]]);
  assert.equal(main.isGap(0), false);
  assert.deepEqual(told[0], { kind: 'messages', target: MAIN });
});

test('a page upward goes on from its message, up to where there is no more', () => {
  const { store, main } = setUp();
  page(store, MAIN, { before: 31 }, { messages: rows(20, 30), more: true });
  page(store, MAIN, { after: 30 }, { messages: rows(33, 40), more: true });
  assert.deepEqual(main.spans.all, [[20, 40], [101, Infinity]]);
  assert.equal(main.isGap(4), true);
  page(store, MAIN, { after: 40 }, { messages: rows(60), more: false });
  assert.deepEqual(main.spans.all, [[20, Infinity]]);
  assert.equal(main.hasNewest, true);
});

test('a page behind a message that is not there any more does not claim it', () => {
  const { store, main } = setUp();
  page(store, MAIN, { after: 30 }, { messages: rows(33), more: true });
  assert.deepEqual(main.spans.all, [[31, 33], [101, Infinity]]);
});

test('an empty page is the end', () => {
  const { store, main } = setUp();
  assert.equal(page(store, MAIN, {}, { messages: [], more: false }), 0);
  assert.equal(main.isGap(0), false);
});

test('a page of a room that was lost meanwhile is dropped; a talk begins by its page', () => {
  const { store } = setUp();
  assert.equal(page(store, '#gone', {}, { messages: rows(5), more: false }), 0);
  assert.equal(store.get('#gone'), undefined);
  page(store, '@carol', {}, { messages: [row(5, { from: 'carol', to: 'alice' })], more: false });
  assert.equal(store.get('@carol')?.messages.length, 1);
});

test('who scrolls up keeps the page that was asked for, whatever is thrown away', () => {
  const { store, main } = setUp();
  for (let id = KEPT + 200; id > 0; id -= 100) {
    const messages = rows(...Array.from({ length: 100 }, (_, index) => id - 99 + index));
    page(store, MAIN, { before: id + 1 }, { messages, more: id > 100 });
  }
  assert.equal(main.messages[0].id, 1);
  assert.equal(main.messages.length, KEPT);
  assert.equal(main.hasNewest, false);
});

test('a page of all conversations closes what was missed in each', () => {
  const { store, told, main } = setUp();
  store.begin('@bob');
  assert.equal(main.isGap(0), true);
  since(store, [row(60), row(61, { to: 'alice' }), row(62, { from: 'alice', to: 'carol' })], 70);
  assert.deepEqual(main.spans.all, [[51, 70], [101, Infinity]]);
  since(store, rows(80), 100);
  for (const target of [MAIN, '@bob', '@carol']) assert.deepEqual(store.get(target)?.spans.all, [[51, Infinity]]);
  assert.equal(store.cursor, 100);
  const appended = told.filter(({ kind }) => kind === 'append');
  assert.deepEqual(appended.map(({ target, live, messages }) => [target, live, messages[0].id]), [
    [MAIN, false, 60],
    ['@bob', false, 61],
    ['@carol', false, 62],
    [MAIN, false, 80],
  ]);
});

test('rows between others are told as a change, not as the end', () => {
  const { store, told } = setUp();
  store.take(/** @type {any} */ ({ type: 'broadcast', ...row(105) }));
  told.length = 0;
  since(store, rows(60), 100);
  assert.deepEqual(told[0], { kind: 'messages', target: MAIN });
});

test('what the service counted at the login is not counted once more when it is fetched', () => {
  const { store } = setUp();
  store.start(/** @type {any} */ (loginOk({ last_id: 100, unread: 2, read_id: 55 })), 'all');
  since(store, [row(60), row(70, { message: 'alice?' })], 100);
  assert.deepEqual(store.unread(), { messages: 2, mentions: 1 });
});

test('missed messages begin talks and are unread, but for those that were shown here', () => {
  const { store } = setUp();
  const talk = store.begin('@carol');
  talk.read(40);
  const shown = missed(store, [row(30, { from: 'carol', to: 'alice' }), row(45, { to: 'alice' })], 100);
  assert.deepEqual([...shown], [['@carol', 30]]);
  assert.deepEqual([talk.unread, store.get('@bob')?.unread], [0, 1]);
  missed(store, [], 100); // the next login
  assert.equal(store.get('@bob')?.unread, 0);
});

test('where too much was deleted, all up to there is read again', () => {
  const { store, main } = setUp();
  page(store, MAIN, {}, { messages: rows(90, 95), more: true });
  main.note(TIME, 'in the midst of them');
  store.take(/** @type {any} */ ({ type: 'broadcast', ...row(105) }));
  forgetMessages(store, 100);
  assert.equal(main.notes.length, 0);
  assert.deepEqual(main.messages.map(({ id }) => id), [105]);
  assert.deepEqual(main.spans.all, [[101, Infinity]]);
});
