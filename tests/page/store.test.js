import assert from 'node:assert/strict';
import { KEPT, MAIN, Store } from '../../service/listeners/web/page/store.js';
import { loginOk, TIME } from './chat.js';

const test = Deno.test;

/** @param {Parameters<typeof loginOk>[0]} [login] */
function setUp(login) {
  /** @type {any[]} */
  const told = [];
  const store = new Store((change) => told.push(change));
  store.start(/** @type {any} */ (loginOk(login)), 'all');
  told.length = 0;
  return { store, told };
}

const broadcast = (/** @type {number} */ id, /** @type {object} */ rest = {}) => /** @type {any} */ ({
  type: 'broadcast',
  id,
  time: TIME,
  from: 'bob',
  message: `text ${id}`,
  ...rest,
});
const direct = (/** @type {number} */ id, /** @type {object} */ rest = {}) =>
  broadcast(id, { type: 'direct', to: 'alice', ...rest });
const room = (/** @type {string} */ name, /** @type {object} */ rest = {}) => /** @type {any} */ ({
  room: name,
  created: TIME,
  topic: '',
  private: false,
  members: 1,
  role: 'member',
  ...rest,
});
const kinds = (/** @type {any[]} */ told) => told.map(({ kind }) => kind);

test('conversations stand in one order: the main room, rooms by name, talks by name', () => {
  const { store } = setUp({ rooms: [room('ops'), room('dev')] });
  for (const from of ['zoe', 'bob']) store.take(direct(1, { from }));
  assert.deepEqual(store.conversations().map(({ target }) => target), [MAIN, '#dev', '#ops', '@bob', '@zoe']);
  assert.deepEqual(store.conversations().map(({ kind }) => kind), ['main', 'room', 'room', 'talk', 'talk']);
});

test('a live message is told at the end of its conversation, and counted', () => {
  const { store, told } = setUp();
  store.take(broadcast(1));
  assert.deepEqual(kinds(told), ['append', 'list']);
  assert.deepEqual([told[0].target, told[0].live, told[0].messages[0].id], [MAIN, true, 1]);
  assert.deepEqual(store.unread(), { messages: 1, mentions: 0 });
  store.take(broadcast(1));
  assert.equal(store.unread().messages, 1);
});

test('a direct message, and one with the own name, call the user who looks elsewhere', () => {
  const { store, told } = setUp({ rooms: [room('ops')] });
  store.take(direct(1));
  store.take(broadcast(2, { message: 'hi Alice!' }));
  store.take(broadcast(3, { message: 'malice' }));
  store.take(broadcast(4, { from: 'alice', message: 'alice' }));
  assert.deepEqual(told.filter(({ kind }) => kind === 'call').map(({ target }) => target), ['@bob', MAIN]);
  assert.deepEqual(store.unread(), { messages: 3, mentions: 2 });
});

test('who looks at the end of it is not called', () => {
  const { store, told } = setUp();
  store.isLooking = true;
  store.take(broadcast(1, { message: 'alice?' }));
  assert.ok(!kinds(told).includes('call'));
});

test('messages go to their conversations, as they are addressed', () => {
  const { store } = setUp({ rooms: [room('ops')] });
  const cases = [
    [broadcast(1), MAIN],
    [broadcast(2, { room: 'ops' }), '#ops'],
    [direct(3), '@bob'],
    [direct(4, { from: 'alice', to: 'carol' }), '@carol'],
    [direct(5, { from: 'alice', to: 'alice' }), '@alice'],
  ];
  for (const [event, target] of cases) {
    store.take(event);
    assert.equal(store.get(/** @type {string} */ (target))?.newestId, event.id);
  }
});

test('a message of a room that the user is not in makes no room', () => {
  const { store } = setUp();
  store.take(broadcast(1, { room: 'ops' }));
  assert.equal(store.get('#ops'), undefined);
});

test('a login says what is unread in each room, and from where', () => {
  const { store } = setUp({ unread: 2, read_id: 4, rooms: [room('ops', { unread: 3, read_id: 7 })], last_id: 20 });
  assert.deepEqual([store.get(MAIN)?.unread, store.get(MAIN)?.readId], [2, 4]);
  assert.deepEqual([store.get('#ops')?.unread, store.get('#ops')?.readId], [3, 7]);
});

test('an own message stands there with its state, once', () => {
  const { store, told } = setUp();
  store.begin('@bob');
  told.length = 0;
  const ack = /** @type {any} */ ({ type: 'ack', command: 'dm', id: 7, time: TIME, to: 'bob', status: 'stored' });
  store.sent(ack, { target: '@bob', created: '', text: 'hi', kind: '' });
  const [message] = store.get('@bob')?.messages ?? [];
  assert.deepEqual([message.text, message.own, message.status, message.from], ['hi', true, 'stored', 'alice']);
  assert.deepEqual(told[0], { kind: 'append', target: '@bob', messages: [message], live: true });
  told.length = 0;
  store.sent({ ...ack, status: 'delivered' }, { target: '@bob', created: '', text: 'hi', kind: '' });
  assert.equal(store.get('@bob')?.messages.length, 1);
  assert.equal(store.get('@bob')?.messages[0].status, 'delivered');
  assert.ok(kinds(told).includes('messages'));
  assert.equal(store.unread().messages, 0);
});

test('a text that was said in a room that is gone does not stand in another one of its name', () => {
  const { store } = setUp({ rooms: [room('ops')] });
  const ack = /** @type {any} */ ({ type: 'ack', command: 'pm', id: 7, time: TIME, room: 'ops' });
  store.sent(ack, { target: '#ops', created: 'before', text: 'hi', kind: '' });
  assert.equal(store.get('#ops')?.messages.length, 0);
  store.sent(ack, { target: '#ops', created: TIME, text: 'hi', kind: '' });
  assert.equal(store.get('#ops')?.messages.length, 1);
});

test('a text to somebody under an old name stands in the talk with the new one', () => {
  const { store } = setUp();
  store.begin('@bobby');
  const ack = /** @type {any} */ ({ type: 'ack', command: 'dm', id: 7, time: TIME, to: 'bobby', status: 'stored' });
  store.sent(ack, { target: '@bob', created: '', text: 'hi', kind: '' });
  assert.equal(store.get('@bobby')?.newestId, 7);
});

test('a deleted message has no text, and if it was unseen it is seen', () => {
  const { store, told } = setUp();
  store.take(direct(3));
  store.take(broadcast(4));
  told.length = 0;
  store.take({ type: 'deleted', id: 3, time: TIME });
  assert.deepEqual(told, [{ kind: 'messages', target: '@bob' }, { kind: 'list' }]);
  assert.equal(store.get('@bob')?.unread, 0);
  store.take({ type: 'deleted', id: 4, time: TIME });
  assert.equal(store.get(MAIN)?.unread, 1); // until the marker passes
});

test('changes of presence are sets; the count says whether both agree', () => {
  const { store } = setUp({ users: ['alice', 'bob'] });
  store.take({ type: 'presence', arrived: ['carol', 'bob'], left: ['zoe'], online: 3, time: TIME });
  store.take({ type: 'presence', arrived: ['carol'], left: ['bob'], online: 2, time: TIME });
  assert.deepEqual([...store.online].sort(), ['alice', 'carol']);
  assert.equal(store.onlineCount, store.online.size);
  store.take({ type: 'users', users: ['zoe'], time: TIME });
  assert.deepEqual([store.isOnline('zoe'), store.isOnline('alice')], [true, false]);
});

test('the newest is kept while one reads above, as a gap to be filled', () => {
  const { store, told } = setUp();
  for (let id = 1; id < KEPT + 200; id++) store.take(broadcast(id));
  store.lookedAt = 10;
  told.length = 0;
  store.take(broadcast(KEPT + 200));
  const main = store.get(MAIN);
  assert.equal(main?.messages[0].id, 1);
  assert.equal(main?.hasNewest, false);
  assert.equal(main?.unread, KEPT + 200);
  assert.deepEqual(kinds(told), ['messages', 'list']);
});

test('at the next login a room that is not there any more is lost, and one of another time is another room', () => {
  const { store, told } = setUp({ rooms: [room('ops'), room('dev'), room('old')] });
  for (const [id, name] of ['ops', 'dev', 'old'].entries()) store.take(broadcast(id + 1, { room: name }));
  store.open = '#old';
  told.length = 0;
  const login = loginOk({ last_id: 9, rooms: [room('ops'), room('dev', { created: '2026-12-01T00:00:00.000Z' })] });
  store.start(/** @type {any} */ (login), 'all');
  assert.equal(store.get('#ops')?.messages.length, 1);
  assert.equal(store.get('#dev')?.messages.length, 0);
  assert.equal(store.get('#old')?.isLost, true); // on show
  assert.equal(store.may('#old', 'write'), false);
  store.open = MAIN;
  store.lose('#old');
  assert.equal(store.get('#old'), undefined);
  assert.ok(told.some(({ kind, target }) => kind === 'removed' && target === '#old'));
});

test('a mute is for a time, or until it is lifted', () => {
  const { store } = setUp({ muted: true, muted_until: '2026-11-21T10:00:00.000Z' });
  const main = store.get(MAIN);
  assert.ok(main);
  assert.equal(store.isMuted(main, '2026-11-21T09:59:00.000Z'), true);
  assert.equal(store.isMuted(main, '2026-11-21T10:01:00.000Z'), false);
  main.muted = { until: '' };
  assert.equal(store.isMuted(main, '2099-01-01T00:00:00.000Z'), true);
});

test('what a service adds later is ignored', () => {
  const { store, told } = setUp();
  store.take(/** @type {any} */ ({ type: 'signal', from: 'bob' }));
  assert.deepEqual(told, []);
});

test('an ack that comes after a loss counts nothing as unread: the login has said that', () => {
  const store = new Store(() => {});
  store.start(/** @type {any} */ (loginOk({ last_id: 7 })), 'all');
  store.begin('@alice');
  const ack = /** @type {const} */ ({ type: 'ack', command: 'dm', id: 7, time: TIME, to: 'alice' });
  store.sent(ack, { target: '@alice', text: 'milk', kind: '' });
  assert.equal(store.get('@alice')?.unread, 0);
});

test('a text that a room has taken which is gone does not stand in the one that was made anew', () => {
  const store = new Store(() => {});
  const ops = { room: 'ops', created: TIME, topic: '', private: false, members: 1, role: 'owner' };
  store.start(/** @type {any} */ (loginOk({ rooms: [ops] })), 'all');
  const ack = /** @type {const} */ ({ type: 'ack', command: 'pm', id: 7, time: TIME, room: 'ops' });
  store.sent(ack, { target: '#ops', created: '2026-11-20T00:00:00.000Z', text: 'old', kind: '' });
  assert.deepEqual(store.get('#ops')?.messages, []);
  store.sent(ack, { target: '#ops', created: TIME, text: 'new', kind: '' });
  assert.equal(store.get('#ops')?.messages.length, 1);
});

test('after a backup was put back, what is said anew is shown, though its ids were those of other messages', () => {
  const { store } = setUp({ last_id: 5, read_id: 5 });
  const say = (/** @type {number} */ id, /** @type {string} */ message) =>
    store.take({ type: 'broadcast', id, time: TIME, from: 'bob', message });
  say(6, 'kept');
  say(7, 'lost');
  store.read(MAIN, 7);
  store.start(/** @type {any} */ (loginOk({ last_id: 6, read_id: 5, unread: 1 })), 'all');
  say(7, 'anew');
  assert.deepEqual(store.get(MAIN)?.messages.map(({ text }) => text), ['kept', 'anew']);
  assert.equal(store.get(MAIN)?.unread, 1);
});
