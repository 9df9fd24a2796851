import assert from 'node:assert/strict';
import { Conversation, KEPT } from '../../service/listeners/web/page/conversation.js';
import { Spans } from '../../service/listeners/web/page/spans.js';

const TIME = '2026-11-21T09:30:00.000Z';

/**
 * @param {number} id
 * @param {Partial<import('../../service/listeners/web/page/conversation.js').Message>} [rest]
 */
function message(id, rest = {}) {
  const all = { time: TIME, from: 'bob', text: `text ${id}`, kind: '', deleted: '', own: false, mentions: false };
  return { id, status: '', ...all, ...rest };
}

/**
 * @param {number} count
 * @param {string} [target]
 */
function filled(count, target = '#') {
  const conversation = new Conversation(target, new Spans([[1, Infinity]]));
  for (let id = 1; id <= count; id++) conversation.insert(message(id));
  return conversation;
}

const ids = (/** @type {Conversation} */ { messages }) => messages.map(({ id }) => id);

Deno.test('messages stand by id, each once, whatever order they come in', () => {
  const conversation = new Conversation('#', new Spans());
  assert.equal(conversation.insert(message(5)), 'last');
  assert.equal(conversation.insert(message(2)), 'between');
  assert.equal(conversation.insert(message(9)), 'last');
  assert.equal(conversation.insert(message(5, { text: 'again' })), '');
  assert.deepEqual(ids(conversation), [2, 5, 9]);
  assert.equal(conversation.find(5)?.text, 'text 5');
  assert.equal(conversation.find(6), undefined);
});

Deno.test('a gap is where ids between two messages are not loaded', () => {
  const conversation = new Conversation('#', new Spans([[5, 7], [9, Infinity]]));
  for (const id of [5, 7, 12]) conversation.insert(message(id));
  assert.deepEqual([0, 1, 2, 3].map((index) => conversation.isGap(index)), [true, false, true, false]);
  conversation.spans.add(1, 8);
  assert.deepEqual([0, 1, 2, 3].map((index) => conversation.isGap(index)), [false, false, false, false]);
  conversation.spans.cut(20, Infinity);
  assert.equal(conversation.isGap(3), true);
  assert.equal(conversation.hasNewest, false);
});

Deno.test('an empty conversation has its newest where what comes is loaded', () => {
  assert.equal(new Conversation('#', new Spans()).hasNewest, false);
  const conversation = new Conversation('#', new Spans([[8, Infinity]]));
  assert.equal(conversation.hasNewest, true);
  assert.equal(conversation.isGap(0), true);
});

Deno.test('at most so many are kept, and what was thrown away is a gap', () => {
  const conversation = filled(KEPT + 199);
  assert.equal(conversation.trim(Infinity), false);
  conversation.insert(message(KEPT + 200));
  assert.equal(conversation.trim(Infinity), true);
  assert.equal(conversation.messages.length, KEPT);
  assert.equal(conversation.messages[0].id, 201);
  assert.equal(conversation.isGap(0), true);
  assert.equal(conversation.hasNewest, true);
});

Deno.test('who reads above keeps what is there: the newest go', () => {
  const conversation = filled(KEPT + 200);
  assert.equal(conversation.trim(100), true);
  assert.equal(conversation.messages[0].id, 1);
  assert.equal(conversation.messages.length, KEPT);
  assert.equal(conversation.hasNewest, false);
  assert.equal(conversation.isGap(KEPT), true);
});

Deno.test('those that were counted and thrown away are not counted twice', () => {
  const conversation = filled(0);
  conversation.start(0, 0, 0);
  for (let id = 1; id <= KEPT + 200; id++) {
    const one = message(id);
    conversation.insert(one);
    conversation.weigh(one);
  }
  conversation.trim(1);
  const again = message(KEPT + 150);
  conversation.insert(again);
  conversation.weigh(again);
  assert.equal(conversation.unread, KEPT + 200);
});

Deno.test('what the service has counted is not counted again; own ones never are', () => {
  const conversation = filled(0);
  conversation.start(3, 10, 20);
  for (
    const one of [message(15), message(20), message(21), message(22, { own: true }), message(23, { mentions: true })]
  ) {
    conversation.insert(one);
    conversation.weigh(one);
  }
  assert.equal(conversation.unread, 5);
  assert.equal(conversation.mentions, 1);
});

Deno.test('a marker that moves leaves what is behind it', () => {
  const conversation = filled(0);
  conversation.start(0, 0, 0);
  for (let id = 1; id <= 6; id++) {
    const one = message(id, { mentions: id === 2 || id === 5 });
    conversation.insert(one);
    conversation.weigh(one);
  }
  assert.equal(conversation.read(4), true);
  assert.deepEqual([conversation.unread, conversation.mentions, conversation.readId], [2, 1, 4]);
  assert.equal(conversation.read(3), false);
  conversation.read(6);
  assert.deepEqual([conversation.unread, conversation.mentions], [0, 0]);
});

Deno.test('a login says anew how much is unread; what was shown here stays read', () => {
  const conversation = filled(6);
  conversation.start(0, 0, 0);
  conversation.read(4);
  assert.equal(conversation.start(4, 2, 6), 4);
  assert.equal(conversation.unread, 2);
  assert.equal(conversation.start(1, 5, 6), 0);
  assert.equal(conversation.unread, 1);
});

Deno.test('where not all is loaded, the count goes down by what is', () => {
  const conversation = new Conversation('#', new Spans([[90, Infinity]]));
  conversation.start(50, 10, 100);
  for (const id of [91, 95, 99]) conversation.insert(message(id));
  conversation.read(95);
  assert.equal(conversation.unread, 1); // all behind 95 is loaded
  const gap = new Conversation('#', new Spans([[90, Infinity]]));
  gap.start(50, 10, 100);
  gap.insert(message(20));
  gap.read(30);
  assert.equal(gap.unread, 49);
});

Deno.test('direct messages are unread one by one', () => {
  const talk = filled(0, '@bob');
  for (const id of [3, 5, 8]) talk.miss(id);
  assert.deepEqual([talk.unread, talk.mentions, talk.readId], [3, 3, 2]);
  talk.readOne(3);
  assert.deepEqual([talk.unread, talk.readId], [2, 4]);
  talk.erase(5, TIME);
  talk.read(8);
  assert.equal(talk.unread, 0);
  assert.equal(talk.miss(7), false); // shown already
  talk.miss(9);
  talk.forgetUnseen(8);
  assert.equal(talk.unread, 1);
});

Deno.test('a deleted message keeps its place and has no text', () => {
  const conversation = filled(3);
  const before = conversation.messages[1];
  assert.equal(conversation.erase(2, TIME), true);
  assert.notEqual(conversation.messages[1], before);
  assert.deepEqual([conversation.messages[1].text, conversation.messages[1].deleted], ['', TIME]);
  assert.equal(conversation.erase(9, TIME), false);
  conversation.insert(message(3, { text: '', deleted: TIME })); // by a page
  assert.equal(conversation.messages[2].deleted, TIME);
});

Deno.test('quiet lines stand behind the message that they came after, and not for ever', () => {
  const conversation = filled(3);
  for (let number = 0; number < 205; number++) conversation.note(TIME, `note ${number}`);
  assert.equal(conversation.notes.length, 200);
  assert.equal(conversation.notes[0].text, 'note 5');
  assert.ok(conversation.notes.every((note) => note.after === 3));
  assert.equal(new Set(conversation.notes.map((note) => note.key)).size, 200);
});

Deno.test('a new name is that of all messages', () => {
  const conversation = filled(2, '@bob');
  conversation.insert(message(3, { from: 'alice', to: 'bob', own: true }));
  assert.equal(conversation.rename('bob', 'bobby'), true);
  assert.deepEqual(conversation.messages.map(({ from, to }) => [from, to]), [
    ['bobby', undefined],
    ['bobby', undefined],
    ['alice', 'bobby'],
  ]);
  assert.equal(conversation.rename('carol', 'carola'), false);
});
