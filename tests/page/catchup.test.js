import assert from 'node:assert/strict';
import { loginOk, playIn, TIME } from './chat.js';
import { HELLO } from './fakes.js';

const test = Deno.test;
const LATER = '2026-11-21T10:00:00.000Z';

const row = (/** @type {number} */ id, /** @type {object} */ rest = {}) => ({
  id,
  time: TIME,
  from: 'bob',
  message: `text ${id}`,
  ...rest,
});
const since = (/** @type {object[]} */ messages, more = false, /** @type {object} */ rest = {}) => ({
  type: 'since',
  messages,
  more,
  time: LATER,
  ...rest,
});
const shown = (/** @type {import('../../service/listeners/web/page/session.js').Session} */ session) =>
  session.store.get('#')?.messages.map(({ id }) => id);
const asked = (/** @type {import('./fakes.js').PlayedSocket} */ socket, /** @type {string} */ command) =>
  socket.sent.filter((one) => one.command === command);

/** Somebody who was there up to the id 10, and comes back at the id 20. @param {object} [login] */
async function comeBack(login) {
  const played = await playIn({ last_id: 10 });
  const { session, socket, clock } = played;
  socket().answer('history', { type: 'history', messages: [row(9), row(10)], more: true });
  socket().answer('since', since([]));
  socket().end();
  clock.pass(1000);
  socket().say(HELLO);
  socket().answer('resume', loginOk({ last_id: 20, time: LATER, ...login }));
  assert.equal(session.isCaughtUp, false);
  return played;
}

test('a fresh page asks for what was said of late, once, and for what it shows', async () => {
  const { socket, session } = await playIn({ last_id: 1000 });
  assert.deepEqual(asked(socket(), 'since').map(({ id, deleted_after }) => [id, deleted_after]), [[800, undefined]]);
  assert.equal(asked(socket(), 'history').length, 1);
  assert.equal(asked(socket(), 'missed').length, 0);
  socket().answer('since', since([row(900)]));
  assert.equal(session.isCaughtUp, true);
});

test('what came meanwhile stands before what comes live, and no gap is left', async () => {
  const { socket, session } = await comeBack();
  assert.deepEqual(asked(socket(), 'since').map(({ id, deleted_after }) => [id, deleted_after]), [[10, TIME]]);
  socket().say({ type: 'broadcast', ...row(21) });
  assert.deepEqual(shown(session), [9, 10]);
  socket().answer('since', since([row(12), row(15)], true));
  assert.deepEqual(asked(socket(), 'since').map(({ id, deleted_after }) => [id, deleted_after])[1], [15, LATER]);
  socket().answer('since', since([row(20), row(21)]));
  assert.deepEqual(shown(session), [9, 10, 12, 15, 20, 21]);
  assert.equal(session.isCaughtUp, true);
  assert.deepEqual([1, 2, 3, 4, 5, 6].map((index) => session.store.get('#')?.isGap(index)), Array(6).fill(false));
});

test('what was deleted meanwhile has no text any more', async () => {
  const { socket, session } = await comeBack();
  socket().answer('since', since([], false, { deleted: [9, 7] }));
  assert.deepEqual(session.store.get('#')?.messages.map(({ text }) => text), ['', 'text 10']);
});

test('where too much was deleted what is shown is read again', async () => {
  const { socket, session } = await comeBack();
  socket().answer('since', since([row(12)], false, { deleted: [], deleted_more: true }));
  assert.deepEqual(shown(session), [12]);
  assert.equal(asked(socket(), 'history').length, 1);
});

test('a deletion that comes live moves the time from which they are asked for', async () => {
  const { socket, session, clock } = await playIn({ last_id: 0 });
  socket().say({ type: 'deleted', id: 1, time: LATER });
  socket().end();
  clock.pass(1000);
  socket().say(HELLO);
  socket().answer('resume', loginOk({ last_id: 20 }));
  assert.equal(asked(socket(), 'since')[0].deleted_after, LATER);
  assert.equal(session.phase, 'in');
});

test('a loss in the midst of it goes on from where it had come to', async () => {
  const { socket, session, clock } = await comeBack();
  socket().answer('since', since([row(12), row(15)], true));
  socket().say({ type: 'broadcast', ...row(21) });
  socket().end();
  clock.pass(1000);
  socket().say(HELLO);
  socket().answer('resume', loginOk({ last_id: 21, time: LATER }));
  assert.deepEqual(asked(socket(), 'since').map(({ id, deleted_after }) => [id, deleted_after]), [[15, TIME]]);
  socket().answer('since', since([row(20), row(21)]));
  assert.deepEqual(shown(session), [9, 10, 12, 15, 20, 21]);
});

test('after too many pages it gives up: a gap stands there, and what is on show is fetched', async () => {
  const { socket, session } = await comeBack({ last_id: 9999 });
  for (let page = 0; page < 10; page++) socket().answer('since', since([row(20 + page)], true));
  assert.equal(asked(socket(), 'since').length, 10);
  assert.equal(session.isCaughtUp, true);
  assert.equal(session.store.get('#')?.hasNewest, false);
  socket().answer('history', { type: 'history', messages: [row(9998)], more: true });
  assert.equal(session.store.get('#')?.hasNewest, true);
  const gaps = session.store.get('#')?.messages.map((_, index) => session.store.get('#')?.isGap(index));
  assert.deepEqual(gaps?.flatMap((isGap, index) => isGap ? [index] : []), [12]);
});

test('when too much comes live meanwhile it gives up as well, and nothing of that is lost', async () => {
  const { socket, session } = await comeBack();
  for (let id = 21; id <= 2021; id++) socket().say({ type: 'broadcast', ...row(id) });
  assert.equal(session.isCaughtUp, true);
  assert.equal(session.store.get('#')?.newestId, 2021);
  socket().answer('since', since([row(12)])); // too late: a page of the gap closes it by history
  assert.deepEqual(shown(session)?.slice(0, 3), [9, 10, 21]);
  assert.equal(session.store.get('#')?.isGap(2), true);
});

test('a service that gives the same page again and again is not asked for ever', async () => {
  const { socket, session } = await comeBack();
  socket().answer('since', since([row(10)], true));
  assert.equal(asked(socket(), 'since').length, 1);
  assert.equal(session.isCaughtUp, true);
});

test('a service that has no since, or refuses it, leaves a gap', async () => {
  const { socket, session } = await comeBack();
  socket().answer('since', { type: 'error', code: 'internal', message: 'a fault' });
  assert.equal(session.isCaughtUp, true);
  assert.equal(session.store.get('#')?.hasNewest, false);
});

test('missed messages are unread in their talks, and further ones are asked for once those are seen', async () => {
  const { socket, session } = await playIn({ last_id: 10, missed: 3 });
  const missed = (/** @type {number[]} */ ids, more = false) => ({
    type: 'missed',
    messages: ids.map((id) => row(id, { to: 'alice' })),
    more,
  });
  socket().answer('missed', missed([2, 3], true));
  socket().answer('since', since([]));
  assert.equal(session.store.get('@bob')?.unread, 2);
  session.open('@bob');
  socket().answer('history', {
    type: 'history',
    with: 'bob',
    messages: [row(2, { to: 'alice' }), row(3, { to: 'alice' })],
    more: false,
  });
  session.look({ isVisible: true, isFocused: true, isAtEnd: true });
  session.leavePage();
  assert.deepEqual(asked(socket(), 'seen').map(({ with: name, id }) => [name, id]), [['bob', 3]]);
  socket().answer('seen', { type: 'ack', command: 'seen', with: 'bob', id: 3 });
  assert.equal(asked(socket(), 'missed').length, 2);
  socket().answer('missed', missed([5]));
  assert.equal(session.store.get('@bob')?.unread, 0); // looked at
});

test('an answer to what was asked stands at its place among what is pushed', async () => {
  const { socket, session } = await comeBack();
  const ops = { room: 'ops', created: TIME, topic: '', private: false, members: 1, role: 'member', last_id: 21 };
  const joined = session.join('ops');
  socket().say({ type: 'member', room: 'ops', username: 'alice', action: 'kick', time: TIME });
  socket().answer('join', { type: 'room', ...ops });
  assert.equal(session.store.get('#ops'), undefined);
  socket().answer('since', since([]));
  assert.equal(await joined, '#ops');
  assert.equal(session.store.get('#ops')?.role, 'member');
});

test('what was done for the user is told even if the connection is lost before its place comes', async () => {
  const { socket, session } = await comeBack();
  const left = session.setTopic('#', 'on call');
  socket().answer('set_room', { type: 'ack', command: 'set_room' });
  socket().end();
  await left;
  assert.equal(session.store.get('#')?.topic, 'on call');
});
