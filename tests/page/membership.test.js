import assert from 'node:assert/strict';
import { learnMembers } from '../../service/listeners/web/page/membership.js';
import { MAIN, Store } from '../../service/listeners/web/page/store.js';
import { loginOk, TIME } from './chat.js';

const test = Deno.test;
const OPS = { room: 'ops', created: TIME, topic: 'uptime', private: false, members: 2, role: 'member', read_id: 0 };

/** @param {object} [ops] */
function setUp(ops) {
  /** @type {any[]} */
  const told = [];
  const store = new Store((change) => told.push(change));
  store.start(/** @type {any} */ (loginOk({ rooms: [/** @type {any} */ ({ ...OPS, ...ops })] })), 'all');
  store.take(/** @type {any} */ ({ type: 'broadcast', room: 'ops', id: 5, time: TIME, from: 'bob', message: 'hi' }));
  told.length = 0;
  const get = () => {
    const conversation = store.get('#ops');
    assert.ok(conversation);
    return conversation;
  };
  const happen = (/** @type {object} */ event) =>
    store.take(/** @type {any} */ ({ type: 'member', room: 'ops', username: 'bob', time: TIME, ...event }));
  return { store, told, get, happen };
}

test('a login tells of rooms', () => {
  const { get } = setUp({ muted: true, muted_until: TIME, private: true });
  const { topic, role, memberCount, isPrivate, muted } = get();
  assert.deepEqual([topic, role, memberCount, isPrivate, muted], ['uptime', 'member', 2, true, { until: TIME }]);
});

test('a new topic, and that a room is private now, are quiet lines', () => {
  const { store, get } = setUp();
  store.take({ type: 'room', room: 'ops', topic: 'on call' });
  store.take({ type: 'room', room: 'ops', topic: 'on call', private: true });
  store.take({ type: 'room', topic: 'of the main room' });
  assert.deepEqual(get().notes.map(({ text, after }) => [text.slice(0, 23), after]), [
    ['The topic is now: on ca', 5],
    ['This room is private no', 5],
  ]);
  assert.equal(store.get(MAIN)?.topic, 'of the main room');
});

test('who joins and who leaves is counted, and makes no line', () => {
  const { get, happen } = setUp();
  happen({ action: 'join', username: 'carol', role: 'member' });
  happen({ action: 'join', username: 'dave', role: 'member' });
  happen({ action: 'leave' });
  assert.equal(get().memberCount, 3);
  assert.equal(get().notes.length, 0);
});

test('what a moderator does is a quiet line, in words', () => {
  const { get, happen } = setUp();
  happen({ action: 'mute', by: 'carol', reason: 'too loud' });
  happen({ action: 'role', by: 'carol', role: 'moderator' });
  happen({ action: 'kick' });
  happen({ action: 'role', username: 'carol', role: 'owner' });
  happen({ action: 'praise', by: 'carol\u202E' });
  assert.deepEqual(get().notes.map(({ text }) => text), [
    'carol silenced bob: too loud.',
    'carol made bob moderator of #ops.',
    'The operator took bob out of #ops.',
    'carol is owner of #ops now.',
    'carol<U+202E>: praise bob.',
  ]);
});

test('what is done to the user counts at once', () => {
  const { get, happen } = setUp();
  happen({ action: 'mute', username: 'alice', by: 'bob', until: TIME });
  assert.deepEqual(get().muted, { until: TIME });
  happen({ action: 'unmute', username: 'alice', by: 'bob' });
  assert.equal(get().muted, null);
  happen({ action: 'role', username: 'alice', by: 'bob', role: 'owner' });
  assert.equal(get().role, 'owner');
});

test('who is taken out loses the room; while it is on show it stays readable', () => {
  for (const action of ['kick', 'ban', 'leave']) {
    const { store, told, happen } = setUp();
    happen({ action, username: 'alice', by: 'bob' });
    assert.equal(store.get('#ops'), undefined);
    assert.ok(told.some(({ kind }) => kind === 'removed'));
  }
  const { store, get, happen } = setUp();
  store.open = '#ops';
  happen({ action: 'kick', username: 'alice', by: 'bob' });
  const { isLost, role, unread, messages } = get();
  assert.deepEqual([isLost, role, unread, messages.length], [true, '', 0, 1]);
});

test('a kick from the main room takes nothing away: the session ends by itself', () => {
  const { store, happen } = setUp();
  happen({ room: undefined, action: 'kick', username: 'alice', by: 'bob' });
  assert.ok(store.get(MAIN));
});

test('an invitation stands in the list, until it is taken or ends', () => {
  const { store, happen } = setUp();
  happen({ room: 'dev', action: 'invite', username: 'alice', by: 'bob' });
  assert.equal(store.get('#dev')?.isInvited, true);
  store.take({ type: 'room', room: 'dev', created: TIME, gone: true });
  assert.equal(store.get('#dev'), undefined);
  happen({ room: 'dev', action: 'invite', username: 'alice', by: 'bob' });
  const joined = { room: 'dev', created: TIME, role: 'member', topic: '', private: true, members: 3, last_id: 9 };
  store.take({ type: 'room', ...joined });
  assert.deepEqual([store.get('#dev')?.isInvited, store.get('#dev')?.role], [false, 'member']);
});

test('a room that is joined comes live from then on; what was said before is history', () => {
  const { store } = setUp();
  store.take({ type: 'room', ...OPS, room: 'dev', last_id: 9, read_id: 7, unread: 1 });
  assert.deepEqual([store.get('#dev')?.unread, store.get('#dev')?.readId], [1, 7]);
  assert.deepEqual(store.get('#dev')?.spans.all, [[10, Infinity]]);
  assert.equal(store.get('#dev')?.isGap(0), true);
});

test('to join again changes nothing; a room of the same name that was made later is another one', () => {
  const { store, get } = setUp();
  store.take({ type: 'room', ...OPS, last_id: 9 });
  assert.equal(get().messages.length, 1);
  store.take({ type: 'room', ...OPS, created: '2026-12-01T00:00:00.000Z', last_id: 9, role: 'owner' });
  assert.deepEqual([get().messages.length, get().role], [0, 'owner']);
});

test('an own text that was stored before the room is told of stays', () => {
  const { store, get } = setUp();
  store.open = '#ops';
  store.take({ type: 'room', room: 'ops', created: TIME, gone: true });
  for (const id of [9, 10]) {
    store.sent({ type: 'ack', command: 'pm', id, time: TIME }, {
      target: '#ops',
      created: '',
      text: `text ${id}`,
      kind: '',
    });
  }
  store.take({ type: 'room', ...OPS, last_id: 9 });
  assert.deepEqual(get().messages.map(({ id }) => id), [10]);
});

test('a room that is gone is lost, with a line for who looks at it', () => {
  const { store, get, told } = setUp();
  store.open = '#ops';
  store.take({ type: 'room', room: 'ops', created: TIME, gone: true });
  assert.deepEqual([get().isLost, get().isGone], [true, true]);
  assert.ok(told.some(({ kind }) => kind === 'messages')); // so that the line is drawn
  assert.match(get().notes[0].text, /#ops is gone/);
});

test('a list of members that was asked for is kept up to date', () => {
  const { store, told, get, happen } = setUp();
  const member = (/** @type {string} */ name, role = 'member') => ({ name, role, online: true });
  learnMembers(store, '#ops', { type: 'members', members: [member('alice'), member('bob')], more: true }, '');
  learnMembers(store, '#ops', { type: 'members', members: [member('carol')], more: false }, 'bob');
  assert.deepEqual(get().members?.rows.map(({ name }) => name), ['alice', 'bob', 'carol']);
  happen({ action: 'join', username: 'aaron', role: 'member' });
  happen({ action: 'kick', username: 'carol' });
  happen({ action: 'role', username: 'bob', role: 'owner' });
  happen({ action: 'mute', username: 'alice', until: TIME });
  assert.deepEqual(get().members, {
    rows: [
      member('aaron'),
      { ...member('alice'), muted: true, muted_until: TIME },
      member('bob', 'owner'),
    ],
    more: false,
  });
  assert.ok(told.some(({ kind }) => kind === 'members'));
  happen({ action: 'unmute', username: 'alice' });
  assert.deepEqual(get().members?.rows[1], member('alice'));
});

test('who was taken out and is invited again may join, also while the room is still on show', () => {
  const { store } = setUp();
  store.open = '#ops';
  store.take({ type: 'member', room: 'ops', username: 'alice', action: 'kick', by: 'bob', time: TIME });
  assert.equal(store.get('#ops')?.isLost, true);
  store.take({ type: 'member', room: 'ops', username: 'alice', action: 'invite', by: 'bob', time: TIME });
  assert.deepEqual([store.get('#ops')?.isLost, store.get('#ops')?.isInvited], [false, true]);
});

test('what is lost calls nobody any more', () => {
  const { store } = setUp();
  store.open = '#ops';
  store.take({ type: 'broadcast', id: 9, room: 'ops', from: 'bob', message: 'alice?', time: TIME });
  assert.equal(store.unread().mentions, 1);
  store.take({ type: 'member', room: 'ops', username: 'alice', action: 'kick', by: 'bob', time: TIME });
  assert.deepEqual(store.unread(), { messages: 0, mentions: 0 });
});
